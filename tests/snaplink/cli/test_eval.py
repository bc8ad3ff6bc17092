"""`snaplink eval` and `snaplink compare`, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from snaplink import encoder
from snaplink.fake_encoder import FakeEncoder


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    """Put the fake encoder in the place of every model."""
    fake = FakeEncoder()
    fake.logit_scale = 10.0
    monkeypatch.setattr(encoder, "load_encoder", lambda *_: fake)
    return fake


@pytest.fixture
def flowers(a_house_of_its_own: Path) -> Path:
    """Three class folders with two pictures each."""
    folder = a_house_of_its_own / "flowers"
    for label, shade in (("rose", 250), ("sea_pink", 150), ("tulip", 50)):
        (folder / label).mkdir(parents=True)
        for i in range(2):
            path = folder / label / f"{i}.png"
            Image.new("RGB", (20, 20), (shade, 20 * i, 0)).save(path)
    return folder


@pytest.mark.usefixtures("flowers")
def test_figures_with_intervals_and_the_classes_that_were_confused(typed):
    ended = typed("eval", "flowers")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "flowers: 6 pictures, 3 classes, fake"
    assert [line.split("  ")[1] for line in lines[1:5]] == [
        "top-1 accuracy", "top-5 accuracy", "mean per class", "calibration error",
    ]  # fmt: skip
    assert " to " in lines[1]
    assert "none" in lines[2]
    assert any("taken for" in line for line in lines[5:])


@pytest.mark.usefixtures("flowers")
def test_json_and_csv_have_the_fields_of_clip_benchmark(typed):
    told = json.loads(typed("eval", "flowers", "--json").out)
    assert {k: told[k] for k in ("dataset", "model", "pretrained", "task", "language")} == {
        "dataset": "flowers", "model": "fake", "pretrained": "fake",
        "task": "zeroshot_classification", "language": "en",
    }  # fmt: skip
    assert 0 <= told["metrics"]["acc1"] <= 1
    (row,) = csv.DictReader(io.StringIO(typed("eval", "flowers", "--csv").out))
    assert float(row["acc1"]) == told["metrics"]["acc1"]
    assert row["model_fullname"] == "fake fake"
    assert row["acc5"] == ""


@pytest.mark.usefixtures("flowers")
def test_everything_that_can_be_written(typed, tmp_path):
    ended = typed(
        "eval", "flowers", "--output", "a.json", "--report", "a.html", "--plots", "plots",
        "--template", "a {}", "--resamples", "200",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    page = Path("a.html").read_text(encoding="utf-8")
    assert "snaplink eval flowers --output a.json" in page
    assert page.count("data:image/webp") > 0
    assert len(list(Path("plots").iterdir())) == 6
    assert typed("eval", "flowers", "--output", "b.json").code == 0
    compared = typed("compare", "a.json", "b.json", "--report", "c.html")
    assert (compared.code, compared.err) == (0, "")
    assert "B less A, on the 6 pictures that both have:" in compared.out
    assert Path("c.html").is_file()
    told = json.loads(typed("compare", "a.json", "b.json", "--json").out)
    assert set(told["differences"]) == {"acc1", "mean_per_class_recall"}
    assert not list(Path().glob(".*tmp"))


@pytest.mark.usefixtures("flowers")
def test_names_and_templates_from_files(typed):
    Path("names.txt").write_text("daisy\nrose\nsea pink\ntulip\n", encoding="utf-8")
    Path("prompts.json").write_text('["a {c}", "the {c}"]', encoding="utf-8")
    ended = typed(
        "eval", "flowers", "--classes", "names.txt", "--templates", "prompts.json",
        "--output", "r.json",
    )  # fmt: skip
    assert ended.out.startswith("flowers: 6 pictures, 4 classes")
    from snaplink.evaluation import read

    about = read(Path("r.json")).about
    assert about["prompts"] == 8
    assert about["prompts_origin"] == "the 2 templates of prompts.json"
    assert about["classes_without_pictures"] == 1


def test_a_built_in_list_brings_its_prompts(typed, flowers):
    for number, folder in enumerate(sorted(flowers.iterdir())):
        folder.rename(flowers / str(number))
    typed("eval", "flowers", "--classes", "cifar10", "--output", "r.json")
    from snaplink.evaluation import read

    result = read(Path("r.json"))
    assert (len(result.templates), len(result.class_names)) == (18, 10)
    assert result.about["prompts_origin"] == "the 18 templates of CIFAR10"


def test_a_picture_that_cannot_be_used_is_skipped_and_said(typed, flowers):
    (flowers / "rose" / "0.png").write_bytes(b"no picture")
    ended = typed("eval", "flowers")
    assert ended.code == 1
    assert "skipped" in ended.err
    assert ended.out.startswith("flowers: 5 pictures")


@pytest.mark.usefixtures("flowers")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no file or folder 'nowhere'"),
        (["flowers", "--classes", "nothing"], "neither a file with class names nor a built-in set"),
        (["flowers", "--template", "a", "--templates", "pets"], "exclude each other"),
        (["flowers", "--template", "a"], "has no {} where the label goes"),
        (["flowers", "--output", "no/r.json"], "there is no folder 'no'"),
        (["flowers", "--output", "r.txt"], "must end in .json"),
        (["flowers", "--classes", "cifar10"], "not in the list of 10 class names: 'rose'"),
        (["flowers", "--split", "val"], "there is no 'val' in it"),
    ],
)
def test_wrong_usage(typed, arguments, message):
    ended = typed("eval", *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


def test_one_class_and_no_class(typed, flowers):
    shutil.rmtree(flowers / "rose")
    shutil.rmtree(flowers / "tulip")
    assert "'sea pink' is the only class" in typed("eval", "flowers").err
    shutil.rmtree(flowers / "sea_pink")
    assert "no class folders in it" in typed("eval", "flowers").err


def test_results_that_are_not_there(typed):
    ended = typed("compare", "a.json", "b.json")
    assert ended.code == 2
    assert "there is no file 'a.json'" in ended.err
