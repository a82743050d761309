"""How likely a push is to be answered: one set of formulas for the truth and for the sampler.

Traits, state and items at the start of a step enter; odds and chances leave. Rows are users,
columns any number of items, so the truth of all candidates and the draw of the one that was sent
come from the same lines. All effects are log-odds; constants and sources are the preset's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulator.calendar import Calendar
from simulator.catalogue import Catalogue
from simulator.config import WorldConfig
from simulator.state import State, Traits, sends_in_week
from simulator.streams import Draw, uniforms

__all__ = [
    "Chances",
    "chances",
    "displaced_share",
    "fit_of",
    "hazard_log",
    "item_log_odds",
    "match_of",
    "slot_log_odds",
    "wanted_item",
]

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Items = NDArray[np.int32]

_ACTOR_USER = 5 * 10**9
_CERTAIN = 30.0  # log-odds and log-hazards beyond it change no chance, and could overflow
_FORGOTTEN_HALF_LIVES = 24  # 2^-24: what is left is below single precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Of a push that is sent, delivery included; any shape."""

    click: Float
    view_through: Float
    dismiss: Float


def match_of(traits: Traits, state: State, items: Items, *, catalogue: Catalogue) -> Single:
    """How well each item fits the user's taste now, about standard normal, (N, J)."""
    return fit_of(traits.taste + state.drift, items, catalogue=catalogue)


def fit_of(taste: Single, items: Items, *, catalogue: Catalogue) -> Single:
    """Scaled product of a taste or profile (N, D) with the features of items (N, J): (N, J)."""
    features = catalogue.features.take(items, axis=0)  # (N, J, D)
    # einsum, not a matrix product: its sums do not depend on how many rows there are.
    fit = np.einsum("nd,njd->nj", taste, features)
    fit *= np.float32(1.0 / np.sqrt(features.shape[2]))
    return np.asarray(fit, np.float32)


def item_log_odds(
    config: WorldConfig,
    traits: Traits,
    state: State,
    items: Items,
    *,
    catalogue: Catalogue,
    match: Single,
) -> Single:
    """Log-odds of a click from user and item, without the hour, (N, J)."""
    click = config.click
    z = match * np.float32(click.match_gain)
    z += _user_log_odds(config, traits, state).astype(np.float32)[:, None]
    z += catalogue.appeal_of(items, state.hour)
    if click.template_penalty:
        z += _template_recovery(config, state, items, catalogue=catalogue)
    if click.item_penalty:
        _add_item_recovery(z, config, state, items, catalogue=catalogue)
    if click.actor_penalty:
        _add_actor_recovery(z, config, state, items, catalogue=catalogue)
    _add_after_purchase(z, config, state, items, catalogue=catalogue)
    if click.tie_gain:
        z += (click.tie_gain * _tie(traits, catalogue.category[items])).astype(np.float32)
    np.minimum(z, np.float32(_CERTAIN), out=z)
    return z


def slot_log_odds(
    traits: Traits,
    hour_of_week: NDArray[np.int64],
    *,
    calendar: Calendar,
    offsets_h: NDArray[np.int64],
) -> Float:
    """Log-odds of a click from the hour of each slot, (N, S)."""
    ahead = hour_of_week[:, None] + offsets_h
    curve = calendar.receptivity[traits.chronotype[:, None], ahead]
    return np.asarray(np.minimum(traits.receptivity[:, None] * curve, _CERTAIN))


def chances(config: WorldConfig, odds: Float, *, p_delivered: Float, displaced: Float) -> Chances:
    """Chances of each answer, the state of the phone at receipt averaged out.

    Parameters
    ----------
    config : WorldConfig
        The population.
    odds : ndarray
        Of a click on a delivered push while not available.
    p_delivered : ndarray
        Broadcast against ``log_odds``.
    displaced : ndarray
        Share of visits that displace an organic one, see :func:`displaced_share`; broadcast.
    """
    click, orders = config.click, config.orders
    busy = odds / (1.0 + odds)
    free = busy * click.available_gain / (1.0 + (click.available_gain - 1.0) * busy)
    share = click.available_share
    p_click = share * free + (1.0 - share) * busy
    undecided = share * free * (1.0 - free) + (1.0 - share) * busy * (1.0 - busy)
    p_view = orders.view_through * (1.0 - displaced) * undecided
    return Chances(
        click=p_delivered * p_click,
        view_through=p_delivered * p_view,
        dismiss=p_delivered * click.dismiss_chance * (1.0 - p_click - p_view),
    )


def displaced_share(config: WorldConfig, traits: Traits, state: State) -> Float:
    """Chance that a push visit displaces an organic one, (N,).

    Soon after a session little of a visit is incremental; all of the user's share is after a rest.
    """
    orders = config.orders
    since_h = state.hour - state.session_h
    rest = (since_h - orders.recent_session_h) / max(
        orders.rested_h - orders.recent_session_h, 1e-9
    )
    rested = orders.recent_share + (1.0 - orders.recent_share) * np.clip(rest, 0.0, 1.0)
    return np.asarray(1.0 - (1.0 - traits.cannibalised) * rested)


