"""Finding the CLIP model among all that people save with it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch

from clip.checkpoint.state_dicts import find_state_dict
from clip.checkpoint.tensors import StoredTensor
from clip.errors import CheckpointError


class File:
    path, size = "file.pt", 4


TENSOR = StoredTensor(File(), torch.float32, (1,), (1,), 0, 4)
OTHER = replace(TENSOR, nbytes=8)
NAMES = ("visual.conv1.weight", "visual.proj", "token_embedding.weight", "ln_final.weight")


def model(prefix: str = "") -> dict[str, Any]:
    return {prefix + name: TENSOR for name in NAMES}


WRAPPERS = ("module.", "model.", "clip_model.", "clip.", "_orig_mod.")


@pytest.mark.parametrize("wrappers", [*itertools.product(WRAPPERS, repeat=2), ("",)])
def test_wrappers_of_modules_are_taken_off_in_any_order(wrappers: tuple[str, ...]) -> None:
    found = find_state_dict(model("".join(wrappers)), "file.pt")
    assert tuple(found.entries) == NAMES


def test_compiled_parts_lose_their_wrapper_too() -> None:
    names = [name.replace("visual.", "visual._orig_mod.") for name in NAMES]
    found = find_state_dict(dict.fromkeys(names, TENSOR), "file.pt")
    assert tuple(found.entries) == NAMES


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net", "weights"])
def test_training_checkpoints_hold_other_things_beside(key: str) -> None:
    optimizer = {"state": {0: {"exp_avg": TENSOR, "step": TENSOR}}, "param_groups": [{"lr": 0.1}]}
    tree = {"epoch": 3, key: model("module."), "optimizer": optimizer, "scaler": None}
    found = find_state_dict(tree, "file.pt")
    assert tuple(found.entries) == NAMES
    assert (found.place, found.prefix) == (f"[{key!r}]", "module.")


def test_models_are_found_in_lists_and_deep_down() -> None:
    found = find_state_dict([3, ({"a": {"b": model()}},)], "file.pt")
    assert found.place == "[1][0]['a']['b']"


def test_a_dict_with_two_names_is_one_model() -> None:
    weights = model()
    assert find_state_dict({"a": weights, "b": weights}, "file.pt").place == "['a']"


def test_values_that_refer_to_themselves_end() -> None:
    tree: dict[str, Any] = {"model": model()}
    tree["self"] = [tree, tree]
    assert find_state_dict(tree, "file.pt").place == "['model']"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"model": model(), "model_ema": model()}, r"2 CLIP models: \['model'\], \['model_ema'\]"),
        (
            {**model("student."), **model("teacher.")},
            "under 'student.', top level under 'teacher.'",
        ),
        ({**model("clip."), "head.weight": TENSOR}, "would go unused: head.weight"),
        ({**model(), "_orig_mod.visual.proj": OTHER}, "holds visual.proj twice"),
        ({"a": TENSOR, "b": [1]}, "no CLIP model in it: its keys are a"),
        ({"epoch": 3}, "it holds no tensors"),
        (None, "it holds no tensors"),
        (dict.fromkeys(NAMES[:2], TENSOR), "only the picture tower.*text tower is missing"),
        (dict.fromkeys(NAMES[2:], TENSOR), "only the text tower.*picture tower is missing"),
        ({**model(), "visual.trunk.norm.weight": TENSOR}, "timm model.*visual.trunk.norm.weight"),
        ({"visual.trunk.norm.weight": TENSOR}, "timm model"),
        ({**model(), "logit_bias": TENSOR}, "SigLIP model.*logit_bias"),
        ({**model(), "text_decoder.ln.weight": TENSOR}, "CoCa model"),
        ({**model(), "visual.attn_pool.query": TENSOR}, "CoCa model"),
        ({**model("m."), "m.text.transformer.embeddings.x": TENSOR}, "one of transformers' models"),
        ({**model(), "visual.transformer.resblocks.0.ls_1.gamma": TENSOR}, "layer scale"),
        ({"text_model.encoder.layer.0.weight": TENSOR}, "ChineseCLIP"),
    ],
)
def test_what_is_wrong_is_named(tree: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        find_state_dict(tree, "file.pt")
    assert str(error.value).startswith("file.pt: ")


def test_the_advice_for_two_models_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match=r"Save the one that you want.*in a file of its own"):
        find_state_dict({"model": model(), "ema": model()}, "file.pt")
