"""Sockets where people asked for them, and what is said where that cannot be."""

from __future__ import annotations

import socket

import pytest

from snaplink.serve.listening import address_for_others, address_of, is_loopback, listen


def closed(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def port_of(sockets: list[socket.socket]) -> int:
    return sockets[0].getsockname()[1]


def test_a_free_port_is_one_for_all_addresses():
    sockets = listen("localhost", 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    assert sockets[0].family == socket.AF_INET
    assert address_for_others(sockets) is None
    with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1]), timeout=5):
        pass
    closed(sockets)


def test_everywhere_is_clicked_here():
    sockets = listen("0.0.0.0", 0)
    assert address_of(sockets).startswith("http://127.0.0.1:")
    assert address_for_others(sockets) == f"http://{socket.gethostname()}:{port_of(sockets)}/"
    closed(sockets)


def test_addresses_of_version_6_have_brackets():
    try:
        sockets = listen("::1", 0)
    except OSError:
        pytest.skip("there is no IPv6 here")
    assert address_of(sockets) == f"http://[::1]:{sockets[0].getsockname()[1]}/"
    closed(sockets)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 is in use.*--port"):
            listen("127.0.0.1", port)


def test_a_port_whose_server_was_killed_is_free_at_once():
    first = listen("127.0.0.1", 0)
    port = first[0].getsockname()[1]
    first[0].setblocking(True)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        taken, _ = first[0].accept()
        taken.close()  # the server's side ends first: the system remembers the pair for a while
        closed(first)
    closed(listen("127.0.0.1", port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a b", "999.1.1.1", "ü" * 70])
def test_a_host_that_is_unknown(host):
    with pytest.raises(OSError, match="is not known"):
        listen(host, 0)


def test_a_host_that_is_another_machine():
    with pytest.raises(OSError, match="is not this machine"):
        listen("192.0.2.1", 0)  # of documentation's addresses


@pytest.mark.parametrize(
    ("host", "so"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.evil", False),
    ],
)
def test_who_hears_only_this_machine(host, so):
    assert is_loopback(host) is so
