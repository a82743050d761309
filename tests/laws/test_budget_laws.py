"""Laws of dual ascent, for any use that hypothesis can think of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policies.budgets.dual_math import excess_of, overuse_bound, prices_of, slack_bound

USES = hnp.arrays(np.float64, st.tuples(st.integers(0, 40), st.just(2)), elements=st.floats(0, 1e4))
STEP = st.floats(1e-4, 10.0)


def ascent(use: np.ndarray, step: float, start: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    excess = excess_of(use, np.array([10.0, 200.0]), np.ones(use.shape))
    return excess, prices_of(excess, np.full(2, start), step=step, highest=np.inf)


@given(USES, STEP, st.floats(0, 5.0))
def test_the_budget_is_kept_within_the_bound_that_the_price_states(
    use: np.ndarray, step: float, start: float
) -> None:
    """Σ (use − budget) / budget ≤ (λ_end − λ_start) / step, whatever is used."""
    excess, prices = ascent(use, step, start)
    bound = overuse_bound(prices, step=step)
    assert (excess.sum(axis=0) <= bound + 1e-9 * (1 + np.abs(bound))).all()


@given(USES, STEP, st.floats(0, 5.0))
def test_prices_and_slack_are_complementary(use: np.ndarray, step: float, start: float) -> None:
    """What is paid for budgets that are left over is of the order of the step."""
    excess, prices = ascent(use, step, start)
    paid = -(prices[:-1] * excess).sum(axis=0)
    bound = slack_bound(excess, prices, step=step)
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
