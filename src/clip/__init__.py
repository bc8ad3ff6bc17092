"""CLIP: pictures and texts in one space. A drop-in for openai/CLIP's package.

>>> import clip
>>> model, preprocess = clip.load("tiny", device="cpu")
>>> clip.tokenize(["a cat", "a dog"]).shape
torch.Size([2, 77])
"""

from . import clip as clip
from . import model as model
from . import simple_tokenizer as simple_tokenizer
from .clip import available_models, load, tokenize

__all__ = ["available_models", "load", "tokenize"]
