"""Read a CLIP checkpoint of any format, and execute nothing that is in it.

`open` reads headers only and gives a `Checkpoint`; its `read` reads the weights.
"""

from .layouts import Entry
from .meaning import Meaning
from .reader import Checkpoint, open
from .tensors import StoredTensor

__all__ = ["Checkpoint", "Entry", "Meaning", "StoredTensor", "open"]
