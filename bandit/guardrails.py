"""Guardrails: what may not be sent to whom and when, as masks with reasons.

Asked when planning (a mask over every action) and again at dispatch (one verdict a send).
Observations, items and recent sends enter; :class:`~bandit.actions.Reason` bits leave. A send
that is cancelled keeps its plan and its propensity for ever: the cancellation is an outcome
(DESIGN §4 *Intention to treat*).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, ItemSet, Observation, Reason
from bandit.currencies import no_currency
from bandit.decide import Decisions, Mode
from bandit.draws import key_of, mix64
from bandit.errors import BadInputError, expect_shape
from bandit.identity import Links
from bandit.outcomes import Kind, Outcomes
from bandit.permissions import NO_EXPIRY_MS, Consent, Stock
from bandit.rules import Rules
from bandit.sends import NEVER_MS, RecentSends, breaks_cap, breaks_gap, occurrence
from bandit.slots import HOUR_MS, offset_ms, zone_of

__all__ = ["Guardrails", "cancellations", "count_reasons", "wall_clock_min"]

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]
Bits = NDArray[np.uint16]

_MINUTE_MS = HOUR_MS // 60
_DAY_MIN = 24 * 60


@dataclass(slots=True, kw_only=True)
class Guardrails:
    """The guard of one topic; implements :class:`bandit.protocols.Guard`.

    Parameters
    ----------
    rules : Rules
        Quiet hours, gap, caps and what to do where something is unknown.
    consent : Consent
        Answers and suppressions of users.
    topic : str
        Consent class of the messages that are planned.
    stock : Stock, optional
        Expiry and availability of items; replaced as a whole when it changes.

    Notes
    -----
    Holdout users have virtual sends under the same rules as everyone else's real ones, so that
    both groups pass the same caps. Shadow plans consume nothing.
    """

    rules: Rules
    consent: Consent
    topic: str = "offers"
    stock: Stock | None = None
    sends: RecentSends = field(init=False)

    def __post_init__(self) -> None:
        self.sends = RecentSends(self.rules.reach_ms)
        self.consent.allows(np.zeros(0, np.int64), self.topic, where_unknown=False)

    def link(self, links: Links) -> None:
        """Treat all ids of a user as one from now on: one cap, one gap, one answer.

        Links are not part of the state: set them again after :meth:`load`.
        """
        self.sends.link(links)
        self.consent.link(links)

    def plan(self, observation: Observation, items: ItemSet) -> Bits:
        """Return the reasons against each action, (N, 1 + K·S); zero where it may be taken.

        Hold is never masked, except by a task without silence where some send is possible.
        """
        start_ms = observation.grid.start_ms  # (N, S)
        n_rows, n_slots = start_ms.shape
        n_items = items.items.shape[1]
        reasons = np.zeros((n_rows, 1 + n_items * n_slots), np.uint16)
        sent_ms, _ = self.sends.of(observation.user)
        user = self._user_bits(observation.user)
        if self.rules.one_open_plan:
            is_open = np.any(sent_ms > observation.at_ms[:, None], axis=1)
            user |= _bits(is_open, Reason.OPEN_PLAN)
        slot = self._slot_bits(start_ms, observation.zone, sent_ms)
        slot |= _bits(start_ms < observation.at_ms[:, None], Reason.PAST)
        pairs = reasons[:, 1:].reshape(n_rows, n_items, n_slots)
        pairs |= (user[:, None] | slot)[:, None, :]
        if self.stock is not None:
            pairs |= _item_bits(self.stock, items.items, start_ms)
        if not self.rules.may_hold:
            reasons[:, HOLD] = _bits(np.any(reasons[:, 1:] == 0, axis=1), Reason.TASK)
        return reasons

    def dispatch(self, decisions: Decisions) -> Bits:
        """Return the reasons against each send at its slot, (N,); zero to go on.

        Holdout rows are judged by their virtual plan. A user's several rows of one batch are
        judged one after the other, each knowing the ones before it.
        """
        reasons = np.zeros(decisions.n_rows, np.uint16)
        sends = np.flatnonzero(_sends(decisions))
        turn = occurrence(self.sends.resolved(decisions.request.user[sends]))
        n_turns = int(turn.max(initial=-1)) + 1
        known = self.sends if n_turns < 2 else self.sends.copy()
        for now in range(n_turns):
            rows = sends[turn == now]
            reasons[rows] = self._dispatch_rows(decisions, rows, known)
            if n_turns > 1:
                passed = rows[reasons[rows] == 0]
                known.add(*_columns(decisions, passed))
        return reasons

    def record(self, decisions: Decisions) -> None:
        """Count what was sent, at the planned instants; twice the same decision counts once."""
        rows = np.flatnonzero(_sends(decisions))
        virtual = decisions.mode[rows] == Mode.HOLDOUT
        if virtual.any():
            # Nothing shows that a virtual send was cancelled, so it is asked for once more.
            rows = rows[~virtual | (self.dispatch(decisions)[rows] == 0)]
        self.sends.add(*_columns(decisions, rows))

    def withdraw(self, decisions: Decisions) -> None:
        """Forget recorded sends that were superseded or cancelled before their slot."""
        self.sends.remove(decisions.request.user, decisions.decision_id)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return recent sends and consent as named arrays."""
        return self.sends.state() | self.consent.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.sends.load(state)
        self.consent.load(state)

    def _dispatch_rows(self, decisions: Decisions, rows: Whole, known: RecentSends) -> Bits:
        request = decisions.request
        user, start_ms, decision_id = _columns(decisions, rows)
        sent_ms, sent_id = known.of(user)
        # A plan does not stand in its own way, nor in the way of one that was made before it.
        sent_ms = np.where(sent_id < decision_id[:, None], sent_ms, NEVER_MS)
        reasons = self._user_bits(user)
        if self.rules.one_open_plan:
            is_open = np.any(sent_ms > request.at_ms[rows, None], axis=1)
            reasons |= _bits(is_open, Reason.OPEN_PLAN)
        reasons |= self._slot_bits(start_ms[:, None], request.zone[rows], sent_ms)[:, 0]
        if self.stock is not None:
            item = decisions.item[rows, None]
            reasons |= _item_bits(self.stock, item, start_ms[:, None])[:, 0, 0]
        return reasons

    def _user_bits(self, user: Whole) -> Bits:
        allowed = self.consent.allows(
            user, self.topic, where_unknown=self.rules.consents_where_unknown
        )
        suppressed = self.consent.is_suppressed(user)
        return _bits(~allowed, Reason.CONSENT) | _bits(suppressed, Reason.SUPPRESSED)

    def _slot_bits(self, start_ms: Whole, zone: NDArray[np.str_], sent_ms: Whole) -> Bits:
        """Reasons against each instant: quiet hours, gap and caps, (N, S)."""
        clock, known = wall_clock_min(start_ms, zone, where_unknown=self.rules.zone_where_unknown)
        bits = _bits(~known[:, None], Reason.UNKNOWN_ZONE) | _bits(
            known[:, None] & self._is_quiet(clock), Reason.QUIET_HOURS
        )
        gap = breaks_gap(start_ms, sent_ms, min_gap_ms=self.rules.min_gap_ms)
        bits |= _bits(gap, Reason.MIN_GAP)
        for cap in self.rules.caps:
            bits |= _bits(breaks_cap(start_ms, sent_ms, cap=cap), Reason.CAP)
        return bits

    def _is_quiet(self, clock_min: Whole) -> Truth:
        start, end = self.rules.quiet_start_min, self.rules.quiet_end_min
        if start <= end:
            return (clock_min >= start) & (clock_min < end)
        return (clock_min >= start) | (clock_min < end)


