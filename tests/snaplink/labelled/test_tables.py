"""CSV and Parquet."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from snaplink import labelled
from snaplink.errors import ArgumentError


def csv_of(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_names_pictures_from_its_own_folder(folders):
    path = csv_of(folders / "t.csv", "\ufeffimage,label\ncat/a.png,tom cat\ncat/b.png,stone\n")
    found = labelled.open(path)
    assert found.class_names == ("stone", "tom cat")
    assert [(s.key, s.labels) for s in found.samples] == [("cat/a.png", (1,)), ("cat/b.png", (0,))]
    assert found.samples[0].picture().size == (12, 10)


def test_other_columns_can_be_chosen(folders):
    path = csv_of(folders / "t.tsv", "where\twhat\ncat/a.png\tx\ncat/b.png\ty\n")
    assert labelled.open(path, picture="where", label="what").class_names == ("x", "y")
    with pytest.raises(ArgumentError, match="no column 'picture' with the pictures, but 'where'"):
        labelled.open(path, label="what")
    with pytest.raises(ArgumentError, match=r"neither a column 'label' nor 'caption'.*--label"):
        labelled.open(path, picture="where")


def test_several_labels_in_a_cell(folders):
    path = csv_of(folders / "t.csv", "path,label\ncat/a.png,x; y\ncat/b.png,\n")
    found = labelled.open(path, separator=";")
    assert found.task == "multilabel"
    assert [s.labels for s in found.samples] == [(0, 1), ()]


def test_captions_of_one_picture_are_gathered(folders):
    path = csv_of(folders / "t.csv", "path,caption\ncat/a.png,one\ncat/b.png,b\ncat/a.png,two\n")
    found = labelled.open(path)
    assert found.task == "retrieval"
    assert [s.captions for s in found.samples] == [("one", "two"), ("b",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,x\n,\n", "'' has no labels: give it one"),
        ("path,label\na.png\n", "line 2: 1 cells under 2 headings"),
        ("path,label\na.png,x\na.png,y\n", "'a.png' is there more than once"),
        ("path,label,label\na.png,x,y\n", "two columns are called 'label': rename one"),
        ("path,label\n", "no labelled picture|only class|no class"),
        ("", "no column 'picture' with the pictures, but none at all"),
        ('path,label\n"a.png,x\n', "cannot be read as a table"),
        ("path,label\na.png,0\nb.png,1\n", "the labels are numbers"),
    ],
)
def test_broken_tables(tmp_path, text, message):
    with pytest.raises(ArgumentError, match=message):
        labelled.open(csv_of(tmp_path / "t.csv", text))


def test_two_columns_of_one_name_in_a_parquet(tmp_path):
    columns = [pa.array(["a.png"]), pa.array(["x"]), pa.array(["y"])]
    pq.write_table(pa.table(columns, ["path", "label", "label"]), tmp_path / "t.parquet")
    with pytest.raises(ArgumentError, match="two columns are called 'label': rename one"):
        labelled.open(tmp_path / "t.parquet")


def test_another_encoding(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("path,label\nä.png,x\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match="not text in UTF-8"):
        labelled.open(path)


def test_a_parquet_of_datasets_holds_bytes_and_the_names(tmp_path, picture):
    features = {"label": {"names": ["blue", "red"]}, "image": {"_type": "Image"}}
    rows = [("red", 1), ("blue", 0), ("red", 1), ("red", 1), ("blue", 0)]
    table = pa.table({
        "image": [{"bytes": picture(colour), "path": None} for colour, _ in rows],
        "label": [number for _, number in rows],
    })  # fmt: skip
    info = json.dumps({"info": {"features": features}})
    pq.write_table(
        table.replace_schema_metadata({"huggingface": info}), tmp_path / "t.parquet",
        row_group_size=2,
    )  # fmt: skip
    found = labelled.open(tmp_path / "t.parquet")
    assert found.class_names == ("blue", "red")
    seen = [sample.picture().getpixel((0, 0)) for sample in found.samples]
    assert seen == [(255, 0, 0) if number else (0, 0, 255) for _, number in rows]


def test_a_parquet_of_paths_and_lists(folders):
    table = pa.table({"file": ["cat/a.png", "cat/b.png"], "label": [["x", "y"], ["y"]]})
    pq.write_table(table, folders / "t.parquet")
    found = labelled.open(folders / "t.parquet")
    assert (found.task, found.samples[0].labels) == ("multilabel", (0, 1))
    assert isinstance(found.samples[0].picture(), Image.Image)
    (folders / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ArgumentError, match="cannot be read as Parquet"):
        labelled.open(folders / "broken.parquet")
