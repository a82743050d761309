"""Information-directed sampling over a model's draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explorers.information_directed import InformationDirected
from policies.models.linear import LinearModel
from policies.shape import PolicyShape


def test_its_pmf_is_that_of_the_models_draws(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Two draws of an action that is −1 or ½: (¼ + ¼q)² / .5625q is least at 1, all on it."""
    model = known([0.0, -0.25], drawn=np.array([[0.0, -1.0], [0.0, 0.5]]))
    pmf = InformationDirected().pmf(model, ask(2, n=3), key=0, n_learned=0)
    np.testing.assert_allclose(pmf, [[0.0, 1.0]] * 3, atol=1e-12)


def test_without_spread_it_is_greedy_and_large_batches_are_their_rows(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Two thousand rows are several chunks of draws."""
    model = LinearModel(small_shape, hits)
    model.update(feedback_of(small_shape, 60, hits))
    asked = request_of(small_shape, 2000)
    pmf = InformationDirected(scale=0.0).pmf(model, asked, key=3, n_learned=60)
    np.testing.assert_array_equal(pmf.argmax(axis=1), model.values(asked).argmax(axis=1))
    np.testing.assert_allclose(pmf.max(axis=1), 1.0)
    spread = InformationDirected().pmf(model, asked, key=3, n_learned=60)
    assert ((spread > 0).sum(axis=1) <= 2).all()
    assert ((spread > 0).sum(axis=1) == 2).any()


@pytest.mark.parametrize("bad", [{"n_draws": 0}, {"scale": -1.0}, {"scale": np.inf}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="n_draws of at least 1 and a finite scale"):
        InformationDirected(**bad)
