"""What a name leads to, for the verbs that read checkpoints without loading a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clip.errors import ModelNotFoundError
from clip.registry import OFFICIAL, TINY
from snaplink.errors import ArgumentError
from snaplink.inspection import locate


def test_tiny_files_and_directories(tmp_path: Path) -> None:
    assert locate("tiny") == TINY
    assert locate(tmp_path) == locate(f"local-dir:{tmp_path}") == tmp_path


@pytest.mark.parametrize("name", ["", "local-dir:", "local-dir:/no/where", "ViT-B/33", "x" * 5000])
def test_what_means_nothing(name: str) -> None:
    with pytest.raises(ArgumentError, match="neither a file or directory nor a model's name"):
        locate(name)


def test_a_repository_s_name_is_checked() -> None:
    with pytest.raises(ModelNotFoundError, match="should read hf-hub:owner/name"):
        locate("hf-hub:a/b/c")


def test_an_official_file_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_CACHE", str(tmp_path))
    with pytest.raises(ArgumentError, match="RN50 is not in the cache: snaplink download RN50"):
        locate("RN50")
    (tmp_path / "RN50.pt").write_bytes(b"abc")
    with pytest.raises(ArgumentError, match="not RN50 as published: snaplink verify --repair RN50"):
        locate("RN50")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    monkeypatch.setitem(OFFICIAL, "RN50", replace(OFFICIAL["RN50"], sha256=sha256, nbytes=3))
    assert locate("RN50") == tmp_path / "RN50.pt"
