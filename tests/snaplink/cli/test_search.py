"""Search, index, duplicates, cluster and map, as people type them, on the examples' pictures."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A store of the twelve examples, one of them twice, made once by the command."""
    from snaplink.cli import snaplink
    from snaplink.cli.exits import run

    folder = tmp_path_factory.mktemp("made")
    (folder / "pictures").mkdir()
    for path in EXAMPLES.glob("*.png"):
        shutil.copy(path, folder / "pictures")
    with Image.open(EXAMPLES / "owl.png") as owl:
        owl.resize((1000, 1000)).save(folder / "pictures" / "owl-large.png")
    store = str(folder / "p.store")
    assert run(snaplink, ["embed", str(folder / "pictures"), "--out", store]) == 0
    return folder


@pytest.fixture
def store(made: Path, a_house_of_its_own: Path) -> str:
    """A copy of it, named as people name it: from where they are."""
    shutil.copytree(made / "p.store", a_house_of_its_own / "p.store")
    return "p.store"


def test_words_find_their_picture(typed, store):
    ended = typed("search", store, "a bicycle", "--top", "3")
    lines = ended.out.splitlines()
    assert (ended.code, ended.err, len(lines)) == (0, "", 3)
    score, path = lines[0].split()
    assert 0 < float(score) < 1
    assert path.endswith("/pictures/bicycle.png")


def test_in_a_process_of_its_own(started, store):
    ended = started("search", store, "a bicycle", "--top", "1", "--paths")
    assert (ended.code, ended.err) == (0, "")
    assert Path(ended.out.strip()).name == "bicycle.png"


def test_forms_for_programs(typed, store):
    rows = json.loads(typed("search", store, "a guitar", "--top", "2", "--json").out)
    assert Path(rows[0]["key"]).name == "guitar.png"
    assert rows[0].keys() >= {"score", "key", "source", "width", "height", "caption"}
    table = list(csv.DictReader(io.StringIO(typed("search", store, "a guitar", "--csv").out)))
    assert len(table) == 10
    assert Path(table[0]["source"]).name == "guitar.png"
    assert float(table[0]["score"]) == pytest.approx(rows[0]["score"], abs=1e-5)
    paths = typed("search", store, "a guitar", "--top", "2", "-0").out
    assert paths.count("\0") == 2
    assert paths.split("\0")[0] == rows[0]["source"]


def test_pictures_weights_and_what_is_not_wanted(typed, store, made):
    owl = str(made / "pictures" / "owl.png")
    like_owl = typed("search", store, "--image", owl, "--top", "3", "--paths").out.splitlines()
    assert {Path(path).name for path in like_owl[:2]} == {"owl.png", "owl-large.png"}
    once = typed("search", store, "--image", owl, "--top", "2", "--dedupe", "--paths").out
    assert len({Path(path).name for path in once.splitlines()} & {"owl.png", "owl-large.png"}) == 1
    mixed = ("search", store, "a guitar", "--also", "0.1", "a banana", "--paths")
    assert Path(typed(*mixed).out.splitlines()[0]).name == "guitar.png"
    heavier = ("search", store, "a guitar", "--also", "5", "a banana", "--paths")
    assert Path(typed(*heavier).out.splitlines()[0]).name == "banana.png"
    away = typed("search", store, "--also-image", "-1", owl, "--top", "13", "--paths").out
    assert {Path(path).name for path in away.splitlines()[-2:]} == {"owl.png", "owl-large.png"}
    avoided = typed("search", store, "a bird", "--not", "an owl", "--top", "13", "--paths").out
    wanted = typed("search", store, "a bird", "--top", "13", "--paths").out
    assert Path(wanted.splitlines()[0]).name != Path(avoided.splitlines()[0]).name


def test_colons_and_the_like_are_words(typed, store):
    for words in ("12:30", "a:0.5", "x^2", "--", "-1"):
        assert typed("search", store, "--top", "1", "--", words).code == 0


def test_conditions_and_thresholds(typed, store):
    found = typed("search", store, "an owl", "--where", "width = 1000", "--paths").out
    assert [Path(line).name for line in found.splitlines()] == ["owl-large.png"]
    none = typed("search", store, "an owl", "--where", "width = 7")
    assert (none.code, none.out) == (1, "")
    assert none.err == "snaplink: nothing in the store fits\n"
    assert typed("search", store, "an owl", "--threshold", "1", "--json").out == "[]\n"


@pytest.mark.parametrize("name", ["found.png", "found.html"])
def test_a_contact_sheet(typed, store, name):
    assert typed("search", store, "a cat", "--sheet", name).code == 0
    content = Path(name).read_bytes()
    assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<!doctype html>")
    assert len(list(Path().glob("*found*"))) == 1


def test_an_index_is_built_used_and_when_stale_refused(typed, store, made):
    ended = typed("index", store)
    assert ended.code == 0
    assert "13 rows indexed" in ended.out
    assert "recall@10 1.0000 (asked for 1 picture)" in ended.out
    facts = json.loads(typed("index", store, "--json").out)
    assert facts["recall"] == {"image": 1.0}
    exact = typed("search", store, "a cat", "--exact").out
    indexed = typed("search", store, "a cat")
    assert (indexed.out, indexed.err) == (exact, "")
    typed("embed", str(EXAMPLES / "cat.png"), "--out", store)
    stale = typed("search", store, "a cat", "--top", "1")
    assert stale.code == 0
    assert stale.err.startswith("snaplink: searched exactly, without the index: the index was")
    assert "build it again with `snaplink index p.store`" in stale.err


