"""The education vertical's reward: a lesson within two hours of a reminder, by whatever cause.

A population at the start of a step and a slot a user enter; the true chance of at least one
session within the reward window leaves, for silence and for every item of the slate. Reference:
Yancey and Settles (2020), whose reward this is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Component, Kind, RewardScheme
from bandit.slots import HOUR_MS
from simulator import response
from simulator.config import WorldConfig
from simulator.kernel import Population

__all__ = ["LessonChances", "answered_within", "lesson_chances", "lesson_scheme"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonChances:
    """True chances of a session within the reward window after a slot."""

    hold: Float  # (N,) of one's own accord
    send: Float  # (N, K) with each item of the slate sent at the slot


def lesson_scheme(config: WorldConfig) -> RewardScheme:
    """Sessions within the preset's reward window, each worth 1: what a reminder is sent for.

    Parameters
    ----------
    config : WorldConfig
        Whose ``reward_window_h`` is the window: 2 h in ``education``.
    """
    lesson = Component(
        name="lesson",
        kinds=(Kind.SESSION,),
        measure="count",
        weight=1.0,
        window_ms=int(config.reward_window_h * HOUR_MS),
    )
    return RewardScheme(name="lesson", objective="uplift", components=(lesson,))


def lesson_chances(population: Population, slot: Whole) -> LessonChances:
    """Chance of at least one session within ``reward_window_h`` (whole hours) of a slot.

    Parameters
    ----------
    population : Population
        At the start of a step.
    slot : ndarray of int, (N,)
        Slot of each user; should lie in waking hours, as answers that wait for morning are not
        taken out.
    """
    config, traits, state = population.ground.config, population.traits, population.state
    rows = np.arange(population.n_users)
    at_slot = population.slot_log_odds()[rows, slot][:, None]
    z = population.item_log_odds(population.matches()) + at_slot
    displaced = response.displaced_share(config, traits, state)[:, None]
    chances = response.chances(
        config, np.exp(z), p_delivered=traits.p_delivered[:, None], displaced=displaced
    )
    window_h = int(config.reward_window_h)
    visits = config.click.visit_share * chances.click + chances.view_through
    answers = visits * answered_within(config, window_h)
    answers = answers * (state.is_alive & state.is_reachable)[:, None]
    hold = _comes_anyway(population, population.offsets_h[slot], window_h)
    return LessonChances(hold=hold, send=1.0 - (1.0 - hold[:, None]) * (1.0 - answers))


def answered_within(config: WorldConfig, hours: float) -> float:
    """Share of answers that come within ``hours`` of delivery in waking hours."""
    delivery = config.delivery
    fast, slow, tail = delivery.delay_shares
    minutes = 60.0 * hours
    return (
        fast * _log_normal_share(minutes, delivery.fast_median_min, delivery.fast_sd)
        + slow * _log_normal_share(minutes, delivery.slow_median_min, delivery.slow_sd)
        - tail * math.expm1(-hours / delivery.tail_mean_h)
    )


def _log_normal_share(value: float, median: float, sd: float) -> float:
    if not sd:
        return float(value >= median)
    return 0.5 * math.erfc(-math.log(value / median) / (sd * math.sqrt(2.0)))


def _comes_anyway(population: Population, offset_h: Whole, window_h: int) -> Float:
    """Chance of an organic session in the window, displaced ones left out, (N,).

    Sessions before and within the window are Poisson; the first ``debt`` of them are swallowed.
    """
    before, within = _rates(population, offset_h, window_h)
    debt = population.state.debt.astype(np.int64)
    none = np.zeros(len(before))
    p_before, cumulated = np.exp(-before), np.zeros(len(before))
    for x in range(int(debt.max(initial=0)) + 1):
        is_owed = x < debt
        # With x swallowed before the window, the rest of the debt swallows within it.
        none += np.where(is_owed, p_before * _at_most(within, debt - x), 0.0)
        cumulated += np.where(is_owed, p_before, 0.0)
        p_before = p_before * before / (x + 1)
    none += (1.0 - cumulated) * np.exp(-within)
    return np.asarray(1.0 - none)


def _rates(population: Population, offset_h: Whole, window_h: int) -> tuple[Float, Float]:
    """Mean numbers of organic sessions from the step's start to the slot, and in the window."""
    activity, traits = population.ground.config.activity, population.traits
    rate, start = population.rate(), population.offer().hour_of_week
    summed = population.ground.calendar.activity_until
    at = [summed(traits.chronotype, start + h) for h in (0, offset_h, offset_h + window_h)]
    decay = [np.exp(-h / activity.excitation_decay_h) for h in (0.0, offset_h, offset_h + window_h)]
    excited = activity.excitation * population.state.excitation * population.state.is_alive
    before = rate.pace * (at[1] - at[0]) + excited * (decay[0] - decay[1])
    within = rate.pace * (at[2] - at[1]) + excited * (decay[1] - decay[2])
    return before, within


def _at_most(rate: Float, count: Whole) -> Float:
    """P(Poisson(rate) ≤ count), 0 below zero."""
    term, total = np.exp(-rate), np.zeros(len(rate))
    for j in range(int(count.max(initial=0)) + 1):
        total += np.where(j <= count, term, 0.0)
        term = term * rate / (j + 1)
    return total
