"""A :class:`~policies.baselines.q_network.QNetwork` as tensors, to be trained.

Plain arrays enter and leave; in between, values of all actions or of those that were taken, with
gradients. Needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from policies.baselines.q_network import QNetwork
from policies.models.tower_training import Weights, arrays_of, forward, tensors_of

__all__ = ["QTensors"]


@dataclass(slots=True)
class QTensors:
    """Three towers and the layer above them."""

    towers: Weights
    theta: torch.Tensor  # (P,)

    @classmethod
    def of(cls, network: QNetwork) -> QTensors:
        """From plain arrays, in single precision."""
        theta = torch.tensor(network.theta, dtype=torch.float32, requires_grad=True)
        return cls(tensors_of(network.towers), theta)

    def arrays(self) -> QNetwork:
        """To plain arrays."""
        theta = self.theta.detach().numpy().astype(np.float64)
        return QNetwork(towers=arrays_of(self.towers), theta=theta)

    def parameters(self) -> list[torch.Tensor]:
        """All weights."""
        return [self.theta, *(part for tower in self.towers.values() for part in tower.values())]

    def follow(self, other: QTensors) -> None:
        """Copy another's weights."""
        with torch.no_grad():
            for mine, its in zip(self.parameters(), other.parameters(), strict=True):
                mine.copy_(its)

    def values(self, state: dict[str, Any]) -> torch.Tensor:
        """Q of every action of N states as named arrays, (N, A)."""
        base, added = self.parts(*(torch.from_numpy(state[n]) for n in ("context", "item", "slot")))
        return torch.cat([base, base + added], dim=1)

    def parts(
        self, context: torch.Tensor, item: torch.Tensor, slot: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the base is valued at and what each send adds, (N, 1) and (N, K·S)."""
        base, (constant, of_item, of_slot, of_both) = self.base(context), self._sends()
        u, v = (
            forward(self.towers["item"], context, item),
            forward(self.towers["slot"], context, slot),
        )
        added = (u * of_both) @ v.transpose(1, 2) + (u @ of_item)[..., None]
        added = added + (v @ of_slot)[:, None] + constant
        return base, added.flatten(1)

    def value_of(self, state: dict[str, Any]) -> torch.Tensor:
        """Q of the action that was taken, (N,)."""
        action, n_slots = state["action"], state["slot"].shape[1]
        row, sent = np.arange(len(action)), np.maximum(action - 1, 0)
        context = torch.from_numpy(state["context"])
        item = torch.from_numpy(state["item"][row, sent // n_slots])[:, None]
        slot = torch.from_numpy(state["slot"][row, sent % n_slots])[:, None]
        base, (constant, of_item, of_slot, of_both) = self.base(context), self._sends()
        u = forward(self.towers["item"], context, item)[:, 0]
        v = forward(self.towers["slot"], context, slot)[:, 0]
        added = constant + u @ of_item + v @ of_slot + (u * v) @ of_both
        return base[:, 0] + torch.from_numpy(action > 0) * added

    def base(self, context: torch.Tensor) -> torch.Tensor:
        """Q of holding, (N, 1)."""
        w = forward(self.towers["base"], context, context[:, None, :0])[:, 0]
        quiet = torch.cat([torch.ones_like(context[:, :1]), context, w], dim=1)
        return quiet @ self.theta[: quiet.shape[1], None]

    def _sends(self) -> list[torch.Tensor]:
        """θ of what sends have: a number and three blocks."""
        width = len(self.towers["item"]["shift"])
        return list(torch.split(self.theta[-1 - 3 * width :], [1, width, width, width]))
