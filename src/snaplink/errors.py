"""Every error that `snaplink` raises on purpose, beside those of `clip.errors`.

    SnaplinkError (a RuntimeError)
    ├── ArgumentError          what was asked for cannot be done: labels, templates, device, paths
    ├── PictureError           one picture that cannot be used; the others can
    │   └── TooManyPixelsError it is larger than is decoded
    ├── StoreError             a store that cannot be used, or not for what was asked
    ├── HeadError              a head that cannot be used, or not with this model
    ├── ServerError            `snaplink serve`, asked by a client, failed
    │   ├── UnreachableError   there is no answer, or it breaks off
    │   ├── BusyError          it has too much to do, or is not ready, and was asked often enough
    │   ├── RefusedError       it refuses what was asked for
    │   │   └── TokenError     it wants a token, or another one
    │   └── AnswerError        the answer is not one of `snaplink serve`
    ├── MissingPackageError    a package of one of the extras is not installed
    └── ForeignClipError       the installed `clip` is not snaplink's

A message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "AnswerError",
    "ArgumentError",
    "BusyError",
    "ForeignClipError",
    "HeadError",
    "MissingPackageError",
    "PictureError",
    "RefusedError",
    "ServerError",
    "SnaplinkError",
    "StoreError",
    "TokenError",
    "TooManyPixelsError",
    "UnreachableError",
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


class TooManyPixelsError(PictureError):
    """A picture that is larger than is decoded."""


class StoreError(SnaplinkError):
    """A store of embeddings that cannot be used, or not for what was asked of it."""


class ServerError(SnaplinkError):
    """`snaplink serve`, asked by a client, failed.

    Args:
        message: where, what is wrong and what to do.
        status: of the answer in HTTP; None if there was none.
        problem: the server's own words; by default the message.
        param: what part of the request they are about.
        code: which of the server's errors it is.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problem: str | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem or message
        self.param = param
        self.code = code


class UnreachableError(ServerError):
    """There is no answer, or it breaks off."""


class BusyError(ServerError):
    """The server has too much to do, or is not ready, and was asked often enough."""


class RefusedError(ServerError):
    """The server refuses what was asked for."""


class TokenError(RefusedError):
    """The server wants a token, or another one."""


class AnswerError(ServerError):
    """The answer is not one of `snaplink serve`, or not of this version."""


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
