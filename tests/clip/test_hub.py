"""Repositories of the Hub, from a local server that speaks its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import clip
from clip.checkpoint.directories import read_directory
from clip.checkpoint.transformers_names import TRANSPOSED, transformers_names

pytest.importorskip("huggingface_hub")

HERE = Path(__file__).parent

CLIENT = """
import json, sys
from fetcher import stand_in_for_clip
stand_in_for_clip()
from clip.hub import snapshot
assert "torch" not in sys.modules
for name in sys.argv[1:]:
    try:
        print(json.dumps(["found", str(snapshot(name))]))
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""

FEATURES = """
import sys, clip, torch
for name in sys.argv[1:]:
    model, preprocess = clip.load(name, device="cpu")
    with torch.no_grad():
        features = model.encode_text(clip.tokenize(["a red apple"]))
    print(features[0, 0].item(), preprocess.transforms[-1].mean[0])
"""


@dataclass
class Hub:
    folder: Path
    port: int
    home: Path

    def add(self, repository: str, *files: str, revision: str = "main") -> Path:
        folder = self.folder / repository / revision
        folder.mkdir(parents=True)
        for file in files:
            is_config = file.endswith("config.json")
            (folder / file).write_text("{}" if is_config else f"{file} {revision}", "utf-8")
        return folder

    def run(self, script: str, *arguments: str, **environment: str) -> list[str]:
        variables = {
            **{key: value for key, value in os.environ.items() if "OFFLINE" not in key},
            "HF_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "HF_HOME": str(self.home),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([str(HERE / "download"), *sys.path]),
            **environment,
        }
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(
            command, env=variables, capture_output=True, encoding="utf-8", check=True
        )
        return done.stdout.splitlines()

    def snapshots(self, *names: str, **environment: str) -> list[tuple[str, str]]:
        return [tuple(json.loads(line)) for line in self.run(CLIENT, *names, **environment)]

    def log(self) -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/log") as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    command = [sys.executable, HERE / "hub_server.py", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
    yield folder, int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def hub(server, tmp_path):
    return Hub(*server, tmp_path / "home")


