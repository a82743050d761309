"""What is drawn is what is logged, for every registered policy; and posterior shares are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import take_requests
from bandit.outcomes import UPLIFT
from policies.conformance.case import Case
from policies.conformance.suite import Law, draw_laws
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import Entry, build, policies
from policies.shape import PolicyShape

_SMALLEST = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=1, n_items=1, n_slots=1
)


def _samples(entry: Entry) -> bool:
    """Whether the policy is Thompson sampling as it is, not within a budget or the like."""
    if not isinstance(entry.options.get("explorer"), Thompson):
        return False
    return isinstance(build(entry.policy_id, _SMALLEST, scheme=UPLIFT), Explored)


SAMPLERS = [entry for entry in policies() if _samples(entry)]


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
    for row in range(4):
        one, scale = take_requests(asked, np.array([row])), _scale(policy.explorer, mask[row])
        for key in range(10_000, 10_050):
            for _, drawn in policy.model.draws(one, key, n_draws=20_000, scale=scale):
                chosen = np.where(mask[row], drawn[0], -np.inf).argmax(axis=1)
                best[row] += np.bincount(chosen, minlength=21)
    np.testing.assert_allclose(mean, best / 1e6, atol=0.01)


def _scale(explorer: Thompson, mask: NDArray[np.bool_]) -> float:
    """Deflated, by √(2 ln A), A the number of unmasked actions up to the next power of two."""
    up = 1 << (int(mask.sum()) - 1).bit_length()
    return explorer.scale / float(np.sqrt(2 * np.log(up))) if explorer.deflates else explorer.scale
