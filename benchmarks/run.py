"""`make bench`: everything that is said about speed, measured beside the peers.

    python benchmarks/run.py [NAME ...] [--rounds N] [--quick]

Each figure is a median over fresh processes that take turns; equal values are asserted first.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from importlib import import_module

from harness import QUICK, WORKSHOP, is_quick, run

# What can be asked for: the module, its function, and how many rounds it takes when not told.
BENCHES = {
    "load": ("loading", "bench", 5),
    "import": ("loading", "bench_import", 5),
    "start": ("starting", "bench", 5),
    "encode": ("encode", "bench", 3),
    "techniques": ("techniques", "bench", 2),
    "checks": ("techniques", "bench_checks", 1),
    "decisions": ("decisions", "bench", 1),
    "tokenize": ("tokenizing", "bench", 5),
    "preprocess": ("preprocessing", "bench", 5),
    "folder": ("folder", "bench", 2),
    "embed": ("embedding", "bench", 2),
    "scaling": ("scaling", "bench", 2),
    "download": ("downloading", "bench", 5),
    "probe": ("probing", "bench", 1),
    "search": ("searching", "bench", 3),
    "open": ("searching", "bench_open", 3),
    "serve": ("serving", "bench", 1),
    "soak": ("serving", "bench_soak", 1),
    "hostile": ("serving", "bench_hostile", 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure beside the peers, equal values first.")
    names = ", ".join(BENCHES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{names} (default: all)")
    parser.add_argument(
        "--rounds", type=int, help="runs of each case (default: 1 to 5, by benchmark)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only check that all of it runs; changes no page"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHES.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {names}")
    if arguments.quick:
        os.environ[QUICK] = "1"
    run("weights.py", "openai/CLIP", str(WORKSHOP))
    failed = [
        name
        for name in arguments.names or BENCHES
        if not succeeds(name, arguments.rounds, arguments.quick)
    ]
    show()
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)} (see above)")


def succeeds(name: str, rounds: int | None, quick: bool) -> bool:
    """Run one benchmark; one that fails does not cost the figures of the others."""
    module, function, usual = BENCHES[name]
    begin = time.monotonic()
    try:
        getattr(import_module(module), function)(rounds or (1 if quick else usual), quick)
    except Exception:
        traceback.print_exc()
        return False
    print(f"\n{name}: took {(time.monotonic() - begin) / 60:.1f} min", file=sys.stderr)
    return True


def show() -> None:
    """The figures in the README, and the picture, from what the last runs kept."""
    import plot
    import summary

    plot.write()
    if not is_quick():
        summary.write()


if __name__ == "__main__":
    main()
