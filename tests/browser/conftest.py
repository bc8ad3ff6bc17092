"""The page in a real browser, over a real server. Any mistake of the page fails the test.

Without a browser these tests are skipped; SNAPLINK_NEEDS_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import base64
import mimetypes
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    JSHandle,
    Page,
    Request,
    expect,
    sync_playwright,
)

from .servers import Server
from .stores import photos as photos_store

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}

EXAMPLES = 396
"""Pictures that a server without a store shows."""

ALONE = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
"""Switches: the browser speaks to nobody but the server."""

PATIENCE = 60_000
"""Milliseconds: a machine that has much else to do is no mistake of the page."""


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    named = os.environ.get("SNAPLINK_CHROMIUM")
    return named or next((path for path in map(shutil.which, names) if path), None)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = _chromium()
    if path is None:
        what = "no chromium here: install it, or say where in SNAPLINK_CHROMIUM"
        if os.environ.get("SNAPLINK_NEEDS_BROWSER") == "1":
            pytest.fail(what)
        pytest.skip(what)
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=path, args=ALONE, timeout=PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def demo(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was given no store."""
    with Server(tmp_path_factory.mktemp("demo") / "log") as server:
        server.fill(EXAMPLES)
        yield server


@pytest.fixture(scope="package")
def photos(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token and a store: columns of every kind, odd names, a lost picture."""
    folder = tmp_path_factory.mktemp("photos")
    with Server(folder / "log", photos_store(folder), token="a+token &") as server:
        yield server


class Watch:
    """Hears what a page does wrong.

    Attributes:
        expected: statuses of answers that the browser may complain about.
        gone: whether the server may be out of reach.
        wrong: what happened.
    """

    def __init__(self, context: BrowserContext, expected: set[int]) -> None:
        self.expected = expected
        self.gone = False
        self.wrong: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("request", self._request)
        context.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " (event) => console.error('policy', event.violatedDirective, event.blockedURI))"
        )

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        answered = any(f"status of {status} " in message.text for status in self.expected)
        lost = self.gone and "net::ERR_" in message.text
        if not answered and not lost:
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.wrong.append(f"asked another host: {request.url}")


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Open an address: ``visit(url, look="dark", **options of the context)`` gives the page.

    The statuses in `expected` are those of answers that the page asks for and does not get.
    """
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_page(
        url: str, look: str = "light", expected: Iterable[int] = (), **options: Any
    ) -> Page:
        context = chromium.new_context(**(LOOKS[look] | options))
        context.set_default_timeout(PATIENCE)
        watch = Watch(context, set(expected))
        page = context.new_page()
        page.watch = watch
        opened.append((context, watch))
        page.goto(url)
        return page

    yield open_page
    for context, _ in opened:
        context.close()
    assert [wrong for _, watch in opened for wrong in watch.wrong] == []


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """A picture's file."""
    from snaplink.drawings import drawings

    picture = next(each for each in drawings() if each.name == "guitar")
    path = tmp_path / "my guitar.png"
    picture.picture.save(path)
    return path


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """The file of something that is no picture."""
    path = tmp_path / "notes.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


def transfer(page: Page, *paths: Path) -> JSHandle:
    """Files as the browser holds them while they are dragged, or copied."""
    return page.evaluate_handle(
        """(files) => {
          const transfer = new DataTransfer();
          for (const [name, type, data] of files) {
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type }));
          }
          return transfer;
        }""",
        [
            (
                path.name,
                mimetypes.guess_type(path.name)[0],
                base64.b64encode(path.read_bytes()).decode("ascii"),
            )
            for path in paths
        ],
    )
