"""Entry points for `torch.hub.load`, from a checkout that need not be installed."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

from clip import available_models, load
from clip import tokenize as _tokenize

dependencies = ["torch", "numpy", "PIL", "regex", "ftfy"]


def _entry_point(name):
    def entry(**kwargs):
        return load(name, **kwargs)

    entry.__name__ = re.sub(r"[@/-]", "_", name)
    entry.__doc__ = f"""CLIP {name}: gives the model and its preprocessing.

    Keyword arguments are those of `clip.load`: device, jit, download_root, ….
    """
    return entry


globals().update({entry.__name__: entry for entry in map(_entry_point, available_models())})


def tokenize():
    """The function `clip.tokenize`."""
    return _tokenize
