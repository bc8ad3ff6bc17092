"""`snaplink serve` beside its own model without HTTP, for ten minutes, and under attack."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from statistics import mean

import serving_servers
from contenders import ARCHIVE
from harness import ROOT, WORKSHOP, Measurement, in_turn, publish, run
from serving_inputs import WORKLOADS
from serving_servers import Server

PAGE = ROOT / "docs" / "serving.md"
MODEL = WORKSHOP / ARCHIVE
PHOTOS = WORKSHOP / "photos-40"
STORE = WORKSHOP / "serving.store"

CLIENTS = 32
PEER = "the obvious server around openai/CLIP"
VISITORS, ATTACKERS = 8, (1, 2)
SAMPLED = 5.0
"""Seconds between two looks at the memory."""
WARMING = 0.2
"""The part of a soak in which memory may still grow: caches fill."""


def bench(rounds: int, quick: bool) -> None:
    """Many clients at once, and one alone."""
    _prepare()
    seconds = 4.0 if quick else 60.0
    cases = {name: partial(crowd, name, seconds) for name in WORKLOADS}
    cases["repeated captions"] = partial(crowd_of_ours, "repeated captions", seconds)
    for name in WORKLOADS:
        cases[f"{PEER}: {name}"] = partial(crowd_of_a_peer, name, seconds)
    title = f"{CLIENTS} clients for {seconds:.0f} s, ViT-B/32, beside the same work without HTTP"
    publish("serving", title, in_turn(cases, rounds), packages=["clip-anytorch"], page=PAGE)
    alone = {name: partial(lone, name, seconds / 2) for name in ("captions", "pictures")}
    title = "One client alone, beside a direct call, ViT-B/32"
    publish("serving-alone", title, in_turn(alone, rounds), page=PAGE)


def crowd(workload: str, seconds: float) -> Measurement:
    """Without HTTP before and after, so that a machine that changes changes both."""
    before = bare(workload, seconds / 4)
    served = crowd_of_ours(workload, seconds)
    rate = mean([before, bare(workload, seconds / 4)])
    return {**served, "bare/s": rate, "share": served["served/s"] / rate}


def bare(workload: str, seconds: float) -> float:
    arguments = (str(MODEL), str(PHOTOS), workload, str(seconds))
    return float(run("serving_bare.py", "snaplink", *arguments)["bare/s"])


def crowd_of_ours(workload: str, seconds: float) -> Measurement:
    with serving_servers.snaplink(STORE, MODEL) as server:
        return asked(server, workload, CLIENTS, seconds)


def crowd_of_a_peer(workload: str, seconds: float) -> Measurement:
    with serving_servers.peer(MODEL) as server:
        return asked(server, workload, CLIENTS, seconds)


def asked(server: Server, workload: str, clients: int, seconds: float) -> Measurement:
    """What clients see, and the server's memory before and after, once it is warm."""
    load(server, workload, clients, min(5.0, seconds / 4), 1_000_000)
    before = server.megabytes()
    seen = load(server, workload, clients, seconds, 0)
    core = seen.pop("clients' core")
    return {
        "bare/s": None,
        "served/s": seen.pop("served/s"),
        "share": None,
        **seen,
        "clients' cores": core,
        "MB before": before,
        "MB after": server.megabytes(),
    }


def load(server: Server, workload: str, clients: int, seconds: float, first: int) -> Measurement:
    arguments = (str(server.port), str(PHOTOS), workload, str(clients), str(seconds), str(first))
    return run("serving_load.py", "snaplink", *arguments)


def lone(workload: str, seconds: float) -> Measurement:
    arguments = (str(MODEL), str(PHOTOS), workload, str(seconds), "alone")
    direct = run("serving_bare.py", "snaplink", *arguments)["direct p50 ms"]
    with serving_servers.snaplink(STORE, MODEL) as server:
        seen = load(server, workload, 1, seconds, 0)
    return {
        "direct p50 ms": direct,
        "served p50 ms": seen["p50 ms"],
        "x direct": (seen["p50 ms"] or inf) / direct,
        "errors": seen["errors"],
    }


