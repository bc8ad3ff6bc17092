"""The zip container, as far as torch uses it: records that are stored, not compressed.

A parser of its own, since the standard library's builds large objects from a small file and lets
two headers of one record disagree. Only places are read here, never the records themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import CheckpointError
from .budget import Budget
from .source import FileSource

__all__ = ["SIGNATURE", "ZipDirectory", "ZipRecord"]

SIGNATURE = b"PK\x03\x04"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")

_LONGEST_COMMENT = 0xFFFF
_LONGEST_NAME = 1024
_RECORD_COST = 800
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF

_ENCRYPTED, _DESCRIPTOR = 0x0001 | 0x0040 | 0x2000, 0x0008


@dataclass(frozen=True)
class ZipRecord:
    """One file in the archive.

    Attributes:
        header: where its local header starts, in bytes.
        nbytes: its length, as stored.
        checksum: CRC-32 of its bytes; torch writes 0 if told to leave it out.
    """

    name: str
    header: int
    nbytes: int
    unpacked: int
    checksum: int
    flags: int
    method: int


class ZipDirectory:
    """The records of a zip archive by name.

    Raises:
        CheckpointError: the directory is damaged, has a name twice, has more records than a file
            of this size should, or records that overlap.
    """

    def __init__(self, source: FileSource, budget: Budget) -> None:
        self.source = source
        self.records: dict[str, ZipRecord] = {}
        start, nbytes, count = _find_directory(source)
        for record in _read_directory(source, start, nbytes, count, budget):
            if record.name in self.records:
                raise source.damaged(f"it has the record {record.name} twice")
            self.records[record.name] = record
        self._places = self._place_records(start)

    def place(self, name: str) -> tuple[int, int]:
        """First byte and length of a record that is stored as it is.

        Raises:
            CheckpointError: there is no such record, or it is compressed or encrypted.
        """
        record = self.records.get(name)
        if record is None:
            raise self.source.damaged(f"its record {name:.80} is missing")
        if record.flags & _ENCRYPTED:
            raise CheckpointError(
                self.source.path,
                f"its record {name} is encrypted",
                "Unpack it with its password and zip it again without compression.",
            )
        if record.method != 0:
            raise CheckpointError(
                self.source.path,
                f"its record {name} is compressed",
                "torch stores records as they are: unpack the file and zip it again with zip -0.",
            )
        if record.nbytes != record.unpacked:
            raise self.source.damaged(f"its record {name} has two different lengths")
        return self._places[name], record.nbytes

    def read(self, name: str, longest: int) -> bytes:
        """A small record as a whole."""
        start, nbytes = self.place(name)
        if nbytes > longest:
            raise self.source.damaged(f"its record {name} has {nbytes} bytes, which is too long")
        return self.source.read(start, nbytes)

    def checksum(self, name: str) -> int | None:
        """CRC-32 of the record's bytes; None if the file was written without."""
        return self.records[name].checksum or None

    def _place_records(self, directory: int) -> dict[str, int]:
        """Where the bytes of each record start; no two records may share a byte."""
        places = {}
        free = 0
        for record in sorted(self.records.values(), key=lambda record: record.header):
            if record.header < free:
                raise self.source.damaged(f"its record {record.name} overlaps another one")
            places[record.name] = _read_local_header(self.source, record)
            free = places[record.name] + record.nbytes
        if free > directory:
            raise self.source.damaged("its last record overlaps the directory")
        return places


def _find_directory(source: FileSource) -> tuple[int, int, int]:
    """Start, length in bytes and number of records of the central directory."""
    tail_start = max(0, source.size - _END.size - _LONGEST_COMMENT)
    tail = source.read(tail_start, source.size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail):
            fields = _END.unpack_from(tail, at)
            if at + _END.size + fields[-1] == len(tail):
                return _check_directory(source, tail_start + at, fields)
        at = tail.rfind(b"PK\x05\x06", 0, at)
    raise source.damaged("the file ends early: the directory of the zip archive is missing")


def _check_directory(source: FileSource, end: int, fields: tuple[int, ...]) -> tuple[int, int, int]:
    _, disk, first_disk, here, count, nbytes, start, _ = fields
    locator = source.read(end - _LOCATOR64.size, _LOCATOR64.size) if end >= _LOCATOR64.size else b""
    if locator.startswith(b"PK\x06\x07"):
        small = (disk, first_disk, here, count, nbytes, start)
        end = _LOCATOR64.unpack(locator)[2]
        disk, first_disk, here, count, nbytes, start = _read_large_end(source, end, small)
    if disk or first_disk or here != count:
        raise source.damaged("it is one part of a zip archive in several parts")
    if start + nbytes != end:
        raise source.damaged(
            "the directory of the zip archive is not where it should be: bytes were put before the "
            "archive, or cut out of it"
        )
    return start, nbytes, count


