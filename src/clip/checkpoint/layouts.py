"""From the names of OpenAI, open_clip or transformers to a whole state dict in OpenAI's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from ..architecture import Architecture, ArchitectureError
from ..errors import CheckpointError
from .configs import ModelConfig, meaning_of
from .meaning import Meaning
from .state_dicts import find_state_dict, listed
from .tensors import StoredTensor, Unreadable
from .transformers_names import TRANSPOSED, openai_names, transformers_names
from .unpickle import described

__all__ = ["Entry", "Weights", "shape_of", "to_openai"]

Entry = StoredTensor | tuple[StoredTensor, ...]
"""A tensor, or several to be joined along their first dimension."""


@dataclass(frozen=True)
class Weights:
    """All that a checkpoint says about a model; nothing has been read yet.

    Attributes:
        layout: whose names the file uses: "OpenAI", "open_clip" or "transformers".
        tensors: every weight of the model, in OpenAI's names.
        architecture: the sizes that the shapes show.
        meaning: what the config says, or OpenAI's choices.
    """

    layout: str
    tensors: dict[str, Entry]
    architecture: Architecture
    meaning: Meaning


def to_openai(tree: Any, config: ModelConfig | None, path: str) -> Weights:
    """Find the CLIP model in a checkpoint and check that it is whole and nothing is left over.

    Args:
        tree: what the checkpoint holds, see `find_state_dict`. Tensors are `StoredTensor`s; what
            stands in for a tensor that cannot be read is anything else, and its `str` says why.
        config: of the directory that the weights are in.
        path: of the checkpoint, for errors.

    Raises:
        CheckpointError: there is no CLIP model, it lacks weights, it has unknown ones, their shapes
            do not fit together, or the config asks for what OpenAI's architecture does not compute.
    """
    entries = find_state_dict(tree, path).entries
    layout = _layout_of(entries)
    sources = _sources(layout, entries, path)
    tensors = {name: _joined(parts, entries, path) for name, parts in sources.items()}
    _adapt(layout, tensors)
    shapes = {name: shape_of(entry) for name, entry in tensors.items()}
    try:
        architecture = Architecture.from_shapes(shapes)
    except ArchitectureError as error:
        raise CheckpointError(
            path,
            f"its weights are not those of a CLIP model: {error}",
            "Only whole models of OpenAI's architecture can be loaded.",
        ) from error
    open_clip_s = layout == "open_clip" or PurePath(path).name.startswith("open_clip_")
    meaning = meaning_of(config, architecture) if config else Meaning(doubtful=open_clip_s)
    meaning = replace(
        meaning,
        vision_mlp_width=_mlp_width("visual.transformer.", shapes),
        text_mlp_width=_mlp_width("transformer.", shapes),
    )
    _compare(layout, shapes, _expected(architecture, meaning), path)
    return Weights(layout, tensors, architecture, meaning)


def shape_of(entry: Entry) -> tuple[int, ...]:
    """Shape of a tensor once its parts are joined."""
    if isinstance(entry, StoredTensor):
        return entry.shape
    return (sum(part.shape[0] for part in entry), *entry[0].shape[1:])


def _layout_of(entries: Mapping[str, Any]) -> str:
    if any(name.startswith("vision_model.") for name in entries):
        return "transformers"
    return "open_clip" if any(name.startswith("text.") for name in entries) else "OpenAI"


_NOT_WEIGHTS = {
    "OpenAI": ("input_resolution", "context_length", "vocab_size"),
    "open_clip": (),
    "transformers": (
        "text_model.embeddings.position_ids",
        "vision_model.embeddings.position_ids",
    ),
}
"""Buffers that say nothing beyond what the shapes say."""


def _names_in_file(layout: str, name: str) -> tuple[str, ...]:
    """Where a layout keeps a weight of OpenAI's name."""
    if layout == "transformers":
        return transformers_names(name)
    in_text = layout == "open_clip" and name != "logit_scale" and not name.startswith("visual.")
    return (f"text.{name}",) if in_text else (name,)


