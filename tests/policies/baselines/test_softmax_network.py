"""A policy network as deployed: the softmax of its logits over what may be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.baselines.q_network import QNetwork
from policies.baselines.softmax_network import SoftmaxNetwork
from policies.baselines.trained_network import NetworkParams
from policies.registry import build
from policies.shape import PolicyShape


def network() -> QNetwork:
    """With weights in every place, for the small shape."""
    rng = np.random.default_rng(1)
    blank = QNetwork.blank((3, 4, 3), hidden=8, width=5, rng=rng)
    return replace(blank, theta=rng.normal(size=len(blank.theta)))


@pytest.mark.parametrize("policy_id", ["rllib_ppo", "rllib_bc", "rllib_marwil"])
def test_it_samples_from_the_softmax_of_what_may_be_done(
    policy_id: str,
    tmp_path: Path,
    request_of: Callable[..., Request],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """By the formula, action by action, from a saved network."""
    path = tmp_path / "network.npz"
    np.savez(path, **network().state())
    mask = np.zeros((6, 21), np.bool_)
    mask[:, ::2] = True
    asked = request_of(small_shape, 6, mask=mask)
    options = {"params": {"network": str(path)}}
    policy = build(policy_id, small_shape, scheme=hits, options=options)
    pmf = policy.pmf(asked, 3)
    logits = network().values(asked)
    for row in range(6):
        whole = sum(np.exp(logits[row, action]) for action in range(0, 21, 2))
        for action in range(21):
            wanted = np.exp(logits[row, action]) / whole if action % 2 == 0 else 0.0
            assert pmf[row, action] == pytest.approx(wanted, rel=1e-12)


def test_what_all_actions_share_is_no_part_of_the_probabilities(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """The base, where PPO keeps its critic."""
    asked, one = request_of(small_shape, 6), network()
    other = one.theta.copy()
    other[: one.towers.n_base] += 3.0
    pmfs = []
    for theta in (one.theta, other):
        policy = SoftmaxNetwork(small_shape, hits, params=NetworkParams(hidden=8, width=5))
        policy.load(replace(one, theta=theta).state())
        pmfs.append(policy.pmf(asked, 1))
    np.testing.assert_allclose(pmfs[0], pmfs[1], rtol=1e-10)


def test_feedback_changes_nothing(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    policy = SoftmaxNetwork(small_shape, hits)
    before = policy.state()
    policy.update(feedback_of(small_shape, 9, hits))
    policy.revise(feedback_of(small_shape, 9, hits))
    assert all(policy.state()[name].tobytes() == array.tobytes() for name, array in before.items())


def test_a_network_that_is_not_there_is_refused_by_its_path(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.npz.*experiments.rllib_train"):
        SoftmaxNetwork(small_shape, hits, params=NetworkParams(network="nowhere.npz"))
    with pytest.raises(BadInputError, match="hidden and width of at least 1, got 0, 16"):
        NetworkParams(hidden=0)
