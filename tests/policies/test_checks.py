"""What is refused at a policy's border, and with which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import Feedback, RewardScheme
from policies.checks import check_feedback, check_request, check_scheme, check_state
from policies.shape import PolicyShape

_LENGTHS = (3, 4, 3)


def test_what_fits_passes(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    for n in (0, 1, 5):
        check_request(request_of(small_shape, n), _LENGTHS)
        check_feedback(feedback_of(small_shape, n, hits), _LENGTHS)
    bare = replace(small_shape, n_context=0)
    check_request(request_of(bare, 2), (0, 4, 3))
    check_feedback(feedback_of(bare, 2, hits), (0, 4, 3))


@pytest.mark.parametrize("name", ["context", "item_features", "slot_features"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(
    *,
    name: str,
    bad: float,
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    asked, feedback = request_of(small_shape, 4), feedback_of(small_shape, 4, hits)
    getattr(asked, name)[3, ..., 1] = bad
    getattr(feedback, name)[3, 1] = bad
    with pytest.raises(BadInputError, match=f"expected finite {name}, got NaN"):
        check_request(asked, _LENGTHS)
    with pytest.raises(BadInputError, match=f"expected finite {name} in feedback"):
        check_feedback(feedback, _LENGTHS)


def test_other_lengths_are_refused(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    with pytest.raises(BadShapeError, match=r"expected \(3, 4, 9\) .*, got \(3, 4, 3\)"):
        check_request(request_of(small_shape, 2), (3, 4, 9))
    with pytest.raises(BadShapeError, match="expected feedback with 9 item_features, got 4"):
        check_feedback(feedback_of(small_shape, 2, hits), (3, 9, 3))


def test_schemes_may_differ_by_name_and_weights_only(
    two_parts: RewardScheme, hits: RewardScheme
) -> None:
    parts = two_parts.components
    heavier = replace(
        two_parts, name="heavier", components=(replace(parts[0], weight=9.0), *parts[1:])
    )
    check_scheme(heavier, two_parts)
    longer = replace(two_parts, components=(replace(parts[0], window_ms=1), *parts[1:]))
    for other in (hits, longer, replace(two_parts, components=parts[:2])):
        with pytest.raises(BadInputError, match="expected the components of scheme 'two parts'"):
            check_scheme(other, two_parts)


def test_saved_arrays_are_looked_at_by_name_and_shape() -> None:
    state = {"a": np.zeros((2, 3)), "b": np.zeros(())}
    check_state(state, {"a": (-1, 3), "b": ()})
    with pytest.raises(BadInputError, match=r"got none called \['c'\]: was it saved by another"):
        check_state(state, {"a": (2, 3), "c": (1,)})
    with pytest.raises(BadShapeError, match=r"expected saved a of shape \(2, 4\), got \(2, 3\)"):
        check_state(state, {"a": (2, 4)})
