"""`snaplink serve`: a model and a store behind HTTP, and a page to look at pictures."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .exits import say
from .terminal import how_many

if TYPE_CHECKING:
    from socket import socket

    from snaplink.serve.running import Served
    from snaplink.serve.settings import Settings

TOKEN = "SNAPLINK_TOKEN"


def _usable(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable() and value.strip()):
        raise click.BadParameter("a token has letters, digits and the like", ctx, parameter)
    return value and value.strip()


@click.command(cls=options.Verb)
@click.argument("store", required=False, metavar="[STORE]", type=click.Path(path_type=Path))
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="HOST",
    show_default=True,
    help="Where to listen: 0.0.0.0 is for every machine that reaches this one.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    metavar="N",
    show_default=True,
    help="0 is any that is free.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="As for embed. Without it: the store's, or tiny. For a store, another model is refused.",
)
@options.device
@options.precision
@click.option(
    "--token",
    envvar=TOKEN,
    metavar="TOKEN",
    callback=_usable,
    help=f"What clients have to show. In the variable {TOKEN}, it is in no list of processes. "
    "Without it: made up and printed, if other machines reach the server; else none.",
)
@click.option("--no-auth", is_flag=True, help="No token, whoever reaches the server.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name that the server goes by, such as that of a proxy.",
)
@click.option(
    "--fetch-urls", is_flag=True, help="Fetch pictures of public addresses that clients name."
)
@click.option(
    "--max-wait",
    type=click.FloatRange(min=0),
    default=0.02,
    metavar="SECONDS",
    show_default=True,
    help="How long a batch waits for inputs that are about to come.",
)
@click.option(
    "--queue",
    type=click.IntRange(min=1),
    default=1024,
    metavar="N",
    show_default=True,
    help="Inputs that may wait for the model; more are told to come again (429).",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    metavar="SECONDS",
    show_default=True,
    help="For a request; what takes longer is given up (504).",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that decode. Without it: one a core.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
def serve(
    store: Path | None,
    host: str,
    port: int,
    model: str | None,
    device: str | None,
    precision: str | None,
    token: str | None,
    no_auth: bool,
    allow_hosts: tuple[str, ...],
    fetch_urls: bool,
    max_wait: float,
    queue: int,
    time_limit: float,
    workers: int | None,
    open_page: bool,
) -> None:
    """Answer over HTTP, with a page to search and classify.

    STORE is a directory that `snaplink embed` made; without it, example pictures are shown. Only
    this machine reaches the server, unless --host says otherwise. Ctrl-C ends it when the
    requests that it has begun with are answered.

    \b
    snaplink serve photos.store --open
    snaplink serve --model ViT-B/32 --host 0.0.0.0
    curl 127.0.0.1:8000/v1/embeddings --json '{"input": "a cat"}'
    """
    from urllib.parse import quote

    from snaplink.serve.listening import listen
    from snaplink.serve.settings import Settings

    if token and no_auth:
        raise click.UsageError(
            f"--token (or {TOKEN}) and --no-auth exclude each other", click.get_current_context()
        )
    if not token and not no_auth:
        token = _made_up(host)
    settings = Settings(
        model=model,
        store=store,
        device=device,
        precision=precision,
        host=host,
        token=token,
        allow_hosts=allow_hosts,
        fetch_urls=fetch_urls,
        max_wait=max_wait,
        queue=queue,
        time_limit=time_limit,
        workers=workers,
    )
    with ExitStack() as until_the_end:
        sockets = listen(host, port)
        for each in sockets:
            until_the_end.enter_context(each)
        shown = f"#token={quote(token, safe='')}" if token else ""
        _run(settings, sockets, shown, open_page=open_page)


def _run(settings: Settings, sockets: list[socket], shown: str, *, open_page: bool) -> None:
    """Serve, and say so; `shown` is what the page's address has behind it."""
    from snaplink.serve import logs
    from snaplink.serve.listening import address_for_others, address_of

    address, others = address_of(sockets), address_for_others(sockets)
    terminal = sys.stderr.isatty()
    logs.configure(terminal=terminal)
    if terminal:
        say(f"{address} is loading {settings.model or 'its model'} …")
    else:
        logs.event("listening", url=address)

    def greet(served: Served) -> None:
        if terminal:
            click.echo(_greeting(served, address + shown, others and others + shown), err=True)
        else:
            logs.event("ready", url=address, model=served.model, rows=served.rows)
        if open_page:
            _open(address + shown)

    from snaplink.serve.running import run

    run(settings, sockets, greet)


def _made_up(host: str) -> str | None:
    """A token, if others than this machine reach the server; it has to be shown to somebody."""
    import secrets

    from snaplink.serve.listening import is_loopback

    if is_loopback(host):
        return None
    if not sys.stderr.isatty():
        raise click.UsageError(
            f"other machines reach {host}, and there is no terminal to print a token to: choose "
            f"one in the variable {TOKEN}, or say --no-auth",
            click.get_current_context(),
        )
    return secrets.token_urlsafe(24)


def _greeting(served: Served, page: str, others: str | None) -> str:
    lines = {
        "Open": click.style(page, bold=True),
        "From elsewhere": others,
        "Model": f"{served.model}, {served.precision}",
        "Store": f"{served.store or 'example pictures'}, {how_many(served.rows, 'row')}",
        "Stop": "Ctrl-C",
    }
    shown = [f"  {name:14}  {value}" for name, value in lines.items() if value]
    return "\n".join(["", *shown, ""])


def _open(page: str) -> None:
    """In a thread: some browsers are waited for."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
