"""Find the state dict of a CLIP model in what a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointError
from .tensors import StoredTensor

__all__ = ["StateDict", "find_state_dict", "listed"]

# Two keys of each tower, in OpenAI's, open_clip's and transformers' names, so that it is known even
# when one of them is missing. Before them stands whatever wrappers have put there.
_PICTURE = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?:visual\.(?:conv1\.weight|proj|attnpool\.c_proj\.weight)"
    r"|vision_model\.(?:embeddings\.patch_embedding|post_layernorm)\.weight)"
)
_TEXT = re.compile(
    r"(?P<prefix>(?:.*?\.)??)(?:(?:text\.)?(?:token_embedding|ln_final)\.weight"
    r"|text_model\.(?:embeddings\.token_embedding|final_layer_norm)\.weight)"
)

_WRAPPERS = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""torch.compile and FSDP can wrap any module, so these stand anywhere in a key."""

_FOREIGN = tuple(
    (re.compile(rf"(?:^|\.){key}"), what)
    for key, what in (
        (r"visual\.trunk\.", "its picture tower is a timm model"),
        (r"text\.transformer\.(?!resblocks\.)", "its text tower is one of transformers' models"),
        (r"(?:text_decoder|visual\.attn_pool)\.", "it is a CoCa model"),
        (r"(?:logit_bias$|vision_model\.head\.)", "it is a SigLIP model"),
        (r"text_model\.encoder\.layer\.", "it is a ChineseCLIP model"),
        (r"ls_1\.gamma$", "its blocks have layer scale"),
    )
)
"""Keys of CLIP's relatives, which compute otherwise."""

_DEEPEST = 64


@dataclass(frozen=True)
class StateDict:
    """The dict in a checkpoint that has the model's keys.

    Attributes:
        place: how to get there from the top, for instance ``["state_dict"]``; empty at the top.
        prefix: what stands before every key of the model, for instance ``module.``.
        entries: the model's keys without the prefix, and what stands there.
    """

    place: str
    prefix: str
    entries: dict[str, Any]


def find_state_dict(tree: Any, path: str) -> StateDict:
    """The one dict in the tree that holds both towers of a CLIP model.

    Args:
        tree: what the checkpoint holds: dicts, lists and tuples, in any nesting, of anything. The
            state of a module is one flat dict of names to values.
        path: of the checkpoint, for errors.

    Raises:
        CheckpointError: there is no such dict, there are several, half a model, or a kind of model
            that is not CLIP's; or the dict has tensors beside the model, so that they would go
            unused.
    """
    dicts = list(_flat_dicts(tree))
    found = [
        StateDict(place, prefix, entries)
        for place, entries in dicts
        for prefix in sorted(_prefixes(_PICTURE, entries) & _prefixes(_TEXT, entries))
    ]
    for entries in [state.entries for state in found] or [entries for _, entries in dicts]:
        _refuse_foreign(entries, path)
    if not found:
        raise _nothing_found([name for _, entries in dicts for name in entries], path)
    if len(found) > 1:
        raise CheckpointError(
            path,
            f"it holds {len(found)} CLIP models: {listed(_name(state) for state in found)}",
            "Save the one that you want, for instance the averaged (EMA) one, in a file of its "
            "own.",
        )
    return _without_prefix(found[0], path)


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first few names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    names = [f"{name[:80]}…" if len(name) > 80 else name for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _flat_dicts(tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dict in the tree with a tensor in it, and its place; one that is shared comes once."""
    seen: set[int] = set()
    ahead: list[tuple[Any, tuple[Any, ...]]] = [([tree], ())]
    while ahead:
        node, place = ahead.pop()
        if id(node) in seen or len(place) > _DEEPEST:
            continue
        seen.add(id(node))
        items = list(node.items() if isinstance(node, Mapping) else enumerate(node))
        ahead += [
            (value, (*place, key))
            for key, value in reversed(items)
            if isinstance(value, (Mapping, list, tuple))
        ]
        entries = {key: value for key, value in items if isinstance(key, str)}
        if any(isinstance(value, StoredTensor) for value in entries.values()):
            yield "".join(f"[{key!r:.60}]" for key in place[1:]), entries


def _prefixes(key: re.Pattern[str], entries: Mapping[str, Any]) -> set[str]:
    matches = (key.fullmatch(_WRAPPERS.sub("", name)) for name in entries)
    return {match["prefix"] for match in matches if match}


def _without_prefix(state: StateDict, path: str) -> StateDict:
    entries: dict[str, Any] = {}
    beside = []
    for name, value in state.entries.items():
        plain = _WRAPPERS.sub("", name)
        if plain.startswith(state.prefix):
            if entries.setdefault(plain[len(state.prefix) :], value) is not value:
                raise CheckpointError(
                    path,
                    f"it holds {plain} twice, as {name} and without wrapper",
                    "Save the model that you want in a file of its own.",
                )
        elif isinstance(value, StoredTensor):
            beside.append(name)
    if beside:
        raise CheckpointError(
            path,
            f"beside the CLIP model ({_name(state)}) there are weights that would go unused: "
            f"{listed(beside)}",
            "Save the CLIP model alone in a file of its own.",
        )
    return StateDict(state.place, state.prefix, entries)


def _name(state: StateDict) -> str:
    return " under ".join(
        [state.place or "top level", *([repr(state.prefix)] * bool(state.prefix))]
    )


def _refuse_foreign(entries: Mapping[str, Any], path: str) -> None:
    for key, what in _FOREIGN:
        name = next((name for name in entries if key.search(name)), None)
        if name is not None:
            raise CheckpointError(
                path,
                f"{what} (it has the key {name})",
                "Only models of OpenAI's architecture can be loaded.",
            )


def _nothing_found(names: list[str], path: str) -> CheckpointError:
    picture = any("patch_embedding.weight" in name or "visual." in name for name in names)
    text = any("token_embedding.weight" in name for name in names)
    if picture != text:
        have, lack = ("picture", "text") if picture else ("text", "picture")
        return CheckpointError(
            path,
            f"it holds only the {have} tower of a CLIP model: the {lack} tower is missing "
            f"(its keys are {listed(names)})",
            "Use the checkpoint of the whole model.",
        )
    return CheckpointError(
        path,
        "there is no CLIP model in it: "
        + (f"its keys are {listed(names)}" if names else "it holds no tensors"),
        "Expected are keys like visual.conv1.weight and token_embedding.weight.",
    )
