"""The front desk: names to models, texts to tokens.

Callers assign to `_MODELS`, `_download` and `_tokenizer`, and replace `build_model` and
`_transform`: everything here looks them up when it is called.
"""

from __future__ import annotations

import difflib
import gc
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit

import torch
from PIL import Image

from . import cache, checkpoint, download, preprocess, progress, receipts
from . import model as towers
from .checkpoint import Checkpoint, Meaning
from .errors import CheckpointError, ModelNotFoundError, WrongHashError
from .model import CLIP, build_model
from .preprocess import BICUBIC as BICUBIC  # callers take it from here
from .registry import OFFICIAL, TINY, official_name
from .simple_tokenizer import SimpleTokenizer as _Tokenizer
from .token_table import token_table

__all__ = ["available_models", "load", "tokenize"]

_MODELS = {name: model.url for name, model in OFFICIAL.items()}
_NBYTES = {model.url: model.nbytes for model in OFFICIAL.values()}
_tokenizer = _Tokenizer()


def available_models() -> list[str]:
    """Names of OpenAI's nine models; `load` also knows the built-in ``"tiny"``.

    >>> available_models()[0]
    'RN50'
    """
    return list(_MODELS)


def load(
    name: str | os.PathLike[str],
    device: str | torch.device | None = "cuda" if torch.cuda.is_available() else "cpu",  # noqa: B008  # as the original's
    jit: bool = False,
    download_root: str | None = None,
    *,
    dtype: torch.dtype | None = None,
    verify: Literal["receipt", "always"] = "receipt",
    mirrors: Sequence[str] = (),
    **meaning: Any,
) -> tuple[Any, Any]:
    """Load a CLIP model and the preprocessing of its pictures. No code of the file is run.

    Args:
        name: one of `available_models()` (other projects' spellings of the same weights too),
            ``"tiny"``, the path of a checkpoint in any format, a directory as transformers or
            open_clip saves it, ``"local-dir:PATH"``, or ``"hf-hub:owner/name[@revision]"``.
        device: where the model goes; None chooses CUDA where there is one.
        jit: give a `torch.jit.ScriptModule`, traced from our own module.
        download_root: the cache of downloaded files, ``~/.cache/clip`` unless told otherwise.
        dtype: of linears, convolutions and projections; norms and embeddings stay float32.
            By default float32 on a CPU and float16 elsewhere.
        verify: named models are hashed when a receipt does not vouch for the file; "always"
            hashes at every load.
        mirrors: base URLs, directories or fsspec URLs to try before those of CLIP_MIRROR and the
            official address; what they give is verified, so they need not be trusted.
        **meaning: fields of `clip.checkpoint.Meaning` that overrule the checkpoint's config, for
            instance ``activation="gelu"``, ``vision_heads=16`` or ``mean=(0.5, 0.5, 0.5)``.

    Returns:
        The model in eval mode, and a transform from a PIL picture to a float32 tensor
        [3, resolution, resolution].

    Raises:
        ModelNotFoundError: nothing has this name.
        CheckpointError: the file cannot be used; the message says why and what to do.
        DownloadError: the file could not be fetched.

    >>> model, preprocess = load("tiny", device="cpu")
    >>> model.encode_text(tokenize(["a red apple"])).shape
    torch.Size([1, 128])
    """
    if verify not in ("receipt", "always"):
        raise ValueError(f'verify is {verify!r}: "receipt" or "always" expected')
    if unknown := meaning.keys() - _MEANING:
        raise TypeError(f"load() does not know {', '.join(sorted(unknown))}; see clip.load")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    fetch = partial(_download, mirrors=mirrors) if mirrors else _download
    source = _find(os.fspath(name), download_root, fetch)
    try:
        loaded = _read(source, device, dtype, verify, meaning)
    except WrongHashError:
        if source.url is None:
            raise
        # The file went bad in the cache: it is set aside and fetched anew, once.
        fetch(source.url, str(source.path.parent))
        loaded = _read(source, device, dtype, verify, meaning)
    model = _scripted(loaded, source.path) if jit else loaded.model
    return model, _preprocessing(loaded)


