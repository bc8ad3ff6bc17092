"""The fast preprocessing reads the transforms of openai/CLIP and open_clip: torchvision's."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

COMPARE = """
    import sys, types

    ours = sys.modules["ours"] = types.ModuleType("ours")
    ours.__path__ = [inputs["ours"]]

    import clip
    import open_clip
    import torch
    from ours.bulk import BulkPreprocess
    from PIL import Image
    from torchvision.transforms import Compose, Normalize

    half = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    photograph = Image.effect_noise((400, 300), 90).convert("RGB")
    theirs = {
        "openai/CLIP": clip.clip._transform(224),
        **{
            f"open_clip, {mode}": open_clip.transform.image_transform(
                (224, 224), is_train=False, resize_mode=mode, **half
            )
            for mode in ("shortest", "squash")
        },
    }
    for name, preprocess in theirs.items():
        bulk = BulkPreprocess.of(preprocess)
        bytes = Compose(preprocess.transforms[:-1])(photograph) * 255
        outputs[name] = (bulk(photograph) - bytes).abs().max().item()
    preprocess.transforms[-3].mode = "L"
    outputs["grey"] = BulkPreprocess.of(preprocess) is None
"""


def test_pixels_are_theirs_within_a_255th(peer):
    differences = peer(COMPARE, ours=str(ROOT / "src" / "clip"))
    assert differences.pop("grey")
    assert set(differences) == {"openai/CLIP", "open_clip, shortest", "open_clip, squash"}
    for name, difference in differences.items():
        assert 0.5 < difference < 1.01, name
