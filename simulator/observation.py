"""What a policy sees: one flat row of finite numbers for each user, with named columns.

A population at the start of a step and what a server has heard of it enter; a fresh (N, C) float32
array leaves. ``history`` is what a server knows, ``full`` adds what no server could, ``minimal`` is
the hour and the segment: all within [−1, 1]. ``request`` is what the loop would show a policy,
flat and as large as it is, so that what learns from it can be asked in the loop. Columns come in
blocks, each a few array operations over all rows; counts and lags are on a logarithmic scale,
because their first units matter most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator import response
from simulator.calendar import HOURS_A_WEEK
from simulator.kernel import Ground, Population
from simulator.known import N_WINDOWS, Known
from simulator.request_features import RequestColumns, features_of
from simulator.state import sends_in_week

__all__ = ["Observe", "Observer", "observer_of"]

Observe = Literal["full", "history", "minimal", "request"]
Float = NDArray[np.float32]
Fill = Callable[[Population, Known, Float], None]

_LAG_H = 24.0 * 30  # lags, counts and rates that reach 1
_MANY = 100.0
_MANY_SESSIONS_A_DAY = 10.0
_LARGEST = 1e6  # of a request's features, which are about 1; a space without end is no space
_CHUNK_CELLS = 2**18  # features of candidates that fit in a cache together


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that are filled together."""

    names: tuple[str, ...]
    fill: Fill  # writes its columns of all rows, (N, len(names))