def test_only_one_form_of_the_weights_is_downloaded_and_it_is_the_one_that_is_read(hub):
    picture = "preprocessor_config.json"
    repositories = {
        "one/transformers": (
            ["config.json", picture, "pytorch_model.bin", "model.safetensors", "README.md"],
            ["config.json", picture, "model.safetensors"],
        ),
        "one/pickled": (
            ["config.json", "pytorch_model.bin"],
            ["config.json", "pytorch_model.bin"],
        ),
        "one/open-clip": (
            ["open_clip_config.json", "open_clip_pytorch_model.bin", "open_clip_model.safetensors"],
            ["open_clip_config.json", "open_clip_model.safetensors"],
        ),
        "one/both": (
            [
                *("config.json", "open_clip_config.json", "model.safetensors"),
                *("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
            ],
            ["config.json", "open_clip_config.json", "open_clip_model.safetensors"],
        ),
    }
    for name, (files, _) in repositories.items():
        folder = hub.add(name, *files)
        if "open_clip_config.json" in files:
            config = {"model_cfg": {"embed_dim": 8}}
            (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    found = hub.snapshots(*(f"hf-hub:{name}" for name in repositories))
    for (outcome, path), (_, wanted) in zip(found, repositories.values(), strict=True):
        assert outcome == "found", path
        assert {file.name for file in Path(path).iterdir()} == set(wanted)
        assert [weights.name for weights in read_directory(Path(path)).weights] == wanted[-1:]


def test_every_shard_of_an_index_comes(hub):
    folder = hub.add("shards/of", "config.json", "a.safetensors", "b.safetensors", "c.safetensors")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    ((outcome, path),) = hub.snapshots("hf-hub:shards/of")
    assert outcome == "found", path
    assert {weights.name for weights in read_directory(Path(path)).weights} == {
        "a.safetensors",
        "b.safetensors",
    }
    assert not (Path(path) / "c.safetensors").exists()


def test_a_revision_is_honoured(hub):
    for revision in ("main", "v2"):
        hub.add("revised/model", "config.json", "model.safetensors", revision=revision)
    found = hub.snapshots("hf-hub:revised/model", "hf-hub:revised/model@v2")
    texts = [(Path(path) / "model.safetensors").read_text("utf-8") for _, path in found]
    assert texts == ["model.safetensors main", "model.safetensors v2"]
    commit = Path(found[1][1]).name
    assert hub.snapshots(f"hf-hub:revised/model@{commit}") == [found[1]]


def test_what_cannot_be_found_or_used_is_said(hub):
    hub.add("no/weights", "config.json", "README.md")
    hub.add("no/config", "model.safetensors")
    hub.add("good/model", "config.json", "model.safetensors")
    asked = {
        "hf-hub:no/such": ("ModelNotFoundError", "not on the Hub"),
        "hf-hub:good/model@none": ("ModelNotFoundError", "no revision none"),
        "hf-hub:": ("ModelNotFoundError", "should read hf-hub:owner/name"),
        "hf-hub:../../etc": ("ModelNotFoundError", "should read"),
        "hf-hub:../etc": ("ModelNotFoundError", "cannot be on the Hub"),
        "hf-hub:no/weights": ("DownloadError", "no weights that can be used"),
        "hf-hub:no/config": ("DownloadError", "no config.json or open_clip_config.json"),
    }
    for (kind, text), (wanted, part) in zip(hub.snapshots(*asked), asked.values(), strict=True):
        assert kind == wanted, text
        assert part in text


def test_offline_the_cache_serves_or_an_error_says_how(hub):
    hub.add("off/line", "config.json", "model.safetensors")
    hub.add("off/none", "config.json", "model.safetensors")
    (found,) = hub.snapshots("hf-hub:off/line")
    before = len(hub.log())
    for variable in ("CLIP_OFFLINE", "HF_HUB_OFFLINE"):
        again, missing = hub.snapshots("hf-hub:off/line", "hf-hub:off/none", **{variable: "1"})
        assert again == found
        assert missing[0] == "OfflineError"
        assert "hf download off/none" in missing[1]
    assert len(hub.log()) == before


def test_without_a_network_the_cache_serves(hub):
    hub.add("un/plugged", "config.json", "model.safetensors")
    (found,) = hub.snapshots("hf-hub:un/plugged")
    hub.port = 1
    again, missing = hub.snapshots("hf-hub:un/plugged", "hf-hub:never/seen")
    assert again == found
    assert missing[0] == "DownloadError"


def test_without_huggingface_hub_the_error_says_what_to_install(monkeypatch):
    from clip.errors import DownloadError
    from clip.hub import snapshot

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match="pip install huggingface_hub"):
        snapshot("hf-hub:acme/model")


def test_models_of_both_layouts_load_by_name(hub):
    torch.manual_seed(0)
    model = clip.model.CLIP(16, 32, 1, 64, 16, 77, 49408, 64, 1, 1).eval()
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    with torch.no_grad():
        expected = model.encode_text(clip.tokenize(["a red apple"]))[0, 0].item()

    folder = hub.add("layout/open-clip")
    save_file(weights, folder / "open_clip_model.safetensors")
    towers = {"layers": 1, "width": 64}
    config = {
        "model_cfg": {
            "embed_dim": 16,
            "quick_gelu": True,
            "vision_cfg": {"image_size": 32, "patch_size": 16, **towers},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 1, **towers},
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")

    folder = hub.add("layout/transformers")
    save_file(dict(in_transformers_layout(weights)), folder / "model.safetensors")
    towers = {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 256,
        "hidden_act": "quick_gelu",
    }
    config = {
        "model_type": "clip",
        "projection_dim": 16,
        "vision_config": {"image_size": 32, "patch_size": 16, **towers},
        "text_config": {"vocab_size": 49408, "max_position_embeddings": 77, **towers},
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    picture = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}
    (folder / "preprocessor_config.json").write_text(json.dumps(picture), "utf-8")

    lines = hub.run(FEATURES, "hf-hub:layout/open-clip", "hf-hub:layout/transformers")
    features, means = zip(*(map(float, line.split()) for line in lines), strict=True)
    assert features == pytest.approx([expected, expected], rel=1e-4)
    assert means == pytest.approx([0.5, 0.1])


def in_transformers_layout(weights):
    for name, value in weights.items():
        names = transformers_names(name)
        value = value.T if name in TRANSPOSED else value
        for part, piece in zip(
            names, value.chunk(len(names)) if value.ndim else [value], strict=True
        ):
            yield part, piece.clone().contiguous()
