"""Which model is loaded: the one that was said, or that made the store; never a wrong one."""

from __future__ import annotations

import json

import pytest

from clip.errors import ClipError
from snaplink.encoder import load_encoder
from snaplink.errors import StoreError
from snaplink.fingerprint import fingerprint
from snaplink.serve.loading import load, prepared_as
from snaplink.serve.settings import Settings
from snaplink.store import Writer

from .stores import add, unit


def store_of_tiny(path, *, upright=True, bulk=False):
    tiny = load_encoder("tiny")
    made = fingerprint(tiny, upright=upright, normalized=True, bulk=bulk)
    Writer(path, made, dim=tiny.dim).close()
    return path


def test_without_a_store_the_built_in_model():
    assert load(Settings()).name == "tiny"
    assert prepared_as(Settings()) == (True, False)


@pytest.mark.parametrize(("upright", "bulk"), [(True, True), (False, False)])
def test_with_a_store_its_model_and_its_way_with_pictures(tmp_path, upright, bulk):
    settings = Settings(store=store_of_tiny(tmp_path / "s", upright=upright, bulk=bulk))
    assert load(settings).name == "tiny"
    assert prepared_as(settings) == (upright, bulk)


def test_another_model_than_the_stores_is_refused(tmp_path):
    add(tmp_path / "s", unit(1))
    with pytest.raises(StoreError, match="was made with another model"):
        load(Settings(store=tmp_path / "s", model="tiny"))


def test_a_model_that_is_elsewhere_now_is_told_with_what_to_do(tmp_path):
    add(tmp_path / "s", unit(1))
    with pytest.raises(StoreError, match=r"'fake', which cannot be loaded: .* with --model"):
        load(Settings(store=tmp_path / "s"))
    with pytest.raises(ClipError):
        load(Settings(store=tmp_path / "s", model=str(tmp_path / "none.pt")))


def test_a_wrong_precision_is_not_blamed_on_the_store(tmp_path):
    settings = Settings(store=store_of_tiny(tmp_path / "s"), precision="fp7")
    with pytest.raises(ValueError, match="fp7"):
        load(settings)


def test_what_is_no_store_is_told(tmp_path):
    for use in (load, prepared_as):
        with pytest.raises(StoreError, match="nowhere"):
            use(Settings(store=tmp_path / "nowhere"))
    (tmp_path / "manifest.json").write_text(json.dumps([]), encoding="utf-8")
    with pytest.raises(StoreError):
        prepared_as(Settings(store=tmp_path))
