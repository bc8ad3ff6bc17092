"""`snaplink models`, `download`, `verify` and `cache`, on a mirror in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CACHE = Path("cache")


def test_models_lists_the_nine_and_tiny(started):
    ended = started("models")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].split() == [
        *("model", "size", "parameters", "resolution", "dimension", "ImageNet", "cached")
    ]
    assert [line.split()[0] for line in lines[1:11]] == [
        *("tiny", "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64"),
        *("ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px"),
    ]
    assert lines[7].split() == [
        *("ViT-B/32", "354", "MB", "151", "M", "224", "512", "63.32", "%", "no")
    ]


def test_models_says_what_is_cached(typed, small_official):
    assert typed("download", "RN50").code == 0
    (CACHE / "RN101.pt.partial").write_bytes(b"1")
    cached = {row["model"]: row["cached"] for row in json.loads(typed("models", "--json").out)}
    assert cached["tiny"] == "built in"
    assert (cached["RN50"], cached["RN50x4"]) == ("yes", "no")


def test_download_prints_where_the_model_is(typed, small_official):
    ended = typed("download", "RN50")
    path = Path.cwd() / "cache" / "RN50.pt"
    assert (ended.code, ended.out, ended.err) == (0, f"RN50\t{path}\n", "")
    assert path.stat().st_size == small_official.nbytes
    again = json.loads(typed("download", "rn50", "--json").out)
    assert again == [{"model": "RN50", "path": str(path), "sha256": small_official.sha256}]


def test_download_goes_on_after_a_failure(typed, small_official):
    ended = typed("download", "RN101", "RN50", "--json")
    assert ended.code == 1
    assert [row["model"] for row in json.loads(ended.out)] == ["RN50"]
    assert ended.err.startswith("snaplink: RN101: ")
    assert "Traceback" not in ended.err


def test_download_without_a_network_says_how_to_get_the_file(started, monkeypatch):
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    ended = started("download", "ViT-B-32")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("snaplink: ViT-B/32: ")
    assert "ViT-B-32.pt is not there, and CLIP_OFFLINE forbids to download it." in ended.err
    assert ended.err.count("\n") == 1


def test_verify_finds_and_repairs_a_broken_file(typed, small_official):
    typed("download", "RN50")
    path = Path.cwd() / "cache" / "RN50.pt"
    assert typed("verify").out == f"RN50\tok\t{path}\n"
    path.write_bytes(bytes(small_official.nbytes))
    broken = typed("verify", "RN50")
    assert (broken.code, broken.out) == (1, f"RN50\tbroken\t{path}\n")
    assert json.loads(typed("verify", "--repair", "--json").out) == [
        {"model": "RN50", "state": "repaired", "path": str(path)}
    ]
    assert typed("verify").code == 0


def test_verify_goes_on_after_what_cannot_be_repaired(typed, small_official):
    ended = typed("verify", "RN101", "RN50", "--repair", "--json")
    rows = {row["model"]: row["state"] for row in json.loads(ended.out)}
    assert rows == {"RN101": "missing", "RN50": "repaired"}
    assert ended.code == 1
    assert ended.err.startswith("snaplink: RN101: ")
    assert ended.err.count("\n") == 1


def test_verify_says_what_is_missing(started, typed):
    ended = started("verify", "RN50")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.split("\t")[:2] == ["RN50", "missing"]
    nothing = typed("verify")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == "snaplink: there is no official model in the cache\n"


def test_cache_lists_prunes_and_removes(typed, small_official):
    assert typed("cache").err == "snaplink: there is no official model in the cache\n"
    typed("download", "RN50")
    (CACHE / "RN50x4.pt").write_bytes(b"cut")
    listed = {(row["model"], row["state"]) for row in json.loads(typed("cache", "--json").out)}
    assert {model for model, _ in listed} == {"RN50", "RN50x4"}
    assert ("RN50x4", "broken") in listed
    table = typed("cache").out.splitlines()
    assert table[0].split() == ["model", "state", "size", "path"]
    assert len(table) == 3

    assert typed("cache", "--prune").err == "snaplink: nothing was removed\n"
    removed = typed("cache", "--remove", "RN50")
    assert removed.code == 0
    assert removed.out.splitlines()[1].split()[:2] == ["RN50", "removed"]
    assert not (CACHE / "RN50.pt").exists()
    assert (CACHE / "RN50x4.pt").exists()


def test_an_empty_cache_is_an_empty_list(started):
    ended = started("cache", "--json")
    assert (ended.code, ended.out, ended.err) == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("download", "name the models, or say --all (see snaplink download --help)"),
        ("download RN50 --all", "name the models, or say --all (see snaplink download --help)"),
        ("download tiny", "tiny is built in: name some of RN50, RN101, "),
        ("download ViT-B/33", "'ViT-B/33' is no official model: name some of RN50, RN101, "),
        ("download --repair", "No such option"),
        ("verify tiny", "tiny is built in: name some of RN50"),
        ("verify ViT-B/33", "'ViT-B/33' is no official model"),
        ("verify RN50 --all", "either name models or say --all"),
        ("verify --prune", "No such option"),
        ("verify --json=1", "does not take a value"),
        ("cache RN50", "Got unexpected extra argument (RN50)"),
        ("cache --remove", "requires an argument"),
        ("cache --remove tiny", "tiny is built in"),
        ("cache --remove no.pt", "'no.pt' is no official model"),
        ("cache --all", "No such option"),
        ("models RN50", "Got unexpected extra argument (RN50)"),
        ("models --all", "No such option"),
        ("models --json=yes", "does not take a value"),
        ("models -v", "No such option"),
        ("model", "No such command 'model'"),
    ],
)
def test_wrong_usage(typed, arguments, message):
    ended = typed(*arguments.split())
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
