"""One number for each parameter that can be fitted: what moves when the parameter moves.

A :class:`~simulator.logged.Logged` record enters; estimates with user clusters leave, by the key
of the parameter they tell of. Each is a ratio of sums, or a difference or logarithm of such, so
that a real log and a simulated one are compared sum by sum. Auxiliary statistics of this kind are
what indirect inference matches: Gourieroux, Monfort and Renault (1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.slots import DAY_MS, HOUR_MS
from simulator.calendar import HOURS_A_WEEK
from simulator.clustered import Clustered, ratio, ratio_of_sums, variance
from simulator.exposure import Exposure, exposure_of
from simulator.logged import Behaviour, Logged
from simulator.no_push import NoPush, count_within, no_push_of

__all__ = ["View", "hour_curve", "signals_of", "view_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NIGHT_H, _EVENING_H = (0, 6), (16, 24)
_MIDDLE_H = 17.0  # of a day of activity: a shape that shifts moves its sine about there
_FREE_A_WEEK = 3
_SPREAD_DAYS = 8  # without a push that each user is judged by
_CAUSED_MS = 2 * HOUR_MS  # a push that makes a user leave does so within an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A record with its steps without a push and its pushes, after the warm-up."""

    logged: Logged
    from_ms: int
    no_push: NoPush
    exposure: Exposure


def view_of(logged: Logged, *, warmup_days: int) -> View:
    """Look at a record from the end of the warm-up on."""
    from_ms = logged.plan.start_ms + warmup_days * DAY_MS
    return View(
        logged=logged,
        from_ms=from_ms,
        no_push=no_push_of(logged, from_ms=from_ms),
        exposure=exposure_of(logged, from_ms=from_ms),
    )


def hour_curve(view: View) -> Float:
    """Log of how active users are in each hour of the week of their own, mean 0, (168,).

    Weekdays are taken together, and so are the two days of the weekend; neighbouring hours lend
    each other a quarter.
    """
    hour, weight = view.no_push.session_hour, view.no_push.session_weight
    known = hour >= 0
    counts = np.bincount(hour[known], weights=weight[known], minlength=HOURS_A_WEEK).reshape(7, 24)
    halves = np.stack([counts[:5].mean(axis=0), counts[5:].mean(axis=0)]) + 1.0
    smooth = 0.5 * halves + 0.25 * (np.roll(halves, 1, axis=1) + np.roll(halves, -1, axis=1))
    log = np.log(smooth)
    week = np.concatenate([np.tile(log[0], 5), np.tile(log[1], 2)])
    return np.asarray(week - week.mean())


def signals_of(view: View, curve: Float) -> dict[str, Clustered]:
    """Every signal by the key of its parameter.

    Parameters
    ----------
    view : View
        Of a real log or of a simulated one.
    curve : ndarray, (168,)
        See :func:`hour_curve`; that of the real log for both.
    """
    return _organic(view) | _clicks(view, curve) | _leaving(view) | _orders(view)


def _organic(view: View) -> dict[str, Clustered]:
    rows, n_users = view.no_push, view.logged.plan.n_users
    # As many steps of each user: how long who stays must not look like how active who is.
    n_steps = round(_SPREAD_DAYS / rows.days)
    rank = np.arange(len(rows.user)) - np.searchsorted(rows.user, rows.user)
    is_early = rank < n_steps
    seen = np.bincount(rows.user, minlength=n_users)
    sessions = np.bincount(rows.user, weights=rows.n_sessions * is_early, minlength=n_users)
    is_seen = (seen >= n_steps).astype(np.float64)
    level = np.log1p(sessions)
    first, second = (ratio_of_sums(level**power * is_seen, is_seen) for power in (1, 2))
    hour = rows.session_hour % 24
    known = rows.session_hour >= 0
    late = np.sin(2.0 * np.pi * (hour + 0.5 - _MIDDLE_H) / 24.0)
    is_weekend = rows.session_hour // 24 >= 5

    def of_sessions(top: Float | Flags, among: Flags) -> Clustered:
        weight = rows.session_weight * among
        return ratio(rows.session_user, weight * top, weight, n_users=n_users)

    def between(window: tuple[int, int]) -> Clustered:
        return of_sessions((hour >= window[0]) & (hour < window[1]), known)

    return {
        "activity.sessions_per_day": ratio(
            rows.user, rows.weight * rows.n_sessions, rows.weight * rows.days, n_users=n_users
        ).log(),
        "activity.spread": variance(first, second),
        "activity.excitation": _clustering(view, near_h=6).log(),
        "hours.night_floor": between(_NIGHT_H),
        "hours.evening": between(_EVENING_H),
        "hours.weekend_shift_h": of_sessions(late, known & is_weekend).minus(
            of_sessions(late, known & ~is_weekend)
        ),
    }


def _clustering(view: View, *, near_h: int) -> Clustered:
    """Sessions soon after a session, over those as long after the same hour three days later."""
    plan, sessions = view.logged.plan, view.logged.sessions
    late = sessions.at_ms >= view.from_ms
    user, at_ms = sessions.user[late], sessions.at_ms[late]

    def followed(after_ms: int) -> Whole:
        return count_within(
            sessions,
            user,
            at_ms + after_ms + 1,
            at_ms + after_ms + near_h * HOUR_MS,
            start_ms=plan.start_ms,
            end_ms=plan.end_ms,
        )

    # Both must fit into the log, and a heavy user's many pairs count as one user's.
    fits = at_ms + 3 * DAY_MS + near_h * HOUR_MS < plan.end_ms
    own = np.bincount(user, minlength=plan.n_users)
    weight = fits / np.maximum(own, 1)[user]
    soon, later = followed(0), (followed(3 * DAY_MS) + followed(4 * DAY_MS)) / 2.0
    fits_later = at_ms + 4 * DAY_MS + near_h * HOUR_MS < plan.end_ms
    weight = weight * fits_later
    return ratio(user, weight * soon, weight * later, n_users=plan.n_users)


