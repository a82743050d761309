"""Votes over a bag, with the least probabilities of Vowpal Wabbit's own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explorers.votes import Votes
from policies.models.bag import Bag, BagParams
from policies.models.linear import LinearModel
from policies.shape import PolicyShape


def test_replicates_vote_and_nobody_falls_below_the_least(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Eight replicates: shares are eighths, before .21 is shared out in hundredths."""
    bag = Bag(lambda: LinearModel(small_shape, hits), BagParams(n_replicates=8))
    bag.update(feedback_of(small_shape, 40, hits))
    asked = request_of(small_shape, 50)
    shares = Votes(epsilon=0.0).pmf(bag, asked, key=0, n_learned=40)
    np.testing.assert_allclose(8 * shares, np.round(8 * shares), atol=1e-12)
    best = np.stack([m.values(asked).argmax(axis=1) for m in bag.replicates])
    counted = np.stack([(best == a).mean(axis=0) for a in range(21)], axis=1)
    np.testing.assert_allclose(shares, counted, atol=1e-12)
    raised = Votes(epsilon=0.21).pmf(bag, asked, key=0, n_learned=40)
    assert raised.min() == pytest.approx(0.01)


def test_a_vote_of_all_leaves_the_others_the_least(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Vowpal Wabbit's own test: all votes on one of three, .3 in all for the least."""
    bag = Bag(lambda: known([0.0, 1.0, 0.5]), BagParams(n_replicates=5))
    pmf = Votes(epsilon=0.3).pmf(bag, ask(3), key=0, n_learned=0)
    np.testing.assert_allclose(pmf, [[0.1, 0.8, 0.1]])


@pytest.mark.parametrize("bad", [{"epsilon": 1.1}, {"epsilon": np.nan}, {"n_draws": 0}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=r"epsilon in \[0, 1\] and n_draws of at least 1"):
        Votes(**bad)
