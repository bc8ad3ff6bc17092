"""A pickle machine that executes nothing.

It reads the instructions that torch and people's checkpoints use (protocols 2 to 5) and builds
inert values: None, bool, int, float, str, bytes, list, tuple, and the records below. A global is a
record of its name, a call a record of what would have been called. No name is ever imported, no
value of the file is hashed or compared, and every step is charged to a budget.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from .budget import Budget
from .source import FileSource

__all__ = ["Blob", "Call", "Global", "Pairs", "Persistent", "Stream", "described", "load"]

_WINDOW = 1 << 16
_LONGEST_VALUE = 1 << 16
_LONGEST_INT = 255
_LONGEST_NAME = 1024
_DEEPEST = 256


@dataclass(frozen=True)
class Global:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Call:
    """What a pickle asked to make: `function` applied to `arguments`.

    Attributes:
        state: what was to be given to the new object (its ``__dict__``, as a rule); else None.
        items: keys and values in turn, as of a dict, that were to be set on it.
    """

    function: object
    arguments: object
    state: object = None
    items: list[object] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"a call of {self.function}" if isinstance(self.function, Global) else "a call"


@dataclass(eq=False, repr=False)
class Pairs:
    """A dict: its keys and values in turn, neither hashed nor compared."""

    items: list[object] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Persistent:
    """A reference to something outside of the pickle: torch's storages."""

    reference: object


@dataclass(frozen=True)
class Blob:
    """A string, bytes or integer too long to be a name or a number: passed over."""

    nbytes: int


def described(value: object) -> str:
    """What a value is, for messages; never its contents, which a file can make of any length."""
    if isinstance(value, (Global, Call)):
        return f"{str(value)[:200]}, which is code and never run"
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


class Stream:
    """The bytes of a file from `start` to `end`, read once from front to back in small windows."""

    def __init__(self, source: FileSource, start: int, end: int) -> None:
        self.source = source
        self.position = start
        self._end = end
        self._window = b""
        self._window_start = start

    def take(self, nbytes: int) -> bytes:
        """The next `nbytes` bytes, of which there may be at most a window full."""
        self._require(nbytes)
        letters = self._ahead(nbytes)
        self.position += nbytes
        return letters

    def skip(self, nbytes: int) -> None:
        self._require(nbytes)
        self.position += nbytes
        self._window, self._window_start = b"", self.position

    def line(self) -> str:
        """The text up to the next line feed."""
        letters, end, _ = self._ahead(_LONGEST_NAME).partition(b"\n")
        if not end:
            raise self.source.damaged("a name in its pickle does not end")
        self.position += len(letters) + 1
        return letters.decode("utf-8", "replace")

    def _ahead(self, nbytes: int) -> bytes:
        """The next `nbytes` bytes, or as many as there are, without passing them."""
        at = self.position - self._window_start
        if at + nbytes > len(self._window):
            self._window_start, at = self.position, 0
            length = min(max(_WINDOW, nbytes), self._end - self.position)
            self._window = self.source.read(self.position, length)
        return self._window[at : at + nbytes]

    def _require(self, nbytes: int) -> None:
        if self.position + nbytes > self._end:
            raise self.source.damaged("its pickle ends early")


def load(stream: Stream, budget: Budget, references: list[Persistent] | None = None) -> object:
    """Read one pickle from the stream, which then stands behind it.

    Args:
        references: is given every persistent reference of the pickle, in their order.

    Raises:
        CheckpointError: the pickle is damaged, uses an instruction that no checkpoint needs, or
            asks for more memory than the budget has.
    """
    machine = _Machine(stream, budget, references)
    while (code := stream.take(1)[0]) != _STOP:
        instruction = _INSTRUCTIONS.get(code)
        if instruction is None:
            raise stream.source.damaged(
                f"its pickle has the instruction 0x{code:02x} at byte {stream.position - 1}, "
                "which no checkpoint needs"
            )
        cost, action = instruction
        budget.spend(cost)
        action(machine)
    return machine.pop()


