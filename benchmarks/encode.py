"""Pictures and captions a second, all engines in turn, beside the machine's own peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from contenders import ARCHIVE, RESNET_ARCHIVE
from encode_once import BATCHES, COMPARED, UNITS
from engines import ENGINES, FASTEST
from harness import WORKSHOP, Measurement, in_turn, publish, run
from tables import Cell

PEAK = "the machine's peak"
BASELINE = "openai/CLIP"
RESNET = [BASELINE, "snaplink", *(name for name in ENGINES if name.startswith(FASTEST))]
PACKAGES = [
    *("clip-anytorch", "open_clip_torch", "transformers"),
    *("onnxruntime", "openvino", "nncf"),
]


def bench(rounds: int, quick: bool) -> None:
    run("exports.py", BASELINE, str(WORKSHOP))
    flop = run("flop_once.py", "snaplink", str(WORKSHOP))
    time = ("0", "1,16") if quick else ("1", ",".join(map(str, BATCHES)))
    vit = measured(list(ENGINES), ARCHIVE, rounds, time)
    publish("encode-peak", "What two threads reach at products of 2048^3", dict(peak(vit, flop)))
    shares = shares_of_peak(vit, flop[ARCHIVE])
    publish(
        "encode-pictures",
        f"Pictures a second, ViT-B/32 ({flop[ARCHIVE]:.2f} GFLOP each), in batches of 1, 16 and 64",
        {name: row(name, vit, "image", shares) for name in ENGINES},
        packages=PACKAGES,
    )
    publish(
        "encode-captions",
        "Captions of 8 to 15 tokens a second, ViT-B/32, in batches of 1, 16 and 64",
        {name: row(name, vit, "text") for name in ENGINES},
        packages=PACKAGES,
    )
    resnet = measured(RESNET, RESNET_ARCHIVE, max(1, rounds - 1), time)
    shares = shares_of_peak(resnet, flop[RESNET_ARCHIVE])
    publish(
        "encode-resnet",
        f"Pictures a second, RN50 ({flop[RESNET_ARCHIVE]:.2f} GFLOP each), "
        "in batches of 1, 16 and 64",
        {name: row(name, resnet, "image", shares) for name in RESNET},
        packages=PACKAGES[:1],
    )


def measured(
    engines: list[str], archive: str, rounds: int, time: tuple[str, str]
) -> dict[str, Measurement]:
    """Every engine in turn, and the machine's peak as if it were one.

    Args:
        time: seconds for each batch, and which batches.
    """
    folder = str(WORKSHOP)
    cases = {name: partial(run, "encode_once.py", name, folder, archive, *time) for name in engines}
    return in_turn({PEAK: partial(run, "peak_once.py", "snaplink", time[0]), **cases}, rounds)


def peak(
    results: Mapping[str, Measurement], flop: Mapping[str, float]
) -> Iterator[tuple[str, Measurement]]:
    """GFLOP/s of each precision, and the most pictures a second that these allow."""
    for precision, speed in results[PEAK].items():
        limit = None if speed is None else speed / flop[ARCHIVE]
        yield precision, {"GFLOP/s": speed, "so at most ViT-B/32 images/s": limit}


def shares_of_peak(results: Mapping[str, Measurement], flop: float) -> dict[str, float | None]:
    """Of each engine: its best batch's arithmetic as a share of the peak of its precision."""
    shares: dict[str, float | None] = {}
    for name, found in results.items():
        if name != PEAK:
            speeds = [found[key] for key in found if key.startswith("images/s") and found[key]]
            limit = results[PEAK][ENGINES[name].precision]
            shares[name] = max(speeds) * flop / limit if speeds and limit else None
    return shares


def row(
    name: str,
    results: Mapping[str, Measurement],
    kind: str,
    shares: Mapping[str, float | None] | None = None,
) -> dict[str, Cell]:
    found, base, unit = results[name], results[BASELINE], UNITS[kind]
    batch = f"{unit}, {COMPARED[kind]}"
    ratio = found[batch] / base[batch] if found[batch] and base[batch] else None
    return {
        "precision": ENGINES[name].precision,
        **{key: value for key, value in found.items() if key.startswith(unit)},
        f"x {BASELINE}, {COMPARED[kind]}": ratio,
        **({"roofline": shares[name]} if shares else {}),
        "min cosine": found[f"{kind} cosine"],
        **({"peak MB": found["peak MB"]} if kind == "image" else {}),
    }
