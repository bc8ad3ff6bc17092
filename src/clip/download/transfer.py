"""Filling a partial file from one source, through cuts, pauses and restarts."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from .body import Interrupted, Unusable
from .partial import Partial
from .sources import Source

__all__ = ["Progress", "Retry", "fill"]

Progress = Callable[[int, "int | None"], None]
"""Is told the bytes that are here and the bytes of the whole file (None: not known)."""

_FRUITFUL = 1 << 20
_LONGEST_PAUSE = 30.0
_LONGEST_WISH = 120.0
_WORTH_TELLING = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """How patiently a source is asked.

    Attributes:
        tries: how many tries in a row may fail to get a MiB further before a source is given up;
            others do not count, so a long file may arrive in many pieces.
        pause: seconds before the second try; doubled for each further one, up to 30 s, and
            shortened at random by up to half so that many waiting clients spread out.
        timeout: seconds without a byte after which a connection is given up.
    """

    tries: int = 5
    pause: float = 0.5
    timeout: float = 30.0


def fill(
    partial: Partial, source: Source, nbytes: int | None, retry: Retry, progress: Progress | None
) -> None:
    """Receive what is missing, so that the partial file is the whole and right one.

    A whole file with the wrong hash is set aside and received anew, once: what was kept of a
    former call, or came from another source, may have been the wrong part.

    Raises:
        Unusable: this source cannot complete the file.
    """
    for _ in range(2):
        _receive_all(partial, source, nbytes, retry, progress)
        if partial.is_right():
            return
        wrong = partial.hexdigest()
        aside = partial.set_aside()
        _log.warning("%s sent wrong content (SHA-256 %s), now in %s", source, wrong, aside)
    raise Unusable(f"sends wrong content (SHA-256 {wrong})")


def _receive_all(
    partial: Partial, source: Source, nbytes: int | None, retry: Retry, progress: Progress | None
) -> None:
    fruitless = 0
    furthest = partial.size
    while True:
        try:
            _receive(partial, source, nbytes, progress)
            return
        except Interrupted as interruption:
            reason, wish = str(interruption), interruption.wait
        fruitless = 0 if partial.size - furthest >= _FRUITFUL else fruitless + 1
        furthest = max(furthest, partial.size)
        if fruitless >= retry.tries:
            raise Unusable(f"{reason}; given up after {fruitless} tries")
        if wish is not None and wish > _LONGEST_WISH:
            raise Unusable(f"{reason} and asks to wait {wish:.0f} s")
        backoff = min(_LONGEST_PAUSE, retry.pause * 2 ** max(0, fruitless - 1))
        pause = max(wish or 0.0, backoff * random.uniform(0.5, 1))
        level = logging.WARNING if pause >= _WORTH_TELLING else logging.INFO
        _log.log(level, "%s %s; trying again in %.1f s", source, reason, pause)
        time.sleep(pause)


def _receive(
    partial: Partial, source: Source, nbytes: int | None, progress: Progress | None
) -> None:
    """One request, and as much of its answer as arrives."""
    with source.open(partial.size, partial.validator(source.address)) as body:
        if None not in (nbytes, body.total) and body.total != nbytes:
            raise Unusable(f"has a file of {body.total} bytes in place of {nbytes}")
        total = nbytes if nbytes is not None else body.total
        first = next(body.pieces, b"")
        # Nothing that is here is given up before the answer looks like the file.
        if body.start == 0 and first.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
            raise Unusable("sends a web page in place of the file (a proxy's or a login page?)")
        if body.start != partial.size:
            partial.clear()
        partial.remember(source.address, body.validator)
        for piece in chain([first], body.pieces):
            if total is not None and partial.size + len(piece) > total:
                raise Unusable(f"sends more than the file's {total} bytes")
            partial.append(piece)
            if progress:
                progress(partial.size, total)
        if total is not None and partial.size < total:
            raise Interrupted(f"breaks off after {partial.size} of {total} bytes")
