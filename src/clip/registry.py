"""The models that have a name: OpenAI's official nine, and the built-in `tiny`. Only data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OFFICIAL", "TINY", "OfficialModel", "official_name"]

_BASE_URL = "https://openaipublic.azureedge.net/clip/models"


@dataclass(frozen=True)
class OfficialModel:
    """One of OpenAI's published checkpoints.

    Attributes:
        name: as `clip.available_models()` lists it, for instance ``"ViT-B/32"``.
        file: its file name at the address and in the cache.
        nbytes: size of the file.
        embed_dim: width of the shared picture and text space.
        resolution: side of the square picture that it reads, in pixels.
        parameters: number of parameters.
        imagenet_top1: zero-shot ImageNet accuracy in percent, as published in open_clip's
            ``docs/openclip_results.csv`` for these weights.
        sha256: hash of the file; also its folder at the address.
    """

    name: str
    file: str
    nbytes: int
    embed_dim: int
    resolution: int
    parameters: int
    imagenet_top1: float
    sha256: str

    @property
    def url(self) -> str:
        return f"{_BASE_URL}/{self.sha256}/{self.file}"


# fmt: off
OFFICIAL: dict[str, OfficialModel] = {
    model.name: model
    for model in (
        OfficialModel("RN50", "RN50.pt", 255827503, 1024, 224, 102007137, 59.82, "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"),
        OfficialModel("RN101", "RN101.pt", 291791292, 512, 224, 119688033, 62.28, "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599"),
        OfficialModel("RN50x4", "RN50x4.pt", 421854225, 640, 288, 178300601, 66.27, "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd"),
        OfficialModel("RN50x16", "RN50x16.pt", 661125706, 768, 384, 290979217, 70.72, "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa"),
        OfficialModel("RN50x64", "RN50x64.pt", 1353500174, 1024, 448, 623258305, 73.91, "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c"),
        OfficialModel("ViT-B/32", "ViT-B-32.pt", 353976522, 512, 224, 151277313, 63.32, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
        OfficialModel("ViT-B/16", "ViT-B-16.pt", 350837078, 512, 224, 149620737, 68.34, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
        OfficialModel("ViT-L/14", "ViT-L-14.pt", 932768134, 768, 224, 427616513, 75.54, "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
        OfficialModel("ViT-L/14@336px", "ViT-L-14-336px.pt", 934088680, 768, 336, 427944193, 76.56, "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),
    )
}
# fmt: on

TINY = Path(__file__).parent / "data" / "tiny.safetensors"
"""The built-in model's file, part of the package."""

# transformers names the ViTs its own way.
_HUB_NAMES = {
    "openai/clip-vit-base-patch32": "ViT-B/32",
    "openai/clip-vit-base-patch16": "ViT-B/16",
    "openai/clip-vit-large-patch14": "ViT-L/14",
    "openai/clip-vit-large-patch14-336": "ViT-L/14@336px",
}

_LOADER = re.compile(r"^(?:open_clip:|hf_clip:)")
_OWNER = re.compile(r"^(?:(?:openai|qdrant|sentence-transformers)/)?(?:clip-)?")
_OPENAI_S = re.compile(r"(?:[,:/_]+openai|-quickgelu|-vision|-text)*$")


def _squeezed(name: str) -> str:
    """A name without case, separators and what only says that the weights are OpenAI's."""
    return re.sub(r"[-/@_ ]|px$", "", _OPENAI_S.sub("", _OWNER.sub("", name.lower()), 1))


_BY_SPELLING = {_squeezed(name): name for name in OFFICIAL}


def official_name(spelling: str) -> str | None:
    """The official name behind a spelling that means the same weights, or None.

    Knows the spellings of open_clip, CLIP_benchmark, clip-retrieval, clip-as-service, Immich,
    transformers, sentence-transformers and fastembed.

    >>> official_name("ViT-B-32,openai"), official_name("openai/clip-vit-large-patch14")
    ('ViT-B/32', 'ViT-L/14')
    >>> official_name("ViT-B-32,laion2b_s34b_b79k") is None
    True
    """
    spelling = _LOADER.sub("", spelling)
    return _HUB_NAMES.get(spelling.lower()) or _BY_SPELLING.get(_squeezed(spelling))
