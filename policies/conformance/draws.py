"""Laws of what is drawn from a policy's pmf: the logged propensity is the true one.

Two hundred thousand keyed draws for eight requests, through the one place that draws, with the
exploration floor and without it. Needs SciPy (extra ``ope``) for the χ² distribution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bandit.actions import take_requests
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import NO_FLOOR, Floor
from policies.conformance.case import Case, expect
from policies.conformance.rows import request_of

__all__ = ["LAWS"]

Array = NDArray[np.float64]

_ROWS, _DRAWS = 8, 25_000  # of each row: 200,000 in all
_LEAST_EXPECTED = 5.0
_LEAST_P = 1e-4
_NEGLIGIBLE = 1e-9  # smaller ones are not drawn in 200,000, and their inverse means nothing
_FLOORS = (Floor(), NO_FLOOR)


def draws_follow_the_logged_pmf(case: Case) -> None:
    """χ² over all rows, cells pooled to five expected draws; the impossible never comes."""
    for floor in _FLOORS:
        decided = _decided(case, floor)
        statistic, freedom = 0.0, 0
        for row in range(_ROWS):
            mine = slice(row * _DRAWS, (row + 1) * _DRAWS)
            pmf = decided.pmf[mine][0]
            counts = np.bincount(decided.planned[mine], minlength=len(pmf))
            expect(not counts[pmf == 0].any(), "expected no draw of an action of probability 0")
            expected, seen = _pooled(_DRAWS * pmf, counts)
            statistic += float(((seen - expected) ** 2 / expected).sum())
            freedom += len(expected) - 1
        p_value = 1.0 if freedom == 0 else float(stats.chi2.sf(statistic, freedom))
        words = f"expected draws to follow the logged pmf, got χ² = {statistic:.0f} on {freedom}"
        expect(p_value > _LEAST_P, words)


def inverse_propensities_average_to_the_number_of_possible_actions(case: Case) -> None:
    """Within four standard errors, which the pmf itself gives; behind the floor, of all actions."""
    for floor in _FLOORS:
        decided = _decided(case, floor)
        np.testing.assert_array_equal(
            decided.propensity, decided.pmf[np.arange(decided.n_rows), decided.planned]
        )
        counted = decided.pmf > _NEGLIGIBLE
        if floor != NO_FLOOR:
            np.testing.assert_array_equal(counted, decided.request.mask)
        n_possible = counted.sum(axis=1)
        inverse = np.where(decided.propensity > _NEGLIGIBLE, 1 / decided.propensity, 0.0)
        squares = np.where(counted, 1 / np.where(counted, decided.pmf, 1.0), 0.0).sum(axis=1)
        error = np.sqrt(np.maximum(squares - n_possible**2, 0.0).sum())
        gap = abs((inverse - n_possible).sum())
        expect(
            gap <= 4 * error + 1e-6 * len(inverse),
            f"expected Σ 1/propensity within {4 * error:.0f} of Σ possible actions, got {gap:.0f}",
        )


def _decided(case: Case, floor: Floor) -> Decisions:
    """Eight rows of a taught policy, each decided many times under ids of its own."""
    rng = np.random.default_rng(3)
    mask = rng.random((_ROWS, 1 + case.shape.n_items * case.shape.n_slots)) < 0.8
    mask[:, 0] = True
    asked = request_of(case.shape, _ROWS, seed=4, mask=mask)
    pmf = case.taught().pmf(asked, 9)
    rows = np.repeat(np.arange(_ROWS), _DRAWS)
    return decide(
        pmf[rows],
        take_requests(asked, rows),
        key=17,
        stamp=Stamp(policy=case.entry.policy_id, state_seq=0, floor=floor),
        decision_id=decision_ids(np.full(len(rows), 1_700_000_000_000)),
    )


def _pooled(expected: Array, counts: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Cells of at least five expected draws: the small ones together, with the next if need be."""
    order = np.argsort(expected)
    expected, counts = expected[order], counts[order]
    n_small = int(np.searchsorted(np.cumsum(expected), _LEAST_EXPECTED)) + 1
    n_small = max(n_small, int((expected < _LEAST_EXPECTED).sum()))
    starts = np.append(0, np.arange(n_small, len(expected)))
    return np.add.reduceat(expected, starts), np.add.reduceat(counts, starts)


LAWS = (
    draws_follow_the_logged_pmf,
    inverse_propensities_average_to_the_number_of_possible_actions,
)
