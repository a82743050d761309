from __future__ import annotations

import numpy as np
import pytest

from bandit.outcomes import ENGAGEMENT, UPLIFT, RewardScheme, uplift_scheme
from simulator.truth import mean_reward, means_of, outcome_of
from simulator.worth import Worth
from tests.simulator.conftest import Begin

SCHEMES = [UPLIFT, uplift_scheme(mean_order_value=40.0), ENGAGEMENT.without_attribution()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("hours", [1, 24])
def test_an_outcome_is_exactly_what_its_action_pays(
    begin: Begin, scheme: RewardScheme, hours: int
) -> None:
    """Every action of every user, from the same state, after two weeks of pushes."""
    worth = Worth(scheme)
    lived = begin("ecommerce", 40, hours=hours)
    rng = np.random.default_rng(0)
    for _ in range(14):
        lived.step(rng.integers(-1, 20, 40), rng.integers(0, len(lived.offsets_h), 40))
    outcome = outcome_of(lived, worth)
    n_slots = len(lived.offsets_h)
    for action in range(0, outcome.shape[1], 1 if hours == 1 else 23):
        twin = lived.copy()
        item = np.full(40, (action - 1) // n_slots if action else -1)
        told = twin.step(item, np.full(40, (action - 1) % n_slots if action else 0))
        paid = np.bincount(told.row, weights=worth.of_outcomes(told), minlength=40)
        paid = paid + worth.of_send * (action > 0)
        assert np.allclose(paid, outcome[:, action], rtol=0, atol=1e-12)


@pytest.mark.parametrize("hours", [1, 24])
def test_the_weighed_mean_is_the_weighed_sum_of_all_quantities(begin: Begin, hours: int) -> None:
    """The fast path answers like the one that keeps every quantity apart."""
    lived = begin("ecommerce", 100, hours=hours)
    for _ in range(5):
        lived.step(np.full(100, 3), np.zeros(100, np.int64))
    worth = Worth(UPLIFT)
    means = means_of(lived)
    apart = worth.components(means.base[:, None, :] + means.uplift) @ UPLIFT.weights
    assert np.allclose(mean_reward(lived, worth), apart, rtol=1e-5, atol=1e-6)


def test_a_life_is_the_same_in_any_batch(begin: Begin) -> None:
    """The first ten of fifty users live as the first ten of ten."""
    many, few = begin("ecommerce", 50), begin("ecommerce", 10)
    rng = np.random.default_rng(3)
    for _ in range(20):
        item, slot = rng.integers(-1, 20, 50), rng.integers(0, 24, 50)
        many.step(item, slot)
        few.step(item[:10], slot[:10])
    for name, column in few.state.columns():
        assert np.array_equal(column, getattr(many.state, name)[:10]), name
