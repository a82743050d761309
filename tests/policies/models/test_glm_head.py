"""One component's head: Laplace's posterior, learned scales, noise, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.models.blocks import Blocks
from policies.models.glm_head import GlmHead, GlmParams
from policies.models.glm_math import sigmoid
from policies.shape import PolicyShape

_NONE = np.full(400, -1)


def _head(shape: PolicyShape, link: str = "logistic", **changes: float) -> GlmHead:
    return GlmHead(Blocks(shape), 0, link, replace(GlmParams(), **changes))  # type: ignore[arg-type]


def _rows(shape: PolicyShape, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(6)
    lengths = (shape.n_context, shape.n_item_features, shape.n_slot_features)
    parts = [rng.normal(size=(n, length)) for length in lengths]
    return Blocks(shape).features(*parts, is_send=rng.random(n) < 0.7)


def test_a_batch_is_learned_at_the_mode_of_its_posterior(small_shape: PolicyShape) -> None:
    """Where the gradient of likelihood and prior is zero: Laplace's point, for one batch."""
    head, features = _head(small_shape, base_rate=0.3), _rows(small_shape)
    target = (np.random.default_rng(7).random(400) < 0.3).astype(float)
    head.learn(features, _NONE, target=target, weight=np.ones(400))
    theta = head.posterior().mean
    prior = head.blocks.per_feature(head.scale[:-1])
    start = np.zeros(len(theta))
    start[0] = np.log(0.3 / 0.7)
    gradient = features.T @ (target - sigmoid(features @ theta)) - prior * (theta - start)
    spread = np.sqrt(np.diag(np.linalg.inv(head.moments.dense + np.diag(prior))))
    assert (np.abs(gradient * spread) < 0.02).all()  # in standard deviations of the posterior


def test_a_rate_far_from_the_guess_is_found(small_shape: PolicyShape) -> None:
    """A first batch at .9 where .001 was guessed: no step runs away."""
    head, features = _head(small_shape, base_rate=0.001), _rows(small_shape)
    head.learn(features, _NONE, target=np.ones(400), weight=np.ones(400))
    chance = sigmoid(head.predictor(features, _NONE))
    assert (chance > 0.5).mean() > 0.95
    assert np.isfinite(head.posterior().factor).all()


def test_blocks_that_tell_nothing_are_shrunk_and_those_that_do_are_not(
    small_shape: PolicyShape,
) -> None:
    """Only the item matters: its scale stays, the others' priors close."""
    head = _head(small_shape, base_rate=0.2)
    rng = np.random.default_rng(8)
    blocks = head.blocks
    for seed in range(20):
        rng = np.random.default_rng(seed)
        features = blocks.features(
            rng.normal(size=(400, 3)),
            rng.normal(size=(400, 4)),
            rng.normal(size=(400, 3)),
            is_send=np.ones(400, np.bool_),
        )
        chance = sigmoid(-1.5 + features[:, blocks.at("item")] @ np.array([1.0, -1.0, 0.7, 0.0]))
        target = (rng.random(400) < chance).astype(float)
        head.learn(features, _NONE, target=target, weight=np.ones(400))
    precision = dict(zip((*blocks.names, "own"), head.scale, strict=True))
    assert precision["item"] < 6.0
    assert min(precision[name] for name in ("context_item", "context_slot", "item_slot")) > 20.0


def test_the_noise_of_counts_is_learned_from_residuals(small_shape: PolicyShape) -> None:
    head, features = _head(small_shape, "identity"), _rows(small_shape)
    rng = np.random.default_rng(9)
    truth = rng.normal(size=features.shape[1])
    for _ in range(5):
        target = features @ truth + 0.2 * rng.normal(size=400)
        head.learn(features, _NONE, target=target, weight=np.ones(400))
    assert np.sqrt(head.noise) == pytest.approx(0.2, rel=0.25)
    np.testing.assert_allclose(head.posterior().mean, truth, atol=0.1)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"base_rate": 0.0}, r"base_rate in \(0, 1\)"),
        ({"noise_sd": -1.0}, "positive and finite"),
        ({"block_sd": np.nan}, "positive and finite"),
        ({"least_rows": 0}, "least_rows of at least 1"),
        ({"forget": 1.5}, r"forget in \(0, 1\]"),
        ({"responses": "probit"}, "one of identity, logistic, got 'probit'"),
    ],
)
def test_impossible_priors_are_refused(bad: dict[str, object], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        GlmParams(**bad)  # type: ignore[arg-type]
