"""Decisions and outcomes in, by event time and in any order; feedback to learn from out.

Responses belong to a decision by its id, within a window from delivery or the planned slot.
Behaviour belongs to every decision of its user whose interval holds it, by time and never by
id, so holds are credited like sends (DESIGN §4 *Outcomes*, *Join*). A row is emitted once as
fresh, revised while it matures, and released when it is final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.decide import ID_BITS, Decisions, Mode
from bandit.delays import DelayModel, expected_any, expected_sum
from bandit.identity import Links
from bandit.join_rows import DecisionRows, OutcomeRows, logged_rows, rows_of
from bandit.outcomes import Component, Feedback, Kind, Outcomes, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS

__all__ = ["Emission", "JoinCounts", "JoinState", "Joiner"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_AFTER_DELIVERY = frozenset({Kind.DISPLAYED, Kind.CLICKED, Kind.DISMISSED, Kind.MATCHED})


class Emission(Enum):
    """When a row is first learned."""

    DELAY_AWARE = "delay_aware"  # at once, at its expected final value, then revised
    WHEN_FINAL = "when_final"  # once, when nothing more can come


class JoinState(IntEnum):
    """What has become of a decision."""

    PENDING = 0
    REWARDED = 1
    DEFAULTED = 2
    DROPPED = 3


@dataclass(slots=True, kw_only=True)
class JoinCounts:
    """What was counted since the start; names follow the joiners of decision services."""

    decisions: int = 0
    outcomes: int = 0
    duplicates: int = 0
    corrections: int = 0
    late: int = 0
    dangling: int = 0
    rewarded: int = 0
    defaulted: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Joiner:
    """The delay-aware join.

    Parameters
    ----------
    scheme : RewardScheme
        Components to fill; weights are applied later, by policies.
    horizon_ms : int
        Length of the longest slot grid: behaviour counts in
        ``[t, t + horizon + window)``, the same interval for every action.
    emission : Emission
        Learn at once and revise, or once when final.
    grace_ms : int
        How long after its window a row still waits for outcomes that are on their way.
    links : Links, optional
        Which ids are one user; set it anew when more is known. Behaviour on a device counts for
        the decisions that were made for its user when the link was known, and for no others:
        linking changes no feedback of past decisions.
    """

    scheme: RewardScheme
    horizon_ms: int = DAY_MS
    emission: Emission = Emission.DELAY_AWARE
    grace_ms: int = 0
    counts: JoinCounts = field(default_factory=JoinCounts)
    links: Links | None = None
    delays: DelayModel = field(init=False)
    _rows: DecisionRows | None = field(init=False, default=None)
    _heard: OutcomeRows = field(init=False, default_factory=OutcomeRows.empty)
    _released: NDArray[np.int64] = field(init=False)  # ids of final rows, for a while

    def __post_init__(self) -> None:
        ages = [float(self._last_age_ms(component)) for component in self.scheme.components]
        self.delays = DelayModel(np.array(ages))
        self._released = np.zeros(0, np.int64)

    def add(self, decisions: Decisions) -> None:
        """Open decisions to outcomes; holdout and shadow rows are no evidence to learn from."""
        self._open(rows_of(decisions, self.scheme), decisions.mode)

    def add_logged(self, log: pa.Table) -> None:
        """Open decisions as the log tells them; the same rows as :meth:`add` opens."""
        if log.num_rows:
            self._open(logged_rows(log, self.scheme), np.asarray(log["mode"]))

    def receive(self, outcomes: Outcomes) -> None:
        """Take outcomes in any order, any number of times."""
        self.counts.outcomes += outcomes.n_rows
        known = np.isin(outcomes.outcome_id, self._heard.outcome_id)
        self.counts.late += int(np.isin(outcomes.decision_id[~known], self._released).sum())
        self._heard, duplicates, corrections = self._heard.joined(outcomes)
        self.counts.duplicates += duplicates
        self.counts.corrections += corrections

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        """Return rows to learn for the first time, and rows to revise.

        Parameters
        ----------
        now_ms : int
            The clock; a row is final once its last window and the grace have passed.
        """
        rows = self._rows
        if rows is None:
            none = self._feedback(DecisionRows.empty_like(self.scheme))
            return none, none
        seen = np.stack([self._seen(rows, c) for c in self.scheme.components], axis=1)
        is_final = self._final_ms(rows) + self.grace_ms <= now_ms
        expected, maturity = self._expected(rows, seen, now_ms, is_final)
        moved = (seen != rows.seen).any(axis=1) | (now_ms >= rows.next_ms) | is_final
        due = is_final if self.emission is Emission.WHEN_FINAL else moved | ~rows.is_emitted
        rows.seen[:], rows.components[due], rows.maturity[due] = (
            seen,
            expected[due],
            maturity[due],
        )
        fresh = rows.take(np.flatnonzero(due & ~rows.is_emitted))
        revised = rows.take(np.flatnonzero(due & rows.is_emitted))
        rows.is_emitted |= due
        # Look again at doubling ages, so that a row is revised a bounded number of times.
        age = np.maximum(now_ms - rows.at_ms, HOUR_MS)
        rows.next_ms[due] = rows.at_ms[due] + 2 * age[due]
        self._release(rows, seen, is_final)
        self._forget(now_ms)
        return self._feedback(fresh), self._feedback(revised)

    def states(self) -> dict[str, int]:
        """How many decisions are pending, rewarded, defaulted or dropped."""
        pending = 0 if self._rows is None else self._rows.n_rows
        return {
            JoinState.PENDING.name.lower(): pending,
            JoinState.REWARDED.name.lower(): self.counts.rewarded,
            JoinState.DEFAULTED.name.lower(): self.counts.defaulted,
            JoinState.DROPPED.name.lower(): self.counts.dropped,
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of open rows, kept outcomes, delays and counts as named arrays."""
        state = dict(self.delays.state()) | {"released": self._released}
        state |= {f"heard.{k}": v for k, v in self._heard.columns().items()}
        if self._rows is not None:
            state |= {f"rows.{k}": v for k, v in self._rows.columns().items()}
        counts = [getattr(self.counts, f.name) for f in fields(self.counts)]
        state |= {"counts": np.array(counts, np.int64)}
        # The next look writes into the rows; what was saved must not move with them.
        return {name: array.copy() for name, array in state.items()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.delays.load(state)
        self._released = np.array(state["released"], np.int64)
        self._heard = OutcomeRows(**_prefixed(state, "heard."))
        rows = _prefixed(state, "rows.")
        self._rows = DecisionRows(**rows) if rows else None
        named = zip((f.name for f in fields(JoinCounts)), state["counts"], strict=True)
        self.counts = JoinCounts(**{name: int(count) for name, count in named})

    def _open(self, rows: DecisionRows, mode: NDArray[np.uint8]) -> None:
        self.counts.decisions += rows.n_rows
        credited = (mode == Mode.LIVE) | (mode == Mode.LOG_ONLY)
        self.counts.dropped += int((~credited).sum())
        rows = rows.take(np.flatnonzero(credited))
        self._rows = rows if self._rows is None else self._rows.joined(rows)

    def _last_age_ms(self, component: Component) -> int:
        if component.kinds and not component.kinds[0].is_response:
            return self.horizon_ms + component.window_ms
        return component.window_ms

    def _window(
        self, rows: DecisionRows, component: Component
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Interval ``[start, end)`` in which outcomes count for each row."""
        if component.measure == "send":
            return rows.at_ms, rows.at_ms
        if component.kinds[0].is_response:
            delivered = self._heard.delivered_ms(rows)
            # A plan can be stopped or superseded before its slot; nobody clicks before delivery.
            may_end_early = not _AFTER_DELIVERY.issuperset(component.counted)
            start = rows.at_ms if may_end_early else delivered
            return start, delivered + component.window_ms
        return rows.at_ms, rows.at_ms + self.horizon_ms + component.window_ms

    def _final_ms(self, rows: DecisionRows) -> NDArray[np.int64]:
        ends = [self._window(rows, component)[1] for component in self.scheme.components]
        return np.asarray(np.max(ends, axis=0))

    def _seen(self, rows: DecisionRows, component: Component) -> Array:
        if component.measure == "send":
            return rows.is_send.astype(np.float64)
        start, end = self._window(rows, component)
        found = self._heard.of_kinds(component.counted)
        mass = _mass(found, component)
        if component.kinds[0].is_response:
            total = found.sums_by_id(rows.decision_id, start, end, mass)
        else:
            total = found.sums_by_time(rows.user, start, end, mass)
            row, outcome = self._linked_pairs(rows, found, start, end)
            total += np.bincount(row, weights=mass[outcome], minlength=rows.n_rows)
        return np.minimum(total, 1.0) if component.measure == "any" else total

    def _linked_pairs(
        self, rows: DecisionRows, found: OutcomeRows, start: Whole, end: Whole
    ) -> tuple[Whole, Whole]:
        """(row, outcome) pairs of behaviour under another id of the row's user."""
        if self.links is None or not self.links.n_rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        outcome, owner = self.links.owners(found.user)
        owned = found.take(outcome)
        owned.user = owner
        row, at = owned.pairs_by_time(rows.user, start, end)
        # An owner counts only where it was the user at the time of the decision.
        then = self.links.resolve(found.user[outcome[at]], at_ms=rows.at_ms[row])
        known = then == rows.user[row]
        return row[known], outcome[at[known]]

    def _expected(
        self, rows: DecisionRows, seen: Array, now_ms: int, is_final: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """Expected final components and their maturity, (N, R) each."""
        expected, maturity = seen.copy(), np.ones_like(seen)
        for r, component in enumerate(self.scheme.components):
            if component.measure == "send":
                continue
            start, _ = self._window(rows, component)
            share = np.where(is_final, 1.0, self.delays.share(r, now_ms - start))
            mean = self.delays.mean(r, rows.is_send)
            if component.measure == "any":
                expected[:, r] = expected_any(seen[:, r], share, np.clip(mean, 0.0, 1.0))
                # A response that is here is final, whatever its age.
                maturity[:, r] = np.where(seen[:, r] > 0, 1.0, share)
            else:
                expected[:, r] = expected_sum(seen[:, r], share, mean)
                maturity[:, r] = share
        return expected, maturity

    def _release(self, rows: DecisionRows, seen: Array, is_final: NDArray[np.bool_]) -> None:
        """Let final rows go: they teach the delays and are counted."""
        final = np.flatnonzero(is_final)
        if not len(final):
            return
        done = rows.take(final)
        self.delays.learn_totals(seen[final], done.is_send)
        for r, component in enumerate(self.scheme.components):
            if component.kinds:
                self._learn_ages(done, r, component)
        counted = [r for r, c in enumerate(self.scheme.components) if c.measure != "send"]
        rewarded = int((seen[final][:, counted] != 0).any(axis=1).sum())
        self.counts.rewarded += rewarded
        self.counts.defaulted += len(final) - rewarded
        self._released = np.concatenate([self._released, done.decision_id])
        self._rows = rows.take(np.flatnonzero(~is_final))

    def _learn_ages(self, done: DecisionRows, r: int, component: Component) -> None:
        start, end = self._window(done, component)
        found = self._heard.of_kinds(component.counted)
        if component.kinds[0].is_response:
            row, outcome = found.pairs_by_id(done.decision_id, start, end)
        else:
            pairs = found.pairs_by_time(done.user, start, end)
            linked = self._linked_pairs(done, found, start, end)
            row, outcome = (np.concatenate(both) for both in zip(pairs, linked, strict=True))
        mass = _mass(found, component)
        self.delays.learn_ages(r, found.at_ms[outcome] - start[row], mass[outcome])

    def _forget(self, now_ms: int) -> None:
        """Drop outcomes that no open or coming decision can need."""
        oldest = now_ms - self.horizon_ms - self.grace_ms
        if self._rows is not None and self._rows.n_rows:
            oldest = min(oldest, int(self._rows.at_ms.min()))
        longest = max((c.window_ms for c in self.scheme.components), default=DAY_MS)
        gone = self._heard.received_ms < oldest - longest
        responses = gone & (self._heard.decision_id >= 0)
        known = np.isin(self._heard.decision_id[responses], self._released)
        self.counts.dangling += int((~known).sum())
        self._heard = self._heard.take(~gone)
        decided_ms = self._released >> ID_BITS
        # An answer may come a whole interval after its decision and is kept for one more.
        interval_ms = self.horizon_ms + self.grace_ms + longest
        self._released = self._released[decided_ms >= oldest - longest - interval_ms]

    def _feedback(self, rows: DecisionRows) -> Feedback:
        return Feedback(
            decision_id=rows.decision_id,
            user=rows.user,
            at_ms=rows.at_ms,
            is_send=rows.is_send,
            item=rows.item,
            slot=rows.slot,
            propensity=rows.propensity,
            p_send=rows.p_send,
            context=rows.context,
            item_features=rows.item_features,
            slot_features=rows.slot_features,
            components=rows.components,
            maturity=rows.maturity,
            scheme=self.scheme,
        )


def _mass(found: OutcomeRows, component: Component) -> Array:
    """What each outcome adds: one, or its value; less where its kind subtracts."""
    mass = found.value.copy() if component.measure == "value" else np.ones(found.n_rows)
    if component.subtracts:
        subtracts = np.isin(found.kind, np.array(component.subtracts, np.uint8))
        mass[subtracts] *= -1.0
    return mass


def _prefixed(state: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): np.array(array)
        for name, array in state.items()
        if name.startswith(prefix)
    }
