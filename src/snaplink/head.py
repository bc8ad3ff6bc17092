"""A head: what a linear classifier has learnt about a model's features, in one small file.

A probe, or labels put into words, become a matrix and a bias; calibration adds a temperature and
thresholds. The file is safetensors: nothing in it can run. It says which model it is for, and
refuses any other.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from .classifier import Classifier, Picture, Prediction, Score
from .encoder import Encoder
from .errors import HeadError
from .files import put
from .fingerprint import Fingerprint, fingerprint
from .penultimate import before_projection

__all__ = ["NONE", "FeatureKind", "Head", "HeadClassifier", "feature_encoder"]

NONE = "none of these"
"""The label of a picture whose best label stays below its threshold."""

FeatureKind = Literal["embedding", "pre-projection"]

_FORMAT = "snaplink head 1"
_LARGEST = 1 << 30  # bytes of a head's file


@dataclass(frozen=True)
class Head:
    """A linear classifier over a model's features of pictures.

    Attributes:
        weight: float32 ``[classes, dim]``.
        bias: float32 ``[classes]``.
        class_names: one a row.
        kind: what made it: "linear probe" or "zero-shot".
        features: "embedding" (what `encode_image` gives), or "pre-projection" (the vision tower's,
            before the projection).
        normalized: whether features are scaled to length 1 first.
        fingerprint: of the model that it is for.
        recipe: how it was made, for people to read: JSON's types only.
        temperature: what logits are divided by.
        thresholds: ``[classes]``; a best label whose probability is below its threshold becomes
            "none of these". None: every picture gets a label.
    """

    weight: Tensor
    bias: Tensor
    class_names: tuple[str, ...]
    kind: str
    features: FeatureKind
    normalized: bool
    fingerprint: Fingerprint
    recipe: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    thresholds: Tensor | None = None

    def logits(self, features: Tensor) -> Tensor:
        """Raw features ``[n, dim]`` to ``[n, classes]``, before the temperature."""
        if self.normalized:
            features = F.normalize(features, dim=-1)
        return features @ self.weight.T + self.bias

    def probabilities(self, features: Tensor) -> Tensor:
        """Raw features ``[n, dim]`` to ``[n, classes]``, each row adding up to 1."""
        return (self.logits(features) / self.temperature).softmax(-1)

    def check(self, encoder: Encoder) -> None:
        """Raises HeadError where the head was made for another model, saying what differs."""
        own = fingerprint(encoder, upright=False, normalized=False, bulk=False)
        if strange := self.fingerprint.strangeness(own):
            raise HeadError(
                f"the head is for another model: {'; '.join(strange)}. Give its own with "
                f"--model {self.fingerprint.model}, or make a head for this one"
            )
        width = feature_encoder(encoder, self.features).dim
        if self.weight.shape[1] != width:
            raise HeadError(
                f"the head is for features of {self.weight.shape[1]} numbers, but {encoder.name} "
                f"gives {width}: its file is damaged, make it again"
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the head to a file, whole or not at all."""
        from safetensors.torch import save

        tensors = {"weight": self.weight, "bias": self.bias}
        if self.thresholds is not None:
            tensors["thresholds"] = self.thresholds
        about = {
            "class_names": self.class_names,
            "kind": self.kind,
            "features": self.features,
            "normalized": self.normalized,
            "fingerprint": self.fingerprint.to_json(),
            "recipe": self.recipe,
            "temperature": self.temperature,
        }
        held = {name: tensor.float().cpu().contiguous() for name, tensor in tensors.items()}
        put(Path(path), save(held, {"format": _FORMAT, "head": json.dumps(about)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Head:
        """Read what `save` wrote.

        Raises:
            HeadError: the file is no head, or damaged.
            OSError: it cannot be read.
        """
        path = Path(path)
        size = path.stat().st_size
        if size > _LARGEST:
            raise HeadError(f"{path}: {size:,} bytes are too many for a head")
        content = path.read_bytes()
        try:
            return _read(content)
        except _BadError as bad:
            raise HeadError(
                f"{path} is no head: {bad}. Heads are made by snaplink probe and snaplink calibrate"
            ) from None
        except Exception as error:  # whatever safetensors and json say of damaged files
            reason = str(error).partition("\n")[0]
            raise HeadError(f"{path} is damaged ({reason}): make it again") from None


class _BadError(Exception):
    """Not a head of ours."""


def _read(content: bytes) -> Head:
    from safetensors.torch import load

    metadata = _metadata(content)
    if metadata.get("format") != _FORMAT:
        found = metadata.get("format")
        raise _BadError(f"its format is {found!r}" if found else "it does not say that it is one")
    tensors, about = load(content), json.loads(metadata["head"])
    names = tuple(map(str, about["class_names"]))
    weight, bias, thresholds = tensors["weight"], tensors["bias"], tensors.get("thresholds")
    shapes = [list(weight.shape[:1]), list(bias.shape)]
    shapes += [list(thresholds.shape)] if thresholds is not None else []
    if weight.dim() != 2 or any(shape != [len(names)] for shape in shapes):
        raise ValueError(f"{len(names)} class names, but tensors of other sizes")
    if not all(map(_usable, tensors.values())):
        raise ValueError("numbers that are not finite float32")
    if about["features"] not in ("embedding", "pre-projection"):
        raise ValueError(f"features {about['features']!r}")
    if not 0 < float(about["temperature"]) < math.inf:
        raise ValueError(f"temperature {about['temperature']}")
    return Head(
        weight,
        bias,
        names,
        str(about["kind"]),
        about["features"],
        bool(about["normalized"]),
        Fingerprint.from_json(about["fingerprint"]),
        dict(about["recipe"]),
        float(about["temperature"]),
        thresholds,
    )


def _metadata(content: bytes) -> dict[str, str]:
    """The header's; safetensors.torch.load leaves it out."""
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        return dict(header.get("__metadata__", {}))
    except (struct.error, ValueError, AttributeError, OverflowError):
        raise _BadError("it is not in the safetensors format") from None


def _usable(tensor: Tensor) -> bool:
    return tensor.dtype is torch.float32 and bool(tensor.isfinite().all())


def feature_encoder(encoder: Encoder, features: FeatureKind) -> Encoder:
    """The encoder whose `encode_pixels` gives this kind of features."""
    return encoder if features == "embedding" else before_projection(encoder)


class HeadClassifier(Classifier):
    """Classifies pictures with a head.

    Args:
        head: what was learnt.
        encoder: the model that it was made for.
        upright: as for any classifier.

    Raises:
        HeadError: it was made for another model.
    """

    def __init__(self, head: Head, encoder: Encoder, *, upright: bool = False) -> None:
        head.check(encoder)
        self.head = head
        self.labels: Sequence[str] = head.class_names
        self.encoder = feature_encoder(encoder, head.features)
        self.upright = upright

    def probabilities(self, features: Tensor) -> Tensor:
        return self.head.probabilities(features)

    def _prediction(self, picture: Picture, row: Tensor) -> Prediction:
        """Below the threshold, "none of these" comes first, as likely as the best label is not."""
        prediction = super()._prediction(picture, row)
        best = int(row.argmax())
        if self.head.thresholds is None or row[best] >= self.head.thresholds[best]:
            return prediction
        refused = Score(NONE, 1 - prediction.score)
        return Prediction(prediction.picture, (refused, *prediction.scores))
