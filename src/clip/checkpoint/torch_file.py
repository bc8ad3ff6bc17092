"""What torch's pickles mean: a tree of dicts, lists and tuples with tensors as places in the file.

A module, whether saved whole by ``torch.save`` or as a TorchScript archive, becomes the flat dict
that its ``state_dict()`` would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .budget import Budget
from .recipes import TensorRecipes
from .unpickle import Call, Global, Pairs

__all__ = ["plain_tree"]

_DEEPEST = 32
_LONGEST_NAME = 512

_SETTINGS = (type(None), bool, int, float, str)
"""What a scripted module has beside its tensors: whether it trains, its sizes."""

_MASK = "attn_mask"
"""The causal mask: computed, not learnt, but scripted modules keep every tensor they have."""


def plain_tree(node: object, recipes: TensorRecipes, budget: Budget) -> Any:
    """The same values with dicts for the records of dicts, and tensors for their recipes.

    Keys other than short texts and integers are left out with their values; calls that make
    neither a dict nor a tensor stay the inert records that they are.

    Raises:
        CheckpointError: a tensor makes no sense, or the values are nested too deeply or too often.
    """
    return _Reader(recipes, budget).tree(node, 0)


class _Reader:
    def __init__(self, recipes: TensorRecipes, budget: Budget) -> None:
        self.recipes = recipes
        self.budget = budget
        # Nodes can be shared, and can hold themselves: each is turned into a value once.
        self.done: dict[int, Any] = {}

    def tree(self, node: object, depth: int) -> Any:
        if id(node) in self.done:
            return self.done[id(node)]
        if isinstance(node, Call):
            if (entries := self._module_entries(node)) is not None:
                return self._flatten(entries, "", [node], self._begin(node, {}))
            if self.recipes.recognises(node):
                return self._tensor(node)
        if (pairs := _pairs(node)) is not None:
            return self._fill(pairs, self._begin(node, {}), depth)
        if isinstance(node, (list, tuple)):
            return self._extend(node, self._begin(node, []), depth)
        return node

    def _begin(self, node: object, value: Any) -> Any:
        self.budget.spend(256)
        self.done[id(node)] = value
        return value

    def _tensor(self, node: Call) -> Any:
        if id(node) not in self.done:
            self.budget.spend(1024)
            self.done[id(node)] = self.recipes.read(node)
        return self.done[id(node)]

    def _fill(self, pairs: list[object], out: dict[Any, Any], depth: int) -> Any:
        self._descend(depth)
        for key, value in _entries(pairs):
            self.budget.spend(128)
            out[key] = self.tree(value, depth + 1)
        return out

    def _extend(self, values: Any, out: list[Any], depth: int) -> Any:
        self._descend(depth)
        self.budget.spend(16 * len(values))
        for value in values:
            out.append(self.tree(value, depth + 1))
        return out

    def _flatten(
        self, entries: list[object], prefix: str, path: list[object], flat: dict[str, Any]
    ) -> Any:
        """Add the tensors of a module and of the modules in it, as ``state_dict()`` names them."""
        self._descend(len(path))
        for key, value in _entries(entries):
            name = f"{prefix}{key}"
            self.budget.spend(128 + 4 * len(name))
            if len(name) > _LONGEST_NAME:
                raise self.recipes.source.damaged(f"the name {name:.60}… in it is too long")
            inner = self._module_entries(value) if isinstance(value, Call) else None
            if inner is not None:
                if any(value is outer for outer in path):
                    raise self.recipes.source.damaged(f"the module {name} holds itself")
                self._flatten(inner, f"{name}.", [*path, value], flat)
            elif key == _MASK:
                continue
            elif isinstance(value, Call) and self.recipes.recognises(value):
                flat[name] = self._tensor(value)
            elif not isinstance(value, _SETTINGS):
                flat[name] = value
        return flat

    def _module_entries(self, node: Call) -> list[object] | None:
        """Names and tensors or modules in turn, if the node is a module."""
        if not isinstance(node.state, Pairs):
            return None
        function = node.function
        if isinstance(function, Global) and function.module.split(".")[0] == "__torch__":
            return node.state.items
        self.budget.spend(16 * len(node.state.items))
        state = dict(_entries(node.state.items))
        if not {"_parameters", "_buffers", "_modules"} <= state.keys():
            return None
        hidden = set(_members(state.get("_non_persistent_buffers_set")))
        self.budget.spend(64 * len(hidden))
        entries: list[object] = []
        for group in ("_parameters", "_buffers", "_modules"):
            pairs = _pairs(state[group]) or []
            self.budget.spend(16 * len(pairs))
            for key, value in _entries(pairs):
                if value is not None and not (group == "_buffers" and key in hidden):
                    entries += (key, value)
        return entries

    def _descend(self, depth: int) -> None:
        if depth >= _DEEPEST:
            raise self.recipes.source.damaged("its values are nested too deeply")


def _entries(pairs: list[object]) -> Iterator[tuple[Any, object]]:
    # Only keys whose hash a file cannot choose so that all of them collide.
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if (isinstance(key, str) and len(key) <= _LONGEST_NAME) or (
            type(key) is int and abs(key) < 1 << 60
        ):
            yield key, value


def _pairs(node: object) -> list[object] | None:
    """Keys and values in turn, if the node is a dict of whatever class."""
    if isinstance(node, Pairs):
        return node.items
    if not isinstance(node, Call):
        return None
    if node.items:
        return node.items
    if node.function == Global("collections", "OrderedDict"):
        return _listed_pairs(node.arguments)
    return None


def _listed_pairs(arguments: object) -> list[object]:
    """Those of ``OrderedDict([[key, value], …])``, as Python 2 pickles it."""
    listed = arguments[0] if isinstance(arguments, tuple) and arguments else []
    pairs = listed if isinstance(listed, (list, tuple)) else []
    return [
        part
        for pair in pairs
        if isinstance(pair, (list, tuple)) and len(pair) == 2
        for part in pair
    ]


def _members(node: object) -> list[str]:
    """The texts in a set, which protocols 2 and 3 pickle as ``set([…])``."""
    if isinstance(node, Call) and isinstance(node.arguments, tuple) and node.arguments:
        node = node.arguments[0]
    return [name for name in node if isinstance(name, str)] if isinstance(node, list) else []
