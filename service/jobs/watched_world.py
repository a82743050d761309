"""A simulated world that is watched: the truth of every decision, and what came, by day.

A :class:`~simulator.world.World` enters and is passed on to the loop unchanged; sums by day leave.
Two kinds of number are kept apart. *Decided*: the true worth (level 1, closed form) of the
probabilities drawn from, beside that of the best action, of silence, and of static pushes, on the
rows the policy itself brought about; in a world that is solved exactly (level 4), also what they
lose to the best plan. *Came*: outcomes that really happened, each counted once;
only these carry what a push costs later (fatigue, people who have left), so only these are
compared between worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Observation
from bandit.decide import Decisions
from bandit.metric_math import best_worth, policy_worth
from bandit.outcomes import Kind, Outcomes, no_outcomes
from bandit.slots import DAY_MS
from simulator.kernel import Population
from simulator.solved import Solved
from simulator.truth import mean_reward
from simulator.world import World
from simulator.worth import Worth

__all__ = ["COUNTED", "N_HOURS", "Watched"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

N_HOURS = 24
_CHUNK = 512

COUNTED = {
    "sessions": Kind.SESSION,
    "orders": Kind.CONVERTED,
    "clicks": Kind.CLICKED,
    "dismissals": Kind.DISMISSED,
    "opt_outs": Kind.UNSUBSCRIBED,
    "uninstalls": Kind.UNINSTALLED,
    "delivered": Kind.DELIVERED,
}
"""Outcomes by the names under which they are counted."""

_DECIDED = ("decisions", "sends", "worth", "best", "silence")


@dataclass(slots=True, kw_only=True)
class Watched:
    """Implements :class:`bandit.protocols.World`.

    Parameters
    ----------
    world : World
        Who lives.
    worth : Worth
        What outcomes are worth.
    popularity : ndarray, (I,)
        Of each item: the static pushes send the most popular one of a slate.
    solved : Solved, optional
        The same world solved exactly, where it is small enough; ``regret_dp`` is then added up.
    """

    world: World
    worth: Worth
    popularity: Float
    solved: Solved | None = None
    decided: dict[str, Float] = field(init=False)  # (days,) each
    static: Float = field(init=False)  # (1 + 24,) hold, then the popular item at each local hour
    sent_at: Whole = field(init=False)  # (24,) sends by the user's local hour
    reachable: Float = field(init=False)  # (days,) users at the end of each day
    alive: Float = field(init=False)
    _heard: list[Outcomes] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        n_days = self.world.config.clock.horizon_days
        names = _DECIDED if self.solved is None else (*_DECIDED, "regret_dp")
        self.decided = {name: np.zeros(n_days) for name in names}
        self.static, self.sent_at = np.zeros(1 + N_HOURS), np.zeros(N_HOURS, np.int64)
        self.reachable, self.alive = np.zeros((2, n_days))

    @property
    def now_ms(self) -> int:
        """The world's clock."""
        return self.world.now_ms

    def observe(self) -> Observation | None:
        """What the world shows."""
        return self.world.observe()

    def expected(self) -> tuple[Float, Float]:
        """The world's truth."""
        return self.world.expected()

    def step(self, decisions: Decisions) -> None:
        """Keep the truth of the decisions, then let the world carry them out."""
        day = self.world.hour // N_HOURS
        hours = self._local_hours()
        for first in range(0, decisions.n_rows, _CHUNK):
            # In parts: the truth of all actions of all users would not fit in the cache.
            self._judge(decisions, slice(first, first + _CHUNK), day, hours)
        sent = np.flatnonzero(decisions.executed != HOLD)
        slot = (decisions.executed[sent] - 1) % decisions.request.n_slots
        self.sent_at += np.bincount(hours[sent, slot], minlength=N_HOURS)
        self.decided["decisions"][day] += decisions.n_rows
        self.decided["sends"][day] += len(sent)
        self.world.step(decisions)
        state = self.world.population.state
        self.reachable[day] = np.count_nonzero(state.is_alive & state.is_reachable)
        self.alive[day] = np.count_nonzero(state.is_alive)

    def arrived(self) -> Outcomes:
        """What the world tells, kept."""
        outcomes = self.world.arrived()
        self._heard.append(outcomes)
        return outcomes

    def heard(self) -> Outcomes:
        """Everything the world has told so far, in the order of telling."""
        told = [*self._heard, no_outcomes()]
        names = (column.name for column in fields(Outcomes))
        return Outcomes(**{n: np.concatenate([getattr(o, n) for o in told]) for n in names})

    def came(self) -> dict[str, Float]:
        """Outcomes of each kind that happened on each day, each counted once, (days,) each.

        ``attributed`` are the orders that a click is credited with; ``value`` is that of orders
        less that of refunds.
        """
        heard = {
            name: np.concatenate([getattr(outcomes, name) for outcomes in self._heard])
            for name in ("outcome_id", "kind", "at_ms", "value", "decision_id")
        }
        _, once = np.unique(heard["outcome_id"], return_index=True)
        kind, value = heard["kind"][once], heard["value"][once]
        n_days = len(self.alive)
        day = (heard["at_ms"][once] - self.world.ground.calendar.start_ms) // DAY_MS
        within = (day >= 0) & (day < n_days)

        def count(rows: NDArray[np.bool_], weights: Any = None) -> Float:
            rows = rows & within
            weights = None if weights is None else weights[rows]
            return np.bincount(day[rows], weights, minlength=n_days).astype(np.float64)

        found = {name: count(kind == k) for name, k in COUNTED.items()}
        is_order = kind == Kind.CONVERTED
        found["attributed"] = count(is_order & (heard["decision_id"][once] >= 0))
        found["value"] = count(is_order, value) - count(kind == Kind.REFUNDED, value)
        return found

    def _judge(self, decisions: Decisions, rows: slice, day: int, hours: Whole) -> None:
        """Add up the truth of some rows."""
        request, mask = decisions.request, decisions.request.mask[rows]
        population = self._population(rows)
        worth = mean_reward(population, self.worth).astype(np.float64)
        worth = worth[:, : request.n_actions]
        self.decided["worth"][day] += policy_worth(worth, decisions.pmf[rows]).sum()
        self.decided["best"][day] += best_worth(worth, mask).sum()
        self.decided["silence"][day] += worth[:, 0].sum()
        if self.solved is not None:
            lost = self.solved.loss(population, decisions.pmf[rows])
            self.decided["regret_dp"][day] += lost.sum()
        self.static += self._static(worth, mask, request.items[rows], hours[rows])

    def _static(self, worth: Float, mask: NDArray[np.bool_], items: Whole, hours: Whole) -> Float:
        """Summed worth of holding and of the popular item at each local hour, (1 + 24,).

        Where that hour is not in the step's grid or may not be sent at, it holds.
        """
        n, n_slots, row = len(worth), hours.shape[1], np.arange(len(worth))[:, None]
        popular = np.argmax(self.popularity[items], axis=1)[:, None]
        action = 1 + popular * n_slots + np.arange(n_slots)  # (N, S)
        of_hour = np.repeat(worth[:, :1], N_HOURS, axis=1)
        of_hour[row, hours] = np.where(mask[row, action], worth[row, action], worth[:, :1])
        return np.concatenate([worth[:, :1], of_hour], axis=1).sum(axis=0) if n else np.zeros(25)

    def _population(self, rows: slice) -> Population:
        whole, at = self.world.population, self.world.observed[rows]
        return Population(
            ground=whole.ground,
            hours=whole.hours,
            traits=whole.traits.take(at),
            state=whole.state.take(at),
        )

    def _local_hours(self) -> Whole:
        """True local hour of each slot of the observed users, (N, S)."""
        population, at = self.world.population, self.world.observed
        zone, hour = population.traits.zone[at], population.state.hour[at]
        calendar = population.ground.calendar
        columns = [calendar.hour_of_week(zone, hour + ahead) for ahead in population.offsets_h]
        return np.stack(columns, axis=1) % N_HOURS