def _read_large_end(source: FileSource, end: int, small: tuple[int, ...]) -> tuple[int, ...]:
    """The fields of the zip64 end, whose values may have been too large for the plain one."""
    signature, _, _, _, *large = _END64.unpack(source.read(end, _END64.size))
    full = (_FULL_16,) * 4 + (_FULL_32,) * 2
    agree = all(value in (most, wide) for value, wide, most in zip(small, large, full, strict=True))
    if signature != b"PK\x06\x06" or not agree:
        raise source.damaged("the two ends of the zip archive disagree")
    return tuple(large)


def _read_directory(
    source: FileSource, start: int, nbytes: int, count: int, budget: Budget
) -> Iterator[ZipRecord]:
    # Charged before it is read, so that a directory of any length claimed cannot cost much.
    budget.spend(count * _RECORD_COST)
    budget.spend(nbytes)
    directory = source.read(start, nbytes)
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > nbytes or directory[at : at + 4] != b"PK\x01\x02":
            raise source.damaged("the directory of the zip archive is damaged")
        fields = _CENTRAL.unpack_from(directory, at)
        name_length, extra_length, comment_length = fields[10:13]
        name_start = at + _CENTRAL.size
        extra_start = name_start + name_length
        at = extra_start + extra_length + comment_length
        if at > nbytes or name_length > _LONGEST_NAME:
            raise source.damaged("the directory of the zip archive is damaged")
        yield _record(source, fields, directory[name_start:extra_start], directory[extra_start:at])
    if at != nbytes:
        raise source.damaged("the directory of the zip archive has bytes that nothing explains")


def _record(source: FileSource, fields: tuple[int, ...], letters: bytes, extra: bytes) -> ZipRecord:
    _, _, _, flags, method, _, _, checksum, packed, unpacked = fields[:10]
    disk, header = fields[13], fields[16]
    try:
        name = letters.decode("utf-8")
    except UnicodeDecodeError as error:
        raise source.damaged("a name in the zip archive is not UTF-8") from error
    unpacked, packed, header = _widen(source, name, (unpacked, packed, header), extra)
    if disk not in (0, _FULL_16):
        raise source.damaged("it is one part of a zip archive in several parts")
    return ZipRecord(name, header, packed, unpacked, checksum, flags, method)


def _widen(source: FileSource, name: str, values: tuple[int, ...], extra: bytes) -> tuple[int, ...]:
    """Replace the fields that were too small for their values by those of the zip64 extra."""
    if _FULL_32 not in values:
        return values
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            body = extra[at + 4 : at + 4 + length]
            large = iter([struct.unpack_from("<Q", body, i)[0] for i in range(0, len(body) - 7, 8)])
            widened = tuple(next(large, -1) if v == _FULL_32 else v for v in values)
            if -1 not in widened:
                return widened
        at += 4 + length
    raise source.damaged(f"the length of its record {name} is missing")


def _read_local_header(source: FileSource, record: ZipRecord) -> int:
    """Where the record's bytes start; its two headers must say the same."""
    header = source.read(record.header, _LOCAL.size)
    signature, _, flags, method, _, _, checksum, packed, unpacked, name_length, extra_length = (
        _LOCAL.unpack(header)
    )
    after = record.header + _LOCAL.size
    rest = source.read(after, name_length + extra_length)
    if signature != SIGNATURE or rest[:name_length] != record.name.encode():
        raise _disagreement(source, record)
    sizes = _widen(source, record.name, (unpacked, packed), rest[name_length:])
    # Sizes and checksum may come behind the record instead, and are 0 here then.
    absent = bool(flags & _DESCRIPTOR)
    lengths_agree = sizes == (record.unpacked, record.nbytes) or (absent and sizes == (0, 0))
    checksum_agrees = checksum == record.checksum or (absent and checksum == 0)
    kinds_agree = method == record.method and not (flags ^ record.flags) & _ENCRYPTED
    if not (kinds_agree and lengths_agree and checksum_agrees):
        raise _disagreement(source, record)
    return after + len(rest)


def _disagreement(source: FileSource, record: ZipRecord) -> CheckpointError:
    return source.damaged(f"the two headers of its record {record.name} disagree")
