"""What is drawn is what is logged, for every registered policy; and posterior shares are right.

Twenty-five thousand keyed draws for each of eight requests, through the one place that draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bandit.actions import take_requests
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import NO_FLOOR, Floor
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import Entry, policies

Array = NDArray[np.float64]

_ROWS, _DRAWS = 8, 25_000  # of each row: 200,000 in all
_LEAST_EXPECTED = 5.0
_NEGLIGIBLE = 1e-9  # smaller ones are not drawn in 200,000, and their inverse means nothing
SAMPLERS = [e for e in policies() if isinstance(e.options.get("explorer"), Thompson)]


@pytest.mark.slow
@pytest.mark.parametrize("floor", [Floor(), NO_FLOOR], ids=["floor", "no floor"])
def test_draws_follow_the_logged_pmf(case: Any, bench: Any, floor: Floor) -> None:
    """χ² over all rows, cells pooled to five expected draws; the impossible never comes."""
    decided = _decided(case, bench, floor)
    statistic, freedom = 0.0, 0
    for row in range(_ROWS):
        mine = slice(row * _DRAWS, (row + 1) * _DRAWS)
        pmf = decided.pmf[mine][0]
        counts = np.bincount(decided.planned[mine], minlength=len(pmf))
        assert not counts[pmf == 0].any()
        expected, seen = _pooled(_DRAWS * pmf, counts)
        statistic += float(((seen - expected) ** 2 / expected).sum())
        freedom += len(expected) - 1
    assert freedom == 0 or stats.chi2.sf(statistic, freedom) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("floor", [Floor(), NO_FLOOR], ids=["floor", "no floor"])
def test_inverse_propensities_average_to_the_number_of_possible_actions(
    case: Any, bench: Any, floor: Floor
) -> None:
    """Within four standard errors, which the pmf itself gives; behind the floor, of all actions."""
    decided = _decided(case, bench, floor)
    np.testing.assert_array_equal(
        decided.propensity, decided.pmf[np.arange(decided.n_rows), decided.planned]
    )
    counted = decided.pmf > _NEGLIGIBLE
    if floor != NO_FLOOR:
        np.testing.assert_array_equal(counted, decided.request.mask)
    n_possible = counted.sum(axis=1)
    inverse = np.where(decided.propensity > _NEGLIGIBLE, 1 / decided.propensity, 0.0)
    squares = np.where(counted, 1 / np.where(counted, decided.pmf, 1.0), 0.0).sum(axis=1)
    variance = np.maximum(squares - n_possible**2, 0.0).sum()
    gap = abs((inverse - n_possible).sum())
    assert gap <= 4 * np.sqrt(variance) + 1e-6 * len(inverse)


@pytest.fixture(params=SAMPLERS, ids=lambda entry: entry.policy_id)
def sampler(request: pytest.FixtureRequest) -> Entry:
    """Every registered policy that samples a posterior."""
    entry: Entry = request.param
    return entry


@pytest.mark.slow
def test_the_mean_pmf_over_states_is_how_often_an_action_is_best(
    sampler: Entry, case_of: Any, bench: Any
) -> None:
    """2,000 draw states beside the best actions of 10⁶ draws: within .01 in every entry."""
    policy = case_of(sampler).taught()
    assert isinstance(policy, Explored)
    assert isinstance(policy.explorer, Thompson)
    rng = np.random.default_rng(5)
    mask = rng.random((4, 21)) < 0.8
    mask[:, 0] = True
    asked = bench.request_of(case_of(sampler).shape, 4, mask=mask)
    mean = np.mean([policy.pmf(asked, key) for key in range(2000)], axis=0)
    best = np.zeros((4, 21))
    for key in range(10_000, 10_050):
        drawn = policy.model.draws(asked, key, n_draws=20_000, scale=policy.explorer.scale)
        for rows, values in drawn:
            chosen = np.where(mask[rows][:, None], values, -np.inf).argmax(axis=2)
            for row, actions in zip(np.arange(4)[rows], chosen, strict=True):
                best[row] += np.bincount(actions, minlength=21)
    np.testing.assert_allclose(mean, best / 1e6, atol=0.01)


def _decided(case: Any, bench: Any, floor: Floor) -> Decisions:
    """Eight rows of a taught policy, each decided many times under ids of its own."""
    rng = np.random.default_rng(3)
    mask = rng.random((_ROWS, 21)) < 0.8
    mask[:, 0] = True
    asked = bench.request_of(case.shape, _ROWS, seed=4, mask=mask)
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
