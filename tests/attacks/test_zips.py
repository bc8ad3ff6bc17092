"""Zip archives whose headers lie or disagree, and kinds of archives that torch never writes."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

MB = 1 << 20
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
LOCAL_FIELDS = {"flags": 6, "method": 8, "checksum": 14, "packed": 18, "unpacked": 22, "name": 26}
CENTRAL_FIELDS = {
    "flags": 8,
    "method": 10,
    "checksum": 16,
    "packed": 20,
    "unpacked": 24,
    "name": 28,
    "extra": 30,
    "comment": 32,
    "disk": 34,
    "header": 42,
}


def _records(kit) -> dict[str, bytes]:
    pickled = kit.pickle(kit.dict(kit.entries()))
    storages = {f"data/{key}": content for key, content in kit.storages().items()}
    return {"data.pkl": pickled, **storages}


def _written(kit) -> bytes:
    return kit.zip(_records(kit))


def _patched(content: bytes, signature: bytes, record: str, offset: int, form: str, value: int):
    """Overwrite one field of one header of one record."""
    spoilt = bytearray(content)
    name_at = {LOCAL: 30, CENTRAL: 46}[signature]
    at = -1
    while (at := content.find(signature, at + 1)) >= 0:
        if content[at + name_at :].startswith(record.encode()):
            struct.pack_into(form, spoilt, at + offset, value)
            return bytes(spoilt)
    raise AssertionError(f"no header of {record}")


def _local(kit, field: str, value: int, record: str = "archive/data/visual.proj") -> bytes:
    form = "<H" if field in ("flags", "method", "name") else "<I"
    return _patched(_written(kit), LOCAL, record, LOCAL_FIELDS[field], form, value)


def _central(kit, field: str, value: int, record: str = "archive/data/visual.proj") -> bytes:
    wide = field in ("checksum", "packed", "unpacked", "header")
    form = "<I" if wide else "<H"
    return _patched(_written(kit), CENTRAL, record, CENTRAL_FIELDS[field], form, value)


def _both(kit, field: str, value: int, record: str = "archive/data/visual.proj") -> bytes:
    form = "<H" if field in ("flags", "method") else "<I"
    once = _local(kit, field, value, record)
    return _patched(once, CENTRAL, record, CENTRAL_FIELDS[field], form, value)


def _end(kit, offset: int, form: str, value: int) -> bytes:
    spoilt = bytearray(_written(kit))
    struct.pack_into(form, spoilt, spoilt.rfind(END) + offset, value)
    return bytes(spoilt)


def compressed(kit) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _records(kit).items():
            archive.writestr("archive/" + name, content)
    return file.getvalue()


def zip_bomb_for_a_pickle(kit) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(200 * MB))
    return file.getvalue()


def compressed_says_only_the_directory(kit) -> bytes:
    return _central(kit, "method", 8)


def compressed_says_only_the_record(kit) -> bytes:
    return _local(kit, "method", 8)


def encrypted(kit) -> bytes:
    return _both(kit, "flags", 1)


def encrypted_says_only_the_record(kit) -> bytes:
    return _local(kit, "flags", 1)


def another_length_in_the_record(kit) -> bytes:
    return _local(kit, "unpacked", 4)


def another_length_in_the_directory(kit) -> bytes:
    return _central(kit, "unpacked", 4)


def two_lengths(kit) -> bytes:
    return _both(kit, "unpacked", 4)


def another_checksum_in_the_record(kit) -> bytes:
    return _local(kit, "checksum", 12345)


def wrong_checksum_of_the_pickle(kit) -> bytes:
    return _both(kit, "checksum", 12345, "archive/data.pkl")


def wrong_checksum_of_a_weight(kit) -> bytes:
    return _both(kit, "checksum", 12345)


def flipped_bit_in_a_weight(kit) -> bytes:
    content, weight = _written(kit), kit.storages()["visual.proj"]
    spoilt = bytearray(content)
    spoilt[content.index(weight) + 100] ^= 1
    return bytes(spoilt)


def another_name_in_the_record(kit) -> bytes:
    content = _written(kit)
    at = content.index(b"archive/data/visual.proj")
    return content[:at] + b"archive/data/visual.prok" + content[at + 24 :]


def longer_name_in_the_record(kit) -> bytes:
    return _local(kit, "name", 60_000)


def two_records_of_one_name(kit) -> bytes:
    file = io.BytesIO(_written(kit))
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(file, "a") as archive,
    ):
        archive.writestr("archive/data/visual.proj", bytes(2048))
    return file.getvalue()


def two_names_for_one_place(kit) -> bytes:
    """The second record's entry in the directory points to the first one's header."""
    first = _written(kit).index(LOCAL)
    return _central(kit, "header", first)


def _longer(kit, record: str, nbytes: int) -> bytes:
    """A record that claims to be longer, in both of its headers and both of their lengths."""
    content = _written(kit)
    for signature, fields in ((LOCAL, LOCAL_FIELDS), (CENTRAL, CENTRAL_FIELDS)):
        for field in ("packed", "unpacked"):
            content = _patched(content, signature, record, fields[field], "<I", nbytes)
    return content


def overlapping_records(kit) -> bytes:
    return _longer(kit, "archive/data/visual.proj", 4000)


def record_over_the_directory(kit) -> bytes:
    return _longer(kit, f"archive/data/{list(kit.storages())[-1]}", 100_000)


def header_out_of_the_file(kit) -> bytes:
    return _central(kit, "header", 0xFFFFFFF0)


def part_of_several(kit) -> bytes:
    return _end(kit, 4, "<H", 1)


def record_on_another_disk(kit) -> bytes:
    return _central(kit, "disk", 3)


def fewer_records_than_there_are(kit) -> bytes:
    spoilt = bytearray(_written(kit))
    struct.pack_into("<HH", spoilt, spoilt.rfind(END) + 8, 3, 3)
    return bytes(spoilt)


def more_records_than_there_are(kit) -> bytes:
    spoilt = bytearray(_written(kit))
    struct.pack_into("<HH", spoilt, spoilt.rfind(END) + 8, 60_000, 60_000)
    return bytes(spoilt)


def directory_elsewhere(kit) -> bytes:
    return _end(kit, 16, "<I", 0)


def directory_that_is_huge(kit) -> bytes:
    return _end(kit, 12, "<I", 0xFFFFFFF0)


def many_records(kit) -> bytes:
    """A record costs 80 bytes in the file, and an object in memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(60_000):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    return file.getvalue()


