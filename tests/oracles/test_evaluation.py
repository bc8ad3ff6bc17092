"""Evaluations beside transformers' own model, CLIP_benchmark's own metrics and its `build`."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from clip.registry import TINY
from snaplink import labelled, load_encoder, prompt_sets
from snaplink.convert import convert
from snaplink.evaluation import evaluate
from snaplink.evaluation.evaluate import _weights
from snaplink.evaluation.protocol import prompts
from snaplink.labelled import Labelled, Sample
from snaplink.prompts import fill

TILES = Path(__file__).parents[2] / "training" / "tiny" / "folders.py"
TEMPLATES = prompt_sets.get("imagenet1k_7").templates[:3]

TRANSFORMERS = """
import torch
from transformers import CLIPModel, CLIPProcessor

model = CLIPModel.from_pretrained(inputs["folder"]).float().eval()
tokenizer = CLIPProcessor.from_pretrained(inputs["folder"]).tokenizer
weights = []
with torch.no_grad():
    for name in inputs["names"]:
        texts = [template.replace("{}", name) for template in inputs["templates"]]
        options = dict(padding="max_length", truncation=True, return_tensors="pt")
        ids = tokenizer(texts, **options)["input_ids"]
        features = model.text_projection(model.text_model(ids).pooler_output)
        features = features / features.norm(dim=-1, keepdim=True)
        mean = features.mean(0)
        weights.append(mean / mean.norm())
    weights = torch.stack(weights)
    seen = model.vision_model(torch.from_numpy(inputs["pixels"])).pooler_output
    pictures = model.visual_projection(seen)
    pictures = pictures / pictures.norm(dim=-1, keepdim=True)
    logits = model.logit_scale.exp() * pictures @ weights.T
outputs["weights"] = weights
outputs["predictions"] = logits.argmax(-1)
outputs["confidences"] = logits.softmax(-1).max(-1).values
"""


@pytest.fixture(scope="module")
def data() -> Labelled:
    """Every sixth tile of the built-in model's held-out pictures, among their own names.

    ASCII only: transformers' tokenizer does without ftfy, which straightens apostrophes.
    """
    tiles = enumerate(runpy.run_path(str(TILES))["tiles"]())
    listed = [tile for i, tile in tiles if i % 6 == 0 and tile[0].isascii()]
    names = sorted({name for name, _, _ in listed})
    samples = [
        Sample(key, lambda picture=picture: picture, (names.index(name),))
        for name, key, picture in listed
    ]
    return Labelled("tiles", "classification", samples, tuple(names), tuple((n,) for n in names))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny", "cpu")


def test_weights_and_answers_are_those_of_transformers(peer, data, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "transformers"
    convert(TINY, folder, to="transformers")
    pixels = torch.stack([encoder.pixels(sample.picture()) for sample in data.samples])
    outputs = peer(
        TRANSFORMERS,
        folder=str(folder),
        names=list(data.class_names),
        templates=list(TEMPLATES),
        pixels=pixels,
    )
    weights = _weights(prompts(data, TEMPLATES), encoder)
    torch.testing.assert_close(weights, torch.from_numpy(outputs["weights"]), atol=2e-5, rtol=0)
    result = evaluate(data, encoder, templates=TEMPLATES)
    assert result.outcomes["predictions"] == outputs["predictions"].tolist()
    np.testing.assert_allclose(result.outcomes["confidences"], outputs["confidences"], atol=2e-4)


BENCHMARK = """
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock
import torch

# For captioning only; a hundred megabytes of Java.
parts = "tokenizer.ptbtokenizer bleu.bleu meteor.meteor rouge.rouge cider.cider spice.spice"
for part in parts.split():
    for name in ("", "." + part.partition(".")[0], "." + part):
        sys.modules["pycocoevalcap" + name] = MagicMock()
from clip_benchmark.cli import main_build
from clip_benchmark.metrics import zeroshot_classification, zeroshot_retrieval

# It calls float on arrays of one element, which numpy 2.4 forbids.
zeroshot_classification.float = lambda array: float(array.item())

