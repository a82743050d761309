"""Decisions and outcomes in, by event time and in any order; feedback to learn from out.

Responses belong to a decision by its id, within a window from delivery or the planned slot.
Behaviour belongs to every decision of its user whose interval holds it, by time and never by
id, so holds are credited like sends (DESIGN §4 *Outcomes*, *Join*). A row is emitted once as
fresh, revised while it matures, and released when it is final. A turn costs what came and what
is due, however much is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.credit import Claims, Credit, Near, Owners
from bandit.decide import Decisions, Mode
from bandit.delays import DelayModel, expected_any
from bandit.errors import BadInputError, expect_shape
from bandit.heard_outcomes import HeardOutcomes
from bandit.identity import Links
from bandit.join_counts import JoinCounts, JoinState
from bandit.join_rows import (
    ClosedDecisions,
    Columns,
    OpenDecisions,
    logged_grid_ends_ms,
    logged_rows,
    told_rows,
)
from bandit.outcomes import Feedback, Outcomes, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS

__all__ = ["Emission", "JoinCounts", "JoinState", "Joiner"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_NO_ROWS = np.zeros(0, np.int64)
_ALMOST_ONE = float(np.nextafter(1.0, 0.0))


class Emission(Enum):
    """When a row is first learned."""

    DELAY_AWARE = "delay_aware"  # at once, at its expected final value, then revised
    WHEN_FINAL = "when_final"  # once, when nothing more can come


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
    list_width : int
        Most items of a short list, for policies that weigh what else was on offer
        (``Feedback.short_list``); 0 leaves that out, as most policies do not ask.
    links : Links, optional
        Which ids are one user; set it anew when more is known. Behaviour on a device counts for
        the decisions that were made for its user when the link was known, and for no others:
        linking changes no feedback of past decisions. Not part of the state.
    """

    scheme: RewardScheme
    horizon_ms: int = DAY_MS
    emission: Emission = Emission.DELAY_AWARE
    grace_ms: int = 0
    list_width: int = 0
    counts: JoinCounts = field(default_factory=JoinCounts)
    links: Links | None = None
    delays: DelayModel = field(init=False)
    _credit: Credit = field(init=False)
    _owners: Owners = field(init=False)
    _open: OpenDecisions = field(init=False)
    _closed: ClosedDecisions = field(init=False)
    _heard: HeardOutcomes = field(init=False)
    _forgot_ms: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._credit = Credit(self.scheme, self.horizon_ms)
        self._owners = Owners(self.links)
        ages = [self._credit.last_age_ms(c) + self.grace_ms for c in self.scheme.components]
        self.delays = DelayModel(np.array(ages, np.float64))
        self._open, self._closed = OpenDecisions(self.scheme), ClosedDecisions()
        self._heard = HeardOutcomes()

    def add(self, decisions: Decisions) -> None:
        """Open decisions to outcomes; holdout and shadow rows are no evidence to learn from.

        A decision that is told again is counted and changes nothing.

        Raises
        ------
        BadInputError
            If a slot grid is longer than ``horizon_ms`` and behaviour is counted.
        """
        told = told_rows(decisions, list_width=self.list_width)
        self._take(told, decisions.mode, decisions.request.grid.horizon_ms)

    def add_logged(self, log: pa.Table) -> None:
        """Open decisions as the log tells them; the same rows as :meth:`add` opens."""
        if log.num_rows:
            told = logged_rows(log, list_width=self.list_width)
            self._take(told, np.asarray(log["mode"]), logged_grid_ends_ms(log))

    def receive(self, outcomes: Outcomes) -> None:
        """Take outcomes in any order, any number of times.

        Raises
        ------
        BadInputError
            If a value that the scheme adds is in another currency; nothing is taken then.
        """
        self.scheme.refuse_other_currencies(outcomes)
        new, moved = self._heard.tell(outcomes)
        is_correction = self._heard.table["corrects"][new] != -1
        self.counts.outcomes += outcomes.n_rows
        self.counts.duplicates += outcomes.n_rows - len(new)
        self.counts.corrections += int(is_correction.sum())
        told = np.concatenate([new[~is_correction], np.setdiff1d(moved, new)])
        self._follow_links()
        late = [self._touch_by_id(told), self._touch_by_time(told)]
        self.counts.late += len(np.unique(np.concatenate(late)))

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        """Return rows to learn for the first time, and rows to revise.

        Parameters
        ----------
        now_ms : int
            The clock; a row is final once its last window and the grace have passed.
        """
        self._follow_links()
        table = self._open.table
        if self.emission is Emission.WHEN_FINAL:
            self._count_deliveries(self._open.touched())
            due = self._open.due(now_ms, also=_NO_ROWS)
            self._count(due)
        else:
            due = self._open.due(now_ms, also=self._count(self._open.touched()))
        is_final = table["final_ms"][due] <= now_ms
        components, maturity = self._expected(due, now_ms)
        is_old = table["is_emitted"][due]
        fresh, revised = (
            self._open.feedback(due[which], components[which], maturity[which])
            for which in (~is_old, is_old)
        )
        table["is_emitted"][due] = True
        # Look again at doubling ages, and once a day: what a silent row is still expected to bring
        # falls with its age, and whoever holds yesterday's view expects too much of it.
        age_ms = np.maximum(now_ms - table["at_ms"][due], HOUR_MS)
        again_ms = table["at_ms"][due] + 2 * age_ms
        table["next_ms"][due] = np.minimum(again_ms, now_ms + DAY_MS)
        table["look_ms"][due] = np.minimum(table["next_ms"][due], table["final_ms"][due])
        self._release(due[is_final])
        self._forget(now_ms)
        return fresh, revised

    def outlook(self, now_ms: int) -> Feedback:
        """Return all open rows as they would be learned now; nothing is emitted.

        Rows are looked at again at doubling ages and at least once a day, so a learner may hold an
        older view of some.

        Parameters
        ----------
        now_ms : int
            That of the latest :meth:`advance`, which has counted what was heard.
        """
        rows = self._open.table.rows
        components, maturity = self._expected(rows, now_ms)
        return self._open.feedback(rows, components, maturity)

    def states(self) -> dict[str, int]:
        """How many decisions are pending, rewarded, defaulted, late or dropped."""
        return self.counts.states()

    def states_of(self, decision_id: Whole) -> NDArray[np.int8]:
        """What has become of each decision, as a :class:`JoinState`, (N,).

        *Unknown* are those never told, and those closed an interval ago or longer.
        """
        found = np.full(len(decision_id), JoinState.UNKNOWN, np.int8)
        position, row = self._closed.table.find("decision_id", decision_id)
        found[position] = self._closed.table["state"][row]
        found[self._open.table.find("decision_id", decision_id)[0]] = JoinState.PENDING
        return found

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of decisions, kept outcomes, delays and counts as named arrays."""
        parts = {
            "rows": self._open.table.state(),
            "closed": self._closed.table.state(),
            "heard": self._heard.state(),
            "delays": self.delays.state(),
            "counts": self.counts.state(),
            "clock": {"forgot_ms": np.array(self._forgot_ms)},
        }
        return {f"{p}.{name}": array for p, part in parts.items() for name, array in part.items()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned; links are to be set again."""
        wide = (-1, len(self.scheme))
        expect_shape("rows.seen", state["rows.seen"], wide, "was it saved under another scheme?")
        listed = (-1, self.list_width if len(state["rows.seen"]) else -1)
        expect_shape("rows.short_list", state["rows.short_list"], listed, "give it that list_width")
        self._open.load(_part(state, "rows."))
        self._closed.table.load(_part(state, "closed."))
        self._heard.load(_part(state, "heard."))
        self.delays.load(_part(state, "delays."))
        self.counts = JoinCounts.of_state(_part(state, "counts."))
        self._forgot_ms = int(state["clock.forgot_ms"])

    def _take(self, told: Columns, mode: NDArray[np.uint8], grid_ends_ms: Whole) -> None:
        self._expect_short(grid_ends_ms - told["at_ms"])
        new = self._never_told(told["decision_id"])
        is_credited = np.isin(mode[new], (Mode.LIVE, Mode.LOG_ONLY))
        opened, dropped = (
            {name: column[new[which]] for name, column in told.items()}
            for which in (is_credited, ~is_credited)
        )
        waits = self.emission is Emission.WHEN_FINAL
        self.counts.pending += len(self._open.add(opened, waits=waits))
        self._drop(dropped)
        self.counts.decisions += len(new)
        self.counts.repeated += len(mode) - len(new)
        _, heard = self._heard.by_decision(told["decision_id"][new])
        self._heard.table["is_known"][heard] = True

    def _expect_short(self, grid_ms: Whole) -> None:
        longest_ms = int(grid_ms.max(initial=0))
        if longest_ms > self.horizon_ms and self._credit.reach_ms.any():
            raise BadInputError(
                f"expected slot grids of at most {self.horizon_ms} ms, got one of {longest_ms}: "
                "the interval of behaviour must be the same for every action; give the Joiner "
                "that horizon_ms"
            )

    def _never_told(self, decision_id: Whole) -> Whole:
        """Positions of decisions that are told for the first time, ascending."""
        _, first = np.unique(decision_id, return_index=True)
        tables = (self._open.table, self._closed.table)
        known = [table.find("decision_id", decision_id)[0] for table in tables]
        return np.setdiff1d(first, np.concatenate(known))

    def _drop(self, told: Columns) -> None:
        names = {name: name for name in Claims.__slots__} | {"sent_ms": "start_ms"}
        claims = Claims(**{name: told[column] for name, column in names.items()})
        self._closed.add(claims, np.full(claims.n_rows, JoinState.DROPPED, np.int8))
        self.counts.dropped += claims.n_rows

    def _follow_links(self) -> None:
        """Look again at the rows of users of whom it is known anew which ids they are."""
        if self.links is not self._owners.links:
            before, self._owners = self._owners, Owners(self.links)
            _, rows = self._open.table.find("user", self._owners.changed_since(before))
            self._open.touch(rows)

    def _touch_by_id(self, told: Whole) -> Whole:
        """Open rows by decision id; return the outcomes that came late for closed ones."""
        heard = self._heard.table
        told = told[heard["decision_id"][told] >= 0]
        decision_id = heard["decision_id"][told]
        position, row = self._open.table.find("decision_id", decision_id)
        self._open.touch(row)
        heard["is_known"][told[position]] = True
        position, row = self._closed.table.find("decision_id", decision_id)
        heard["is_known"][told[position]] = True
        return self._late(told[position], row, by_id=True)

    def _touch_by_time(self, told: Whole) -> Whole:
        """Open rows by user and time; return the outcomes that came late for closed ones."""
        heard = self._heard.table
        told = told[self._credit.reach_ms[heard["kind"][told]] > 0]
        position, owner = self._owners.of(heard["user"][told])
        told = told[position]
        at_ms, reach_ms = heard["at_ms"][told], self._credit.reach_ms[heard["kind"][told]]
        found = []
        for table in (self._open.table, self._closed.table):
            which, row = table.find("user", owner)
            age_ms = at_ms[which] - table["at_ms"][row]
            inside = (age_ms >= 0) & (age_ms < reach_ms[which])
            found.append((which[inside], row[inside]))
        self._open.touch(found[0][1])
        which, row = found[1]
        user, claims = heard["user"][told[which]], self._closed.claims(row)
        is_owned = self._owners.owned(user, claims.user, claims.at_ms)
        return self._late(told[which[is_owned]], row[is_owned], by_id=False)

    def _late(self, told: Whole, row: Whole, *, by_id: bool) -> Whole:
        """Mark closed rows for which an outcome would have counted; return those outcomes."""
        if not len(row):
            return row
        heard, state = self._heard.table, self._closed.table["state"]
        counts = self._credit.counts(
            heard["kind"][told], heard["at_ms"][told], self._closed.claims(row), by_id=by_id
        )
        counts &= state[row] != JoinState.DROPPED
        marked = np.unique(row[counts])
        self.counts.mark_late(state[marked])
        state[marked] = JoinState.LATE
        return told[counts]

    def _near(self, claims: Claims) -> Near:
        until_ms = claims.at_ms + self._credit.interval_ms
        return Near.of(claims, self._heard, self._owners, until_ms=until_ms)

    def _count_deliveries(self, rows: Whole) -> None:
        """Find when rows were sent, and so when they are final."""
        planned = self._open.claims(rows, as_planned=True)
        row, told = self._heard.deliveries(planned.decision_id)
        sent_ms = self._credit.sent_ms(planned, row, self._heard.table["at_ms"][told])
        self._open.set_sent(rows, sent_ms)
        final_ms = self._credit.final_ms(self._open.claims(rows)) + self.grace_ms
        self._open.set_final(rows, final_ms)

    def _count(self, rows: Whole) -> Whole:
        """Add up what has been seen of rows; return those whose sums have changed."""
        self._count_deliveries(rows)
        claims = self._open.claims(rows)
        seen = self._credit.seen(claims, self._near(claims))
        is_moved = (seen != self._open.table["seen"][rows]).any(axis=1)
        self._open.table["seen"][rows] = seen
        return np.asarray(rows[is_moved])

    def _expected(self, rows: Whole, now_ms: int) -> tuple[Array, Array]:
        """Expected final components and their maturity, (N, R) each.

        Maturity depends on age alone. Were a response that is here given more weight than one
        that is not, young rows would be learned as better than they are.
        """
        seen, claims = self._open.table["seen"][rows], self._open.claims(rows)
        start, end = self._credit.windows(claims)
        is_over = end + self.grace_ms <= now_ms
        expected, maturity = seen.copy(), np.ones_like(seen)
        for r, component in enumerate(self.scheme.components):
            young = np.flatnonzero(~is_over[:, r])
            if component.measure == "send" or not len(young):
                continue
            age_ms, is_send = now_ms - start[young, r], claims.is_send[young]
            share = self.delays.share(r, age_ms, is_send=is_send)
            maturity[young, r] = np.minimum(share, _ALMOST_ONE)
            if component.measure == "any":
                rate = np.clip(self.delays.mean(r, is_send=is_send), 0.0, 1.0)
                expected[young, r] = expected_any(seen[young, r], share, rate)
            else:
                expected[young, r] = self.delays.expected(
                    r, seen[young, r], age_ms, is_send=is_send
                )
        return expected, maturity

    def _release(self, rows: Whole) -> None:
        """Let final rows go: they teach the delays and are counted."""
        if not len(rows):
            return
        claims, seen = self._open.claims(rows), self._open.table["seen"][rows]
        start, _ = self._credit.windows(claims)
        self.delays.learn_rows(claims.is_send)
        for r, hits in self._credit.arrivals(claims, self._near(claims)):
            age_ms = hits.received_ms - start[hits.row, r]
            self.delays.learn(r, age_ms, hits.mass, is_send=claims.is_send[hits.row])
        counted = [r for r, c in enumerate(self.scheme.components) if c.measure != "send"]
        is_rewarded = (seen[:, counted] != 0).any(axis=1)
        self.counts.mark_final(is_rewarded)
        state = np.where(is_rewarded, JoinState.REWARDED, JoinState.DEFAULTED)
        self._closed.add(claims, state.astype(np.int8))
        self._open.table.remove(rows)

    def _forget(self, now_ms: int) -> None:
        """Drop what no open or coming decision can need, once an hour; make room."""
        if now_ms - self._forgot_ms < HOUR_MS:
            return
        self._forgot_ms = now_ms
        self._open.table.tidy()
        longest_ms = max(c.window_ms for c in self.scheme.components)
        oldest_ms = now_ms - self.horizon_ms - self.grace_ms
        at_ms = self._open.table["at_ms"][self._open.table.is_kept]
        oldest_ms = min(oldest_ms, int(at_ms.min(initial=oldest_ms)))
        self.counts.dangling += self._heard.forget(oldest_ms - longest_ms)
        self._closed.forget(now_ms - 2 * (self._credit.interval_ms + self.grace_ms))


def _part(state: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)
    }
