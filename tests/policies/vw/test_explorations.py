"""Every exploration gives the probabilities that Vowpal Wabbit itself gives, and its goldens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from vowpalwabbit import Workspace

from bandit.errors import BadInputError, StateError
from bandit.outcomes import ENGAGEMENT, RewardScheme
from policies.shape import PolicyShape
from policies.vw import explorations as vw
from policies.vw.adf import VowpalWabbit
from policies.vw.params import VWParams

EVERY_WORD = VWParams(interactions="is ci cs ch cis", bits=14)
COMPUTED = [
    vw.EpsilonGreedy(epsilon=0.1),
    vw.First(n_rows=10, epsilon=0.2),
    vw.First(n_rows=1000),
    vw.Softmax(inverse_temperature=3.0, epsilon=0.5),
    vw.Bag(n_policies=5, epsilon=0.1),
    vw.Bag(n_policies=8, is_greedified=True),
    vw.Cover(),
    vw.Cover(n_policies=3, epsilon=0.2, is_even=False),
    vw.SquareCB(),
    vw.SynthCover(),
    vw.SynthCover(psi=2.0, n_policies=7, epsilon=0.1),
]
EVENTS = (
    ("shared | s_1 s_2", "0:1.0:0.5 | a_1 b_1 c_1", "| a_2 b_2 c_2", "| a_3 b_3 c_3"),
    ("| b_1 c_1 d_1", "0:0.0:0.5 | b_2 c_2 d_2"),
    ("| a_1 b_1 c_1", "| a_3 b_3 c_3"),
)


@pytest.mark.parametrize("explorer", COMPUTED, ids=repr)
def test_what_is_computed_here_is_what_vowpal_wabbit_says(
    explorer: Any,
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Its float32 examples beside our float64 products, masked actions left out, no ties."""
    policy = VowpalWabbit(small_shape, hits, model=EVERY_WORD, explorer=explorer)
    policy.update(feedback_of(small_shape, 60, hits))
    mask = np.random.default_rng(1).random((40, 21)) < 0.7
    mask[:, 1] = True
    asked = request_of(small_shape, 40, mask=mask)
    ours, theirs = policy.pmf(asked, 0), policy.asked(asked)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert np.unique(ours.round(6)).size > 1 or isinstance(explorer, vw.First)


def _run(arguments: str) -> tuple[float, list[list[float]]]:
    workspace = Workspace(f"{arguments} --quiet")
    predictions = []
    for event in EVENTS:
        examples = workspace.parse(list(event))
        workspace.learn(examples)
        predictions.append(examples[0].get_prediction(workspace.get_prediction_type()))
        workspace.finish_example(examples)
    return workspace.get_sum_loss() / 2, predictions  # two of the three events have a label


@pytest.mark.parametrize(
    ("explorer", "more", "loss", "predictions"),
    [
        (vw.EpsilonGreedy(epsilon=0.1), "", 1 / 3, [[1 / 3] * 3, [0.05, 0.95]]),
        (
            vw.Softmax(inverse_temperature=1.0),
            "--noconstant",
            1 / 3,
            [[1 / 3] * 3, [0.440425, 0.559575], [0.411164, 0.588835]],
        ),
        (vw.First(n_rows=2), "", 1 / 3, [[1 / 3] * 3, [0.5, 0.5], [0.0, 1.0]]),
        (vw.SynthCover(), "", 0.33, [[0.33, 0.33, 0.34]]),
        (vw.Distillation(n_targets=3, epsilon=0.1), "--noconstant", 0.335924, []),
    ],
    ids=repr,
)
def test_its_command_lines_reproduce_the_published_references(
    explorer: Any, more: str, loss: float, predictions: list[list[float]]
) -> None:
    """T2 and T3: losses and predictions of its own tests on three events."""
    got_loss, got = _run(f"--cb_explore_adf {explorer.arguments(ENGAGEMENT)} {more}")
    assert got_loss == pytest.approx(loss, abs=1e-5)
    for one, wanted in zip(got, predictions, strict=False):
        np.testing.assert_allclose(one, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "loss", "second"),
    [
        ("--cb_adf --noconstant", 1.0, None),
        ("--cb_adf --rank_all --cb_type dr", 0.931417, [0.457171, 0.121728]),
    ],
)
def test_its_regressors_reproduce_the_published_references(
    arguments: str, loss: float, second: list[float] | None
) -> None:
    """T2 and T3 without exploration; the doubly robust figures agree to 1e-4."""
    got_loss, got = _run(arguments)
    assert got_loss == pytest.approx(loss, abs=1e-4)
    if second is not None:
        np.testing.assert_allclose(got[1], second, atol=1e-4)


def test_what_only_vowpal_wabbit_knows_is_not_computed_here() -> None:
    with pytest.raises(StateError, match="expected RegCB to be asked of Vowpal Wabbit"):
        vw.RegCB().probabilities(
            np.zeros((1, 1, 2)), np.ones((1, 2), np.bool_), n_learned=0, cost_range=(0.0, 0.0)
        )


class _FromZeroToOne(vw.RegCB):
    """The range that Vowpal Wabbit takes for granted."""

    def arguments(self, scheme: RewardScheme) -> str:
        bound = " --regcbopt" if self.is_optimistic else ""
        return f"--regcb{bound} --mellowness {self.mellowness!r}"


@pytest.mark.parametrize("is_optimistic", [True, False])
def test_regcb_needs_costs_in_the_range_it_is_told(
    is_optimistic: bool,
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Costs are rewards negated: in its own range, [0, 1], it tells nothing apart."""
    shape = replace(small_shape, n_items=2, n_slots=1)
    right = vw.RegCB(is_optimistic=is_optimistic)
    assert "--cb_min_cost=-1.0 --cb_max_cost=-0.0" in right.arguments(hits)
    feedback = feedback_of(shape, 400, hits)
    hit = np.where(feedback.item_features[:, :1] > 0, 1.0, 0.5)  # so that all costs are negative
    feedback = replace(feedback, components=hit)
    asked, spread = request_of(shape, 50), {}
    wrong = _FromZeroToOne(is_optimistic=is_optimistic)
    for name, explorer in (("right", right), ("wrong", wrong)):
        policy = VowpalWabbit(shape, hits, model=VWParams(), explorer=explorer)
        policy.update(feedback)
        spread[name] = (policy.pmf(asked, 0) > 0).sum(axis=1).mean()
    assert spread["right"] < 0.6 * spread["wrong"]
    assert spread["wrong"] > 2.5  # of three actions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VWParams(cb_type="dr"), "cb_type out of .*features of actions that were not"),
        (lambda: VWParams(interactions="is si"), "expected interactions out of .*got 'si'"),
        (lambda: VWParams(bits=40), r"expected bits in \[8, 28\], got 40"),
        (lambda: VWParams(learning_rate=0.0), "expected a learning_rate above 0"),
        (lambda: VWParams(seed=-1), "expected a seed of at least 0"),
        (lambda: vw.EpsilonGreedy(epsilon=2.0), r"expected epsilon in \[0.0, 1.0\], got 2.0"),
        (lambda: vw.RegCB(largest=0.0), r"expected largest in \[1e-06, 1000000.0\], got 0.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        make()
