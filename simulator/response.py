"""How likely a push is to be answered: one set of formulas for the truth and for the sampler.

Traits, state and items at the start of a step enter; odds and chances leave. Rows are users,
columns any number of items, so the truth of all candidates and the draw of the one that was sent
come from the same lines. All effects are log-odds; constants and sources are the preset's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.calendar import Calendar
from simulator.catalogue import Catalogue
from simulator.config import WorldConfig
from simulator.state import State, Traits
from simulator.streams import Draw, uniforms

__all__ = [
    "Chances",
    "chances",
    "displaced_share",
    "hazard_log",
    "item_log_odds",
    "match_of",
    "slot_log_odds",
    "wanted_item",
]

Float = NDArray[np.float64]
Items = NDArray[np.int32]

_ACTOR_USER = 5 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Of a push that is sent, delivery included; any shape."""

    click: Float
    view_through: Float
    dismiss: Float


def match_of(traits: Traits, state: State, items: Items, *, catalogue: Catalogue) -> Float:
    """How well each item fits the user's taste now, about standard normal, (N, J)."""
    features = catalogue.features[items]  # (N, J, D)
    taste = traits.taste + state.drift
    # einsum, not a matrix product: its sums do not depend on how many rows there are.
    fit = np.einsum("nd,njd->nj", taste, features)
    return np.asarray(fit / np.sqrt(features.shape[2]), np.float64)


def item_log_odds(
    config: WorldConfig,
    traits: Traits,
    state: State,
    items: Items,
    *,
    catalogue: Catalogue,
    match: Float,
) -> Float:
    """Log-odds of a click from user and item, without the hour, (N, J)."""
    click, hour = config.click, state.hour
    z = _user_log_odds(config, traits, state)[:, None] + click.match_gain * match
    z += catalogue.appeal[catalogue.tick(hour)[:, None], items]
    if click.template_penalty:
        template = catalogue.template[items]
        since = hour[:, None] - np.take_along_axis(state.template_h, template, axis=1)
        z += _recovering(click.template_penalty, since, 24 * click.template_half_life_days)
    if click.item_penalty:
        since = hour[:, None] - _last_sent_h(state, items)
        z += _recovering(click.item_penalty, since, 24 * click.item_half_life_days)
    z += _after_purchase(config, state, catalogue.category[items], catalogue=catalogue)
    if click.tie_gain:
        z += click.tie_gain * _tie(traits, catalogue.category[items])
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
    return np.asarray(traits.receptivity[:, None] * curve)


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
    in_week = state.sent_by_day.sum(axis=1, dtype=np.int64) + 1.0
    excess = np.maximum(in_week - opt_out.free_per_week, 0.0)
    with np.errstate(divide="ignore"):
        log = np.log(opt_out.hazard * traits.frailty)
    return np.asarray(log + opt_out.frequency_slope * excess)


def wanted_item(traits: Traits, state: State, *, n_items: int) -> NDArray[np.int64]:
    """Position of the item that is wanted now, where the preset has such a thing, (N,)."""
    return (uniforms(traits.key, state.hour, Draw.WANTED) * n_items).astype(np.int64)


def _user_log_odds(config: WorldConfig, traits: Traits, state: State) -> Float:
    fatigue = config.fatigue
    fresh = np.exp2(-state.habit / fatigue.habituation_half_life_days)
    habituation = np.log(fatigue.habituation_floor + (1.0 - fatigue.habituation_floor) * fresh)
    z = traits.click_base + habituation - fatigue.slope * state.fatigue
    if config.click.streak_gain:
        z = z + config.click.streak_gain * (state.streak_days > 0)
    return np.asarray(z)


def _recovering(penalty: float, since_h: NDArray[np.int64], half_life_h: float) -> Float:
    """Log of 1 − penalty · 2^(−age / half-life): Yancey and Settles (2020), recovering arms."""
    return np.log1p(-penalty * np.exp2(-since_h / half_life_h))


def _last_sent_h(state: State, items: Items) -> NDArray[np.int64]:
    """Hour at which each item was last sent to its user, of the last few, (N, J)."""
    last = np.full(items.shape, -(10**6), np.int64)
    for slot in range(state.recent_item.shape[1]):
        is_same = items == state.recent_item[:, slot, None]
        if is_same.any():
            last = np.where(is_same, np.maximum(last, state.recent_h[:, slot, None]), last)
    return last


def _after_purchase(
    config: WorldConfig, state: State, category: Items, *, catalogue: Catalogue
) -> Float:
    """Substitutes of what was bought fall, complements rise, for a while, (N, J)."""
    taste = config.taste
    is_recent = state.hour - state.bought_h < 24.0 * taste.jump_days
    if not is_recent.any():
        return np.zeros(category.shape)
    bought = np.where(is_recent, state.bought_category, -1)[:, None]
    goes_with = np.where(bought >= 0, catalogue.complement[bought], -1)
    jump = np.where(category == bought, np.log(taste.substitutes), 0.0)
    return np.where(category == goes_with, np.log(taste.complements), jump)


def _tie(traits: Traits, actor: Items) -> Float:
    """Strength of the tie to an actor: centred exponential, fixed for a life, (N, J)."""
    step = np.asarray(actor, np.int64) + _ACTOR_USER
    return np.asarray(-np.log1p(-uniforms(traits.key[:, None], step, Draw.TRAIT)) - 1.0)
