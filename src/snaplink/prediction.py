"""What was found in a picture: labels, each with its probability. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Prediction", "Score"]


@dataclass(frozen=True)
class Score:
    """A label and the probability, from 0 to 1, that it fits better than the others."""

    label: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """What was found in a picture.

    Attributes:
        picture: its path; None for a picture that came without one.
        scores: every label, the best first.

    >>> found = Prediction("owl.png", (Score("owl", 0.9), Score("cat", 0.1)))
    >>> found.label, found.score
    ('owl', 0.9)
    """

    picture: str | None
    scores: tuple[Score, ...]

    @property
    def label(self) -> str:
        """The best label."""
        return self.scores[0].label

    @property
    def score(self) -> float:
        """The best label's probability."""
        return self.scores[0].score
