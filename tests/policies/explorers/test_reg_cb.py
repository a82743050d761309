"""RegCB: bounds by hand, and the range of rewards that must not be guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.contrasts import best_known
from policies.explorers.reg_cb import RegCB, confidence_bounds
from policies.models.linear import LinearModel
from policies.shape import PolicyShape


def test_bounds_by_hand(known: Callable[..., Any], ask: Callable[..., Any]) -> None:
    """Three unmasked actions and 9 rows: √(.5·log 30) standard deviations of differences to .2."""
    model = known([0.0, 0.2, -0.1, 9.0], spreads=[0.0, 0.1, 0.3, 9.0])
    asked = ask(4, mask=[True, True, True, False])
    lower, upper = confidence_bounds(
        model, asked, best_known(model, asked), key=0, n_learned=9, mellowness=0.5
    )
    width = np.sqrt(0.5 * np.log(30.0)) * np.sqrt([0.01, 0.0, 0.1])
    gap = np.array([-0.2, 0.0, -0.3])
    np.testing.assert_allclose(lower[0, :3], gap - width)
    np.testing.assert_allclose(upper[0, :3], gap + width)


def test_elimination_plays_what_could_be_best_and_optimism_what_might_be(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """One standard deviation either way.

    .3 ± .15 against .2 ± .1, which could win, .025 ± .025 and hold, which could not; over hold the
    most that .3 may add is .45.
    """
    model = known([0.0, 0.2, 0.3, 0.025], spreads=[0.0, 0.1, 0.15, 0.025])
    one_sd = 1 / np.log(4.0)
    elimination = RegCB(mellowness=one_sd).pmf(model, ask(4), key=0, n_learned=0)
    np.testing.assert_allclose(elimination, [[0.0, 0.5, 0.5, 0.0]])
    optimism = RegCB(mellowness=one_sd, is_optimistic=True).pmf(model, ask(4), key=0, n_learned=0)
    np.testing.assert_allclose(optimism, [[0.0, 0.0, 1.0, 0.0]])


def test_bounds_of_a_linear_model_are_those_of_its_ellipsoid(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """No regressor on the ellipsoid leaves the bounds, and one of them meets each."""
    model = LinearModel(small_shape, hits)
    model.update(feedback_of(small_shape, 60, hits))
    asked = request_of(small_shape, 1)
    lower, upper = confidence_bounds(
        model, asked, best_known(model, asked), key=0, n_learned=60, mellowness=0.3
    )
    radius = np.sqrt(0.3 * np.log(21 * 61))
    mean, factor = model.head.posterior()
    pairs = model.head.pair_block()
    item, slot = asked.item_features[0], asked.slot_features[0]
    zeta = np.zeros((21, 12))
    zeta[1:] = np.einsum("ki,sj->ksij", item, slot).reshape(20, 12)
    zeta -= zeta[(zeta @ mean[0, pairs]).argmax()]
    edge = np.random.default_rng(0).normal(size=(20_000, factor.shape[2]))
    edge *= radius / np.linalg.norm(edge, axis=1, keepdims=True)
    worth = (mean[0, pairs] + edge @ factor[0, pairs].T) @ zeta.T
    assert (worth <= upper[0] + 1e-12).all()
    assert (worth >= lower[0] - 1e-12).all()
    reach = radius * np.linalg.norm(zeta @ factor[0, pairs], axis=1)  # Cauchy and Schwarz
    np.testing.assert_allclose(upper[0], zeta @ mean[0, pairs] + reach, rtol=1e-9, atol=1e-12)


def test_bounds_are_cut_at_what_the_scheme_can_pay(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """One hit at most: no difference is beyond 1 either way."""
    model = known([0.0, 0.5, -0.5], spreads=[0.0, 9.0, 9.0])
    lower, upper = confidence_bounds(
        model, ask(3), np.array([1]), key=0, n_learned=9, mellowness=1.0, largest=1.0
    )
    np.testing.assert_array_equal(lower, [[-1.0, 0.0, -1.0]])
    np.testing.assert_array_equal(upper, [[1.0, 0.0, 1.0]])


def test_what_all_sends_share_does_not_keep_a_worse_one(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Rows that all were sent: each uplift is vague, and the best send is known."""
    made = feedback_of(small_shape, 4000, hits)
    rng = np.random.default_rng(2)
    item = np.eye(4)[rng.integers(0, 4, 4000)]
    made = replace(
        made,
        is_send=np.ones(4000, np.bool_),
        item_features=item,
        slot_features=np.tile([1.0, 0.0, 0.0], (4000, 1)),
        components=0.2 + 0.3 * item[:, :1] + 0.1 * rng.normal(size=(4000, 1)),
    )
    model = LinearModel(small_shape, hits)
    model.update(made)
    mask = np.ones((1, 5), np.bool_)
    mask[:, 0] = False
    asked = request_of(replace(small_shape, n_items=4, n_slots=1), 1, mask=mask)
    asked.item_features[0] = np.eye(4)
    asked.slot_features[0] = [1.0, 0.0, 0.0]
    assert model.spreads(asked)[0, 1:].min() > 0.03
    np.testing.assert_allclose(
        RegCB(mellowness=1.0).pmf(model, asked, key=0, n_learned=4000), [[0, 1, 0, 0, 0]]
    )


def test_the_doubt_about_the_best_does_not_speak_for_a_worse_one(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Hold is masked; .5 ± .3 was hardly tried, .4 ± .01 often: optimism tries the first."""
    model = known([0.0, 0.5, 0.4], spreads=[0.0, 0.3, 0.01])
    asked = ask(3, mask=[False, True, True])
    pmf = RegCB(mellowness=1.0, is_optimistic=True).pmf(model, asked, key=0, n_learned=99)
    np.testing.assert_array_equal(pmf, [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_leaves_uniform_whatever_the_sign_of_rewards(
    sign: float, known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Values of −.5 and −.4, or .4 and .5, known to .01: settled, where a guessed range is not."""
    values = [0.45, 0.4, 0.5] if sign > 0 else [-0.45, -0.5, -0.4]
    model = known(values, spreads=[0.01] * 3)
    for is_optimistic in (False, True):
        explorer = RegCB(is_optimistic=is_optimistic)
        pmf = explorer.pmf(model, ask(3), key=0, n_learned=1000)
        np.testing.assert_array_equal(pmf, [[0.0, 0.0, 1.0]])


@pytest.mark.parametrize("bad", [{"mellowness": -1.0}, {"mellowness": np.inf}, {"largest": 0.0}])
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="finite mellowness of at least 0 and a largest above"):
        RegCB(**bad)  # type: ignore[arg-type]
