"""A folder to embeddings with openai/CLIP, as people write it and as clip-retrieval goes about it.

python embed_peers.py loop|clip-retrieval MODEL FOLDER OUTPUT

clip-retrieval 2.45 wants versions of numpy and open_clip of its own and some twenty packages more,
so its way is rebuilt here: batches of 256 from a DataLoader of 4 processes, normalised embeddings
as fp16, collected and written as one .npy with the names beside them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from contenders import prepare

prepare("openai/CLIP")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

import clip  # noqa: E402

TINY = Path(__file__).parents[1] / "src" / "clip" / "data" / "tiny.safetensors"
WAYS = {
    "loop": {"batch_size": 32, "num_workers": os.cpu_count() or 1},
    "clip-retrieval": {"batch_size": 256, "num_workers": 4, "prefetch_factor": 2},
}


class Folder(Dataset):
    def __init__(self, folder, preprocess):
        self.paths = sorted(Path(folder).glob("*.jpg"))
        self.preprocess = preprocess

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        path = self.paths[index]
        return self.preprocess(Image.open(path)), path.name


def load(model: str):
    if model != "tiny":
        return clip.load(model, device="cpu")
    from safetensors.torch import load_file

    network = clip.model.build_model(load_file(TINY)).float()
    return network, clip.clip._transform(network.visual.input_resolution)


def main() -> None:
    way, model, folder, output = sys.argv[1:]
    network, preprocess = load(model)
    names, features = [], []
    with torch.no_grad():
        for pixels, batch_names in DataLoader(Folder(folder, preprocess), **WAYS[way]):
            embedding = network.encode_image(pixels)
            if way == "clip-retrieval":
                embedding = (embedding / embedding.norm(dim=-1, keepdim=True)).half()
            features.append(embedding.numpy())
            names += batch_names
    Path(output).mkdir(parents=True)
    np.save(Path(output, "features.npy"), np.concatenate(features))
    np.save(Path(output, "names.npy"), names)


if __name__ == "__main__":
    main()
