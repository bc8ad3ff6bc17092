"""Data sets of torchvision and `datasets`, by name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from PIL import Image

from snaplink import labelled
from snaplink.errors import ArgumentError


class Colours:
    """What a data set of torchvision looks like from outside."""

    def __init__(self, root, train=True, download=False):
        if root != "here":
            raise RuntimeError("Dataset not found or corrupted. You can use download=True")
        self.classes = ["blue", "red"]
        self.targets = [1, 1, 0] if train else [0, 1]

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, row):
        return Image.new("RGB", (9, 9), self.classes[self.targets[row]]), self.targets[row]


@pytest.fixture
def torchvision(monkeypatch):
    package, sets = ModuleType("torchvision"), ModuleType("torchvision.datasets")
    sets.Colours = Colours
    package.datasets = sets
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", sets)


@pytest.mark.usefixtures("torchvision")
def test_a_set_of_torchvision():
    found = labelled.open("torchvision:Colours", root="here")
    assert found.class_names == ("blue", "red")
    assert [s.labels for s in found.samples] == [(0,), (1,)]
    assert found.samples[1].picture().getpixel((0, 0)) == (255, 0, 0)
    assert len(labelled.open("torchvision:Colours", root="here", split="train")) == 3


@pytest.mark.usefixtures("torchvision")
def test_what_torchvision_does_not_have():
    with pytest.raises(ArgumentError, match="no data set 'colours'; capitals count"):
        labelled.open("torchvision:colours")
    with pytest.raises(ArgumentError, match=r"Get it first.*download=True"):
        labelled.open("torchvision:Colours", root="elsewhere")


def test_without_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ArgumentError, match="pip install torchvision"):
        labelled.open("torchvision:CIFAR10")


def test_a_set_of_datasets(tmp_path, folders):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "stone"])}
    )
    rows = {"image": [str(folders / "cat/a.png"), str(folders / "cat/b.png")], "label": [1, 0]}
    made = datasets.DatasetDict({"test": datasets.Dataset.from_dict(rows, features=features)})
    made.save_to_disk(str(tmp_path / "kept"))
    found = labelled.open(f"datasets:{tmp_path / 'kept'}")
    assert found.class_names == ("cat", "stone")
    assert [s.labels for s in found.samples] == [(1,), (0,)]
    assert found.samples[0].picture().size == (12, 10)
    with pytest.raises(ArgumentError, match="cannot open the part 'val'"):
        labelled.open(f"datasets:{tmp_path / 'kept'}", split="val")