@dataclass(frozen=True)
class _Source:
    """Where a name leads; a named model also has an address and a published hash."""

    path: Path
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class _Loaded:
    model: CLIP
    meaning: Meaning
    is_archive: bool


_Fetch = Callable[[str, str], str]


def _find(name: str, download_root: str | None, fetch: _Fetch) -> _Source:
    if name in _MODELS:
        return _named(_MODELS[name], download_root, fetch)
    if os.path.isfile(name):  # noqa: PTH113  # pathlib's raises for a name that is too long
        return _Source(Path(name))
    if name == "tiny":
        return _Source(TINY)
    if name.startswith("hf-hub:"):
        from .hub import snapshot

        return _Source(snapshot(name))
    directory = name.removeprefix("local-dir:")
    if os.path.exists(directory):  # noqa: PTH110
        return _Source(Path(directory))
    official = official_name(name)
    if official in _MODELS:
        return _named(_MODELS[official], download_root, fetch)
    raise _not_found(name)


def _named(url: str, download_root: str | None, fetch: _Fetch) -> _Source:
    path = cache.place(_path_in(url).name, download_root)
    if _download is not _OUR_DOWNLOAD:  # a caller's own answers for its file
        return _Source(Path(fetch(url, str(path.parent))))
    if not path.is_file():
        fetch(url, str(path.parent))
    return _Source(path, url, _path_in(url).parent.name)


def _path_in(url: str) -> PurePosixPath:
    """OpenAI's addresses read …/<sha256>/<file>; a query, which may hold a secret, is left out."""
    return PurePosixPath(urlsplit(url).path)


def _not_found(name: str) -> ModelNotFoundError:
    models = available_models()
    close = difflib.get_close_matches(name, [*models, "tiny"], n=1)
    if Path(name).suffix in (".pt", ".pth", ".bin", ".safetensors"):
        advice = f"There is no file {Path(name).absolute()}."
    elif close:
        advice = f"Did you mean {close[0]!r}?"
    else:
        advice = 'The built-in model is "tiny"; the path of a file or directory will do as well.'
    return ModelNotFoundError(f"Model {name:.200} not found; available models = {models}. {advice}")


def _download(url: str, root: str | None = None, mirrors: Sequence[str] = ()) -> str:
    """The path of a verified copy of the file at `url`, in `root` or else in the cache.

    Raises:
        DownloadError: the file could not be fetched.
    """
    target = cache.place(_path_in(url).name, root)
    with progress.bar(target.name) as moved:
        download.fetch(
            url,
            sha256=_path_in(url).parent.name,
            target=target,
            nbytes=_NBYTES.get(url),
            mirrors=mirrors,
            progress=moved,
        )
    return str(target)


_OUR_DOWNLOAD = _download


def _read(
    source: _Source,
    device: torch.device,
    dtype: torch.dtype | None,
    verify: str,
    meaning: Mapping[str, Any],
) -> _Loaded:
    """Read the file and build the model; a named file is hashed meanwhile, in another thread."""
    if source.sha256 is None:
        with _no_collections(), checkpoint.open(source.path) as opened:
            return _build(opened, device, dtype, meaning)
    with _open_file(source.path) as file, ThreadPoolExecutor(1) as hasher:
        facts = file, source.path, source.sha256
        trusted = verify == "receipt" and receipts.is_trusted(*facts)
        right = None if trusted else hasher.submit(receipts.verify, *facts)
        try:
            with _no_collections(), checkpoint.open(file, checksums=False) as opened:
                return _build(opened, device, dtype, meaning)
        finally:
            if right and not right.result():
                raise WrongHashError(
                    source.path,
                    f"its SHA-256 is not {source.sha256}, as published",
                    "Remove it, or set it aside under another name, and load again.",
                )


