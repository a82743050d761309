"""Items to slots: the assignment of most worth under limits on how many fall close together.

Worth of item × slot and the slots' times enter; the best send of each row's best assignment
leaves. Solved as one linear program a batch by HiGHS through scipy, in whole numbers for rows
whose relaxed optimum splits a send; rows share no constraint. Reference: Huangfu and Hall (2018),
"Parallelizing the dual revised simplex method".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from bandit.errors import StateError

__all__ = ["assigned", "planned_best"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Limits = Sequence[tuple[float, int]]

_TOLERANCE = 1e-6


def planned_best(worth: Array, start_ms: Whole, *, limits: Limits) -> Whole:
    """Position in K·S of the send worth most in each row's assignment, (n,).

    Parameters
    ----------
    worth, start_ms, limits
        As of :func:`assigned`; every row has a pair worth more than 0.
    """
    chosen = assigned(worth, start_ms, limits=limits)
    return np.asarray(np.where(chosen, worth, 0.0).reshape(len(worth), -1).argmax(axis=1))


def assigned(worth: Array, start_ms: Whole, *, limits: Limits) -> NDArray[np.bool_]:
    """Which item is sent at which slot, (n, K, S).

    Parameters
    ----------
    worth : ndarray, (n, K, S)
        What a send adds; pairs worth 0 or less are never chosen.
    start_ms : ndarray of int, (n, S)
        When slots begin.
    limits : sequence of (float, int)
        A length in milliseconds, and how many sends may begin within it. Every item is sent once.

    Raises
    ------
    StateError
        If the solver finds no optimum.
    """
    chosen = _solved(worth, start_ms, limits, whole=False)
    # The relaxed program is ten times as fast, and fractional in few rows.
    is_split = (np.abs(chosen - np.round(chosen)) > _TOLERANCE).any(axis=(1, 2))
    if is_split.any():
        chosen[is_split] = _solved(worth[is_split], start_ms[is_split], limits, whole=True)
    return np.asarray(chosen > 0.5)


def _solved(worth: Array, start_ms: Whole, limits: Limits, *, whole: bool) -> Array:
    """Optimum of the program, in whole numbers or relaxed to [0, 1], (n, K, S)."""
    row, item, slot = _variables(worth, _most_sends(start_ms, limits))
    chosen = np.zeros(worth.shape)
    if len(row) == 0:
        return chosen
    tables = [_same(row, item)]
    tables += [_close(row, slot, start_ms, length_ms=length) for length, _ in limits]
    bounds = [1, *(most for _, most in limits)]
    at_most = np.repeat(bounds, [table.shape[0] for table in tables])
    found = milp(
        -worth[row, item, slot],
        integrality=np.full(len(row), int(whole)),
        bounds=(0, 1),
        constraints=LinearConstraint(vstack(tables), ub=at_most),
        options={"mip_rel_gap": 0.0},
    )
    if found.status != 0:
        raise StateError(f"expected an optimal plan, got: {found.message}")
    chosen[row, item, slot] = found.x
    return chosen


def _most_sends(start_ms: Whole, limits: Limits) -> int:
    """More sends than this fit into no row."""
    span_ms = int((start_ms.max(axis=1) - start_ms.min(axis=1)).max(initial=0))
    return min(most * (1 + int(span_ms // length)) for length, most in limits)


def _variables(worth: Array, most: int) -> tuple[Whole, Whole, Whole]:
    """Row, item and slot of the pairs that an optimum may hold.

    Of each slot the ``most`` best items: if a plan held a worse one, one of these would be free.
    """
    rank = (-worth).argsort(axis=1, kind="stable").argsort(axis=1)
    row, item, slot = np.nonzero((worth > 0) & (rank < most))
    return row, item, slot


def _same(row: Whole, item: Whole) -> csr_array:
    """One line for each item of each row: its pairs."""
    _, line = np.unique(row * (item.max() + 1) + item, return_inverse=True)
    return csr_array((np.ones(len(row)), (line, np.arange(len(row)))))


def _close(row: Whole, slot: Whole, start_ms: Whole, *, length_ms: float) -> csr_array:
    """One line for each slot of each row: pairs that begin with it or less than a length later."""
    later = start_ms[:, None, :] - start_ms[:, :, None]  # (n, from, to)
    is_close = (later >= 0) & (later < length_ms)
    variable, first = np.nonzero(is_close[row, :, slot])
    line = row[variable] * start_ms.shape[1] + first
    shape = (start_ms.size, len(row))
    return csr_array((np.ones(len(line)), (line, variable)), shape=shape)
