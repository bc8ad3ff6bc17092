"""The zip parser, against Python's own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip.checkpoint.budget import Budget
from clip.checkpoint.source import FileSource
from clip.checkpoint.zip import ZipDirectory
from clip.errors import CheckpointError

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


def directory(content: bytes) -> ZipDirectory:
    source = FileSource(io.BytesIO(content))
    return ZipDirectory(source, Budget(source.path, source.size))


def zipped(records: dict[str, bytes], *, comment: bytes = b"", zip64: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, content in records.items():
            with written.open(zipfile.ZipInfo(name), "w", force_zip64=zip64) as record:
                record.write(content)
        written.comment = comment
    return file.getvalue()


@given(
    st.dictionaries(NAMES.filter(lambda name: "\\" not in name), st.binary(max_size=100)),
    st.binary(max_size=50),
    st.booleans(),
)
def test_records_are_where_python_finds_them(
    records: dict[str, bytes], comment: bytes, zip64: bool
) -> None:
    if b"PK" in comment:
        comment = b""
    found = directory(zipped(records, comment=comment, zip64=zip64))
    assert found.records.keys() == records.keys()
    for name, content in records.items():
        assert found.read(name, longest=100) == content


def test_archives_of_torch(archive: Path) -> None:
    """`torch.jit.save` compresses its code, and leaves lengths to what follows a record."""
    found = directory(archive.read_bytes())
    with zipfile.ZipFile(archive) as python_s:
        assert found.records.keys() == set(python_s.namelist())
        for record in python_s.infolist():
            if record.compress_type == zipfile.ZIP_STORED:
                content = python_s.read(record)
                assert found.read(record.filename, longest=10**6) == content
                assert found.checksum(record.filename) == (record.CRC or None)
            else:
                with pytest.raises(CheckpointError, match="is compressed"):
                    found.place(record.filename)


def test_a_record_longer_than_expected() -> None:
    with pytest.raises(CheckpointError, match="which is too long"):
        directory(zipped({"a": b"12345"})).read("a", longest=4)


def test_a_record_that_is_missing() -> None:
    with pytest.raises(CheckpointError, match="its record b is missing"):
        directory(zipped({"a": b""})).place("b")
