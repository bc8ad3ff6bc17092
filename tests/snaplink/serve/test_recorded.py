"""Only what the store recorded is read: wherever it is, and as long as it is the same."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snaplink.embed.sources.folders import Folder, Picture
from snaplink.embed.sources.source import Columns
from snaplink.serve.errors import ApiError
from snaplink.serve.recorded import check_content, opened, web_address

EXAMPLES = Path(__file__).parents[3] / "examples"
OWL, CAT = (EXAMPLES / name for name in ("owl.png", "cat.png"))


def row(source, size=None, mtime_ns=None, sha256=None):
    return {"source": source, "size": size, "mtime_ns": mtime_ns, "sha256": sha256}


def rows_of(path: Path) -> list[dict]:
    """As `snaplink embed` would record what is there."""
    source = Folder(str(path), Columns()) if path.is_dir() else Picture(str(path))
    items = list(source.items(lambda error: None))
    return [row(each.place.address, each.stamp.size, each.stamp.mtime_ns) for each in items]


def content(of) -> bytes:
    with opened(of) as read:
        return read()


def refused(of) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        content(of)
    return caught.value.status, caught.value.message


@pytest.fixture
def owl(tmp_path) -> Path:
    return Path(shutil.copy(OWL, tmp_path / "owl.png"))


def test_a_file_is_read_while_it_is_what_it_was(owl):
    [recorded] = rows_of(owl)
    assert content(recorded) == OWL.read_bytes()
    os.utime(owl, ns=(0, recorded["mtime_ns"] + 1))
    assert refused(recorded) == (
        410, "this picture has changed since it was embedded: run snaplink embed again",
    )  # fmt: skip
    os.utime(owl, ns=(0, recorded["mtime_ns"]))
    assert content(recorded) == OWL.read_bytes()
    owl.write_bytes(OWL.read_bytes() + b"x")
    os.utime(owl, ns=(0, recorded["mtime_ns"]))
    assert refused(recorded)[0] == 410
    owl.unlink()
    assert refused(recorded)[1].startswith("this picture has been deleted or moved")


@pytest.mark.parametrize("name", ["a b.png", "grün-蛙.png", "#1?.png", "100%.png", "'; --.png"])
def test_odd_names_are_names(tmp_path, name):
    path = shutil.copy(OWL, tmp_path / name)
    [recorded] = rows_of(Path(path))
    assert content(recorded) == OWL.read_bytes()


@pytest.mark.parametrize("beside", [(".txt",), (".json",), (".txt", ".json")])
def test_captions_and_metadata_beside_it_are_counted_as_embed_counts_them(owl, beside):
    for ending in beside:
        owl.with_suffix(ending).write_text("{}", encoding="utf-8")
    [recorded] = rows_of(owl.parent)
    assert recorded["mtime_ns"] != owl.stat().st_mtime_ns
    assert content(recorded) == OWL.read_bytes()
    os.utime(owl, ns=(0, owl.stat().st_mtime_ns + 10**9))
    assert refused(recorded)[0] == 410


def test_a_link_that_took_the_place_of_a_file_is_not_followed_to_another(owl, tmp_path):
    [recorded] = rows_of(owl)
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * recorded["size"])
    owl.unlink()
    owl.symlink_to(secret)
    assert refused(recorded)[0] == 410
    owl.unlink()
    owl.symlink_to("/dev/zero")
    assert refused(recorded) == (
        404, "this picture cannot be shown: it is no regular file any more",
    )  # fmt: skip
    owl.unlink()
    owl.symlink_to(owl)
    assert refused(recorded)[0] == 404


def test_a_fifo_or_a_folder_in_its_place_is_not_waited_for(owl):
    [recorded] = rows_of(owl)
    owl.unlink()
    os.mkfifo(owl)
    assert refused(recorded)[0] == 404
    owl.unlink()
    owl.mkdir()
    assert refused(recorded)[0] == 404


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/etc/../etc/passwd", "its path leads elsewhere"),
        ("examples/owl.png", "its path leads elsewhere"),
        ("file:///etc/passwd", "it is not on this machine"),
        ("s3://bucket/owl.png", "it is not on this machine"),
        ("tar://a.png::s3://bucket/a.tar", "its archive is not on this machine"),
        ("tar://a.png::a.tar", "its archive is not on this machine"),
        ("tar://a.png", "its archive is not on this machine"),
        ("s3://bucket/a.parquet#1", "its table is not on this machine"),
        ("a.parquet#1", "its table is not on this machine"),
        ("/a\0b", "it cannot be read any more"),
        (None, "the store does not say where it is"),
    ],
)
def test_what_is_no_file_of_this_machine_is_not_opened(source, why):
    assert refused(row(source, 10, 10)) == (404, f"this picture cannot be shown: {why}")


def test_what_was_not_recorded_in_full_is_not_opened(owl):
    [recorded] = rows_of(owl)
    for missing in ("size", "mtime_ns"):
        assert "does not say how large" in refused({**recorded, missing: None})[1]


def test_the_hash_decides_where_it_is_known(owl):
    [recorded] = rows_of(owl)
    assert refused({**recorded, "sha256": "0" * 64})[0] == 410
    with pytest.raises(ApiError):
        check_content(row("http://a/b", sha256="0" * 64), b"x")
    assert check_content(row("http://a/b"), b"x") == b"x"


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    pack(folder / "00000.tar", {"a.png": OWL, "b.png": CAT}, {"b.txt": b"a cat", "b.json": b"{}"})
    return folder / "00000.tar"


def pack(path: Path, pictures, others=()) -> None:
    with tarfile.open(path, "w") as tar:
        for name, source in pictures.items():
            tar.add(source, name)
            for other, text in dict(others).items():
                if other[0] == name[0]:
                    member = tarfile.TarInfo(other)
                    member.size, member.mtime = len(text), 5
                    tar.addfile(member, io.BytesIO(text))


def test_members_of_archives_are_read_with_what_lies_beside_them(archive):
    alone, described = rows_of(archive.parent)
    assert content(alone) == OWL.read_bytes()
    assert content(described) == CAT.read_bytes()


def test_a_member_that_was_replaced_is_another(archive):
    alone, described = rows_of(archive.parent)
    assert content(described) == CAT.read_bytes()
    pack(archive, {"a.png": OWL, "b.png": OWL}, {"b.txt": b"a cat"})
    os.utime(archive, ns=(0, 1))
    assert content(alone) == OWL.read_bytes()
    assert refused(described)[0] == 410
    pack(archive, {"a.png": OWL})
    assert refused(described)[1].startswith("this picture has been deleted or moved")
    archive.write_bytes(b"no archive at all")
    assert refused(alone)[0] == 410


def test_cells_of_tables_are_read(tmp_path):
    path = tmp_path / "t" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"image": [OWL.read_bytes(), CAT.read_bytes()]}), path)
    owl, cat = rows_of(path.parent)
    assert (content(owl), content(cat)) == (OWL.read_bytes(), CAT.read_bytes())
    assert refused({**owl, "size": 3})[0] == 410
    assert refused({**owl, "source": f"{path}#2"})[0] == 404
    os.utime(path, ns=(0, 5))
    assert refused(cat)[0] == 410
    path.unlink()
    assert refused(cat)[0] == 404


def test_addresses_of_the_web_are_told_from_files():
    assert web_address(row("HTTPS://a/b.png")) == "HTTPS://a/b.png"
    assert [web_address(row(each)) for each in ("/a.png", "ftp://a", None, "s3://a/b")] == [
        None
    ] * 4
