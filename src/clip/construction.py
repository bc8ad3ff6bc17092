"""Modules without values, and whether anybody has changed how they are built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["definitions", "same_definitions", "without_values"]


@contextmanager
def without_values() -> Iterator[None]:
    """Constructors that run inside give weights that have shapes, but neither values nor memory.

    They are made on the meta device and the initialisers, nearly all of the time that a
    constructor takes, are passed over. Only this thread is affected.

    >>> with without_values():
    ...     print(torch.nn.Linear(1_000_000, 1_000_000).weight.device)
    meta
    """
    with torch.device("meta"), _ShapesOnly():
        yield


class _ShapesOnly(TorchFunctionMode):
    """What only sets values gives its input back.

    Arithmetic and random draws on meta tensors would do as well, but the first of them loads some
    800 modules of torch.
    """

    _SETS_VALUES = frozenset(
        (
            *("normal_", "uniform_", "fill_", "zero_", "triu_"),
            *("constant_", "kaiming_uniform_", "xavier_uniform_"),
            *("mul", "__mul__", "__rmul__", "div", "__truediv__"),
        )
    )

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in self._SETS_VALUES:
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


def definitions(namespace: Mapping[str, object], names: Sequence[str]) -> dict[str, object]:
    """The named functions and classes, with the members of each class."""
    found: dict[str, object] = {}
    for name in names:
        found[name] = value = namespace[name]
        if isinstance(value, type):
            for attribute, member in vars(value).items():
                if not attribute.startswith("__anno"):  # Python fills these in when asked for
                    found[f"{name}.{attribute}"] = member
    return found


def same_definitions(now: Mapping[str, object], then: Mapping[str, object]) -> bool:
    """Whether both hold the very same objects under the same names."""
    return now.keys() == then.keys() and all(now[name] is then[name] for name in then)
