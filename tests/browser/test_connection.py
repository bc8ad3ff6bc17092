"""A token, a server that goes and comes back, is busy, or has another store than before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Visit
from .instead import Instead
from .servers import Server
from .stores import LOST, append, photos

FIRST = "#grid li[aria-posinset='1'] .open"


def test_the_token_in_the_address_opens_the_page_and_is_gone(photos: Server, visit: Visit) -> None:
    page = visit(photos.page, expected={410})
    expect(page.locator(FIRST)).not_to_have_accessible_name("loading")
    expect(page).to_have_url(photos.url)
    page.reload()
    expect(page.locator(FIRST)).to_be_visible()
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert photos.token not in cookie["value"]


def test_the_token_is_asked_for(photos: Server, visit: Visit) -> None:
    page = visit(f"{photos.url}?q=an+animal", expected={401, 410})
    form = page.get_by_role("dialog", name="Sign in")
    expect(form.get_by_label("Token")).to_be_focused()
    page.keyboard.press("Escape")
    form.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(form.get_by_role("alert")).to_have_text("That is not the token.")
    form.get_by_label("Token").fill(photos.token)
    form.get_by_role("button", name="Sign in").click()
    expect(form).to_be_hidden()
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("score"))
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("an animal")


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a test may stop, and its store change."""
    folder = tmp_path_factory.mktemp("passing")
    with Server(folder / "log", photos(folder)) as server:
        yield server


def test_the_page_outlives_its_server(passing: Server, visit: Visit) -> None:
    page = visit(f"{passing.url}?q=an+animal", expected={410, 503})
    page.watch.gone = True
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("score"))
    passing.stop()
    field = page.get_by_role("searchbox", name="Describe a picture")
    field.fill("a face")
    expect(page.get_by_role("alert")).to_have_text(re.compile("does not answer"))
    passing.start()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("score"))
    expect(page.get_by_role("status")).to_have_text(re.compile("best"))
    expect(page.locator("#grid img").first).to_have_js_property("naturalWidth", 64)


def test_a_page_that_comes_too_early_waits(passing: Server, visit: Visit) -> None:
    passing.stop()
    passing.launch()
    passing.listening()
    page = visit(passing.url, expected={410, 503})
    expect(page.locator(FIRST)).to_be_visible()
    expect(page.get_by_role("heading", name="One moment")).to_be_hidden()


def test_a_page_that_cannot_begin_tries_again(demo: Server, visit: Visit) -> None:
    page = visit(demo.url, expected={500})
    error = {"message": "something is wrong"}
    instead = Instead(
        page, "**/v1/store", lambda route: route.fulfill(status=500, json={"error": error})
    )
    page.reload()
    expect(page.get_by_text("something is wrong")).to_be_visible()
    instead.stop()
    expect(page.locator(FIRST)).to_have_accessible_name("banana")
    expect(page.get_by_text("something is wrong")).to_be_hidden()


def test_a_store_that_grows_is_seen(passing: Server, visit: Visit, tmp_path: Path) -> None:
    page = visit(passing.url, expected={410})
    status = page.get_by_role("status")
    expect(status).to_have_text("5,000 pictures")
    append(passing.store, tmp_path)
    passing.fill(5001)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    expect(status).to_have_text("5,001 pictures")
    assert page.evaluate("scrollY") > 10_000


def test_examples_that_come_bit_by_bit_are_seen(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}static/icon.svg", expected={404})

    def fewer(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"rows": 16})

    Instead(page, "**/v1/store", fewer, times=1)
    page.goto(demo.url)
    expect(page.get_by_text("Example drawings · 16 pictures · tiny")).to_be_visible()
    expect(page.get_by_text("Example drawings · 396 pictures · tiny")).to_be_visible()


def test_an_address_of_a_former_store(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?like=0123456789abcdef-1", expected={410})
    expect(page.get_by_role("heading", name="The store has changed")).to_be_visible()
    page.get_by_role("button", name="Show all pictures").click()
    expect(page.locator(FIRST)).to_have_accessible_name("banana")


def refuse(page: Page, status: int, times: float = math.inf) -> Instead:
    """Let the server refuse searches."""
    error = {"message": "the server is busy", "type": "server_error", "param": None, "code": None}
    return Instead(
        page,
        "**/v1/search",
        lambda route: route.fulfill(
            status=status, json={"error": error}, headers={"Retry-After": "1"}
        ),
        times,
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(demo: Server, visit: Visit, status: int) -> None:
    page = visit(demo.url, expected={status})
    expect(page.locator(FIRST)).to_have_accessible_name("banana")
    instead = refuse(page, status)
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.get_by_role("alert")).to_have_text(re.compile("a lot to do"))
    instead.stop()
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("clock"))
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_search_that_took_too_long_says_so(demo: Server, visit: Visit) -> None:
    page = visit(demo.url, expected={504})
    expect(page.locator(FIRST)).to_have_accessible_name("banana")
    refuse(page, 504, times=1)
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    expect(page.get_by_text("the server is busy")).to_be_visible()


def refuse_images(route: Route) -> None:
    """Refuse what the document asks for by itself; what the program asks for it gets."""
    if route.request.resource_type == "image":
        route.fulfill(status=429, headers={"Retry-After": "1"})
    else:
        route.continue_()


def test_thumbnails_that_were_refused_come_later(demo: Server, visit: Visit) -> None:
    page = visit(demo.url, expected={429})
    expect(page.locator(FIRST)).to_have_accessible_name("banana")
    page.route("**/thumbnail?side=256", refuse_images)
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("clock"))
    expect(page.locator("#grid li:not(.there)[aria-posinset='1']")).to_have_count(0)
    expect(page.locator(f"{FIRST} img")).to_have_attribute("src", re.compile("^blob:"))
    page.get_by_role("searchbox", name="Describe a picture").fill("")
    expect(page.locator(FIRST)).to_have_accessible_name("banana")
    expect(page.locator("#grid li:not(.there)[aria-posinset='1']")).to_have_count(0)


def test_a_picture_that_was_refused_comes_later(demo: Server, visit: Visit) -> None:
    page = visit(demo.url, expected={429})
    page.route(re.compile(r"/v1/pictures/[\w-]+$"), refuse_images)
    page.locator(FIRST).click()
    viewer = page.get_by_role("dialog", name="Picture")
    shown = viewer.locator("img")
    for name in ("banana", "bicycle"):
        expect(viewer.get_by_role("heading", name=name)).to_be_visible()
        expect(shown).to_have_attribute("src", re.compile("^blob:"))
        expect(shown).to_have_js_property("complete", True)
        expect(shown).to_be_visible()
        page.keyboard.press("ArrowRight")


def test_a_lost_picture_is_shown_as_lost(photos: Server, visit: Visit) -> None:
    page = visit(photos.page, expected={410})
    tile = page.locator(f"#grid li[aria-posinset='{LOST + 1}']")
    expect(tile).to_have_class(re.compile("missing"))
    tile.locator(".open").click()
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.get_by_text("deleted or moved")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_text("deleted or moved")).to_be_hidden()
    expect(viewer.locator("img")).to_have_js_property("naturalWidth", 64)
