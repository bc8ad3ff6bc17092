"""Draws docs/images/serve-*.png: python scripts/make_serve_images.py

The page of `snaplink serve` with the example drawings, as a browser shows it: searching,
classifying, by night, and on a phone. Needs Chromium (Debian's package `chromium`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from snaplink import Client

TARGET = Path(__file__).parents[1] / "docs" / "images"
DESK = {"viewport": {"width": 1120, "height": 700}, "device_scale_factor": 1.5}
PHONE = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2, "is_mobile": True}


@contextmanager
def served() -> Iterator[str]:
    """The address of a server, once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "snaplink", "serve", "--port", port]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        with Client(url) as client:
            client.wait_until_ready(120)
        yield url
    finally:
        process.terminate()
        process.wait()


def searching(page: Page) -> None:
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.locator("#grid .score").first).not_to_be_empty()
    page.get_by_role("button", name="Close this note").click()


def combining(page: Page) -> None:
    """A picture's like, with words, and without others."""
    searching(page)
    field = page.get_by_role("searchbox", name="Describe a picture")
    field.fill("a face")
    page.get_by_role("button", name="Keep these words and add more").click()
    field.fill("-yellow")
    page.get_by_role("button", name="Keep these words and add more").click()
    field.fill("an animal")


def classifying(page: Page) -> None:
    page.get_by_role("link", name="Classify").click()
    expect(page.get_by_role("status")).to_have_text("2 pictures, 6 labels")
    page.get_by_role("textbox", name="Labels").press_sequentially("toy, guitar")
    expect(page.get_by_role("status")).to_have_text("2 pictures, 8 labels")


def photograph(page: Page, name: str) -> None:
    """Once everything has come and come to rest."""
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#grid li:not(.there):visible")).to_have_count(0)
    path = TARGET / f"serve-{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def draw(browser: Browser, url: str) -> None:
    for name, act, options in (
        ("search", searching, DESK),
        ("classify", classifying, DESK),
        ("dark", combining, DESK | {"color_scheme": "dark"}),
        ("phone", searching, PHONE),
    ):
        page = browser.new_page(reduced_motion="reduce", **options)
        page.goto(url)
        expect(page.locator("#grid li.there").first).to_be_visible()
        act(page)
        photograph(page, name)
        page.close()


def main() -> None:
    path = os.environ.get("SNAPLINK_CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise SystemExit("install chromium to draw the pictures")
    arguments = ["--no-sandbox", "--disable-gpu"]
    with served() as url, sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=path, args=arguments)
        draw(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
