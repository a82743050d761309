"""How much is sent: weekly budgets by what a server knows, a sender without limits, three cadences.

A configuration enters; response curves, reach and paired values leave. Budgets follow Gao et al.
(KDD 2018) at Pinterest: a number of sends a week for each user, least and most fixed, chosen to
need the fewest sends at an equal engagement; users are told apart only by what a server has seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import UPLIFT, Kind
from simulator.happened import Happened
from simulator.kernel import Ground, Population
from simulator.trials import (
    EVENING_H,
    HOLD,
    can_be_sent,
    chances_of,
    opted_in,
    sends_on,
    sessions_caused,
    slot_at,
)
from simulator.worth import Worth

__all__ = ["Curves", "fewest_sends", "greedy_reach", "value_per_week", "volume_curves"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_HISTORY_DAYS = 28
_MEAN_DAYS = 14.0
_N_ACTIVITIES = 5
_N_CLICKS = 3
_MOST_A_WEEK = 7
_TWICE_A_DAY = 14
_MORNING_H = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What each weekly budget brings in a run, true means; rows are budgets 1 … 7."""

    cohort: Whole  # (N,) what the server can tell apart: activity × clicks
    sessions: Float  # (7, N) caused, less those displaced
    sends: Float  # (7, N)

    def by_cohort(self) -> Float:
        """Sessions and sends of each cohort and user, (2, 7, cohorts, N)."""
        member = np.arange(_N_ACTIVITIES * _N_CLICKS)[:, None] == self.cohort  # (C, N)
        both = np.stack([self.sessions, self.sends])
        return np.asarray(both[:, :, None, :] * member)


def volume_curves(
    ground: Ground, n_users: int, *, seed: int, heuristic: int, days: int = 28
) -> tuple[Curves, Curves]:
    """Two runs of every budget on the same users: one to choose by, one to be judged by.

    Parameters
    ----------
    ground : Ground
        Of the population.
    n_users : int
        Opted-in users.
    seed : int
        Of the users; the runs are two futures of theirs.
    heuristic : int
        Sends a week in the four weeks before, from which the server knows its users.
    days : int
        Length of a run.
    """
    population = opted_in(ground, n_users, seed=seed, hours=24)
    told = [_send_if(population, sends_on(day, heuristic)) for day in range(_HISTORY_DAYS)]
    cohort = _cohorts(told, n_users=n_users)
    first, second = (
        _curves(population.futures(np.array([turn])), cohort, days=days) for turn in (1, 2)
    )
    return first, second


def fewest_sends(chosen_by: Float, judged_by: Float, *, heuristic: int) -> float:
    """Sends of the best budgets relative to the heuristic's, less 1, at its engagement.

    Parameters
    ----------
    chosen_by, judged_by : ndarray, (2, 7, C)
        Sessions and sends of each budget and cohort, in two independent runs.
    heuristic : int
        Budget of everybody that is compared with.
    """
    target, sends = judged_by[:, heuristic - 1].sum(axis=1)
    price, dearer = 0.0, 1.0 + float((chosen_by[0] / np.maximum(chosen_by[1], 1.0)).max())
    for _ in range(60):
        middle = (price + dearer) / 2.0
        is_enough = _spent(chosen_by, judged_by, middle)[0] >= target
        price, dearer = (middle, dearer) if is_enough else (price, middle)
    more, less = _spent(chosen_by, judged_by, price), _spent(chosen_by, judged_by, dearer)
    # Between two prices some cohorts are split, so that engagement is equal and not above.
    share = (target - less[0]) / max(more[0] - less[0], 1e-300)
    return float((less[1] + np.clip(share, 0.0, 1.0) * (more[1] - less[1])) / sends - 1.0)


def greedy_reach(ground: Ground, n_users: int, *, seed: int, days: int) -> Float:
    """Who can be sent to after each waking hour brought the item most likely clicked, (N,)."""
    population = opted_in(ground, n_users, seed=seed, hours=1)
    for _ in range(24 * days):
        reached = can_be_sent(population)
        if not reached.any():
            break
        local = population.offer().hour_of_week % 24
        is_waking = (local >= 8) & (local < 22)
        best = population.item_log_odds(population.matches()).argmax(axis=1)
        position = np.where(is_waking & reached, best, HOLD)
        population.step(position, np.zeros(population.n_users, np.int64))
    return can_be_sent(population).astype(np.float64)


