"""Double DQN as deployed: ε-greedy over what was trained, unchanged by feedback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.baselines.double_dqn import DoubleDqn, DqnParams
from policies.baselines.q_network import QNetwork
from policies.registry import build
from policies.shape import PolicyShape


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """Path of a network for the small shape."""
    rng = np.random.default_rng(1)
    blank = QNetwork.blank((3, 4, 3), hidden=8, width=5, rng=rng)
    path = tmp_path / "network.npz"
    np.savez(path, **replace(blank, theta=rng.normal(size=len(blank.theta))).state())
    return str(path)


def test_the_best_action_has_all_but_epsilon(
    saved: str, request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """.2 over 10 open actions is .02 each, .82 for the best of them."""
    mask = np.zeros((6, 21), np.bool_)
    mask[:, ::2] = True
    mask[:, 20] = False
    asked = request_of(small_shape, 6, mask=mask)
    options = {"params": {"network": saved, "epsilon": 0.2}}
    policy = build("double_dqn", small_shape, scheme=hits, options=options)
    assert isinstance(policy, DoubleDqn)
    pmf = policy.pmf(asked, 3)
    best = np.where(mask, policy.network.values(asked), -np.inf).argmax(axis=1)
    np.testing.assert_allclose(pmf[np.arange(6), best], 0.82)
    np.testing.assert_allclose(np.sort(pmf[0])[-10:-1], 0.02)
    np.testing.assert_array_equal(pmf[~mask], 0.0)


def test_feedback_changes_nothing(
    saved: str,
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    policy = DoubleDqn(small_shape, hits, params=DqnParams(network=saved))
    before = policy.state()
    policy.update(feedback_of(small_shape, 9, hits))
    policy.revise(feedback_of(small_shape, 9, hits))
    assert all(policy.state()[name].tobytes() == array.tobytes() for name, array in before.items())


def test_settings_that_cannot_be_are_refused() -> None:
    for change in ({"epsilon": 1.5}, {"hidden": 0}):
        with pytest.raises(BadInputError, match=r"expected (epsilon|hidden)"):
            replace(DqnParams(), **change)