@dataclass(frozen=True, slots=True)
class Observer:
    """A choice of blocks; called once a step.

    Parameters
    ----------
    blocks : tuple of Block
        In column order.
    bound : float
        Size that no number exceeds.
    """

    blocks: tuple[Block, ...]
    bound: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column."""
        return tuple(name for block in self.blocks for name in block.names)

    def __call__(self, population: Population, known: Known) -> Float:
        """Observe all rows, (N, C), in an array of its own."""
        seen = np.empty((population.n_users, len(self.names)), np.float32)
        at = 0
        for block in self.blocks:
            block.fill(population, known, seen[:, at : at + len(block.names)])
            at += len(block.names)
        return np.clip(seen, -self.bound, self.bound, out=seen)


def observer_of(ground: Ground, *, observe: Observe, hours: int = 24) -> Observer:
    """Choose the columns of a configuration.

    Parameters
    ----------
    ground : Ground
        Shared tables of the population.
    observe : {"full", "history", "minimal", "request"}
        How much is seen.
    hours : int
        Length of a step; a request shows its slots.
    """
    if observe not in get_args(Observe):
        raise BadInputError(
            f"expected observe to be one of {', '.join(get_args(Observe))}, got {observe!r}"
        )
    if observe == "request":
        return Observer((_request(ground, hours=hours),), bound=_LARGEST)
    if observe == "minimal":
        blocks = [_hour(has_week=False), _segment(ground)]
    else:
        is_full = observe == "full"
        blocks = [_hour(has_week=True), _history(ground), _windows()]
        blocks += [_hidden(ground)] * is_full
        blocks.append(_candidates(ground, has_taste=is_full))
    if ground.config.click.wanted_gain:
        blocks.append(_wanted(ground))
    return Observer(tuple(blocks))


def _waves(period_h: float, harmonics: int) -> Float:
    """Sine and cosine of each harmonic at every hour of the week, (168, 2 · harmonics)."""
    angle = 2.0 * np.pi * (np.arange(HOURS_A_WEEK) + 0.5) / period_h
    waves = [wave(h * angle) for h in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1).astype(np.float32)


def _hour(*, has_week: bool) -> Block:
    """The hour as the server reckons it; with the week and whether a zone is known, if asked."""
    table = _waves(24.0, 2)
    names: tuple[str, ...] = ("hour_sin", "hour_cos", "half_day_sin", "half_day_cos")
    if has_week:
        table = np.concatenate([table, _waves(float(HOURS_A_WEEK), 1)], axis=1)
        names = (*names, "week_sin", "week_cos", "is_zone_known")
    n_waves = table.shape[1]

    def fill(population: Population, known: Known, out: Float) -> None:
        calendar, traits = population.ground.calendar, population.traits
        now = calendar.server_hour_of_week(traits.zone, traits.is_zone_known, population.state.hour)
        out[:, :n_waves] = table.take(now, axis=0)
        if has_week:
            out[:, n_waves] = traits.is_zone_known

    return Block(names, fill)


def _segment(ground: Ground) -> Block:
    n = ground.config.taste.segments

    def fill(population: Population, known: Known, out: Float) -> None:
        out[:] = 0.0
        out[np.arange(len(out)), population.traits.segment] = 1.0

    return Block(tuple(f"segment_{g}" for g in range(n)), fill)


def _history(ground: Ground) -> Block:
    horizon_h = 24.0 * ground.config.clock.horizon_days
    names = (
        "age",
        "since_send",
        "since_click",
        "since_session",
        "sends_in_week",
        "sends",
        "clicks",
        "orders",
        "sessions_per_day",
    )

    tops = np.array([_LAG_H] * 3 + [_MANY] * 4 + [_MANY_SESSIONS_A_DAY])
    per_log = (2.0 / np.log1p(tops)).astype(np.float32)

    def fill(population: Population, known: Known, out: Float) -> None:
        state = population.state
        out[:, 0] = 2.0 * state.hour / horizon_h - 1.0
        # Apart from the other columns, where numbers lie side by side, logarithms are fast.
        scaled = np.empty((len(tops), len(out)), np.float32)
        for column, last_h in enumerate((state.send_h, known.click_h, known.session_h)):
            scaled[column] = state.hour - last_h
        counts: tuple[NDArray[np.integer[Any]], ...] = (
            sends_in_week(state),
            state.n_sends,
            known.n_clicks,
            known.n_orders,
        )
        for column, count in enumerate(counts):
            scaled[3 + column] = count
        scaled[7] = known.sessions_per_day
        # In one pass over all columns: −1 at zero, 1 at its top, logarithmic between.
        scaled += np.float32(1.0)
        np.log(scaled, out=scaled)
        scaled *= per_log[:, None]
        scaled -= np.float32(1.0)
        out[:, 1:] = scaled.T

    return Block(names, fill)


def _scaled(quantity: NDArray[np.number], top: float) -> Float:
    """−1 at zero, 1 at ``top``, logarithmic between them."""
    # In single precision log(1 + x) is several times as fast as log1p, and exact enough to look at.
    log = np.log(np.asarray(quantity, np.float32) + np.float32(1.0))
    return np.asarray(log * np.float32(2.0 / np.log1p(top)) - np.float32(1.0))


def _windows() -> Block:
    width = 24 // N_WINDOWS

    def fill(population: Population, known: Known, out: Float) -> None:
        out[:] = known.window_share

    return Block(tuple(f"active_{w * width}_{(w + 1) * width}h" for w in range(N_WINDOWS)), fill)


def _candidates(ground: Ground, *, has_taste: bool) -> Block:
    """Of each candidate: what the server knows of it, alone and beside the user.

    Rows are taken in chunks that fit in the cache, with one place for their items' features, so
    that no step asks the system for memory of the size of the whole table.
    """
    lists, k = ground.lists, ground.config.clock.n_candidates
    n_features, lifetime_h = ground.catalogue.features.shape[1], ground.catalogue.lifetime_h
    scale = np.float32(1.0 / (3.0 * np.sqrt(n_features)))  # 1 at three deviations
    chunk = max(_CHUNK_CELLS // (k * n_features), 1)
    room = np.empty((chunk, n_features, k), np.float32)
    kinds = ["match", "appeal", "price", "since_sent"]
    kinds += ["left"] * bool(lifetime_h) + ["taste"] * has_taste

    def fill(population: Population, known: Known, out: Float) -> None:
        offer, traits, state = population.offer(), population.traits, population.state
        out[:, k : 2 * k] = lists.appeal_of(offer.which, state.hour)
        out[:, 2 * k : 3 * k] = lists.price.take(offer.which, axis=0)
        _since_sent(population, out[:, 3 * k : 4 * k])
        if lifetime_h:
            out[:, 4 * k : 5 * k] = 2.0 * np.minimum(offer.hours_left / lifetime_h, 1.0) - 1.0
        for start in range(0, len(out), chunk):
            rows = slice(start, start + chunk)
            which = offer.which[rows]
            looks = lists.looks_of(which, out=room[: len(which)])
            _fit(known.profile[rows] * scale, looks, out[rows, :k])
            if has_taste:
                _fit((traits.taste[rows] + state.drift[rows]) * scale, looks, out[rows, -k:])

    return Block(tuple(f"{kind}_{position}" for kind in kinds for position in range(k)), fill)


def _fit(taste: Float, looks: Float, out: Float) -> None:
    """A taste (n, D) on each candidate's features (n, D, K), into (n, K).

    One small product a row, whose sums do not depend on how many rows there are.
    """
    out[:] = np.matmul(taste[:, None, :], looks)[:, 0]


def _since_sent(population: Population, out: Float) -> None:
    """Hours since each candidate was last sent, of the last few items; 1 where it was not."""
    out[:] = 1.0
    offer, state = population.offer(), population.state
    places = state.recent_item.shape[1]
    # Few lists hold an item that was sent of late; only those are looked through.
    pair = np.flatnonzero(population.ground.lists.may_hold(offer.which, state.recent_item))
    row = pair // places
    at = np.flatnonzero(offer.items[row] == state.recent_item.ravel()[pair, None])
    found, position = at // out.shape[1], at % out.shape[1]
    row, pair = row[found], pair[found]
    since_h = state.hour[row] - state.recent_h.ravel()[pair]
    lifetime_h = population.ground.catalogue.lifetime_h
    if lifetime_h:
        # What has taken an expired item's place since then was never sent.
        is_same = since_h <= lifetime_h - offer.hours_left[row, position]
        row, position, since_h = row[is_same], position[is_same], since_h[is_same]
    out[row, position] = _scaled(since_h, _LAG_H)


def _hidden(ground: Ground) -> Block:
    names = (
        "fatigue",
        "habit",
        "excitation",
        "receptivity",
        "activity",
        "click_base",
        "streak",
        "debt",
        "cannibalised",
    )

    def fill(population: Population, known: Known, out: Float) -> None:
        traits, state = population.traits, population.state
        for column, stock in enumerate((state.fatigue, state.habit, state.excitation)):
            out[:, column] = _scaled(stock, _MANY)
        out[:, 3] = population.slot_log_odds()[:, 0]
        out[:, 4] = _scaled(24.0 * traits.sessions_per_h, _MANY_SESSIONS_A_DAY)
        out[:, 5] = traits.click_base / 8.0
        out[:, 6] = _scaled(state.streak_days, _MANY)
        out[:, 7] = _scaled(state.debt, _MANY)
        out[:, 8] = traits.cannibalised

    return Block(names, fill)


def _request(ground: Ground, *, hours: int) -> Block:
    """What the loop would show."""
    columns = RequestColumns.in_world(ground, hours=hours)

    def fill(population: Population, known: Known, out: Float) -> None:
        out[:] = columns.flat(features_of(population, known))

    return Block(columns.names, fill)


def _wanted(ground: Ground) -> Block:
    """One-hot columns of the item that is wanted now, for the identity preset."""

    def fill(population: Population, known: Known, out: Float) -> None:
        wanted = response.wanted_item(
            population.traits, population.state, n_items=ground.config.clock.n_candidates
        )
        out[:] = 0.0
        out[np.arange(len(out)), wanted] = 1.0

    return Block(tuple(f"wanted_{p}" for p in range(ground.config.clock.n_candidates)), fill)