def wall_clock_min(
    at_ms: Whole, zone: NDArray[np.str_], *, where_unknown: str = ""
) -> tuple[Whole, Truth]:
    """Minutes since local midnight by the wall clock, and whether the zone is known.

    An hour that a clock change repeats reads the same both times; one that it skips is read by
    no instant.

    Parameters
    ----------
    at_ms : ndarray, (N, S)
        Instants, ms since the epoch, UTC.
    zone : ndarray of str, (N,)
        IANA zones; a name that is not one counts as unknown, so that one bad row does not
        refuse the batch.
    where_unknown : str
        Zone to assume instead; empty for none.

    Returns
    -------
    tuple of ndarray
        Minutes 0 … 1439, (N, S), meaningless where unknown; and a claim a row, (N,).
    """
    names, group = np.unique(zone, return_inverse=True)
    clock = np.zeros(at_ms.shape, np.int64)
    known = np.zeros(len(at_ms), np.bool_)
    for position, name in enumerate(names):
        named = str(name) if _is_zone(str(name)) else where_unknown
        if not named:
            continue
        rows = np.flatnonzero(group == position)
        local = at_ms[rows] + offset_ms(at_ms[rows], named)
        clock[rows] = local // _MINUTE_MS % _DAY_MIN
        known[rows] = True
    return clock, known


