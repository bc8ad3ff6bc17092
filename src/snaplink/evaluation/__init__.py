"""How good is a model on labelled pictures, and how sure is that?

from snaplink import evaluation, labelled, load_encoder

result = evaluation.evaluate(labelled.open("flowers/"), load_encoder("ViT-B/32"))
result.metrics["acc1"], result.intervals["acc1"]
"""

from __future__ import annotations

from .comparison import Comparison, compare
from .evaluate import evaluate
from .results import Result, read

__all__ = ["Comparison", "Result", "compare", "evaluate", "read"]
