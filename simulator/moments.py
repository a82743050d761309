"""What people ask of a log: rates by hour, frequency and recency, delays, values, with errors.

A :class:`~simulator.signals.View` of a log enters, real or simulated; a list of named moments
leaves, each with its standard error by user clusters and what it rests on. Organic moments come
from holds that were drawn at random. Quantiles have the intervals of Woodruff (1952): the error of
the share below, turned through the distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.slots import DAY_MS
from simulator.clustered import Clustered, ratio, ratio_of_sums, variance
from simulator.no_push import count_within, place_of
from simulator.signals import View, signals_of

__all__ = ["Moment", "moments_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_WINDOW_H = 3
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_IN_WEEK = (0, 1, 2, 3, 4, 5, 7)
_SINCE_H = (0, 24, 48, 96, 168)
_SAME_ITEM_DAYS = (0, 3, 7, 14)
_CLICK_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_ORDER_QUANTILES = (0.25, 0.5, 0.75, 0.9)
_Z = 1.959963984540054  # a standard normal's 97.5 % point
_NONE_SEEN = -np.log(0.025)  # events that are none with a chance of 2.5 %
_OF_LOG = "ln of E[p²] / E[p]²"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line: a number of a log, and how far it can be relied on."""

    group: str
    name: str
    unit: str
    value: float  # NaN where the log has nothing to say
    se: float
    low: float  # 95 % interval, within what such a number can be
    high: float
    n: float  # events it rests on
    chances: float  # of n events that are counted, such as pushes delivered; 0 of other lines


def moments_of(view: View) -> tuple[Moment, ...]:
    """All moments of a log, in the order of the table.

    Parameters
    ----------
    view : View
        See :func:`simulator.signals.view_of`.
    """
    return (
        *_organic(view),
        *_clicks(view),
        *_delays(view),
        *_leaving(view),
        *_orders(view),
    )


