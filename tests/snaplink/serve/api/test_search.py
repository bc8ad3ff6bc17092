"""Search over HTTP: by words, pictures and rows, page by page, and what is said of mistakes."""

from __future__ import annotations

import json

import pytest

from snaplink.store import Store

from .conftest import NAMES, WORDS, data_url


def text(words: str, **others) -> dict:
    return {"text": words, **others}


def test_words_find_their_row_with_all_that_is_known_of_it(shown):
    answer = shown.found(text("green"), top=3)
    first = answer["data"][0]
    snapshot = Store.open(shown.store).snapshot
    assert answer["store"] == {"rows": 11, "snapshot": snapshot}
    assert (answer["object"], answer["model"], answer["offset"]) == ("list", "fake", 0)
    assert (answer["total"], answer["more"], len(answer["data"])) == (11, True, 3)
    assert answer["took_ms"] > 0
    assert first["score"] == pytest.approx(1, abs=1e-3)
    assert {**first, "score": 1.0} == {
        "id": f"{snapshot}-9",
        "position": 9,
        "key": "green.png",
        "source": str(shown.folder / "green.png"),
        "score": 1.0,
        "width": 109,
        "height": 50,
        "caption": None,
        "metadata": {"set": "b", "score": 0.5},
        "thumbnail": f"/v1/pictures/{snapshot}-9/thumbnail",
        "picture": f"/v1/pictures/{snapshot}-9",
    }
    scores = [hit["score"] for hit in answer["data"]]
    assert scores == sorted(scores, reverse=True)


def test_a_picture_finds_itself_as_data_url_and_as_base64(shown):
    for name in ("owl", "cat"):
        url = data_url((shown.folder / f"{name}.png").read_bytes())
        assert shown.keys({"image": url}, top=1) == [f"{name}.png"]
        assert shown.keys({"image": url.partition(",")[2]}, top=1) == [f"{name}.png"]


def test_a_row_finds_what_is_like_it(shown):
    name = shown.found(text("blue"), top=1)["data"][0]["id"]
    assert shown.keys({"id": name}, top=1) == ["blue.png"]
    answer = shown.client.get("/v1/search", params={"like": name, "top": 1})
    assert answer.json()["data"][0]["key"] == "blue.png"


def test_several_with_weights_and_what_is_not_wanted(shown):
    owl = {"image": data_url((shown.folder / "owl.png").read_bytes())}
    assert shown.keys(text("red"), {**owl, "weight": 3}, top=1) == ["owl.png"]
    assert shown.keys(text("red", weight=3), owl, top=1) == ["red.png"]
    assert shown.keys(text("red"), {**owl, "weight": -1})[-1] == "owl.png"
    assert shown.keys(text("red", weight=-1))[-1] == "red.png"
    asked = {"q": ["red", "green"], "not": "blue"}
    by_address = shown.client.get("/v1/search", params=asked).json()["data"]
    by_body = shown.found(text("red"), text("green"), text("blue", weight=-1))["data"]
    assert by_address == by_body


def test_conditions_thresholds_and_near_duplicates(shown):
    assert shown.keys(text("red"), where="caption is null and width > 108", top=5) != []
    assert set(shown.keys(text("red"), where="caption is null")) == {f"{w}.png" for w in WORDS}
    assert shown.keys(text("red"), where="  ") == shown.keys(text("red"))
    assert shown.keys(text("red"), threshold=0.99) == ["red.png"]
    assert shown.keys(text("red"), threshold=1) in ([], ["red.png"])
    assert len(shown.keys(text("red"), dedupe=True)) == 11
    found = shown.found(text("red"), where="caption ilike '%CAT%'")
    assert (found["total"], found["data"][0]["key"]) == (1, "cat.png")


def test_pages_join(shown):
    whole = shown.keys(text("red"))
    pages = [shown.found(text("red"), top=4, offset=offset) for offset in (0, 4, 8, 12)]
    assert [hit["key"] for page in pages for hit in page["data"]] == whole
    assert [page["more"] for page in pages] == [True, True, False, False]
    snapshot = pages[0]["store"]["snapshot"]
    assert shown.keys(text("red"), snapshot=snapshot, top=4, offset=4) == whole[4:8]
    error = shown.problem(text("red"), snapshot="0123456789abcdef", status=410)
    assert error["code"] == "store_changed"


