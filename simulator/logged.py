"""A log as this room reads it: what was carried out, what was heard of it, what came by itself.

A decision log and raw outcomes enter; a :class:`Logged` leaves, sorted by user and time: one row
a decision with its answers joined by id, one row a session or order joined by time. The same
record is made of a real log and of a simulated one, so their moments are the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.decide import Mode
from bandit.errors import BadInputError
from bandit.heard_outcomes import HeardOutcomes
from bandit.outcomes import Kind, Outcomes
from bandit.slots import DAY_MS, HOUR_MS
from simulator.calendar import hours_of_week

__all__ = ["LOG_COLUMNS", "Behaviour", "Logged", "Plan", "joined", "logged_of", "plan_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

LOG_COLUMNS: tuple[str, ...] = (
    "decision_id",
    "user",
    "at_ms",
    "zone",
    "mode",
    "planned",
    "executed",
    "item",
    "slot_start_ms",
    "propensity",
    "p_send",
    "items",
)
"""Columns of the decision log that a calibration reads."""

NEVER_MS = np.iinfo(np.int64).max
_NOT_SENT = (Kind.CANCELLED, Kind.EXPIRED, Kind.SUPERSEDED)
_HOURLY_H = 12  # users decided for more often than this are decided for by the hour
_CROWDED = 1e-3  # share of sends that share a day with another one of their user


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was carried out: N decisions about U users, by user and time."""

    start_ms: int  # UTC midnight before the first decision
    step_h: int  # 24 where users are decided for once a day, else 1
    n_items: int  # different items that were offered
    n_candidates: int  # length of most short lists
    zones: tuple[str, ...]
    local: NDArray[np.int16]  # (Z, T) local hour of the week of each hour since the start
    zone: NDArray[np.int64]  # (U,) position in zones, −1 where unknown
    is_reachable: Flags  # (U,) a push to this user was possible at some time
    user: Whole  # (N,) 0 to U − 1
    at_ms: Whole  # (N,)
    is_sent: Flags  # (N,)
    send_ms: Whole  # (N,) when it is sent; the decision time for hold
    item: Whole  # (N,) 0 to n_items − 1 in order of their ids; −1 for hold
    hold_weight: Float  # (N,) 1 / P(hold) of holds that were drawn at random, else 0

    @property
    def n_users(self) -> int:
        """Number of users U."""
        return len(self.zone)

    @property
    def n_steps(self) -> int:
        """Number of steps from the start to the end of the last decision's."""
        if not len(self.at_ms):
            return 0
        last_ms = max(int(self.at_ms.max()), int(self.send_ms.max()))
        return (last_ms - self.start_ms) // (self.step_h * HOUR_MS) + 1

    @property
    def end_ms(self) -> int:
        """End of the last step: what comes later is not looked at."""
        return self.start_ms + self.n_steps * self.step_h * HOUR_MS

    def hour_of_week(self, user: Whole, at_ms: Whole) -> Whole:
        """Local hour of the week, 0 on Monday at midnight; −1 where the zone is unknown."""
        zone = self.zone[user]
        hour = np.clip((at_ms - self.start_ms) // HOUR_MS, 0, self.local.shape[1] - 1)
        return np.where(zone >= 0, self.local[zone, hour], -1).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """M outcomes of some kinds, by user and time."""

    user: Whole  # (M,)
    at_ms: Whole  # (M,)
    value: Float  # (M,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A plan, and what came of it until its end."""

    plan: Plan
    is_delivered: Flags  # (N,)
    delivered_ms: Whole  # (N,) far ahead for what was not
    is_clicked: Flags  # (N,)
    is_dismissed: Flags  # (N,)
    click_min: Float  # (N,) from delivery to the click; NaN where there was none
    sessions: Behaviour
    orders: Behaviour
    opt_outs: Behaviour
    uninstalls: Behaviour
    left_ms: Whole  # (U,) when the user opted out or uninstalled; far ahead for who stays


def logged_of(decisions: pa.Table, outcomes: Outcomes) -> Logged:
    """Read a decision log with :data:`LOG_COLUMNS` and its raw outcomes.

    Parameters
    ----------
    decisions : pyarrow.Table
        See :func:`bandit.log.read_log`.
    outcomes : Outcomes
        As heard, doubles and corrections included; see
        :func:`bandit.outcome_log.read_outcomes`.

    Raises
    ------
    BadInputError
        For a log without decisions that were carried out, or outcomes of other users.
    """
    ids, users, plan = plan_of(decisions)
    heard = HeardOutcomes()
    heard.tell(outcomes)
    rows = heard.table.rows
    table = {
        name: heard.table[name][rows]
        for name in ("kind", "user", "at_ms", "value", "decision_id", "corrects")
    }
    is_original = table["corrects"] < 0
    known, position = _found(users, table["user"])
    if outcomes.n_rows and not known.any():
        raise BadInputError(
            "expected outcomes of the users of the decision log, got none of theirs: give the "
            "outcome log of the same users"
        )
    keep = known & is_original
    decided, decision = _found(ids[0], table["decision_id"][keep])
    return joined(
        plan,
        kind=table["kind"][keep],
        user=position[keep],
        at_ms=table["at_ms"][keep],
        value=table["value"][keep],
        row=np.where(decided, ids[1][decision], -1),
    )


def plan_of(decisions: pa.Table) -> tuple[tuple[Whole, Whole], Whole, Plan]:
    """Return (decision ids in order, their rows), user ids in order, and the plan."""
    plain = [name for name in LOG_COLUMNS if name not in ("zone", "items")]
    column = {name: np.asarray(decisions[name]) for name in plain}
    # Of what was in shadow nothing was carried out, and what a live system did is not known.
    is_real = column["mode"] != Mode.SHADOW
    if not is_real.any():
        raise BadInputError("expected decisions that were carried out, got none in the log")
    zone = decisions["zone"].cast(pa.string()).combine_chunks().dictionary_encode()
    word = np.asarray(zone.indices)
    words = np.asarray(zone.dictionary.to_pylist(), dtype=object)
    order = np.lexsort((column["at_ms"], column["user"]))
    order = order[is_real[order]]
    column = {name: array[order] for name, array in column.items()}
    users, user = np.unique(column["user"], return_inverse=True)
    zones, of_user = _zones(users, user, words, word[order])
    start_ms = int(column["at_ms"].min()) // DAY_MS * DAY_MS
    is_sent = column["executed"] != 0
    items = pc.unique(pc.list_flatten(decisions["items"])).sort()
    send_ms = np.where(is_sent, column["slot_start_ms"], column["at_ms"])
    n_hours = (int(send_ms.max()) - start_ms) // HOUR_MS + 24 * 8
    plan = Plan(
        start_ms=start_ms,
        step_h=_step_h(user, column["at_ms"], is_sent, send_ms),
        n_items=max(len(items), 1),
        n_candidates=int(np.median(pc.list_value_length(decisions["items"]))),
        zones=zones,
        local=hours_of_week(start_ms, n_hours, zones),
        zone=of_user,
        is_reachable=np.bincount(user, column["p_send"] > 0, minlength=len(users)) > 0,
        user=user,
        at_ms=column["at_ms"],
        is_sent=is_sent,
        send_ms=send_ms,
        item=np.where(is_sent, np.searchsorted(np.asarray(items), column["item"]), -1),
        hold_weight=_hold_weight(column),
    )
    by_id = np.argsort(column["decision_id"], kind="stable")
    return (column["decision_id"][by_id], by_id), users, plan


def joined(
    plan: Plan,
    *,
    kind: NDArray[np.uint8],
    user: Whole,
    at_ms: Whole,
    value: Float,
    row: Whole,
) -> Logged:
    """Join M outcomes to a plan: responses by the row they answer, behaviour by user and time.

    Parameters
    ----------
    plan : Plan
        What was carried out.
    kind, user, at_ms, value : ndarray, (M,)
        Each outcome once; users as in the plan.
    row : ndarray of int, (M,)
        Row of the plan that a response answers, −1 for none.
    """
    n, is_answer = len(plan.user), row >= 0
    in_time = (at_ms >= plan.start_ms) & (at_ms < plan.end_ms)

    def answered(which: Kind) -> Flags:
        found = np.zeros(n, np.bool_)
        found[row[is_answer & (kind == which)]] = True
        return found

    def behaviour(which: Kind) -> Behaviour:
        rows = np.flatnonzero(in_time & (kind == which))
        rows = rows[np.lexsort((at_ms[rows], user[rows]))]
        return Behaviour(user=user[rows], at_ms=at_ms[rows], value=value[rows])

    opt_outs, uninstalls = behaviour(Kind.UNSUBSCRIBED), behaviour(Kind.UNINSTALLED)
    left_ms = np.full(plan.n_users, NEVER_MS)
    for gone in (opt_outs, uninstalls):
        np.minimum.at(left_ms, gone.user, gone.at_ms)
    first = np.full((2, n), NEVER_MS)
    for place, which in enumerate((Kind.DELIVERED, Kind.CLICKED)):
        rows = is_answer & (kind == which)
        np.minimum.at(first[place], row[rows], at_ms[rows])
    is_clicked = (first[1] < plan.end_ms) & (first[0] < NEVER_MS)
    stopped = np.zeros(n, np.bool_)
    for which in _NOT_SENT:
        stopped |= answered(which)
    return Logged(
        plan=_without(plan, stopped) if stopped.any() else plan,
        is_delivered=first[0] < NEVER_MS,
        delivered_ms=first[0],
        is_clicked=is_clicked,
        is_dismissed=answered(Kind.DISMISSED),
        click_min=np.where(is_clicked, (first[1] - first[0]) / 60_000.0, np.nan),
        sessions=behaviour(Kind.SESSION),
        orders=behaviour(Kind.CONVERTED),
        opt_outs=opt_outs,
        uninstalls=uninstalls,
        left_ms=left_ms,
    )


def _without(plan: Plan, stopped: Flags) -> Plan:
    """The plan less the sends that never left."""
    return replace(plan, is_sent=plan.is_sent & ~stopped)


def _hold_weight(column: dict[str, NDArray[np.generic]]) -> Float:
    """1 / P(hold) where nothing was sent by a draw that could have sent; 1 in the holdout."""
    propensity = np.asarray(column["propensity"], np.float64)
    is_drawn = (np.asarray(column["planned"]) == 0) & (propensity < 1.0)
    is_held = np.asarray(column["mode"]) == Mode.HOLDOUT
    weight = np.where(is_drawn, 1.0 / np.maximum(propensity, 1e-9), 0.0)
    return np.where(is_held, 1.0, weight)


def _step_h(user: Whole, at_ms: Whole, is_sent: Flags, send_ms: Whole) -> int:
    gap_ms = np.diff(at_ms)[np.diff(user) == 0]
    if len(gap_ms) and np.median(gap_ms) < _HOURLY_H * HOUR_MS:
        return 1
    who, day = user[is_sent], send_ms[is_sent] // DAY_MS
    n_days = len(np.unique(who * (day.max(initial=0) + 1) + day))
    return 1 if len(who) - n_days > _CROWDED * len(who) else 24


def _zones(
    users: Whole, user: Whole, words: NDArray[np.object_], word: NDArray[np.int32]
) -> tuple[tuple[str, ...], Whole]:
    """Names of the zones, and each user's last known one."""
    names = tuple(sorted({str(w) for w in words if w}))
    place = {name: position for position, name in enumerate(names)}
    code = np.array([place.get(str(w), -1) for w in words], np.int64)[word]
    of_user = np.full(len(users), -1, np.int64)
    known = code >= 0
    of_user[user[known]] = code[known]
    return names or ("UTC",), of_user


def _found(sorted_ids: Whole, wanted: Whole) -> tuple[Flags, Whole]:
    """Which of ``wanted`` are among sorted ids, and where."""
    place = np.minimum(np.searchsorted(sorted_ids, wanted), max(len(sorted_ids) - 1, 0))
    return sorted_ids[place] == wanted, place
