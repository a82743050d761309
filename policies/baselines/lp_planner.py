"""The planner of an inbox: items assigned to slots by a linear program, one of them decided now.

A belief about every item × slot enters; the plan of most value under a daily cap and a least gap
is made for each row, and all mass goes to the send of it that is worth most. Expiry, send windows
and opening hours come with the request's mask. The rest of the plan is not kept: it is planned
again at the next decision, with what is then known. Reference: Uber's consumer communication
gateway (2022): scores by hour, a linear program over slots, cap 2 a day, gap 8 h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.errors import BadInputError
from bandit.slots import DAY_MS, HOUR_MS
from policies.entry import lazily
from policies.exploration import best_action, uniform
from policies.roles import RewardModel

__all__ = ["LpPlanner"]

Array = NDArray[np.float64]

_ROWS_A_PROGRAM = 128
_plan = lazily("policies.baselines.assignment:planned_best")


@dataclass(frozen=True, slots=True, kw_only=True)
class LpPlanner:
    """Cap and gap of a plan.

    Parameters
    ----------
    per_day : int
        Most sends in any 24 h of a plan.
    gap_h : float
        Least hours between the starts of two sends.

    Notes
    -----
    Uber's scores are chances of a conversion given a push; here they are uplifts less the cost of
    the send, so a push that is not worth it is not planned. Users share no capacity, as there:
    what one is planned does not hang on who else is asked for.
    """

    per_day: int = 2
    gap_h: float = 8.0
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "a plan explores nothing, and the floor alone finds out too slowly"
    }

    def __post_init__(self) -> None:
        if self.per_day < 1 or not 0 < self.gap_h < np.inf:
            raise BadInputError(
                "expected per_day of at least 1 and a finite gap_h above 0, got "
                f"{self.per_day}, {self.gap_h}"
            )

    def pmf(self, model: RewardModel, request: Request, *, key: int, n_learned: int) -> Array:
        """All mass on the best send of each row's plan, exact ties alike, (N, A)."""
        values = model.values(request)
        best = np.where(request.mask[:, 1:], values[:, 1:], -np.inf).max(axis=1, initial=-np.inf)
        is_sent = best > values[:, HOLD]
        # Where a second send cannot follow, the best send is the whole plan.
        several = np.flatnonzero(is_sent & self._has_room(request))
        for first in range(0, len(several), _ROWS_A_PROGRAM):
            rows = several[first : first + _ROWS_A_PROGRAM]
            best[rows] = self._planned(values[rows], request, rows)
        is_best = (values == best[:, None]) & request.mask
        is_best[:, HOLD] = False
        pmf = best_action(values, request.mask)
        pmf[is_sent] = uniform(is_best[is_sent])
        return pmf

    def _has_room(self, request: Request) -> NDArray[np.bool_]:
        """Whether two sends fit into the slots of a row at all, (N,)."""
        start = request.grid.start_ms
        span = start.max(axis=1) - start.min(axis=1)
        return np.asarray((self.per_day > 1) & (span >= self.gap_h * HOUR_MS))

    def _planned(self, values: Array, request: Request, rows: NDArray[np.int64]) -> Array:
        """Value of the best send of each row's plan, (n,)."""
        shape = (len(rows), request.n_items, request.n_slots)
        worth = np.where(request.mask[rows, 1:], values[:, 1:] - values[:, :1], 0.0)
        start = request.grid.start_ms[rows]
        limits = ((DAY_MS, self.per_day), (self.gap_h * HOUR_MS, 1))
        chosen = _plan(worth.reshape(shape), start, limits=limits)  # (n,) of K·S
        return np.asarray(values[np.arange(len(rows)), 1 + chosen])
