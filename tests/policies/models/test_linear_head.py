"""The linear head: exact revision under discounting and rotation, uplift apart from base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError, StateError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.linear_head import HeadParams, LinearHead
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
_PARAMS = HeadParams(prior_precision=2.0, noise_sd=0.5, noise_rows=3.0, forget=0.93)


def _head(shape: PolicyShape, scheme: RewardScheme, params: HeadParams = _PARAMS) -> LinearHead:
    return LinearHead(shape.n_context, shape.n_item_features, shape.n_slot_features, scheme, params)


def _rows(feedback: Feedback, keep: slice) -> Feedback:
    columns = [name for name in Feedback.__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[keep] for name in columns})


def _distance(a: LinearHead, b: LinearHead) -> float:
    """Largest relative difference of posterior means and covariances."""
    worst = 0.0
    for left, right in zip(a.posterior(), b.posterior(), strict=True):
        worst = max(worst, float(np.abs(left - right).max() / np.abs(right).max()))
    return worst


def _rotation(n: int, seed: int) -> np.ndarray:
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return np.asarray(basis)


def test_a_batch_equals_its_rows_one_by_one(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    whole, single = (_head(small_shape, two_parts, HeadParams()) for _ in range(2))
    feedback = feedback_of(small_shape, 150, two_parts)
    whole.learn(feedback)
    for row in range(150):
        single.learn(_rows(feedback, slice(row, row + 1)))
    assert _distance(single, whole) < 1e-12


def test_revised_rows_equal_rows_learned_at_their_final_value(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Twenty batches that mature in three steps, with discounting and two turns of the basis."""
    rng = np.random.default_rng(0)
    revised, oracle = _head(small_shape, two_parts), _head(small_shape, two_parts)
    waiting: list[tuple[Feedback, Feedback]] = []
    for batch in range(20):
        final = feedback_of(small_shape, 12, two_parts, seed=batch, first_id=100 * batch)
        early = replace(
            final,
            components=final.components + rng.normal(size=final.components.shape),
            maturity=rng.uniform(0.1, 0.9, final.maturity.shape),
        )
        oracle.learn(final)
        revised.learn(early)
        waiting.append((early, final))
        if batch in (7, 13):
            basis = _rotation(small_shape.n_context, batch)
            for head in (revised, oracle):
                head.rotate(basis, 0.8)
        if batch % 3 == 2:
            revised.revise(replace(early, maturity=np.maximum(early.maturity, 0.5)))
        if batch % 4 == 3:
            older, done = waiting.pop(0)
            revised.revise(replace(older, components=done.components, maturity=older.maturity))
            revised.revise(done)
    for _, final in waiting:
        revised.revise(final)
    assert len(revised.rows.decision_id) == 0
    assert _distance(revised, oracle) < 1e-10


def test_a_row_stays_open_until_every_component_is_mature(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    maturity = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.5], [0.2, 1.0, 1.0], [1.0, 0.3, 1.0]])
    feedback = feedback_of(small_shape, 4, two_parts, maturity=maturity)
    head.learn(feedback)
    np.testing.assert_array_equal(head.rows.decision_id, [1, 2])
    half = replace(feedback, maturity=np.maximum(maturity, [[1.0, 1.0, 0.5]]))
    head.revise(_rows(half, slice(1, 3)))
    np.testing.assert_array_equal(head.rows.decision_id, [1])


