"""Parquet and CSV files, a row an item: a column of paths, URLs or bytes, and one of captions."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from snaplink.errors import ArgumentError, PictureError

from ..items import Item, Stamp
from ..metadata import flattened
from ..places import Inline, Remote, as_text
from ..remote import open_any
from .files import address, found_in, stamp_of
from .source import Columns, Report, Source

__all__ = ["ENDINGS", "Table"]

ENDINGS = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")

# By which a column is recognised, the first one first.
# fmt: off
_PICTURES = [
    "bytes", "image_bytes", "jpg", "jpeg", "png", "webp", "image", "img", "picture",
    "path", "image_path", "file_path", "filepath", "file", "filename", "file_name",
    "url", "image_url",
]
# fmt: on
_TEXTS = ["caption", "text", "txt", "title", "description", "alt_text", "alt"]
_ROWS = 256  # at a time; they may hold pictures


class Table(Source):
    """A table, wherever it is.

    Raises:
        ArgumentError: it cannot be opened, or it is not clear which column is what.
    """

    def __init__(self, name: str, columns: Columns) -> None:
        self.address = name if "://" in name else address(name)
        self._columns = columns
        self._copy: str | None = None
        self._picture, self._text = self._found(columns)

    def count(self) -> int | None:
        if not self.address.endswith(".parquet"):
            return None
        with open_any(self.address) as file:
            return int(pq.ParquetFile(file).metadata.num_rows)

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self.address}#")

    def items(self, report: Report) -> Iterator[Item]:
        row = 0
        try:
            with self._batches() as batches:
                for batch in batches:
                    for values in batch.to_pylist():
                        yield self._item(row, values)
                        row += 1
        except (OSError, pa.ArrowException) as error:
            problem = str(error).partition("\n")[0]
            report(PictureError(self.address, f"cannot be read beyond row {row:,} ({problem})"))

    def _item(self, row: int, values: dict[str, Any]) -> Item:
        here = f"{self.address}#{row}"
        picture = values.pop(self._picture, None) if self._picture else None
        caption = values.pop(self._text, None) if self._text else None
        caption = None if caption is None else str(caption)
        rest = flattened(values)
        if isinstance(picture, Mapping):  # as the library `datasets` stores pictures
            picture = picture.get("bytes") or picture.get("path")
        if isinstance(picture, bytes):
            stamp = Stamp(len(picture), self._time)
            return Item(here, Inline(here, picture), stamp, caption, rest)
        if not picture:
            return Item(here, None, Stamp(None, self._time), caption, rest)
        if "://" in str(picture):
            return Item(str(picture), Remote(str(picture)), Stamp(), caption, rest)
        file = found_in(str(picture), self.address.rpartition("/")[0], ".")
        return Item(as_text(file.address), file, stamp_of(file), caption, rest)

    def _found(self, wanted: Columns) -> tuple[str | None, str | None]:
        """The names of the columns of pictures and captions."""
        try:
            with self._batches() as batches:
                names = batches.schema.names
        except FileNotFoundError:
            raise ArgumentError(f"there is no file {self.address!r}") from None
        except (OSError, pa.ArrowException) as error:
            problem = str(error).partition("\n")[0]
            raise ArgumentError(f"{self.address} is no table that can be read: {problem}") from None
        except UnicodeDecodeError:
            raise ArgumentError(
                f"{self.address} is no table that can be read: the names of its columns are not "
                "in UTF-8; save it as a CSV file in UTF-8"
            ) from None
        picture = self._chosen("picture", wanted.picture, _PICTURES, names, wanted.images)
        text = self._chosen("text", wanted.text, _TEXTS, names, wanted.texts)
        return picture, text

    def _chosen(
        self, kind: str, given: str | None, usual: list[str], names: list[str], needed: bool
    ) -> str | None:
        if given is None:
            lower = {name.lower(): name for name in reversed(names)}
            given = next((lower[name] for name in usual if name in lower), None)
        elif given not in names:
            raise ArgumentError(f"{self.address} has no column {given!r}, but {', '.join(names)}")
        if given is None and needed:
            raise ArgumentError(
                f"{self.address} has the columns {', '.join(names)}: say which one holds the "
                f"{'captions' if kind == 'text' else 'pictures'} by --{kind}-column NAME"
            )
        return given

    @contextmanager
    def _batches(self) -> Iterator[Any]:
        """What gives record batches and has a schema."""
        with open_any(self.address) as file:
            if self.address.endswith(".parquet"):
                table = pq.ParquetFile(file)
                yield pa.RecordBatchReader.from_batches(
                    table.schema_arrow, table.iter_batches(_ROWS)
                )
                return
            # What pyarrow reads must not be Python's: its threads may read ahead until Python has
            # ended, and abort the process if they need Python for it.
            stream = self._copied(file) if "://" in self.address else self.address
            tabs = self.address.endswith((".tsv", ".tsv.gz"))
            yield pyarrow.csv.open_csv(
                stream,
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter="\t" if tabs else ",", newlines_in_values=True
                ),
                # Names such as 0012 are no numbers.
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(
                        (*self._columns.given, *_PICTURES, *_TEXTS), pa.string()
                    )
                ),
            )

    def _copied(self, file: BinaryIO) -> str:
        """A copy on this machine, made once, which goes when this table does."""
        if self._copy is None:
            folder = tempfile.mkdtemp(prefix="snaplink-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            ending = ".gz" if self.address.endswith(".gz") else ""
            path = Path(folder, f"table{ending}")
            with path.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
            self._copy = str(path)
        return self._copy

    @cached_property
    def _time(self) -> int | None:
        return None if "://" in self.address else Path(self.address).stat().st_mtime_ns
