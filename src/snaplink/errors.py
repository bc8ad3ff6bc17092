"""Every error that `snaplink` raises on purpose, beside those of `clip.errors`.

    SnaplinkError (a RuntimeError)
    ├── ArgumentError          what was asked for cannot be done: labels, templates, device, paths
    ├── PictureError           one picture that cannot be used; the others can
    ├── StoreError             a store that cannot be used, or not for what was asked
    ├── HeadError              a head that cannot be used, or not with this model
    ├── MissingPackageError    a package of one of the extras is not installed
    └── ForeignClipError       the installed `clip` is not snaplink's

A message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "ForeignClipError",
    "HeadError",
    "MissingPackageError",
    "PictureError",
    "SnaplinkError",
    "StoreError",
]


class SnaplinkError(RuntimeError):
    """The root of the tree: catch it to catch them all."""


class ArgumentError(SnaplinkError, ValueError):
    """What was asked for cannot be done, whatever the pictures are."""


class PictureError(SnaplinkError):
    """A picture that cannot be used.

    Args:
        picture: the path, or a few words for a picture that has none.
        problem: what is wrong with it, as a phrase without a full stop.

    >>> print(PictureError("cat.png", "an empty file"))
    cat.png: an empty file
    """

    def __init__(self, picture: str, problem: str) -> None:
        self.picture = picture
        self.problem = problem
        super().__init__(f"{picture}: {problem}")

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        return type(self), (self.picture, self.problem)


class StoreError(SnaplinkError):
    """A store of embeddings that cannot be used, or not for what was asked of it."""


class MissingPackageError(SnaplinkError, ImportError):
    """A package of one of the extras is not installed.

    Args:
        purpose: what needs it, in the plural, at the beginning of a sentence.
        package: its name on the package index.
        extra: the extra that brings it.

    >>> print(MissingPackageError("stores", "pyarrow", "embed"))
    stores need pyarrow: pip install "snaplink[embed]"
    """

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(f'{purpose} need {package}: pip install "snaplink[{extra}]"')


class HeadError(SnaplinkError):
    """A head's file is no head or damaged, or the head is for another model."""


class ForeignClipError(SnaplinkError):
    """Another distribution wrote its files over, or before, those of our package `clip`."""