def _organic(view: View) -> Iterator[Moment]:
    rows, n = view.no_push, view.logged.plan.n_users
    for name, counts in (("sessions", rows.n_sessions), ("orders", rows.n_orders)):
        told = ratio(rows.user, rows.weight * counts, rows.weight * rows.days, n_users=n)
        count = float(counts.sum())
        yield _moment(
            "without a push",
            f"{name} a day",
            f"{name} a day",
            told,
            count,
            chances=rows.days * len(rows.user),
        )
    seen = (np.bincount(rows.user, minlength=n) > 0).astype(np.float64)
    sessions = np.bincount(rows.user, weights=rows.n_sessions, minlength=n)
    level = np.log1p(sessions)
    first, second = (ratio_of_sums(seen * level**power, seen) for power in (1, 2))
    none = ratio_of_sums(seen * (sessions == 0), seen)
    yield _moment("without a push", "users without a session", "share", none, seen.sum())
    spread = variance(first, second)
    yield _moment("without a push", "spread between users", "var of ln(1 + sessions)", spread, None)
    signals = signals_of(view, np.zeros(168))
    near = signals["activity.excitation"]
    again = Clustered(float(np.exp(near.value)), near.influence * np.exp(near.value), near.n)
    yield _moment("without a push", "sessions within 6 h, over by chance", "ratio", again, None)
    known = rows.session_hour >= 0
    window = np.where(known, rows.session_hour // _WINDOW_H, -1)
    for place, label in enumerate(_windows()):
        top = rows.session_weight * (window == place)
        told = ratio(rows.session_user, top, rows.session_weight * known, n_users=n)
        count = int(np.count_nonzero(window == place))
        yield _moment(
            "sessions by hour of week",
            label,
            "share of sessions",
            told,
            count,
            chances=float(np.count_nonzero(known)),
        )


def _clicks(view: View) -> Iterator[Moment]:
    logged, sent = view.logged, view.exposure
    delivered = logged.is_delivered[sent.row].astype(np.float64)
    clicked = logged.is_clicked[sent.row].astype(np.float64)
    n = logged.plan.n_users

    def rate(where: NDArray[np.bool_], group: str, name: str) -> Moment:
        told = ratio(sent.user, clicked * where, delivered * where, n_users=n)
        count = float((clicked * where).sum())
        return _moment(group, name, "clicks a delivered push", told, count, chances=told.n)

    yield rate(np.ones(len(sent.row), np.bool_), "clicks", "all")
    total, clicks = (
        np.bincount(sent.user, weights=of, minlength=n).astype(np.float64)
        for of in (delivered, clicked)
    )
    pairs = ratio_of_sums(clicks * (clicks - 1.0), total * (total - 1.0)).log()
    squared = ratio_of_sums(clicks, total).log()
    spread = pairs.minus(squared, times=2.0)
    yield _moment("clicks", "spread between users", _OF_LOG, spread, float(clicks.sum()))
    dismissed = ratio(sent.user, logged.is_dismissed[sent.row], delivered, n_users=n)
    count = int(np.count_nonzero(logged.is_dismissed[sent.row]))
    yield _moment("clicks", "dismissed", "a delivered push", dismissed, count, chances=dismissed.n)
    reached = ratio(sent.user, delivered, 1.0, n_users=n)
    yield _moment("clicks", "delivered", "share of pushes", reached, len(sent.row))
    window = np.where(sent.hour_of_week >= 0, sent.hour_of_week // _WINDOW_H, -1)
    for place, label in enumerate(_windows()):
        yield rate(window == place, "clicks by hour of week", label)
    for label, where in _bins(sent.in_week.astype(np.float64), _IN_WEEK, is_whole=True):
        yield rate(where, "clicks by pushes in the 7 days before", label)
    for label, where in _bins(sent.since_h, _SINCE_H):
        yield rate(where, "clicks by hours since the last push", label)
    for label, where in _bins(sent.same_item_days, _SAME_ITEM_DAYS):
        yield rate(where, "clicks by days since the same item", label)


def _delays(view: View) -> Iterator[Moment]:
    logged, row = view.logged, view.exposure.row
    row = row[logged.is_clicked[row]]
    user, minutes = logged.plan.user[row], logged.click_min[row]
    for p in _CLICK_QUANTILES:
        yield _quantile("click delay", p, user, minutes, n_users=logged.plan.n_users)
    orders, sessions, plan = logged.orders, logged.sessions, logged.plan
    before = place_of(sessions, orders.user, orders.at_ms + 1, plan.start_ms, plan.end_ms) - 1
    before = np.maximum(before, 0)
    fits = orders.at_ms >= view.from_ms
    if len(sessions.user):
        fits &= (sessions.user[before] == orders.user) & (sessions.at_ms[before] <= orders.at_ms)
        minutes = (orders.at_ms - sessions.at_ms[before])[fits] / 60_000.0
    else:
        fits, minutes = np.zeros(len(orders.user), np.bool_), np.zeros(0)
    for p in _ORDER_QUANTILES:
        yield _quantile("order delay", p, orders.user[fits], minutes, n_users=plan.n_users)


def _leaving(view: View) -> Iterator[Moment]:
    logged, sent, plan = view.logged, view.exposure, view.logged.plan
    delivered = logged.is_delivered[sent.row].astype(np.float64)
    at_ms = plan.send_ms[sent.row]
    for name, gone in (("opt-outs", logged.opt_outs), ("uninstalls", logged.uninstalls)):
        left = count_within(
            gone, sent.user, at_ms, at_ms + DAY_MS // 12, start_ms=plan.start_ms, end_ms=plan.end_ms
        ).clip(0, 1)
        for label, where in (
            ("all", np.ones(len(sent.row), np.bool_)),
            *_bins(sent.in_week.astype(np.float64), _IN_WEEK, is_whole=True),
        ):
            told = ratio(sent.user, left * where, delivered * where, n_users=plan.n_users)
            group = f"{name} by pushes in the 7 days before"
            count = float((left * where).sum())
            yield _moment(group, label, f"{name} a delivered push", told, count, chances=told.n)


def _orders(view: View) -> Iterator[Moment]:
    logged, n = view.logged, view.logged.plan.n_users
    signals = signals_of(view, np.zeros(168))
    for name, key, unit in (
        ("orders within a day of a click", "orders.per_click", "a click"),
        ("orders", "orders.per_session", "a session"),
    ):
        log = signals[key]
        told = Clustered(float(np.exp(log.value)), log.influence * np.exp(log.value), log.n)
        yield _moment("orders", name, unit, told, log.n)
    late = logged.orders.at_ms >= view.from_ms
    user, value = logged.orders.user[late], logged.orders.value[late]
    first, second = (ratio(user, value**power, 1.0, n_users=n) for power in (1, 2))
    yield _moment("orders", "mean value", "money", first, len(user))
    squared = variance(first, second)
    sd = float(np.sqrt(squared.value)) if squared.value > 0 else float("nan")
    told = Clustered(sd, squared.influence / (2.0 * sd if sd > 0 else 1.0), squared.n)
    yield _moment("orders", "sd of the value", "money", told, len(user))


def _moment(
    group: str,
    name: str,
    unit: str,
    told: Clustered,
    n: float | None,
    *,
    chances: float = 0.0,
) -> Moment:
    least = -np.inf if unit == _OF_LOG else 0.0
    most = 1.0 if "share" in unit or unit.endswith("a delivered push") else np.inf
    reach = _Z * told.se
    if chances > 0 and told.value == 0:
        # No event has no spread between users, and still is no certainty.
        reach = _NONE_SEEN / chances
    low, high = np.clip([told.value - reach, told.value + reach], least, most)
    return Moment(
        group=group,
        name=name,
        unit=unit,
        value=told.value,
        se=told.se,
        low=float(low),
        high=float(high),
        n=float(told.n if n is None else n),
        chances=float(chances),
    )


def _quantile(group: str, p: float, user: Whole, values: Float, *, n_users: int) -> Moment:
    """A quantile with Woodruff's interval; its error is a quarter of that, about."""
    value, low, high = np.full(3, np.nan)
    if len(values) >= 2:
        value = np.quantile(values, p)
        below = ratio(user, values <= value, 1.0, n_users=n_users)
        reach = _Z * below.se
        low, high = np.quantile(values, np.clip([p - reach, p + reach], 0.0, 1.0))
    return Moment(
        group=group,
        name=f"{p:.0%} within",
        unit="minutes",
        value=float(value),
        se=float(high - low) / (2.0 * _Z),
        low=float(low),
        high=float(high),
        n=len(values),
        chances=0.0,
    )


def _windows() -> list[str]:
    return [
        f"{day} {hour:02d}-{hour + _WINDOW_H:02d}"
        for day in _WEEKDAYS
        for hour in range(0, 24, _WINDOW_H)
    ]


def _bins(
    values: Float, edges: Sequence[int], *, is_whole: bool = False
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Bins from one edge to the next, an open one, and one of what never was before."""
    for low, high in zip(edges, (*edges[1:], None), strict=True):
        if high is None:
            yield f"{low} or more", (values >= low) & np.isfinite(values)
        else:
            last = high - is_whole  # whole numbers end before the next edge
            label = f"{low}" if last == low else f"{low} to {last}"
            yield label, (values >= low) & (values < high)
    never = ~np.isfinite(values)
    if never.any():
        yield "never before", never
