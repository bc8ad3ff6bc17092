"""safetensors files whose headers lie about the bytes behind them."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

MB = 1 << 20


def _split(kit) -> tuple[dict[str, Any], bytes]:
    content = kit.good["safetensors"]
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _joined(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _changed(kit, **changes: Any) -> bytes:
    header, data = _split(kit)
    header["visual.proj"] |= changes
    return _joined(header, data)


def header_longer_than_the_file(kit) -> bytes:
    content = kit.good["safetensors"]
    return struct.pack("<Q", len(content)) + content[8:]


def header_of_a_terabyte(kit) -> bytes:
    return struct.pack("<Q", (1 << 40) - 1) + kit.good["safetensors"][8:]


def header_that_is_too_long(kit) -> bytes:
    return _joined(b"{" + b" " * (20 * MB) + b"}", b"")


def header_cut_short(kit) -> bytes:
    content = kit.good["safetensors"]
    return struct.pack("<Q", 1000) + content[8:]


def header_of_many_lists(kit) -> bytes:
    return _joined(b'{"a":[' + b"[]," * (2 * MB) + b"[]]}", b"")


def header_of_many_dicts(kit) -> bytes:
    return _joined(b'{"a":[' + b"{}," * (2 * MB) + b"{}]}", b"")


def header_of_deep_lists(kit) -> bytes:
    return _joined(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"")


def header_with_a_huge_number(kit) -> bytes:
    return _joined(b'{"a":' + b"9" * MB + b"}", b"")


def header_that_is_a_list(kit) -> bytes:
    text = b"{}"
    return struct.pack("<Q", len(text) + 2) + text + b",1"


def header_that_is_not_utf_8(kit) -> bytes:
    return _joined(b'{"\xff\xfe":1}', b"")


def name_twice(kit) -> bytes:
    header, data = _split(kit)
    text = json.dumps(header)[:-1] + ', "visual.proj": ' + json.dumps(header["visual.proj"]) + "}"
    return _joined(text.encode(), data)


def name_that_is_long(kit) -> bytes:
    header, data = _split(kit)
    header["x" * 100_000] = header.pop("visual.proj")
    return _joined(header, data)


def name_that_is_half_a_character(kit) -> bytes:
    header, data = _split(kit)
    header["visual.\ud800\x1b[2J"] = header.pop("visual.proj")
    return _joined(header, data)


def entry_that_is_a_number(kit) -> bytes:
    header, data = _split(kit)
    return _joined(header | {"visual.proj": 1}, data)


def entry_without_a_place(kit) -> bytes:
    header, data = _split(kit)
    del header["visual.proj"]["data_offsets"]
    return _joined(header, data)


def entry_with_more(kit) -> bytes:
    return _changed(kit, code="import os")


def place_out_of_the_file(kit) -> bytes:
    return _changed(kit, data_offsets=[0, 1 << 50])


def place_that_is_negative(kit) -> bytes:
    return _changed(kit, data_offsets=[-2048, 0])


def place_that_ends_before_it_begins(kit) -> bytes:
    return _changed(kit, data_offsets=[4096, 2048])


def place_of_three_numbers(kit) -> bytes:
    return _changed(kit, data_offsets=[0, 1, 2])


def place_of_fractions(kit) -> bytes:
    return _changed(kit, data_offsets=[0.0, 2048.0])


def place_of_truths(kit) -> bytes:
    return _changed(kit, data_offsets=[False, True])


def shape_that_does_not_fit(kit) -> bytes:
    return _changed(kit, shape=[64, 9])


def shape_that_is_huge(kit) -> bytes:
    return _changed(kit, shape=[1 << 62, 1 << 62])


def shape_that_is_negative(kit) -> bytes:
    return _changed(kit, shape=[-64, -8])


def shape_that_is_a_text(kit) -> bytes:
    return _changed(kit, shape="64x8")


def shape_of_many_dimensions(kit) -> bytes:
    return _changed(kit, shape=[1] * 100_000)


def dtype_that_nobody_knows(kit) -> bytes:
    return _changed(kit, dtype="F7")


def dtype_that_is_a_number(kit) -> bytes:
    return _changed(kit, dtype=7)


def dtype_of_eight_bits(kit) -> bytes:
    return _changed(kit, dtype="F8_E4M3", shape=[64, 32])


def dtype_of_whole_numbers(kit) -> bytes:
    return _changed(kit, dtype="I32")


def tensor_over_another(kit) -> bytes:
    header, data = _split(kit)
    begin, end = header["visual.proj"]["data_offsets"]
    header["visual.proj"]["data_offsets"] = [begin - 4, end - 4]
    return _joined(header, data)


def all_tensors_at_one_place(kit) -> bytes:
    header, data = _split(kit)
    for entry in header.values():
        begin, end = entry["data_offsets"]
        entry["data_offsets"] = [0, end - begin]
    return _joined(header, data)


def gap_between_tensors(kit) -> bytes:
    header, data = _split(kit)
    first = min(entry["data_offsets"][1] for entry in header.values())
    for entry in header.values():
        begin, end = entry["data_offsets"]
        if begin >= first:
            entry["data_offsets"] = [begin + 8, end + 8]
    return _joined(header, data[:first] + bytes(8) + data[first:])


def bytes_that_nothing_explains(kit) -> bytes:
    return kit.good["safetensors"] + b"more"


def truncated(kit) -> bytes:
    return kit.good["safetensors"][:-1]


def metadata_that_is_a_list(kit) -> bytes:
    header, data = _split(kit)
    return _joined({"__metadata__": ["a"], **header}, data)


ATTACKS = [
    (header_longer_than_the_file, "ends early|too long"),
    (header_of_a_terabyte, "too long"),
    (header_that_is_too_long, "too long"),
    (header_cut_short, "no proper JSON"),
    (header_of_many_lists, "more objects"),
    (header_of_many_dicts, "more objects"),
    (header_of_deep_lists, "no proper JSON|more objects"),
    (header_with_a_huge_number, "no proper JSON"),
    (header_that_is_a_list, "no proper JSON"),
    (header_that_is_not_utf_8, "no proper JSON"),
    (name_twice, "twice"),
    (name_that_is_long, "too long"),
    (name_that_is_half_a_character, "missing|no use"),
    (entry_that_is_a_number, "describes visual.proj wrongly"),
    (entry_without_a_place, "describes visual.proj wrongly"),
    (entry_with_more, "describes visual.proj wrongly"),
    (place_out_of_the_file, "ends early"),
    (place_that_is_negative, "place that makes no sense"),
    (place_that_ends_before_it_begins, "place that makes no sense"),
    (place_of_three_numbers, "place that makes no sense"),
    (place_of_fractions, "place that makes no sense"),
    (place_of_truths, "place that makes no sense"),
    (shape_that_does_not_fit, "does not fit its shape"),
    (shape_that_is_huge, "does not fit its shape"),
    (shape_that_is_negative, "shape or dtype that makes no sense"),
    (shape_that_is_a_text, "shape or dtype that makes no sense"),
    (shape_of_many_dimensions, "shape or dtype that makes no sense"),
    (dtype_that_nobody_knows, "visual.proj is a tensor of dtype F7"),
    (dtype_that_is_a_number, "shape or dtype that makes no sense"),
    (dtype_of_eight_bits, "visual.proj is a tensor of dtype F8_E4M3"),
    (dtype_of_whole_numbers, "visual.proj has the type int32"),
    (tensor_over_another, "overlaps"),
    (all_tensors_at_one_place, "overlaps"),
    (gap_between_tensors, "leaves a gap"),
    (bytes_that_nothing_explains, "does not explain"),
    (truncated, "ends early"),
    (metadata_that_is_a_list, "metadata"),
]


@pytest.mark.parametrize(
    ("attack", "message"), ATTACKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_refused(guard, kit, attack, message: str) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.outcome == "refused"
    guard.assert_says(verdict, message)
    assert verdict.seconds < 10
