"""What people write to embed a folder with openai/CLIP:

python openai_folder.py CHECKPOINT FOLDER OUTPUT
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


class Folder(Dataset):
    def __init__(self, folder, preprocess):
        self.paths = sorted(Path(folder).glob("*.jpg"))
        self.preprocess = preprocess

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.preprocess(Image.open(self.paths[index]))


def main() -> None:
    checkpoint, folder, output = sys.argv[1:]
    model, preprocess = clip.load(checkpoint, device="cpu")
    pictures = Folder(folder, preprocess)
    loader = DataLoader(pictures, batch_size=32, num_workers=os.cpu_count() or 1)
    with torch.no_grad():
        features = torch.cat([model.encode_image(batch) for batch in loader])
    names = [path.name for path in pictures.paths]
    np.savez(output, names=names, features=features.numpy())


if __name__ == "__main__":
    main()
