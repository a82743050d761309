"""A week of a usual sender's users, looked at in true means: copy, hours, items, heavy users.

A configuration enters; sums by user of the true chances of what was and of what could have been
sent leave. Four weeks of the same sending come first, so that users are as tired and as used to
pushes as a programme's users are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import response
from simulator.kernel import Ground, Population
from simulator.pushes import click_delay_min
from simulator.trials import (
    EVENING_H,
    HOLD,
    can_be_sent,
    chances_of,
    opted_in,
    sends_on,
    sessions_caused,
    slot_at,
    usual_per_week,
    waking_slots,
)

__all__ = ["HabitWeek", "habit_week"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_WARM_UP_DAYS = 28
_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitWeek:
    """Sums over the week's days on which a user could be sent to, true means; columns are users."""

    days: Float  # (N,) such days
    sessions_per_day: Float  # (N,) each user's own organic rate
    by_template: Float  # (templates, N) clicks, were the copy of each template on a random item
    best_hour: Float  # (N,) clicks at the user's best waking hour of each day
    waking_hour: Float  # (N,) at a waking hour taken at random
    best_item: Float  # (N,) clicks on the item of the slate that is best for the user
    popular_item: Float  # (N,) on the one that is best for everybody
    any_click: Float  # (N,) clicks on a random item in the evening
    any_uplift: Float  # (N,) sessions that come of it, less those it displaces
    sent_click: Float  # (N,) clicks on what was sent
    sent_delivered: Float  # (N,) of how many deliveries
    delay_min: Float  # (M,) from delivery to click, at waking hours taken at random


def habit_week(ground: Ground, n_users: int, *, seed: int) -> HabitWeek:
    """Live the five weeks and look at the last one."""
    population = opted_in(ground, n_users, seed=seed, hours=24)
    rng = np.random.default_rng([seed, 7])
    per_week = usual_per_week(ground.config)
    for day in range(_WARM_UP_DAYS):
        _send(population, sends_on(day, per_week))
    columns: dict[str, Float] = {}
    delays = []
    for day in range(_WARM_UP_DAYS, _WARM_UP_DAYS + _DAYS):
        is_sent = sends_on(day, per_week)
        for name, column in _day(population, is_sent=is_sent).items():
            columns[name] = columns.get(name, 0.0) + column
        delays.append(_delays(population, rng))
        _send(population, is_sent)
    return HabitWeek(
        sessions_per_day=24.0 * population.traits.sessions_per_h,
        delay_min=np.concatenate(delays),
        **columns,
    )


def _send(population: Population, is_sent: bool) -> None:
    """A random item (slates are random) to everyone in the evening, or silence."""
    position = np.full(population.n_users, 0 if is_sent else HOLD)
    population.step(position, slot_at(population, EVENING_H))


def _day(population: Population, *, is_sent: bool) -> dict[str, Float]:
    """Sums of one day, 0 for who cannot be sent to."""
    reached = can_be_sent(population).astype(np.float64)
    evening = slot_at(population, EVENING_H)
    first = np.zeros(population.n_users, np.int64)
    chances, displaced = chances_of(population, first, evening)
    best_item, popular_item = _by_item(population, evening)
    best_hour, waking_hour = _by_hour(population)
    columns = {
        "days": np.ones(population.n_users),
        "by_template": _by_template(population, evening),
        "best_hour": best_hour,
        "waking_hour": waking_hour,
        "best_item": best_item,
        "popular_item": popular_item,
        "any_click": chances.click,
        "any_uplift": sessions_caused(population.ground.config, chances, displaced),
        "sent_click": chances.click * is_sent,
        "sent_delivered": population.traits.p_delivered * is_sent,
    }
    return {name: column * reached for name, column in columns.items()}


def _by_template(population: Population, slot: Whole) -> Float:
    """Clicks on a random item under each template's copy, everything else alike, (T, N)."""
    catalogue = population.ground.catalogue
    effect = np.zeros(population.ground.config.items.n_templates)
    effect[catalogue.template] = catalogue.copy_effect
    z = _evening_log_odds(population, slot)[:, 0]
    own = catalogue.copy_effect[population.offer().items[:, 0]]
    return _clicks(population, (z - own)[:, None] + effect).T


def _by_item(population: Population, slot: Whole) -> tuple[Float, Float]:
    """Clicks on the item with the best chance for the user, and on the most popular one, (N,)."""
    click = _clicks(population, _evening_log_odds(population, slot))
    catalogue = population.ground.catalogue
    popular = catalogue.appeal_of(population.offer().items, population.state.hour)
    rows = np.arange(population.n_users)
    return click.max(axis=1), click[rows, popular.argmax(axis=1)]


def _by_hour(population: Population) -> tuple[Float, Float]:
    """Clicks on a random item at the best waking hour, and at a random one, (N,)."""
    first = population.item_log_odds(population.matches())[:, :1]
    click = _clicks(population, first + population.slot_log_odds())
    waking = waking_slots(population)
    click = np.where(waking, click, 0.0)
    return click.max(axis=1), click.sum(axis=1) / waking.sum(axis=1)


def _evening_log_odds(population: Population, slot: Whole) -> Float:
    rows = np.arange(population.n_users)
    at_slot = population.slot_log_odds()[rows, slot]
    return np.asarray(population.item_log_odds(population.matches()) + at_slot[:, None])


def _clicks(population: Population, log_odds: Float) -> Float:
    """True chances of a click, delivery included, (N, J)."""
    chances = response.chances(
        population.ground.config,
        np.exp(log_odds),
        p_delivered=population.traits.p_delivered[:, None],
        displaced=np.zeros((population.n_users, 1)),
    )
    return chances.click


def _delays(population: Population, rng: np.random.Generator) -> Float:
    """Minutes from delivery to a click, one a user, at a waking hour taken at random, (M,)."""
    waking = waking_slots(population)
    slot = np.argmax(rng.random(waking.shape) * waking, axis=1)
    state = population.state
    delay = click_delay_min(
        population.ground.config,
        population.traits,
        state,
        60.0 * (state.hour + population.offsets_h[slot]),
        calendar=population.ground.calendar,
    )
    return delay[can_be_sent(population)]
