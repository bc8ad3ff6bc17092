"""Out into clip-retrieval's layout and back; tests/oracles/ asks its own reader and writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snaplink.errors import ArgumentError
from snaplink.fingerprint import Fingerprint
from snaplink.store import Store, Writer, embedding_column
from snaplink.store.clip_retrieval_export import export
from snaplink.store.clip_retrieval_import import Layout

Writers = Callable[..., Writer]
KEYS = [f"{number:02}" for number in range(25)]


@pytest.fixture
def store(path: Path, writer: Writers, rows: Callable[..., pa.Table]) -> Store:
    captions = [f"photo {key}" if int(key) % 5 else None for key in KEYS]
    texts = rows(KEYS)["image_embedding"].combine_chunks()
    missing = np.array([caption is None for caption in captions])
    vectors = texts.values.to_numpy().reshape(-1, 4)
    with writer(modalities=("image", "text"), rows_per_shard=6) as opened:
        opened.append(
            rows(
                KEYS,
                caption=captions,
                licence=["CC0"] * 25,
                text_embedding=embedding_column(vectors[:, ::-1], missing=missing),
            )
        )
    return Store.open(path)


def test_the_layout(store: Store, tmp_path: Path):
    out = tmp_path / "out"
    done = export(store, out, rows_per_file=10)
    assert (done.rows, done.partitions, done.missing) == (25, 3, {"image": 0, "text": 5})
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*.*")) == [
        *(str(Path("img_emb") / f"img_emb_{n}.npy") for n in range(3)),
        *(str(Path("metadata") / f"metadata_{n}.parquet") for n in range(3)),
        *(str(Path("text_emb") / f"text_emb_{n}.npy") for n in range(3)),
    ]
    images = np.concatenate([np.load(out / f"img_emb/img_emb_{n}.npy") for n in range(3)])
    np.testing.assert_array_equal(images, store.to_numpy())
    assert images.dtype == np.float16
    texts = np.concatenate([np.load(out / f"text_emb/text_emb_{n}.npy") for n in range(3)])
    assert (texts[::5] == 0).all()
    np.testing.assert_array_equal(texts[1], store.to_numpy("text")[1])
    metadata = pq.read_table(out / "metadata" / "metadata_2.parquet")
    assert metadata.column_names[:2] == ["image_path", "caption"]
    assert metadata["image_path"].to_pylist() == KEYS[20:]
    assert metadata["caption"].to_pylist()[:2] == ["", "photo 21"]
    assert "sha256" not in metadata.column_names
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize(("count", "name"), [(1, "0"), (2, "0"), (9, "0"), (13, "00"), (25, "00")])
def test_numbers_are_padded_as_theirs(store: Store, tmp_path: Path, count: int, name: str):
    export(store, tmp_path / "out", rows_per_file=-(-25 // count))
    assert (tmp_path / "out" / "img_emb" / f"img_emb_{name}.npy").exists()


def test_raw_vectors_get_length_1(path: Path, fingerprint: Fingerprint, tmp_path: Path):
    matrix = np.array([[3, 0, 4, 0], [0, 0, 0, 0]], np.float32)
    with Writer(path, replace(fingerprint, normalized=False), dim=4, dtype="float32") as writer:
        writer.append(pa.table({"key": ["a", "b"], "image_embedding": embedding_column(matrix)}))
    export(Store.open(path), tmp_path / "out")
    written = np.load(tmp_path / "out" / "img_emb" / "img_emb_0.npy")
    np.testing.assert_allclose(written, [[0.6, 0, 0.8, 0], [0, 0, 0, 0]], atol=1e-3)


def test_nothing_is_overwritten_and_nothing_left_half(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    out.mkdir()
    export(store, out)
    with pytest.raises(ArgumentError, match="name a new directory"):
        export(store, Path())
    with pytest.raises(ArgumentError, match="is there already"):
        export(store, out)
    monkeypatch.setattr(pq, "write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(store, tmp_path / "other")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "store"]


def test_an_empty_store_has_nothing_to_export(writer: Writers, path: Path, tmp_path: Path):
    writer().close()
    with pytest.raises(ArgumentError, match="no rows"):
        export(Store.open(path), tmp_path / "out")


@pytest.fixture
def imported(tmp_path: Path, fingerprint: Fingerprint) -> Callable[..., Store]:
    """Reads a layout into a store of its own."""

    def read(layout: Layout, **options: Any) -> Store:
        path = tmp_path / "imported"
        modalities = layout.modalities
        with Writer(path, fingerprint, dim=layout.dim, modalities=modalities) as writer:
            layout.read_into(writer, **options)
        return Store.open(path)

    return read


def test_there_and_back(store: Store, tmp_path: Path, imported: Callable[..., Store]):
    export(store, tmp_path / "out", rows_per_file=10)
    layout = Layout(tmp_path / "out")
    assert (layout.rows, layout.dim, layout.modalities) == (25, 4, ("image", "text"))
    again = imported(layout)
    np.testing.assert_allclose(again.to_numpy(), store.to_numpy(), atol=1e-3)
    np.testing.assert_allclose(again.to_numpy("text"), store.to_numpy("text"), atol=1e-3)
    table = again.table()
    assert table["key"].to_pylist() == KEYS
    assert table["licence"].to_pylist() == ["CC0"] * 25
    assert table["width"].to_pylist() == [640] * 25
    assert again.verify() == []


def test_an_import_goes_on(
    store: Store, tmp_path: Path, imported: Callable[..., Store], writer: Writers
):
    export(store, tmp_path / "out", rows_per_file=10)
    layout = Layout(tmp_path / "out")
    part = imported(layout)
    with Writer(part.path, part.fingerprint, dim=4, modalities=("image", "text")) as opened:
        opened.delete(KEYS[3:20])
        done = layout.read_into(opened)
    assert (done.added, done.known, done.failed) == (17, 8, 0)
    assert sorted(Store.open(part.path).table(["key"])["key"].to_pylist()) == KEYS


def laid_out(folder: Path, table: dict[str, Any], matrix: np.ndarray) -> Path:
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "img_emb" / "img_emb_0.npy", matrix)
    pq.write_table(pa.table(table), folder / "metadata" / "metadata_0.parquet")
    return folder


def test_columns_that_clash_get_other_names(tmp_path: Path, imported: Callable[..., Store]):
    table = {
        "image_path": ["a", "b"],
        "key": ["0001", "0002"],
        "width": ["wide", "narrow"],
        "height": [3, 4],
        "size": ["large", "small"],
        "Source": ["x", "y"],  # in SQL the same name as source
        "url": ["http://a", "http://b"],
    }
    read = imported(Layout(laid_out(tmp_path / "in", table, np.eye(2, 4, dtype=np.float16))))
    assert read.table().select(
        ["key", "source", "width", "height"]
        + [f"original_{name}" for name in ("key", "width", "size", "Source")]
    ).to_pylist()[1] == {
        "key": "b",
        "source": "b",
        "width": None,
        "height": 4,
        "original_key": "0002",
        "original_width": "narrow",
        "original_size": "small",
        "original_Source": "y",
    }


def test_another_column_may_name_the_rows(tmp_path: Path, imported: Callable[..., Store]):
    table = {"image_path": ["same", "same"], "url": ["http://a", "http://b"]}
    layout = Layout(laid_out(tmp_path / "in", table, np.eye(2, 4, dtype=np.float16)))
    with pytest.raises(ArgumentError, match=r"two rows 'same'.*--key"):
        imported(layout)
    with pytest.raises(ArgumentError, match="no column 'link': there are image_path, url"):
        imported(layout, key="link")
    read = imported(layout, key="url")
    assert read.table(["key"])["key"].to_pylist() == ["http://a", "http://b"]


def test_rows_without_a_name_are_numbered(tmp_path: Path, imported: Callable[..., Store]):
    layout = laid_out(tmp_path / "in", {"n": [1, 2]}, np.eye(2, 4, dtype=np.float16))
    assert imported(Layout(layout)).table(["key"])["key"].to_pylist() == ["0:0", "0:1"]


def test_vectors_of_zeros_are_none(tmp_path: Path, imported: Callable[..., Store]):
    matrix = np.array([[0, 0, 0, 0], [0, 5, 0, 0], [np.nan] * 4], np.float16)
    read = imported(Layout(laid_out(tmp_path / "in", {"image_path": list("abc")}, matrix)))
    assert read.table(["key"])["key"].to_pylist() == ["b"]
    assert read.to_numpy().tolist() == [[0, 1, 0, 0]]
    assert sorted(read.failures()) == ["a", "c"]


def break_nothing_there(folder: Path) -> None:
    (folder / "metadata" / "metadata_0.parquet").unlink()


def break_metadata(folder: Path) -> None:
    (folder / "metadata" / "metadata_0.parquet").write_bytes(b"no parquet")


def break_count(folder: Path) -> None:
    np.save(folder / "img_emb" / "img_emb_0.npy", np.eye(3, 4, dtype=np.float16))


def break_npy(folder: Path) -> None:
    (folder / "img_emb" / "img_emb_0.npy").write_bytes(b"no array")


def break_pickle(folder: Path) -> None:
    np.save(folder / "img_emb" / "img_emb_0.npy", np.array([{}, {}], object))


def break_number(folder: Path) -> None:
    (folder / "img_emb" / "img_emb_0.npy").rename(folder / "img_emb" / "img_emb_1.npy")


@pytest.mark.parametrize(
    "broken",
    [break_nothing_there, break_metadata, break_count, break_npy, break_pickle, break_number],
)
def test_a_directory_that_is_not_in_this_layout(tmp_path: Path, broken: Callable[[Path], None]):
    folder = laid_out(tmp_path / "in", {"image_path": ["a", "b"]}, np.eye(2, 4, dtype=np.float16))
    broken(folder)
    with pytest.raises(ArgumentError):
        Layout(folder)
