"""Neural-linear: exact through trainings, resumed in the middle, and it sees what lines cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.errors import BadInputError, StateError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.neural_linear import NeuralLinear
from policies.models.neural_params import NeuralParams
from policies.models.tower_training import trained
from policies.registry import build
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]
SMALL = NeuralParams(hidden=8, width=4, least_rows=100, epochs=3, learning_rate=0.02)


@pytest.fixture
def made(small_shape: PolicyShape, two_parts: RewardScheme) -> Callable[..., NeuralLinear]:
    """Make a small model that trains after a hundred final rows."""

    def make(**changes: Any) -> NeuralLinear:
        return NeuralLinear(small_shape, two_parts, replace(SMALL, **changes))

    return make


@pytest.fixture
def told(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> Callable[..., Feedback]:
    """Rows whose first component is plainly nonlinear in the context."""

    def tell(n: int, *, seed: int = 0, first_id: int = 0, share: float = 1.0) -> Feedback:
        drawn = feedback_of(small_shape, n, two_parts, seed=seed, first_id=first_id)
        components = drawn.components.copy()
        components[:, 0] = drawn.is_send * np.sign(drawn.context[:, 0] * drawn.context[:, 1])
        components[:, 2] = components[:, 2] > 1.0
        maturity = np.full((n, 3), share)
        return replace(drawn, components=components, maturity=maturity)

    return tell


def test_draws_estimates_and_bounds_agree(
    made: Callable[..., NeuralLinear],
    told: Callable[..., Feedback],
    request_of: RequestOf,
    small_shape: PolicyShape,
) -> None:
    model = made()
    model.update(told(300))
    assert model.n_trained == 1
    asked = request_of(small_shape, 3)
    guess, weights = model.estimate(asked), np.array([1.0, 0.0, -3.0])
    sd = np.sqrt(guess.uplift_sd**2 @ weights**2)
    np.testing.assert_allclose(model.spreads(asked), sd, rtol=1e-9, atol=1e-12)
    mean = guess.uplift_mean @ np.array([1.0, -0.01, -3.0])
    np.testing.assert_allclose(model.values(asked), mean, rtol=1e-9, atol=1e-12)
    drawn = np.concatenate([d for _, d in model.draws(asked, 5, n_draws=20_000, scale=0.5)])
    np.testing.assert_array_equal(drawn[:, :, 0], 0.0)
    np.testing.assert_allclose(drawn.std(axis=1), 0.5 * sd, rtol=0.05, atol=1e-9)
    np.testing.assert_allclose(drawn.mean(axis=1), mean, atol=0.03)
    counted = np.stack([np.bincount(row.argmax(axis=1), minlength=21) for row in drawn]) / 20_000
    shares = model.best_shares(asked, 5, n_draws=20_000, scale=0.5)
    np.testing.assert_allclose(shares, counted, atol=2e-4)


def test_estimates_of_what_was_taken_are_those_of_its_features(
    made: Callable[..., NeuralLinear], told: Callable[..., Feedback], request_of: RequestOf
) -> None:
    """K + S passes beside one pass a row, with φ written out."""
    model = made()
    model.update(told(300))
    asked = request_of(
        PolicyShape(
            n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=1, n_slots=1
        ),
        6,
    )
    sent = np.ones(6, np.bool_)
    item, slot = asked.item_features[:, 0], asked.slot_features[:, 0]
    features = model.towers.features(asked.context, item, slot, is_send=sent)
    mean, factor = model.layer.posterior()
    guess, pairs = model.estimate(asked), model.towers.pair_block
    np.testing.assert_allclose(
        guess.mean[:, 1][:, [0, 2]], features @ mean.T, rtol=1e-9, atol=1e-12
    )
    sd = np.linalg.norm(features[:, pairs] @ factor[0, pairs], axis=1)
    np.testing.assert_allclose(guess.uplift_sd[:, 1, 0], sd, rtol=1e-9)


@pytest.mark.parametrize("forget", [1.0, 0.9])
def test_told_early_and_revised_is_told_late_also_through_trainings(
    made: Callable[..., NeuralLinear], told: Callable[..., Feedback], forget: float
) -> None:
    """Six days of rows, each known by half at first and final two days later, in any order."""
    early, late = made(forget=forget), made(forget=forget)
    rng = np.random.default_rng(4)
    for day in range(8):
        if day >= 2:
            final = told(60, seed=day - 2, first_id=1000 * day)
            order = rng.permutation(60)
            early.revise(_rows(final, order))
            late.update(final) if forget == 1 else late.revise(final)
        fresh = told(60, seed=day, first_id=1000 * (day + 2), share=0.5)
        half = replace(fresh, components=0.3 * fresh.components)
        early.update(half)
        if forget < 1:  # discounts go by batches, so both must have as many
            late.update(replace(half, components=np.ones((60, 3)), maturity=np.zeros((60, 3))))
    assert early.n_trained == late.n_trained >= 2
    for day in (6, 7):
        final = told(60, seed=day, first_id=1000 * (day + 2))
        early.revise(final)
        late.update(final) if forget == 1 else late.revise(final)
    got, wanted = early.state(), late.state()
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-10, atol=1e-10, err_msg=name)


def test_a_saved_model_trains_on_as_if_never_stopped(
    made: Callable[..., NeuralLinear], told: Callable[..., Feedback]
) -> None:
    """Cut after two trainings of four; the old rows are gone by then."""
    model, resumed = made(most_rows=150), made(most_rows=150)
    for day in range(3):
        model.update(told(60, seed=day, first_id=1000 * day))
    model.update(told(20, seed=9, first_id=9000, share=0.5))
    resumed.load(model.state())
    for one in (model, resumed):
        one.update(told(90, seed=4, first_id=10_000))
        one.revise(told(20, seed=9, first_id=9000))
        one.update(told(200, seed=5, first_id=11_000))
    assert model.n_trained == 4
    assert model.final.n_rows == 150
    got, wanted = resumed.state(), model.state()
    assert got.keys() == wanted.keys()
    assert all(got[name].tobytes() == wanted[name].tobytes() for name in wanted)


def test_replay_through_the_same_towers_changes_nothing(
    made: Callable[..., NeuralLinear], told: Callable[..., Feedback]
) -> None:
    """Final and open rows, discounted, after the basis has turned."""
    model = made(least_rows=0, forget=0.8)
    model.update(told(200))
    model.update(told(50, seed=1, first_id=1000, share=0.4))
    model.rotate(np.eye(3)[[1, 2, 0]], 0.9)
    model.update(told(50, seed=2, first_id=2000))
    before = model.state()
    model.adopt(model.towers, model.lesson())
    after = model.state()
    for name in ("precision", "moment", "square", "n_seen"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-10, atol=1e-10)


def test_towers_are_trained_beside_a_model_that_answers(
    made: Callable[..., NeuralLinear],
    told: Callable[..., Feedback],
    request_of: RequestOf,
    small_shape: PolicyShape,
) -> None:
    """In a thread of its own: no answer changes until the towers are adopted; then all is there."""
    model, twin = made(least_rows=0), made(least_rows=0)
    for one in (model, twin):
        one.update(told(300))
    asked = request_of(small_shape, 4)
    lesson = model.lesson()
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(trained, model.towers, lesson)
        before = model.values(asked)
        model.update(told(40, seed=2, first_id=1000))
        assert model.n_trained == 0
        towers = found.result()
    model.adopt(towers, lesson)
    twin.train()
    twin.update(told(40, seed=2, first_id=1000))
    np.testing.assert_allclose(model.values(asked), twin.values(asked), rtol=1e-9, atol=1e-12)
    assert np.abs(model.values(asked) - before).max() > 1e-3
    model.rotate(np.eye(3)[[1, 2, 0]], 1.0)
    with pytest.raises(StateError, match="take a new lesson"):
        model.adopt(towers, lesson)


def test_rows_that_cannot_be_learned_are_refused(
    made: Callable[..., NeuralLinear], told: Callable[..., Feedback]
) -> None:
    model = made()
    rows = told(5)
    for name, value, message in (
        ("components", np.nan, "finite components"),
        ("maturity", 2.0, "maturity in"),
    ):
        with pytest.raises(BadInputError, match=message):
            model.update(replace(rows, **{name: np.full((5, 3), value)}))
    for basis, kept, message in ((np.ones((3, 3)), 1.0, "orthogonal"), (np.eye(3), 0.0, "kept")):
        with pytest.raises(BadInputError, match=message):
            model.rotate(basis, kept)
    for change in ({"width": 0}, {"grows": 0.0}, {"held_share": 0.0}, {"noise_sd": -1.0}):
        with pytest.raises(BadInputError, match="expected"):
            replace(SMALL, **change)


@pytest.mark.slow
def test_the_wheel_is_solved_where_a_linear_head_cannot(
    hits: RewardScheme, wheel_regret: Callable[..., float]
) -> None:
    """Riquelme et al. (2018), §5.4: in the outer ring one arm a quadrant is worth fifty."""
    shape = PolicyShape(
        n_context=2, n_item_features=5, n_slot_features=1, n_users=1, n_items=5, n_slots=1
    )
    options = {"model": {"least_rows": 500, "noise_rows": 1.0}}
    neural = wheel_regret(build("neural_ts", shape, scheme=hits, options=options))
    linear = wheel_regret(build("lints", shape, scheme=hits))
    print(f"share of uniform regret: neural {neural:.3f}, linear {linear:.3f}")
    assert neural < 0.25
    assert linear > 0.7


@pytest.fixture
def wheel_regret(hits: RewardScheme) -> Callable[..., float]:
    """Regret of a policy on the wheel in its second half, as a share of uniform choice's."""

    def regret(policy: Any, *, n_batches: int = 100, n: int = 50, delta: float = 0.5) -> float:
        rng = np.random.default_rng(8)
        lost = np.zeros((n_batches, 2))
        for batch in range(n_batches):
            context, means = _wheel(rng, n, delta)
            asked = _wheel_request(context)
            pmf = policy.pmf(asked, batch)[:, 1:]
            arm = np.array([rng.choice(5, p=row / row.sum()) for row in pmf])
            gap = means.max(axis=1, keepdims=True) - means
            lost[batch] = (pmf * gap).sum(), gap.mean(axis=1).sum()
            got = means[np.arange(n), arm] + 0.01 * rng.normal(size=n)
            policy.update(_wheel_feedback(context, arm, got, hits, first_id=batch * n))
        half = lost[n_batches // 2 :].sum(axis=0)
        return float(half[0] / half[1])

    return regret


def _wheel(
    rng: np.random.Generator, n: int, delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Contexts of the unit disc and the mean of each arm."""
    angle, radius = rng.uniform(-np.pi, np.pi, n), np.sqrt(rng.random(n))
    context = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    means = np.tile([1.2, 1.0, 1.0, 1.0, 1.0], (n, 1))
    quadrant = 1 + 2 * (context[:, 0] < 0) + (context[:, 1] < 0)
    outer = np.flatnonzero(radius > delta)
    means[outer, quadrant[outer]] = 50.0
    return context, means


def _wheel_request(context: NDArray[np.float64]) -> Request:
    n = len(context)
    start = np.full((n, 1), 1_700_000_000_000)
    reasons = np.zeros((n, 6), np.uint16)
    reasons[:, 0] = 2048  # nothing can be held
    return Request(
        user=np.zeros(n, np.int64),
        at_ms=start[:, 0],
        zone=np.full(n, "UTC"),
        context=context,
        items=np.tile(np.arange(5), (n, 1)),
        item_features=np.tile(np.eye(5), (n, 1, 1)),
        slot_features=np.ones((n, 1, 1)),
        grid=SlotGrid(start_ms=start, end_ms=start + 1),
        reasons=reasons,
    )


def _wheel_feedback(
    context: NDArray[np.float64],
    arm: NDArray[np.int64],
    got: NDArray[np.float64],
    scheme: RewardScheme,
    *,
    first_id: int,
) -> Feedback:
    n = len(context)
    return Feedback(
        decision_id=first_id + np.arange(n),
        user=np.zeros(n, np.int64),
        at_ms=np.full(n, 1_700_000_000_000),
        is_send=np.ones(n, np.bool_),
        item=arm,
        slot=np.zeros(n, np.int64),
        propensity=np.full(n, 0.2),
        p_send=np.ones(n),
        context=context,
        item_features=np.eye(5)[arm],
        slot_features=np.ones((n, 1)),
        components=got[:, None],
        maturity=np.ones((n, 1)),
        scheme=scheme,
    )


def test_asking_and_learning_load_no_heavy_library() -> None:
    """Only a training needs torch."""
    code = (
        "import sys, policies.registry as r\n"
        "from bandit.outcomes import UPLIFT\n"
        "size = dict(n_context=2, n_item_features=1, n_slot_features=1)\n"
        "shape = r.PolicyShape(**size, n_users=1, n_items=1, n_slots=1)\n"
        "r.build('neural_ts', shape, scheme=UPLIFT).state()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _rows(feedback: Feedback, rows: NDArray[np.int64]) -> Feedback:
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[rows] for name in names})
