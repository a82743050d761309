"""Simple senders over a population, for figures that need no policy: who is sent what, and when.

A population at the start of a step enters; positions and slots of its sends, and the true chances
of exactly those sends, leave. Users are the opted-in ones, since nothing can be sent to the rest.
Reference: push cadences as in the anchors' volume studies (a fixed number of sends a week).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator import response
from simulator.config import WorldConfig
from simulator.kernel import Ground, Population
from simulator.streams import life_keys

__all__ = [
    "EVENING_H",
    "HOLD",
    "can_be_sent",
    "chances_of",
    "opted_in",
    "sends_on",
    "sessions_caused",
    "slot_at",
    "usual_per_week",
    "waking_slots",
]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

EVENING_H = 20
HOLD = -1
_WAKES_H, _SLEEPS_H = 8, 22
_LEAST_SHARE = 0.01


def opted_in(ground: Ground, n_users: int, *, seed: int, hours: int) -> Population:
    """Begin ``n_users`` lives that can be sent to, the first such ones of a seed.

    Raises
    ------
    BadInputError
        Where hardly anybody can be sent to.
    """
    share = ground.config.opt_out.opt_in_share
    if share < _LEAST_SHARE:
        raise BadInputError(
            f"expected opt_out.opt_in_share of {_LEAST_SHARE} or more, got {share}: of fewer users "
            "too many would have to be drawn to find some who can be sent to"
        )
    n_drawn = int((1.2 * n_users + 100) / share)  # more than enough by six standard deviations
    drawn = Population.begin(ground, life_keys(seed, np.arange(n_drawn)), hours=hours)
    rows = np.flatnonzero(drawn.traits.has_opted_in)[:n_users]
    return Population.begin(ground, drawn.traits.key[rows], hours=hours)


def can_be_sent(population: Population) -> Flags:
    """Who can still be sent to, (N,)."""
    return np.asarray(population.state.is_alive & population.state.is_reachable)


def slot_at(population: Population, local_h: int) -> Whole:
    """The slot whose local hour is nearest to ``local_h`` round the clock, (N,)."""
    off = np.abs(_local_hours(population) - local_h)
    return np.asarray(np.argmin(np.minimum(off, 24 - off), axis=1))


def waking_slots(population: Population) -> Flags:
    """Slots that start between 8 and 22 o'clock of the user, (N, S)."""
    local = _local_hours(population)
    return np.asarray((local >= _WAKES_H) & (local < _SLEEPS_H))


def sends_on(day: int, per_week: int) -> bool:
    """Whether a cadence of ``per_week`` sends, spread evenly over the week, sends on a day."""
    return (day + 1) * per_week // 7 > day * per_week // 7


def usual_per_week(config: WorldConfig) -> int:
    """Sends a week that cost no opt-outs by their number, at most one a day."""
    return int(min(7.0, max(1.0, config.opt_out.free_per_week)))


def chances_of(
    population: Population, position: Whole, slot: Whole
) -> tuple[response.Chances, Float]:
    """True chances of one send a user, and the share of its clicks that displaces, (N,) each."""
    rows = np.arange(population.n_users)
    config, traits, state = population.ground.config, population.traits, population.state
    of_item = population.item_log_odds(population.matches())[rows, position]
    z = of_item + population.slot_log_odds()[rows, slot]
    displaced = response.displaced_share(config, traits, state)
    chances = response.chances(
        config, np.exp(z), p_delivered=traits.p_delivered, displaced=displaced
    )
    return chances, displaced


def sessions_caused(config: WorldConfig, chances: response.Chances, displaced: Float) -> Float:
    """Sessions that sends cause, less those that they displace; any shape."""
    visits = config.click.visit_share * chances.click
    return np.asarray(visits * (1.0 - displaced) + chances.view_through)


def _local_hours(population: Population) -> Whole:
    """Local hour of day at which each slot starts, (N, S)."""
    return (population.offer().hour_of_week[:, None] + population.offsets_h) % 24
