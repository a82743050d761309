"""What is drawn is what is logged, for every registered policy; and posterior shares are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policies.conformance.case import Case
from policies.conformance.suite import Law, draw_laws
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import Entry, policies

SAMPLERS = [e for e in policies() if isinstance(e.options.get("explorer"), Thompson)]


@pytest.mark.slow
@pytest.mark.parametrize("law", draw_laws(), ids=lambda law: law.__name__)
def test_every_policy_obeys_the_laws_of_draws(case: Case, law: Law) -> None:
    assert law(case) is None


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
