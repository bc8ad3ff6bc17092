"""Which model made some features, and how: what must agree before vectors may be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encoder import Encoder

__all__ = ["Fingerprint", "fingerprint"]


@dataclass(frozen=True)
class Fingerprint:
    """Which model made features, and how.

    Attributes:
        model: what the model was loaded by. A name only: two names may well be one model.
        weights_sha256: see `snaplink.weights.weights_sha256`.
        architecture: the model's sizes, by name.
        preprocessing: what happened to a picture before the model saw it: ``size``, ``mode``
            ("shortest", "longest", "squash" or "custom"), ``interpolation``, ``mean``, ``std``,
            ``upright`` (turned as its EXIF orientation says) and ``path`` ("exact" or "bulk").
        precision: what the model computed in: "fp32", "fp16", "bf16" or "int8".
        normalized: whether every vector was scaled to length 1.
        origin: "computed", or "imported" for vectors of which somebody only said what made them.
    """

    model: str
    weights_sha256: str
    architecture: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    precision: str
    normalized: bool
    origin: str = "computed"

    def differences(self, other: Fingerprint) -> list[str]:
        """What tells the two apart, each as a phrase, this one's side first; [] for equals.

        The name of a model is no difference, nor is the origin of the vectors.

        >>> one = Fingerprint("tiny", "ab" * 32, {}, {"size": 64}, "fp32", True)
        >>> one.differences(Fingerprint("tiny", "ab" * 32, {}, {"size": 64}, "bf16", True))
        ['precision fp32, not bf16']
        """
        return self._space_differences(other) + list(self._manner_differences(other))

    def strangeness(self, other: Fingerprint) -> list[str]:
        """What forbids to compare vectors of the two with each other; [] if nothing does.

        Less than `differences` lists: queries may be made in another precision, by the exact or
        the bulk preprocessing, or of pictures that are not turned upright.
        """
        return self._space_differences(other)

    def _space_differences(self, other: Fingerprint) -> list[str]:
        found = []
        if self.weights_sha256 != other.weights_sha256:
            found.append(f"weights {_weights(self)}, not {_weights(other)}")
        found += _unequal("", self.architecture, other.architecture)
        space = {"size", "mode", "interpolation", "mean", "std"}
        found += _unequal("preprocessing ", self.preprocessing, other.preprocessing, only=space)
        return found

    def _manner_differences(self, other: Fingerprint) -> Iterator[str]:
        manner = {"upright", "path"}
        mine, others = self.preprocessing, other.preprocessing
        yield from _unequal("preprocessing ", mine, others, only=manner)
        if self.precision != other.precision:
            yield f"precision {self.precision}, not {other.precision}"
        if self.normalized != other.normalized:
            length = {True: "vectors of length 1", False: "raw vectors"}
            yield f"{length[self.normalized]}, not {length[other.normalized]}"

    def to_json(self) -> dict[str, Any]:
        """As a dictionary that `json` writes."""
        return asdict(self)

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Fingerprint:
        """Raises ValueError where `to_json` did not write this."""
        kinds = {"normalized": bool, "architecture": dict, "preprocessing": dict}
        for field in fields(cls):
            kind = kinds.get(field.name, str)
            if not isinstance(read.get(field.name), kind):
                raise ValueError(f"{field.name} is no {kind.__name__}")
        return cls(**{field.name: read[field.name] for field in fields(cls)})


def _weights(of: Fingerprint) -> str:
    return f"{of.weights_sha256[:12]} ({of.model})"


def _unequal(
    title: str, one: Mapping[str, Any], other: Mapping[str, Any], only: set[str] | None = None
) -> list[str]:
    """Only what both know: a later version may say more."""
    names = [name for name in one if name in other and (only is None or name in only)]
    return [
        f"{title}{name} {one[name]}, not {other[name]}"
        for name in names
        if _plain(one[name]) != _plain(other[name])
    ]


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def fingerprint(encoder: Encoder, *, upright: bool, normalized: bool, bulk: bool) -> Fingerprint:
    """The fingerprint of features made by an encoder.

    Args:
        encoder: what runs the model.
        upright: whether pictures are turned as their EXIF orientation says.
        normalized: whether vectors are scaled to length 1.
        bulk: whether pictures pass through `encoder.bulk` instead of `encoder.pixels`.
    """
    return Fingerprint(
        model=encoder.name,
        weights_sha256=encoder.weights_sha256(),
        architecture={
            "embed_dim": encoder.dim,
            "image_resolution": encoder.resolution,
            **getattr(encoder, "architecture", {}),
        },
        preprocessing={
            **_steps(encoder),
            "upright": upright,
            "path": "bulk" if bulk else "exact",
        },
        precision=encoder.precision,
        normalized=normalized,
    )


def _steps(encoder: Encoder) -> dict[str, Any]:
    """What the steps of a `Compose`, ours or torchvision's, say of themselves."""
    preprocess = getattr(encoder, "preprocess", None)
    by_name = {type(step).__name__: step for step in getattr(preprocess, "transforms", ())}
    size = {"size": encoder.resolution}
    resize = by_name.get("Resize") or by_name.get("ResizeKeepRatio")
    normalize = by_name.get("Normalize")
    if resize is None or normalize is None:
        return {**size, "mode": "custom"}
    if "ResizeKeepRatio" in by_name:
        mode = "longest" if resize.inside else "shortest"
    else:
        mode = "shortest" if isinstance(resize.size, int) else "squash"
    interpolation = resize.interpolation
    return {
        **size,
        "mode": mode,
        "interpolation": getattr(interpolation, "name", str(interpolation)).lower(),
        "mean": [float(value) for value in normalize.mean],
        "std": [float(value) for value in normalize.std],
    }
