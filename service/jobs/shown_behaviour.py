"""What count policies learn from in a simulated world: what users look at, and when they come.

A world that keeps its events enters; each day's pairs of user and item, and of user and slot, go
into the policy's counts, hours by the clock that a server takes to be the user's where the policy
counts by hours. Everybody shows behaviour, pushed or not; outcomes of pushes are not it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.events import ACTIONS
from bandit.slots import DAY_MS, HOUR_MS
from policies.baselines.count_policy import CountPolicy
from policies.baselines.week_counts import weekday_of
from simulator.world import World

__all__ = ["ShownBehaviour"]

_HOURS_A_DAY = 24
Whole = NDArray[np.int64]

_VISITS = tuple(ACTIONS.index(name) for name in ("view", "cart", "purchase"))


@dataclass(slots=True, kw_only=True)
class ShownBehaviour:
    """Shows a policy each day of a world once.

    Parameters
    ----------
    world : World
        Made with ``events=True``; its users are those of ids 0 … U − 1.
    policy : CountPolicy
        What learns.
    """

    world: World
    policy: CountPolicy
    _shown_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self._shown_ms = self.world.now_ms

    def show(self) -> None:
        """Show what has happened since the last call."""
        events, now_ms = self.world.events(), self.world.now_ms
        counts = self.policy.counts
        is_new = (events.at_ms >= self._shown_ms) & (events.at_ms < now_ms)
        seen = np.flatnonzero(is_new & np.isin(events.action, _VISITS) & (events.item >= 0))
        user = events.user[seen]
        local = self._local_hour(user, events.at_ms[seen])  # of the week
        slot = local % _HOURS_A_DAY if counts.params.by_hour else self._place(events.at_ms[seen])
        counts.observe(
            item_user=user,
            item=events.item[seen],
            slot_user=user,
            slot=slot,
            weekday=local // _HOURS_A_DAY if counts.params.by_hour else self._weekday,
        )
        self._shown_ms = now_ms

    def _local_hour(self, user: Whole, at_ms: Whole) -> Whole:
        """Hour of the week of what users did, of the full UTC hour in which they did it."""
        calendar, traits = self.world.ground.calendar, self.world.population.traits
        hour = (at_ms - calendar.start_ms) // HOUR_MS
        return calendar.server_hour_of_week(traits.zone[user], traits.is_zone_known[user], hour)

    def _place(self, at_ms: Whole) -> Whole:
        """Place in the grid of what users did."""
        return (at_ms % DAY_MS) // self._slot_ms % self.policy.counts.n_slots

    @property
    def _weekday(self) -> int:
        return int(weekday_of(np.array(self._shown_ms)))

    @property
    def _slot_ms(self) -> int:
        """Length of a slot of the world's grid; steps begin at UTC midnight."""
        offsets_h = self.world.population.offsets_h
        width_h = self.world.hours if len(offsets_h) == 1 else int(offsets_h[1])
        return width_h * HOUR_MS