def bench_soak(rounds: int, quick: bool) -> None:
    """Ten minutes of everything that a server is asked for."""
    _prepare()
    seconds = 10.0 if quick else 600.0
    with serving_servers.snaplink(STORE, MODEL) as server, _sampled(server, seconds) as samples:
        arguments = (str(server.port), str(PHOTOS), str(VISITORS), str(seconds))
        seen = run("serving_soak.py", "snaplink", *arguments)
    flat = samples[int(WARMING * len(samples)) :]
    result = {
        "requests/s": seen.pop("requests") / seconds,
        **seen,
        "MB, first": flat[0] if flat else None,
        "MB, last": flat[-1] if flat else None,
        "MB, most - least": max(flat) - min(flat) if flat else None,
        "MB a minute": _slope(flat) * 60 / SAMPLED if len(flat) > 1 else None,
    }
    title = (
        f"{VISITORS} clients who embed, classify, search, look at pages, err and go away, for "
        f"{seconds / 60:.0f} minutes; memory after the first {100 * WARMING:.0f} %"
    )
    publish("soak", title, {"snaplink serve": result}, page=PAGE)


@contextmanager
def _sampled(server: Server, seconds: float) -> Iterator[list[float]]:
    """The server's memory in megabytes, every few seconds until the context ends."""
    ended, samples = threading.Event(), []

    def look() -> None:
        while not ended.wait(min(SAMPLED, seconds / 10)):
            megabytes = server.megabytes()
            if megabytes is not None:
                samples.append(megabytes)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _slope(values: list[float]) -> float:
    """Of the straight line that fits best, a step."""
    middle, level = (len(values) - 1) / 2, mean(values)
    risen = sum((at - middle) * (value - level) for at, value in enumerate(values))
    return risen / sum((at - middle) ** 2 for at in range(len(values)))


def bench_hostile(rounds: int, quick: bool) -> None:
    """Good clients with and without attackers beside them, in turn."""
    _prepare()
    seconds = 6.0 if quick else 60.0
    with serving_servers.snaplink(STORE, MODEL) as server:
        load(server, "half and half", VISITORS, min(5.0, seconds / 2), 1_000_000)
        cases = {"alone": partial(in_peace, server, seconds)}
        for count in ATTACKERS:
            beside = partial(beside_attackers, server, seconds, count)
            cases[f"beside {count} attacking without a pause"] = beside
        results = in_turn(cases, rounds)
    peaceful = results["alone"]["p99 ms"]
    for result in results.values():
        result["x p99"] = result["p99 ms"] / peaceful
    title = f"{VISITORS} clients who embed captions and pictures, ViT-B/32, for {seconds:.0f} s"
    publish("hostile", title, results, page=PAGE)


def in_peace(server: Server, seconds: float) -> Measurement:
    seen = load(server, "half and half", VISITORS, seconds, 0)
    del seen["clients' core"]
    return {**seen, "attacks": 0, "not refused": 0}


def beside_attackers(server: Server, seconds: float, count: int) -> Measurement:
    script = str(Path(__file__).with_name("serving_hostile.py"))
    # Longer than the load, which warms up first: attacks from its begin to its end.
    arguments = ("snaplink", str(server.port), str(count), str(1.3 * seconds + 3))
    command = [sys.executable, script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as attackers:
        seen = in_peace(server, seconds)
        assert attackers.stdout is not None
        attacked = json.loads(attackers.stdout.read().splitlines()[-1])
    assert attackers.returncode == 0, "the attackers gave up"
    return {**seen, **attacked}


def _prepare() -> None:
    """Photographs, and a store of them, which also has the server show no examples."""
    run("photos.py", "openai/CLIP", str(PHOTOS), "40")
    shutil.rmtree(STORE, ignore_errors=True)
    command = [sys.executable, "-m", "snaplink", "embed", str(PHOTOS), "--out", str(STORE)]
    subprocess.run([*command, "--model", str(MODEL)], check=True, stdout=subprocess.DEVNULL)