class _Machine:
    """Stack, marks and memo of one pickle."""

    def __init__(self, stream: Stream, budget: Budget, references: list[Persistent] | None) -> None:
        self.stream = stream
        self.budget = budget
        self.references = references
        self.stack: list[object] = []
        self.outer: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def broken(self) -> Exception:
        return self.stream.source.damaged(
            f"its pickle makes no sense before byte {self.stream.position}"
        )

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.stream.take(struct.calcsize(form)))[0]
        return value

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise self.broken()
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise self.broken()
        return self.stack[-1]

    def pop_mark(self) -> list[object]:
        """What was pushed since the last mark."""
        if not self.outer:
            raise self.broken()
        values, self.stack = self.stack, self.outer.pop()
        return values

    def mark(self) -> None:
        if len(self.outer) == _DEEPEST:
            raise self.stream.source.damaged("its pickle nests too deeply")
        self.outer.append(self.stack)
        self.stack = []

    def payload(self, form: str, longest: int = _LONGEST_VALUE) -> bytes | Blob:
        """Bytes that follow their own length."""
        nbytes = self.number(form)
        if nbytes < 0:
            raise self.broken()
        if nbytes > longest:
            self.stream.skip(nbytes)
            return Blob(nbytes)
        self.budget.spend(4 * nbytes)
        return self.stream.take(nbytes)

    def text(self, form: str) -> None:
        letters = self.payload(form)
        self.push(letters if isinstance(letters, Blob) else letters.decode("utf-8", "replace"))

    def old_string(self, form: str) -> None:
        """A str of Python 2: text, as a rule, but it may be any bytes."""
        letters = self.payload(form)
        self.push(letters if isinstance(letters, Blob) else letters.decode("latin-1"))

    def integer(self, form: str) -> None:
        letters = self.payload(form, _LONGEST_INT)
        self.push(
            letters if isinstance(letters, Blob) else int.from_bytes(letters, "little", signed=True)
        )

    def tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def long_tuple(self) -> None:
        values = self.pop_mark()
        self.budget.spend(8 * len(values))
        self.push(tuple(values))

    def append(self, values: list[object]) -> None:
        target = self.top()
        if isinstance(target, list):
            self.budget.spend(8 * len(values))
            target.extend(values)
        elif not isinstance(target, Call):  # what a list of some class holds is never a weight
            raise self.broken()

    def set_items(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, (Pairs, Call)) or len(values) % 2:
            raise self.broken()
        self.budget.spend(8 * len(values))
        target.items.extend(values)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def remember(self, place: int) -> None:
        self.memo[place] = self.top()

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise self.broken()
        self.push(self.memo[place])

    def name_global(self) -> None:
        module, name = self.stream.line(), self.stream.line()
        self.budget.spend(4 * (len(module) + len(name)))
        self.push(Global(module, name))

    def name_global_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise self.broken()
        self.push(Global(module, name))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(Call(function, arguments))

    def call_with_keywords(self) -> None:
        keywords, arguments, function = self.pop(), self.pop(), self.pop()
        self.push(Call(function, (arguments, keywords)))

    def refer(self) -> None:
        reference = Persistent(self.pop())
        if self.references is not None:
            self.references.append(reference)
        self.push(reference)

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, Call):
            raise self.broken()
        target.state = state

    def require_protocol(self) -> None:
        protocol = self.stream.take(1)[0]
        if not 2 <= protocol <= 5:
            raise self.stream.source.damaged(f"its pickle has protocol {protocol}")


_STOP = ord(".")

_Action = Callable[[_Machine], object]

# Each instruction with the bytes of memory that it may take, some of them as an upper bound.
_INSTRUCTIONS: dict[int, tuple[int, _Action]] = {
    code[0]: (cost, action)
    for code, cost, action in (
        (b"\x80", 32, _Machine.require_protocol),
        (b"\x95", 32, lambda m: m.stream.take(8)),
        (b"N", 32, lambda m: m.push(None)),
        (b"\x88", 32, lambda m: m.push(True)),
        (b"\x89", 32, lambda m: m.push(False)),
        (b"J", 48, lambda m: m.push(m.number("<i"))),
        (b"K", 32, lambda m: m.push(m.number("<B"))),
        (b"M", 48, lambda m: m.push(m.number("<H"))),
        (b"\x8a", 48, lambda m: m.integer("<B")),
        (b"\x8b", 48, lambda m: m.integer("<i")),
        (b"G", 48, lambda m: m.push(struct.unpack(">d", m.stream.take(8))[0])),
        (b"X", 96, lambda m: m.text("<I")),
        (b"\x8c", 96, lambda m: m.text("<B")),
        (b"\x8d", 96, lambda m: m.text("<Q")),
        (b"T", 96, lambda m: m.old_string("<i")),
        (b"U", 96, lambda m: m.old_string("<B")),
        (b"B", 96, lambda m: m.push(m.payload("<I"))),
        (b"C", 96, lambda m: m.push(m.payload("<B"))),
        (b"\x8e", 96, lambda m: m.push(m.payload("<Q"))),
        (b"\x96", 96, lambda m: m.push(m.payload("<Q"))),
        (b"(", 112, _Machine.mark),
        (b"0", 32, _Machine.pop),
        (b"1", 32, _Machine.pop_mark),
        (b")", 32, lambda m: m.push(())),
        (b"\x85", 80, lambda m: m.tuple(1)),
        (b"\x86", 80, lambda m: m.tuple(2)),
        (b"\x87", 80, lambda m: m.tuple(3)),
        (b"t", 80, _Machine.long_tuple),
        (b"]", 112, lambda m: m.push([])),
        (b"a", 32, lambda m: m.append([m.pop()])),
        (b"e", 32, lambda m: m.append(m.pop_mark())),
        (b"}", 240, lambda m: m.push(Pairs())),
        (b"s", 48, _Machine.set_item),
        (b"u", 48, lambda m: m.set_items(m.pop_mark())),
        (b"\x8f", 112, lambda m: m.push([])),
        (b"\x90", 32, lambda m: m.append(m.pop_mark())),
        (b"\x91", 80, _Machine.long_tuple),
        (b"q", 128, lambda m: m.remember(m.number("<B"))),
        (b"r", 128, lambda m: m.remember(m.number("<I"))),
        (b"\x94", 128, lambda m: m.remember(len(m.memo))),
        (b"h", 32, lambda m: m.recall(m.number("<B"))),
        (b"j", 32, lambda m: m.recall(m.number("<I"))),
        (b"c", 320, _Machine.name_global),
        (b"\x93", 200, _Machine.name_global_from_stack),
        (b"R", 320, _Machine.call),
        (b"\x81", 320, _Machine.call),
        (b"\x92", 400, _Machine.call_with_keywords),
        (b"b", 32, _Machine.build),
        (b"Q", 160, _Machine.refer),
    )
}
