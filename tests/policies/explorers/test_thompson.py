"""Thompson sampling: its pmf is the argmax frequency of its posterior, and its peers' draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import Feedback, RewardScheme
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams, LinearHead
from policies.shape import PolicyShape


def _lints(
    shape: PolicyShape,
    scheme: RewardScheme,
    *,
    head: HeadParams | None = None,
    explorer: Thompson | None = None,
) -> Explored:
    return Explored(LinearModel(shape, scheme, head), explorer or Thompson(), policy_id="lints")


def _head(policy: Explored) -> LinearHead:
    assert isinstance(policy.model, LinearModel)
    return policy.model.head


def _coefficients(policy: Explored, key: int) -> np.ndarray:
    assert isinstance(policy.model, LinearModel)
    assert isinstance(policy.explorer, Thompson)
    asked = policy.explorer
    return policy.model.coefficients(key, n_draws=asked.n_draws, scale=asked.scale)


FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]


def test_the_pmf_is_the_argmax_frequency_of_independent_draws(
    request_of: RequestOf,
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Against 100,000 draws from numpy's own multivariate normal, scored in double precision."""
    policy = _lints(
        small_shape,
        two_parts,
        head=HeadParams(prior_precision=3.0, noise_sd=0.7, noise_rows=np.inf),
        explorer=Thompson(n_draws=100_000),
    )
    policy.update(feedback_of(small_shape, 25, two_parts))
    asked = request_of(small_shape, 3, n_items=3)
    pmf = policy.pmf(asked, key=1)

    rng = np.random.default_rng(2)
    pairs = _head(policy).pair_block()
    total = np.zeros((100_000, _head(policy).n_pairs))
    for row, weight in enumerate((1.0, -3.0)):
        precision = _head(policy).precision[row] + 3.0 * np.eye(_head(policy).precision.shape[1])
        mean = np.linalg.solve(precision, _head(policy).moment[row])
        theta = rng.multivariate_normal(mean, 0.49 * np.linalg.inv(precision), 100_000)
        total += weight * theta[:, pairs]
    for n in range(3):
        zeta = np.einsum("ki,sj->ksij", asked.item_features[n], asked.slot_features[n])
        values = zeta.reshape(12, -1) @ total.T - 0.01  # (K·S, draws)
        best = np.where(values.max(axis=0) > 0, values.argmax(axis=0) + 1, 0)
        share = np.bincount(best, minlength=13) / 100_000
        # Both sides are Monte Carlo: five standard errors of their difference.
        error = 5 * np.sqrt(2 * np.maximum(share * (1 - share), 1e-5) / 100_000)
        assert (np.abs(pmf[n] - share) < error).all()


def test_drawn_coefficients_have_the_peers_mean_and_spread(
    hits: RewardScheme, golden: Callable[..., dict[str, Any]]
) -> None:
    """Disjoint arms are one-hot items × context as slot: mabwiser's LinTS on its own rows."""
    peer = golden("policies_linear_arms")
    contexts = np.array(peer["contexts"], float)
    arms = np.eye(3)[np.array(peer["decisions"]) - 1]
    zeta = (arms[:, :, None] * contexts[:, None, :]).reshape(10, -1)
    shape = PolicyShape(
        n_context=0, n_item_features=3, n_slot_features=5, n_users=1, n_items=3, n_slots=1
    )
    policy = _lints(
        shape,
        hits,
        head=HeadParams(noise_rows=np.inf),
        explorer=Thompson(n_draws=20_000, scale=peer["lints"]["alpha"]),
    )
    _head(policy).absorb(zeta.T @ zeta, np.array([peer["rewards"]], float) @ zeta)
    for query, mean, sd in zip(
        peer["queries"], peer["lints"]["mean"], peer["lints"]["sd"], strict=True
    ):
        drawn = _coefficients(policy, 3) @ np.kron(np.eye(3), np.array(query, float)).T
        error = np.array(sd) / np.sqrt(20_000)
        assert (np.abs(drawn.mean(axis=0) - mean) < 5 * np.sqrt(2) * error).all()
        assert (np.abs(drawn.std(axis=0) - sd) < 5 * error).all()


