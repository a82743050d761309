"""Who the users are: traits drawn from the configuration, each by its life's key.

Keys enter; :class:`~simulator.state.Traits` leave, the same for a life in any batch. Click rates
spread log-normally with the coefficient of variation of a Beta of the stated mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.calendar import N_PHASES
from simulator.config import WorldConfig
from simulator.state import Traits
from simulator.streams import Draw, normals, uniforms

__all__ = ["draw_drift", "draw_traits", "segment_tastes"]

Key = NDArray[np.uint64]
Float = NDArray[np.float64]

_SEGMENT_KEY = np.uint64(0x5E6)
_N_NORMALS = 6


def segment_tastes(config: WorldConfig) -> Float:
    """Mean taste of each segment, standard normal, (G, D)."""
    n = config.taste.segments
    keys = np.full(n, _SEGMENT_KEY)
    return normals(keys, np.arange(n), Draw.TASTE, n_lanes=config.items.n_features)


def draw_traits(config: WorldConfig, keys: Key, *, tastes: Float) -> Traits:
    """Draw the traits of the lives with ``keys``.

    Parameters
    ----------
    config : WorldConfig
        The population.
    keys : ndarray of uint64, (N,)
        Of lives.
    tastes : ndarray, (G, D)
        See :func:`segment_tastes`.
    """
    zero = np.zeros(len(keys), np.int64)
    u = uniforms(keys[:, None], zero[:, None], Draw.TRAIT, lane=np.arange(8))  # (N, 8)
    z = normals(keys, zero + 1, Draw.TRAIT, n_lanes=_N_NORMALS)  # (N, 6)
    segment = (u[:, 0] * config.taste.segments).astype(np.int16)
    per_day = config.activity.sessions_per_day * np.exp(config.activity.spread * z[:, 0])
    n_devices = 1 + _pick(config.delivery.device_shares, u[:, 1])
    click = config.click
    base = _log_odds_of_mean(click.rate, click.spread, click.activity_slope)
    return Traits(
        key=keys.copy(),
        person=keys.copy(),
        zone=_pick(config.clock.zone_shares, u[:, 2]).astype(np.int8),
        is_zone_known=u[:, 3] >= config.clock.unknown_zone_share,
        chronotype=_chronotype(config.hours.chronotype_sd_h * z[:, 1], u[:, 4]),
        receptivity=config.hours.receptivity
        * np.exp(
            config.hours.receptivity_spread * z[:, 2] - config.hours.receptivity_spread**2 / 2
        ),
        sessions_per_h=per_day / 24.0,
        click_base=base + click.activity_slope * z[:, 0] + click.spread * z[:, 3],
        frailty=_frailty(config.opt_out.frailty_shape, keys),
        n_devices=n_devices.astype(np.int8),
        p_delivered=np.asarray(1.0 - (1.0 - config.delivery.success) ** n_devices, np.float64),
        # A visit can displace another only where there would have been one.
        cannibalised=config.orders.cannibalised * -np.expm1(-per_day),
        segment=segment,
        has_opted_in=u[:, 5] < config.opt_out.opt_in_share,
        taste=_taste(config, keys, tastes[segment]),
    )


def draw_drift(config: WorldConfig, keys: Key) -> NDArray[np.float32]:
    """Where each taste's drift stands at birth: its stationary law, (N, D)."""
    noise = normals(keys, np.full(len(keys), -1), Draw.TASTE, n_lanes=config.items.n_features)
    return np.asarray(np.sqrt(config.taste.drift_share) * noise, np.float32)


def _taste(config: WorldConfig, keys: Key, centre: Float) -> NDArray[np.float32]:
    """Segment and person, with the variance that does not drift, (N, D)."""
    own = normals(keys, np.full(len(keys), -2), Draw.TASTE, n_lanes=config.items.n_features)
    share = config.taste.segment_share
    fixed = np.sqrt(share) * centre + np.sqrt(1.0 - share) * own
    return np.asarray(np.sqrt(1.0 - config.taste.drift_share) * fixed, np.float32)


def _log_odds_of_mean(rate: float, *spreads: float) -> float:
    """Where log-odds must centre for a log-normal rate to have mean ``rate``, about."""
    variance = sum(spread**2 for spread in spreads)
    return float(np.log(rate / (1.0 - rate)) - (1.0 - rate) * variance / 2.0)


def _pick(shares: tuple[float, ...], uniform: Float) -> NDArray[np.int64]:
    return np.minimum(
        np.searchsorted(np.cumsum(shares), uniform, side="right"), len(shares) - 1
    ).astype(np.int64)


def _chronotype(shift_h: Float, uniform: Float) -> NDArray[np.int16]:
    """Row of the calendar's tables: shift of the day, and one of seven shifts of the week."""
    phase = np.rint(shift_h).astype(np.int64) % N_PHASES
    return (phase + N_PHASES * (uniform * 7).astype(np.int64)).astype(np.int16)


def _frailty(shape: float, keys: Key) -> Float:
    """Gamma of mean 1: a sum of 2·shape squared normals over its number; 1 for shape 0."""
    n_halves = round(2.0 * shape)
    if not n_halves:
        return np.ones(len(keys))
    z = normals(keys, np.full(len(keys), -3), Draw.TRAIT, n_lanes=n_halves)
    return np.asarray((z**2).mean(axis=1))
