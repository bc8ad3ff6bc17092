"""Muon (Jordan et al., 2024): momentum whose every matrix is made nearly orthogonal."""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonal(matrices: Tensor) -> Tensor:
    """Five Newton-Schulz steps towards the nearest orthogonal matrix, for [n, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For the transformer blocks' matrices; q, k and v of `in_proj_weight` count as three."""

    def __init__(self, named: dict[str, Tensor], lr: float, decay: float, momentum: float = 0.95):
        groups: dict[tuple[int, ...], list[Tensor]] = {}
        for name, weight in named.items():
            parts = 3 if name.endswith("in_proj_weight") else 1
            groups.setdefault((parts, *weight.shape), []).append(weight)
        defaults = {"lr": lr, "decay": decay, "momentum": momentum}
        super().__init__(
            [{"params": weights, "parts": key[0]} for key, weights in groups.items()], defaults
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            updates = []
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                updates.append(weight.grad.lerp(state["momentum"], group["momentum"]))
            rows, columns = group["params"][0].shape
            stacked = torch.stack(updates).view(-1, rows // group["parts"], columns)
            scale = max(1, rows / group["parts"] / columns) ** 0.5
            moves = (orthogonal(stacked) * scale).view(-1, rows, columns)
            for weight, move in zip(group["params"], moves, strict=True):
                weight.mul_(1 - group["lr"] * group["decay"]).sub_(move, alpha=group["lr"])
