"""Whatever a user names is listed: each picture once, with what is known of it, in one order."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from snaplink.embed.items import MISSING
from snaplink.embed.places import place_of
from snaplink.embed.reading import Reader
from snaplink.embed.sources import Columns, opened
from snaplink.errors import ArgumentError, MissingPackageError


def keys(items, root: Path) -> list[str]:
    return [item.key.removeprefix(f"{root.as_posix()}/") for item in items]


def read(item):
    """What a worker makes of an item, without pixels."""
    result, _ = Reader(preprocess=lambda picture: torch.zeros(3, 2, 2))(item)
    return result


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def shard(tmp_path, picture_bytes):
    def write(name: str, first: int) -> Path:
        members = {}
        for number in (first, first + 1):
            members[f"{number:03}.jpg"] = picture_bytes(number)
            members[f"{number:03}.txt"] = f"picture {number}".encode()
            members[f"{number:03}.json"] = json.dumps(
                {"key": number, "exif": {"iso": 100}}
            ).encode()
        return write_tar(tmp_path / name, members)

    return write


def test_folders_give_pictures_in_order_with_size_and_time(photos, listed):
    items, problems = listed(photos)
    assert keys(items, photos) == [
        "0.jpg",
        "1.jpg",
        "2.jpg",
        "3.jpg",
        "inside/4.jpg",
        "inside/5.jpg",
    ]
    assert problems == []
    status = (photos / "0.jpg").stat()
    assert (items[0].stamp.size, items[0].stamp.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_a_file_has_one_key_however_it_is_named(photos, listed, monkeypatch):
    monkeypatch.chdir(photos)
    for name in ("0.jpg", "./0.jpg", "inside/../0.jpg", photos / "0.jpg", "0*"):
        assert keys(listed(name)[0], photos) == ["0.jpg"]


def test_patterns_and_braces(photos, listed):
    assert keys(listed(f"{photos}/**/[45].jpg")[0], photos) == ["inside/4.jpg", "inside/5.jpg"]
    assert keys(listed(f"{photos}/{{1..2}}.jpg")[0], photos) == ["1.jpg", "2.jpg"]
    with pytest.raises(ArgumentError, match=r"there is no file or folder '.*/9.jpg'"):
        listed(f"{photos}/{{1,9}}.jpg")


def test_what_lies_beside_a_picture_is_its_caption_and_metadata(photos, listed):
    (photos / "0.txt").write_text("a cat\n", encoding="utf-8")
    (photos / "0.json").write_text('{"year": 2020, "tags": ["a"]}', encoding="utf-8")
    row = read(listed(photos)[0][0])
    assert row.caption == "a cat"
    assert row.metadata == {"year": 2020, "tags": '["a"]'}


def test_an_empty_folder_is_a_problem(tmp_path, listed):
    (tmp_path / "none").mkdir()
    assert listed(tmp_path / "none") == ([], [f"{tmp_path / 'none'}: no picture in this folder"])


def test_lists_name_anything_beside_them_or_from_here(photos, listed, monkeypatch, tmp_path):
    names = ["inside", "0.jpg", "", f"{photos}/1.jpg", "gone.jpg", "https://host/a.jpg"]
    (photos / "list.txt").write_text("\n".join(names), encoding="utf-8")
    items, problems = listed(photos / "list.txt")
    assert keys(items, photos)[:4] == ["inside/4.jpg", "inside/5.jpg", "0.jpg", "1.jpg"]
    assert (items[4].stamp, problems) == (MISSING, [])
    assert items[5].key == "https://host/a.jpg"
    monkeypatch.setattr(sys, "stdin", io.StringIO("photos/2.jpg\nphotos/3.jpg\n"))
    monkeypatch.chdir(tmp_path)
    assert keys(listed("-")[0], photos) == ["2.jpg", "3.jpg"]


def test_webdatasets_give_picture_caption_and_metadata_by_name(tmp_path, shard, listed):
    shard("00.tar", 0), shard("01.tar", 2)
    items, problems = listed(f"{tmp_path}/{{00..01}}.tar")
    assert keys(items, tmp_path) == ["00.tar/000", "00.tar/001", "01.tar/002", "01.tar/003"]
    assert problems == []
    row = read(items[3])
    assert row.caption == "picture 3"
    assert row.metadata == {"meta_key": 3, "exif.iso": 100}
    assert place_of(row.source).read() == items[3].place.read()


def test_what_changes_beside_a_picture_in_a_tar_changes_its_stamp(tmp_path, listed):
    def stamp(**beside: bytes):
        members = {"0.jpg": b"picture"} | {f"0.{kind}": each for kind, each in beside.items()}
        [item] = listed(write_tar(tmp_path / "00.tar", members))[0]
        return item.stamp

    with_caption = stamp(txt=b"a cat")
    assert with_caption == stamp(txt=b"a cat")
    others = [stamp(), stamp(txt=b"a lion"), stamp(json=b"{} {}"), stamp(txt=b"a cat", json=b"{}")]
    assert len({with_caption, *others}) == 5
    assert {each.size for each in (with_caption, *others)} == {len(b"picture")}


def test_a_tar_that_is_cut_gives_what_it_has_and_is_a_problem(tmp_path, shard, listed):
    path = shard("00.tar", 0)
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        second = tar.getmember("001.jpg").offset
    for cut in (second, second + 100, second + 700):
        path.write_bytes(whole[:cut])
        items, problems = listed(path)
        assert items[0].key == f"{path.as_posix()}/000"
        assert "cannot be read to its end" in problems[0]


def test_compressed_tars_are_refused(tmp_path, listed):
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(ArgumentError, match="is compressed: unpack it"):
        listed(tmp_path / "a.tar.gz")


def test_tables_of_paths_urls_and_bytes(photos, listed, picture_bytes):
    csv = photos / "list.csv"
    csv.write_text("filename,caption,year\n0.jpg,a cat,2020\n1.jpg,,2021\n", encoding="utf-8")
    items, _ = listed(csv)
    assert keys(items, photos) == ["0.jpg", "1.jpg"]
    assert [(read(items[0]).caption, items[1].metadata["year"])] == [("a cat", 2021)]
    pq.write_table(pa.table({"url": ["https://h/a.jpg"], "TEXT": ["a"]}), photos / "laion.parquet")
    (item,), _ = listed(photos / "laion.parquet")
    assert (item.key, item.caption) == ("https://h/a.jpg", "a")
    hub = {"image": [{"bytes": picture_bytes(1), "path": "1.jpg"}], "label": [3]}
    pq.write_table(pa.table(hub), photos / "hub.parquet")
    (item,), _ = listed(photos / "hub.parquet")
    assert item.key == f"{(photos / 'hub.parquet').as_posix()}#0"
    assert item.place.read() == picture_bytes(1)
    assert item.metadata == {"label": 3}
    assert place_of(read(item).source).read() == picture_bytes(1)


def test_a_table_whose_columns_say_nothing_is_refused_with_their_names(tmp_path, listed):
    path = tmp_path / "a.csv"
    path.write_text("foto,woorden\n0.jpg,kat\n", encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"has the columns foto, woorden: .* --picture-column"):
        listed(path)
    with pytest.raises(ArgumentError, match="captions by --text-column NAME"):
        listed(path, picture="foto", texts=True)
    with pytest.raises(ArgumentError, match="has no column 'photo', but foto, woorden"):
        listed(path, picture="photo")
    (item,), _ = listed(path, picture="foto", text="woorden")
    assert item.caption == "kat"


def test_a_broken_table_is_refused(tmp_path, listed):
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(ArgumentError, match="is no table that can be read"):
        listed(tmp_path / "a.parquet")


def test_img2datasets_output_in_its_three_forms(tmp_path, shard, listed, picture_bytes, photos):
    out = tmp_path / "out"
    out.mkdir()
    shard("out/00000.tar", 0)
    pq.write_table(pa.table({"url": ["https://h/a"], "key": ["0"]}), out / "00000.parquet")
    assert keys(listed(out)[0], out) == ["00000.tar/000", "00000.tar/001"]
    pq.write_table(pa.table({"url": ["https://h/a"]}), photos / "00000.parquet")
    assert len(listed(photos)[0]) == 6
    (out / "00000.tar").unlink()
    table = {"jpg": [picture_bytes(1)], "caption": ["a"], "url": ["https://h/a"], "width": [3]}
    pq.write_table(pa.table(table), out / "00000.parquet")
    (item,), _ = listed(out)
    assert item.place.read() == picture_bytes(1)
    assert item.metadata == {"url": "https://h/a", "meta_width": 3}


@pytest.fixture
def bucket(picture_bytes, tmp_path, shard):
    """An object store in memory: two pictures, one with a caption, and a tar."""
    files = fsspec.filesystem("memory")
    files.pipe("/b/photos/1.jpg", picture_bytes(1))
    files.pipe("/b/photos/1.txt", b"one")
    files.pipe("/b/photos/in/2.jpg", picture_bytes(2))
    files.pipe("/b/00.tar", shard("00.tar", 5).read_bytes())
    files.pipe("/b/list.csv", b"url\nmemory://b/photos/1.jpg\n")
    yield "memory://b"
    files.rm("/b", recursive=True)


def test_buckets_give_pictures_tars_tables_and_patterns(bucket, listed):
    items, problems = listed(f"{bucket}/photos")
    assert [item.key for item in items] == [
        "memory:///b/photos/1.jpg",
        "memory:///b/photos/in/2.jpg",
    ]
    assert problems == []
    assert items[0].stamp.size == len(items[0].place.read())
    assert items[0].stamp.mtime_ns
    assert read(items[0]).caption == "one"
    items, _ = listed(f"{bucket}/0*.tar")
    assert [read(item).caption for item in items] == ["picture 5", "picture 6"]
    assert [item.key for item in listed(f"{bucket}/list.csv")[0]] == ["memory://b/photos/1.jpg"]


def test_a_bucket_that_cannot_be_listed_is_a_problem(listed):
    items, problems = listed("memory://nowhere/nothing.tar")
    assert items == []
    assert "cannot be read to its end" in problems[0]


def test_a_missing_client_names_the_extra(listed, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingPackageError, match=r'pip install "snaplink\[s3\]"'):
        listed("s3://bucket/photos/")


def test_sources_say_how_many_items_they_have(photos, tmp_path, shard, bucket):
    (photos / "list.txt").write_text("0.jpg\n1.jpg\n", encoding="utf-8")
    pq.write_table(pa.table({"url": ["https://h/a", "https://h/b"]}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("url\nhttps://h/a\n", encoding="utf-8")

    def counts(*names) -> list[int | None]:
        return [source.count() for source in opened(names, Columns())]

    assert counts(photos, photos / "0.jpg", photos / "list.txt") == [6, 1, 2]
    assert counts(shard("00.tar", 0), tmp_path / "a.parquet", tmp_path / "a.csv") == [2, 2, None]
    shard("photos/01.tar", 2)
    assert counts(photos, "https://h/a.jpg", bucket) == [8, 1, None]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_csv_file_in_another_encoding_is_told_from_a_table(listed, tmp_path, name):
    pack = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack("path,größe\na.jpg,1\n".encode("latin-1")))
    with pytest.raises(ArgumentError, match="save it as a CSV file in UTF-8"):
        listed(tmp_path / name)
    (tmp_path / name).write_bytes(pack("path,größe\na.jpg,1\n".encode()))
    assert listed(tmp_path / name)[0][0].metadata == {"größe": 1}
