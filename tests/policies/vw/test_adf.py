"""Rows wait until they are final, what was learned is saved to the bit, rewards become costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT, RewardScheme
from policies.registry import build
from policies.shape import PolicyShape
from policies.vw import explorations as vw
from policies.vw.adf import VowpalWabbit
from policies.vw.params import VWParams
from policies.vw.workspace import model_of, open_workspace

EVERY = [
    vw.EpsilonGreedy(),
    vw.First(n_rows=30),
    vw.Softmax(),
    vw.Bag(n_policies=3),
    vw.Bag(n_policies=3, is_greedified=True),
    vw.Cover(n_policies=3),
    vw.Cover(n_policies=3, epsilon=0.1, is_even=False),
    vw.SquareCB(),
    vw.SquareCB(is_eliminating=True),
    vw.RegCB(),
    vw.RegCB(is_optimistic=False),
    vw.Distillation(n_targets=2),
    vw.SynthCover(),
]


def _made(shape: PolicyShape, hits: RewardScheme, explorer: Any, **changes: Any) -> VowpalWabbit:
    return VowpalWabbit(shape, hits, model=VWParams(bits=12, **changes), explorer=explorer)


@pytest.mark.parametrize("explorer", EVERY, ids=repr)
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 60))
def test_saved_anywhere_it_goes_on_as_if_it_had_never_stopped(
    explorer: Any,
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
    *,
    cut: int,
) -> None:
    """Through bytes, in every exploration, to the bit of model and probabilities."""
    never, stopped, resumed = (_made(small_shape, hits, explorer) for _ in range(3))
    parts = (
        feedback_of(small_shape, cut, hits, seed=1),
        feedback_of(small_shape, 60 - cut, hits, seed=2, first_id=1000),
    )
    never.update(parts[0])
    stopped.update(parts[0])
    resumed.load({name: array.copy() for name, array in stopped.state().items()})
    for one in (never, resumed):
        one.update(parts[1])
    asked = request_of(small_shape, 10)
    assert resumed.pmf(asked, 0).tobytes() == never.pmf(asked, 0).tobytes()
    for name, array in never.state().items():
        assert resumed.state()[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize(
    "explorer", [vw.Bag(n_policies=3), vw.Cover(), vw.Distillation()], ids=repr
)
def test_without_our_options_vowpal_wabbit_itself_does_not_go_on_as_before(explorer: Any) -> None:
    """Why a seed is given and state is kept per model: its plain file loses both."""

    def learned(workspace: Any, first: int) -> bytes:
        for n in range(first, first + 50):
            label = f"0:{-(n % 3) / 2}:{0.2 + n % 4 / 5}"
            lines = [f"shared |c 0:{n % 5}", f"{label} |i {n % 4}:{1 + n % 3}"]
            examples = workspace.parse(lines)
            workspace.learn(examples)
        return model_of(workspace)

    continued = {}
    for name, more in (("plain", ""), ("ours", "--random_seed 1 --per_model_save_load")):
        never = open_workspace(
            f"--cb_explore_adf {explorer.arguments(ENGAGEMENT)} -b 12 --quiet {more}"
        )
        resumed = open_workspace("", learned(never, 0))
        continued[name] = learned(never, 50) == learned(resumed, 50)
    assert continued == {"plain": False, "ours": True}


def test_rows_are_held_back_until_every_component_is_mature(
    small_shape: PolicyShape, two_parts: RewardScheme, feedback_of: Callable[..., Any]
) -> None:
    """One late component holds its row; what is released is the components of that day."""
    policy = _made(small_shape, two_parts, vw.EpsilonGreedy())
    maturity = np.ones((6, 3))
    maturity[2:4, 2] = 0.5
    early = feedback_of(small_shape, 6, two_parts, maturity=maturity)
    policy.update(early)
    assert policy.n_learned == 4
    assert policy.state()["open.decision_id"].tolist() == [2, 3]
    policy.revise(_rows(early, np.array([2, 3])))
    assert policy.n_learned == 4
    final = replace(early, maturity=np.ones((6, 3)))
    policy.revise(_rows(final, np.array([3, 2])))
    assert policy.n_learned == 6
    assert policy.state()["open.decision_id"].size == 0


def test_a_reward_is_a_cost_negated_and_its_estimate_adds_up(
    small_shape: PolicyShape,
    two_parts: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Sends that are worth 2 − .01 and holds worth .5 are estimated so, in the scheme's sum."""
    policy = _made(small_shape, two_parts, vw.EpsilonGreedy(), cb_type="dm")
    feedback = feedback_of(small_shape, 3000, two_parts)
    components = np.zeros((3000, 3))
    components[:, 0] = np.where(feedback.is_send, 2.0, 0.5)
    components[:, 1] = feedback.is_send
    policy.update(replace(feedback, components=components))
    guess = policy.estimate(request_of(small_shape, 30))
    np.testing.assert_allclose(two_parts.reward(guess.base_mean), 0.5, atol=0.05)
    uplift = two_parts.reward(guess.uplift_mean)[:, 1:]
    np.testing.assert_allclose(uplift.mean(), 1.49, atol=0.1)
    np.testing.assert_allclose(uplift, 1.49, atol=0.3)
    np.testing.assert_array_equal(guess.uplift_mean[:, 1:, 1], 1.0)
    assert policy.cost_range == pytest.approx([-1.99, 0.0])


