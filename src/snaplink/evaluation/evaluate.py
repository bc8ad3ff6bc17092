"""The evaluation itself: pictures and words to features, features to outcomes and figures."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from clip.registry import official_name
from snaplink import images
from snaplink.encoder import Encoder
from snaplink.errors import ArgumentError
from snaplink.labelled import Features, Labelled, features
from snaplink.prompts import prompt_weights

from . import statistics
from .bootstrap import RESAMPLES
from .metrics import ranks, retrieval_ranks
from .protocol import Prompts, Templates, prompts
from .results import Result

__all__ = ["benchmark_names", "classified", "evaluate", "versions"]

Watch = Callable[[Iterator[int]], Iterator[int]]
_CLASSES_AT_ONCE = 64
_PICTURES_AT_ONCE = 4096


def evaluate(
    labelled: Labelled,
    encoder: Encoder,
    *,
    templates: Templates | None = None,
    origin: str = "given",
    upright: bool = False,
    on_bad: images.OnBad = images.raise_error,
    resamples: int = RESAMPLES,
    watch: Watch = iter,
    command: str = "",
) -> Result:
    """Measure a model on labelled pictures, without training: the paper's zero-shot protocol.

    Args:
        labelled: what `snaplink.labelled.open` found.
        encoder: the model.
        templates: see `protocol.prompts`; unused for retrieval.
        origin: where the templates come from, in words.
        upright, on_bad, watch: see `snaplink.labelled.features`.
        resamples: draws of the bootstrap.
        command: what repeats this, for the report.

    Raises:
        ArgumentError: see `snaplink.labelled.features` and `protocol.prompts`; or no picture of
            multi-label data has a label.
    """
    told: Prompts | None = None
    if labelled.task != "retrieval":
        told = prompts(labelled, templates, origin)
        weights = _weights(told, encoder)
    found = features(labelled, encoder, upright=upright, on_bad=on_bad, watch=watch)
    pictures = F.normalize(found.matrix, dim=-1)
    if told is None:
        outcomes = _retrieval(labelled, found, pictures, encoder)
    elif labelled.task == "multilabel":
        outcomes = _multilabel(found, pictures @ weights.T)
    else:
        outcomes = classified(
            found.keys, found.labels, pictures, lambda some: some @ weights.T, encoder.logit_scale
        )
    model, pretrained = benchmark_names(encoder.name)
    classes = len(labelled.class_names)
    return Result(
        labelled.name,
        model,
        pretrained,
        labelled.task,
        statistics.figures(labelled.task, outcomes, classes),
        statistics.intervals(labelled.task, outcomes, classes, resamples),
        labelled.class_names,
        told.templates if told else (),
        outcomes,
        _about(labelled, found, encoder, told, resamples, command),
    )


def _weights(told: Prompts, encoder: Encoder) -> Tensor:
    """A unit vector a class; not all prompts' features at once, which may be gigabytes."""
    parts = [
        prompt_weights(told.of_classes[start : start + _CLASSES_AT_ONCE], encoder.encode_texts)
        for start in range(0, len(told.of_classes), _CLASSES_AT_ONCE)
    ]
    return torch.cat(parts)


def classified(
    keys: Sequence[str],
    labels: Tensor,
    features: Tensor,
    score: Callable[[Tensor], Tensor],
    scale: float = 1.0,
) -> dict[str, list[Any]]:
    """What happened to each picture of a classification, as `Result` keeps it.

    Args:
        keys: of the pictures.
        labels: the right classes, int64 ``[n]``.
        features: ``[n, dim]``.
        score: features ``[some, dim]`` to ``[some, classes]``, the higher the better.
        scale: of the scores, before their softmax says how sure an answer is.
    """
    outcomes: dict[str, list[Any]] = {
        "keys": list(keys),
        "labels": labels.tolist(),
        "predictions": [],
        "confidences": [],
        "ranks": [],
    }
    for start in range(0, len(features), _PICTURES_AT_ONCE):
        scores = score(features[start : start + _PICTURES_AT_ONCE])
        sureness, given = (scale * scores).softmax(-1).max(-1)
        own = labels[start : start + _PICTURES_AT_ONCE]
        outcomes["ranks"] += ranks(scores, own).tolist()
        outcomes["predictions"] += given.tolist()
        outcomes["confidences"] += [round(value, 6) for value in sureness.tolist()]
    return outcomes


def _multilabel(found: Features, scores: Tensor) -> dict[str, list[Any]]:
    if not found.labels.any():
        raise ArgumentError(
            "no picture has any label, so there is nothing to find: look at the column of labels"
        )
    return {
        "keys": list(found.keys),
        "labels": [row.nonzero().flatten().tolist() for row in found.labels],
        "scores": [[round(value, 7) for value in row] for row in scores.tolist()],
    }


def _retrieval(
    labelled: Labelled, found: Features, pictures: Tensor, encoder: Encoder
) -> dict[str, list[Any]]:
    captions = [labelled.samples[position].captions for position in found.positions]
    owners = [row for row, own in enumerate(captions) for _ in own]
    texts = encoder.encode_texts([text for own in captions for text in own], normalize=True)
    of_pictures: list[list[int]] = [[] for _ in captions]
    for text, picture in enumerate(owners):
        of_pictures[picture].append(text)
    return {
        "keys": list(found.keys),
        "owners": owners,
        "image_ranks": retrieval_ranks(texts, pictures, [[owner] for owner in owners]).tolist(),
        "text_ranks": retrieval_ranks(pictures, texts, of_pictures).tolist(),
    }


def benchmark_names(name: str) -> tuple[str, str]:
    """A model's name as CLIP_benchmark's pair of model and pretrained weights.

    >>> benchmark_names("ViT-L/14@336px"), benchmark_names("runs/best.pt")
    (('ViT-L-14-336', 'openai'), ('best', 'runs/best.pt'))
    """
    official = official_name(name)
    if official is not None:
        return official.replace("/", "-").replace("@", "-").removesuffix("px"), "openai"
    return (name, "snaplink") if name == "tiny" else (Path(name).stem or name, name)


def _about(
    labelled: Labelled,
    found: Features,
    encoder: Encoder,
    told: Prompts | None,
    resamples: int,
    command: str,
) -> dict[str, Any]:
    return {
        "command": command,
        "pictures": len(found.keys),
        "skipped": len(labelled) - len(found.keys),
        **_words(labelled, told),
        "logit_scale": encoder.logit_scale,
        "resamples": resamples,
        "fingerprint": found.fingerprint.to_json(),
        "features": "kept in a store" if labelled.stored else "computed",
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of what computed a result."""
    return {
        "snaplink": version("snaplink"),
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "platform": platform.platform(),
    }


def _words(labelled: Labelled, told: Prompts | None) -> dict[str, Any]:
    if told is None:
        return {"captions": sum(len(sample.captions) for sample in labelled.samples)}
    return {
        "prompts": told.count,
        "prompts_sha256": told.sha256,
        "prompts_origin": told.origin,
        "classes_without_pictures": sum(count == 0 for count in labelled.counts),
    }
