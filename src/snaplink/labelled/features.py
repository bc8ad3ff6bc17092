"""The features of labelled pictures, with their labels in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from snaplink import images
from snaplink.encoder import Encoder
from snaplink.fingerprint import Fingerprint

from .data import Labelled

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

    Raises:
        ArgumentError: no picture can be used, `encode` is given for a store, or a feature is not
            finite.
        StoreError: the store's features are another model's.
    """
    raise NotImplementedError
