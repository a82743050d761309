"""Laws of learning: order, revision, weights, turning, saving, and any number of rows.

A case enters each; the reason leaves if the policy declares that it cannot, ``None`` if it obeys.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.floor import check_pmf
from bandit.join import Emission, Joiner
from bandit.protocols import Policy
from bandit.slots import DAY_MS
from policies.conformance.case import Case, assert_close, bytes_of, expect, expect_same_belief
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.walks import loop_of
from policies.conformance.world import HITS, tiny_world
from policies.registry import build

__all__ = ["LAWS"]


def weights_apply_late(case: Case) -> str | None:
    """Messages that cost 1e6 from now on are held, whatever was learned before."""
    policy = case.taught()
    hit, message, click = HITS.components
    dear = replace(HITS, components=(hit, replace(message, weight=-1e6), click))
    _reweigh(policy, dear)
    holds = policy.pmf(request_of(case.shape, 20), 9)[:, 0]
    reason = case.obeys(
        "holds_when_sends_are_dear",
        is_met=(holds > 0.99).all(),
        words="expected P(hold) above .99 once `policy.scheme` makes a message cost 1e6, got "
        f"{holds.min():.3g}: apply the weights inside pmf",
    )
    _reweigh(policy, HITS)
    asked = request_of(case.shape, 20)
    is_same = policy.pmf(asked, 9).tobytes() == case.taught().pmf(asked, 9).tobytes()
    expect(is_same, "expected the old weights to bring the old pmf back, in bytes")
    return reason


def it_turns_with_the_encoder(case: Case) -> str | None:
    """The same estimates in the new basis, also from a saved state; revision stays exact."""
    policy, resumed = case.taught(), case.fresh()
    reason = case.cannot("turns_with_the_encoder")
    if reason is not None:
        _expect_no_turn(policy)
        return reason
    early = feedback_of(case.shape, 20, seed=3, first_id=100, share=0.5)
    policy.update(early)
    resumed.load(policy.state())
    asked = request_of(case.shape, 10)
    before = policy.estimate(asked)
    basis, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(case.shape.n_context,) * 2))
    for one in (policy, resumed):
        _rotate(one, basis)
    expect(
        bytes_of(resumed.state()) == bytes_of(policy.state()),
        "expected a saved policy to turn into the same state, in bytes",
    )
    after = policy.estimate(replace(asked, context=asked.context @ basis.T))
    for name in ("base_mean", "base_sd", "uplift_mean", "uplift_sd"):
        np.testing.assert_allclose(
            getattr(after, name), getattr(before, name), rtol=1e-9, atol=1e-10
        )
    final = replace(early, maturity=np.ones_like(early.maturity))
    policy.revise(final)
    once = case.taught()
    once.update(final)
    _rotate(once, basis)
    return expect_same_belief(case, asked, policy, once)


def the_order_of_rows_in_a_batch_does_not_matter(case: Case) -> None:
    """A batch has no order: rows that came together end in one state."""
    feedback = feedback_of(case.shape, 80, share=0.5)
    straight, mixed = case.fresh(), case.fresh()
    straight.update(feedback)
    mixed.update(feedback.take(np.random.default_rng(2).permutation(80)))
    assert_close(mixed.state(), straight.state())


def revised_rows_equal_rows_learned_once(case: Case) -> str | None:
    """Learned half-grown and revised twice, beside learned when final."""
    revised, once = case.fresh(), case.fresh()
    final = feedback_of(case.shape, 60)
    half = replace(
        final, components=0.3 * final.components, maturity=np.full(final.maturity.shape, 0.4)
    )
    revised.update(half)
    revised.revise(replace(half, maturity=np.full(final.maturity.shape, 0.7)))
    revised.revise(final)
    once.update(final)
    return expect_same_belief(case, request_of(case.shape, 20), revised, once)


def learning_early_through_the_join_ends_where_learning_late_does(case: Case) -> str | None:
    """The same days, learned at once and revised for three days, and learned when final."""
    early, late = (case.fresh(tiny_world().shape) for _ in range(2))
    n_revised = 0
    for policy, emission in ((early, Emission.DELAY_AWARE), (late, Emission.WHEN_FINAL)):
        world = tiny_world(n_days=10, p_click=0.3)
        loop = loop_of(world, build("random", world.shape, scheme=HITS))
        loop.join = Joiner(
            HITS, horizon_ms=3 * DAY_MS, emission=emission, list_width=world.uplift.shape[1]
        )
        steps = [(step.fresh, step.revised) for step in loop.run()]
        steps.append(loop.join.advance(world.now_ms + 9 * DAY_MS))
        for fresh, revised in steps:
            policy.update(fresh)
            policy.revise(revised)
            n_revised += revised.n_rows
    expect(n_revised > 400, f"expected more than 400 revised rows to learn from, got {n_revised}")
    return expect_same_belief(case, request_of(tiny_world().shape, 20), early, late)


def a_saved_policy_resumes_as_if_never_stopped(case: Case) -> None:
    """Through bytes on disk: the same state, and the same pmf after learning on."""
    policy, resumed = case.taught(), case.fresh()
    policy.update(feedback_of(case.shape, 20, seed=3, first_id=100, share=0.5))
    file, arrays = io.BytesIO(), dict[str, Any](policy.state())
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        resumed.load(dict(stored))
    _expect_same_bytes(policy, resumed, "after load")
    asked = request_of(case.shape, 10)
    for one in (policy, resumed):
        one.revise(feedback_of(case.shape, 20, seed=3, first_id=100))
        one.update(feedback_of(case.shape, 20, seed=4, first_id=200))
    _expect_same_bytes(policy, resumed, "after learning on")
    is_same = resumed.pmf(asked, 9).tobytes() == policy.pmf(asked, 9).tobytes()
    expect(is_same, "expected the pmf of the policy that never stopped, in bytes")


def a_state_is_a_snapshot(case: Case) -> None:
    """Learning on does not change a state taken before, nor the one that was loaded."""
    policy = case.taught()
    taken = policy.state()
    before = bytes_of(taken)
    policy.update(feedback_of(case.shape, 20, first_id=100, share=0.5))
    policy.revise(feedback_of(case.shape, 20, first_id=100))
    expect(bytes_of(taken) == before, "expected `state()` to be a copy: learning on changed it")
    policy.load(taken)
    policy.update(feedback_of(case.shape, 20, first_id=100, share=0.5))
    expect(bytes_of(taken) == before, "expected `load` to copy: learning on changed what was given")


def any_number_of_rows_is_learned_and_answered(case: Case) -> None:
    """None, one, and a hundred thousand."""
    for n_rows in (0, 1, 100_000):
        policy = case.taught()
        policy.update(feedback_of(case.shape, n_rows, first_id=100))
        policy.revise(feedback_of(case.shape, 0))
        asked = request_of(case.shape, n_rows, n_items=2)
        pmf = policy.pmf(asked, 9)
        shape = n_rows, asked.n_actions
        expect(pmf.shape == shape, f"expected a pmf of shape {shape}, got {pmf.shape}")
        check_pmf(pmf, asked.mask)


def _reweigh(policy: Policy, scheme: object) -> None:
    policy.scheme = scheme  # type: ignore[attr-defined]


def _rotate(policy: Policy, basis: NDArray[np.float64]) -> None:
    rotate = getattr(policy, "rotate", None)
    expect(
        rotate is not None,
        "expected `rotate(basis, kept)` for when the encoder's basis turns, got none: a policy "
        "without coordinates of the context says so, `cannot = {'turns_with_the_encoder': why}`",
    )
    policy.rotate(basis, 1.0)  # type: ignore[attr-defined]


def _expect_no_turn(policy: Policy) -> None:
    """A policy that cannot turn has no ``rotate``, or one that says what to do instead."""
    if not hasattr(policy, "rotate"):
        return
    try:
        policy.rotate(np.eye(3), 1.0)
    except BadInputError as error:
        expect("turns with the encoder" in str(error), f"expected to be told to refit, got {error}")
    else:
        expect(False, "expected `rotate` to refuse, as `cannot` declares")


def _expect_same_bytes(policy: Policy, resumed: Policy, when: str) -> None:
    is_same = bytes_of(resumed.state()) == bytes_of(policy.state())
    expect(is_same, f"expected the state of the policy that never stopped {when}, in bytes")


LAWS = (
    weights_apply_late,
    it_turns_with_the_encoder,
    the_order_of_rows_in_a_batch_does_not_matter,
    revised_rows_equal_rows_learned_once,
    learning_early_through_the_join_ends_where_learning_late_does,
    a_saved_policy_resumes_as_if_never_stopped,
    a_state_is_a_snapshot,
    any_number_of_rows_is_learned_and_answered,
)
