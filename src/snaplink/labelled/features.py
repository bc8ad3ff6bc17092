"""The features of labelled pictures, with their labels in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from snaplink import images
from snaplink.encoder import Encoder
from snaplink.errors import ArgumentError
from snaplink.fingerprint import Fingerprint, fingerprint

from .data import Labelled, Sample

__all__ = ["Features", "features"]


@dataclass(frozen=True)
class Features:
    """Pictures as a model sees them, and what is true of them.

    Attributes:
        keys: the samples' keys.
        matrix: float32 ``[n, dim]`` on the CPU, of the lengths that `encode` gave, or of length 1
            where `fingerprint.normalized`.
        labels: int64 ``[n]``; for multi-label data bool ``[n, classes]``; for retrieval empty
            ``[n, 0]``.
        class_names: what the labels stand for.
        positions: where each row's sample is in `Labelled.samples`: unusable pictures are left out.
        fingerprint: the model and the preprocessing that made them.
    """

    keys: tuple[str, ...]
    matrix: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    positions: tuple[int, ...]
    fingerprint: Fingerprint


def features(
    labelled: Labelled,
    encoder: Encoder,
    *,
    encode: Callable[[Tensor], Tensor] | None = None,
    upright: bool = False,
    on_bad: images.OnBad = images.raise_error,
    threads: int | None = None,
    watch: Callable[[Iterator[int]], Iterator[int]] = iter,
) -> Features:
    """Encode labelled pictures, or take the features that a store kept of them.

    Args:
        labelled: what `snaplink.labelled.open` found.
        encoder: the model. A store's features must be its own.
        encode: pixels ``[n, 3, resolution, resolution]`` to features ``[n, any]``; by default
            `encoder.encode_pixels`. Give another to get the features of another layer.
        upright: turn pictures as their EXIF orientation says.
        on_bad: called with the `PictureError` of each picture that cannot be used.
        threads: see `snaplink.images.prepared`.
        watch: wraps the counting of pictures, to show progress.

    Raises:
        ArgumentError: no picture can be used, `encode` is given for a store, the store's features
            are another model's, or a feature is not finite.
    """
    mine = fingerprint(encoder, upright=upright, normalized=False, bulk=False)
    if labelled.stored is not None:
        if encode is not None:
            raise ArgumentError(f"{labelled.name}: a store has the features of no other layer")
        theirs = labelled.stored.fingerprint
        _demand_own(labelled.name, theirs, mine)
        matrix = torch.from_numpy(labelled.stored.matrix()).float()
        positions = [row for row in range(len(matrix)) if not matrix[row].isnan().all()]
        matrix, mine = matrix[positions], theirs
    else:
        found = _encoded(labelled, encoder, encode, upright, on_bad, threads)
        batches: list[Tensor] = []
        positions = list(watch(_positions(found, batches)))
        matrix = torch.cat(batches) if batches else torch.empty(0, encoder.dim)
    if not positions:
        raise ArgumentError(f"{labelled.name}: not one of its {len(labelled)} pictures can be used")
    samples = [labelled.samples[position] for position in positions]
    _demand_finite(labelled.name, samples, matrix)
    return Features(
        tuple(sample.key for sample in samples),
        matrix,
        _labels(labelled, samples),
        labelled.class_names,
        tuple(positions),
        mine,
    )


def _encoded(
    labelled: Labelled,
    encoder: Encoder,
    encode: Callable[[Tensor], Tensor] | None,
    upright: bool,
    on_bad: images.OnBad,
    threads: int | None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Positions and features, a batch at a time."""

    def pixels(position: int) -> Tensor:
        return encoder.pixels(labelled.samples[position].picture(upright=upright))

    prepared = images.prepared(range(len(labelled)), pixels, on_bad, threads)
    while batch := list(islice(prepared, encoder.batch_size)):
        stacked = torch.stack([each for _, each in batch])
        made = (encode or encoder.encode_pixels)(stacked)
        yield [position for position, _ in batch], made.detach().float().cpu()


def _positions(found: Iterator[tuple[list[int], Tensor]], batches: list[Tensor]) -> Iterator[int]:
    """The positions one by one, while the features gather in `batches`."""
    for positions, made in found:
        batches.append(made)
        yield from positions


def _demand_own(name: str, theirs: Fingerprint, mine: Fingerprint) -> None:
    if strange := theirs.strangeness(mine):
        raise ArgumentError(
            f"{name}: its features are another model's ({strange[0]}). Give that model with "
            f"--model ({theirs.model}), or embed the pictures again with this one"
        )


def _demand_finite(name: str, samples: list[Sample], matrix: Tensor) -> None:
    bad = (~torch.isfinite(matrix).all(-1)).nonzero().flatten()
    if len(bad):
        raise ArgumentError(
            f"{name}: {len(bad):,} of {len(matrix):,} features hold NaN or infinity, the first of "
            f"them {samples[int(bad[0])].key!r}. Embed again, with --precision fp32 if another "
            "was used; if they stay, the weights are damaged (see snaplink verify)"
        )


def _labels(labelled: Labelled, samples: list[Sample]) -> Tensor:
    if labelled.task == "classification":
        return torch.tensor([sample.labels[0] for sample in samples], dtype=torch.int64)
    labels = torch.zeros(len(samples), len(labelled.class_names), dtype=torch.bool)
    for row, sample in zip(labels, samples, strict=True):
        row[list(sample.labels)] = True
    return labels