@contextmanager
def _no_collections() -> Iterator[None]:
    """Reading headers makes enough objects to have Python look at all of torch's for garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CheckpointError(
            path, f"the file cannot be opened: {error.strerror}", "Check its permissions."
        ) from error


def _build(
    opened: Checkpoint,
    device: torch.device,
    dtype: torch.dtype | None,
    overrides: Mapping[str, Any],
) -> _Loaded:
    """A model in eval mode on its device, from an open checkpoint."""
    meaning = replace(opened.meaning, **overrides)
    meaning.settled(opened.architecture, opened.path)
    if build_model is towers.build_model and towers.is_original():
        if dtype is None:
            dtype = torch.float32 if device.type == "cpu" else torch.float16
        model = _furnished(opened, meaning, dtype)
    else:
        model = _built_by_callers_code(opened, meaning, device)
        if dtype is not None:
            model.to(dtype)
    return _Loaded(model.to(device), meaning, opened.rounds_to_half)


def _furnished(opened: Checkpoint, meaning: Meaning, dtype: torch.dtype) -> CLIP:
    """Read the weights straight into the memory and the dtypes that the model keeps."""
    model = towers.skeleton(opened.architecture)
    towers.adapt(model, **_unlike_openai(meaning, _TOWERS))
    large = towers.half_precision_keys(model)

    def dtype_of(name: str, stored: torch.dtype) -> torch.dtype:
        if not stored.is_floating_point:  # BatchNorm's counters
            return stored
        return dtype if name in large else torch.float32

    weights = opened.read(dtype_of, through_half=large if opened.rounds_to_half else ())
    return towers.furnish(model, weights)


def _built_by_callers_code(opened: Checkpoint, meaning: Meaning, device: torch.device) -> CLIP:
    """The original's way, for callers who replaced a class or a function that it goes through."""
    weights = opened.read()
    sizes = opened.architecture
    if opened.rounds_to_half:  # archives hold these too, and older copies of build_model want them
        weights["input_resolution"] = torch.tensor(sizes.image_resolution)
        weights["context_length"] = torch.tensor(sizes.context_length)
        weights["vocab_size"] = torch.tensor(sizes.vocab_size)
    model = build_model(weights)
    if said := _unlike_openai(meaning, _TOWERS):
        towers.adapt(model, **said)
    return model.float() if device.type == "cpu" else model


_TOWERS = (
    *("activation", "vision_heads", "text_heads", "vision_mlp_width", "text_mlp_width"),
    *("vision_eps", "text_eps"),
)
_PICTURES = ("mean", "std", "interpolation", "resize_mode", "fill_color")
_MEANING = {*_TOWERS, *_PICTURES}


def _unlike_openai(meaning: Meaning, names: Iterable[str]) -> dict[str, Any]:
    """What a checkpoint's config or the caller wants otherwise than OpenAI's models have it."""
    usual = Meaning()
    values = ((name, getattr(meaning, name)) for name in names)
    return {name: value for name, value in values if value != getattr(usual, name)}


def _scripted(loaded: _Loaded, path: Path) -> CLIP | torch.jit.ScriptModule:
    if not loaded.is_archive:
        warnings.warn(
            f"File {path} is not a JIT archive. Loading as a state dict instead", stacklevel=3
        )
        return loaded.model
    from .jit import scripted

    return scripted(loaded.model) or loaded.model


def _preprocessing(loaded: _Loaded) -> Any:
    side = loaded.model.visual.input_resolution
    wanted = _unlike_openai(loaded.meaning, _PICTURES)
    if not wanted:
        return _transform(side)
    return preprocess.transform(side, to_rgb=_convert_image_to_rgb, **wanted)


def _transform(n_px: int) -> Any:
    """From a PIL picture to a normalised tensor [3, n_px, n_px], as OpenAI's models want it."""
    return preprocess.compose(preprocess.openai_steps(n_px, _convert_image_to_rgb))


def _convert_image_to_rgb(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def tokenize(
    texts: str | Iterable[str], context_length: int = 77, truncate: bool = False
) -> torch.Tensor:
    """Texts to token ids, between a start and an end token, padded with zeros.

    Args:
        texts: one, or several.
        context_length: tokens of a row; all of OpenAI's models take 77.
        truncate: cut a text that is too long; its last token is the end token then.

    Returns:
        int32 tensor [texts, context_length].

    Raises:
        TextTooLongError: a text has too many tokens and `truncate` is off.

    >>> tokenize("a cat", context_length=5)
    tensor([[49406,   320,  2368, 49407,     0]], dtype=torch.int32)
    """
    texts = [texts] if isinstance(texts, str) else texts
    return torch.from_numpy(token_table(_tokenizer, texts, context_length, truncate))
