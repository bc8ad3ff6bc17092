"""What the attacks share: good files to spoil, and a guarded process that loads the spoilt ones."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import queue
import re
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from clip.model import CLIP

WORKER = Path(__file__).with_name("worker.py")
SIZES = (8, 32, 1, 64, 16, 8, 40, 64, 1, 1)
PATIENCE = 120
"""Seconds after which a file counts as a hang; machines are shared, so this is generous."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds", type=float, default=0, help="mutate checkpoints for as long as this"
    )


@dataclass(frozen=True)
class Verdict:
    """What became of a file.

    Attributes:
        outcome: "refused" with a CheckpointError, "loaded", or "leaked" another exception.
        memory: bytes that were taken at the peak, over those before.
        events: of the interpreter, that must not happen.
    """

    outcome: str
    seconds: float
    memory: int
    events: list[str]
    message: str = ""
    advice: str = ""
    digest: str = ""
    format: str = ""


class Guard:
    """A process that loads files, and is replaced when one makes it hang or crash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._start()

    def load(self, file: bytes | Path) -> Verdict:
        """Load bytes or a path, and hold the promises that hold for every file."""
        path = file if isinstance(file, Path) else self._written(file)
        size = path.stat().st_size if file is not path else 0
        verdict = self._ask(path)
        if path is not file:
            path.unlink()
        assert verdict.outcome != "leaked", verdict.message
        assert not verdict.events, verdict.events
        assert verdict.memory <= 3 * size + (64 << 20), f"{verdict.memory} bytes for {size}"
        return verdict

    def assert_says(self, verdict: Verdict, message: str) -> None:
        """The error says what is wrong, in a length that people read, and what to do."""
        assert re.search(message, verdict.message, re.DOTALL), verdict.message
        assert len(verdict.message) < 1000
        assert verdict.message.isprintable()
        assert verdict.advice

    def keep(self, content: bytes, name: str) -> None:
        """Put a file that broke a promise where it can be looked at."""
        (self.folder / name).write_bytes(content)
        print(f"kept as {self.folder / name}")

    def warm_up(self, content: bytes) -> None:
        self._ask(self._written(content))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        answers: queue.Queue[str] = queue.Queue()
        self.answers = answers
        output = self.process.stdout
        assert output

        def listen() -> None:
            for line in output:
                answers.put(line)
            answers.put("")

        threading.Thread(target=listen, daemon=True).start()

    def _written(self, content: bytes) -> Path:
        self.count += 1
        path = self.folder / f"{self.count}.pt"
        path.write_bytes(content)
        return path

    def _ask(self, path: Path) -> Verdict:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(str(path)) + "\n")
        self.process.stdin.flush()
        try:
            answer = self.answers.get(timeout=PATIENCE)
        except queue.Empty:
            answer = None
        if not answer:
            self.close()
            self._start()
            pytest.fail(f"{path} made the process {'hang' if answer is None else 'crash'}")
        return Verdict(**json.loads(answer))


class Kit:
    """Good checkpoints of one small model, and the parts to put bad ones together.

    Attributes:
        weights: of the model.
        good: whole files in all formats, by name.
        digest: of the weights, as the worker gives it for a file that it has loaded.
    """

    def __init__(self, model: CLIP) -> None:
        self.weights = {name: value.detach() for name, value in model.state_dict().items()}
        self.digest = _digest(self.weights)
        self.good = {
            "TorchScript": _scripted(self.weights),
            "zip": _saved(model.state_dict()),
            "legacy": _saved(model.state_dict(), _use_new_zipfile_serialization=False),
            "whole module": _saved(model),
            "whole module, legacy": _saved(model, _use_new_zipfile_serialization=False),
            "protocol 5": _saved({"state_dict": model.state_dict()}, pickle_protocol=5),
            "safetensors": safetensors.torch.save(self.weights),
        }

    def repacked(self, name: str, pickled: bytes) -> bytes:
        """One of the good archives with another pickle, and the checksums of that."""
        file = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(self.good[name])) as good,
            zipfile.ZipFile(file, "w") as new,
        ):
            for record in good.namelist():
                is_pickle = record.endswith("/data.pkl")
                new.writestr(record, pickled if is_pickle else good.read(record))
        return file.getvalue()

    def pickle_in(self, name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.good[name])) as good:
            (record,) = (record for record in good.namelist() if record.endswith("/data.pkl"))
            return good.read(record)

    def text(self, letters: str) -> bytes:
        return b"X" + struct.pack("<I", len(letters.encode())) + letters.encode()

    def number(self, value: int) -> bytes:
        length = value.bit_length() // 8 + 1
        return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)

    def name(self, module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode()

    def tuple(self, *parts: bytes) -> bytes:
        return b"(" + b"".join(parts) + b"t"

    def call(self, module: str, name: str, *arguments: bytes) -> bytes:
        return self.name(module, name) + self.tuple(*arguments) + b"R"

    def numbers(self, *values: int) -> bytes:
        return self.tuple(*map(self.number, values))

    def dict(self, entries: Mapping[str, bytes]) -> bytes:
        return b"}(" + b"".join(self.text(key) + value for key, value in entries.items()) + b"u"

    def storage(self, key: str, numel: int, kind: str = "FloatStorage") -> bytes:
        location = self.text("cpu")
        parts = (self.text("storage"), self.name("torch", kind), self.text(key), location)
        return self.tuple(*parts, self.number(numel)) + b"Q"

    def tensor(
        self,
        key: str,
        numel: int,
        shape: tuple[int, ...],
        stride: tuple[int, ...],
        *,
        first: int = 0,
        kind: str = "FloatStorage",
        function: str = "_rebuild_tensor_v2",
        more: tuple[bytes, ...] = (b"\x89", b"}"),
    ) -> bytes:
        place = (self.number(first), self.numbers(*shape), self.numbers(*stride))
        storage = self.storage(key, numel, kind)
        return self.call("torch._utils", function, storage, *place, *more)

    def entries(self) -> dict[str, bytes]:
        """The recipes of all weights, with their names as the keys of their storages."""
        return {
            name: self.tensor(name, value.numel(), tuple(value.shape), value.stride())
            for name, value in self.weights.items()
        }

    def storages(self) -> dict[str, bytes]:
        return {name: value.float().numpy().tobytes() for name, value in self.weights.items()}

    def pickle(self, value: bytes) -> bytes:
        return b"\x80\x02" + value + b"."

    def archive(self, pickled: bytes, storages: Mapping[str, bytes] | None = None) -> bytes:
        """A file of torch.save around a pickle; the good storages unless others are given."""
        storages = self.storages() if storages is None else storages
        records = {f"data/{key}": content for key, content in storages.items()}
        return self.zip({"data.pkl": pickled, "byteorder": b"little", **records})

    def legacy(self, pickled: bytes, storages: Mapping[str, bytes]) -> bytes:
        """A file of torch.save from before the zip format; all storages are of float32."""
        start = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {}))
        content = b"".join(struct.pack("<q", len(s) // 4) + s for s in storages.values())
        return start + pickled + pickle.dumps(list(storages), 2) + content

    def zip(self, records: Mapping[str, bytes], folder: str = "archive/") -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in records.items():
                archive.writestr(zipfile.ZipInfo(folder + name), content)
        return file.getvalue()

    def replaced(self, **replacements: bytes) -> bytes:
        """The good file with other values under some of its names."""
        return self.archive(self.pickle(self.dict(self.entries() | replacements)))


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(f"{name} {tuple(weights[name].shape)}".encode())
        found.update(weights[name].float().contiguous().numpy().tobytes())
    return found.hexdigest()


def _saved(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def _scripted(state_dict: Mapping[str, torch.Tensor]) -> bytes:
    """An archive as OpenAI's: traced, with three sizes as buffers."""
    model = CLIP(*SIZES).eval()
    model.load_state_dict(state_dict)
    for name in ("context_length", "vocab_size"):
        delattr(model, name)
    sizes = {"input_resolution": SIZES[1], "context_length": SIZES[5], "vocab_size": SIZES[6]}
    for name, value in sizes.items():
        model.register_buffer(name, torch.tensor(value))
    inputs = torch.ones(1, 3, SIZES[1], SIZES[1]), torch.ones(1, SIZES[5], dtype=torch.long)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its own TorchScript
        traced = torch.jit.trace_module(model, {"forward": inputs}, check_trace=False)
        torch.jit.save(traced, file)
    return file.getvalue()


@pytest.fixture(scope="session")
def kit() -> Kit:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Kit(CLIP(*SIZES).eval())


@pytest.fixture(scope="session")
def guard(tmp_path_factory: pytest.TempPathFactory, kit: Kit) -> Iterator[Guard]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory can only be watched on Linux")
    guard = Guard(tmp_path_factory.mktemp("attacks"))
    for content in kit.good.values():  # so that all that loading needs is imported by now
        guard.warm_up(content)
    yield guard
    guard.close()
