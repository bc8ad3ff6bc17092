"""What torch's pickles mean: wrappers, and modules that were saved whole."""

from __future__ import annotations

import argparse
import collections
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip.checkpoint.budget import Budget
from clip.checkpoint.formats import read_contents
from clip.checkpoint.source import FileSource
from clip.checkpoint.tensors import StoredTensor
from clip.checkpoint.unpickle import Call

FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


def tree_of(path: Path) -> Any:
    with FileSource(path) as source:
        return read_contents(source, Budget(source.path, source.size)).tree


def shapes(entries: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in entries.items() if hasattr(value, "shape")}


class Counter(torch.nn.Module):
    """Buffers that are saved and buffers that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("lost", torch.ones(3), persistent=False)
        self.register_buffer("absent", None)
        self.register_parameter("nothing", None)


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_whole_module_is_its_state_dict(save, new: bool, protocol: int) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), Counter(), torch.nn.BatchNorm1d(4))
    path = save(module, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert shapes(tree_of(path)) == expected


def test_a_module_in_two_places_has_all_of_its_names(save) -> None:
    module = torch.nn.Module()
    module.first = torch.nn.Linear(2, 2)
    module.second = module.first
    assert list(tree_of(save(module))) == list(module.state_dict())


def test_a_module_in_a_wrapper_is_flat(save) -> None:
    tree = tree_of(save({"model": torch.nn.Linear(2, 3), "epoch": 4}))
    assert shapes(tree["model"]) == {"weight": (3, 2), "bias": (3,)}
    assert tree["epoch"] == 4


def test_an_archive_is_its_state_dict(archive: Path, model) -> None:
    found = shapes(tree_of(archive))
    sizes = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), ())
    assert found == {k: tuple(v.shape) for k, v in model.state_dict().items()} | sizes


def test_the_mask_of_a_scripted_module_is_no_weight(tmp_path: Path) -> None:
    """Traced modules lose plain tensors, scripted ones keep them."""
    module = torch.nn.Linear(2, 3)
    module.attn_mask = torch.ones(2, 2)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.script(module).save(tmp_path / "scripted.pt")
    assert list(tree_of(tmp_path / "scripted.pt")) == ["weight", "bias"]


def test_what_stands_beside_the_weights_stays_inert(save) -> None:
    linear = torch.nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(linear.parameters())
    linear(torch.ones(2)).sum().backward()
    optimizer.step()
    tree = tree_of(
        save(
            {
                "state_dict": linear.state_dict(),
                "optimizer": optimizer.state_dict(),
                "args": argparse.Namespace(lr=0.1),
                "best": np.float64(0.5),
                "history": [1.0, {"loss": (2.0, None)}],
                "counts": collections.Counter("aab"),
                "path": Path("a/b"),
                "device": torch.device("cpu"),
                "dtype": torch.float16,
                "size": torch.Size([1, 2]),
            }
        )
    )
    assert shapes(tree["state_dict"]) == {"weight": (3, 2), "bias": (3,)}
    assert isinstance(tree["optimizer"]["state"][0]["exp_avg"], StoredTensor)
    assert isinstance(tree["args"], Call)
    assert tree["history"][1]["loss"][0] == 2.0


def test_one_state_dict_under_two_names_is_one_dict(save) -> None:
    weights = {"a": torch.ones(1)}
    tree = tree_of(save({"model": weights, "ema": weights}))
    assert tree["model"] is tree["ema"]


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict, collections.defaultdict])
def test_dicts_of_every_class(save, kind: type) -> None:
    entries = kind()
    entries["a"] = torch.ones(2)
    assert shapes(tree_of(save(entries))) == {"a": (2,)}


def test_keys_that_are_no_names_are_left_out(save) -> None:
    tree = tree_of(
        save({"a": 1, 7: 2, (1, 2): 3, 2.5: 4, b"b": 5, None: 6, 2**70: 7, "x" * 999: 8})
    )
    assert tree == {"a": 1, 7: 2}
