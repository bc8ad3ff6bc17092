"""Classifying: pictures, labels, and bars that follow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Visit, transfer
from .servers import Server


@pytest.fixture
def page(demo: Server, visit: Visit) -> Page:
    """The view, with its two examples judged."""
    page = visit(f"{demo.url}?view=classify")
    for name in ("guitar", "winking face"):
        expect(card(page, name).get_by_role("heading")).to_have_text(re.compile("%"))
    expect(page.get_by_role("status")).to_have_text("2 pictures, 6 labels")
    return page


def card(page: Page, name: str) -> Locator:
    """A picture and its bars."""
    return page.get_by_role("article").filter(has=page.get_by_text(name, exact=True))


def drop(page: Page, *paths: Path) -> None:
    page.dispatch_event("#content", "drop", {"dataTransfer": transfer(page, *paths)})


def shares(of: Locator) -> dict[str, str]:
    """What the bars say, by label, the best first."""
    lines = of.locator(".bars li").all_inner_texts()
    return dict(line.split("\n") for line in lines)


@pytest.mark.parametrize("look", ["light", "phone"])
def test_the_first_visit_has_something_to_see(demo: Server, visit: Visit, look: str) -> None:
    page = visit(demo.url, look)
    page.get_by_role("link", name="Classify").click()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(card(page, "guitar").get_by_role("heading")).to_have_text(
        re.compile(r"^musical instrument, \d+ %$")
    )
    expect(page).to_have_title("Classify · snaplink")


def test_bars_move_while_labels_are_typed(page: Page) -> None:
    judged = card(page, "guitar")
    page.get_by_role("textbox", name="Labels").press_sequentially("guitar")
    expect(judged.locator(".bars li").nth(1)).to_have_text(re.compile(r"^guitar\d\d %"))
    page.get_by_role("textbox", name="Labels").press("Enter")
    expect(page.get_by_role("status")).to_have_text("2 pictures, 7 labels")
    page.get_by_role("button", name="Remove guitar").first.click()
    expect(judged.get_by_role("heading")).to_have_text(re.compile("^musical instrument"))


def test_labels_end_with_a_comma_and_go_with_backspace(page: Page) -> None:
    field = page.get_by_role("textbox", name="Labels")
    field.press_sequentially("cat, Dog, CAT, ")
    chips = page.get_by_role("list", name="Labels").get_by_role("listitem")
    expect(chips.nth(-2)).to_have_text("cat")
    expect(chips.nth(-1)).to_have_text("Dog")
    field.press("Backspace")
    expect(field).to_have_value("")
    field.press("Backspace")
    expect(chips.nth(-1)).to_have_text("cat")


def test_shares_add_up(page: Page) -> None:
    judged = card(page, "guitar")
    judged.get_by_role("button", name="Show all 6").click()
    expect(judged.locator(".bars li")).to_have_count(6)
    total = sum(float(share.removesuffix(" %")) for share in shares(judged).values())
    assert total == pytest.approx(100, abs=0.6)
    judged.get_by_role("button", name="Show fewer").click()
    expect(judged.locator(".bars li")).to_have_count(5)


def test_pictures_are_dropped_and_taken_away(page: Page, drawing: Path) -> None:
    drop(page, drawing)
    expect(page.get_by_role("status")).to_have_text("3 pictures, 6 labels")
    mine = card(page, "my guitar.png")
    expect(mine.get_by_role("heading")).to_have_text(re.compile("^musical instrument"))
    mine.get_by_role("button", name="Remove my guitar.png").click()
    expect(page.get_by_role("article")).to_have_count(2)


def test_pictures_are_chosen(page: Page, drawing: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files([drawing])
    expect(card(page, "my guitar.png").get_by_role("heading")).to_have_text(
        re.compile("^musical instrument")
    )


def test_what_is_no_picture_is_refused_on_its_card(page: Page, tmp_path: Path) -> None:
    page.watch.expected |= {400, 415, 422}
    path = tmp_path / "not.png"
    path.write_text("no picture at all", encoding="utf-8")
    drop(page, path)
    expect(card(page, "not.png").get_by_role("heading")).to_have_text(re.compile("picture"))
    expect(card(page, "guitar").get_by_role("heading")).to_have_text(re.compile("instrument"))


def test_files_of_other_kinds_are_named(page: Page, drawing: Path, paper: Path) -> None:
    drop(page, drawing, paper)
    expect(card(page, "my guitar.png").get_by_role("heading")).to_have_text(
        re.compile("^musical instrument")
    )
    expect(page.get_by_role("status")).to_have_text(
        "notes.pdf is no picture: give a JPEG, PNG, WebP …"
    )
    expect(page.get_by_role("article")).to_have_count(3)


def test_templates_are_the_sentences(page: Page) -> None:
    bars = card(page, "guitar").locator(".bars")
    before = bars.inner_text()
    page.get_by_text("Advanced").click()
    with page.expect_request("**/v1/embeddings") as asked:
        page.get_by_label("Templates").fill("a blurry drawing of {}")
    assert "a blurry drawing of clock" in asked.value.post_data_json["input"]
    expect(bars).not_to_have_text(before, use_inner_text=True)
    expect(page.get_by_role("status")).to_have_text("2 pictures, 6 labels")


def test_one_label_is_too_few(page: Page) -> None:
    chips = page.get_by_role("list", name="Labels").get_by_role("button")
    for _ in range(5):
        chips.first.click()
    expect(page.get_by_role("status")).to_have_text("At least two labels are needed.")
    page.get_by_role("textbox", name="Labels").fill("guitar")
    expect(page.get_by_role("status")).to_have_text("2 pictures, 2 labels")


def test_a_store_of_ones_own_lends_its_pictures(photos: Server, visit: Visit) -> None:
    page = visit(photos.page, expected={410})
    page.get_by_role("link", name="Classify").click()
    expect(page.get_by_role("status")).to_have_text("No picture yet.")
    page.get_by_role("button", name="Try 🦊 & <b>fox<b>.png").click()
    expect(page.get_by_role("status")).to_have_text("At least two labels are needed.")
    page.get_by_role("textbox", name="Labels").fill("a person, a car")
    expect(page.get_by_role("status")).to_have_text("1 picture, 2 labels")