def test_revising_a_row_that_is_not_open_is_refused(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    feedback = feedback_of(small_shape, 3, two_parts)
    with pytest.raises(StateError, match="never learned or is final already"):
        head.revise(feedback)
    head.learn(feedback)
    with pytest.raises(StateError, match="never learned or is final already"):
        head.revise(feedback)


def test_learning_an_open_row_twice_is_refused_and_changes_nothing(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    feedback = feedback_of(small_shape, 3, two_parts, maturity=np.full((3, 3), 0.5))
    head.learn(feedback)
    before = head.state()
    with pytest.raises(StateError, match="got an id twice: call revise"):
        head.learn(feedback)
    twice = _rows(feedback, np.array([0, 0]))  # type: ignore[arg-type]
    with pytest.raises(StateError, match="got an id twice"):
        head.revise(twice)
    for name, array in head.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_the_final_value_of_an_open_row_comes_as_a_revision_or_not_at_all(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Learned again it would count twice; so would an id that stands twice in a batch."""
    head = _head(small_shape, two_parts)
    final = feedback_of(small_shape, 3, two_parts)
    head.learn(replace(final, maturity=np.full((3, 3), 0.5)))
    before = head.state()
    with pytest.raises(StateError, match="got an id twice: call revise"):
        head.learn(final)
    twice = _rows(feedback_of(small_shape, 3, two_parts, first_id=10), np.array([0, 0]))  # type: ignore[arg-type]
    with pytest.raises(StateError, match="got an id twice"):
        head.learn(twice)
    for name, array in head.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_a_row_that_would_drown_the_others_is_refused(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """An amount in the place of a share: 1e7 beside features of size one."""
    head = _head(small_shape, two_parts)
    bad = feedback_of(small_shape, 5, two_parts)
    bad.context[2, 1] = -1e7
    with pytest.raises(BadInputError, match=r"at most 1e\+06 in size, got 1e\+07"):
        head.learn(bad)
    bad = feedback_of(small_shape, 5, two_parts)
    bad.item_features[2], bad.slot_features[2] = 1e4, 1e4
    with pytest.raises(BadInputError, match=r"at most 1e\+06 in size, got 1e\+08"):
        head.learn(bad)
    assert head.n_seen.sum() == 0.0


def test_the_posterior_that_is_kept_is_the_one_of_today(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """After everything that can move it, it equals that of a head that has just been loaded."""
    head = _head(small_shape, two_parts)
    feedback = feedback_of(small_shape, 20, two_parts, maturity=np.full((20, 3), 0.5))
    changes = [
        lambda: head.learn(feedback),
        lambda: head.revise(replace(feedback, maturity=np.full((20, 3), 0.8))),
        lambda: head.absorb(np.eye(12), np.ones((2, 12))),
        lambda: head.rotate(_rotation(3, 1), 0.5),
        lambda: head.load(_head(small_shape, two_parts).state()),
    ]
    for change in changes:
        before = head.posterior()[1], head.pair_covariance()
        change()
        loaded = _head(small_shape, two_parts)
        loaded.load(head.state())
        after = head.posterior()[1], head.pair_covariance()
        for old, new, wanted in zip(
            before, after, (loaded.posterior()[1], loaded.pair_covariance()), strict=True
        ):
            assert (old != new).any()
            np.testing.assert_array_equal(new, wanted)
    assert head.posterior()[0] is head.posterior()[0]
    with pytest.raises(ValueError, match="read-only"):
        head.posterior()[0][0] = 1.0


def test_a_turn_that_explains_half_leaves_half_of_the_evidence(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Like rows of half the weight; rows that were open before weigh half when revised later."""
    feedback = feedback_of(small_shape, 40, two_parts)
    turned, half = _head(small_shape, two_parts), _head(small_shape, two_parts)
    turned.learn(replace(feedback, maturity=np.full((40, 3), 0.2)))
    turned.rotate(np.eye(3), 0.5)
    turned.revise(feedback)
    half.learn(replace(feedback, maturity=np.full((40, 3), 0.5)))
    assert _distance(turned, half) < 1e-12


@pytest.mark.parametrize(
    ("basis", "kept", "message"),
    [
        (np.eye(2), 1.0, r"expected basis of shape \(3, 3\), got \(2, 2\)"),
        (2.0 * np.eye(3), 1.0, "expected an orthogonal basis"),
        (np.eye(3), 0.0, r"expected kept in \(0, 1\], got 0.0"),
        (np.eye(3), 1.5, r"expected kept in \(0, 1\], got 1.5"),
        (np.eye(3), np.nan, r"expected kept in \(0, 1\], got nan"),
    ],
)
def test_a_turn_that_is_none_is_refused(
    basis: np.ndarray,
    kept: float,
    message: str,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    with pytest.raises(BadInputError, match=message):
        _head(small_shape, two_parts).rotate(basis, kept)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
    hits: RewardScheme,
) -> None:
    head = _head(small_shape, two_parts)
    head.learn(feedback_of(small_shape, 5, two_parts, maturity=np.full((5, 3), 0.5)))
    before = head.state()
    short = dict(before) | {"open.context": before["open.context"][:3]}
    lacking = {name: array for name, array in before.items() if name != "open.slot"}
    for state, message in (
        (_head(small_shape, hits).state(), "expected saved precision of shape"),
        (short, "expected saved open.context of shape"),
        (lacking, r"got none called \['open.slot'\]"),
    ):
        with pytest.raises(BadInputError, match=message):
            head.load(state)
        for name, array in head.state().items():
            np.testing.assert_array_equal(array, before[name], err_msg=name)


@pytest.mark.parametrize("name", ["context", "item_features", "slot_features", "components"])
def test_feedback_that_is_not_finite_is_refused_and_changes_nothing(
    name: str, feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    head.learn(feedback_of(small_shape, 5, two_parts, maturity=np.full((5, 3), 0.5)))
    before = head.state()
    bad = feedback_of(small_shape, 5, two_parts, first_id=10)
    getattr(bad, name)[2, 0] = np.nan
    with pytest.raises(BadInputError, match="expected finite"):
        head.learn(bad)
    for key, array in head.state().items():
        np.testing.assert_array_equal(array, before[key], err_msg=key)


def test_a_revision_that_is_not_finite_is_refused(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    feedback = feedback_of(small_shape, 5, two_parts, maturity=np.full((5, 3), 0.5))
    head.learn(feedback)
    for bad in (np.inf, np.nan, -1e160):
        with pytest.raises(BadInputError, match="expected finite components of at most 1e"):
            head.revise(replace(feedback, components=np.full((5, 3), bad)))
    with pytest.raises(BadInputError, match="expected maturity in"):
        head.revise(replace(feedback, maturity=np.full((5, 3), 1.5)))


def test_feedback_of_another_encoder_is_refused(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    other = replace(small_shape, n_context=9)
    with pytest.raises(BadShapeError, match="expected feedback with 3 context, got 9"):
        _head(small_shape, two_parts).learn(feedback_of(other, 5, two_parts))


def test_predictions_survive_a_rotation_of_the_context(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    head = _head(small_shape, two_parts)
    feedback = feedback_of(small_shape, 60, two_parts)
    head.learn(feedback)
    psi = np.concatenate([np.ones((60, 1)), feedback.context], axis=1)
    before = psi @ head.posterior()[0][:, : head.n_base].T
    basis = _rotation(small_shape.n_context, 3)
    head.rotate(basis, 1.0)
    psi[:, 1:] = feedback.context @ basis.T
    np.testing.assert_allclose(
        psi @ head.posterior()[0][:, : head.n_base].T, before, rtol=1e-10, atol=1e-12
    )


def test_discounting_equals_weights_of_rows_worked_by_hand(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Three batches under γ weigh γ², γ and 1; the prior is not discounted."""
    head, slow = (
        _head(small_shape, hits),
        _head(small_shape, hits, HeadParams(prior_precision=2.0, noise_sd=0.5, noise_rows=3.0)),
    )
    for batch in range(3):
        feedback = feedback_of(small_shape, 30, hits, seed=batch, first_id=30 * batch)
        head.learn(feedback)
        share = np.full((30, 1), 0.93 ** (2 - batch))
        slow.learn(replace(feedback, maturity=share))
    assert _distance(head, slow) < 1e-12


def test_warm_start_moments_equal_learned_rows(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Moments of ζ computed elsewhere give the disjoint part of the posterior."""
    feedback = feedback_of(small_shape, 40, hits)
    zeta = (feedback.item_features[:, :, None] * feedback.slot_features[:, None, :]).reshape(40, -1)
    head = _head(small_shape, hits)
    head.absorb(zeta.T @ zeta, feedback.components.T @ zeta)
    mean = head.posterior()[0][0, head.pair_block()]
    ridge = np.linalg.solve(
        zeta.T @ zeta + 2.0 * np.eye(zeta.shape[1]), zeta.T @ feedback.components[:, 0]
    )
    np.testing.assert_allclose(mean, ridge, rtol=1e-10, atol=1e-12)
    for precision, moment, message in (
        (np.eye(5), np.ones((1, 12)), r"expected precision of shape \(12, 12\), got \(5, 5\)"),
        (np.eye(12), np.ones((2, 12)), r"expected moment of shape \(1, 12\), got \(2, 12\)"),
        (np.eye(12), np.full((1, 12), np.nan), "expected finite moments"),
    ):
        with pytest.raises(BadInputError, match=message):
            head.absorb(precision, moment)
    np.testing.assert_array_equal(head.posterior()[0][0, head.pair_block()], mean)


def test_more_rows_than_a_chunk_are_learned_alike(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    shape = PolicyShape(
        n_context=1, n_item_features=2, n_slot_features=1, n_users=3, n_items=2, n_slots=1
    )
    feedback = feedback_of(shape, 70_000, hits)
    whole, halves = (_head(shape, hits, HeadParams()) for _ in range(2))
    whole.learn(feedback)
    halves.learn(_rows(feedback, slice(0, 35_000)))
    halves.learn(_rows(feedback, slice(35_000, None)))
    assert _distance(halves, whole) < 1e-10


def test_doubling_the_base_leaves_the_uplift_inside_its_interval(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """Same users, same uplift of .1, base hit rates of .1–.3 and twice that, one posterior each."""
    shape = PolicyShape(
        n_context=1, n_item_features=1, n_slot_features=1, n_users=9, n_items=1, n_slots=1
    )
    learned = []
    for times in (1.0, 2.0):
        made = feedback_of(shape, 40_000, hits, seed=5)
        rate = times * (0.2 + 0.1 * np.tanh(made.context[:, 0])) + 0.1 * made.is_send
        hit = (np.random.default_rng(6).random(40_000) < rate).astype(float)[:, None]
        ones = made.is_send[:, None].astype(float)
        head = _head(shape, hits, HeadParams())
        head.learn(replace(made, components=hit, item_features=ones, slot_features=ones))
        mean, factor = head.posterior()
        pair = head.n_base
        learned.append((mean[0, pair], np.linalg.norm(factor[0, pair])))
    for uplift, sd in learned:
        assert abs(uplift - 0.1) < 1.96 * sd
    assert abs(learned[0][0] - learned[1][0]) < 1.96 * learned[0][1]


@pytest.mark.parametrize(
    "bad",
    [
        {"prior_precision": 0.0},
        {"noise_sd": -1.0},
        {"forget": 0.0},
        {"forget": 1.5},
        {"noise_rows": 0.0},
        {"prior_precision": np.inf},
        {"noise_sd": np.nan},
        {"noise_rows": np.nan},
    ],
)
def test_impossible_parameters_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(
        BadInputError, match="expected prior_precision, noise_sd and noise_rows > 0"
    ):
        HeadParams(**bad)


def test_the_noise_is_learned_from_residuals(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Against the residuals of the fit itself, and near the noise that was put in."""
    made = feedback_of(small_shape, 5_000, hits)
    noise = np.random.default_rng(8).normal(scale=0.3, size=(5_000, 1))
    target = 0.7 * made.context[:, :1] + noise
    head = _head(small_shape, hits, HeadParams(noise_rows=1e-9))
    head.learn(replace(made, components=target))
    mean, _ = head.posterior()
    assert head.noise_sd(mean)[0] == pytest.approx(0.3, rel=0.03)
    psi = np.concatenate([np.ones((5_000, 1)), made.context], axis=1)
    pair = made.item_features[:, :, None] * made.slot_features[:, None, :]
    fitted = np.concatenate([psi, pair.reshape(5_000, -1)], axis=1) @ mean[0]
    slow = ((target[:, 0] - fitted) ** 2).sum() + (mean[0] ** 2).sum()
    assert head.noise_sd(mean)[0] == pytest.approx(np.sqrt(slow / 5_000), rel=1e-6)


def test_the_noise_is_that_of_a_normal_inverse_gamma_fed_row_by_row(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """The textbook recursion, one row at a time: a += 1/2, b += error² / (2 · its variance)."""
    made = feedback_of(small_shape, 60, hits)
    head = _head(small_shape, hits, HeadParams(prior_precision=2.0, noise_sd=0.5, noise_rows=3.0))
    head.learn(made)
    psi = np.concatenate([np.ones((60, 1)), made.context], axis=1)
    pair = (made.item_features[:, :, None] * made.slot_features[:, None, :]).reshape(60, -1)
    shape, rate = 3.0 / 2, 3.0 * 0.25 / 2
    mean, spread = np.zeros(16), np.eye(16) / 2.0
    for row, y in zip(np.concatenate([psi, pair], axis=1), made.components[:, 0], strict=True):
        error, variance = y - row @ mean, 1.0 + row @ spread @ row
        gain = spread @ row / variance
        mean, spread = mean + gain * error, spread - np.outer(gain, row @ spread)
        shape, rate = shape + 0.5, rate + error**2 / (2 * variance)
    np.testing.assert_allclose(head.posterior()[0][0], mean, rtol=1e-10, atol=1e-12)
    assert head.noise_sd(head.posterior()[0])[0] == pytest.approx(np.sqrt(rate / shape), rel=1e-12)


def test_a_guess_of_infinite_worth_stays(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    head = _head(small_shape, hits, HeadParams(noise_sd=0.4, noise_rows=np.inf))
    head.learn(feedback_of(small_shape, 500, hits))
    assert head.noise_sd(head.posterior()[0])[0] == 0.4


def test_warm_start_rows_speak_of_the_noise_only_with_their_squares(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    made = feedback_of(small_shape, 400, hits)
    zeta = (made.item_features[:, :, None] * made.slot_features[:, None, :]).reshape(400, -1)
    moment = made.components.T @ zeta
    mute, telling = (_head(small_shape, hits, HeadParams(noise_sd=5.0)) for _ in range(2))
    mute.absorb(zeta.T @ zeta, moment)
    telling.absorb(zeta.T @ zeta, moment, square=(made.components**2).sum(axis=0), n_rows=400)
    assert mute.noise_sd(mute.posterior()[0])[0] == pytest.approx(5.0)
    ridge = np.linalg.solve(zeta.T @ zeta + np.eye(12), moment[0])
    left = ((made.components[:, 0] - zeta @ ridge) ** 2).sum() + (ridge**2).sum()
    assert telling.noise_sd(telling.posterior()[0])[0] == pytest.approx(
        np.sqrt((10 * 25 + left) / 410)
    )


def test_a_hundred_thousand_rank_one_updates_stay_beside_the_direct_inverse(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """One row at a time, asked in between: within 1e-9 of (λ + ΦᵀΦ)⁻¹, in double precision."""
    shape = PolicyShape(
        n_context=7, n_item_features=4, n_slot_features=2, n_users=1, n_items=3, n_slots=2
    )
    head = _head(shape, hits, HeadParams(noise_rows=np.inf))
    made = feedback_of(shape, 100_000, hits)
    made.is_send[:] = True
    for row in range(made.n_rows):
        head.learn(_rows(made, slice(row, row + 1)))
        if row % 97 == 0:
            head.posterior()
    pairs = (made.item_features[:, :, None] * made.slot_features[:, None]).reshape(-1, 8)
    features = np.concatenate([np.ones((made.n_rows, 1)), made.context, pairs], axis=1)
    direct = np.linalg.inv(np.eye(16) + features.T @ features)
    mean, factor = head.posterior()
    assert head.late.n_rows == 100_000 % 64
    assert np.abs(factor[0] @ factor[0].T - direct).max() < 1e-9 * np.abs(direct).max()
    wanted = direct @ (features.T @ made.components[:, 0])
    assert np.abs(mean[0] - wanted).max() < 1e-9 * np.abs(wanted).max()


def test_asking_between_rows_changes_no_bit_of_what_is_learned(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Rank-one updates of the belief, not of the moments: the same state and the same belief."""
    asked, quiet = (_head(small_shape, two_parts, HeadParams()) for _ in range(2))
    feedback = feedback_of(small_shape, 150, two_parts)
    for row in range(150):
        for head in (asked, quiet):
            head.learn(_rows(feedback, slice(row, row + 1)))
        asked.posterior()
    assert 0 < asked.late.n_rows < 64
    for name, array in quiet.state().items():
        assert asked.state()[name].tobytes() == array.tobytes()
    for mine, other in zip(asked.posterior(), quiet.posterior(), strict=True):
        assert mine.tobytes() == other.tobytes()


def test_late_rows_survive_saving_and_are_brought_in_by_whatever_needs_them(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Saved with the state, and settled by the next batch."""
    head, resumed = (_head(small_shape, two_parts, HeadParams()) for _ in range(2))
    feedback = feedback_of(small_shape, 40, two_parts)
    for row in range(20):
        head.learn(_rows(feedback, slice(row, row + 1)))
    resumed.load(head.state())
    n_late = head.late.n_rows
    assert 0 < n_late == resumed.late.n_rows
    for one in (head, resumed):
        one.learn(_rows(feedback, slice(20, 40)))
    assert head.late.n_rows == 0
    assert head.precision.tobytes() == resumed.precision.tobytes()
    whole = _head(small_shape, two_parts, HeadParams())
    whole.learn(feedback)
    assert _distance(head, whole) < 1e-12


@pytest.mark.parametrize("name", ["context", "item_features", "slot_features"])
def test_one_row_that_is_not_finite_or_too_large_is_refused(
    name: str, feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """The quick way of single rows refuses what the way of batches does, and keeps nothing."""
    for bad in (np.nan, np.inf, 1e7):
        head = _head(small_shape, two_parts, HeadParams())
        row = _rows(feedback_of(small_shape, 1, two_parts), slice(0, 1))
        row.is_send[:], row.item_features[:], row.slot_features[:] = True, 1.0, 1.0
        getattr(row, name)[0, 0] = bad
        with pytest.raises(BadInputError, match="expected f"):
            head.learn(row)
        assert head.late.n_rows == 0
