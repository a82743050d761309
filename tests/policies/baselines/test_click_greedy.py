"""Click-greedy: clicks alone, whatever they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT, Feedback, RewardScheme
from policies.baselines.click_greedy import ClickGreedy
from policies.explored import Explored
from policies.models.linear import LinearModel
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=2, n_slot_features=1, n_users=1, n_items=2, n_slots=1
)


def _taught(feedback_of: Callable[..., Feedback]) -> Explored:
    """Item 0 is clicked and makes users leave; item 1 brings conversions and no clicks."""
    told = feedback_of(_SHAPE, 200, UPLIFT)
    is_first = np.arange(200) % 2 == 0
    components = np.zeros((200, len(UPLIFT)))
    components[is_first, -1] = 1.0  # clicks
    components[is_first, 2] = 1.0  # opt-outs
    components[~is_first, 1] = 1.0  # conversions
    policy = Explored(LinearModel(_SHAPE, UPLIFT), ClickGreedy())
    policy.update(
        replace(
            told,
            is_send=np.ones(200, np.bool_),
            context=np.zeros((200, 1)),
            item_features=np.eye(2)[(~is_first).astype(int)],
            slot_features=np.ones((200, 1)),
            components=components,
        )
    )
    return policy


def _asked(request_of: Callable[..., Request]) -> Request:
    asked = request_of(_SHAPE, 2)
    return replace(
        asked, item_features=np.tile(np.eye(2), (2, 1, 1)), slot_features=np.ones((2, 1, 1))
    )


def test_it_sends_what_is_clicked_whatever_it_does(
    feedback_of: Callable[..., Feedback], request_of: Callable[..., Request]
) -> None:
    policy, asked = _taught(feedback_of), _asked(request_of)
    np.testing.assert_array_equal(policy.pmf(asked, 0), [[0, 1, 0]] * 2)
    assert policy.model.values(asked)[:, 1].max() < 0 < policy.model.values(asked)[:, 2].min()


def test_it_holds_only_where_no_send_is_open(
    feedback_of: Callable[..., Feedback], request_of: Callable[..., Request]
) -> None:
    reasons = np.array([[0, 1, 1], [0, 1, 0]], np.uint16)
    pmf = _taught(feedback_of).pmf(replace(_asked(request_of), reasons=reasons), 0)
    np.testing.assert_array_equal(pmf, [[1, 0, 0], [0, 0, 1]])


def test_a_scheme_without_clicks_is_refused(
    request_of: Callable[..., Request], hits: RewardScheme
) -> None:
    policy = Explored(LinearModel(_SHAPE, hits), ClickGreedy())
    with pytest.raises(BadInputError, match="expected a scheme that counts clicks, got 'hits'"):
        policy.pmf(_asked(request_of), 0)