def _clicks(view: View, curve: Float) -> dict[str, Clustered]:
    logged, sent, n_users = view.logged, view.exposure, view.logged.plan.n_users
    delivered = logged.is_delivered[sent.row].astype(np.float64)
    clicked = logged.is_clicked[sent.row].astype(np.float64)
    total, clicks = (
        np.bincount(sent.user, weights=of, minlength=n_users).astype(np.float64)
        for of in (delivered, clicked)
    )
    rate = ratio_of_sums(clicks, total)
    pairs = ratio_of_sums(clicks * (clicks - 1.0), total * (total - 1.0))
    rows = view.no_push
    level = np.log1p(np.bincount(rows.user, weights=rows.n_sessions, minlength=n_users))

    def leans(x: Float, among: Flags | float = 1.0) -> Clustered:
        """Mean of x over the clicks less that over what was delivered."""
        of_clicks = ratio(sent.user, among * clicked * x, among * clicked, n_users=n_users)
        of_all = ratio(sent.user, among * delivered * x, among * delivered, n_users=n_users)
        return of_clicks.minus(of_all)

    again = (sent.same_item_days < 7.0).astype(np.float64)
    known = sent.hour_of_week >= 0
    return {
        "click.rate": rate.log(),
        "click.spread": pairs.log().minus(rate.log(), times=2.0),
        "click.activity_slope": leans(level[sent.user]),
        "hours.receptivity": leans(curve[sent.hour_of_week], known),
        "fatigue.slope": leans(sent.in_week.astype(np.float64)),
        "fatigue.habituation_half_life_days": leans(np.log1p(sent.before)),
        "click.item_penalty": leans(again),
        "click.dismiss_chance": ratio(
            sent.user, logged.is_dismissed[sent.row], delivered - clicked, n_users=n_users
        ).log(),
        "delivery.success": ratio(sent.user, delivered, 1.0, n_users=n_users),
    }


def _leaving(view: View) -> dict[str, Clustered]:
    logged, sent, plan = view.logged, view.exposure, view.logged.plan
    delivered = logged.is_delivered[sent.row].astype(np.float64)
    at_ms = plan.send_ms[sent.row]
    excess = np.maximum(sent.in_week + 1.0 - _FREE_A_WEEK, 0.0)

    def caused(gone: Behaviour) -> Whole:
        found = count_within(
            gone,
            sent.user,
            at_ms,
            at_ms + _CAUSED_MS,
            start_ms=plan.start_ms,
            end_ms=plan.end_ms,
        )
        return np.minimum(found, 1)

    n = plan.n_users
    out, off = caused(logged.opt_outs), caused(logged.uninstalls)
    mean = ratio(sent.user, delivered * excess, delivered, n_users=n)
    late = logged.uninstalls.at_ms >= view.from_ms
    gone = np.bincount(logged.uninstalls.user[late], minlength=n).clip(0, 1)
    of_pushes = np.bincount(sent.user, weights=off, minlength=n).clip(0, 1)
    begin_ms = max(view.from_ms, plan.start_ms)
    days = np.maximum(np.minimum(logged.left_ms, plan.end_ms) - begin_ms, 0) / DAY_MS
    return {
        "opt_out.hazard": _counted(ratio(sent.user, out, delivered, n_users=n), out).log(),
        "opt_out.frequency_slope": _counted(
            ratio(sent.user, out * excess, out, n_users=n).minus(mean), out
        ),
        "opt_out.uninstall_share": _counted(ratio(sent.user, off, out, n_users=n), off).log(),
        "activity.churn_per_day": _counted(
            ratio_of_sums((gone - of_pushes).astype(np.float64), days), gone - of_pushes
        ).log(),
    }


def _orders(view: View) -> dict[str, Clustered]:
    logged, plan, n = view.logged, view.logged.plan, view.logged.plan.n_users
    orders, sessions = logged.orders, logged.sessions
    late = orders.at_ms >= view.from_ms
    user, at_ms, value = orders.user[late], orders.at_ms[late], orders.value[late]
    is_late = sessions.at_ms >= view.from_ms
    ones = np.concatenate([np.ones(len(user)), np.zeros(int(is_late.sum()))])
    both = np.concatenate([user, sessions.user[is_late]])
    log = np.log(np.maximum(value, 1e-12))
    first, second = (ratio(user, log**power, 1.0, n_users=n) for power in (1, 2))
    row = view.exposure.row[logged.is_clicked[view.exposure.row]]
    click_ms = plan.send_ms[row] + (60_000.0 * logged.click_min[row]).astype(np.int64)
    span = {"start_ms": plan.start_ms, "end_ms": plan.end_ms}
    bought = count_within(orders, plan.user[row], click_ms, click_ms + DAY_MS, **span)
    quick = count_within(sessions, user, at_ms - HOUR_MS, at_ms + 1, **span) > 0
    return {
        "orders.per_session": ratio(both, ones, 1.0 - ones, n_users=n).log(),
        "orders.per_click": _counted(ratio(plan.user[row], bought, 1.0, n_users=n), bought).log(),
        "orders.quick_share": _counted(ratio(user, quick, 1.0, n_users=n), quick),
        "items.price_mu": _counted(first, np.ones(len(user))),
        "items.price_sd": _counted(variance(first, second), np.ones(len(user))).log(),
    }


def _counted(estimate: Clustered, events: NDArray[np.generic]) -> Clustered:
    """The estimate, resting on a number of events."""
    return Clustered(estimate.value, estimate.influence, float(np.sum(events)))
