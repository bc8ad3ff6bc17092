"""The libraries side by side behind one interface. A process uses one of them.

A contender is made by importing its library, which is what `import_once.py` measures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

ARCHIVE = "ViT-B-32.pt"
RESNET_ARCHIVE = "RN50.pt"
TRANSFORMERS_FOLDER = "transformers"


class Contender(Protocol):
    def load(self, folder: Path, how: str) -> Any:
        """The model of a folder made by `weights.py`, float32 on the CPU."""

    def encode_image(self, model: Any, pixels: Tensor) -> Tensor: ...

    def encode_text(self, model: Any, tokens: Tensor) -> Tensor: ...


class Original:
    """What has the interface of openai/CLIP: itself, as packed by clip-anytorch, or ours."""

    def __init__(self) -> None:
        import clip

        self.clip = clip

    def load(self, folder: Path, how: str) -> Any:
        if how == "path":
            return self.clip.load(str(folder / ARCHIVE), device="cpu")[0]
        sha256 = (folder / "sha256").read_text(encoding="utf-8")
        self.clip.clip._MODELS["bench"] = f"https://localhost/{sha256}/{ARCHIVE}"
        options = {"verify": "always"} if how == "name, hashed" else {}
        return self.clip.load("bench", device="cpu", download_root=str(folder), **options)[0]

    def encode_image(self, model: Any, pixels: Tensor) -> Tensor:
        return model.encode_image(pixels)

    def encode_text(self, model: Any, tokens: Tensor) -> Tensor:
        return model.encode_text(tokens)


class Transformers:
    def __init__(self) -> None:
        from transformers import CLIPModel, CLIPProcessor  # noqa: F401  # both are in every example

        self.CLIPModel = CLIPModel

    def load(self, folder: Path, how: str) -> Any:
        import torch

        return self.CLIPModel.from_pretrained(folder / TRANSFORMERS_FOLDER, dtype=torch.float32)

    def encode_image(self, model: Any, pixels: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=pixels).pooler_output

    def encode_text(self, model: Any, tokens: Tensor) -> Tensor:
        return model.get_text_features(input_ids=tokens.long()).pooler_output


def contender(name: str) -> Contender:
    """Import the library ``"snaplink"``, ``"openai/CLIP"`` or ``"transformers"``."""
    return Transformers() if name == "transformers" else Original()


def prepare(name: str) -> None:
    """What the peers need before their import, in the environment that `make peers` set up."""
    if not name.startswith("snaplink"):
        sys.path.append(str(Path(__file__).parents[1] / "tests" / "oracles"))
        from peer import define_missing_operators

        define_missing_operators()
