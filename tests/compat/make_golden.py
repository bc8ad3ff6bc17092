"""Write golden/ anew with openai/CLIP's own code: run it in the peers' environment.

    make peers && .venv-peers/bin/python tests/compat/make_golden.py

results.npz.xz holds what every case returns, and pickled_by_openai.pt.xz two small whole models
that were pickled under the original's `clip.model.*`, with pictures, texts and their logits.
"""

from __future__ import annotations

import io
import lzma
import tempfile
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden"
SIZES = {
    "vit": (64, 32, 1, 64, 16, 12, 50, 64, 1, 1),
    "resnet": (64, 64, (1, 1, 1, 1), 4, None, 12, 50, 64, 1, 1),
}


def whole_models(model: object) -> dict[str, object]:
    """Models of few distinct weights, which compress well, and what they answer."""
    kept: dict[str, object] = {}
    for kind, sizes in SIZES.items():
        torch.manual_seed(0)
        network = model.CLIP(*sizes).eval()  # type: ignore[attr-defined]
        for weight in network.parameters():
            weight.data = (weight.data * 8).round() / 8 if weight.dim() > 1 else weight.data
        for name, buffer in network.named_buffers():
            if "running" in name:
                buffer += 0.25
        pixels = torch.linspace(-2, 2, 2 * 3 * sizes[1] ** 2).reshape(2, 3, sizes[1], sizes[1])
        text = torch.arange(24).reshape(2, 12)
        logits, _ = network(pixels, text)
        kept[kind] = {"model": network, "pixels": pixels, "text": text, "logits": logits.detach()}
    return kept


def main() -> None:
    from materials import Kit, save_original_archives
    from runner import prepare_torchvision, run

    torch.set_num_threads(1)
    prepare_torchvision()
    import clip

    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        save_original_archives(folder, clip.model.build_model)
        results = run(clip, Kit(Path(folder).resolve()), [])
    failed = [str(value) for name, value in results.items() if name.endswith("/raised")]
    assert not failed, "\n".join(failed)
    arrays, pickled = io.BytesIO(), io.BytesIO()
    np.savez(arrays, **results)
    torch.save(whole_models(clip.model), pickled)
    for name, file in (("results.npz.xz", arrays), ("pickled_by_openai.pt.xz", pickled)):
        (GOLDEN / name).write_bytes(lzma.compress(file.getvalue(), preset=9))


if __name__ == "__main__":
    main()
