"""A look at the model in training, on the kept-out fifth of one training style: never OpenMoji."""

from __future__ import annotations

import pictures
import torch
import words
from augment import on_white
from batches import SHORT, Vocabulary
from model import TinyClip
from torch.nn import functional as F  # noqa: N812


@torch.no_grad()
def validation(clip: TinyClip, vocabulary: Vocabulary) -> str:
    """Top-1 and top-5 over all trained names, of `VALIDATION_FAMILY`'s kept-out pictures."""
    listed, pixels = pictures.load(pictures.VALIDATION_FAMILY)
    kept = [i for i, picture in enumerate(listed) if picture.split == "kept out"]
    named = [i for i, concept in enumerate(words.concepts()) if words.can_be_asked(concept)]
    texts = [f"a photo of a {words.concepts()[i].name}" for i in named]
    image = F.normalize(clip.encode_image(on_white(pixels[kept])), dim=-1)
    text = F.normalize(clip.encode_text(*vocabulary.encode(texts, SHORT)), dim=-1)
    ranked = torch.tensor(named)[(image @ text.T).topk(5).indices]
    right = ranked == torch.tensor([listed[i].concept for i in kept])[:, None]
    top1, top5 = right[:, 0].float().mean(), right.any(1).float().mean()
    return f"top-1 {top1:.3f}  top-5 {top5:.3f}"
