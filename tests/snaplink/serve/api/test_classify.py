"""Classification equals `ZeroShotClassifier`'s, by JSON and by forms."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from snaplink import ZeroShotClassifier

EXAMPLES = Path(__file__).parents[4] / "examples"
LABELS = ["owl", "cat", "a fire engine"]
NAMES = ["owl.png", "cat.png", "fire-engine.png"]


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [(EXAMPLES / name).read_bytes() for name in NAMES]


def encoded(files: list[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in files]


def ask(client, files, labels=LABELS, **further):
    body = {"pictures": encoded(files), "labels": labels, **further}
    return client.post("/v1/classify", json=body)


def form(client, files, data: dict, names=NAMES):
    parts = [("pictures", (name, each)) for name, each in zip(names, files, strict=False)]
    return client.post("/v1/classify", files=parts, data=data)


def scores(answer) -> list[dict[str, float]]:
    assert answer.status_code == 200, answer.text
    return [
        {each["label"]: each["score"] for each in row["scores"]} for row in answer.json()["data"]
    ]


def refused(answer, status: int) -> dict:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


@pytest.mark.parametrize("templates", [None, ["{}"], ["a photo of a {}.", "a drawing of {}"]])
def test_the_classifiers_own_values(client, tiny, files, templates):
    options = {} if templates is None else {"templates": templates}
    classifier = ZeroShotClassifier(tiny, LABELS, upright=True, **options)
    expected = [
        {score.label: score.score for score in prediction.scores}
        for prediction in map(classifier, [EXAMPLES / name for name in NAMES])
    ]
    for answer in (
        ask(client, files, **options),
        form(client, files, {"labels": LABELS, **options}),
    ):
        found = scores(answer)
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, abs=1e-5)
            assert list(one) == list(other)  # the best first
            assert sum(one.values()) == pytest.approx(1, abs=1e-5)


def test_the_form_of_the_answer(client, files):
    said = ask(client, files, model="tiny").json()
    assert (said["object"], said["model"]) == ("list", "tiny")
    assert [(row["index"], row["name"]) for row in said["data"]] == [
        (0, None),
        (1, None),
        (2, None),
    ]
    named = form(client, files, {"labels": LABELS, "model": "tiny"}).json()
    assert [row["name"] for row in named["data"]] == NAMES
    quoted = form(client, files[:1], {"labels": ['"a\\" ☃', "b"]}, names=["../x/☃ q.png"]).json()
    assert quoted["data"][0]["name"] == "☃ q.png"
    assert {each["label"] for each in quoted["data"][0]["scores"]} == {'"a\\" ☃', "b"}


def test_only_the_best(client, files):
    everything = scores(ask(client, files))
    for answer in (ask(client, files, top=1), form(client, files, {"labels": LABELS, "top": "1"})):
        for row, best in zip(everything, scores(answer), strict=True):
            label, score = next(iter(row.items()))
            assert best == {label: pytest.approx(score, abs=1e-5)}
    assert [list(row) for row in scores(ask(client, files, top=100))] == list(map(list, everything))


@pytest.mark.parametrize(
    ("further", "status", "param", "message"),
    [
        ({"labels": ["a"]}, 422, "labels", "at least 2"),
        ({"labels": []}, 422, "labels", "at least 2"),
        ({"labels": "a,b"}, 422, "labels", "list"),
        ({"labels": ["a", "a"]}, 400, None, "'a'"),
        ({"labels": ["a", ""]}, 400, "labels[1]", "empty"),
        ({"labels": [f"{n}" for n in range(21)]}, 413, "labels", "20 are accepted"),
        ({"labels": ["a", "b " * 200]}, 400, None, "token"),
        ({"labels": ["a", 5]}, 422, "labels[1]", "a text"),
        ({"templates": ["no place"]}, 400, None, "{}"),
        ({"templates": []}, 400, None, "template"),
        ({"templates": ["{}"] * 5}, 413, "templates", "4 are accepted"),
        ({"templates": ["{}", "{} {c} {} {} {}"]}, 400, "templates[1]", "4 places"),
        ({"labels": ["a", "9" * 801]}, 400, "labels[1]", "800 digits"),
        ({"top": 0}, 422, "top", "at least 1"),
        ({"top": "2"}, 422, "top", "whole number"),
        ({"model": "other"}, 404, "model", "'tiny' is"),
        ({"what": 1}, 422, "what", "no such field"),
        ({"pictures": []}, 422, "pictures", "at least 1"),
        ({"pictures": ["AAAA"] * 9}, 413, "pictures", "8 are accepted"),
        ({"pictures": ["http://127.0.0.1/a.png"]}, 400, "pictures[0]", "--fetch-urls"),
        ({"pictures": ["AAAA"]}, 415, "pictures[0]", "no picture"),
        ({"pictures": ["ß"]}, 400, "pictures[0]", "base64"),
    ],
)
def test_what_is_refused_and_why(client, owl, further, status, param, message):
    body = {"pictures": encoded([owl]), "labels": LABELS, **further}
    error = refused(client.post("/v1/classify", json=body), status)
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (
            {"labels": ["a", "red " * 200]},
            f"'a photo of a {'red ' * 11}red…' has 207 tokens, start and end included, and the "
            "model reads 77: shorten it",
        ),
        ({"labels": ["red " * 200] * 2}, f"the label '{'red ' * 15}…' is given twice"),
        ({"templates": ["red " * 200]}, f"the template '{'red ' * 15}…' has no {{}}"),
    ],
)
def test_long_texts_are_known_by_their_beginning(client, owl, further, said):
    body = {"pictures": encoded([owl]), "labels": LABELS, **further}
    assert refused(client.post("/v1/classify", json=body), 400)["message"].startswith(said)


def test_the_picture_that_cannot_be_used_is_named(client, files):
    broken = [files[0], files[1][:1000], files[2]]
    for answer in (ask(client, broken), form(client, broken, {"labels": LABELS})):
        error = refused(answer, 422)
        assert error["param"] == "pictures[1]"
    text = [files[0], b"hello"]
    for answer in (ask(client, text), form(client, text, {"labels": LABELS})):
        assert refused(answer, 415)["param"] == "pictures[1]"


def test_forms_that_are_refused(client, files):
    labels = {"labels": LABELS}
    assert refused(form(client, files, {**labels, "other": "x"}), 422)["param"] == "other"
    assert refused(form(client, files, {**labels, "top": "many"}), 422)["param"] == "top"
    assert refused(form(client, files, {**labels, "top": ["1", "2"]}), 422)["param"] == "top"
    assert refused(form(client, files, {"labels": ["a"]}), 422)["param"] == "labels"
    assert (
        refused(form(client, [files[0]] * 9, labels, names=["a"] * 9), 413)["param"] == "pictures"
    )
    assert refused(form(client, [b"a" * 200_001], labels), 413)["param"] == "pictures[0]"
    empty = client.post("/v1/classify", files=[("labels", (None, "a")), ("labels", (None, "b"))])
    assert refused(empty, 422)["param"] == "pictures"
    text = client.post("/v1/classify", content=b"x", headers={"Content-Type": "text/plain"})
    assert "multipart/form-data" in refused(text, 415)["message"]


def test_what_the_sender_calls_a_picture_does_not_count(client):
    file = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(file, "PNG")
    parts = [("pictures", ("letter.pdf", file.getvalue(), "application/pdf"))]
    assert client.post("/v1/classify", files=parts, data={"labels": LABELS}).status_code == 200


def test_all_labels_are_so_long_at_most(client, owl, monkeypatch):
    monkeypatch.setattr("snaplink.serve.inputs._ALL_TEXTS", 100)
    assert ask(client, [owl], labels=["a " * 20, "b " * 20]).status_code == 200
    error = refused(ask(client, [owl], labels=["a " * 30, "b " * 30]), 413)
    assert (error["param"], error["code"]) == ("labels", "too_much_text")
