"""A map of a store: its pictures on a plane, like ones near each other, as one page."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
import torch

from .errors import ArgumentError, MissingPackageError
from .search import Searchable
from .search.building import unit_rows
from .search.exact import Positions
from .thumbnails import data_url, thumbnails
from .vectors import Matrix

__all__ = ["METHODS", "Map", "map_page", "place"]

METHODS = ("umap", "pca")

_SIDE = 48  # of a thumbnail on the map
_FINER = 160  # of the one that the pointer shows, where there is room for it
_FINER_UP_TO = 1500


@dataclass(frozen=True)
class Map:
    """Pictures on a plane.

    Attributes:
        positions: rows of the store, ascending.
        places: float32 ``[n, 2]``, each coordinate from 0 to 1.
    """

    positions: Positions
    places: Matrix


def place(store: Searchable, *, method: str = "umap", most: int = 2000, seed: int = 0) -> Map:
    """Choose a place for each picture.

    Args:
        store: with vectors of pictures.
        method: "umap" keeps neighbours together; "pca" shows the two directions in which the
            pictures differ the most.
        most: of a larger store, so many rows are drawn at random.
        seed: another one draws other rows.

    Raises:
        ArgumentError: there are fewer than three pictures.
        MissingPackageError: umap-learn is not installed.
    """
    vectors = store.vectors("image")
    drawn = np.random.default_rng(seed).permutation(len(vectors))[: most + vectors.missing]
    positions = np.sort(drawn)
    rows = vectors.take(positions)
    whole = np.flatnonzero(np.isfinite(rows).all(1))[:most]
    if len(whole) < 3:
        raise ArgumentError(f"{store.path} holds {len(whole)} pictures: a map takes at least 3")
    units = unit_rows(rows[whole])
    places = _umap(units, seed) if method == "umap" else _pca(units)
    low, high = places.min(0), places.max(0)
    spread = np.maximum(high - low, 1e-9)
    return Map(positions[whole], ((places - low) / spread).astype(np.float32))


def _pca(units: Matrix) -> Matrix:
    centred = torch.from_numpy(units - units.mean(0))
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    found: Matrix = (centred @ directions[:2].T).numpy()
    return found


def _umap(units: Matrix, seed: int) -> Matrix:
    # Its import tells of Tensorflow, and its run of numba's threads: nothing to be done about.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from umap import UMAP  # type: ignore[import-untyped]
        except ImportError:
            purpose = "maps by UMAP (there is also --method pca)"
            raise MissingPackageError(purpose, "umap-learn", "map") from None
        model = UMAP(
            n_neighbors=min(15, len(units) - 1),
            min_dist=0.25,
            metric="cosine",
            init="spectral" if len(units) > 15 else "random",  # eigenvectors want more rows
            random_state=seed,
            n_jobs=1,
        )
        return np.asarray(model.fit_transform(units))


def map_page(store: Searchable, found: Map, *, title: str) -> str:
    """The map as a page of HTML that needs no other file.

    Args:
        store: where the rows are.
        found: their places.
        title: of the page.
    """
    rows = store.take(found.positions, ["key", "source", "caption"]).to_pylist()
    side = _FINER if len(rows) <= _FINER_UP_TO else _SIDE
    pictures = thumbnails([row["source"] for row in rows], side)
    points: list[dict[str, Any]] = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "name": row["caption"] or row["key"],
            "picture": data_url(picture) if picture else None,
        }
        for row, (x, y), picture in zip(rows, found.places, pictures, strict=True)
    ]
    page = Template((files(__package__) / "pages" / "map.html").read_text(encoding="utf-8"))
    return page.substitute(title=_for_script(title), points=_for_script(points))


def _for_script(value: Any) -> str:
    """JSON that no HTML parser takes for the end of a script."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")
