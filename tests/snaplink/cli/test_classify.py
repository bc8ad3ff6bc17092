"""`snaplink classify`: what it prints, what it skips, and what it says of mistakes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from snaplink.cli import snaplink
from snaplink.cli.exits import run
from snaplink.cli.predictions import WRITERS
from snaplink.fake_encoder import FakeEncoder
from snaplink.zero_shot import Prediction, Score

PREDICTIONS = [
    Prediction("cat.png", (Score("cat", 0.9312), Score("red apple", 0.0666), Score("犬", 0.0022))),
    Prediction("two\x1b[2J.png", (Score("犬", 0.5), Score("cat", 0.25), Score("red apple", 0.25))),
]


def written(form: str, top: int, capsys: pytest.CaptureFixture[str]) -> str:
    WRITERS[form](PREDICTIONS, top)
    return capsys.readouterr().out


def test_text_is_a_block_a_picture_with_bars(capsys):
    assert written("text", 5, capsys) == (
        "cat.png\n"
        "  cat         93.1%  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸\n"
        "  red apple    6.7%  ━━╸\n"
        "  犬           0.2%\n"
        "\n"
        "two\\x1b[2J.png\n"
        "  犬          50.0%  ━━━━━━━━━━━━━━━━━━╸\n"
        "  cat         25.0%  ━━━━━━━━━\n"
        "  red apple   25.0%  ━━━━━━━━━\n"
    )


def test_text_is_a_line_a_picture_for_one_label(capsys):
    assert written("text", 1, capsys) == (
        "  cat         93.1%  ━━━━━━━╸  cat.png\n  犬          50.0%  ━━━━      two\\x1b[2J.png\n"
    )


def test_a_long_label_is_cut_to_fit(capsys):
    scores = (Score("a label " * 20, 0.75), Score("cat", 0.25))
    WRITERS["text"]([Prediction("p.png", scores)], 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  a label a label a label a label…   75.0%  ━━━━")
    assert all(len(line) <= 60 for line in lines)


def test_json_is_an_array_and_jsonl_a_row_a_line(capsys):
    expected = [
        {
            "picture": each.picture,
            "scores": [{"label": s.label, "score": s.score} for s in each.scores[:2]],
        }
        for each in PREDICTIONS
    ]
    assert json.loads(written("json", 2, capsys)) == expected
    assert [json.loads(line) for line in written("jsonl", 2, capsys).splitlines()] == expected


def test_csv_has_a_row_a_label(capsys):
    rows = list(csv.reader(io.StringIO(written("csv", 2, capsys))))
    assert rows == [
        ["picture", "label", "score"],
        ["cat.png", "cat", "0.931200"],
        ["cat.png", "red apple", "0.066600"],
        ["two\x1b[2J.png", "犬", "0.500000"],
        ["two\x1b[2J.png", "cat", "0.250000"],
    ]


def rows(text: str) -> list[str]:
    return [Path(json.loads(line)["picture"]).name for line in text.splitlines()]


def test_folders_patterns_and_files_in_their_order(typed, fake, pictures):
    ended = typed(
        "classify", "pictures", "pictures/b*.png", "pictures/red.png", "--labels", "a,b",
        "--format", "jsonl",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.err == ""
    assert rows(ended.out) == ["blue.png", "red.png", "grün.png", "blue.png", "red.png"]


def test_labels_are_split_as_csv_is(typed, fake, pictures):
    given = 'cat, red apple,"salt, pepper"\n5" nail'
    ended = typed("classify", "pictures/red.png", "--labels", given, "--format", "json")
    (row,) = json.loads(ended.out)
    labels = {score["label"] for score in row["scores"]}
    assert labels == {"cat", "red apple", "salt, pepper", '5" nail'}


def test_labels_from_a_file_join_those_typed(typed, fake, pictures):
    Path("names.txt").write_text("\ufeffcat\r\n\r\nred, apple\n", encoding="utf-8")
    ended = typed(
        "classify", "pictures/red.png", "--labels-file", "names.txt", "--labels", "x",
        "--format", "json",
    )  # fmt: skip
    labels = {score["label"] for score in json.loads(ended.out)[0]["scores"]}
    assert labels == {"cat", "red, apple", "x"}


def test_labels_in_another_encoding_are_wrong_usage(typed, pictures):
    Path("names.txt").write_bytes("grün\nrot\n".encode("latin-1"))
    ended = typed("classify", "pictures", "--labels-file", "names.txt")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("snaplink: names.txt is not text in UTF-8: save it as such")
    assert ended.err.count("\n") == 1


def test_templates_reach_the_model(typed, fake, pictures):
    seen = []
    fake._texts = lambda texts, truncate: (
        seen.extend(texts) or FakeEncoder()._texts(texts, truncate)
    )
    templates = ("--template", "my {}", "--template", "{c}!")
    assert typed("classify", "pictures/red.png", "--labels", "a,b", *templates).code == 0
    assert seen == ["my a", "a!", "my b", "b!"]


def test_bad_pictures_are_skipped_and_the_exit_code_says_so(typed, fake, pictures):
    (pictures / "cut.png").write_bytes((pictures / "red.png").read_bytes()[:50])
    (pictures / "none.jpg").write_bytes(b"")
    ended = typed("classify", "pictures", "--labels", "a,b", "--format", "jsonl")
    assert ended.code == 1
    assert rows(ended.out) == ["blue.png", "red.png", "grün.png"]
    skipped = ended.err.splitlines()
    assert len(skipped) == 2
    assert skipped[0].startswith(f"snaplink: skipped {Path('pictures/cut.png')}: cannot be decoded")
    assert skipped[1] == f"snaplink: skipped {Path('pictures/none.jpg')}: an empty file"


def test_a_folder_without_pictures_is_a_failure(typed, fake):
    Path("empty").mkdir()
    ended = typed("classify", "empty", "--labels", "a,b", "--format", "json")
    assert (ended.code, json.loads(ended.out)) == (1, [])
    assert ended.err == "snaplink: skipped empty: no picture in this folder\n"


def test_an_empty_list_is_a_failure(typed, fake, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    ended = typed("classify", "-", "--labels", "a,b", "--json")
    assert (ended.code, ended.out) == (1, "[]\n")
    assert ended.err == "snaplink: there is no picture on standard input\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_pass_unchanged(fake, pictures, capfdbinary):
    name = os.fsdecode(b"p\xff.png")
    (pictures / "red.png").rename(name)
    for form, expected in (
        ("csv", b"p\xff.png,"),
        ("jsonl", b'"p\xff.png"'),
        ("text", b"p\\udcff"),
    ):
        assert run(snaplink, ["classify", name, "--labels", "a,b", "--format", form]) == 0
        assert expected in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("classify", "Missing argument 'PICTURES...' (see snaplink classify --help)"),
        (
            "classify red.png --labels a,b",
            "there is no file or folder 'red.png' (see snaplink classify --help)",
        ),
        (
            "classify pictures",
            "give the labels to choose from, such as --labels cat,dog (see snaplink classify",
        ),
        (
            "classify pictures --labels cat",
            "'cat' is the only label, so every picture would get it: give at least two",
        ),
        ("classify pictures --labels cat,,dog", "label 2 of 3 is empty"),
        (
            "classify pictures --labels cat,Cat",
            "the label 'Cat' is given twice (capitals do not count)",
        ),
        (
            "classify pictures --labels cat,dog --template photo",
            "the template 'photo' has no {} where the label goes",
        ),
        (
            "classify pictures --labels cat,dog --device abacus",
            "the device 'abacus' cannot be used: ",
        ),
        (
            "classify pictures --labels cat,dog --top 0",
            "Invalid value for '--top': 0 is not in the range x>=1",
        ),
        ("classify pictures --labels cat,dog --labels-file no.txt", "'no.txt': No such file"),
        ('classify pictures --labels "cat', "'\"cat' is not a list of labels: unexpected end"),
        ("clasify pictures", "No such command 'clasify'"),
    ],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(typed, pictures, arguments, message):
    ended = typed(*arguments.split(" "))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("snaplink: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_an_unknown_model_is_a_failure(typed, pictures):
    ended = typed("classify", "pictures", "--labels", "a,b", "--model", "ViT-B/33")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("snaplink: Model ViT-B/33 not found; available models = ['RN50'")
    assert ended.err.count("\n") == 1


def test_the_built_in_model_owns_up_to_photographs(typed, fake, pictures):
    assert typed("classify", "pictures", "--labels", "a,b").err == ""
    Image.effect_noise((64, 64), 60).convert("RGB").save("photo.jpg")
    ended = typed("classify", "photo.jpg", "--labels", "a,b")
    assert ended.code == 0
    assert ended.err.startswith("snaplink: tiny, the built-in model, knows drawings and icons but")
    other = typed("classify", "photo.jpg", "--labels", "a,b", "--model", "RN50")
    assert other.err == ""


def test_a_list_on_standard_input_as_a_user_types_it(started, pictures):
    ended = started(
        "classify", "-", "--labels", "a red square,a blue square", "--format", "csv", "--top", "1",
        stdin=f"{pictures / 'red.png'}\n\n{pictures / 'more' / 'grün.png'}\r\nmissing.png\n",
    )  # fmt: skip
    assert ended.err == "snaplink: skipped missing.png: no such file\n"
    assert ended.code == 1
    names = [row[0] for row in csv.reader(io.StringIO(ended.out))]
    assert names == ["picture", str(pictures / "red.png"), str(pictures / "more" / "grün.png")]


@pytest.mark.skipif(os.name == "nt", reason="signals and pipes are POSIX's")
def test_an_interrupt_and_a_reader_that_leaves_are_no_tracebacks(pictures):
    many = f"{pictures / 'red.png'}\n" * 3000

    with streaming() as process:
        process.stdin.write(many[: len(many) // 10])
        process.stdin.flush()
        process.stdout.readline()  # by now it is at work
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (130, "snaplink: interrupted")

    with streaming() as process:
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.write(many)
            process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def streaming() -> subprocess.Popen[str]:
    """A command that classifies what comes on its standard input."""
    words = ["classify", "-", "--labels", "a,b", "--format", "jsonl"]
    return subprocess.Popen(
        [sys.executable, "-m", "snaplink", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # A shell starts background jobs with interrupts ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
