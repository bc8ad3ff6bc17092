"""`load`, `build_model`, `_download`, TorchScript: names, dtypes, warnings and errors."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import torch


def public_names(clip, kit):
    """Fresh interpreters reach the same modules and functions by every usual import."""
    program = "; ".join(
        [
            "import sys, warnings; warnings.simplefilter('ignore'); import torch",
            f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})",
            "import runner; runner.prepare_torchvision()",
            "{}",
        ]
    )
    ways = {
        "bare": "import clip; print([clip.load is clip.clip.load, clip.model.CLIP.__name__,"
        " clip.simple_tokenizer.SimpleTokenizer.__name__, clip.tokenize is clip.clip.tokenize,"
        " clip.available_models is clip.clip.available_models])",
        "from": "from clip import clip; print([clip.__name__, callable(clip.load)])",
        "as": "import clip.clip as clip; print([clip.__name__, callable(clip.tokenize)])",
        "star": "from clip import *; print([callable(load), callable(tokenize)])",
        "parts": "from clip.model import CLIP, build_model, convert_weights;"
        "from clip.clip import _MODELS, _download, _transform, _convert_image_to_rgb, BICUBIC,"
        " build_model as b, _Tokenizer, _tokenizer, available_models, load, tokenize;"
        "from clip.simple_tokenizer import SimpleTokenizer as _T, default_bpe, bytes_to_unicode,"
        " get_pairs, basic_clean, whitespace_clean;"
        "print([b is build_model, _T is _Tokenizer, isinstance(_tokenizer, _T)])",
    }
    answers = {}
    for name, statement in ways.items():
        command = [sys.executable, "-c", program.format(statement)]
        answers[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return answers


def the_models(clip, kit):
    """The nine official names in order, and their addresses."""
    return {"names": clip.available_models(), "addresses": clip.clip._MODELS}


def paths_and_devices(clip, kit):
    """A `str`, a `Path`, a device by name, as an object or None."""
    text, results = clip.tokenize("a cat"), {}
    for name, arguments in {
        "str": [kit.vit, "cpu"],
        "path": [Path(kit.vit), torch.device("cpu")],
        "none": [kit.vit, None],
        "default": [kit.vit],
    }.items():
        model, preprocess = clip.load(*arguments)
        results[name] = model.encode_text(text)
        results[f"{name} steps"] = len(preprocess.transforms)
    return results


def loaded_state(clip, kit):
    """Eval mode, fp32 on CPU, every parameter learns, nothing is a view of another."""
    results = {}
    for kind, path in (("vit", kit.vit), ("resnet", kit.resnet), ("plain", kit.vit_state_dict)):
        model, _ = clip.load(path, device="cpu")
        weights = list(model.parameters())
        results[kind] = [
            model.training,
            sorted({str(w.dtype) for w in weights}),
            all(w.requires_grad and w.is_leaf and w.is_contiguous() for w in weights),
            len({w.data_ptr() for w in weights}) == len(weights),
            type(model).__qualname__,
        ]
        results[f"{kind} sums"] = torch.stack([w.detach().double().sum() for w in weights]).float()
    return results


def a_key_before_a_file(clip, kit):
    """A key of `_MODELS` wins over a file of that name; a file over everything else."""
    asked = []

    def download(url, root=None):
        asked.append(url)
        return kit.resnet

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copy(kit.vit, "RN50")
        shutil.copy(kit.vit, "tiny")
        with mock.patch.object(clip.clip, "_download", download):
            named, _ = clip.load("RN50", device="cpu")
        filed, _ = clip.load("tiny", device="cpu")
        os.chdir(kit.folder)
    towers = [type(named.visual).__name__, type(filed.visual).__name__]
    return {"asked": asked, "towers": towers}


def unknown_names(clip, kit):
    """What `load` says of a name that means nothing, a folder or a missing file."""
    refusals = {}
    for name in ("RN51", "no/such/file.pt"):
        try:
            clip.load(name)
        except RuntimeError as error:
            refusals[name] = str(error).partition("]")[0]
    return refusals


def download_from_a_cache(clip, kit):
    """`_download` returns the path of a file that is there with the right SHA-256."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mine.pt")
        shutil.copy(kit.vit, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        url = f"https://example.invalid/models/{digest}/mine.pt"
        found = clip.clip._download(url, folder)
        with mock.patch.dict(clip.clip._MODELS, {"mine": url}):
            model, _ = clip.load("mine", device="cpu", download_root=folder)
        left = [file.name for file in Path(folder).glob("*.pt")]
    return {
        "path": [type(found).__name__, Path(found) == path],
        "left": left,
        "features": model.encode_text(clip.tokenize("a cat")),
    }


def torchscript(clip, kit):
    """`jit=True`: a ScriptModule for any batch size, with its methods, buffers and state dict."""
    results = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            model, preprocess = clip.load(path, device="cpu", jit=True)
        texts = clip.tokenize(["a cat", "two dogs", "rain"])
        with torch.no_grad():
            for count in (1, 2, 5):
                results[f"{kind} picture {count}"] = model.encode_image(kit.pixels(count, size))
            for count in (1, 3):
                results[f"{kind} text {count}"] = model.encode_text(texts[:count])
            results[f"{kind} logits"], results[f"{kind} other"] = model(kit.pixels(2, size), texts)
        state = model.state_dict()
        results[f"{kind} state"] = [
            [k, str(state[k].dtype), *state[k].shape] for k in sorted(state)
        ]
        sizes = model.input_resolution, model.context_length, model.vocab_size
        results[f"{kind} sizes"] = [[size.item(), size.ndim, str(size.dtype)] for size in sizes]
        results[f"{kind} kinds"] = [isinstance(model, torch.jit.ScriptModule), model.training]
        results[f"{kind} preprocess"] = preprocess(kit.picture())[:, ::9, ::9]
    return results


def torchscript_back_to_eager(clip, kit):
    """`build_model` of a ScriptModule's state dict, a common way from one to the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted, _ = clip.load(kit.vit, device="cpu", jit=True)
    model = clip.model.build_model(scripted.state_dict()).float()
    return {"features": model.encode_image(kit.pixels(2)), "training": model.training}


def jit_of_a_plain_file(clip, kit):
    """`jit=True` on a state dict warns and gives the eager model."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, _ = clip.load(kit.vit_state_dict, device="cpu", jit=True)
    about = [w for w in caught if "JIT archive" in str(w.message)]
    return {
        "warnings": [str(w.message).replace(kit.vit_state_dict, "FILE") for w in about],
        "category": [w.category.__name__ for w in about],
        "kind": type(model).__name__,
        "features": model.encode_text(clip.tokenize("a cat")),
    }


def _weights(kit):
    weights = dict(torch.load(kit.vit_state_dict))
    sizes = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    return weights | {name: torch.tensor(size) for name, size in sizes.items()}


def build_model(clip, kit):
    """fp32 weights in: an fp16 eval model of its own memory, three keys gone from the dict."""
    weights = _weights(kit)
    for weight in weights.values():
        if weight.dim():
            weight += 1e-4  # fp16 no longer holds the values: they are rounded
    model = clip.model.build_model(weights)
    before = model.encode_text(clip.tokenize("a cat"))
    gone = sorted(set(_weights(kit)) - set(weights))
    for weight in weights.values():
        weight.zero_()
    return {
        "gone": gone,
        "before": before,
        "after": model.encode_text(clip.tokenize("a cat")),
        "training": model.training,
        "dtypes": [[name, str(w.dtype)] for name, w in model.state_dict().items()],
        "rounded": model.visual.proj[:4, :4],
        "learn": all(weight.requires_grad for weight in model.parameters()),
    }


def build_model_of_other_dtypes(clip, kit):
    """The model's dtypes are its own, whatever the dict holds: doubles, halves, parameters."""
    results = {}
    for name, dtype in (("double", torch.double), ("half", torch.half), ("bfloat", torch.bfloat16)):
        weights = {k: torch.nn.Parameter(w.to(dtype)) for k, w in _weights(kit).items() if w.dim()}
        weights["logit_scale"] = torch.tensor(2.5, dtype=dtype)
        model = clip.model.build_model(weights)
        results[f"{name} dtypes"] = [[n, str(w.dtype)] for n, w in model.state_dict().items()]
        results[name] = model.encode_image(kit.pixels(1))
    return results


def build_model_is_strict(clip, kit):
    """Missing, unexpected and misshapen entries raise RuntimeError and name the key."""
    edits = {
        "missing": lambda w: w.pop("visual.ln_post.bias"),
        "unexpected": lambda w: w.update(extra=torch.ones(1)),
        "shape": lambda w: w.update({"visual.ln_pre.bias": torch.ones(3)}),
    }
    keys = {"missing": "visual.ln_post.bias", "unexpected": "extra", "shape": "visual.ln_pre.bias"}
    answers = {}
    for name, edit in edits.items():
        weights = _weights(kit)
        edit(weights)
        try:
            clip.model.build_model(weights)
        except RuntimeError as error:
            answers[name] = keys[name] in str(error)
    return answers


def strict_load_state_dict(clip, kit):
    """`load_state_dict` of a loaded model: strict by default, a report otherwise."""
    model, _ = clip.load(kit.vit, device="cpu")
    weights = model.state_dict()
    weights.pop("ln_final.bias")
    weights["more"] = torch.ones(1)
    report = model.load_state_dict(weights, strict=False)
    try:
        model.load_state_dict(weights)
        refused = False
    except RuntimeError:
        refused = True
    return {"report": [report.missing_keys, report.unexpected_keys], "refused": refused}


def traced_by_the_caller(clip, kit):
    """`torch.jit.trace` of towers and model by the caller's own hand, saved and read again."""
    model, _ = clip.load(kit.vit, device="cpu", jit=False)
    texts = clip.tokenize(["a cat", "a dog"])
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = f"{folder}/traced.pt"
        torch.jit.save(torch.jit.trace(model, (kit.pixels(2), texts)), path)
        whole = torch.jit.load(path)
        visual = torch.jit.trace(model.visual, kit.pixels(1))
    with torch.no_grad():
        return {"logits": whole(kit.pixels(3), texts)[0], "picture": visual(kit.pixels(4))}


def scripted_by_the_caller(clip, kit):
    """`torch.jit.script` of a tower whose LayerNorm the caller made scriptable."""

    def forward(self, x: torch.Tensor):
        return torch.nn.functional.layer_norm(x, self.normalized_shape, self.weight, self.bias)

    with mock.patch.object(clip.model.LayerNorm, "forward", forward), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model, _ = clip.load(kit.vit, device="cpu", jit=False)
        scripted = torch.jit.script(model.visual)
        return {"features": scripted(kit.pixels(2))}
