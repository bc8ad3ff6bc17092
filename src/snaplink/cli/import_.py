"""`snaplink import`: embeddings that another program made, into a store."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .exits import say


@click.command("import", cls=options.Verb)
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.argument("store", metavar="STORE")
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    help="The model that made the vectors: a name that `snaplink models` lists, or a checkpoint. "
    "Nothing in the files says it, so the store notes that it was said, and by whom: by you.",
)
@options.device
@click.option(
    "--key",
    metavar="COLUMN",
    help="The column of metadata that names each row. Without it: image_path.",
)
@click.option(
    "--no-vectors", is_flag=True, help="Leave out the files of vectors that search would map."
)
def import_(
    folder: Path, store: str, model: str, device: str | None, key: str | None, no_vectors: bool
) -> None:
    """Read embeddings of clip-retrieval into a store.

    FOLDER has img_emb, text_emb or both, and metadata, as clip-retrieval's inference writes them.
    Stopped and run again, it goes on: rows that the store has are left as they are.

    \b
    snaplink import embeddings/ laion.store --model ViT-B/32
    """
    from dataclasses import replace

    from snaplink.encoder import load_encoder
    from snaplink.errors import ArgumentError
    from snaplink.fingerprint import fingerprint
    from snaplink.store import Writer
    from snaplink.store.clip_retrieval_import import Layout

    from .terminal import how_many, progress

    layout = Layout(folder)
    encoder = load_encoder(model, device)
    if layout.dim != encoder.dim:
        raise ArgumentError(
            f"{folder} has vectors of {layout.dim} numbers, and {model} makes {encoder.dim}: "
            "another model made them"
        )
    said = fingerprint(encoder, upright=False, normalized=True, bulk=False)
    said = replace(said, precision="unknown", origin="imported")
    vectors = not no_vectors
    with (
        Writer(
            store, said, dim=layout.dim, modalities=layout.modalities, vectors=vectors
        ) as writer,
        progress("importing", layout.rows) as moved,
    ):
        done = layout.read_into(writer, key=key, progress=moved)
    if done.failed:
        say(f"{how_many(done.failed, 'row')} without a vector: see failures.parquet")
    known = f", {done.known:,} there already" if done.known else ""
    click.echo(f"{store}: {how_many(done.added, 'row')} added{known}; made by {model}, as you say")
