"""Light, dark and small; by keyboard alone, and for screen readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import LOOKS, Visit
from .servers import Server

FIRST = "#grid li[aria-posinset='1'] .open"

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""axe's, all of them."""

State = Callable[[Page], object]


def at_rest(page: Page) -> None:
    expect(page.locator(FIRST)).to_have_accessible_name("banana")


def searching(page: Page) -> None:
    field = page.get_by_role("searchbox", name="Describe a picture")
    for words in ("a clock", "-a watch"):
        field.fill(words)
        page.get_by_role("button", name="Keep these words and add more").click()
    field.fill("round")
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("score"))


def filtering(page: Page) -> None:
    at_rest(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("Condition").click()
    page.get_by_text("7 more").click()
    expect(page.get_by_label("in SQL")).to_be_visible()


def looking_closely(page: Page) -> None:
    at_rest(page)
    page.locator(FIRST).click()
    expect(page.get_by_role("dialog", name="Picture").locator("img")).to_be_visible()


def finding_nothing(page: Page) -> None:
    page.watch.expected |= {410}
    page.goto(f"{page.url}?like=0123456789abcdef-1")
    expect(page.get_by_role("heading", name="The store has changed")).to_be_visible()


def classifying(page: Page) -> None:
    page.get_by_role("link", name="Classify").click()
    page.get_by_text("Advanced").click()
    expect(page.get_by_role("status")).to_have_text("2 pictures, 6 labels")
    long = f"a photograph of a very small dog that sleeps on {'o' * 60}"
    page.get_by_role("textbox", name="Labels").fill(f"{long},")
    expect(page.get_by_role("status")).to_have_text("2 pictures, 7 labels")
    chip = page.get_by_role("list", name="Labels").get_by_role("listitem").last.bounding_box()
    field = page.get_by_role("textbox", name="Labels").bounding_box()
    assert chip["x"] + chip["width"] <= field["x"] + field["width"] + 1
    cards = page.locator("#cards").bounding_box()
    beside, above = field["x"] + field["width"] <= cards["x"], field["y"] < cards["y"]
    assert beside or above


def being_helped(page: Page) -> None:
    at_rest(page)
    page.get_by_role("button", name="Help and keys").click()
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()


def being_asked_for_a_token(page: Page) -> None:
    page.watch.expected |= {401}
    page.route("**/v1/store", lambda route: route.fulfill(status=401, json={}))
    page.reload()
    page.get_by_label("Token").fill("wrong")
    page.route("**/session", lambda route: route.fulfill(status=401, json={}))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")


def waiting(page: Page) -> None:
    error = {"message": "the model is being loaded"}
    page.watch.expected |= {503}
    page.route("**/readyz", lambda route: route.fulfill(status=503, json={"error": error}))
    page.reload()
    expect(page.get_by_text("the model is being loaded")).to_be_visible()


def cut_off(page: Page) -> None:
    at_rest(page)
    page.watch.gone = True
    for path in ("v1/search", "readyz"):
        page.route(f"**/{path}", lambda route: route.abort())
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.get_by_role("alert")).to_have_text(re.compile("does not answer"))


STATES: list[State] = [
    at_rest,
    searching,
    filtering,
    looking_closely,
    finding_nothing,
    classifying,
    being_helped,
    being_asked_for_a_token,
    waiting,
    cut_off,
]


@pytest.mark.parametrize("look", LOOKS)
def test_every_state_is_accessible_and_fits(demo: Server, visit: Visit, look: str) -> None:
    axe = Axe()
    for state in STATES:
        page = visit(demo.url, look, reduced_motion="reduce")
        state(page)
        options = {"runOnly": RULES, "resultTypes": ["violations"]}
        found = axe.run(page, options=options).response["violations"]
        told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert told == [], state.__name__
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= LOOKS[look]["viewport"]["width"], state.__name__
        page.context.close()


@pytest.mark.parametrize("width", [320, 640])
def test_nothing_hangs_over_when_it_is_zoomed_in(demo: Server, visit: Visit, width: int) -> None:
    """1280 pixels at 200 % and 400 %, as WCAG's reflow has it."""
    for state in (at_rest, searching, filtering, looking_closely, classifying, being_helped):
        page = visit(demo.url, viewport={"width": width, "height": 400})
        state(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state.__name__
        page.context.close()


def ground(page: Page) -> Any:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize(("system", "other"), [("light", "dark"), ("dark", "light")])
def test_light_and_dark_are_the_systems_until_somebody_chooses(
    demo: Server, visit: Visit, system: str, other: str
) -> None:
    page = visit(demo.url, system)
    by_system = ground(page)
    page.get_by_role("button", name="Switch between light and dark").click()
    chosen = ground(page)
    assert chosen != by_system
    page.reload()
    assert ground(page) == chosen
    page.emulate_media(color_scheme=other)
    assert ground(page) == chosen


def test_the_keyboard_is_enough(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    field = page.get_by_role("searchbox", name="Describe a picture")
    expect(field).to_be_focused()
    page.keyboard.type("a clock")
    expect(page).to_have_url(re.compile(r"\?q=a\+clock$"))
    expect(page.get_by_role("list", name="Pictures")).to_have_attribute("aria-busy", "false")
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile("clock"))
    page.keyboard.press("ArrowDown")
    expect(page.locator(FIRST)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#grid li[aria-posinset='2'] .open")).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator("#grid li .open:focus")).to_be_in_viewport()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(FIRST)).to_be_focused()
    page.keyboard.press("s")
    expect(page.locator(FIRST)).to_have_accessible_name(re.compile(r"score 1\.00"))
    expect(page.locator(FIRST)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(field).to_be_focused()


def test_tab_reaches_everything_once(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    at_rest(page)
    page.get_by_role("link", name="Skip to the content").focus()
    names = []
    for _ in range(20):
        focused = "document.activeElement.ariaLabel ?? document.activeElement.innerText.trim()"
        names.append(page.evaluate(focused))
        page.keyboard.press("Tab")
    assert names[:4] == ["Skip to the content", "snaplink", "Search", "Classify"]
    assert names.count("banana") == 1
    assert "bicycle" not in names  # arrows lead there


def test_what_changes_is_announced(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    at_rest(page)
    grid = page.get_by_role("list", name="Pictures")
    expect(grid.get_by_role("listitem").first).to_have_attribute("aria-setsize", "396")
    expect(page.get_by_role("status")).to_have_text("396 pictures")
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(page.get_by_role("status")).to_have_text(re.compile("best"))
    expect(grid).to_have_attribute("aria-busy", "false")


def test_the_own_pictures_are_two_commands_away(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    note = page.get_by_role("complementary", name="Your own pictures")
    expect(note).to_contain_text("snaplink serve photos.store")
    note.get_by_role("button", name="Close this note").click()
    expect(note).to_be_hidden()
