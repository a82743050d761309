"""How a step leaves its mark: fatigue, habit, excitation, memories, tastes, streaks.

A state, what was sent and what happened enter; the state moves on in place. What happens within a
step acts from the next step on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.calendar import Calendar
from simulator.catalogue import Catalogue
from simulator.config import WorldConfig
from simulator.happened import Happened
from simulator.pushes import Answers, Sends
from simulator.state import State, Traits
from simulator.streams import Draw, normals

__all__ = ["advance"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_N_DAYS = 7
_A_DAY = 24


def advance(
    config: WorldConfig,
    traits: Traits,
    state: State,
    *,
    hours: int,
    hour_of_week: Whole,
    sends: Sends,
    answers: Answers,
    happened: Happened,
    swallowed: Whole,
    calendar: Calendar,
    catalogue: Catalogue,
) -> None:
    """Move the state over one step of ``hours``, in place."""
    ends_h = state.hour + hours
    _decay(config, state, hours=hours)
    _after_sends(config, state, sends, answers, catalogue=catalogue, hours=hours)
    _after_sessions(config, state, happened.take(happened.kind == Kind.SESSION), ends_h=ends_h)
    _after_orders(
        state, happened.take(happened.kind == Kind.CONVERTED), ends_h=ends_h, catalogue=catalogue
    )
    _after_clicks(state, happened.take(happened.kind == Kind.CLICKED))
    _leave(state, happened)
    state.debt -= swallowed.astype(np.int16)
    _new_day(config, traits, state, hours=hours, hour_of_week=hour_of_week, calendar=calendar)
    state.hour[:] = ends_h


def _decay(config: WorldConfig, state: State, *, hours: int) -> None:
    fatigue = config.fatigue
    if not fatigue.levels:
        state.fatigue *= 2.0 ** (-hours / fatigue.half_life_h)
    state.habit *= 2.0 ** (-hours / (24.0 * fatigue.habituation_recovery_days))
    state.excitation *= np.exp(-hours / config.activity.excitation_decay_h)


def _after_sends(
    config: WorldConfig,
    state: State,
    sends: Sends,
    answers: Answers,
    *,
    catalogue: Catalogue,
    hours: int,
) -> None:
    row, at_h = sends.row, state.hour[sends.row] + sends.offset_h
    _tire(config, state, sends, answers, hours=hours)
    state.habit[row] += answers.is_delivered
    state.send_h[row] = at_h
    state.n_sends[row] += 1
    day = state.hour[row] // 24 % _N_DAYS
    room = state.sent_by_day[row, day] < np.iinfo(np.uint8).max
    state.sent_by_day[row, day] += room.astype(np.uint8)
    state.template_h[row, catalogue.template[sends.item]] = at_h
    oldest = np.argmin(state.recent_h[row], axis=1)
    same = state.recent_item[row] == sends.item[:, None]
    place = np.where(same.any(axis=1), np.argmax(same, axis=1), oldest)
    state.recent_item[row, place] = sends.item
    state.recent_h[row, place] = at_h
    state.debt[row] += answers.has_displaced


def _tire(config: WorldConfig, state: State, sends: Sends, answers: Answers, *, hours: int) -> None:
    """Fatigue of who was reached: more where ignored, less where clicked."""
    fatigue, row = config.fatigue, sends.row
    if fatigue.levels:
        rested = state.fatigue - 1.0
        rested[row] += 2.0 * answers.is_delivered
        state.fatigue[:] = np.clip(rested, 0.0, fatigue.levels - 1.0)
        return
    # What never arrives tires nobody.
    added = answers.is_delivered * (
        fatigue.per_push
        + fatigue.if_ignored * ~answers.is_clicked
        + fatigue.if_clicked * answers.is_clicked
    )
    left_h = hours - sends.offset_h
    state.fatigue[row] = np.maximum(
        state.fatigue[row] + added * np.exp2(-left_h / fatigue.half_life_h), 0.0
    )


def _after_sessions(
    config: WorldConfig,
    state: State,
    sessions: Happened,
    *,
    ends_h: Whole,
) -> None:
    row = sessions.row
    if not len(row):
        return
    # A visit that a push will still cause excites from the next step on, like one that has been.
    left_h = np.maximum(ends_h[row] - sessions.at_min / 60.0, 0.0)
    np.add.at(state.excitation, row, np.exp(-left_h / config.activity.excitation_decay_h))
    np.maximum.at(state.session_h, row, np.minimum(sessions.at_min / 60.0, ends_h[row]))
    state.has_session_today[row] = True


def _after_orders(state: State, orders: Happened, *, ends_h: Whole, catalogue: Catalogue) -> None:
    row = orders.row
    state.bought_category[row] = np.where(
        orders.item >= 0, catalogue.category[orders.item], state.bought_category[row]
    )
    state.bought_h[row] = np.minimum(orders.at_min / 60.0, ends_h[row])


def _after_clicks(state: State, clicks: Happened) -> None:
    row = clicks.row
    state.click_h[row] = clicks.at_min / 60.0
    state.click_ref[row] = clicks.ref


def _leave(state: State, happened: Happened) -> None:
    state.is_reachable[happened.row[happened.kind == Kind.UNSUBSCRIBED]] = False
    gone = happened.row[happened.kind == Kind.UNINSTALLED]
    state.is_alive[gone] = False
    state.is_reachable[gone] = False


def _new_day(
    config: WorldConfig,
    traits: Traits,
    state: State,
    *,
    hours: int,
    hour_of_week: Whole,
    calendar: Calendar,
) -> None:
    """What turns over once a day: the ring of sends, the streak, the drift of tastes."""
    turns = np.flatnonzero(state.hour // 24 != (state.hour + hours) // 24)
    if len(turns):
        day = (state.hour[turns] + hours) // 24 % _N_DAYS
        state.sent_by_day[turns, day] = 0
    # Local midnight ends a day of a streak, and tastes move then, so users do not move at once.
    local = hour_of_week % 24
    ends = np.flatnonzero(local + hours >= 24)
    if hours < _A_DAY:
        # Where clocks go back at midnight, as in Cairo, the last hour comes twice.
        then = calendar.hour_of_week(traits.zone[ends], state.hour[ends] + hours)
        ends = ends[then // _A_DAY != hour_of_week[ends] // _A_DAY]
    if len(ends):
        came = state.has_session_today[ends]
        state.streak_days[ends] = np.where(came, np.minimum(state.streak_days[ends] + 1, 9999), 0)
        state.has_session_today[ends] = False
        _drift(config, traits, state, ends)


def _drift(config: WorldConfig, traits: Traits, state: State, rows: Whole) -> None:
    """One day of an Ornstein–Uhlenbeck process, exactly (Uhlenbeck and Ornstein, 1930)."""
    share = config.taste.drift_share
    if not share:
        return
    stays = 2.0 ** (-1.0 / config.taste.half_life_days)
    noise = normals(traits.key[rows], state.hour[rows], Draw.TASTE, n_lanes=state.drift.shape[1])
    sd = np.sqrt(share * (1.0 - stays**2))
    state.drift[rows] = (stays * state.drift[rows] + sd * noise).astype(np.float32)
