"""What users do of their own accord: sessions, what is looked at, orders, leaving.

Traits and state at the start of a step enter; expected counts and drawn outcomes leave, from the
same rates. Sessions are Poisson within a step, self-exciting from one step to the next (Hawkes,
1971, kept piecewise), and the first of them are swallowed where a push visit has displaced them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.calendar import Calendar
from simulator.catalogue import Catalogue
from simulator.config import WorldConfig
from simulator.happened import Happened, concatenated, happened
from simulator.refunds import refunds_of
from simulator.response import fit_of
from simulator.state import State, Traits
from simulator.streams import Draw, exponentials, normal_of, uniforms

__all__ = [
    "Rate",
    "Sessions",
    "basket_value",
    "draw_orders",
    "draw_sessions",
    "expected_sessions",
    "leave_chance",
    "look_at",
    "mean_order_value",
    "order_delay_min",
    "order_wait_min",
    "session_rate",
]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_ATTRIBUTION_MIN = 24.0 * 60.0
_LOOK_SHARPNESS = 2.0
_LOG_TAIL = -39.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Organic sessions of a step, in order of user and time; swallowed ones are left out."""

    row: Whole  # (M,)
    at_min: Float  # (M,)
    lane: Whole  # (M,) which of its user's sessions of this step
    swallowed: Whole  # (N,) how many of each user's were displaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often users come in a step, before displacement."""

    pace: Float  # (N,) sessions per hour at mean activity
    total: Float  # (N,) mean number of sessions of the step


def session_rate(
    config: WorldConfig,
    traits: Traits,
    state: State,
    hour_of_week: Whole,
    *,
    calendar: Calendar,
    hours: int,
) -> Rate:
    """Rate of organic sessions of a step of ``hours``."""
    pace = np.where(state.is_alive, _pace(config, traits, state), 0.0)
    total = pace * calendar.activity_ahead(traits.chronotype, hour_of_week, hours=hours)
    total += state.is_alive * state.excitation * _excited(config, np.array([float(hours)]))
    return Rate(pace=pace, total=total)


def expected_sessions(rate: Float, debt: NDArray[np.int16]) -> Float:
    """Mean number after the first ``debt`` of a Poisson number are swallowed, (N,)."""
    expected = rate.copy()
    for j in range(int(debt.max(initial=0))):
        owes = debt > j
        # Each unit of debt takes one session away where there are more than j of them.
        expected[owes] -= _more_than(rate[owes], j)
    return np.maximum(expected, 0.0)


def draw_sessions(
    config: WorldConfig,
    traits: Traits,
    state: State,
    hour_of_week: Whole,
    *,
    calendar: Calendar,
    rate: Rate,
    hours: int,
) -> Sessions:
    """Draw the organic sessions of a step."""
    count = _poisson(uniforms(traits.key, state.hour, Draw.SESSION_COUNT), rate.total)
    rows = np.flatnonzero(count)
    row = np.repeat(rows, count[rows])
    lane = np.arange(len(row)) - np.repeat(np.cumsum(count[rows]) - count[rows], count[rows])
    at_min = _session_times(
        config,
        traits,
        state,
        hour_of_week=hour_of_week,
        row=row,
        lane=lane,
        calendar=calendar,
        pace=rate.pace,
        hours=hours,
    )
    order = np.lexsort((at_min, row))
    row, at_min = row[order], at_min[order]
    swallowed = np.minimum(count, state.debt)
    is_kept = lane >= swallowed[row]  # lanes count up within a user, as its sorted times do
    return Sessions(
        row=row[is_kept], at_min=at_min[is_kept], lane=lane[is_kept], swallowed=swallowed
    )


def draw_orders(
    config: WorldConfig, traits: Traits, state: State, sessions: Sessions, items: NDArray[np.int32]
) -> Happened:
    """Sessions, the orders they end in, credited to a click of the day before, and refunds."""
    row, key = sessions.row, traits.key[sessions.row]
    hour = state.hour[row]
    drawn = uniforms(key, hour, Draw.SESSION_ORDER, lane=sessions.lane)
    visits = happened(Kind.SESSION, row, at_min=sessions.at_min, item=items)
    bought = np.flatnonzero(drawn < config.orders.per_session)
    if not len(bought):
        return visits
    rows, keys, hours = row[bought], key[bought], hour[bought]
    lane = sessions.lane[bought]
    at_min = sessions.at_min[bought] + order_delay_min(config, keys, hours, lane=lane)
    since_min = at_min - 60.0 * state.click_h[rows]
    ref = np.where((since_min >= 0) & (since_min < _ATTRIBUTION_MIN), state.click_ref[rows], -1)
    orders = happened(
        Kind.CONVERTED,
        rows,
        at_min=at_min,
        value=organic_values(config, keys, hours, lane=lane),
        ref=ref,
        item=items[bought],
    )
    if not config.orders.refund_share:
        return concatenated([visits, orders])
    return concatenated([visits, orders, refunds_of(config, orders, keys, hours, lane=lane)])


def organic_values(
    config: WorldConfig, keys: NDArray[np.uint64], hours: Whole, *, lane: Whole
) -> Float:
    """Money of organic orders: a log-normal basket, (M,)."""
    first = uniforms(keys, hours, Draw.ORDER_VALUE, lane=2 * lane)
    second = uniforms(keys, hours, Draw.ORDER_VALUE, lane=2 * lane + 1)
    return basket_value(config, normal_of(first, second))


def basket_value(config: WorldConfig, z: Float) -> Float:
    """Money of an organic order of each standard normal; any shape."""
    sd = np.hypot(config.items.price_sd, config.orders.value_sd)
    return np.asarray(np.exp(config.items.price_mu + sd * z))