def test_without_a_query_the_store_is_looked_through_in_its_order(shown):
    answer = shown.found(top=3, offset=1)
    assert [hit["key"] for hit in answer["data"]] == [f"{name}.png" for name in NAMES[1:4]]
    assert {hit["score"] for hit in answer["data"]} == {None}
    assert (answer["total"], answer["more"]) == (11, True)
    assert shown.found(where="set = 'b'", top=50)["total"] == 5
    assert shown.client.get("/v1/search").json()["total"] == 11
    assert shown.found(offset=10**9)["data"] == []


def test_numbers_that_json_does_not_know_are_left_out(shown):
    answer = shown.client.post("/v1/search", json={"query": [], "top": 1})
    json.loads(answer.text, parse_constant=pytest.fail)
    assert answer.json()["data"][0]["metadata"] == {"set": "a", "score": None}


@pytest.mark.parametrize(
    ("asked", "status", "param", "said"),
    [
        ({"query": [{}]}, 422, "query[0]", "one of text, image and id"),
        ({"query": [{"text": "a", "id": "b-1"}]}, 422, "query[0]", "one of text, image and id"),
        ({"query": [{"text": " "}]}, 400, "query[0]", "empty"),
        ({"query": [{"text": "a", "weight": 0}]}, 400, "query[0]", "above or below 0"),
        ({"query": [{"text": "a", "weight": 1e9}]}, 422, "query[0].weight", ""),
        ({"query": [{"text": "a"}] * 33}, 422, "query", ""),
        ({"query": [{"text": "a" * 20_000}]}, 400, "query[0]", "characters"),
        ({"query": [{"text": "a"}, {"text": "a", "weight": -1}]}, 400, "query", "cancel out"),
        ({"query": [{"image": "http://example.org/a.png"}]}, 400, "query[0]", "--fetch-urls"),
        ({"query": [{"image": "file:///etc/passwd"}]}, 400, "query[0]", "no other address"),
        ({"query": [{"image": "/etc/passwd"}]}, 400, "query[0]", "base64"),
        ({"query": [{"image": "AAAA"}]}, 415, "query[0]", "no picture"),
        ({"query": [{"id": "../../x"}]}, 404, "id", "no id of a row"),
        ({"query": [{"id": "0123456789abcdef-1"}]}, 410, None, "search again"),
        ({"query": [{"text": "a"}], "modality": "text"}, 400, "modality", "no text vectors"),
        ({"query": [], "modality": "text"}, 400, "modality", "no text vectors"),
        ({"query": [], "modality": "sound"}, 422, "modality", ""),
        ({"query": [{"text": "a"}], "where": "widht > 3"}, 400, "where", "The columns are"),
        ({"query": [], "where": "(select 1) > 0"}, 400, "where", "subquery"),
        ({"query": [], "where": "x" * 4001}, 422, "where", ""),
        ({"query": [], "top": 0}, 422, "top", ""),
        ({"query": [], "top": 1001}, 422, "top", ""),
        ({"query": [], "offset": -1}, 422, "offset", ""),
        ({"query": [], "threshold": 2}, 422, "threshold", ""),
        ({"query": [], "model": "ViT-B/32"}, 404, "model", "not served here"),
        ({"query": [], "sort": "key"}, 422, "sort", "no such field"),
        ([], 422, None, ""),
    ],
)
def test_mistakes_are_told_with_their_place(shown, asked, status, param, said):
    answer = shown.client.post("/v1/search", json=asked)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error
    assert said in error["message"]


def test_by_an_address_mistakes_are_told_too(shown):
    for asked, param in (({"q": " "}, "q"), ({"not": ""}, "not"), ({"top": "x"}, "top")):
        answer = shown.client.get("/v1/search", params=asked)
        assert answer.status_code in (400, 422)
        assert answer.json()["error"]["param"] == param
