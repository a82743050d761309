"""LinUCB against the published bounds of disjoint arms and a dense computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explored import Explored
from policies.explorers.upper_bound import UpperBound
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.shape import PolicyShape


def _arms_request(queries: NDArray[np.float64]) -> Request:
    """Items are arms, one-hot; the one slot carries the context."""
    n = len(queries)
    start = np.zeros((n, 1), np.int64)
    return Request(
        user=np.zeros(n, np.int64),
        at_ms=start[:, 0],
        zone=np.full(n, "UTC"),
        context=np.zeros((n, 0)),
        items=np.tile(np.arange(3), (n, 1)),
        item_features=np.tile(np.eye(3), (n, 1, 1)),
        slot_features=queries[:, None, :],
        grid=SlotGrid(start_ms=start, end_ms=start + 1),
        reasons=np.zeros((n, 4), np.uint16),
    )


@pytest.mark.parametrize("alpha", [0, 0.5, 1, 1.25, 2])
@pytest.mark.parametrize("l2", [0.5, 1, 4])
def test_disjoint_arms_give_the_published_upper_bounds(
    alpha: float, l2: float, hits: RewardScheme, golden: Callable[..., dict[str, Any]]
) -> None:
    """One ridge an arm is one-hot items × context."""
    peer = golden("policies_linear_arms")
    (row,) = (row for row in peer["linucb"] if (row["alpha"], row["l2"]) == (alpha, l2))
    arms = np.eye(3)[np.array(peer["decisions"]) - 1]
    contexts = np.array(peer["contexts"], float)
    zeta = (arms[:, :, None] * contexts[:, None, :]).reshape(10, -1)
    shape = PolicyShape(
        n_context=0, n_item_features=3, n_slot_features=5, n_users=1, n_items=3, n_slots=1
    )
    model = LinearModel(shape, hits, HeadParams(prior_precision=float(l2), noise_rows=np.inf))
    explorer = UpperBound(alpha=float(alpha))
    model.head.absorb(zeta.T @ zeta, np.array([peer["rewards"]], float) @ zeta)
    asked = _arms_request(np.array(peer["queries"], float))
    np.testing.assert_allclose(
        explorer.bounds(model, asked, key=0)[:, 1:], row["expectations"], atol=1e-12
    )
    np.testing.assert_array_equal(explorer.bounds(model, asked, key=0)[:, 0], 0.0)


def test_bounds_equal_a_dense_computation(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Components are independent, so their variances add with squared weights."""
    model = LinearModel(small_shape, two_parts, HeadParams(noise_sd=0.4, noise_rows=np.inf))
    explorer = UpperBound(alpha=2.0)
    model.update(feedback_of(small_shape, 40, two_parts))
    asked = request_of(small_shape, 3)
    zeta = np.einsum("nki,nsj->nksij", asked.item_features, asked.slot_features).reshape(3, 20, -1)
    pairs = model.head.pair_block()
    mean, variance = np.full((3, 20), -0.01), np.zeros((3, 20))
    for row, weight in enumerate((1.0, -3.0)):
        precision = model.head.precision[row] + np.eye(model.head.precision.shape[1])
        theta = np.linalg.solve(precision, model.head.moment[row])[pairs]
        cov = 0.16 * np.linalg.inv(precision)[pairs, pairs]
        mean += weight * zeta @ theta
        variance += weight**2 * np.einsum("nap,pq,naq->na", zeta, cov, zeta)
    expected = mean + 2.0 * np.sqrt(variance)
    np.testing.assert_allclose(
        explorer.bounds(model, asked, key=0)[:, 1:], expected, rtol=1e-10, atol=1e-12
    )


def test_it_holds_where_every_bound_is_below_zero(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    model, explorer = LinearModel(small_shape, hits), UpperBound(alpha=0.0)
    policy = Explored(model, explorer)
    policy.update(feedback_of(small_shape, 200, hits))
    asked = request_of(small_shape, 50, n_items=1)
    bounds = explorer.bounds(model, asked, key=0)
    pmf = policy.pmf(asked, key=0)
    np.testing.assert_array_equal(pmf[:, 0] == 1.0, bounds[:, 1:].max(axis=1) < 0)
    assert 0 < pmf[:, 0].sum() < 50


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf])
def test_an_impossible_width_is_refused(alpha: float) -> None:
    with pytest.raises(BadInputError, match="expected a finite alpha of at least 0"):
        UpperBound(alpha=alpha)


def test_where_hold_is_masked_widths_are_over_the_surest_action(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """What all sends share is not known there: .01 is the reference, √(.3² + .01²) the other's."""
    model, explorer = known([0.0, 0.4, 0.5], spreads=[0.0, 0.3, 0.01]), UpperBound(alpha=2.0)
    closed = explorer.bounds(model, ask(3, mask=[False, True, True]), key=0)
    np.testing.assert_allclose(closed[0, 1:], [0.4 + 2 * np.hypot(0.3, 0.01), 0.5])
    opened = explorer.bounds(model, ask(3), key=0)
    np.testing.assert_allclose(opened, [[0.0, 1.0, 0.52]])
