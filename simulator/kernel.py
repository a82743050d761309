"""The population's one kernel: what is offered, what may be sent, and one step of time.

A configuration and keys of lives enter; a :class:`Population` leaves, whose step turns a choice a
row (an item of its slate at a slot, or hold) into sparse outcomes. Every face (bandit loop, gym,
truth) is a thin layer over this file. Within a step every chance is a function of the state at
its start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator import organic, pushes, response
from simulator.calendar import Calendar, calendar_of
from simulator.catalogue import Catalogue, catalogue_of
from simulator.config import WorldConfig
from simulator.dynamics import advance
from simulator.happened import Happened, concatenated, happened, no_happened
from simulator.lists import Lists, lists_of
from simulator.population import draw_drift, draw_traits, segment_tastes
from simulator.state import State, Traits, newborn
from simulator.streams import Draw, life_keys, uniforms

__all__ = ["Ground", "Offer", "Population", "ground_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SLATE_SEED = 0x51A7E


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all users of a configuration share."""

    config: WorldConfig
    calendar: Calendar
    catalogue: Catalogue
    lists: Lists
    tastes: Float  # (G, D) of segments


def ground_of(config: WorldConfig) -> Ground:
    """Build what a configuration's users share; of itself it holds no randomness of a run."""
    catalogue = catalogue_of(config)
    return Ground(
        config=config,
        calendar=calendar_of(config),
        catalogue=catalogue,
        lists=lists_of(catalogue),
        tastes=segment_tastes(config),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What may be sent at the start of a step."""

    which: Whole  # (N,) list of each row
    items: NDArray[np.int32]  # (N, K)
    hour_of_week: Whole  # (N,) local
    is_in_stock: Flags  # (N, K)
    hours_left: Float  # (N, K) until each item expires


@dataclass(slots=True, kw_only=True)
class Population:
    """N lives and their clock.

    Parameters
    ----------
    ground : Ground
        Shared tables.
    hours : int
        Length of a step: 1 for a decision an hour, 24 for a decision a day.
    traits, state : Traits and State, (N,)
        See :func:`begin`.
    """

    ground: Ground
    hours: int
    traits: Traits
    state: State
    _offer: Offer | None = field(init=False, default=None)

    @classmethod
    def begin(cls, ground: Ground, keys: NDArray[np.uint64], *, hours: int) -> Population:
        """Begin the lives of ``keys``, (N,)."""
        traits, state = _born(ground, keys)
        return cls(ground=ground, hours=hours, traits=traits, state=state)

    @property
    def n_users(self) -> int:
        """Number of rows N."""
        return len(self.traits.key)

    @property
    def offsets_h(self) -> Whole:
        """Hours from the start of a step to each of its slots, (S,)."""
        return np.arange(0, self.hours, min(self.ground.config.clock.slot_hours, self.hours))

    def copy(self) -> Population:
        """Return the same lives at the same moment, to be lived on apart: a snapshot."""
        return Population(
            ground=self.ground, hours=self.hours, traits=self.traits.copy(), state=self.state.copy()
        )

    def futures(self, numbers: NDArray[np.int64]) -> Population:
        """Return the same people at the same moment once for each of M numbers, (M · N,) rows.

        Each number is another future, drawn anew; what will be offered is the same in all.
        """
        rows = np.tile(np.arange(self.n_users), len(numbers))
        traits = self.traits.take(rows)
        traits.key = life_keys(np.repeat(numbers, self.n_users), traits.key)
        return Population(
            ground=self.ground, hours=self.hours, traits=traits, state=self.state.take(rows)
        )

    def renew(self, rows: Whole, keys: NDArray[np.uint64]) -> None:
        """Begin new lives in ``rows``; their clocks start anew, their episodes count on."""
        traits, state = _born(self.ground, keys)
        state.episode[:] = self.state.episode[rows] + 1
        self.traits.put(rows, traits)
        self.state.put(rows, state)
        self._offer = None

    def offer(self) -> Offer:
        """Slates, local hours and availability at the start of the step."""
        if self._offer is None:
            catalogue, hour = self.ground.catalogue, self.state.hour
            which, lists = self._lists_of(self.traits.person, hour), self.ground.lists
            items = lists.items.take(which, axis=0)
            self._offer = Offer(
                which=which,
                items=items,
                hour_of_week=self.ground.calendar.hour_of_week(self.traits.zone, hour),
                is_in_stock=lists.in_stock(which, hour),
                hours_left=catalogue.hours_left(items, hour),
            )
        return self._offer

    def slates_of(self, rows: Whole) -> NDArray[np.int32]:
        """The short list of each row now, (M, K)."""
        which = self._lists_of(self.traits.person[rows], self.state.hour[rows])
        return self.ground.lists.items.take(which, axis=0)

    def _lists_of(self, person: NDArray[np.uint64], hour: Whole) -> Whole:
        """Number of the list of each row now, (M,)."""
        if self.ground.config.clock.has_shared_slate:
            person = np.broadcast_to(life_keys(_SLATE_SEED, 0), len(hour))
        drawn = uniforms(person, hour, Draw.SLATE)
        return (drawn * self.ground.lists.n_lists).astype(np.int64)

    def matches(self) -> NDArray[np.float32]:
        """Fit of each offered item to its user's taste, (N, K)."""
        return response.match_of(
            self.traits, self.state, self.offer().items, catalogue=self.ground.catalogue
        )

    def item_log_odds(self, match: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-odds of a click of each offered item, without the hour, (N, K)."""
        config = self.ground.config
        z = response.item_log_odds(
            config,
            self.traits,
            self.state,
            self.offer().items,
            catalogue=self.ground.catalogue,
            match=match,
        )
        if config.click.wanted_gain:
            wanted = response.wanted_item(self.traits, self.state, n_items=z.shape[1])
            z[np.arange(len(z)), wanted] += config.click.wanted_gain
        return z

    def slot_log_odds(self) -> Float:
        """Log-odds of a click of each slot of the step, (N, S)."""
        return response.slot_log_odds(
            self.traits,
            self.offer().hour_of_week,
            calendar=self.ground.calendar,
            offsets_h=self.offsets_h,
        )

    def step(self, position: Whole, slot: Whole, *, ref: Whole | None = None) -> Happened:
        """Send and let the step pass.

        Parameters
        ----------
        position : ndarray of int, (N,)
            Place of the item in its slate; −1 holds.
        slot : ndarray of int, (N,)
            Slot of the step; read only where something is sent.
        ref : ndarray of int, (N,), optional
            Decision ids, for outcomes to carry.

        Returns
        -------
        Happened
            All that this step decided, of whenever it happens.
        """
        config, ground = self.ground.config, self.ground
        offer = self.offer()
        sends = self._sends(position, slot, ref)
        sent, answers = self._push(sends, offer)
        sessions, came = self._organic(offer)
        all_of_it = concatenated([sent, came])
        advance(
            config,
            self.traits,
            self.state,
            hours=self.hours,
            hour_of_week=offer.hour_of_week,
            sends=sends,
            answers=answers,
            happened=all_of_it,
            swallowed=sessions.swallowed,
            calendar=ground.calendar,
            catalogue=ground.catalogue,
        )
        self._offer = None
        return all_of_it

    def _sends(self, position: Whole, slot: Whole, ref: Whole | None) -> pushes.Sends:
        row = np.flatnonzero((position >= 0) & self.state.is_alive & self.state.is_reachable)
        return pushes.Sends(
            row=row,
            item=self.offer().items[row, position[row]],
            offset_h=self.offsets_h[slot[row]],
            ref=np.full(len(row), -1) if ref is None else ref[row],
        )

    def _push(self, sends: pushes.Sends, offer: Offer) -> tuple[Happened, pushes.Answers]:
        config, ground, row = self.ground.config, self.ground, sends.row
        if not len(row):  # most hours of the night: a third of a step's cost
            return no_happened(), pushes.no_answers()
        traits, state, items = self.traits.some(row), self.state.some(row), sends.item[:, None]
        match = response.match_of(traits, state, items, catalogue=ground.catalogue)
        z = response.item_log_odds(
            config, traits, state, items, catalogue=ground.catalogue, match=match
        )
        if config.click.wanted_gain:
            wanted = response.wanted_item(traits, state, n_items=offer.items.shape[1])
            is_wanted = offer.items[row, wanted] == sends.item
            z[:, 0] += config.click.wanted_gain * is_wanted
        # A sum in double precision, as the truth of all actions is: the same bits, the same draw.
        log_odds = z + response.slot_log_odds(
            traits,
            offer.hour_of_week[row] + sends.offset_h,
            calendar=ground.calendar,
            offsets_h=np.zeros(1, np.int64),
        )
        wide = pushes.answer(config, traits, state, log_odds=log_odds, match=match)
        answers = pushes.Answers(
            **{name: getattr(wide, name)[:, 0] for name in pushes.Answers.__slots__}
        )
        told = pushes.outcomes_of_pushes(
            config,
            traits,
            state,
            sends,
            answers,
            calendar=ground.calendar,
            catalogue=ground.catalogue,
        )
        return told, answers

    def rate(self) -> organic.Rate:
        """How often users come in this step of their own accord."""
        return organic.session_rate(
            self.ground.config,
            self.traits,
            self.state,
            self.offer().hour_of_week,
            calendar=self.ground.calendar,
            hours=self.hours,
        )

    def organic_outcomes(self) -> Happened:
        """What this step will bring of its own accord, whatever is sent; nothing is changed."""
        return self._organic(self.offer())[1]

    def _organic(self, offer: Offer) -> tuple[organic.Sessions, Happened]:
        config, ground = self.ground.config, self.ground
        sessions = organic.draw_sessions(
            config,
            self.traits,
            self.state,
            offer.hour_of_week,
            calendar=ground.calendar,
            rate=self.rate(),
            hours=self.hours,
        )
        items = organic.look_at(
            self.traits,
            self.state,
            sessions.row,
            sessions.lane,
            catalogue=ground.catalogue,
            slate=self.slates_of,
        )
        orders = organic.draw_orders(config, self.traits, self.state, sessions, items)
        return sessions, concatenated([orders, self._left()])

    def _left(self) -> Happened:
        """Users who uninstall of their own accord."""
        chance = organic.leave_chance(self.ground.config, hours=self.hours)
        u = uniforms(self.traits.key, self.state.hour, Draw.CHURN)
        row = np.flatnonzero((u < chance) & self.state.is_alive)
        at_min = 60.0 * (self.state.hour[row] + self.hours * (u[row] / max(chance, 1e-300)))
        return happened(Kind.UNINSTALLED, row, at_min=at_min)


def _born(ground: Ground, keys: NDArray[np.uint64]) -> tuple[Traits, State]:
    traits = draw_traits(ground.config, keys, tastes=ground.tastes)
    drift = draw_drift(ground.config, keys)
    return traits, newborn(traits, n_templates=ground.config.items.n_templates, drift=drift)