def cancellations(decisions: Decisions, reasons: Bits, *, now_ms: int) -> Outcomes:
    """Outcomes of the sends that a guardrail stopped at dispatch.

    The action stays the plan: a cancellation is something that happened to it, and the value
    carries the reason bits. Its id is made of the decision's, so telling it twice changes
    nothing.

    Parameters
    ----------
    decisions : Decisions
        N decisions.
    reasons : ndarray of uint16, (N,)
        What :meth:`Guardrails.dispatch` returned.
    now_ms : int
        When the sends were stopped.
    """
    expect_shape("reasons", reasons, (decisions.n_rows,), "one verdict a decision")
    rows = np.flatnonzero(reasons)
    decision_id = decisions.decision_id[rows]
    seed = np.uint64(key_of("cancelled"))
    outcome_id = (mix64(decision_id.astype(np.uint64) ^ seed) >> np.uint64(1)).astype(np.int64)
    instants = np.full(len(rows), now_ms, np.int64)
    return Outcomes(
        outcome_id=outcome_id,
        kind=np.full(len(rows), Kind.CANCELLED, np.uint8),
        user=decisions.request.user[rows],
        at_ms=instants,
        received_ms=instants,
        value=reasons[rows].astype(np.float64),
        decision_id=decision_id,
        corrects=np.full(len(rows), -1, np.int64),
        currency=no_currency(len(rows)),
    )


def count_reasons(reasons: Bits) -> dict[str, int]:
    """How often each reason applies; an entry with two reasons counts under both.

    Examples
    --------
    >>> count_reasons(np.array([0, 9, 8], np.uint16))
    {'quiet_hours': 2, 'consent': 1}
    """
    counts = {r.name.lower(): int((reasons & r != 0).sum()) for r in Reason if r.name}
    present = [(name, count) for name, count in counts.items() if count]
    return dict(sorted(present, key=lambda entry: -entry[1]))


def _bits(claim: Truth, reason: Reason) -> Bits:
    return claim.astype(np.uint16) * np.uint16(reason)


def _item_bits(stock: Stock, items: Whole, start_ms: Whole) -> Bits:
    """Reasons against items, and against items at slots they do not live to see, (N, K, S)."""
    out = _bits(stock.is_out(items), Reason.STOCK)
    expiry_ms = stock.expiry_ms(items)
    if (expiry_ms == NO_EXPIRY_MS).all():
        return np.broadcast_to(out[:, :, None], (*items.shape, start_ms.shape[1]))
    return out[:, :, None] | _bits(expiry_ms[:, :, None] <= start_ms[:, None, :], Reason.EXPIRED)


def _sends(decisions: Decisions) -> Truth:
    """Rows whose send is real, or virtual in the holdout."""
    is_virtual = (decisions.mode == Mode.HOLDOUT) & decisions.is_send
    return np.asarray((decisions.executed != HOLD) | is_virtual)


def _columns(decisions: Decisions, rows: Whole) -> tuple[Whole, Whole, Whole]:
    return (
        decisions.request.user[rows],
        decisions.slot_start_ms[rows],
        decisions.decision_id[rows],
    )


def _is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except BadInputError:
        return False
    return True
