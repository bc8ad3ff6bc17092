"""`snaplink probe`, `fewshot`, `calibrate` and `classify --head`, as they are typed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from snaplink.head import Head

DIGITS = ("0", "1", "4")


@pytest.fixture
def digits(a_house_of_its_own: Path) -> Path:
    """Class folders digits/train with 24 and digits/test with 8 pictures of three digits each."""
    data = load_digits()
    for digit in DIGITS:
        places = (data.target == int(digit)).nonzero()[0]
        for count, place in enumerate(places[-32:]):
            folder = a_house_of_its_own / "digits" / ("train" if count < 24 else "test") / digit
            folder.mkdir(parents=True, exist_ok=True)
            grey = Image.fromarray((255 - data.images[place] * 15).astype(np.uint8))
            grey.resize((64, 64)).save(folder / f"{count:02}.png")
    return a_house_of_its_own / "digits"


@pytest.fixture
def head(typed: Callable, digits: Path) -> Path:
    """What a probe of the digits has kept."""
    ended = typed("probe", "digits/train", "digits/test", "--head", "head.safetensors", "--sweep",
                  "readme")  # fmt: skip
    assert ended.code == 0, ended.err
    return Path("head.safetensors")


def test_probe_learns_keeps_a_head_and_classify_uses_it(started, digits):
    ended = started("probe", "digits/train", "digits/test", "--head", "d.safetensors")
    assert ended.code == 0, ended.err
    assert "top-1 accuracy  " in ended.out
    assert "embedding, 128 wide" in ended.out
    assert "scikit-learn's C = " in ended.out
    assert "wrote d.safetensors" in ended.err
    ended = started("classify", "digits/test/4", "--head", "d.safetensors", "--format", "csv",
                    "--top", "1")  # fmt: skip
    assert ended.code == 0, ended.err
    labels = [row["label"] for row in csv.DictReader(ended.out.splitlines())]
    assert labels.count("4") >= 7


def test_probe_says_everything_in_json(typed, digits):
    ended = typed("probe", "digits", "digits", "--json", "--output", "probe.json",
                  "--features", "pre-projection")  # fmt: skip
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert result == json.loads(Path("probe.json").read_text(encoding="utf-8"))
    assert result["task"] == "linear_probe"
    assert result["metrics"]["lp_acc1"] > 0.9
    assert result["metrics"]["lp_acc5"] is None
    about = result["about"]
    assert about["features"] == "pre-projection"
    assert (about["train_pictures"], about["test_pictures"]) == (72, 24)
    assert 7 < len(about["sweep"]) <= 15  # fewer where the peak is at an end
    assert about["recipe"]["C"] == pytest.approx(1 / about["recipe"]["lambda"])
    assert about["command"].startswith("snaplink probe digits digits --json")


def test_probe_writes_the_report_of_an_evaluation_and_compares_with_one(started, typed, digits):
    other = sorted((digits / "test" / "1").iterdir())[0]
    other.rename(digits / "test" / "4" / "a one.png")  # a sure mistake
    command = ("probe", "digits/train", "digits/test", "--seed", "3")
    ended = started(*command, "--report", "p.html", "--plots", "plots", "--output", "p.json")
    assert ended.code == 0, ended.err
    assert "wrote p.html" in ended.err
    page = Path("p.html").read_text(encoding="utf-8")
    head, _, protocol = page.partition("<h2>Protocol</h2>")
    result = json.loads(Path("p.json").read_text(encoding="utf-8"))
    accuracy = f"{100 * result['metrics']['lp_acc1']:.1f}\N{NO-BREAK SPACE}%"
    assert f"<dt>top-1 accuracy</dt><dd>{accuracy}<small>" in head
    assert "24 pictures · 3 classes, linear probe" in head
    assert "zero-shot" not in page
    assert 'alt="4/a one.png"' in head
    assert head.count("data:image/webp") >= 1
    assert head.count("<svg") == 3
    recipe = result["about"]["recipe"]
    for fact in ("embedding, 128 wide", "72 pictures", f"C is 1 / lambda = {recipe['C']:.6g}",
                 f"paper, {len(result['about']['sweep'])} values tried", "seed 3", "torch ",
                 result["about"]["fingerprint"]["weights_sha256"]):  # fmt: skip
        assert fact in protocol
    typed_again = "snaplink " + " ".join((*command, "--report", "p.html", "--plots", "plots",
                                          "--output", "p.json"))  # fmt: skip
    assert f"<pre>{typed_again}</pre>" in protocol
    assert len(list(Path("plots").iterdir())) == 6
    ended = typed(
        "eval", "digits/test", "--template", "a handwritten digit {}", "--output", "e.json"
    )
    assert ended.code == 0, ended.err
    ended = typed("compare", "e.json", "p.json", "--report", "c.html")
    assert ended.code == 0, ended.err
    assert "on the 24 pictures that both have" in ended.out
    assert f"linear probe: {100 * result['metrics']['lp_acc1']:.1f} %" in ended.out


def test_a_head_of_features_before_the_projection_classifies(typed, digits):
    typed("probe", "digits/train", "digits/test", "--features", "pre-projection", "--sweep",
          "readme", "--head", "h")  # fmt: skip
    assert Head.load("h").weight.shape[1] == 128
    ended = typed("classify", "digits/test/1", "--head", "h", "--json")
    assert ended.code == 0, ended.err
    assert {row["scores"][0]["label"] for row in json.loads(ended.out)} <= set(DIGITS)


def test_a_validation_set_takes_the_place_of_a_share(typed, digits):
    ended = typed("probe", "digits/train", "digits/test", "--validation", "digits/test", "--json",
                  "--sweep", "clip-benchmark")  # fmt: skip
    about = json.loads(ended.out)["about"]
    assert about["recipe"]["validation"] == "given"
    assert about["train_pictures"] == 72 + 24


def test_fewshot_draws_its_curves(started, digits):
    ended = started("fewshot", "digits/train", "digits/test", "--shots", "1,4", "--seeds", "2",
                    "--template", "a handwritten digit {}", "--plots", "curves",
                    "--output", "few.json", "--report", "few.html")  # fmt: skip
    assert ended.code == 0, ended.err
    page = Path("few.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    for fact in ("24 test pictures · 3 classes", "drawn 2 times", "<dt>zero-shot</dt>",
                 "wise-ft, 4 a class", "nearest-mean, 1 a class", "alpha = 1, beta = 5.5",
                 "<pre>snaplink fewshot digits/train digits/test --shots 1,4 --seeds 2 --template "
                 "&#x27;a handwritten digit {}&#x27; --plots curves"):  # fmt: skip
        assert fact in page
    methods = ["linear-probe", "nearest-mean", "tip-adapter", "wise-ft"]
    assert ended.out.splitlines()[0].split() == ["shots", "zero-shot", *methods]
    result = json.loads(Path("few.json").read_text(encoding="utf-8"))
    assert len(result["points"]) == 1 + 2 * 4
    assert all(point["low"] <= point["accuracy"] <= point["high"] for point in result["points"])
    assert result["about"]["prompts_origin"]
    names = sorted(path.name for path in Path("curves").iterdir())
    assert names == ["fewshot.png", "fewshot.svg"]
    with Image.open("curves/fewshot.png") as plot:
        assert plot.width > 400


def test_calibrate_words_and_classify_none_of_these(started, digits):
    ended = started("calibrate", "digits/train", "--none", "4", "--save", "c.safetensors",
                    "--template", "a handwritten digit {}", "--target", "0.9")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "temperature " in ended.out
    assert "of pictures of none, refused" in ended.out
    saved = Head.load("c.safetensors")
    assert (saved.kind, saved.class_names) == ("zero-shot", ("0", "1"))
    assert saved.recipe["templates"] == ["a handwritten digit {}"]
    ended = started("classify", "digits/test", "--head", "c.safetensors", "--top", "1", "--json")
    rows = json.loads(ended.out)
    refused = [row for row in rows if row["scores"][0]["label"] == "none of these"]
    fours = [row for row in refused if Path(row["picture"]).parent.name == "4"]
    assert len(fours) >= 4
    assert len(refused) < len(rows)


def test_calibrate_a_head(typed, head, digits):
    ended = typed("calibrate", "digits/test", "--head", str(head), "--save", "c", "--json")
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert result["kind"] == "linear probe"
    assert [row["class"] for row in result["thresholds"]] == list(DIGITS)
    assert [row["pictures"] for row in result["thresholds"]] == [8, 8, 8]
    assert result["before"]["rejected"] is None
    assert "fewer than 10 pictures" in ended.err
    assert "--none" in ended.err
    assert Head.load("c").thresholds is not None


PROBE = ("probe", "digits/train", "digits/test")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("probe", "digits/train", "nowhere"), 2, "there is no file or folder 'nowhere'"),
        ((*PROBE, "--head", "no/where/h"), 2, "there is no folder"),
        ((*PROBE, "--report", "no/where.html"), 2, "there is no folder"),
        ((*PROBE, "--output", "probe.txt"), 2, "must end in .json"),
        ((*PROBE, "--validation-share", "1"), 2, "validation-share"),
        ((*PROBE, "--features", "logits"), 2, "'embedding', 'pre-projection'"),
        (("probe", "digits/train/0", "digits/test"), 2, "no"),
        (("fewshot", "digits/train", "digits/test", "--shots", "1,none"), 2, "list of numbers"),
        (("fewshot", "digits/train", "digits/test", "--report", "no/f.html"), 2, "no folder"),
        (("fewshot", "digits/train", "digits/test", "--shots", "0"), 2, "list of numbers"),
        (("fewshot", "digits/train", "digits/test", "--shots", "32"), 2, "--shots 1,2,4,8,16"),
        (("fewshot", "digits/train", "digits/test", "--method", "magic"), 2, "magic"),
        (("fewshot", "digits/train", "digits/test", "--template", "no place"), 2, "has no {}"),
        (("calibrate", "digits/train"), 2, "--save"),
        (("calibrate", "digits/train", "--save", "c", "--target", "f2"), 2, "neither f1 nor"),
        (("calibrate", "digits/train", "--save", "c", "--none", "7"), 2, "no class '7'"),
        (("calibrate", "digits/train", "--save", "c", "--head", "gone"), 2, "gone"),
        (("calibrate", "digits/train", "--save", "c", "--none", "0", "--none", "1"), 2, "two are"),
    ],
)
def test_mistakes_in_what_is_typed(typed, digits, arguments, code, told):
    ended = typed(*arguments)
    assert ended.code == code
    assert told in ended.err
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1


def test_one_class_is_not_enough(typed, digits):
    for digit in DIGITS[1:]:
        (digits / "train" / digit).rename(digits / f"no-{digit}")
    ended = typed(*PROBE)
    assert ended.code == 2
    assert "class" in ended.err


def test_a_test_set_with_other_classes(typed, digits):
    (digits / "test" / "4").rename(digits / "test" / "four")
    ended = typed(*PROBE)
    assert ended.code == 2
    assert "TEST has pictures of 'four', but the classes are '0', '1', '4'" in ended.err


def test_a_class_with_one_picture_and_nothing_to_choose_by(typed, digits):
    for path in sorted((digits / "train" / "0").iterdir())[1:]:
        path.unlink()
    ended = typed(*PROBE)
    assert ended.code == 2
    assert "'0' has one training picture" in ended.err
    assert "--sweep readme" in ended.err


def test_unreadable_pictures_are_left_out_and_told(typed, digits):
    (digits / "train" / "0" / "00.png").write_bytes(b"no picture")
    ended = typed(*PROBE, "--sweep", "readme", "--json")
    assert ended.code == 1
    assert "skipped" in ended.err
    assert json.loads(ended.out)["about"]["train_pictures"] == 71


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--labels", "a,b"), 2, "a head has its own labels"),
        (("--template", "a {}"), 2, "a head has its own labels"),
        (("--model", "no-such-model"), 1, "no-such-model"),
    ],
)
def test_mistakes_with_a_head(typed, head, digits, arguments, code, told):
    ended = typed("classify", "digits/test/0", "--head", str(head), *arguments)
    assert ended.code == code
    assert told in ended.err


def test_a_file_that_is_no_head(typed, digits):
    Path("other").write_bytes(b"something else")
    ended = typed("classify", "digits/test/0", "--head", "other")
    assert ended.code == 1
    assert "other is no head" in ended.err
    assert "Traceback" not in ended.err
