"""A learner rebuilt from the log: the same batches, the same outcomes, the same clock.

Logged decisions and what was heard after each batch enter; a policy and its join leave where
they stood, bit by bit. What is learned is the *stored* context and the stored features, never
recomputed ones; a row that is left out of the log is left out of what is learned. DESIGN §4
*Replay*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bandit.errors import BadInputError
from bandit.join import Joiner
from bandit.outcomes import Outcomes
from bandit.protocols import Policy

__all__ = ["Heard", "relearn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One look at the outcomes, as a loop took it: after which batch, at which time."""

    batch: int  # the latest logged batch that was open to outcomes by then
    outcomes: Outcomes  # all that was received since the look before, cancellations included
    now_ms: int


def relearn(log: pa.Table, heard: Iterable[Heard], *, policy: Policy, join: Joiner) -> int:
    """Let a policy learn again what the log says that it learned.

    Parameters
    ----------
    log : pyarrow.Table
        Decisions in log order, see :func:`bandit.log.read_log`.
    heard : iterable of Heard
        The looks at the outcomes, in the order they were taken.
    policy, join : Policy, Joiner
        As they were before the first of them, such as newly made or loaded from a snapshot.

    Returns
    -------
    int
        How many rows were consumed, fresh and revised: what ``state_seq`` grew by.

    Raises
    ------
    BadInputError
        Where batches or looks are out of order.
    """
    batches = np.asarray(log["batch"], np.int64)
    _expect_order("batches in log order", batches)
    n_open, n_consumed, latest = 0, 0, -1
    for look in heard:
        _expect_order("looks in the order of their batches", np.array([latest, look.batch]))
        latest = look.batch
        end = int(np.searchsorted(batches, look.batch, side="right"))
        join.add_logged(log.slice(n_open, end - n_open))
        n_open = end
        join.receive(look.outcomes)
        fresh, revised = join.advance(look.now_ms)
        policy.update(fresh)
        policy.revise(revised)
        n_consumed += fresh.n_rows + revised.n_rows
    return n_consumed


def _expect_order(what: str, numbers: np.ndarray) -> None:
    back = np.flatnonzero(np.diff(numbers) < 0)
    if len(back):
        raise BadInputError(
            f"expected {what}, got {numbers[back[0] + 1]} after {numbers[back[0]]}: what a learner "
            "becomes depends on the order"
        )
