"""Which model a server runs, and how it prepares pictures: the store decides, if there is one."""

from __future__ import annotations

from clip.errors import ClipError
from snaplink.encoder import Encoder, load_encoder
from snaplink.errors import StoreError
from snaplink.fingerprint import fingerprint
from snaplink.search.searchable import Searchable
from snaplink.store import Store

from .settings import Settings

__all__ = ["check_model_of", "load", "prepared_as"]


def load(settings: Settings) -> Encoder:
    """The model that was asked for, or else the one that made the store.

    Raises:
        StoreError: the store cannot be used, or another model made it.
        clip.errors.ClipError: the model cannot be loaded.
    """
    if settings.store is None:
        name = settings.model or "tiny"
        return load_encoder(name, settings.device, settings.precision, settings.max_batch)
    store = Store.open(settings.store)
    name = settings.model or store.fingerprint.model
    try:
        encoder = load_encoder(name, settings.device, settings.precision, settings.max_batch)
    except ClipError as error:
        if settings.model:
            raise
        raise StoreError(
            f"{store.path} was made with the model {name!r}, which cannot be loaded: {error}. "
            "If it is elsewhere now, say where with --model"
        ) from error
    check_model_of(store, encoder)
    return encoder


def check_model_of(store: Searchable, encoder: Encoder) -> None:
    """Make sure that a model's queries may be compared with the vectors of a store.

    Raises:
        StoreError: they may not: another model made these.
    """
    upright = bool(store.fingerprint.preprocessing.get("upright"))
    store.check(fingerprint(encoder, upright=upright, normalized=True, bulk=False), query=True)


def prepared_as(settings: Settings) -> tuple[bool, bool]:
    """Whether pictures are turned upright, and whether they go the fast way: as the store's did.

    Raises:
        StoreError: there is a store, and it cannot be used.
    """
    if settings.store is None:
        return True, False
    preprocessing = Store.open(settings.store).fingerprint.preprocessing
    return bool(preprocessing.get("upright")), preprocessing.get("path") == "bulk"
