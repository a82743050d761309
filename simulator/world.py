"""The population behind the loop: observe, carry out, let time pass, tell what has been heard.

Decisions enter; outcomes that have been received, and the truth of every action, leave.
Implements :class:`bandit.protocols.World` over the one kernel. All users live on one clock and
are decided for at once, once a step; what a policy sees is what a server would know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Observation, SlotGrid, item_position, slot_position
from bandit.decide import Decisions
from bandit.errors import BadInputError, StateError, expect_shape
from bandit.events import Events
from bandit.identity import Links
from bandit.outcomes import UPLIFT, Outcomes, RewardScheme
from bandit.slots import HOUR_MS
from simulator.config import WorldConfig
from simulator.devices import MOST_USERS, device_ids, links_of_devices
from simulator.emission import Emitter, Heard, no_heard
from simulator.events import EventLog, events_of
from simulator.kernel import Ground, Population, ground_of
from simulator.known import Known, context_of, hear, slot_features_of, unknown
from simulator.streams import life_keys
from simulator.truth import Means, means_of
from simulator.world_snapshot import columns_of, expect_own, made_of, population_of
from simulator.worth import Worth

__all__ = ["World"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_CHUNK = 256
_N_SEEDS = 2**64


class World:
    """N simulated users.

    Parameters
    ----------
    config : WorldConfig
        The population; see :func:`simulator.config.load`.
    n_users : int
        How many live at the start.
    seed : int
        Of what happens: with the user's id it is the key of a life, the same in any shard.
    population_seed : int, optional
        Of who the users are, ``seed`` by default: the same people under other chances.
    hours : int
        Length of a step: 24 decides once a day over its slots, 1 once an hour.
    scheme : RewardScheme
        Whose components :meth:`expected` tells.
    first_user : int
        Id of the first user, below 2³²; a shard begins at another one.
    events : bool
        Whether behaviour events are kept, for :meth:`events`.
    by_device : bool
        Whether sessions and orders are told under the id of the device; see :meth:`links`.
    ground : Ground, optional
        Shared tables of the same configuration, where several worlds are made of it.

    Examples
    --------
    >>> from simulator.config import load
    >>> World(load("tiny"), 5, 1).observe().user.tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self,
        config: WorldConfig,
        n_users: int,
        seed: int,
        *,
        population_seed: int | None = None,
        hours: int = 24,
        scheme: RewardScheme = UPLIFT,
        first_user: int = 0,
        events: bool = False,
        by_device: bool = False,
        ground: Ground | None = None,
    ) -> None:
        population_seed = seed if population_seed is None else population_seed
        n_users, seed, population_seed, hours, first_user = map(
            _whole,
            ("n_users", "seed", "population_seed", "hours", "first_user"),
            (n_users, seed, population_seed, hours, first_user),
        )
        if n_users < 1:
            raise BadInputError(f"expected one user or more, got {n_users}")
        if hours < 1 or 24 % hours:
            raise BadInputError(
                f"expected steps of 1, 24 or another number of hours that divides 24, got {hours}"
            )
        if not 0 <= first_user <= MOST_USERS - n_users:
            raise BadInputError(
                f"expected ids of users from 0 to below 2**32, got {n_users} from {first_user} on"
            )
        self.config = config
        self.hours = hours
        self.ground = ground_of(config) if ground is None else ground
        self.users: Whole = np.arange(first_user, first_user + n_users, dtype=np.int64)
        born = life_keys(population_seed % _N_SEEDS, self.users)
        self.population = Population.begin(self.ground, born, hours=hours)
        self.population.traits.key = life_keys(seed % _N_SEEDS, self.users)
        self.known: Known = unknown(n_users, n_features=config.items.n_features)
        self._worth = Worth(scheme, config.orders.refund_share)
        self._emitter = Emitter(emission=config.emission, start_ms=self.ground.calendar.start_ms)
        self._heard: Heard = no_heard()
        self._rows: Whole = np.arange(n_users)
        self._before: Population | None = None
        self._by_device = by_device
        self._events = EventLog() if events else None

    @property
    def hour(self) -> int:
        """Hours since the world's start."""
        return int(self.population.state.hour[0])

    @property
    def now_ms(self) -> int:
        """The world's clock."""
        return self.ground.calendar.start_ms + self.hour * HOUR_MS

    @property
    def is_over(self) -> bool:
        """True once the horizon is reached."""
        return self.hour >= 24 * self.config.clock.horizon_days

    def observe(self) -> Observation | None:
        """All living users, with what a server would know of them; ``None`` at the end.

        Users who opted out are among them: they go on living, and a guard holds for them.
        """
        rows = np.flatnonzero(self.population.state.is_alive)
        if self.is_over or not len(rows):
            return None
        self._rows, self._before = rows, None
        known, state = self.known.take(rows), self.population.state.take(rows)
        traits = self.population.traits
        local = self.ground.calendar.server_hour_of_week(
            traits.zone[rows], traits.is_zone_known[rows], state.hour
        )
        zones = np.where(traits.is_zone_known, np.array(self.config.clock.zones)[traits.zone], "")
        return Observation(
            user=self.users[rows],
            at_ms=np.full(len(rows), self.now_ms),
            zone=zones[rows],
            context=context_of(
                known,
                state,
                local_hour_of_week=local,
                is_zone_known=traits.is_zone_known[rows],
            ),
            slot_features=slot_features_of(
                known, local_hour_of_week=local, offsets_h=self.population.offsets_h
            ),
            grid=self._grid(len(rows)),
        )

    def slates(self) -> NDArray[np.int32]:
        """Items offered to the observed users, (N, K); their order is that of the truth."""
        return self.population.offer().items[self._rows]

    @property
    def observed(self) -> Whole:
        """Positions of the observed users among all, (N,)."""
        return self._rows

    def step(self, decisions: Decisions) -> None:
        """Carry out what was executed, and let the step pass.

        Raises
        ------
        BadInputError
            Where the decisions are not about the observed users, are of another moment than this
            (or carried out already), or send an item that is not in its user's slate.
        """
        position, slot = self._choices(decisions)
        ref = np.full(len(self.users), -1, np.int64)
        ref[self._rows] = decisions.decision_id
        self._pass(position, slot, ref)

    def rest(self) -> None:
        """Let a step pass in silence, beyond the horizon too, so that outcomes arrive."""
        hold = np.full(len(self.users), -1, np.int64)
        self._pass(hold, np.zeros_like(hold), hold)

    def arrived(self) -> Outcomes:
        """Outcomes received since the last call."""
        heard, self._heard = self._heard, no_heard()
        return heard.outcomes(self._ids_of(heard))

    def events(self) -> Events:
        """All behaviour so far, in canonical order.

        Raises
        ------
        StateError
            Where the world was made without ``events=True``.
        """
        if self._events is None:
            raise StateError("expected a world that keeps events: make it with events=True")
        return self._events.until(self.now_ms)

    def links(self) -> Links:
        """Whose every further device is, known from the world's start on."""
        n_devices = self.population.traits.n_devices
        return links_of_devices(self.users, n_devices, at_ms=self.ground.calendar.start_ms)

    def expected(self) -> tuple[Float, Float]:
        """True base (N, R) and uplift (N, A, R) of the rows last observed.

        Actions stand in the order of :meth:`slates`. A send to somebody who cannot be reached
        costs and does nothing.
        """
        parts = [
            (self._worth.components(means.base), self._worth.components(means.uplift))
            for _, means in self._means()
        ]
        base, uplift = zip(*parts, strict=True)
        return np.concatenate(base), np.concatenate(uplift)

    def expected_of(self, action: Whole) -> tuple[Float, Float]:
        """True base and uplift of one action a row, (N, R) each, in the memory of one action.

        Parameters
        ----------
        action : ndarray of int, (N,)
            Such as what was planned; 0 holds.
        """
        expect_shape("action", action, (len(self._rows),), "one action for each observed user")
        parts = [
            (
                self._worth.components(means.base),
                self._worth.components(means.uplift[np.arange(len(rows)), action[rows]]),
            )
            for rows, means in self._means()
        ]
        base, uplift = zip(*parts, strict=True)
        return np.concatenate(base), np.concatenate(uplift)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Everything that moves, as named arrays; with the arguments, the whole world."""
        before = self._before
        is_past = before is not None and bool((before.state.hour != self.hour).any())
        parts: dict[str, Mapping[str, Any]] = {
            "now": columns_of(self.population),
            # Of the rows last observed, where a step has passed since then: what the truth is of.
            "before": columns_of(before) if before is not None and is_past else {},
            "known": dict(self.known.copy().columns()),
            "pending": self._emitter.state(),
            "heard": {name: getattr(self._heard, name).copy() for name in Heard.__slots__},
            "world": {"rows": self._rows.copy(), **self._made_of()},
            "events": {} if self._events is None else self._events.state(),
        }
        return {f"{p}.{name}": array for p, part in parts.items() for name, array in part.items()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go back to what :meth:`snapshot` returned, bit by bit.

        Raises
        ------
        BadInputError
            For the snapshot of a world of other users, steps or constants, or one that kept no
            events where this one keeps them.
        """
        expect_own(snapshot, self._made_of(), has_events=self._events is not None)
        self.population = population_of(snapshot, "now", ground=self.ground, hours=self.hours)
        self.known = Known(**{n: np.array(snapshot[f"known.{n}"]) for n in Known.__slots__})
        self._emitter.load({name: snapshot[f"pending.{name}"] for name in Heard.__slots__})
        self._heard = Heard(
            **{name: np.array(snapshot[f"heard.{name}"]) for name in Heard.__slots__}
        )
        self._rows = np.array(snapshot["world.rows"])
        self._before = None
        if "before.state.hour" in snapshot:
            self._before = population_of(snapshot, "before", ground=self.ground, hours=self.hours)
        if self._events is not None:
            names = [f.name for f in fields(Events)]
            self._events.load({name: snapshot[f"events.{name}"] for name in names})

    def _made_of(self) -> dict[str, NDArray[Any]]:
        return made_of(self.config, users=self.users, hours=self.hours)

    def _pass(self, position: Whole, slot: Whole, ref: Whole) -> None:
        if self._before is None:
            self._before = self._observed_population()
        hour, key = self.hour, self.population.traits.key
        before = None if self._events is None else self.population.copy()
        told = self._emitter.tell(self.population.step(position, slot, ref=ref), key=key, hour=hour)
        if before is not None and self._events is not None:
            self._events.add(events_of(told, user=self._ids_of(told), before=before))
        heard = self._emitter.hear(self.now_ms)
        self._heard = self._heard.plus(heard)
        self._learn(heard.take(~heard.is_copy))

    def _learn(self, heard: Heard) -> None:
        """Let the server take note."""
        at_h = (heard.at_ms - self.ground.calendar.start_ms) / HOUR_MS
        traits, row = self.population.traits, heard.row
        local = self.ground.calendar.server_hour_of_week(
            traits.zone[row], traits.is_zone_known[row], np.floor(at_h).astype(np.int64)
        )
        features = self.ground.catalogue.features[heard.item]
        hear(
            self.known,
            row=row,
            kind=heard.kind,
            at_h=at_h,
            local_hour=local % 24,
            looked_at=np.where(heard.item[:, None] >= 0, features, np.float32(0.0)),
            hours=self.hours,
        )

    def _ids_of(self, told: Heard) -> Whole:
        """Under whose id each outcome is told, (M,)."""
        user = self.users[told.row]
        if not self._by_device:
            return user
        return device_ids(told, user=user, n_devices=self.population.traits.n_devices[told.row])

    def _means(self) -> Iterator[tuple[Whole, Means]]:
        """Means of the rows last observed, some rows at a time.

        All quantities of all actions of all rows would be many times as large as any answer.
        """
        if self._before is None:
            self._before = self._observed_population()
        n_rows = self._before.n_users
        for first in range(0, n_rows, _CHUNK):
            rows = np.arange(first, min(first + _CHUNK, n_rows))
            yield rows, means_of(_take(self._before, rows))

    def _observed_population(self) -> Population:
        return _take(self.population, self._rows)

    def _choices(self, decisions: Decisions) -> tuple[Whole, Whole]:
        """Place in the slate and slot of every user, −1 to hold, (U,) each."""
        rows, request = self._rows, decisions.request
        if not np.array_equal(request.user, self.users[rows]):
            raise BadInputError(
                f"expected decisions for the {len(rows)} users last observed, in that order, got "
                f"{decisions.n_rows} rows: decide for the whole of an observation"
            )
        if (request.at_ms != self.now_ms).any():
            raise BadInputError(
                f"expected decisions of this moment, {self.now_ms} ms, got some of "
                f"{request.at_ms.min()} ms: observe, decide and carry out once a step"
            )
        n_slots = len(self.population.offsets_h)
        if request.n_slots != n_slots:
            raise BadInputError(f"expected {n_slots} slots as observed, got {request.n_slots}")
        position, slot = np.full((2, len(self.users)), -1, np.int64)
        at = np.flatnonzero(decisions.executed != HOLD)
        executed = decisions.executed[at]
        item = request.items[at, item_position(executed, n_slots=n_slots)]
        is_it = self.slates()[at] == item[:, None]
        if not is_it.any(axis=1).all():
            odd = int(np.argmin(is_it.any(axis=1)))
            raise BadInputError(
                f"expected an item of the slate of user {request.user[at[odd]]}, got {item[odd]}: "
                "take candidates from simulator.offers.Slates, or some of them"
            )
        position[rows[at]] = np.argmax(is_it, axis=1)
        slot[rows[at]] = slot_position(executed, n_slots=n_slots)
        return position, np.maximum(slot, 0)

    def _grid(self, n_rows: int) -> SlotGrid:
        start_ms = self.now_ms + self.population.offsets_h * HOUR_MS
        end_ms = np.append(start_ms[1:], self.now_ms + self.hours * HOUR_MS)
        shape = (n_rows, len(start_ms))
        return SlotGrid(
            start_ms=np.broadcast_to(start_ms, shape), end_ms=np.broadcast_to(end_ms, shape)
        )


def _whole(name: str, number: Any) -> int:
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool):
        raise BadInputError(f"expected {name} to be a whole number, got {number!r}")
    return int(number)


def _take(population: Population, rows: Whole) -> Population:
    return Population(
        ground=population.ground,
        hours=population.hours,
        traits=population.traits.take(rows),
        state=population.state.take(rows),
    )