class Given:
    # A model whose features are known: pictures and texts are rows of tables.
    def encode_image(self, rows):
        return torch.from_numpy(inputs["pictures"])[rows.long()]
    def encode_text(self, rows):
        return torch.from_numpy(inputs["texts"])[rows.long()]

class Loader(list):
    dataset = SimpleNamespace(classes=inputs["names"])

place = {text: row for row, text in enumerate(inputs["prompts"])}
tokenizer = lambda texts: torch.tensor([place[text] for text in texts])
rows = torch.arange(len(inputs["pictures"]))

def classify(targets):
    return zeroshot_classification.evaluate(
        Given(), Loader([(rows, torch.from_numpy(targets))]), tokenizer, inputs["names"],
        inputs["templates"], "cpu", amp=False,
    )

outputs["classification"] = classify(inputs["labels"])
outputs["multilabel"] = classify(inputs["marks"])
outputs["retrieval"] = zeroshot_retrieval.evaluate(
    Given(), [(rows, inputs["captions"])], tokenizer, "cpu", amp=False, recall_k_list=[1, 5, 10],
)
main_build(SimpleNamespace(files=inputs["files"], output=inputs["table"]))
"""


@pytest.fixture(scope="module")
def benchmark(peer, data, encoder, tmp_path_factory):
    """CLIP_benchmark's figures, ours, and our results as its `build` merged them."""
    folder = tmp_path_factory.mktemp("results")
    templates = ["a photo of a {}.", "the {}"]
    marks = torch.zeros(len(data), len(data.class_names), dtype=torch.int64)
    for row, sample in zip(marks, data.samples, strict=True):
        row[[sample.labels[0], (sample.labels[0] + 1) % len(row)]] = 1
    several = [Sample(s.key, s.source, tuple(row.nonzero().flatten().tolist()))
               for s, row in zip(data.samples, marks, strict=True)]  # fmt: skip
    captions = [
        [fill(template, data.class_names[s.labels[0]]) for template in templates[: 1 + i % 2]]
        for i, s in enumerate(data.samples)
    ]
    told = [Sample(s.key, s.source, captions=tuple(own))
            for s, own in zip(data.samples, captions, strict=True)]  # fmt: skip
    multi = Labelled("marks", "multilabel", several, data.class_names, data.synonyms)
    results = {
        "classification": evaluate(data, encoder, templates=templates),
        "multilabel": evaluate(multi, encoder, templates=templates),
        "retrieval": evaluate(Labelled("captions", "retrieval", told), encoder),
    }
    for name, result in results.items():
        result.write(folder / f"{name}.json")
    texts = list(dict.fromkeys(text for own in prompts(data, templates).of_classes for text in own))
    outputs = peer(
        BENCHMARK,
        pictures=F.normalize(labelled.features(data, encoder).matrix, dim=-1),
        texts=encoder.encode_texts(texts),
        prompts=texts,
        names=list(data.class_names),
        templates=[template.replace("{}", "{c}") for template in templates],
        labels=torch.tensor([sample.labels[0] for sample in data.samples]),
        marks=marks,
        captions=captions,
        files=[str(folder)],
        table=str(folder / "benchmark.csv"),
    )
    with (folder / "benchmark.csv").open(encoding="utf-8", newline="") as file:
        merged = {row["dataset"]: row for row in csv.DictReader(file)}
    return results, outputs, merged


@pytest.mark.parametrize("task", ["classification", "multilabel", "retrieval"])
def test_figures_are_those_of_clip_benchmark(benchmark, task):
    results, outputs, _ = benchmark
    assert outputs[task]
    for name, value in outputs[task].items():
        assert results[task].metrics[name] == pytest.approx(value, abs=1e-6), name


def test_clip_benchmark_builds_its_table_of_our_results(benchmark):
    results, _, merged = benchmark
    assert set(merged) == {"tiles", "marks", "captions"}
    row = merged["tiles"]
    assert float(row["acc1"]) == results["classification"].metrics["acc1"]
    assert row["model_fullname"] == "tiny snaplink"
    assert row["task"] == "zeroshot_classification"
    assert merged["captions"]["task"] == "zeroshot_retrieval"
    assert max(len(cell) for cell in row.values()) < 40