def long_name_of_a_record(kit) -> bytes:
    return kit.zip({"x" * 60_000: b"", "data.pkl": b"N."})


def name_that_is_not_utf_8(kit) -> bytes:
    content = _written(kit)
    return content.replace(b"archive/data/visual.proj", b"archive/data/visual.pr\xff\xfe")


def prefixed_by_another_file(kit) -> bytes:
    return b"#!/bin/sh\necho hello\n" + _written(kit)


def prefixed_by_another_zip(kit) -> bytes:
    return kit.zip({"data.pkl": b"N."}) + _written(kit)


def followed_by_more(kit) -> bytes:
    return _written(kit) + b"more"


def truncated_in_the_middle(kit) -> bytes:
    content = _written(kit)
    return content[: len(content) // 2]


def truncated_by_a_byte(kit) -> bytes:
    return _written(kit)[:-1]


def without_its_middle(kit) -> bytes:
    content = _written(kit)
    return content[:2000] + content[3000:]


def no_pickle(kit) -> bytes:
    return kit.zip({"arr_0.npy": b"\x93NUMPY"})


def two_pickles(kit) -> bytes:
    return kit.zip({"a/data.pkl": b"\x80\x02N.", "b/data.pkl": b"\x80\x02N."}, folder="")


def byte_order_of_its_own(kit) -> bytes:
    return kit.zip({**_records(kit), "byteorder": b"middle"})


def byte_order_that_is_long(kit) -> bytes:
    return kit.zip({**_records(kit), "byteorder": b"little" * MB})


def empty_archive(kit) -> bytes:
    return kit.zip({})


def zip64_end_that_disagrees(kit) -> bytes:
    content = kit.good["zip"]
    spoilt = bytearray(content)
    struct.pack_into("<Q", spoilt, content.rfind(b"PK\x06\x06") + 48, 7)
    return bytes(spoilt)


def zip64_end_out_of_the_file(kit) -> bytes:
    content = kit.good["zip"]
    spoilt = bytearray(content)
    struct.pack_into("<Q", spoilt, content.rfind(b"PK\x06\x07") + 8, 2**63)
    return bytes(spoilt)


def zip64_length_that_is_missing(kit) -> bytes:
    return _both(kit, "unpacked", 0xFFFFFFFF)


ATTACKS = [
    (compressed, "is compressed"),
    (zip_bomb_for_a_pickle, "is compressed"),
    (compressed_says_only_the_directory, "disagree"),
    (compressed_says_only_the_record, "disagree"),
    (encrypted, "is encrypted"),
    (encrypted_says_only_the_record, "disagree"),
    (another_length_in_the_record, "disagree"),
    (another_length_in_the_directory, "disagree"),
    (two_lengths, "two different lengths"),
    (another_checksum_in_the_record, "disagree"),
    (wrong_checksum_of_the_pickle, "do not fit their checksum"),
    (wrong_checksum_of_a_weight, "do not fit their checksum"),
    (flipped_bit_in_a_weight, "do not fit their checksum"),
    (another_name_in_the_record, "disagree"),
    (longer_name_in_the_record, "disagree"),
    (two_records_of_one_name, "twice"),
    (two_names_for_one_place, "overlaps"),
    (overlapping_records, "overlaps"),
    (record_over_the_directory, "overlaps"),
    (header_out_of_the_file, "ends early"),
    (part_of_several, "several parts"),
    (record_on_another_disk, "several parts"),
    (fewer_records_than_there_are, "nothing explains"),
    (more_records_than_there_are, "more objects"),
    (directory_elsewhere, "not where it should be"),
    (directory_that_is_huge, "not where it should be"),
    (many_records, "more objects"),
    (long_name_of_a_record, "directory .* is damaged"),
    (name_that_is_not_utf_8, "not UTF-8"),
    (prefixed_by_another_file, "no checkpoint"),
    (prefixed_by_another_zip, "not where it should be"),
    (followed_by_more, "directory .* is missing"),
    (truncated_in_the_middle, "ends early"),
    (truncated_by_a_byte, "ends early"),
    (without_its_middle, "not where it should be"),
    (no_pickle, "no data.pkl"),
    (two_pickles, "more than one data.pkl"),
    (byte_order_of_its_own, "byte order"),
    (byte_order_that_is_long, "too long"),
    (empty_archive, "empty"),
    (zip64_end_that_disagrees, "disagree"),
    (zip64_end_out_of_the_file, "ends early"),
    (zip64_length_that_is_missing, "is missing"),
]


@pytest.mark.parametrize(
    ("attack", "message"), ATTACKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_refused(guard, kit, attack, message: str) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.outcome == "refused"
    guard.assert_says(verdict, message)
    assert verdict.seconds < 10


# Unusual, and right


def no_folder(kit) -> bytes:
    return kit.zip(_records(kit), folder="")


def misaligned_records(kit) -> bytes:
    """Python's zipfile writes records side by side: no weight starts at a multiple of 4 bytes."""
    return kit.zip({"x": b"1", **_records(kit)})


def with_a_comment(kit) -> bytes:
    file = io.BytesIO(_written(kit))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"PK\x05\x06 is not the end yet"
    return file.getvalue()


def zip64_records(kit) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in _records(kit).items():
            with archive.open("archive/" + name, "w", force_zip64=True) as record:
                record.write(content)
    return file.getvalue()


def without_checksums(kit) -> bytes:
    content = _written(kit)
    for name in ("archive/data.pkl", "archive/data/visual.proj"):
        content = _patched(content, LOCAL, name, LOCAL_FIELDS["checksum"], "<I", 0)
        content = _patched(content, CENTRAL, name, CENTRAL_FIELDS["checksum"], "<I", 0)
    return content


def big_endian(kit) -> bytes:
    swapped = {
        name: value.float().numpy().astype(">f4").tobytes() for name, value in kit.weights.items()
    }
    storages = {f"data/{key}": content for key, content in swapped.items()}
    return kit.zip({**_records(kit), **storages, "byteorder": b"big"})


def damaged_where_nobody_reads(kit) -> bytes:
    """The code of an archive is never looked at, whatever it holds."""
    return kit.zip({**_records(kit), "code/__torch__.py": b"import os", "constants.pkl": b"cos\n"})


@pytest.mark.parametrize(
    "make",
    [
        *(no_folder, misaligned_records, with_a_comment, zip64_records, without_checksums),
        *(big_endian, damaged_where_nobody_reads),
    ],
)
def test_loads(guard, kit, make) -> None:
    verdict = guard.load(make(kit))
    assert verdict.digest == kit.digest, verdict.message
