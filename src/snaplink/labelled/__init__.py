"""Labelled pictures, from wherever they are: `open` them, and get their `features`.

from snaplink import labelled, load_encoder

pictures = labelled.open("flowers/")          # class folders, shards, a table, a store, a name
found = labelled.features(pictures, load_encoder("ViT-B/32"))
found.matrix, found.labels                    # float32 [n, dim], int64 [n]
"""

from __future__ import annotations

from .data import Labelled, Sample
from .door import open  # labelled.open reads as it should
from .features import Features, features

__all__ = ["Features", "Labelled", "Sample", "features", "open"]
