"""Laws of dual ascent, for any use that hypothesis can think of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policies.budgets.dual_math import excess_of, overuse_bound, prices_of, slack_bound

USES = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 40), st.just(2)), elements=st.floats(0, 200.0)
)
STEP = st.floats(1e-4, 10.0)
GROWTH = st.sampled_from([0.0, 0.01, 0.1, 0.5])


def ascent(
    use: np.ndarray, step: float, start: float = 0.0, growth: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    excess = excess_of(use, np.array([10.0, 200.0]), np.ones(use.shape))
    return excess, prices_of(excess, np.full(2, start), step=step, growth=growth)


@given(USES, STEP, st.floats(0, 5.0), GROWTH)
def test_the_budget_is_kept_within_the_bound_that_the_price_states(
    use: np.ndarray, step: float, start: float, growth: float
) -> None:
    """Σ (use − budget) / budget ≤ θ(λ_end) − θ(λ_start), whatever is used."""
    excess, prices = ascent(use, step, start, growth)
    bound = overuse_bound(prices, step=step, growth=growth)
    assert (excess.sum(axis=0) <= bound + 1e-9 * (1 + np.abs(bound))).all()


@given(USES, STEP, st.floats(0, 5.0), GROWTH)
def test_prices_and_slack_are_complementary(
    use: np.ndarray, step: float, start: float, growth: float
) -> None:
    """What is paid for budgets that are left over is of the order of the step."""
    excess, prices = ascent(use, step, start, growth)
    paid = -(prices[:-1] * excess).sum(axis=0)
    bound = slack_bound(excess, prices, step=step, growth=growth)
    assert (paid <= bound + 1e-9 * (1 + np.abs(prices).max() * np.abs(excess).sum())).all()


@given(USES, STEP)
def test_a_limit_that_never_binds_costs_nothing(use: np.ndarray, step: float) -> None:
    """Exactly nothing, in every period."""
    _, prices = ascent(np.minimum(use, [10.0, 200.0]), step)
    assert not prices.any()


@given(USES, STEP, st.floats(0, 5.0))
def test_prices_stay_between_zero_and_the_highest(
    use: np.ndarray, step: float, start: float
) -> None:
    excess, _ = ascent(use, step)
    prices = prices_of(excess, np.full(2, start), step=step, highest=5.0)
    assert ((prices >= 0) & (prices <= 5.0)).all()
    assert prices.shape == (len(use) + 1, 2)
