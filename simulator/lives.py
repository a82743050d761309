"""N lives under a gym face: what is sent, what arrives, who leaves, and who comes after them.

Choices a row enter; rewards and ends of lives leave. Row i lives the life of (its seed, user 0, its
episode), so a life is the same in any batch, and what comes after it is too. Outcomes are decided
when a step is taken and pay when they happen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.face import Face
from simulator.happened import Happened
from simulator.kernel import Ground, Population
from simulator.known import Known, hear, unknown
from simulator.pending import Pending
from simulator.streams import life_keys
from simulator.worth import Worth

__all__ = ["Lives", "Passed"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
Seeds = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a step brought."""

    reward: Float  # (N,)
    has_left: Flags  # (N,) opted out, uninstalled or churned
    is_at_end: Flags  # (N,) of the horizon, and has not left
    decided: Happened  # outcomes that this step decided, of whenever they happen


@dataclass(slots=True, kw_only=True)
class Lives:
    """The rows of a face and their clocks."""

    face: Face
    worth: Worth
    population: Population
    known: Known
    pending: Pending
    seeds: Seeds  # (N,)
    episode: Whole  # (N,)
    now: int  # steps since the rows began: the ledger's clock

    @classmethod
    def begin(cls, face: Face, ground: Ground, seeds: Seeds, *, worth: Worth) -> Lives:
        """Begin the first life of each seed, (N,)."""
        n = len(seeds)
        return cls(
            face=face,
            worth=worth,
            population=Population.begin(ground, life_keys(seeds, 0), hours=face.hours),
            known=unknown(n, n_features=ground.config.items.n_features),
            pending=Pending(n),
            seeds=seeds.copy(),
            episode=np.zeros(n, np.int64),
            now=0,
        )

    @property
    def step_of_life(self) -> Whole:
        """Steps that each row has lived, (N,)."""
        return np.asarray(self.population.state.hour // self.face.hours)

    def step(self, position: Whole, slot: Whole, *, is_idle: Flags) -> Passed:
        """Send and let a step pass.

        Parameters
        ----------
        position, slot : ndarray of int, (N,)
            Place of the item in the row's slate, −1 to hold; and its slot.
        is_idle : ndarray of bool, (N,)
            Rows whose life is over: whatever the step does to them counts for nothing.
        """
        step = self.step_of_life
        told = self.population.step(np.where(is_idle, -1, position), slot)
        if is_idle.any():
            told = told.take(~is_idle[told.row])
        cost = np.where((position >= 0) & ~is_idle, self.worth.of_send, 0.0)
        reward = self._reveal(told, cost, step=step)
        has_left, is_at_end = self._ends(is_idle)
        rest = self.pending.settle(has_left | is_at_end, pays_rest=self.face.pays_rest)
        self.now += 1
        return Passed(reward=reward + rest, has_left=has_left, is_at_end=is_at_end, decided=told)

    def renew(self, rows: Whole) -> None:
        """Begin the next life in ``rows``; what was still to come to them expires."""
        if not len(rows):
            return
        is_over = np.zeros(len(self.seeds), np.bool_)
        is_over[rows] = True
        self.pending.settle(is_over, pays_rest=False)
        self.episode[rows] += 1
        keys = life_keys(self.seeds[rows], 0, episode=self.episode[rows])
        self.population.renew(rows, keys)
        self.known.put(rows, unknown(len(rows), n_features=self.known.profile.shape[1]))

    def reseed(self, rows: Whole, seeds: Seeds) -> None:
        """Begin the first life of other seeds in ``rows``."""
        self.seeds[rows] = seeds
        self.episode[rows] = -1
        self.renew(rows)

    def some(self, rows: Whole) -> tuple[Population, Known]:
        """Return copies of some rows, to be looked at."""
        whole = self.population
        population = Population(
            ground=whole.ground,
            hours=whole.hours,
            traits=whole.traits.take(rows),
            state=whole.state.take(rows),
        )
        return population, self.known.take(rows)

    def copy(self) -> Lives:
        """Return the same lives at the same moment, to be lived on apart."""
        return Lives(
            face=self.face,
            worth=self.worth,
            population=self.population.copy(),
            known=self.known.copy(),
            pending=self.pending.copy(),
            seeds=self.seeds.copy(),
            episode=self.episode.copy(),
            now=self.now,
        )

    def _reveal(self, told: Happened, cost: Float, *, step: Whole) -> Float:
        """Enter what was decided; pay and hear what happens in this step, (N,)."""
        worth = self.worth.of_outcomes(told)
        if self.face.reward_timing == "decision":
            paid = np.bincount(told.row, weights=worth, minlength=len(step)) + cost
            self.pending.pay_at_once(paid)
            worth = np.zeros(told.n_rows)
        else:
            self.pending.pay_at_once(cost)
        ahead = np.floor(told.at_min / (60.0 * self.face.hours)).astype(np.int64) - step[told.row]
        self.pending.add(told, worth, due=self.now + ahead)
        arrived, outcomes = self.pending.pay(self.now)
        self._hear(outcomes)
        return paid if self.face.reward_timing == "decision" else arrived + cost

    def _hear(self, outcomes: Happened) -> None:
        """Let the server take note of what happened in this step."""
        ground, traits, row = self.population.ground, self.population.traits, outcomes.row
        at_h = outcomes.at_min / 60.0
        hour_of_week = ground.calendar.server_hour_of_week(
            traits.zone[row], traits.is_zone_known[row], at_h.astype(np.int64)
        )
        features = ground.catalogue.features[outcomes.item]
        hear(
            self.known,
            row=row,
            kind=outcomes.kind,
            at_h=at_h,
            local_hour=hour_of_week % 24,
            looked_at=np.where(outcomes.item[:, None] >= 0, features, np.float32(0.0)),
            hours=self.face.hours,
        )

    def _ends(self, is_idle: Flags) -> tuple[Flags, Flags]:
        traits, state = self.population.traits, self.population.state
        has_left = ~state.is_alive | (traits.has_opted_in & ~state.is_reachable)
        has_left &= ~is_idle
        horizon_h = 24 * self.population.ground.config.clock.horizon_days
        return has_left, (state.hour >= horizon_h) & ~has_left & ~is_idle
