"""What the survival policy learns from in a simulated world: when users came.

A world that keeps its events enters; each day's visits go to the policy, pushed or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bandit.events import ACTIONS
from policies.baselines.survival import SurvivalThreshold
from simulator.world import World

__all__ = ["ShownVisits"]

_VISITS = tuple(ACTIONS.index(name) for name in ("view", "cart", "purchase"))


@dataclass(slots=True, kw_only=True)
class ShownVisits:
    """Shows a policy each day's visits once.

    Parameters
    ----------
    world : World
        Made with ``events=True``.
    policy : SurvivalThreshold
        What learns.
    """

    world: World
    policy: SurvivalThreshold
    _shown_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self._shown_ms = self.world.now_ms

    def show(self) -> None:
        """Show who has come since the last call."""
        events, now_ms = self.world.events(), self.world.now_ms
        is_new = (events.at_ms >= self._shown_ms) & (events.at_ms < now_ms)
        came = np.flatnonzero(is_new & np.isin(events.action, _VISITS))
        self.policy.observe_visits(events.user[came], events.at_ms[came], now_ms=now_ms)
        self._shown_ms = now_ms
