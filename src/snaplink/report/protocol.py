"""How something was measured, as a page tells it: complete enough to measure it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snaplink.evaluation import Result

from . import page
from .wording import percent

__all__ = ["how", "model_of", "prompts_of", "protocol", "repeat", "versions_of", "whole_print"]


def how(result: Result) -> str:
    """The way to the answers in two words."""
    return "linear probe" if "probe" in result.about else "zero-shot"


def protocol(result: Result) -> str:
    """The protocol of an evaluation, as the body of a section."""
    about = result.about
    pairs = model_of(about["fingerprint"]) | {"features": str(about["features"])}
    lists = ""
    if "probe" in about:
        pairs |= _probe(about)
        lists = _sweep(about["probe"]["trials"])
    else:
        if result.task != "retrieval":
            pairs |= prompts_of(about)
        pairs["sureness"] = f"softmax of {about['logit_scale']:.4g} x cosine"
    if result.task != "retrieval":
        pairs["classes without pictures"] = f"{about['classes_without_pictures']:,}"
    pairs["intervals"] = f"95 %, percentile bootstrap over pictures, {about['resamples']:,} draws"
    pairs["versions"] = versions_of(about)
    if result.templates:
        lists += page.pre("\n".join(result.templates), f"{len(result.templates)} templates")
    if result.class_names:
        names = "\n".join(result.class_names)
        lists += page.pre(names, f"{len(result.class_names):,} class names")
    return page.definitions(pairs) + lists + whole_print(about["fingerprint"])


def model_of(print_: Mapping[str, Any]) -> dict[str, str]:
    """The model and what it sees, of a fingerprint."""
    seen = print_["preprocessing"]
    return {
        "model": f"{print_['model']}, in {print_['precision']}",
        "weights": f"SHA-256 {print_['weights_sha256']}",
        "pictures": f"{seen.get('size')} pixels, {seen.get('mode')} side, "
        f"{seen.get('interpolation', 'own')} interpolation"
        + (", turned upright" if seen.get("upright") else ""),
    }


def prompts_of(about: Mapping[str, Any]) -> dict[str, str]:
    """What the text tower read."""
    return {
        "prompts": f"{about['prompts']:,}: every class with {about['prompts_origin']}",
        "zero-shot classifier": "each prompt's features of length 1, their mean of length 1",
        "SHA-256 of the prompts": str(about["prompts_sha256"]),
    }


def _probe(about: Mapping[str, Any]) -> dict[str, str]:
    told = about["probe"]
    if not told["trials"]:
        chosen = "nothing: it is fixed"
    elif told["validation"] == "given":
        chosen = "a validation set of its own"
    else:
        chosen = f"{percent(told['validation'])} of each class set aside, seed {told['seed']}"
    tried = f"{len(told['trials'])} values tried" if told["trials"] else "no search"
    return {
        "classifier": "logistic regression with an L2 penalty, by L-BFGS, at most 1,000 iterations"
        + ("" if told["converged"] else "; it did not converge in these"),
        "learnt from": f"{told['examples']:,} pictures, those to choose lambda by included",
        "lambda": f"{told['lambda']:.6g}; scikit-learn's C is 1 / lambda = {told['C']:.6g}",
        "lambda's sweep": f"{told['sweep']}, {tried}",
        "lambda chosen by": chosen,
        "sureness": "softmax of the classifier's logits",
    }


def _sweep(trials: list[dict[str, float]]) -> str:
    rows = [(f"{each['lambda']:.4g}", each["accuracy"], (f"{each['C']:.4g}",)) for each in trials]
    if not rows:
        return ""
    return page.bar_table(("lambda", "validation pictures named rightly", "C"), rows, "The sweep")


def versions_of(about: Mapping[str, Any]) -> str:
    """What computed it, in a line."""
    return ", ".join(f"{name} {version}" for name, version in about["versions"].items())


def whole_print(print_: Mapping[str, Any]) -> str:
    """A fingerprint in full, behind a line to click."""
    return page.pre(json.dumps(print_, indent=2), "the whole fingerprint")


def repeat(about: Mapping[str, Any]) -> list[page.Section]:
    """The command to repeat it, where it is known."""
    if not about.get("command"):
        return []
    again = "Run this where the data lie; the figures must come out the same."
    return [page.Section("Repeat it", again, page.pre(str(about["command"])))]
