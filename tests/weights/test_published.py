"""The published figures, with official weights and data that the user has: `make test-weights`.

Nothing is downloaded: only models that are in the cache are measured. SNAPLINK_IMAGENET names
ImageNet's validation set, or a part of it, in any form that `snaplink eval` reads.
"""

from __future__ import annotations

import os

import pytest

from clip import cache
from snaplink import evaluation, labelled, load_encoder, prompt_sets

DATA = os.environ.get("SNAPLINK_IMAGENET")
if DATA is None:
    pytest.skip("SNAPLINK_IMAGENET names no data", allow_module_level=True)

CACHED = {file.model.name: file for file in cache.contents() if file.state in ("ok", "unverified")}
SLACK = 0.003  # fp16 on a GPU, and other versions of Pillow

if not CACHED:
    pytest.skip("no official model is in the cache: snaplink download", allow_module_level=True)


@pytest.fixture(scope="module")
def imagenet():
    names = prompt_sets.get("imagenet1k").classes
    return labelled.open(DATA, class_names=names, published=True)


@pytest.mark.parametrize("name", CACHED)
def test_zero_shot_imagenet(name, imagenet):
    templates = prompt_sets.get("imagenet1k").templates
    result = evaluation.evaluate(imagenet, load_encoder(name), templates=templates)
    low, high = result.intervals["acc1"]
    published = CACHED[name].model.imagenet_top1 / 100
    # Of all 50,000 pictures, the figure itself; a part of them may differ by chance.
    if result.pictures == 50_000:
        low = high = result.metrics["acc1"]
    assert low - SLACK <= published <= high + SLACK, f"{name}: {result.metrics['acc1']:.2%}"
