"""What a server knows of its users: only what it has sent and what it has heard.

Outcomes that have been received enter; running figures, context vectors and features of slots
leave. The population's own state is not read, except for the sends, which are the server's own:
a click that is decided and not yet heard must not show in what a policy sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.state import NEVER_H, Rows, State, sends_in_week

__all__ = [
    "CONTEXT_NAMES",
    "SLOT_NAMES",
    "Known",
    "context_of",
    "hear",
    "slot_features_of",
    "unknown",
]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

N_WINDOWS = 6
_WINDOW_H = 24 // N_WINDOWS
_WINDOW_RATE = 0.05
_PROFILE_RATE = 0.2
_MEAN_DAYS = 14.0
_LONG_AGO_H = 24.0 * 60.0

CONTEXT_NAMES: tuple[str, ...] = (
    "hour_sin",
    "hour_cos",
    "is_weekend",
    "is_zone_known",
    "since_session",
    "since_send",
    "since_click",
    "has_clicked",
    "has_ordered",
    "sessions_per_day",
    "sends_this_week",
    "click_share",
    *(f"active_{4 * w:02d}h" for w in range(N_WINDOWS)),
)
SLOT_NAMES: tuple[str, ...] = ("one", "hour_sin", "hour_cos", "half_sin", "half_cos", "active")


@dataclass(slots=True, kw_only=True)
class Known(Rows):
    """Running figures of N users."""

    session_h: Float  # (N,) last session heard of
    click_h: Float  # (N,)
    n_clicks: NDArray[np.int32]  # (N,)
    n_orders: NDArray[np.int32]  # (N,)
    sessions_per_day: Float  # (N,) leaky mean over 14 days
    window_share: NDArray[np.float32]  # (N, 6) leaky histogram of the local hours of sessions
    profile: NDArray[np.float32]  # (N, D) leaky mean of the features of what was looked at


def unknown(n: int, *, n_features: int) -> Known:
    """What is known of N users before anything is heard."""
    return Known(
        session_h=np.full(n, float(NEVER_H)),
        click_h=np.full(n, float(NEVER_H)),
        n_clicks=np.zeros(n, np.int32),
        n_orders=np.zeros(n, np.int32),
        sessions_per_day=np.zeros(n),
        window_share=np.full((n, N_WINDOWS), 1.0 / N_WINDOWS, np.float32),
        profile=np.zeros((n, n_features), np.float32),
    )


def hear(
    known: Known,
    *,
    row: Whole,
    kind: NDArray[np.uint8],
    at_h: Float,
    local_hour: Whole,
    looked_at: NDArray[np.float32],
    hours: int,
) -> None:
    """Take in what was heard in ``hours``, in place.

    Parameters
    ----------
    known : Known
        Of N users.
    row, kind, at_h : ndarray, (M,)
        Whose, what and when, in hours since the world's start.
    local_hour : ndarray, (M,)
        Hour of the day by the clock that the server takes to be the user's.
    looked_at : ndarray, (M, D)
        Features of the item; zeros where there is none.
    hours : int
        Since the last call, for what fades.
    """
    known.sessions_per_day *= np.exp(-hours / (24.0 * _MEAN_DAYS))
    is_session = kind == Kind.SESSION
    came = row[is_session]
    np.add.at(known.sessions_per_day, came, 1.0 / _MEAN_DAYS)
    np.maximum.at(known.session_h, came, at_h[is_session])
    clicked = kind == Kind.CLICKED
    np.add.at(known.n_clicks, row[clicked], 1)
    np.maximum.at(known.click_h, row[clicked], at_h[clicked])
    np.add.at(known.n_orders, row[kind == Kind.CONVERTED], 1)
    _look(known, came, at_h[is_session], local_hour[is_session], looked_at[is_session])


def _look(
    known: Known, row: Whole, at_h: Float, local_hour: Whole, looked_at: NDArray[np.float32]
) -> None:
    """Move histogram and profile by the last session of each user."""
    order = np.lexsort((at_h, row))
    last = order[np.flatnonzero(np.diff(row[order], append=-1))]
    who, window = row[last], local_hour[last] // _WINDOW_H
    known.window_share[who] *= np.float32(1.0 - _WINDOW_RATE)
    known.window_share[who, window] += np.float32(_WINDOW_RATE)
    known.profile[who] += np.float32(_PROFILE_RATE) * (looked_at[last] - known.profile[who])


def context_of(
    known: Known,
    state: State,
    *,
    local_hour_of_week: Whole,
    is_zone_known: NDArray[np.bool_],
) -> Float:
    """Context vectors in the order of :data:`CONTEXT_NAMES`, about [−1, 1], (N, D).

    Parameters
    ----------
    known : Known
        Of N users.
    state : State
        Read for the server's own sends and the clock.
    local_hour_of_week : ndarray, (N,)
        By the clock that the server takes to be the user's.
    is_zone_known : ndarray of bool, (N,)
        Whether that clock is the user's.
    """
    hour, angle = state.hour, 2.0 * np.pi * (local_hour_of_week % 24) / 24.0
    columns = [
        np.sin(angle),
        np.cos(angle),
        local_hour_of_week >= 24 * 5,
        is_zone_known,
        _since(hour, known.session_h),
        _since(hour, state.send_h),
        _since(hour, known.click_h),
        known.n_clicks > 0,
        known.n_orders > 0,
        np.log1p(known.sessions_per_day),
        sends_in_week(state) / 7.0,
        _click_share(known, state),
    ]
    return np.concatenate(
        [np.stack(columns, axis=1).astype(np.float64), known.window_share], axis=1, dtype=np.float64
    )


def slot_features_of(known: Known, *, local_hour_of_week: Whole, offsets_h: Whole) -> Float:
    """Features of each slot in the order of :data:`SLOT_NAMES`, (N, S, 6)."""
    local = (local_hour_of_week[:, None] + offsets_h) % 24  # (N, S)
    features = np.empty((*local.shape, len(SLOT_NAMES)))
    features[:, :, :-1] = _CLOCK[local]
    share = np.take_along_axis(known.window_share, local // _WINDOW_H, axis=1)
    features[:, :, -1] = N_WINDOWS * share.astype(np.float64) - 1.0
    return features


def _clock() -> Float:
    """The columns that are the hour's alone, (24, 5)."""
    angle = 2.0 * np.pi * np.arange(24) / 24.0
    waves = [np.sin(angle), np.cos(angle), np.sin(2.0 * angle), np.cos(2.0 * angle)]
    return np.stack([np.ones(24), *waves], axis=1)


_CLOCK = _clock()


def _since(hour: Whole, then_h: Float) -> Float:
    """Log of the hours gone by, 0 for now and 1 for sixty days ago or never."""
    gone_h = np.clip(hour - then_h, 0.0, _LONG_AGO_H)
    return np.asarray(np.log1p(gone_h) / np.log1p(_LONG_AGO_H))


def _click_share(known: Known, state: State) -> Float:
    """Clicks a send, drawn towards 3 % of 20 sends, in tenths."""
    return np.asarray(10.0 * (known.n_clicks + 0.6) / (state.n_sends + 20.0))
