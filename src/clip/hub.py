"""Models of the Hugging Face Hub: `hf-hub:owner/name[@revision]` to a local directory."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from clip.download import is_offline, redact
from clip.errors import ClipError, DownloadError, ModelNotFoundError, OfflineError

__all__ = ["snapshot"]

_PREFIX = "hf-hub:"
_CONFIGS = ("config.json", "open_clip_config.json")
_CONFIGS_OF_PICTURES = ("preprocessor_config.json", "processor_config.json")

# Of several files with the same weights, the first: the one that `clip.checkpoint` reads.
_OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model.pth",
    "model.pth",
)


def snapshot(name: str) -> Path:
    """A local directory with the config and the weights of a repository of the Hub.

    Only what is needed is downloaded: the configs and one form of the weights, safetensors where
    there is a choice. Files go to huggingface_hub's own cache and are shared with other programs;
    HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.

    Args:
        name: ``"hf-hub:owner/name"``, or ``"hf-hub:owner/name@revision"`` with a branch, tag or
            commit.

    Raises:
        ModelNotFoundError: the name is malformed, or the Hub has no such repository or revision.
        OfflineError: the files are not in the cache and CLIP_OFFLINE or HF_HUB_OFFLINE is set.
        DownloadError: huggingface_hub is not installed, the repository has no weights, or the
            download failed.
    """
    repository, _, revision = name.removeprefix(_PREFIX).partition("@")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository):
        raise ModelNotFoundError(f"{name} should read hf-hub:owner/name or …@revision.")
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise DownloadError(
            f"{name} needs the package huggingface_hub: `pip install huggingface_hub`."
        ) from None
    try:
        cached = _cached(repository, revision or None)
    except ValueError as error:  # names have more rules than ours
        raise ModelNotFoundError(f"{name} cannot be on the Hub: {error}") from None
    if is_offline() or huggingface_hub.constants.HF_HUB_OFFLINE:
        if cached:
            return cached
        raise OfflineError(
            f"{name} is not in the cache of huggingface_hub, and CLIP_OFFLINE or HF_HUB_OFFLINE "
            "forbids to download it. To get it by hand, run "
            f"`hf download {repository}` where there is a network and copy the cache."
        )
    return _fetched(name, repository, revision or None, cached)


def _cached(repository: str, revision: str | None) -> Path | None:
    """The directory of an earlier download, if the weights are whole."""
    from huggingface_hub import try_to_load_from_cache

    for config in _CONFIGS:
        found = try_to_load_from_cache(repository, config, revision=revision)
        if isinstance(found, str):
            folder = Path(found).parent
            names = {path.name for path in folder.iterdir()}
            weights = _weights(names)
            if weights and all((folder / shard).is_file() for shard in _shards(folder / weights)):
                return folder
    return None


def _fetched(name: str, repository: str, revision: str | None, cached: Path | None) -> Path:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    # Whatever the library's HTTP client raises comes through it, and that differs by its version.
    try:
        return _download(name, repository, revision)
    except DownloadError:
        raise
    except RevisionNotFoundError:
        problem: ClipError = ModelNotFoundError(
            f"{name}: {repository} has no revision {revision}. Name a branch, a tag or a commit."
        )
    except RepositoryNotFoundError:
        problem = ModelNotFoundError(
            f"{name} is not on the Hub, or not for everyone. Check the name; for a private or "
            "gated repository set HF_TOKEN."
        )
    except Exception as error:
        if cached:
            return cached
        problem = DownloadError(
            f"{name} could not be downloaded: {type(error).__name__}: {_first_line(error)}. "
            "What has arrived is kept: try again."
        )
    raise problem


def _download(name: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    siblings = HfApi().model_info(repository, revision=revision).siblings or []
    names = {sibling.rfilename for sibling in siblings}
    weights = _weights(names)
    configs = [file for file in (*_CONFIGS, *_CONFIGS_OF_PICTURES) if file in names]
    if weights is None or names.isdisjoint(_CONFIGS):
        missing = "weights" if weights is None else " or ".join(_CONFIGS)
        raise DownloadError(
            f"{name} has no {missing} that can be used; its files are: {', '.join(sorted(names))}."
        )
    folder = Path(hf_hub_download(repository, configs[0], revision=revision)).parent
    # The directory is named after the commit: so all files are of one, even if it moves on now.
    for file in [*configs[1:], weights]:
        hf_hub_download(repository, file, revision=folder.name)
    for shard in _shards(folder / weights):
        if shard != weights:
            hf_hub_download(repository, shard, revision=folder.name)
    return folder


def _weights(names: Collection[str]) -> str | None:
    order = (_OPEN_CLIP_WEIGHTS if "open_clip_config.json" in names else ()) + _WEIGHTS
    return next((weights for weights in order if weights in names), None)


def _shards(weights: Path) -> set[str]:
    """Names of the files that hold the weights; one, unless `weights` is an index of several."""
    if not weights.name.endswith(".index.json"):
        return {weights.name}
    try:
        return set(json.loads(weights.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DownloadError(f"{weights} is no index of weight files. Remove it.") from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redact(lines[0]).rstrip(".") if lines else type(error).__name__
