"""Looking for pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from .conftest import Visit, transfer
from .servers import Server
from .stores import MANY, REAL

Give = Callable[..., None]

FIRST = "#grid li[aria-posinset='1']"


def first(page: Page) -> Locator:
    """The button of the first picture."""
    return page.locator(f"{FIRST} .open")


def type_words(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Describe a picture").press_sequentially(words)


@pytest.mark.parametrize("look", ["light", "phone"])
def test_words_find_pictures_while_they_are_typed(demo: Server, visit: Visit, look: str) -> None:
    page = visit(demo.url, look)
    expect(first(page)).to_have_accessible_name("banana")
    type_words(page, "a clock")
    expect(first(page)).to_have_accessible_name(re.compile(r"clock, score 0\.\d\d"))
    expect(page.locator(f"{FIRST} img")).to_have_js_property("naturalWidth", 64)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^396 pictures, best 0\.\d\d$"))
    expect(page).to_have_url(re.compile(r"\?q=a\+clock$"))
    expect(page).to_have_title("a clock · snaplink")


def test_words_are_sent_once_they_pause(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    expect(first(page)).to_have_accessible_name("banana")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("searchbox", name="Describe a picture").evaluate(
        """(field) => {
          for (const letter of 'a clock') {
            field.value += letter;
            field.dispatchEvent(new Event('input'));
          }
        }"""
    )
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    assert sum(url.endswith("/v1/search") for url in asked) == 1


def test_an_older_answer_never_replaces_a_newer(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    expect(first(page)).to_have_accessible_name("banana")
    held = []

    def hold_the_older(route: Route) -> None:
        if json.loads(route.request.post_data)["query"] == [{"text": "a guitar", "weight": 1}]:
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/search", hold_the_older)
    with page.expect_request("**/v1/search"):
        page.get_by_role("searchbox", name="Describe a picture").fill("a guitar")
    page.get_by_role("searchbox", name="Describe a picture").fill("a clock")
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    with page.expect_response("**/healthz"):
        held[0].continue_()
        page.evaluate("fetch('/healthz')")
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("a clock")


def test_thousands_of_pictures_scroll_in_few_elements(photos: Server, visit: Visit) -> None:
    page = signed_in(visit, photos)
    expect(first(page)).to_be_visible()
    tiles = page.locator("#grid li")
    for share in (0.2, 0.9, 0.4, 0.6, 1.0):
        page.evaluate("share => scrollTo(0, share * document.documentElement.scrollHeight)", share)
        page.wait_for_function(
            """([share, many]) => {
              const first = document.querySelector('#grid li').getAttribute('aria-posinset');
              return Math.abs(first / many - share) < 0.05;
            }""",
            arg=[share, MANY],
        )
        expect(tiles.locator(".name:empty")).to_have_count(0)
        assert tiles.count() < 120
    expect(tiles.last).to_have_attribute("aria-posinset", str(MANY))


def test_answers_scroll_on_and_on(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?q=a+face")
    expect(first(page)).to_have_accessible_name(re.compile("face"))
    for place in (150, 250, 396):
        expect(scrolled_to(page, place)).to_have_accessible_name(re.compile(r"score -?\d"))


def scrolled_to(page: Page, place: int) -> Locator:
    """The picture at a place, after scrolling as far down as there is, as often as it takes."""
    wanted = page.locator(f"#grid li[aria-posinset='{place}'] .open")
    page.evaluate(
        """async (place) => {
          const far = () => Math.max(...[...document.querySelectorAll('#grid li')]
            .map((tile) => Number(tile.getAttribute('aria-posinset'))));
          while (far() < place) {
            scrollBy(0, 300);
            await new Promise(requestAnimationFrame);
          }
        }""",
        place,
    )
    return wanted


def test_similar_pictures_are_a_click_away(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?q=a+clock")
    tile = page.locator("#grid li", has_text="alarm clock").first
    tile.hover()
    tile.get_by_role("button", name="Find pictures like alarm clock").click()
    expect(first(page)).to_have_accessible_name("alarm clock, score 1.00")
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("")
    chips = page.get_by_role("list", name="What is searched for").get_by_role("listitem")
    expect(chips).to_have_text(["alarm clock"])
    page.get_by_role("button", name="Remove alarm clock").click()
    expect(first(page)).to_have_accessible_name("banana")


def given_by_file(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by a picture").click()
    chooser.value.set_files(path)


def given_by_drop(page: Page, *paths: Path) -> None:
    held = transfer(page, *paths)
    page.dispatch_event("#content", "dragover", {"dataTransfer": held})
    expect(page.get_by_text("Drop your picture")).to_have_count(0)
    expect(page.locator("#dropping")).to_be_visible()
    page.dispatch_event("#content", "drop", {"dataTransfer": held})
    expect(page.locator("#dropping")).to_be_hidden()


def given_by_paste(page: Page, *paths: Path) -> None:
    page.evaluate(
        "data => dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))",
        transfer(page, *paths),
    )


@pytest.mark.parametrize("give", [given_by_file, given_by_drop, given_by_paste])
def test_a_picture_finds_its_like(demo: Server, visit: Visit, drawing: Path, give: Give) -> None:
    page = visit(demo.url)
    expect(first(page)).to_have_accessible_name("banana")
    give(page, drawing)
    expect(first(page)).to_have_accessible_name(re.compile(r"guitar, score (1\.00|0\.9\d)"))
    expect(page.get_by_role("button", name="Remove my guitar.png")).to_be_visible()


def test_what_is_no_picture_is_refused_with_the_reason(
    demo: Server, visit: Visit, tmp_path: Path
) -> None:
    path = tmp_path / "not.png"
    path.write_text("no picture at all", encoding="utf-8")
    page = visit(demo.url)
    page.watch.expected |= {400, 415, 422}
    expect(first(page)).to_have_accessible_name("banana")
    given_by_file(page, path)
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    page.get_by_role("button", name="Show all pictures").click()
    expect(first(page)).to_have_accessible_name("banana")


@pytest.mark.parametrize("give", [given_by_drop, given_by_paste])
def test_files_of_other_kinds_are_named(
    demo: Server, visit: Visit, drawing: Path, paper: Path, give: Give
) -> None:
    page = visit(demo.url)
    expect(first(page)).to_have_accessible_name("banana")
    give(page, paper)
    said = page.get_by_role("status")
    expect(said).to_have_text("notes.pdf is no picture: give a JPEG, PNG, WebP …")
    expect(first(page)).to_have_accessible_name("banana")
    give(page, drawing, paper, paper)
    expect(first(page)).to_have_accessible_name(re.compile("guitar, score"))
    expect(said).to_have_text("notes.pdf and 1 other are no pictures: give a JPEG, PNG, WebP …")


def test_pasted_text_is_only_text(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    expect(page.get_by_role("status")).to_have_text("396 pictures")
    left_to_the_browser = page.evaluate(
        """() => {
          const held = new DataTransfer();
          held.setData('text/plain', 'a clock');
          const pasted = new ClipboardEvent('paste', { clipboardData: held, cancelable: true });
          return dispatchEvent(pasted);
        }"""
    )
    assert left_to_the_browser
    expect(page.get_by_role("status")).to_have_text("396 pictures")


def test_words_and_pictures_are_weighed_together(demo: Server, visit: Visit, drawing: Path) -> None:
    page = visit(demo.url)
    expect(first(page)).to_have_accessible_name("banana")
    given_by_file(page, drawing)
    expect(first(page)).to_have_accessible_name(re.compile("guitar"))
    type_words(page, "a clock")
    page.get_by_role("button", name="Keep these words and add more").click()
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("")

    def weighed(request: Request) -> bool:
        return request.url.endswith("/v1/search") and '"weight":0.1' in request.post_data

    with page.expect_request(weighed) as asked:
        page.get_by_role("slider", name="Weight of my guitar.png").fill("0.1")
    picture, words = asked.value.post_data_json["query"]
    assert (picture["weight"], words) == (0.1, {"text": "a clock", "weight": 1})
    expect(first(page)).to_have_accessible_name(re.compile("clock|watch"))


def test_what_is_not_wanted_goes_away(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?q=a+clock")
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    page.get_by_role("button", name="Keep these words and add more").click()
    page.get_by_role("button", name="Less like a clock").click()
    expect(first(page)).not_to_have_accessible_name(re.compile("clock"))
    expect(page).to_have_url(re.compile(r"\?not=a\+clock$"))
    page.get_by_role("button", name="More like a clock").click()
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    page.get_by_role("button", name="Remove a clock").click()
    type_words(page, "- a clock")
    expect(page).to_have_url(re.compile(r"\?not=a\+clock$"))
    expect(first(page)).not_to_have_accessible_name(re.compile("clock"))


def test_an_address_holds_the_whole_query(photos: Server, visit: Visit) -> None:
    page = signed_in(visit, photos)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("summer").check()
    type_words(page, "an animal")
    expect(page.get_by_role("status")).to_have_text(re.compile("^20 pictures, best"))
    page.reload()
    expect(page.get_by_label("summer")).to_be_checked()
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("an animal")
    expect(page.get_by_role("status")).to_have_text(re.compile("^20 pictures, best"))
    page.go_back()
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value("")
    expect(page.get_by_role("status")).to_have_text("20 pictures")
    page.go_back()
    expect(page.get_by_role("status")).to_have_text(f"{MANY:,} pictures")


def signed_in(visit: Visit, server: Server, **options: Any) -> Page:
    """The page of a server that asks for a token; one of the pictures is lost."""
    page = visit(server.page, expected={410}, **options)
    expect(page.get_by_role("status")).to_have_text(f"{MANY:,} pictures")  # buttons work from here
    return page


@pytest.mark.parametrize(
    ("column", "label", "value", "found"),
    [
        ("note", "contains", "Number 17:", 1),
        ("stars", "from", "10", REAL - 40),
        ("stars", "to", "0.5", 3),
        ("taken", "from", "2024-02-01", REAL - 31),
        ("taken", "to", "2024-01-03", 3),
    ],
)
def test_filters_with_fields(
    photos: Server, visit: Visit, column: str, label: str, value: str, found: int
) -> None:
    page = signed_in(visit, photos)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("group", name=column, exact=True).get_by_label(label).fill(value)
    expected = f"{found} picture{'' if found == 1 else 's'}"
    expect(page.get_by_role("status")).to_have_text(expected)


def test_filters_with_boxes(photos: Server, visit: Visit) -> None:
    page = signed_in(visit, photos)
    page.get_by_role("button", name="Filters").click()
    status = page.get_by_role("status")
    page.get_by_label('it\'s "home"').check()
    expect(status).to_have_text("20 pictures")
    page.get_by_label("winter").check()
    expect(status).to_have_text("40 pictures")
    page.get_by_role("group", name="favourite").get_by_label("true").check()
    expect(status).to_have_text("20 pictures")
    expect(page.get_by_role("button", name="Filters 2")).to_be_visible()
    page.get_by_text("14 more").click()
    page.get_by_label("place 19").check()
    expect(status).to_have_text("0 pictures")
    expect(page.get_by_role("heading", name="No picture fits")).to_be_visible()
    page.get_by_role("button", name="Clear all").click()
    expect(status).to_have_text(f"{MANY:,} pictures")


def test_a_condition_is_written_by_hand(photos: Server, visit: Visit) -> None:
    page = signed_in(visit, photos)
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("Condition").click()
    page.get_by_label("in SQL").fill("stars BETWEEN 1 AND 2 AND favourite")
    expect(page.get_by_role("status")).to_have_text("3 pictures")
    page.watch.expected |= {400}
    page.get_by_label("in SQL").fill("stars BETWEEN 1")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    page.get_by_label("in SQL").fill("stars = 1")
    expect(page.get_by_role("status")).to_have_text("1 picture")


def test_the_viewer_shows_one_picture(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?q=a+clock")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    first(page).click()
    viewer = page.get_by_role("dialog", name="Picture")
    place = viewer.get_by_role("status")
    expect(place).to_have_text(re.compile(r"^1 of 396, score 0\.\d{3}$"))
    expect(viewer.locator("img")).to_have_js_property("naturalWidth", 64)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(re.compile("^3 of 396"))
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(re.compile("^2 of 396"))
    viewer.get_by_role("button", name="Previous picture").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(re.compile("^2 of 396"))
    viewer.get_by_role("button", name="Copy path").click()
    expect(viewer.get_by_role("button", name="Copied")).to_be_visible()
    path = viewer.get_by_role("row", name="path").get_by_role("cell").inner_text()
    assert Path(path).is_file()
    assert page.evaluate("navigator.clipboard.readText()") == path
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.locator("#grid li[aria-posinset='2'] .open")).to_be_focused()


def test_the_viewer_leads_on(demo: Server, visit: Visit) -> None:
    page = visit(f"{demo.url}?q=a+clock")
    expect(first(page)).to_have_accessible_name(re.compile("clock"))
    first(page).click()
    page.keyboard.press("s")
    expect(first(page)).to_have_accessible_name(re.compile(r"score 1\.00"))
    first(page).click()
    page.get_by_role("button", name="Less like this").click()
    expect(page.locator("#chips li.negative")).to_have_count(1)


def test_suggestions_are_searched_for(demo: Server, visit: Visit) -> None:
    page = visit(demo.url)
    page.get_by_role("button", name="a musical instrument").click()
    expect(page.get_by_role("searchbox", name="Describe a picture")).to_have_value(
        "a musical instrument"
    )
    expect(first(page)).to_have_accessible_name(re.compile(r"score 0\.\d\d"))


def test_odd_names_are_only_names(photos: Server, visit: Visit) -> None:
    page = signed_in(visit, photos)
    expect(first(page)).to_have_accessible_name("שלום עולם.png")
    second = page.locator("#grid li[aria-posinset='2'] .open")
    expect(second).to_have_accessible_name("🦊 & <b>fox<b>.png")
    second.click()
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.get_by_role("heading")).to_have_text("🦊 & <b>fox<b>.png")
    expect(viewer.locator("img")).to_have_js_property("naturalWidth", 64)
