"""`snaplink embed`: pictures and captions to a store of embeddings."""

from __future__ import annotations

import click

from . import options
from .exits import DONE, FAILED


def _modalities(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    if not set(names) <= {"image", "text"}:
        raise click.BadParameter(f"{value!r} is none of image, text and image,text", ctx, parameter)
    return names


def _batch_size(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isdecimal() or int(value) == 0:
        raise click.BadParameter(f"{value!r} is neither auto nor a number", ctx, parameter)
    return int(value)


@click.command(cls=options.Verb)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", required=True, metavar="STORE", help="The store's directory.")
@options.model
@options.device
@options.precision
@click.option(
    "--batch-size",
    default="auto",
    metavar="N",
    show_default=True,
    callback=_batch_size,
    help="Pictures that the model sees at once.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that decode. Without it: one a core.",
)
@click.option(
    "--modalities",
    default="image",
    metavar="A,B",
    show_default=True,
    callback=_modalities,
    help="What to embed: image, text (captions) or image,text.",
)
@click.option(
    "--picture-column",
    metavar="NAME",
    help="In tables, the column of paths, URLs or bytes. Without it: found by its name.",
)
@click.option(
    "--text-column",
    metavar="NAME",
    help="In tables, the column of captions. Without it: found by its name.",
)
@click.option(
    "--upright/--not-upright",
    default=True,
    show_default=True,
    help="Turn photographs as the camera noted (EXIF), or leave them as classify does.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Of the embeddings in the store.",
)
@click.option("--raw", is_flag=True, help="Keep the lengths of embeddings; else all have length 1.")
@click.option("--no-vectors", is_flag=True, help="Leave out the .npy files that search maps.")
@click.option("--strict", is_flag=True, help="Stop at the first picture that cannot be used.")
@click.option("--prune", is_flag=True, help="Drop rows of pictures that the sources lost.")
@click.option(
    "--content-hash",
    is_flag=True,
    help="Tell changed files by their content (SHA-256), not by size and time.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    metavar="SECONDS",
    show_default=True,
    help="What takes longer to decode is skipped.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="This machine, or a cluster with Ray.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="A running cluster, such as auto or ray://head:10001. Without it: this machine.",
)
@options.as_json
def embed(
    sources: tuple[str, ...],
    out: str,
    model: str,
    device: str | None,
    precision: str | None,
    batch_size: int | None,
    workers: int | None,
    modalities: tuple[str, ...],
    picture_column: str | None,
    text_column: str | None,
    upright: bool,
    dtype: str,
    raw: bool,
    no_vectors: bool,
    strict: bool,
    prune: bool,
    content_hash: bool,
    time_limit: float,
    engine: str,
    ray_address: str | None,
    as_json: bool,
) -> int:
    """Embed pictures into a store.

    Only what is new or changed since the last time is computed. SOURCE is a picture, a folder, a
    pattern such as "photos/**/*.jpg", a .txt file of such names (or - for standard input), a
    webdataset or what img2dataset wrote ({000..010}.tar), a Parquet or CSV file, or a URL of any
    of these. Whatever stopped a run, the same command goes on.

    \b
    snaplink embed photos/ --out photos.store --model ViT-B/32
    snaplink search photos.store "a dog in the snow"
    """
    from snaplink.embed import Columns, Job, Models
    from snaplink.embed import embed as run

    from .embedding import Watch, show

    if ray_address and engine == "local":
        raise click.UsageError("--ray-address means nothing without --engine ray")
    models = Models(model, device, precision, batch_size)
    job = Job(
        modalities=modalities,
        columns=Columns(picture_column, text_column),
        upright=upright,
        normalize=not raw,
        dtype=dtype,
        vectors=not no_vectors,
        hashed=content_hash,
        prune=prune,
        strict=strict,
        workers=workers,
        limit=time_limit,
        engine=engine,
        ray_address=ray_address,
    )
    with Watch() as watch:
        summary = run(sources, out, models, job, watch)
    show(summary, out, upright=upright and "image" in modalities, as_json=as_json)
    return FAILED if summary.failures or summary.unlisted else DONE
