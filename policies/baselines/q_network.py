"""A Q-network over factored towers: what an action is worth with everything that follows.

Context, item and slot features enter; one value an action leaves. It is trained elsewhere, saved
as named arrays and asked here, in plain arrays. Q(hold) = θ·[1, c, w(c)], and a send adds
θ·[1, u, v, u ⊙ v]: K + S passes for K·S actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.checks import check_state
from policies.models.neural_estimate import by_item, passes
from policies.models.tower_math import pair_scores
from policies.models.towers import Towers, begin

__all__ = ["QNetwork", "read_network"]

Array = NDArray[np.float64]
Lengths = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QNetwork:
    """Towers, and the layer that is linear in their features."""

    towers: Towers
    theta: Array  # (P,)

    @classmethod
    def blank(
        cls, lengths: Lengths, *, hidden: int, width: int, rng: np.random.Generator
    ) -> QNetwork:
        """Random towers for features D, Di and Ds, and a last layer that values nothing."""
        towers = begin(lengths, hidden=hidden, width=width, rng=rng)
        return cls(towers=towers, theta=np.zeros(towers.n_features))

    @property
    def lengths(self) -> Lengths:
        """D, Di and Ds."""
        towers = self.towers
        return len(towers.base.context), len(towers.item.own), len(towers.slot.own)

    def values(self, request: Request) -> Array:
        """Q of every action, (N, A)."""
        values = np.zeros((request.n_rows, request.n_actions))
        pairs = self.theta[None, self.towers.pair_block]
        for rows, u, v in passes(self.towers, request):
            values[rows, 1:] = by_item(pair_scores(u, v, pairs), request.n_slots)[:, 0]
        base = self.towers.base_features(request.context) @ self.theta[: self.towers.n_base]
        return np.asarray(values + base[:, None])

    def turned(self, basis: Array) -> QNetwork:
        """The same values of contexts c' = Q·c."""
        theta, d = self.theta.copy(), len(basis)
        theta[1 : 1 + d] = basis @ theta[1 : 1 + d]
        return QNetwork(towers=self.towers.turned(basis), theta=theta)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all weights."""
        return self.towers.state() | {"theta": self.theta.copy()}

    def loaded(self, state: Mapping[str, NDArray[Any]]) -> QNetwork:
        """A network of this size from what :meth:`state` returned."""
        check_state(state, {"theta": self.theta.shape})
        towers = self.towers.loaded(state)
        return replace(self, towers=towers, theta=np.array(state["theta"], np.float64))


def read_network(path: str | Path, lengths: Lengths) -> QNetwork:
    """Read a saved network.

    Parameters
    ----------
    path : str or Path
        An ``.npz`` of what :meth:`QNetwork.state` returned.
    lengths : three ints
        D, Di and Ds that requests will carry.

    Raises
    ------
    BadInputError
        If there is no such file, it is no network, or one for other features.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            state = dict(stored)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"expected a saved Q-network at {str(path)!r}, got {error}: train one with "
            "python -m experiments.double_dqn or experiments.rllib_train"
        ) from error
    check_state(state, {"tower.item.out": (-1, -1)})
    hidden, width = state["tower.item.out"].shape
    rng = np.random.default_rng(0)  # sizes only: every weight is replaced
    blank = QNetwork.blank(lengths, hidden=hidden, width=width, rng=rng)
    return blank.loaded(state)
