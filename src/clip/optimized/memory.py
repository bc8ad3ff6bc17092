"""What `precision="auto"` found on this computer: a small JSON file beside the cached models."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import torch

from .. import cache

__all__ = ["key", "path", "recall", "remember"]

_KEPT = 64
"""How many models are remembered; the oldest make room."""

_SAMPLES = 64
"""How many numbers of each weight tell one training from another."""


def path() -> Path:
    """Where it is written; it need not exist."""
    return cache.folders()[0] / "optimize.json"


def key(model: Any) -> str:
    """What a finding holds for: processor, threads, torch, architecture and weights."""
    digest = hashlib.sha256()
    for fact in (*_processor(), torch.__version__, torch.get_num_threads()):
        digest.update(f"{fact}\n".encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        step = max(1, tensor.numel() // _SAMPLES)
        digest.update(tensor.detach().cpu().flatten()[::step].double().numpy().tobytes())
    return digest.hexdigest()


def _processor() -> list[str]:
    facts = [platform.machine(), platform.processor(), torch.backends.cpu.get_cpu_capability()]
    with contextlib.suppress(OSError):  # Linux: the name alone may be no more than "AMD EPYC"
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        wanted = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
        facts += [line for line in first.splitlines() if line.startswith(wanted)]
    return facts


def recall(found_for: str) -> str | None:
    """The precision found earlier; None if nothing is known, or the file cannot be believed."""
    finding = _read().get(found_for)
    precision = finding.get("precision") if isinstance(finding, dict) else None
    return precision if precision in ("fp32", "bf16", "int8") else None


def remember(found_for: str, precision: str, measured: dict[str, dict[str, float]]) -> None:
    """Keep a finding, with the figures for whoever looks; what cannot be written is forgotten."""
    findings = _read()
    findings.pop(found_for, None)
    findings[found_for] = {"precision": precision, "measured": measured}
    kept = dict(list(findings.items())[-_KEPT:])
    target = path()
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, json.dumps(kept, indent=1))


def _read() -> dict[str, Any]:
    try:
        findings = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return findings if isinstance(findings, dict) else {}


def _replace(target: Path, text: str) -> None:
    """Write beside, then rename: another process reads the old file or the new one."""
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=".optimize-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(target)
    finally:
        Path(beside).unlink(missing_ok=True)
