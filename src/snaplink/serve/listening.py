"""Where a server listens, and the address that people click."""

from __future__ import annotations

import errno
import ipaddress
import socket

__all__ = ["address_for_others", "address_of", "is_address", "is_loopback", "listen"]

_WAITING = 1024
"""Connections that the system holds until the server takes them."""
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets at every address that the host has, such as IPv4's and IPv6's of localhost.

    Args:
        host: a name or an address.
        port: 0 is any free one, the same for all.

    Raises:
        OSError: the host is unknown, or not this machine; the port is taken, or not ours.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            taken = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_bound(family, (address, taken)))
            except OSError as error:
                if not sockets or error.errno not in _NOT_HERE:
                    raise
    except (OSError, UnicodeError) as error:
        for each in sockets:
            each.close()
        raise OSError(_said(error, host, port)) from None
    return sockets


def address_of(sockets: list[socket.socket]) -> str:
    """The address of the page, as a browser on this machine takes it.

    >>> sockets = listen("127.0.0.1", 0)
    >>> address_of(sockets) == f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    True
    >>> sockets[0].close()
    """
    host, port = sockets[0].getsockname()[:2]
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def address_for_others(sockets: list[socket.socket]) -> str | None:
    """The address for other machines, of a server that listens everywhere; they may know it."""
    host, port = sockets[0].getsockname()[:2]
    return f"http://{socket.gethostname()}:{port}/" if host in _EVERYWHERE else None


def is_loopback(host: str) -> bool:
    """Does a server at this host hear only its own machine?"""
    if host.lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def is_address(name: str) -> bool:
    """Is the host an address, and no name?"""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """IPv4's first: that is what people, and our client, write."""
    found = {
        (family, str(address[0]))
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if family in (socket.AF_INET, socket.AF_INET6)
    }
    return sorted(found, key=lambda each: each[0] != socket.AF_INET)


def _bound(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    bound = socket.create_server(address, family=family, backlog=_WAITING)
    bound.setblocking(False)
    return bound


def _said(error: OSError | UnicodeError, host: str, port: int) -> str:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"the host {host!r} is not known: give a name or an address of this machine"
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: end what listens there, or give another with "
            "--port (0 is any free one)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is not for everybody to listen at: give one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"the host {host!r} is not this machine: give a name or an address of its own"
    return f"cannot listen at {host}, port {port}: {error.strerror or error}"
