"""Accuracy where it counts: does a precision choose the labels that plain float32 chooses?"""

from __future__ import annotations

from harness import publish, run

PATHS = ["default", "fp32", "bf16", "int8"]


def bench(rounds: int, quick: bool) -> None:
    results = {
        "the default path" if path == "default" else f"clip.optimize, {path}": run(
            "decisions_once.py", "snaplink", path
        )
        for path in PATHS
    }
    count = {result.pop("pictures") for result in results.values()}.pop()
    publish(
        "decisions",
        f"The built-in model on {count} held-out pictures, among all their names, beside the "
        "plain modules in float32",
        results,
    )
