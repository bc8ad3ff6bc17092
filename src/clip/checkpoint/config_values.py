"""Values of a JSON file that others wrote: of the right kind, or an error that names the place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CheckpointError

__all__ = ["Values", "read_json"]

_END_OF_PlainEXT = 49407
_MOST_BYTES = 2 << 20
_Plain = TypeVar("_Plain", bool, int, float, str)
_Number = TypeVar("_Number", int, float)
_Meaning = TypeVar("_Meaning")
Channels = tuple[float, float, float]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        CheckpointError: it cannot be read, is no JSON, or is far too long to be a config.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(path, f"it is longer than {_MOST_BYTES >> 20} MB")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(path, f"it cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            path, f"it is not valid JSON ({error})", "Download the directory again."
        ) from error


class Values:
    """One object of a JSON file.

    Args:
        values: what stands in its place; anything but an object is an error.
        file: path of the file.
        place: of the object in the file, for instance ``vision_cfg``; empty for the whole.
    """

    def __init__(self, values: Any, file: str, place: str = "") -> None:
        self.file = file
        self._place = place
        if not isinstance(values, Mapping):
            raise CheckpointError(file, f"{place or 'its content'} is not a JSON object")
        self._values = values

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def raw(self, key: str) -> Any:
        """The value as it stands; None where there is none."""
        return self._values.get(key)

    def get(self, key: str, default: _Plain) -> _Plain:
        """The value, of the kind of the default, which stands in for none."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(default):
            raise self.refusal(key, f"a value like {json.dumps(default)} is expected")
        return value

    def section(self, key: str) -> Values:
        """The object behind a key; an empty one where there is none."""
        return Values(self._values.get(key) or {}, self.file, self._named(key))

    def side(self, key: str, default: int) -> int:
        """A length in pixels, given once or for both sides of a square."""
        value = self._values.get(key)
        if isinstance(value, list) and len(set(map(repr, value))) == 1:
            value = value[0]
        return Values({key: value}, self.file, self._place).get(key, default)

    def choice(self, key: str, meanings: Mapping[object, _Meaning], default: _Meaning) -> _Meaning:
        """What the value means; the default where there is none."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, (list, dict)) or value not in meanings:
            raise self.refusal(key, f"one of {', '.join(map(json.dumps, meanings))} is expected")
        return meanings[value]

    def between(self, key: str, low: _Number, high: _Number, default: _Number) -> _Number:
        """A number from low to high."""
        value = self.get(key, default)
        if not low <= value <= high:
            raise self.refusal(key, f"a number from {low} to {high} is expected")
        return value

    def channels(self, key: str, default: Channels, low: float) -> Channels:
        """A number for each of red, green and blue, from low to 10; one number is for all."""
        value = self._values.get(key)
        if value is None:
            return default
        numbers = value if isinstance(value, list) else [value] * 3
        if len(numbers) != 3:
            raise self.refusal(key, "three numbers are expected")
        named = Values(dict(zip("012", numbers, strict=True)), self.file, self._named(key))
        red, green, blue = (named.between(name, low, 10.0, 0.0) for name in "012")
        return red, green, blue

    def only(self, key: str, *accepted: object) -> None:
        """Refuse every other value; none at all is accepted."""
        value = self._values.get(key)
        if value is not None and value not in accepted:
            raise self.refusal(key, "OpenAI's architecture computes otherwise")

    def only_known(self, known: frozenset[str]) -> None:
        """Refuse options that are switched on and that we know nothing of."""
        for key, value in self._values.items():
            if key not in known and value:
                raise self.refusal(key, "this option is not known to mean the same as in OpenAI's")

    def same(self, key: str, actual: object) -> None:
        """Refuse a size that the weights do not have; none at all is accepted."""
        if key in self and self._values[key] != actual:
            raise self.refusal(key, f"the weights have {actual}")

    def end_token(self, key: str, default: int, vocab_size: int) -> None:
        """Refuse an end token that OpenAI's rule, the largest id of a text, would not find."""
        end = self.get(key, default)
        if end not in (_END_OF_PlainEXT, vocab_size - 1) or end >= vocab_size:
            reason = f"OpenAI's models end a text with its largest id ({vocab_size} are in use)"
            raise (
                self.refusal(key, reason)
                if key in self
                else CheckpointError(
                    self.file, f"{self._named(key)} is not given and means {default}, but {reason}"
                )
            )

    def refusal(self, key: str, reason: str) -> CheckpointError:
        """The error for a value that cannot be honoured."""
        return CheckpointError(
            self.file,
            f"{self._named(key)} is {json.dumps(self._values.get(key)):.80}, but {reason}",
        )

    def _named(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key
