"""Files that are no checkpoints, and what is no file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import struct
import tarfile
from pathlib import Path

import pytest


def empty(kit) -> bytes:
    return b""


def one_byte(kit) -> bytes:
    return b"P"


def html_page(kit) -> bytes:
    return b"\n<!DOCTYPE html><html><head><title>Sign in</title>"


def xml_error(kit) -> bytes:
    return b'\xef\xbb\xbf<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code></Error>'


def git_lfs_pointer(kit) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:40d365\nsize 353976522\n"


def json_error(kit) -> bytes:
    return b'{"error": "Repository not found"}'


def json_config(kit) -> bytes:
    return b'{\n  "architectures": ["CLIPModel"]\n}'


def zeros(kit) -> bytes:
    """What a download leaves that reserved its place and then stopped."""
    return bytes(100_000)


def gzipped(kit) -> bytes:
    return gzip.compress(kit.good["zip"])


def bzipped(kit) -> bytes:
    return bz2.compress(kit.good["zip"])


def xz(kit) -> bytes:
    return lzma.compress(kit.good["zip"])


def tar(kit) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def hdf5(kit) -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(100)


def gguf(kit) -> bytes:
    return b"GGUF\x03\0\0\0"


def numpy_array(kit) -> bytes:
    return b"\x93NUMPY\x01\0"


def jpeg(kit) -> bytes:
    return b"\xff\xd8\xff\xe0\0\x10JFIF"


def text(kit) -> bytes:
    return b"hello\n" * 1000


def random_bytes(kit) -> bytes:
    return bytes(range(255, 0, -1)) * 100


def legacy_with_another_version(kit) -> bytes:
    return kit.good["legacy"].replace(b"M\xe9\x03.", b"M\xea\x03.", 1)


def legacy_with_another_magic_number(kit) -> bytes:
    return kit.good["legacy"].replace(b"\x6c\xfc\x9c\x46", b"\x6d\xfc\x9c\x46", 1)


def legacy_without_storages(kit) -> bytes:
    content = kit.good["legacy"]
    return content[: content.index(b"]q\0(X")] + b"]."


def _view(kit, of: str, start: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A tensor on the part of a storage from `start` to its end, as torch 0.3 wrote it."""
    total = kit.weights[of].numel()
    part = kit.tuple(kit.text(f"{of} from {start}"), kit.number(start), kit.number(total - start))
    kind = (kit.text("storage"), kit.name("torch", "FloatStorage"))
    storage = kit.tuple(*kind, kit.text(of), kit.text("cpu"), kit.number(total), part) + b"Q"
    place = (b"K\0", kit.numbers(*shape), kit.numbers(*stride))
    return kit.call("torch._utils", "_rebuild_tensor", storage, *place)


def legacy_view_out_of_its_storage(kit) -> bytes:
    view = _view(kit, "visual.proj", 1, (64, 8), (8, 1))
    return kit.legacy(kit.pickle(kit.dict(kit.entries() | {"visual.proj": view})), kit.storages())


def legacy_views_of_one_storage(kit) -> bytes:
    """Fifty layers on one storage, each from an element of its own."""
    largest = "transformer.resblocks.0.mlp.c_fc.weight"
    entries = kit.entries()
    for name, value in kit.weights.items():
        if ".resblocks.0." in name and value.numel() < kit.weights[largest].numel() - 50:
            for layer in range(1, 50):
                view = _view(kit, largest, layer, tuple(value.shape), value.stride())
                entries[name.replace(".0.", f".{layer}.")] = view
        elif ".resblocks.0." in name:
            for layer in range(1, 50):
                entries[name.replace(".0.", f".{layer}.")] = entries[name]
    return kit.legacy(kit.pickle(kit.dict(entries)), kit.storages())


def legacy_truncated_in_the_weights(kit) -> bytes:
    return kit.good["legacy"][:-1]


def legacy_truncated_in_the_pickle(kit) -> bytes:
    return kit.good["legacy"][:1000]


def legacy_with_another_count(kit) -> bytes:
    """The first storage claims to be longer than the tensor says."""
    content = kit.good["legacy"]
    names = content.rindex(b"e.", 0, content.index(_storage_bytes(kit)))
    spoilt = bytearray(content)
    struct.pack_into("<q", spoilt, names + 2, 2**40)
    return bytes(spoilt)


def legacy_with_a_negative_count(kit) -> bytes:
    content = kit.good["legacy"]
    names = content.rindex(b"e.", 0, content.index(_storage_bytes(kit)))
    spoilt = bytearray(content)
    struct.pack_into("<q", spoilt, names + 2, -1)
    return bytes(spoilt)


def _storage_bytes(kit) -> bytes:
    """Those of the first storage in the file, by whichever weight has them."""
    content = kit.good["legacy"]
    found = [
        (content.index(raw), raw)
        for raw in (weight.numpy().tobytes() for weight in kit.weights.values())
        if len(raw) > 2000
    ]
    return min(found)[1]


ATTACKS = [
    (empty, "the file is empty"),
    (one_byte, "no checkpoint"),
    (html_page, "HTML or XML page"),
    (xml_error, "HTML or XML page"),
    (git_lfs_pointer, "Git LFS pointer.*git lfs pull"),
    (json_error, "JSON text"),
    (json_config, "JSON text"),
    (zeros, "nothing but zeros"),
    (gzipped, "gzip archive"),
    (bzipped, "bzip2 archive"),
    (xz, "xz archive"),
    (tar, "before 0.1.10.*save it again"),
    (hdf5, "HDF5"),
    (gguf, "GGUF"),
    (numpy_array, "numpy array"),
    (jpeg, "JPEG"),
    (text, "no checkpoint"),
    (random_bytes, "no checkpoint"),
    (legacy_with_another_version, "version"),
    (legacy_with_another_magic_number, "not written by torch.save"),
    (legacy_without_storages, "is missing"),
    (legacy_view_out_of_its_storage, "out of its storage"),
    (legacy_views_of_one_storage, "share storages"),
    (legacy_truncated_in_the_weights, "ends early"),
    (legacy_truncated_in_the_pickle, "ends early"),
    (legacy_with_another_count, "elements, expected are"),
    (legacy_with_a_negative_count, "elements, expected are"),
]


@pytest.mark.parametrize(
    ("attack", "message"), ATTACKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_refused(guard, kit, attack, message: str) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.outcome == "refused"
    guard.assert_says(verdict, message)
    assert verdict.seconds < 10


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.pt")
    return folder / "pipe.pt"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(folder / "s"))
    return folder / "s"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (_pipe, "this is a pipe"),
        (_socket, "this is a socket"),
        (lambda folder: Path("/dev/zero"), "this is a device"),
        (lambda folder: Path("/proc/self/status"), "the file is empty"),
        (lambda folder: folder / "missing.pt", "cannot be opened"),
        (lambda folder: folder, "neither config.json nor"),
        (lambda folder: folder / ("x" * 500), "cannot be opened"),
        (lambda folder: folder / "nul\0.pt", "cannot be opened"),
    ],
    ids=["pipe", "socket", "device", "proc", "missing", "directory", "long name", "nul"],
)
def test_what_is_no_file_is_refused(guard, tmp_path, place, message: str) -> None:
    verdict = guard.load(place(tmp_path))
    assert verdict.outcome == "refused"
    guard.assert_says(verdict, message)
    assert verdict.seconds < 2