def test_new_weights_reach_rows_that_are_learned_from_then_on(
    small_shape: PolicyShape, two_parts: RewardScheme, feedback_of: Callable[..., Any]
) -> None:
    policy = _made(small_shape, two_parts, vw.EpsilonGreedy())
    policy.update(feedback_of(small_shape, 20, two_parts, components=np.zeros((20, 3))))
    before = policy.state()["model"].tobytes()
    hit, message, leave = two_parts.components
    policy.scheme = replace(two_parts, components=(hit, replace(message, weight=-5.0), leave))
    assert policy.state()["model"].tobytes() == before
    ones = np.tile([0.0, 1.0, 0.0], (5, 1))
    policy.update(feedback_of(small_shape, 5, two_parts, first_id=100, components=ones))
    assert policy.cost_range[1] == 5.0
    with pytest.raises(BadInputError, match="other components need a policy of their own"):
        policy.scheme = replace(two_parts, components=(hit,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"propensity": np.zeros(4)}, r"expected propensities in \(0, 1\]"),
        ({"components": np.full((4, 1), np.nan)}, "expected finite components"),
    ],
)
def test_feedback_that_cannot_be_learned_is_refused(
    changes: dict[str, Any],
    message: str,
    small_shape: PolicyShape,
    hits: RewardScheme,
    feedback_of: Callable[..., Any],
) -> None:
    policy = _made(small_shape, hits, vw.EpsilonGreedy())
    with pytest.raises(BadInputError, match=message):
        policy.update(replace(feedback_of(small_shape, 4, hits), **changes))
    assert policy.n_learned == 0


def test_the_library_is_loaded_by_who_builds_one_and_missed_with_a_clear_error() -> None:
    """``import policies.registry`` does not load it; without it a build says what to install."""
    code = """
import sys
import policies.registry as registry
assert not [m for m in sys.modules if "vowpal" in m or "pylibvw" in m]
assert registry.entry("vw_bag").needs == "vw"
sys.modules["vowpalwabbit"] = None
from bandit.outcomes import UPLIFT
shape = registry.PolicyShape(n_context=1, n_item_features=1, n_slot_features=1, n_users=1,
                             n_items=1, n_slots=1)
try:
    registry.build("vw_bag", shape, scheme=UPLIFT)
except registry.BadInputError as error:
    print(error)
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert "expected the extra 'vw' for policy 'vw_bag'" in done.stdout
    assert "pip install 'opportune[vw]'" in done.stdout


def test_defaults_are_built_from_a_table(small_shape: PolicyShape, hits: RewardScheme) -> None:
    options = {"explorer": {"n_policies": 2}, "model": {"interactions": "is ci", "bits": 10}}
    policy = build("vw_bag", small_shape, scheme=hits, options=options)
    assert isinstance(policy, VowpalWabbit)
    assert policy.explorer == vw.Bag(n_policies=2)
    assert policy.params.words == ("is", "ci")


def _rows(feedback: Any, rows: np.ndarray) -> Any:
    names = [name for name in type(feedback).__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[rows] for name in names})
