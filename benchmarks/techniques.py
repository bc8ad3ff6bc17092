"""What each technique of the default path gains."""

from __future__ import annotations

from harness import WORKSHOP, publish, run


def bench(rounds: int, quick: bool) -> None:
    results = run("techniques_once.py", "snaplink", str(WORKSHOP), str(1 if quick else 4 * rounds))
    publish(
        "techniques",
        "The default path, technique after technique: ViT-B/32, float32, 16 pictures, 64 captions",
        results,
    )


def bench_checks(rounds: int, quick: bool) -> None:
    """How long the default path looks whether it may be taken."""
    publish(
        "checks",
        "The default path's checks: ViT-B/32, float32",
        run("checks_once.py", "snaplink", str(WORKSHOP)),
    )
