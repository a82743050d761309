"""Limits: which sends use how much of what, and how much of it there is.

Tables as read from TOML enter; the price of every action of a request, and what feedback has used,
leave. Sends per user and week, campaign budgets, stock and provider rates are all limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback
from bandit.slots import DAY_MS, HOUR_MS

__all__ = ["Limit", "limits_of", "prices_of_actions", "used"]

Array = NDArray[np.float64]

_HOURS = 24
_SPANS_MS = {
    "hour": HOUR_MS,
    "day": DAY_MS,
    "week": 7 * DAY_MS,
    "user-week": 7 * DAY_MS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that sends use up.

    Parameters
    ----------
    name : str
        What reports call it.
    amount : float
        How much there is, in units of its own (messages, euros, pieces), above 0.
    per : str
        Of what: ``user-week``, ``hour``, ``day``, ``week``, or ``run`` for all of it between
        ``starts_ms`` and ``ends_ms``, spread evenly.
    cost : float
        Units that one send uses, above 0.
    items : sequence of int
        Sends of these items only, as of a campaign or what is in stock; empty for all.
    each_hour : bool
        A limit for every hour of the day by itself, priced by the hour that a send is due in
        (UTC): what a provider passes on in an hour.
    starts_ms, ends_ms : int
        When it is there; 0 for always.
    price : float
        Reward a send to begin with, such as a planner's.
    """

    name: str
    amount: float
    per: str = "user-week"
    cost: float = 1.0
    items: tuple[int, ...] = ()
    each_hour: bool = False
    starts_ms: int = 0
    ends_ms: int = 0
    price: float = 0.0

    def __post_init__(self) -> None:
        spans = [*_SPANS_MS, "run"]
        if self.per not in spans:
            raise BadInputError(f"expected limit {self.name!r} per {spans}, got {self.per!r}")
        if not (0 < self.amount < np.inf and 0 < self.cost < np.inf and 0 <= self.price < np.inf):
            raise BadInputError(
                f"expected a finite amount and cost above 0 and a price of at least 0 in limit "
                f"{self.name!r}, got {self.amount}, {self.cost}, {self.price}"
            )
        has_end = self.ends_ms > self.starts_ms
        if (self.ends_ms != 0 or self.per == "run") and not has_end:
            raise BadInputError(
                f"expected limit {self.name!r} to end after it starts, got {self.starts_ms}, "
                f"{self.ends_ms}: a limit per run needs both"
            )

    @property
    def n_prices(self) -> int:
        """One, or one for each hour of the day."""
        return _HOURS if self.each_hour else 1

    def sends_a_period(self, *, period_ms: int, n_users: int) -> float:
        """Sends that a whole period may have."""
        span_ms = _SPANS_MS.get(self.per, self.ends_ms - self.starts_ms)
        people = n_users if self.per == "user-week" else 1
        # An hour of the day comes once in a day: its budget in a period is that of its hours.
        hours = _HOURS if self.each_hour else 1
        return self.amount / self.cost * people * period_ms / span_ms / hours

    def share_of(self, first: int, n_periods: int, *, period_ms: int) -> Array:
        """Part of each of P periods, from number ``first`` on, in which it is there, (P,)."""
        if not self.ends_ms:
            return np.ones(n_periods)
        begin = (first + np.arange(n_periods)) * period_ms
        there = np.minimum(begin + period_ms, self.ends_ms) - np.maximum(begin, self.starts_ms)
        return np.asarray(np.clip(there, 0, None) / period_ms)

    def takes(self, item: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether sends of these items use it."""
        return np.isin(item, self.items) if self.items else np.ones(item.shape, np.bool_)


def limits_of(tables: Mapping[str, Mapping[str, Any]]) -> tuple[Limit, ...]:
    """Limits by their names, as read from TOML.

    Raises
    ------
    BadInputError
        For an unknown key or a value that makes no sense.
    """
    known = [f.name for f in fields(Limit) if f.name != "name"]
    made = []
    for name, table in tables.items():
        if not isinstance(table, Mapping) or not {"amount"} <= set(table) <= set(known):
            raise BadInputError(
                f"expected limit {name!r} to be a table with an amount and keys out of {known}, "
                f"got {table!r}"
            )
        made.append(Limit(**{"name": name, **table, "items": tuple(table.get("items", ()))}))
    return tuple(made)


def prices_of_actions(limits: Sequence[Limit], prices: Array, request: Request) -> Array:
    """What each action of a request has to pay, 0 for hold, (N, A).

    Parameters
    ----------
    limits : sequence of Limit
        What sends use.
    prices : ndarray, (J,)
        Reward a send, as many as the limits have prices.
    request : Request
        N rows; a send pays the price of the hour that its slot begins in.
    """
    n, k, s = request.n_rows, request.n_items, request.n_slots
    pays = np.zeros((n, k, s))
    for limit, mine in _by_limit(limits, prices):
        if not mine.any():
            continue
        hour = (request.grid.start_ms // HOUR_MS) % _HOURS  # (N, S)
        by_slot = mine[hour] if limit.each_hour else np.full((n, s), mine[0])
        pays += limit.takes(request.items)[:, :, None] * by_slot[:, None, :]
    return np.concatenate([np.zeros((n, 1)), pays.reshape(n, k * s)], axis=1)


def used(limits: Sequence[Limit], feedback: Feedback) -> Array:
    """Sends that each row was allocated of each resource, (N, J).

    The plan counts, whatever became of it: P(send), exactly, where any send uses it, else the
    planned item and hour. Slots are taken to be now and the full hours after it.
    """
    columns: list[NDArray[Any]] = [np.zeros((feedback.n_rows, 0))]
    for limit in limits:
        is_mine = feedback.is_send & limit.takes(feedback.item)
        if limit.each_hour:
            hour = (feedback.at_ms // HOUR_MS + np.maximum(feedback.slot, 0)) % _HOURS
            columns.append(is_mine[:, None] & (hour[:, None] == np.arange(_HOURS)))
        else:
            columns.append((is_mine if limit.items else feedback.p_send)[:, None])
    return np.concatenate(columns, axis=1, dtype=np.float64)


def _by_limit(limits: Sequence[Limit], prices: Array) -> Iterator[tuple[Limit, Array]]:
    first = 0
    for limit in limits:
        yield limit, prices[first : first + limit.n_prices]
        first += limit.n_prices