def test_duplicates(typed, store):
    ended = typed("duplicates", store)
    assert ended.code == 0
    keep, other = (line.split() for line in ended.out.splitlines())
    assert (keep[0], Path(keep[1]).name) == ("keep", "owl-large.png")
    assert Path(other[1]).name == "owl.png"
    assert "1 group, 1 picture beside those to keep" in ended.err
    [group] = json.loads(typed("duplicates", store, "--json").out)
    assert Path(group["keep"]["key"]).name == "owl-large.png"
    assert group["others"][0]["score"] > 0.95
    paths = typed("duplicates", store, "--paths", "--sheet", "same.html").out.splitlines()
    assert [Path(path).name for path in paths] == ["owl.png"]
    assert "owl-large.png" in Path("same.html").read_text(encoding="utf-8")
    table = list(csv.DictReader(io.StringIO(typed("duplicates", store, "--csv").out)))
    assert [row["keep"] for row in table] == ["1", "0"]
    assert json.loads(typed("duplicates", store, "--threshold", "1", "--json").out) == []


def test_cluster(typed, store):
    ended = typed("cluster", store, "-k", "3")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 4
    groups = json.loads(
        typed("cluster", store, "-k", "3", "--labels", "animal,vehicle,fruit", "--json").out
    )
    assert sum(group["size"] for group in groups) == 13
    assert {group["name"] for group in groups} <= {"animal", "vehicle", "fruit"}
    assert groups == sorted(groups, key=lambda group: -group["size"])
    table = list(csv.DictReader(io.StringIO(typed("cluster", store, "-k", "2", "--csv").out)))
    assert len(table) == 13
    assert typed("cluster", store, "-k", "2", "--sheet", "g.png").code == 0
    assert Path("g.png").stat().st_size > 10_000


def test_map(typed, store):
    ended = typed("map", store, "--out", "map.html", "--method", "pca")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("map.html: 13 pictures, ")
    page = Path("map.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 13


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("search", 2, "Missing argument 'STORE'"),
        ("search p.store", 2, "say what to search for"),
        ("search no.store cat", 1, "no.store"),
        ("search p.store cat --top 0", 2, "--top"),
        ("search p.store cat --threshold 2", 2, "--threshold"),
        ("search p.store cat --where widht>3", 2, "The columns are key, source, width"),
        ("search p.store cat --where 1;select", 2, "The columns are"),
        ("search p.store --image no.png", 1, "no.png: no such file"),
        ("search p.store cat --in text", 2, "no text vectors, only image"),
        ("search p.store cat --sheet x.pdf", 2, ".png or .html"),
        ("search p.store cat --sheet no/x.png", 2, "no is no folder"),
        ("search p.store cat --also much dog", 2, "--also"),
        ("search p.store cat --also 0 dog", 2, "a weight of 0"),
        ("search p.store cat --not cat", 2, "cancel out"),
        ("search p.store cat --model no.pt", 1, "no.pt"),
        ("search p.store cat --device nowhere", 2, "nowhere"),
        ("index", 2, "Missing argument 'STORE'"),
        ("index no.store", 1, "no.store"),
        ("index p.store --in text", 2, "no text vectors"),
        ("index p.store --recall 0", 2, "--recall"),
        ("index p.store --in audio", 2, "'audio' is not one of"),
        ("duplicates", 2, "Missing argument 'STORE'"),
        ("duplicates no.store", 1, "no.store"),
        ("duplicates p.store --threshold much", 2, "--threshold"),
        ("duplicates p.store --threshold 3", 2, "--threshold"),
        ("duplicates p.store --sheet same.txt", 2, ".png or .html"),
        ("cluster p.store", 2, "Missing option '-k'"),
        ("cluster p.store -k 0", 2, "-k"),
        ("cluster p.store -k 14", 2, "choose 1 to 13"),
        ("cluster no.store -k 2", 1, "no.store"),
        ("cluster p.store -k 2 --labels cat", 2, "the only label"),
        ("map p.store", 2, "Missing option '--out'"),
        ("map p.store --out map.png", 2, "an .html file"),
        ("map p.store --out no/map.html --method pca", 2, "no is no folder"),
        ("map no.store --out map.html", 1, "no.store"),
        ("map p.store --out map.html --most 2", 2, "--most"),
    ],
)
def test_mistakes(typed, store, arguments, code, message):
    ended = typed(*arguments.split())
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_store_of_another_model_is_refused(typed, store):
    """The same architecture with other weights: what differs is said."""
    import torch

    import clip

    network, _ = clip.load("tiny", device="cpu")
    weights = network.state_dict()
    weights["text_projection"] = weights["text_projection"] + 1
    torch.save(weights, "other.pt")
    ended = typed("search", store, "cat", "--model", "other.pt")
    assert (ended.code, ended.out) == (1, "")
    assert "was made with another model: weights" in ended.err


def test_a_checkpoint_that_moved_is_given_by_its_new_name(typed, made, monkeypatch):
    import torch

    import clip

    network, _ = clip.load("tiny", device="cpu")
    torch.save(network.state_dict(), "mine.pt")
    assert (
        typed("embed", str(made / "pictures"), "--out", "m.store", "--model", "mine.pt").code == 0
    )
    Path("mine.pt").rename("moved.pt")
    lost = typed("search", "m.store", "a cat")
    assert lost.code == 1
    assert "say where with --model" in lost.err
    assert typed("search", "m.store", "a cat", "--model", "moved.pt").code == 0
