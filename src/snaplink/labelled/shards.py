"""webdataset shards: tar files of pictures, each beside its label or captions."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snaplink.errors import ArgumentError

from .classes import Classes, ClassNames, classes
from .data import Labelled, Sample, Task
from .folders import split_of

__all__ = ["are_shards", "read"]

_PICTURES = ("webp", "png", "jpg", "jpeg")
_LARGEST_LABEL = 1 << 20


@dataclass(frozen=True)
class Slice:
    """A picture's bytes within a shard."""

    path: Path
    start: int
    size: int

    def __call__(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclass
class _Group:
    """The members of one sample."""

    key: str
    picture: Slice | None
    texts: dict[str, bytes]


def are_shards(data: Path) -> bool:
    """Whether this is a shard, a folder of shards or the folder of their parts."""
    if data.is_file():
        return data.name.endswith((".tar", ".tar.gz", ".tgz"))
    return bool(next(data.glob("*.tar"), None) or next(data.glob("*/*.tar"), None))


def read(
    data: Path,
    name: str,
    *,
    task: Task | None = None,
    split: str | None = None,
    class_names: ClassNames | None = None,
    published: bool = False,
) -> Labelled:
    """Labelled pictures of shards; see `door.open`."""
    folder = data.parent if data.is_file() else data
    shards = [data] if data.is_file() else _shards(_part(data, split))
    told = _lines(folder, shards[0].parent, "dataset_type.txt")
    groups = [group for shard in shards for group in _groups(shard, several=len(shards) > 1)]
    task = task or _task(told, groups)
    if task == "retrieval":
        samples = [Sample(g.key, g.picture, captions=_captions(g)) for g in groups]
        return Labelled(name, task, samples)
    known_names = class_names or _lines(folder, shards[0].parent, "classnames.txt") or None
    templates = _lines(folder, shards[0].parent, "zeroshot_classification_templates.txt")
    if task == "multilabel":
        marks = [_marks(group) for group in groups]
        known = classes([str(i) for i in range(max(map(len, marks)))], known_names, numbers=True)
        labels = [tuple(int(i) for i in np.flatnonzero(row)) for row in marks]
    else:
        texts = [_text(group, "cls") for group in groups]
        known = _known(texts, known_names, published or not class_names)
        labels = [(known.positions[text],) for text in texts]
    samples = [Sample(g.key, g.picture, each) for g, each in zip(groups, labels, strict=True)]
    return Labelled(name, task, samples, known.names, known.synonyms, tuple(templates))


def _known(texts: list[str], names: ClassNames | None, published: bool) -> Classes:
    numbers = all(text.isdecimal() for text in texts)
    return classes(texts, names, numbers=numbers, published=published)


def _part(folder: Path, split: str | None) -> Path:
    if next(folder.glob("*.tar"), None) and not split:
        return folder
    return split_of(folder, split or ("test" if (folder / "test").is_dir() else None))


def _shards(folder: Path) -> list[Path]:
    """Those that nshards.txt counts, or all of them in the order of their numbers."""
    count = _lines(folder, folder, "nshards.txt")
    if count:
        if not count[0].isdecimal():
            raise ArgumentError(f"{folder / 'nshards.txt'}: {count[0]!r} is no number of shards")
        shards = [folder / f"{i}.tar" for i in range(int(count[0]))]
        missing = [shard.name for shard in shards if not shard.is_file()]
        if missing:
            raise ArgumentError(
                f"{folder}: nshards.txt speaks of {len(shards)} shards, but {missing[0]} is missing"
            )
        return shards

    def order(path: Path) -> list[tuple[int, str]]:
        return [(int(part or 0), "") if part.isdecimal() else (0, part)
                for part in re.split(r"(\d+)", path.name)]  # fmt: skip

    shards = sorted(folder.glob("*.tar"), key=order)
    if not shards:
        raise ArgumentError(f"{folder}: no shards (.tar) in it")
    return shards


def _lines(folder: Path, part: Path, name: str) -> list[str]:
    """A text file's lines that are not blank; none if there is no such file."""
    path = next((p for p in (part / name, folder / name, part.parent / name) if p.is_file()), None)
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ArgumentError(f"{path} is not text in UTF-8: save it as such") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _groups(shard: Path, *, several: bool) -> Iterator[_Group]:
    """A shard's samples. Only headers and labels are read."""
    group: _Group | None = None
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                folder, _, file = member.name.rpartition("/")
                stem, _, ending = file.partition(".")
                key = "/".join(filter(None, (shard.stem if several else "", folder, stem)))
                if group is None or group.key != key:
                    if group is not None:
                        yield group
                    group = _Group(key, None, {})
                _put(group, shard, tar, member, ending.lower())
            # tarfile takes a file that was cut between two members for a whole one.
            if shard.stat().st_size < tar.offset + tarfile.BLOCKSIZE:
                raise tarfile.ReadError("it ends without a tar's last block")
    except tarfile.ReadError as error:
        raise ArgumentError(
            f"{shard} cannot be read as an uncompressed tar ({error}): unpack a compressed one "
            "first (gunzip), and copy a damaged one again"
        ) from None
    if group is not None:
        yield group


def _put(
    group: _Group, shard: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str
) -> None:
    if ending in _PICTURES:
        group.picture = Slice(shard, member.offset_data, member.size)
    elif ending in ("cls", "npy", "txt") and member.size <= _LARGEST_LABEL:
        file = tar.extractfile(member)
        assert file is not None
        group.texts[ending] = file.read()


def _task(told: list[str], groups: list[_Group]) -> Task:
    kind = told[0].lower() if told else ""
    if kind in ("retrieval", "multilabel"):
        return "retrieval" if kind == "retrieval" else "multilabel"
    endings = {ending for group in groups for ending in group.texts}
    if "cls" in endings or kind:
        return "classification"
    return "multilabel" if "npy" in endings else "retrieval"


def _text(group: _Group, ending: str) -> str:
    if ending not in group.texts:
        raise ArgumentError(f"the sample {group.key!r} has no .{ending} beside its picture")
    try:
        return group.texts[ending].decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ArgumentError(f"the .{ending} of {group.key!r} is not text in UTF-8") from None


def _captions(group: _Group) -> tuple[str, ...]:
    captions = tuple(line.strip() for line in _text(group, "txt").splitlines() if line.strip())
    if not captions:
        raise ArgumentError(f"the sample {group.key!r} has no caption in its .txt")
    return captions


def _marks(group: _Group) -> np.ndarray:
    """A row of zeros and ones, a class each."""
    if "npy" not in group.texts:
        raise ArgumentError(f"the sample {group.key!r} has no .npy beside its picture")
    try:
        row = np.load(io.BytesIO(group.texts["npy"]), allow_pickle=False)
    except (ValueError, EOFError):
        raise ArgumentError(f"the .npy of {group.key!r} is no array of numbers") from None
    if row.ndim != 1:
        raise ArgumentError(f"the .npy of {group.key!r} has shape {row.shape}, not one row")
    return np.asarray(row)
