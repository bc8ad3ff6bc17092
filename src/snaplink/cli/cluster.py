"""`snaplink cluster`: a store's pictures in groups of like ones."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from . import options
from .labels import lines, split
from .terminal import how_many

if TYPE_CHECKING:
    from snaplink.clusters import Clusters
    from snaplink.store import Store


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.option("-k", type=click.IntRange(min=1), required=True, metavar="N", help="How many groups.")
@click.option(
    "--labels", metavar="A,B,…", callback=split, help="Name each group by the label that fits it."
)
@click.option(
    "--labels-file",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="A text file with a label on each line (- for standard input).",
)
@click.option(
    "--seed", type=int, default=0, metavar="N", show_default=True, help="Another finds others."
)
@options.store_model
@options.device
@click.option("--csv", "form", flag_value="csv", help="Print CSV: a line a picture.")
@click.option("--json", "form", flag_value="json", help="Print JSON: groups with their pictures.")
@options.sheet
def cluster(
    store: str,
    k: int,
    labels: list[str],
    labels_file: TextIO | None,
    seed: int,
    model: str | None,
    device: str | None,
    form: str | None,
    sheet: Path | None,
) -> None:
    """Group the pictures of a store by likeness.

    The groups are those of k-means, the largest first; in each, the most typical pictures first.

    \b
    snaplink cluster photos.store -k 20 --sheet groups.html
    snaplink cluster photos.store -k 8 --labels beach,city,people,food --csv > groups.csv
    """
    from snaplink import clusters as library
    from snaplink.sheet import check_form, write_sheet
    from snaplink.store import Store

    if sheet:
        check_form(sheet)
    labels += lines(labels_file) if labels_file else []
    opened = Store.open(store)
    found = library.cluster(opened, k, seed=seed)
    count = len(found.centres)
    names = _names(opened, found, labels, model, device) if labels else [None] * count
    groups = [_group(opened, found, number, names[number]) for number in range(count)]
    _WRITERS[form or "text"](groups)
    if sheet:
        write_sheet(sheet, [_section(group) for group in groups])


def _names(
    store: Store, found: Clusters, labels: list[str], model: str | None, device: str | None
) -> list[str]:
    from snaplink.clusters import names_of
    from snaplink.prompts import DEFAULT_TEMPLATES, check_labels, class_weights
    from snaplink.search import query_encoder

    checked = check_labels(labels)
    encoder = query_encoder(store, model, device)
    weights = class_weights(checked, DEFAULT_TEMPLATES, encoder.encode_texts)
    return names_of(found, checked, weights.numpy())


def _group(store: Store, found: Clusters, number: int, name: str | None) -> dict[str, Any]:
    members = found.members(number)
    rows = store.take(members, ["key", "source"]).to_pylist()
    scores = found.scores[members].tolist()
    pictures = [{"score": round(score, 6), **row} for score, row in zip(scores, rows, strict=True)]
    return {"cluster": number, "name": name, "size": len(rows), "pictures": pictures}


def _write_text(groups: list[dict[str, Any]]) -> None:
    from .hits import tile_name
    from .tables import show

    columns = {
        " group": lambda group: str(group["cluster"]),
        " size": lambda group: f"{group['size']:,}",
        "name": lambda group: group["name"] or "",
        "most typical": lambda group: ", ".join(
            tile_name(picture["key"]) for picture in group["pictures"][:3]
        ),
    }
    if all(group["name"] is None for group in groups):
        del columns["name"]
    show(groups, columns, as_json=False)


def _write_json(groups: list[dict[str, Any]]) -> None:
    sys.stdout.write(json.dumps(groups, indent=2, ensure_ascii=False) + "\n")


def _write_csv(groups: list[dict[str, Any]]) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("cluster", "name", "score", "key", "source"))
    for group in groups:
        for picture in group["pictures"]:
            table.writerow((group["cluster"], group["name"], *picture.values()))


_WRITERS = {"text": _write_text, "json": _write_json, "csv": _write_csv}
_SHOWN = 12


def _section(group: dict[str, Any]) -> Any:
    from snaplink.sheet import Section, Tile

    from .hits import tile_name

    title = group["name"] or f"group {group['cluster']}"
    tiles = [
        Tile(picture["source"], f"{picture['score']:.3f}", tile_name(picture["key"]))
        for picture in group["pictures"][:_SHOWN]
    ]
    return Section(f"{title}, {how_many(group['size'], 'picture')}", tiles)