def _sources(layout: str, entries: Mapping[str, Any], path: str) -> dict[str, tuple[str, ...]]:
    """OpenAI's names of all tensors of the file, with their names there."""
    names = {
        name: value
        for name, value in entries.items()
        if name not in _NOT_WEIGHTS[layout]
        and (isinstance(value, StoredTensor) or _looks_like_a_weight(name))
    }
    if layout == "transformers":
        sources = openai_names(names)
    elif layout == "open_clip":
        known = (name for name in names if name.startswith(("visual.", "text.", "logit_scale")))
        sources = {name.removeprefix("text."): (name,) for name in known}
    else:
        sources = {name: (name,) for name in names}
    taken = {part for parts in sources.values() for part in parts}
    if unused := [name for name in names if name not in taken]:
        raise _unused(unused, path)
    if lost := sorted(taken - names.keys()):
        raise _missing(lost, path)
    return sources


def _looks_like_a_weight(name: str) -> bool:
    return "." in name or name in ("logit_scale", "text_projection", "positional_embedding")


def _joined(sources: tuple[str, ...], entries: Mapping[str, Any], path: str) -> Entry:
    parts = tuple(_weight(source, entries[source], path) for source in sources)
    if len(parts) == 1:
        return parts[0]
    if len({(part.shape, part.dtype) for part in parts}) > 1 or not parts[0].shape:
        raise CheckpointError(
            path,
            f"{' and '.join(sources)} do not fit together",
            "Save the whole model again with the library that wrote it.",
        )
    return parts


def _adapt(layout: str, tensors: dict[str, Entry]) -> None:
    """Turn the few tensors that have another shape than in OpenAI's layout."""
    scale = tensors.get("logit_scale")
    if isinstance(scale, StoredTensor) and scale.shape == (1,):
        tensors["logit_scale"] = replace(scale, shape=(), stride=())
    for name in TRANSPOSED if layout == "transformers" else ():
        matrix = tensors[name]
        if isinstance(matrix, StoredTensor):
            turned = replace(matrix, shape=matrix.shape[::-1], stride=matrix.stride[::-1])
            tensors[name] = turned


def _weight(name: str, value: Any, path: str) -> StoredTensor:
    if not isinstance(value, StoredTensor):
        kind = value if isinstance(value, Unreadable) else described(value)
        raise CheckpointError(
            path,
            f"{name} is {kind}, not a dense tensor",
            "Save the model's state dict with plain tensors for all weights.",
        )
    if not (value.dtype.is_floating_point or name.endswith("num_batches_tracked")):
        raise CheckpointError(
            path,
            f"{name} has the type {str(value.dtype).removeprefix('torch.')}",
            "Only floating-point weights can be loaded: save the model before it is quantised.",
        )
    return value


def _mlp_width(tower: str, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Hidden width of a tower's MLPs where it is not 4 times the tower's."""
    shape = shapes.get(f"{tower}resblocks.0.mlp.c_fc.weight", ())
    return shape[0] if len(shape) == 2 and shape[0] != 4 * shape[1] else None


def _expected(architecture: Architecture, meaning: Meaning) -> dict[str, tuple[int, ...]]:
    return architecture.shapes(
        vision_mlp_width=meaning.vision_mlp_width, text_mlp_width=meaning.text_mlp_width
    )


def _compare(
    layout: str,
    shapes: Mapping[str, tuple[int, ...]],
    expected: Mapping[str, tuple[int, ...]],
    path: str,
) -> None:
    """Refuse weights that are missing, would go unused, or do not fit the others."""
    if unused := [name for name in shapes if name not in expected]:
        raise _unused(unused, path)
    absent = (name for name in expected if name not in shapes)
    lost = [name for name in absent if not name.endswith("num_batches_tracked")]
    if lost:
        raise _missing([part for name in lost for part in _names_in_file(layout, name)], path)
    for name, shape in expected.items():
        if shapes.get(name, shape) != shape:
            there = " and ".join(_names_in_file(layout, name))
            raise CheckpointError(
                path,
                f"{there} has shape {list(shapes[name])}, but the other weights ask for "
                f"{list(shape)}",
                "Save the whole model again with the library that wrote it.",
            )


def _unused(names: list[str], path: str) -> CheckpointError:
    return CheckpointError(
        path,
        f"it has weights that a CLIP model has no use for ({len(names)}): {listed(names)}",
        "Only models of OpenAI's architecture can be loaded.",
    )


def _missing(names: list[str], path: str) -> CheckpointError:
    return CheckpointError(
        path,
        f"weights of the CLIP model are missing ({len(names)}): {listed(names)}",
        "Use the checkpoint of the whole model.",
    )