def hazard_log(config: WorldConfig, traits: Traits, state: State) -> Float:
    """Log of the user's part of the hazard of opting out at one more push, (N,)."""
    opt_out = config.opt_out
    in_week = sends_in_week(state) + 1.0
    excess = np.maximum(in_week - opt_out.free_per_week, 0.0)
    with np.errstate(divide="ignore"):
        log = np.log(opt_out.hazard * traits.frailty)
    return np.asarray(np.minimum(log + opt_out.frequency_slope * excess, _CERTAIN))


def wanted_item(traits: Traits, state: State, *, n_items: int) -> NDArray[np.int64]:
    """Position of the item that is wanted now, where the preset has such a thing, (N,)."""
    return (uniforms(traits.person, state.hour, Draw.WANTED) * n_items).astype(np.int64)


def _user_log_odds(config: WorldConfig, traits: Traits, state: State) -> Float:
    fatigue = config.fatigue
    fresh = np.exp2(-state.habit / fatigue.habituation_half_life_days)
    habituation = np.log(fatigue.habituation_floor + (1.0 - fatigue.habituation_floor) * fresh)
    z = traits.click_base + habituation - fatigue.slope * state.fatigue
    if config.click.streak_gain:
        z = z + config.click.streak_gain * (state.streak_days > 0)
    return np.asarray(z)


@lru_cache(maxsize=16)
def _recovery(penalty: float, half_life_h: float) -> Single:
    """Log of 1 − penalty · 2^(−age / half-life) by age in hours, until it is 0: (H,).

    Yancey and Settles (2020), recovering arms; ages are whole hours, so a table is exact.
    """
    age_h = np.arange(int(_FORGOTTEN_HALF_LIVES * half_life_h) + 2)
    table = np.log1p(-penalty * np.exp2(-age_h / half_life_h))
    table[-1] = 0.0
    return table.astype(np.float32)


def _template_recovery(
    config: WorldConfig, state: State, items: Items, *, catalogue: Catalogue
) -> Single:
    """What the last sending of each item's template costs it, (N, J)."""
    click = config.click
    table = _recovery(click.template_penalty, 24.0 * click.template_half_life_days)
    n, n_templates = state.template_h.shape
    age_h = state.hour[:, None].astype(np.int32) - state.template_h  # (N, templates)
    penalty = table.take(np.minimum(age_h, len(table) - 1))
    place = catalogue.template.take(items)
    place += np.arange(0, n * n_templates, n_templates, dtype=np.int32)[:, None]
    return np.asarray(penalty.ravel().take(place), np.float32)


def _add_item_recovery(
    z: Single, config: WorldConfig, state: State, items: Items, *, catalogue: Catalogue
) -> None:
    """Add what the last sending of each item costs it, (N, J), in place; few pairs have any."""
    click = config.click
    table = _recovery(click.item_penalty, 24.0 * click.item_half_life_days)
    for place in range(state.recent_item.shape[1]):
        # Flat positions: on two axes numpy takes several times as long to find them.
        at = np.flatnonzero(items == state.recent_item[:, place, None])
        row, column = at // items.shape[1], at % items.shape[1]
        age_h = state.hour[row] - state.recent_h[row, place]
        if catalogue.lifetime_h:
            # What has taken an expired item's place since then is new to everybody.
            left_h = catalogue.hours_left(items[row, column][:, None], state.hour[row])[:, 0]
            age_h = np.where(age_h > catalogue.lifetime_h - left_h, len(table), age_h)
        z[row, column] += table[np.minimum(age_h, len(table) - 1)]


def _add_actor_recovery(
    z: Single, config: WorldConfig, state: State, items: Items, *, catalogue: Catalogue
) -> None:
    """Add what each of the last sends costs all items of its actor, (N, J), in place."""
    click = config.click
    table = _recovery(click.actor_penalty, 24.0 * click.item_half_life_days)
    actors = catalogue.category[items]
    for place in range(state.recent_item.shape[1]):
        sent = state.recent_item[:, place]
        actor = np.where(sent >= 0, catalogue.category[sent], -1)
        row, column = np.nonzero(actors == actor[:, None])
        age_h = state.hour[row] - state.recent_h[row, place]
        z[row, column] += table[np.minimum(age_h, len(table) - 1)]


def _add_after_purchase(
    z: Single, config: WorldConfig, state: State, items: Items, *, catalogue: Catalogue
) -> None:
    """Substitutes of what was bought fall, complements rise, for a while; in place."""
    taste = config.taste
    rows = np.flatnonzero(state.hour - state.bought_h < 24.0 * taste.jump_days)
    category = catalogue.category[items[rows]]
    bought = state.bought_category[rows, None]
    jump = np.where(category == bought, np.log(taste.substitutes), 0.0)
    goes_with = catalogue.complement[bought]
    z[rows] += np.where(category == goes_with, np.log(taste.complements), jump)


def _tie(traits: Traits, actor: Items) -> Float:
    """Strength of the tie to an actor: centred exponential, fixed for a life, (N, J)."""
    step = np.asarray(actor, np.int64) + _ACTOR_USER
    return np.asarray(-np.log1p(-uniforms(traits.person[:, None], step, Draw.TRAIT)) - 1.0)
