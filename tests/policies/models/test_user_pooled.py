"""Offsets shrunk as the best linear predictor shrinks them, and new users as their segment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.world import HITS
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.user_pooled import UserPooled
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=2, n_item_features=1, n_slot_features=1, n_users=60, n_items=3, n_slots=1
)
LINEAR = GlmParams(responses="identity", least_rows=200)


def sends(user: NDArray[np.int64], y: NDArray[np.float64], *, first_id: int = 0) -> Feedback:
    """Sends to users of two segments, one-hot by the parity of their id; plain items and slots."""
    n = len(user)
    told = feedback_of(SHAPE, n, first_id=first_id)
    components = np.zeros((n, len(HITS)))
    components[:, 0], components[:, 1] = y, 1.0
    return replace(
        told,
        user=user,
        is_send=np.ones(n, np.bool_),
        item=np.zeros(n, np.int64),
        slot=np.zeros(n, np.int64),
        context=np.eye(2)[user % 2],
        item_features=np.zeros((n, 1)),
        slot_features=np.zeros((n, 1)),
        components=components,
    )


def asked(user: NDArray[np.int64]) -> Request:
    request = request_of(SHAPE, len(user))
    return replace(
        request,
        user=user,
        context=np.eye(2)[user % 2],
        item_features=np.zeros_like(request.item_features),
        slot_features=np.zeros_like(request.slot_features),
    )


def means(model: UserPooled | HybridModel, user: NDArray[np.int64]) -> NDArray[np.float64]:
    """Base and uplift of a send of the first item, first component."""
    guess = model.estimate(asked(user))
    return np.asarray(guess.base_mean[:, 0] + guess.uplift_mean[:, 1, 0])


def test_an_offset_is_the_best_linear_predictor() -> None:
    """The mixed model's equations written out: fixed part, then τ²/(τ² + σ²/n) of what is left."""
    rng = np.random.default_rng(1)
    user = rng.integers(0, 40, 300)
    y = 0.4 * (user % 2) + rng.normal(size=60)[user] + 0.5 * rng.normal(size=300)
    model = UserPooled(SHAPE, HITS, LINEAR)
    model.update(sends(user, y))
    head = model.model.heads[0]
    prior = model.model.blocks.per_feature(head.scale[:-1])
    told = sends(user, y)
    phi = model.model.blocks.features(
        told.context, told.item_features, told.slot_features, is_send=told.is_send
    )
    whole = np.concatenate([phi, np.eye(60)[user]], axis=1)
    ridge = np.diag(np.concatenate([prior, np.full(60, head.scale[-1])]))
    solved = np.linalg.solve(whole.T @ whole + ridge, whole.T @ y)
    found = head.posterior()
    np.testing.assert_allclose(found.mean, solved[: phi.shape[1]], atol=1e-9)
    np.testing.assert_allclose(found.item_mean[:60], solved[phi.shape[1] :], atol=1e-9)
    n = np.bincount(user, minlength=60)
    left = np.bincount(user, y - phi @ found.mean, minlength=60)
    np.testing.assert_allclose(found.item_mean[:60], left / (n + head.scale[-1]), atol=1e-9)


def test_new_users_start_as_their_segment_and_know_less() -> None:
    rng = np.random.default_rng(2)
    user = rng.integers(0, 50, 3000)
    model = UserPooled(SHAPE, HITS, LINEAR)
    offset = 0.3 * rng.normal(size=60)
    model.update(sends(user, (user % 2) + offset[user] + 0.3 * rng.normal(size=3000)))
    new = np.arange(50, 60)
    np.testing.assert_allclose(means(model, new), (new % 2), atol=0.15)
    assert np.ptp(means(model, new[::2])) < 1e-12
    old, fresh = (model.spreads(asked(who))[:, 1].mean() for who in (np.arange(10), new))
    assert fresh > old


@pytest.mark.parametrize(("spread", "of_alone", "of_segment"), [(0.0, 0.2, 20.0), (0.6, 0.9, 0.75)])
def test_users_reach_as_far_as_they_differ(
    spread: float, of_alone: float, of_segment: float
) -> None:
    """Five rows a user, against each user's own mean and one mean a segment.

    Where users differ it beats both; where they do not, a few rounds of empirical Bayes leave a
    little of the guess that they might, a fifth of the error of taking users by themselves.
    """
    rng = np.random.default_rng(3)
    user = np.repeat(np.arange(60), 5)
    truth = 0.5 * (np.arange(60) % 2) + spread * rng.normal(size=60)
    y = truth[user] + rng.normal(size=300)
    model = UserPooled(SHAPE, HITS, LINEAR)
    model.update(sends(user, y))
    error = np.mean((means(model, np.arange(60)) - truth) ** 2)
    alone = np.bincount(user, y) / 5.0
    segment = np.array([alone[g::2].mean() for g in (0, 1)])[np.arange(60) % 2]
    unpooled, pooled = (np.mean((guess - truth) ** 2) for guess in (alone, segment))
    assert error < of_alone * unpooled
    assert error < of_segment * pooled


def test_users_beyond_those_known_are_their_context() -> None:
    """Bounded state: they are learned from and asked about, and have no offset."""
    few = UserPooled(SHAPE, HITS, replace(LINEAR, most_items=10))
    user = np.arange(300) % 60
    few.update(sends(user, np.where(user == 30, 5.0, 0.0)))
    assert few.n_known == 10
    assert len(few.model.heads[0].posterior().item_mean) == 11
    assert means(few, np.array([30]))[0] == pytest.approx(means(few, np.array([40]))[0])


def test_holds_move_no_offset() -> None:
    model = UserPooled(SHAPE, HITS, LINEAR)
    told = sends(np.arange(60), np.ones(60))
    model.update(replace(told, is_send=np.zeros(60, np.bool_), item=np.full(60, -1)))
    assert not model.model.heads[0].posterior().item_mean.any()
