"""The laws of a policy, run on every registered one.

A law that a policy declares it cannot meet is run all the same: it must really fail, or be
without meaning there, and the declared reason is printed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandit.actions import Request, action_of, take_requests
from bandit.errors import BadInputError
from bandit.floor import check_pmf
from bandit.join import Emission, Joiner
from bandit.protocols import Policy
from bandit.slots import DAY_MS
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import build

LAWS = {
    "beats_uniform_on_tiny",
    "holds_when_sends_are_dear",
    "learns_identity",
    "permutes_slots",
    "refuses_nan",
    "revises_exactly",
    "turns_with_the_encoder",
}
"""Laws that a policy may declare it cannot meet; all others bind everyone."""


def test_declared_exceptions_name_known_laws_and_give_reasons(case: Any) -> None:
    cannot = case.fresh().cannot
    assert set(cannot) <= LAWS
    assert all(reason.strip() for reason in cannot.values())


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n=st.integers(1, 6),
    k=st.integers(1, 5),
    s=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1e-12, 1.0, 1e12]),
    seed=st.integers(0, 2**32 - 1),
    p_open=st.sampled_from([0.05, 0.5, 1.0]),
)
def test_a_pmf_sums_to_one_and_respects_any_mask(
    case: Any,
    bench: Any,
    *,
    n: int,
    k: int,
    s: int,
    scale: float,
    seed: int,
    p_open: float,
) -> None:
    """Any shape, any mask that leaves an action, features from nothing to enormous."""
    shape = replace(case.shape, n_slots=s)
    rng = np.random.default_rng(seed)
    mask = rng.random((n, 1 + k * s)) < p_open
    mask[np.arange(n), rng.integers(0, 1 + k * s, n)] = True
    asked = bench.request_of(shape, n, seed=seed, n_items=k, scale=scale, mask=mask)
    for policy in (case.fresh(shape), case.taught(shape)):
        check_pmf(policy.pmf(asked, seed), mask)


def test_permuting_items_permutes_the_pmf(case: Any, bench: Any) -> None:
    policy = case.taught()
    rng = np.random.default_rng(1)
    mask = rng.random((30, 21)) < 0.7
    mask[:, 0] = True
    asked = bench.request_of(case.shape, 30, mask=mask)
    order = rng.permutation(5)
    columns = np.concatenate(
        [[0], action_of(order[:, None], np.arange(4)[None, :], n_slots=4).ravel()]
    )
    turned = replace(
        asked,
        items=asked.items[:, order],
        item_features=asked.item_features[:, order],
        reasons=asked.reasons[:, columns],
    )
    np.testing.assert_allclose(policy.pmf(turned, 9), policy.pmf(asked, 9)[:, columns], atol=1e-6)


def test_permuting_slots_permutes_the_pmf(case: Any, bench: Any) -> None:
    policy = case.taught()
    rng = np.random.default_rng(2)
    mask = rng.random((30, 21)) < 0.7
    mask[:, 0] = True
    asked = bench.request_of(case.shape, 30, mask=mask)
    order = rng.permutation(4)
    columns = np.concatenate(
        [[0], action_of(np.arange(5)[:, None], order[None, :], n_slots=4).ravel()]
    )
    turned = replace(
        asked,
        slot_features=asked.slot_features[:, order],
        grid=replace(
            asked.grid, start_ms=asked.grid.start_ms[:, order], end_ms=asked.grid.end_ms[:, order]
        ),
        reasons=asked.reasons[:, columns],
    )
    difference = np.abs(policy.pmf(turned, 9) - policy.pmf(asked, 9)[:, columns]).max()
    _obeys(case, "permutes_slots", is_met=difference <= 1e-6)


def test_masked_padding_changes_nothing(case: Any, bench: Any) -> None:
    """A short list of two, and the same two among five of which three are masked."""
    policy = case.taught()
    mask = np.ones((30, 21), np.bool_)
    mask[:, 9:] = False
    padded = bench.request_of(case.shape, 30, mask=mask)
    short = replace(
        padded,
        items=padded.items[:, :2],
        item_features=padded.item_features[:, :2],
        reasons=padded.reasons[:, :9],
    )
    np.testing.assert_allclose(policy.pmf(padded, 9)[:, :9], policy.pmf(short, 9), atol=1e-6)


def test_an_empty_short_list_is_held(case: Any, bench: Any) -> None:
    asked = bench.request_of(case.shape, 3)
    nothing = replace(
        asked,
        items=asked.items[:, :0],
        item_features=asked.item_features[:, :0],
        reasons=asked.reasons[:, :1],
    )
    policy = case.taught()
    np.testing.assert_array_equal(policy.pmf(nothing, 9), np.ones((3, 1)))
    assert policy.estimate(nothing).uplift_mean.shape == (3, 1, 3)


def test_weights_apply_late(case: Any, bench: Any) -> None:
    """Messages that cost 1e6 from now on are held, whatever was learned before."""
    policy = case.taught()
    hit, message, click = bench.scheme.components
    dear = replace(bench.scheme, components=(hit, replace(message, weight=-1e6), click))
    policy.scheme = dear
    holds = policy.pmf(bench.request_of(case.shape, 20), 9)[:, 0]
    _obeys(case, "holds_when_sends_are_dear", is_met=(holds > 0.99).all())
    policy.scheme = bench.scheme
    asked = bench.request_of(case.shape, 20)
    assert policy.pmf(asked, 9).tobytes() == case.taught().pmf(asked, 9).tobytes()


def test_it_turns_with_the_encoder(case: Any, bench: Any) -> None:
    """The same estimates in the new basis, also from a saved state; revision stays exact."""
    policy, resumed = case.taught(), case.fresh()
    if case.cannot("turns_with_the_encoder") is not None:
        if hasattr(policy, "rotate"):
            with pytest.raises(BadInputError, match="turns with the encoder"):
                policy.rotate(np.eye(3), 1.0)
        return
    early = bench.feedback_of(case.shape, 20, seed=3, first_id=100, share=0.5)
    policy.update(early)
    resumed.load(policy.state())
    asked = bench.request_of(case.shape, 10)
    before = policy.estimate(asked)
    basis, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    for one in (policy, resumed):
        one.rotate(basis, 1.0)
    assert _bytes(resumed.state()) == _bytes(policy.state())
    after = policy.estimate(replace(asked, context=asked.context @ basis.T))
    for name in ("base_mean", "base_sd", "uplift_mean", "uplift_sd"):
        np.testing.assert_allclose(
            getattr(after, name), getattr(before, name), rtol=1e-9, atol=1e-10
        )
    final = replace(early, maturity=np.ones_like(early.maturity))
    policy.revise(final)
    once = case.taught()
    once.update(final)
    once.rotate(basis, 1.0)
    _assert_same_belief(case, asked, policy, once)


def test_twin_items_get_the_same_probability(case: Any, bench: Any) -> None:
    """Two items that no feature tells apart must not be told apart by their position."""
    policy = case.taught()
    asked = bench.request_of(case.shape, 30)
    asked.item_features[:, 3] = asked.item_features[:, 1]
    asked.items[:, 3] = asked.items[:, 1]
    sends = policy.pmf(asked, 9)[:, 1:].reshape(30, 5, 4)
    np.testing.assert_allclose(sends[:, 1], sends[:, 3], atol=1e-6)


def test_a_batch_is_its_rows(case: Any, bench: Any) -> None:
    policy = case.taught()
    asked = bench.request_of(case.shape, 40)
    single = [policy.pmf(take_requests(asked, np.array([row])), 9) for row in range(40)]
    np.testing.assert_allclose(np.concatenate(single), policy.pmf(asked, 9), atol=1e-6)


def test_asking_changes_nothing(case: Any, bench: Any) -> None:
    """Neither the policy nor the request: the same question has the same answer, in bytes."""
    policy = case.taught()
    asked = bench.request_of(case.shape, 10)
    before, features = _bytes(policy.state()), asked.item_features.copy()
    first = policy.pmf(asked, 9)
    policy.estimate(asked)
    assert policy.pmf(asked, 9).tobytes() == first.tobytes()
    assert _bytes(policy.state()) == before
    np.testing.assert_array_equal(asked.item_features, features)


def test_estimates_keep_base_and_uplift_apart(case: Any, bench: Any) -> None:
    guess = case.taught().estimate(bench.request_of(case.shape, 6))
    assert guess.base_mean.shape == guess.base_sd.shape == (6, 3)
    assert guess.uplift_mean.shape == guess.uplift_sd.shape == (6, 21, 3)
    assert (guess.base_sd >= 0).all()
    assert (guess.uplift_sd >= 0).all()
    np.testing.assert_array_equal(guess.uplift_mean[:, 0], 0.0)
    np.testing.assert_array_equal(guess.uplift_sd[:, 0], 0.0)


def test_the_order_of_rows_in_a_batch_does_not_matter(case: Any, bench: Any) -> None:
    feedback = bench.feedback_of(case.shape, 80, share=0.5)
    straight, mixed = case.fresh(), case.fresh()
    straight.update(feedback)
    mixed.update(bench.rows_of(feedback, np.random.default_rng(2).permutation(80)))
    _assert_close(mixed.state(), straight.state())


def test_revised_rows_equal_rows_learned_once(case: Any, bench: Any) -> None:
    """Learned half-grown and revised twice, beside learned when final."""
    revised, once = case.fresh(), case.fresh()
    final = bench.feedback_of(case.shape, 60)
    half = replace(
        final, components=0.3 * final.components, maturity=np.full(final.maturity.shape, 0.4)
    )
    revised.update(half)
    revised.revise(replace(half, maturity=np.full(final.maturity.shape, 0.7)))
    revised.revise(final)
    once.update(final)
    _assert_same_belief(case, bench.request_of(case.shape, 20), revised, once)


def test_learning_early_through_the_join_ends_where_learning_late_does(
    case: Any, bench: Any
) -> None:
    """The same days, learned at once and revised for three days, and learned when final."""
    early, late = (case.fresh(bench.tiny().shape) for _ in range(2))
    n_revised = 0
    for policy, emission in ((early, Emission.DELAY_AWARE), (late, Emission.WHEN_FINAL)):
        world = bench.tiny(n_days=10, p_click=0.3)
        loop = bench.loop(world, build("random", world.shape, scheme=bench.scheme), seed=1)
        loop.join = Joiner(
            bench.scheme,
            horizon_ms=3 * DAY_MS,
            emission=emission,
            list_width=world.uplift.shape[1],
        )
        steps = [(step.fresh, step.revised) for step in loop.run()]
        steps.append(loop.join.advance(world.now_ms + 9 * DAY_MS))
        for fresh, revised in steps:
            policy.update(fresh)
            policy.revise(revised)
            n_revised += revised.n_rows
    assert n_revised > 400
    _assert_same_belief(case, bench.request_of(bench.tiny().shape, 20), early, late)


def test_a_saved_policy_resumes_as_if_never_stopped(case: Any, bench: Any) -> None:
    """Through bytes on disk: the same state, and the same pmf after learning on."""
    policy, resumed = case.taught(), case.fresh()
    policy.update(bench.feedback_of(case.shape, 20, seed=3, first_id=100, share=0.5))
    file = io.BytesIO()
    np.savez(file, **policy.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        resumed.load(dict(stored))
    assert _bytes(resumed.state()) == _bytes(policy.state())
    later = bench.feedback_of(case.shape, 20, seed=3, first_id=100)
    asked = bench.request_of(case.shape, 10)
    for one in (policy, resumed):
        one.revise(later)
        one.update(bench.feedback_of(case.shape, 20, seed=4, first_id=200))
    assert _bytes(resumed.state()) == _bytes(policy.state())
    assert resumed.pmf(asked, 9).tobytes() == policy.pmf(asked, 9).tobytes()


def test_a_state_is_a_snapshot(case: Any, bench: Any) -> None:
    """Learning on does not change a state taken before, nor the one that was loaded."""
    policy = case.taught()
    taken = policy.state()
    before = _bytes(taken)
    policy.update(bench.feedback_of(case.shape, 20, first_id=100, share=0.5))
    policy.revise(bench.feedback_of(case.shape, 20, first_id=100))
    assert _bytes(taken) == before
    policy.load(taken)
    policy.update(bench.feedback_of(case.shape, 20, first_id=100, share=0.5))
    assert _bytes(taken) == before


@pytest.mark.parametrize("n_rows", [0, 1, 100_000])
def test_any_number_of_rows_is_learned_and_answered(case: Any, bench: Any, n_rows: int) -> None:
    policy = case.taught()
    policy.update(bench.feedback_of(case.shape, n_rows, first_id=100))
    policy.revise(bench.feedback_of(case.shape, 0))
    asked = bench.request_of(case.shape, n_rows, n_items=2)
    pmf = policy.pmf(asked, 9)
    assert pmf.shape == (n_rows, 9)
    check_pmf(pmf, asked.mask)


@pytest.mark.parametrize("name", ["context", "item_features", "slot_features"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_with_a_clear_error(case: Any, bench: Any, name: str, bad: float) -> None:
    policy = case.taught()
    asked, feedback = bench.request_of(case.shape, 5), bench.feedback_of(case.shape, 5, first_id=90)
    clean_pmf, clean_state = policy.pmf(asked, 9), _bytes(policy.state())
    getattr(asked, name)[2, ..., 0] = bad
    getattr(feedback, name)[2, 0] = bad
    reason = case.cannot("refuses_nan")
    if reason is None:
        with pytest.raises(BadInputError, match=f"expected finite {name}"):
            policy.pmf(asked, 9)
        with pytest.raises(BadInputError, match=f"expected finite {name}"):
            policy.update(feedback)
    else:
        print(f"{case.entry.policy_id}: refuses_nan has no meaning, {reason}")
        policy.update(feedback)
        assert policy.pmf(asked, 9).tobytes() == clean_pmf.tobytes()
    assert _bytes(policy.state()) == clean_state


def test_the_same_seed_gives_the_same_log(case: Any, bench: Any) -> None:
    """Two fresh worlds and policies: the same plans, propensities and pmfs, in bytes."""
    logs = []
    for seed in (5, 5, 6):
        world = bench.tiny(n_days=6)
        log = b""
        for step, _ in bench.run(world, case.fresh(world.shape), seed=seed):
            decided = step.decisions
            log += decided.planned.tobytes() + decided.pmf.tobytes() + decided.propensity.tobytes()
        logs.append(log)
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_days_on_which_nobody_is_observed_pass(case: Any, bench: Any) -> None:
    world = bench.tiny(n_users=0, n_days=3)
    shape = replace(world.shape, n_users=1)
    decided = [step.decisions.n_rows for step, _ in bench.run(world, case.fresh(shape))]
    assert decided == [0, 0, 0]


def test_it_learns_the_item_that_the_context_names(case: Any, bench: Any) -> None:
    """Four fifths of what perfect knowledge gains under the same floor, in the last ten days."""
    world = bench.identity()
    value, perfect, _ = _values(world, case.fresh(world.shape), bench)
    _obeys(case, "learns_identity", is_met=value >= 0.8 * perfect)


def test_it_beats_uniform_on_tiny(case: Any, bench: Any) -> None:
    """At least half of the way from uniform to perfect under the same floor, in the last days."""
    world = bench.tiny()
    value, perfect, uniform = _values(world, case.fresh(world.shape), bench)
    _obeys(case, "beats_uniform_on_tiny", is_met=value >= uniform + 0.5 * (perfect - uniform))


def test_tiny_is_solved_by_hand(bench: Any) -> None:
    """Optimum .195, best fixed pair .14, uniform .022, silence 0, before any floor."""
    world = bench.tiny()
    worth = bench.scheme.reward(world.expected()[1])
    assert worth.max(axis=1).mean() == pytest.approx(0.195)
    assert worth[:, 1].mean() == pytest.approx(0.14)
    assert worth.mean(axis=0).max() == pytest.approx(0.14)
    assert worth.mean() == pytest.approx(0.022)
    assert worth[:, 0].mean() == 0.0


class _Perfect:
    """Knows the table: all probability on the best action of each state."""

    policy_id = "perfect"

    def __init__(self, world: Any, scheme: Any) -> None:
        self._world, self._scheme = world, scheme

    def pmf(self, request: Request, key: int) -> np.ndarray:
        worth = self._scheme.reward(self._world.expected()[1])
        return np.asarray(np.eye(request.n_actions)[worth.argmax(axis=1)])

    def update(self, feedback: Any) -> None:
        """Knows already."""

    revise = update


def _values(world: Any, policy: Policy, bench: Any) -> tuple[float, float, float]:
    """True value a decision of the policy, of perfect knowledge and of uniform, last ten days."""
    values = [value for _, value in bench.run(world, policy)][-10:]
    known = replace(world, day=world.n_days - 10)
    perfect = [value for _, value in bench.run(known, _Perfect(known, bench.scheme))]
    even = replace(world, day=world.n_days - 10)
    uniform = [value for _, value in bench.run(even, _Uniform())]
    return float(np.mean(values)), float(np.mean(perfect)), float(np.mean(uniform))


class _Uniform:
    policy_id = "uniform"

    def pmf(self, request: Request, key: int) -> np.ndarray:
        return np.asarray(request.mask / request.mask.sum(axis=1, keepdims=True))

    def update(self, feedback: Any) -> None:
        """Learns nothing."""

    revise = update


def _obeys(case: Any, law: str, *, is_met: bool) -> None:
    reason = case.cannot(law)
    if reason is None:
        assert is_met
    else:
        print(f"{case.entry.policy_id}: {law} does not hold, {reason}")
        assert not is_met, f"{case.entry.policy_id} meets {law}: drop it from `cannot`"


def _bytes(state: Mapping[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.items()}


def _assert_same_belief(case: Any, asked: Request, got: Policy, wanted: Policy) -> None:
    """The same state; or, where a policy declares that it cannot, the same choices within 1 %.

    Entries of the pmf above .01, with draws enough for their share to be that exact.
    """
    is_met = _is_close(got.state(), wanted.state())
    _obeys(case, "revises_exactly", is_met=is_met)
    if is_met:
        return
    here, there = (_finely(one).pmf(asked, 9) for one in (got, wanted))
    counts = there > 0.01
    np.testing.assert_allclose(here[counts], there[counts], rtol=0.01, atol=0.0)


def _finely(policy: Policy) -> Policy:
    """The same belief, asked with many more posterior draws."""
    if isinstance(policy, Explored) and isinstance(policy.explorer, Thompson):
        return Explored(policy.model, replace(policy.explorer, n_draws=50_000))
    return policy


def _is_close(got: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> bool:
    try:
        _assert_close(got, wanted)
    except AssertionError:
        return False
    return True


def _assert_close(got: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-10, atol=1e-10, err_msg=name)