def mean_order_value(config: WorldConfig) -> float:
    """Mean money of an organic order."""
    variance = config.items.price_sd**2 + config.orders.value_sd**2
    return float(np.exp(config.items.price_mu + variance / 2.0))


def look_at(
    traits: Traits,
    state: State,
    row: Whole,
    lane: Whole,
    *,
    catalogue: Catalogue,
    slate: Callable[[Whole], NDArray[np.int32]],
) -> NDArray[np.int32]:
    """Item looked at in each session: of the user's slate, a softmax of taste, (M,)."""
    if not len(row):
        return np.zeros(0, np.int32)
    items = slate(row)  # (M, K)
    fit = fit_of(traits.taste[row] + state.drift[row], items, catalogue=catalogue)
    summed = np.cumsum(np.exp(_LOOK_SHARPNESS * fit), axis=1, dtype=np.float64)
    drawn = uniforms(traits.key[row], state.hour[row], Draw.EVENT, lane=lane) * summed[:, -1]
    chosen = np.minimum((summed <= drawn[:, None]).sum(axis=1), items.shape[1] - 1)
    return np.asarray(items[np.arange(len(row)), chosen])


def order_delay_min(
    config: WorldConfig, keys: NDArray[np.uint64], hours: Whole, *, lane: Whole
) -> Float:
    """Minutes from a session to its order: a mixture of exponentials, (M,)."""
    return order_wait_min(
        config,
        uniforms(keys, hours, Draw.ORDER_DELAY, lane=2 * lane),
        uniforms(keys, hours, Draw.ORDER_DELAY, lane=2 * lane + 1),
    )


def order_wait_min(config: WorldConfig, which: Float, wait: Float) -> Float:
    """Minutes from a session to its order, of two uniforms: which part, and how long, (M,)."""
    means_h = np.asarray(config.orders.delay_means_h)
    part = np.searchsorted(np.cumsum(config.orders.delay_shares), which, side="right")
    return 60.0 * means_h.take(part, mode="clip") * exponentials(wait)


def leave_chance(config: WorldConfig, *, hours: int) -> float:
    """Chance of uninstalling of one's own accord within a step."""
    return float(1.0 - (1.0 - config.activity.churn_per_day) ** (hours / 24.0))


def _pace(config: WorldConfig, traits: Traits, state: State) -> Float:
    """Sessions per hour at mean activity, (N,)."""
    pace = traits.sessions_per_h * np.where(
        state.is_reachable | ~traits.has_opted_in, 1.0, config.opt_out.activity_after
    )
    if config.taste.streak_gain:
        pace = pace * np.where(state.streak_days > 0, np.exp(config.taste.streak_gain), 1.0)
    return np.asarray(pace)


def _excited(config: WorldConfig, until_h: Float) -> Float:
    """Sessions that one unit of excitation causes by ``until_h`` hours into the step."""
    activity = config.activity
    return np.asarray(activity.excitation * -np.expm1(-until_h / activity.excitation_decay_h))


def _session_times(
    config: WorldConfig,
    traits: Traits,
    state: State,
    *,
    hour_of_week: Whole,
    row: Whole,
    lane: Whole,
    calendar: Calendar,
    pace: Float,
    hours: int,
) -> Float:
    """Minutes since the world's start, by inverting the rate summed over the step's hours, (M,)."""
    drawn = uniforms(traits.key[row], state.hour[row], Draw.SESSION_TIME, lane=lane)
    if hours == 1:
        return np.asarray(60.0 * (state.hour[row] + drawn))
    who, where = np.unique(row, return_inverse=True)
    edges = np.arange(hours + 1)
    ahead = calendar.before[traits.chronotype[who, None], hour_of_week[who, None] + edges]
    summed = pace[who, None] * (ahead - ahead[:, :1])
    summed += state.excitation[who, None] * _excited(config, edges.astype(np.float64))
    target = drawn * summed[where, -1]
    before = summed[where]  # (M, L + 1)
    cell = np.minimum((before[:, 1:] <= target[:, None]).sum(axis=1), hours - 1)
    at = np.arange(len(row))
    low, high = before[at, cell], before[at, cell + 1]
    part = np.clip((target - low) / np.maximum(high - low, 1e-300), 0.0, 1.0)
    return np.asarray(60.0 * (state.hour[row] + cell + part))


def _poisson(uniform: Float, rate: Float) -> Whole:
    """Counts by inverting the Poisson distribution, (N,); only rows above zero cost more."""
    count = np.zeros(len(rate), np.int64)
    rows = np.flatnonzero(uniform >= np.exp(-rate))
    # Logarithms: e^-rate of a very active user is too small for a float.
    log_rate, log_term = np.log(rate[rows]), -rate[rows]
    total = np.exp(log_term)
    while len(rows):
        count[rows] += 1
        log_term = log_term + log_rate - np.log(count[rows])
        total = total + np.exp(log_term)
        # A uniform within rounding of 1 would never be passed: the tail is below 1e-16 there.
        has_tail = (count[rows] < rate[rows]) | (log_term > _LOG_TAIL)
        goes_on = (uniform[rows] >= total) & has_tail
        rows, total = rows[goes_on], total[goes_on]
        log_rate, log_term = log_rate[goes_on], log_term[goes_on]
    return count


def _more_than(rate: Float, j: int) -> Float:
    """P(Poisson(rate) > j)."""
    term = np.exp(-rate)
    below = term.copy()
    for i in range(1, j + 1):
        term = term * rate / i
        below += term
    return np.maximum(1.0 - below, 0.0)