def test_the_same_state_and_key_give_the_same_bytes(
    request_of: RequestOf, feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    policy = _lints(small_shape, hits)
    policy.update(feedback_of(small_shape, 50, hits))
    asked = request_of(small_shape, 10)
    assert policy.pmf(asked, key=5).tobytes() == policy.pmf(asked, key=5).tobytes()
    assert (policy.pmf(asked, key=5) != policy.pmf(asked, key=6)).any()


def test_weights_of_the_scheme_apply_late(
    request_of: RequestOf,
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Learned under one scheme, asked under another with its sign turned: the choice turns."""
    feedback = feedback_of(small_shape, 400, two_parts)
    worth = feedback.item_features[:, 0] * feedback.slot_features[:, 0]
    components = np.zeros((400, 3))
    components[:, 0] = worth
    policy = _lints(small_shape, two_parts, head=HeadParams(noise_sd=0.01))
    policy.update(replace(feedback, components=components))
    asked = request_of(small_shape, 20)
    liked = policy.pmf(asked, key=1).argmax(axis=1)
    parts = two_parts.components
    policy.scheme = replace(
        two_parts, components=(replace(parts[0], weight=-1.0), parts[1], parts[2])
    )
    disliked = policy.pmf(asked, key=1).argmax(axis=1)
    zeta = np.einsum("nki,nsj->nksij", asked.item_features, asked.slot_features)
    true = np.concatenate([np.zeros((20, 1)), zeta[..., 0, 0].reshape(20, -1)], axis=1)
    rows = np.arange(20)
    np.testing.assert_allclose(true[rows, liked], true.max(axis=1), atol=0.05)
    np.testing.assert_allclose(true[rows, disliked], true.min(axis=1), atol=0.05)


def test_a_dear_send_makes_it_hold(
    request_of: RequestOf,
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    parts = two_parts.components
    dear = replace(two_parts, components=(parts[0], replace(parts[1], weight=-1e4), parts[2]))
    policy = _lints(small_shape, dear)
    policy.update(feedback_of(small_shape, 50, dear))
    np.testing.assert_array_equal(policy.pmf(request_of(small_shape, 5), key=1)[:, 0], 1.0)


def test_a_send_that_grows_dear_later_makes_it_hold(
    request_of: RequestOf,
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Known costs are weights like the others: they apply late, without a reset."""
    policy = _lints(small_shape, two_parts)
    policy.update(feedback_of(small_shape, 50, two_parts))
    asked = request_of(small_shape, 5)
    assert (policy.pmf(asked, key=1)[:, 0] < 0.5).all()
    parts = two_parts.components
    policy.scheme = replace(
        two_parts, components=(parts[0], replace(parts[1], weight=-1e4), parts[2])
    )
    np.testing.assert_array_equal(policy.pmf(asked, key=1)[:, 0], 1.0)
    policy.update(feedback_of(small_shape, 5, two_parts, first_id=100))


def test_a_scheme_of_other_components_is_refused(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme, hits: RewardScheme
) -> None:
    policy = _lints(small_shape, two_parts)
    with pytest.raises(BadInputError, match="components of scheme 'two parts', at any weights"):
        policy.scheme = hits
    turned = replace(two_parts, components=two_parts.components[::-1])
    with pytest.raises(BadInputError, match="other components need a policy of their own"):
        policy.update(feedback_of(small_shape, 5, turned))


def test_draws_are_made_once_a_state_and_key(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Kept draws equal those of a policy that never kept any, through learning and new keys."""
    policy = _lints(small_shape, hits)
    for batch, key in ((0, 5), (0, 5), (0, 6), (1, 6), (1, 5)):
        if batch == 1:
            policy.update(feedback_of(small_shape, 20, hits, first_id=20))
        other = _lints(small_shape, hits)
        other.load(policy.state())
        np.testing.assert_array_equal(_coefficients(policy, key), _coefficients(other, key))


@pytest.mark.parametrize("bad", [{"n_draws": 0}, {"scale": -0.1}, {"scale": np.nan}])
def test_impossible_draws_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected n_draws of at least 1 and a finite scale"):
        Thompson(**bad)  # type: ignore[arg-type]


def test_estimates_equal_the_posterior_worked_densely(
    request_of: RequestOf,
    feedback_of: FeedbackOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    policy = _lints(small_shape, two_parts, head=HeadParams(noise_sd=0.3, noise_rows=np.inf))
    policy.update(feedback_of(small_shape, 60, two_parts))
    asked = request_of(small_shape, 4)
    guess = policy.estimate(asked)
    zeta = np.einsum("nki,nsj->nksij", asked.item_features, asked.slot_features).reshape(4, 20, -1)
    psi = np.concatenate([np.ones((4, 1)), asked.context], axis=1)
    n_base = _head(policy).n_base
    for position, row in ((0, 0), (2, 1)):
        precision = _head(policy).precision[row] + np.eye(_head(policy).precision.shape[1])
        cov = 0.09 * np.linalg.inv(precision)
        mean = np.linalg.solve(precision, _head(policy).moment[row])
        np.testing.assert_allclose(guess.base_mean[:, position], psi @ mean[:n_base])
        base_var = np.einsum("np,pq,nq->n", psi, cov[:n_base, :n_base], psi)
        np.testing.assert_allclose(guess.base_sd[:, position], np.sqrt(base_var))
        np.testing.assert_allclose(
            guess.uplift_mean[:, 1:, position], zeta @ mean[n_base:], rtol=1e-10, atol=1e-12
        )
        var = np.einsum("nap,pq,naq->na", zeta, cov[n_base:, n_base:], zeta)
        np.testing.assert_allclose(guess.uplift_sd[:, 1:, position], np.sqrt(var), rtol=1e-9)
    np.testing.assert_array_equal(guess.uplift_mean[:, 1:, 1], 1.0)
    np.testing.assert_array_equal(guess.uplift_mean[:, 0], 0.0)
    np.testing.assert_array_equal(guess.uplift_sd[:, 0], 0.0)


def test_a_request_of_another_encoder_or_with_nan_is_refused(
    request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    policy = _lints(small_shape, hits)
    with pytest.raises(BadShapeError, match="another encoder or another candidate generator"):
        policy.pmf(request_of(replace(small_shape, n_item_features=2), 3), key=1)
    bad = request_of(small_shape, 3)
    bad.slot_features[1, 1, 1] = np.nan
    with pytest.raises(BadInputError, match="expected finite slot_features"):
        policy.pmf(bad, key=1)


def test_deflation_divides_by_the_optimism_of_the_best_of_so_many(
    request_of: RequestOf, feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """20 unmasked actions count as 32, two as two; each row by its own, and masks by nothing."""
    mask = np.ones((6, 21), np.bool_)
    mask[:3, 1] = False
    mask[3:, 3:] = False
    mask[3:, 0] = False
    model = LinearModel(small_shape, hits)
    model.update(feedback_of(small_shape, 50, hits))
    asked = request_of(small_shape, 6, mask=mask)
    deflated = Explored(model, Thompson(scale=0.8, deflates=True)).pmf(asked, 5)
    for rows, n_actions in ((slice(0, 3), 32), (slice(3, 6), 2)):
        scale = 0.8 / np.sqrt(2 * np.log(n_actions))
        straight = Explored(model, Thompson(scale=scale)).pmf(asked, 5)
        np.testing.assert_allclose(deflated[rows], straight[rows], atol=1e-6)


def test_a_single_action_needs_no_deflation(
    request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    mask = np.zeros((2, 21), np.bool_)
    mask[:, 7] = True
    asked = request_of(small_shape, 2, mask=mask)
    pmf = Explored(LinearModel(small_shape, hits), Thompson(deflates=True)).pmf(asked, 5)
    np.testing.assert_array_equal(pmf[:, 7], 1.0)
