"""Behaviour by way of clicks: what an answer brings, and that it is not taken from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT, Feedback, RewardScheme
from policies.models.surrogate import SurrogateModel
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=2, n_item_features=2, n_slot_features=1, n_users=9, n_items=2, n_slots=1
)
_AT = {c.name: at for at, c in enumerate(UPLIFT.components)}


def _world(
    feedback_of: Callable[..., Feedback], n: int, *, per_click: float, seed: int = 1
) -> Feedback:
    """Item 0 is clicked by 30 %, item 1 by 5 %; a click brings so many sessions on top of one.

    Who has a high first context comes more often, is sent more often, and a fifth cannot be sent.
    """
    rng = np.random.default_rng(seed)
    made = feedback_of(_SHAPE, n, UPLIFT)
    context = rng.normal(size=(n, 2))
    p_send = np.where(rng.random(n) < 0.2, 0.0, np.clip(0.5 + 0.3 * context[:, 0], 0.05, 0.95))
    is_send = rng.random(n) < p_send
    item = rng.integers(0, 2, n)
    clicked = is_send & (rng.random(n) < np.where(item == 0, 0.3, 0.05))
    components = np.zeros((n, len(UPLIFT)))
    components[:, _AT["click"]] = clicked
    usual = rng.poisson(np.exp(0.5 * context[:, 0]) * np.where(p_send > 0, 1.0, 0.5))
    components[:, _AT["session"]] = usual + per_click * clicked
    return replace(
        made,
        decision_id=np.arange(n) + 1_000_000 * seed,
        context=context,
        is_send=is_send,
        p_send=p_send,
        item=np.where(is_send, item, -1),
        slot=np.where(is_send, 0, -1),
        item_features=np.eye(2)[item] * is_send[:, None],
        slot_features=np.ones((n, 1)) * is_send[:, None],
        components=components,
        maturity=np.ones((n, len(UPLIFT))),
    )


def _taught(feedback_of: Callable[..., Feedback], *, per_click: float) -> SurrogateModel:
    model = SurrogateModel(_SHAPE, UPLIFT)
    for seed in range(1, 21):
        model.update(_world(feedback_of, 1500, per_click=per_click, seed=seed))
    return model


def _asked(request_of: Callable[..., Request]) -> Request:
    asked = request_of(_SHAPE, 1)
    return replace(
        asked,
        context=np.zeros((1, 2)),
        items=np.array([[0, 1]]),
        item_features=np.eye(2)[None],
        slot_features=np.ones((1, 1, 1)),
    )


@pytest.mark.parametrize("per_click", [0.0, 0.8])
def test_what_a_click_brings_is_learned_and_nothing_where_it_brings_nothing(
    feedback_of: Callable[..., Any], request_of: Callable[..., Any], per_click: float
) -> None:
    """Sends to those who come anyway, and holds of those who cannot be sent, change nothing."""
    told = _taught(feedback_of, per_click=per_click).estimate(_asked(request_of))
    session = _AT["session"]
    mean, sd = told.uplift_mean[0, 1:, session], told.uplift_sd[0, 1:, session]
    np.testing.assert_allclose(mean, per_click * np.array([0.3, 0.05]), atol=2.5 * sd.max())
    assert sd.max() < 0.05


def test_the_mean_of_draws_is_the_value(
    feedback_of: Callable[..., Any], request_of: Callable[..., Any]
) -> None:
    """Values, draws and shares are of one belief, hold at 0 in each."""
    model, asked = _taught(feedback_of, per_click=0.5), _asked(request_of)
    ((_, drawn),) = model.draws(asked, 7, n_draws=4000, scale=1.0)
    np.testing.assert_allclose(drawn.mean(axis=1), model.values(asked), atol=5e-4)
    best = drawn[0].argmax(axis=1)
    shares = model.best_shares(asked, 7, n_draws=4000, scale=1.0)
    np.testing.assert_allclose(shares[0], np.bincount(best, minlength=3) / 4000, atol=1e-3)


def test_a_scheme_without_clicks_is_refused_when_it_matters(
    hits: RewardScheme, request_of: Callable[..., Any]
) -> None:
    quiet = replace(hits, components=tuple(c for c in hits.components if c.name != "click"))
    with pytest.raises(BadInputError, match="counts clicks"):
        SurrogateModel(_SHAPE, quiet).check(_asked(request_of))
