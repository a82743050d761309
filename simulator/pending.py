"""Outcomes that are decided and have not happened yet: a sparse ledger that loses nothing.

Outcomes with what each is worth enter; those that are due leave, with the reward they pay. Entries
belong to lives: when one ends, the rest of its rewards is paid out or expires, by the caller's
choice, and no entry outlives its life. For every row, decided = arrived + waiting + expired.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.happened import Happened, concatenated

__all__ = ["HEARD_OF", "Pending", "nothing"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

HEARD_OF = (Kind.SESSION, Kind.CLICKED, Kind.CONVERTED)
"""Kinds that a server learns of when they happen, whatever they are worth."""

_IS_HEARD_OF = np.isin(np.arange(256), HEARD_OF)


def nothing() -> Happened:
    """Return a table of no outcomes."""
    return Happened(
        row=np.zeros(0, np.int64),
        kind=np.zeros(0, np.uint8),
        at_min=np.zeros(0),
        value=np.zeros(0),
        ref=np.zeros(0, np.int64),
        item=np.zeros(0, np.int32),
        is_caused=np.zeros(0, np.bool_),
    )


@dataclass(slots=True)
class Pending:
    """The ledger of N rows.

    Parameters
    ----------
    n_rows : int
        Number of rows N.

    Notes
    -----
    One flat table, not a ring of N × horizon numbers: few users have something to come at a time.
    A step costs what waits.
    """

    n_rows: int
    decided: Float = field(init=False)  # (N,) reward since the ledger began
    arrived: Float = field(init=False)  # (N,)
    expired: Float = field(init=False)  # (N,)
    _outcomes: Happened = field(init=False)  # (M,)
    _worth: Float = field(init=False)  # (M,)
    _due: Whole = field(init=False)  # (M,) step of the caller's clock

    def __post_init__(self) -> None:
        self.decided, self.arrived, self.expired = (np.zeros(self.n_rows) for _ in range(3))
        self._outcomes, self._worth, self._due = nothing(), np.zeros(0), np.zeros(0, np.int64)

    def add(self, outcomes: Happened, worth: Float, *, due: Whole) -> None:
        """Enter M outcomes; what is worth nothing and tells nothing is not kept.

        Parameters
        ----------
        outcomes : Happened, (M,)
            What was decided.
        worth, due : ndarray, (M,)
            The reward of each, and the step at which it is paid and heard of.
        """
        self.decided += self._summed(outcomes.row, worth)
        keep = np.flatnonzero((worth != 0.0) | _IS_HEARD_OF[outcomes.kind])
        self._outcomes = concatenated([self._outcomes, outcomes.take(keep)])
        self._worth = np.concatenate([self._worth, worth[keep]])
        self._due = np.concatenate([self._due, due[keep]])

    def pay(self, now: int) -> tuple[Float, Happened]:
        """Pay what is due by step ``now``: the reward of each row, (N,), and what happened."""
        paid, outcomes = self._taken(self._due <= now)
        self.arrived += paid
        return paid, outcomes

    def pay_at_once(self, reward: Float) -> None:
        """Note rewards that are decided and paid in one step, such as the cost of sending, (N,)."""
        self.decided += reward
        self.arrived += reward

    def settle(self, ended: Flags, *, pays_rest: bool) -> Float:
        """End the lives of some rows; return what is paid out of their rest, (N,).

        Parameters
        ----------
        ended : ndarray of bool, (N,)
            Rows whose life is over.
        pays_rest : bool
            Pay the rest now; otherwise it expires.
        """
        rest, _ = self._taken(ended[self._outcomes.row])
        if pays_rest:
            self.arrived += rest
            return rest
        self.expired += rest
        return np.zeros(self.n_rows)

    def waiting(self) -> Float:
        """Reward of each row that has not arrived, (N,)."""
        return self._summed(self._outcomes.row, self._worth)

    @property
    def n_entries(self) -> int:
        """Outcomes that wait."""
        return len(self._due)

    def copy(self) -> Pending:
        """Return a copy that lives on apart."""
        other = Pending(self.n_rows)
        for name in ("decided", "arrived", "expired"):
            setattr(other, name, getattr(self, name).copy())
        # The tables are replaced, never written into, so they may be shared.
        other._outcomes, other._worth, other._due = self._outcomes, self._worth, self._due
        return other

    def _summed(self, row: Whole, worth: Float) -> Float:
        return np.asarray(np.bincount(row, weights=worth, minlength=self.n_rows), np.float64)

    def _taken(self, which: Flags) -> tuple[Float, Happened]:
        """Take entries out: their rewards added up by row, (N,), and the outcomes."""
        if not which.any():
            return np.zeros(self.n_rows), nothing()
        outcomes = self._outcomes.take(which)
        paid = self._summed(outcomes.row, self._worth[which])
        self._outcomes = self._outcomes.take(~which)
        self._worth, self._due = self._worth[~which], self._due[~which]
        return paid, outcomes