def value_per_week(ground: Ground, n_users: int, *, seed: int, per_week: int, weeks: int) -> Float:
    """Reward a user-week under DESIGN §4's weights, popular item at the popular hour, (N,).

    Senders of one seed are paired: the same users under the same randomness. ``per_week`` up to 7
    are sent in the evening; 14 are sent in the morning and in the evening.
    """
    population, worth = opted_in(ground, n_users, seed=seed, hours=12), Worth(UPLIFT)
    value = np.zeros(n_users)
    for half_day in range(14 * weeks):
        evening, morning = (slot_at(population, h) for h in (EVENING_H, _MORNING_H))
        local = (population.offer().hour_of_week + population.offsets_h[evening]) % 24
        is_evening = local == EVENING_H
        is_due = is_evening & sends_on(half_day // 2, min(per_week, 7))
        is_due = is_due | (per_week == _TWICE_A_DAY)
        is_sent = is_due & can_be_sent(population)
        slot = np.where(is_evening, evening, morning)
        told = population.step(np.where(is_sent, _popular(population), HOLD), slot)
        value += np.bincount(told.row, weights=worth.of_outcomes(told), minlength=n_users)
        value += worth.of_send * is_sent
    return value / weeks


def _cohorts(told: list[Happened], *, n_users: int) -> Whole:
    """Fifth of activity × clicks, from what the days of a history brought, (N,).

    Activity is a mean over days that fades with a fortnight, as a server would keep it.
    """
    activity, clicks = np.zeros(n_users), np.zeros(n_users, np.int64)
    for day in told:
        activity *= np.exp(-1.0 / _MEAN_DAYS)
        np.add.at(activity, day.row[day.kind == Kind.SESSION], 1.0 / _MEAN_DAYS)
        np.add.at(clicks, day.row[day.kind == Kind.CLICKED], 1)
    edges = np.quantile(activity, np.arange(1, _N_ACTIVITIES) / _N_ACTIVITIES)
    fifth = np.searchsorted(edges, activity)
    return np.asarray(fifth * _N_CLICKS + np.minimum(clicks, _N_CLICKS - 1))


def _curves(population: Population, cohort: Whole, *, days: int) -> Curves:
    sessions, sends = np.zeros((2, _MOST_A_WEEK, population.n_users))
    for budget in range(1, _MOST_A_WEEK + 1):
        lived = population.copy()
        for day in range(days):
            is_sent = sends_on(day, budget)
            if is_sent:
                reached = can_be_sent(lived)
                first = np.zeros(lived.n_users, np.int64)
                chances, displaced = chances_of(lived, first, slot_at(lived, EVENING_H))
                caused = sessions_caused(lived.ground.config, chances, displaced)
                sessions[budget - 1] += caused * reached
                sends[budget - 1] += reached
            _send_if(lived, is_sent)
    return Curves(cohort=cohort, sessions=sessions, sends=sends)


def _spent(chosen_by: Float, judged_by: Float, price: float) -> Float:
    """Sessions and sends judged, where each cohort's budget is best at a price a send, (2,)."""
    budget = np.argmax(chosen_by[0] - price * chosen_by[1], axis=0)
    return np.asarray(judged_by[:, budget, np.arange(len(budget))].sum(axis=1))


def _send_if(population: Population, is_sent: bool) -> Happened:
    position = np.full(population.n_users, 0 if is_sent else HOLD)
    return population.step(position, slot_at(population, EVENING_H))


def _popular(population: Population) -> Whole:
    """Place in each slate of the item that most people like, (N,)."""
    catalogue = population.ground.catalogue
    appeal = catalogue.appeal_of(population.offer().items, population.state.hour)
    return np.asarray(appeal.argmax(axis=1))
