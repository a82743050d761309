from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import (
    ENGAGEMENT,
    UPLIFT,
    Component,
    Kind,
    RewardScheme,
    no_outcomes,
    outcomes_of,
)


def test_kinds_keep_their_numbers_for_ever() -> None:
    """They are stored; responses below 32, behaviour above."""
    assert {kind.name: kind.value for kind in Kind} == {
        "DELIVERED": 1,
        "UNDELIVERED": 2,
        "DISPLAYED": 3,
        "CLICKED": 4,
        "DISMISSED": 5,
        "CANCELLED": 6,
        "EXPIRED": 7,
        "SUPERSEDED": 8,
        "MATCHED": 9,
        "SESSION": 32,
        "CONVERTED": 33,
        "REFUNDED": 34,
        "UNSUBSCRIBED": 35,
        "UNINSTALLED": 36,
    }
    assert all(kind.is_response == (kind < 32) for kind in Kind)


def test_the_weights_of_uplift_are_those_of_the_design() -> None:
    """Session .05, conversion 1, opt-out −3, uninstall −10, message −.0005, click 0."""
    weights = {c.name: c.weight for c in UPLIFT.components}
    assert weights == {
        "session": 0.05,
        "conversion": 1.0,
        "opt_out": -3.0,
        "uninstall": -10.0,
        "message": -0.0005,
        "click": 0.0,
    }
    row = np.array([[2.0, 1.0, 0.0, 0.0, 1.0, 1.0]])
    assert UPLIFT.reward(row)[0] == pytest.approx(0.1 + 1.0 - 0.0005)
    assert ENGAGEMENT.objective == "engagement"


def test_clicks_cannot_be_called_uplift() -> None:
    """A response with a weight makes the scheme an engagement scheme."""
    click = Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0)
    with pytest.raises(BadInputError, match="engagement"):
        RewardScheme(name="mine", objective="uplift", components=(click,))
    assert RewardScheme(name="mine", objective="engagement", components=(click,)).n_components == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kinds": ()}, "cost of sending"),
        ({"measure": "send"}, "cost of sending"),
        ({"kinds": (Kind.CLICKED, Kind.SESSION)}, "two components"),
        ({"subtracts": (Kind.CLICKED,)}, "two components"),
        ({"subtracts": (Kind.CONVERTED,)}, "got both"),
        ({"window_ms": 0}, "window"),
    ],
)
def test_a_component_that_contradicts_itself_is_refused(change: dict[str, Any], says: str) -> None:
    """By name, with what to do."""
    fine = {"name": "c", "kinds": (Kind.CONVERTED,), "measure": "value", "weight": 1.0}
    with pytest.raises(BadInputError, match=says):
        Component(**(fine | change))


def test_components_of_a_scheme_have_names_of_their_own() -> None:
    """And there is at least one."""
    one = Component(name="c", kinds=(Kind.CONVERTED,), measure="count", weight=1.0)
    for components in ((), (one, one)):
        with pytest.raises(BadInputError, match="distinct"):
            RewardScheme(name="s", objective="uplift", components=components)


def test_outcomes_of_one_kind_have_the_usual_defaults() -> None:
    """Heard at once, worth one, of no decision, correcting nothing."""
    found = outcomes_of(
        Kind.SESSION, np.array([1, 2]), user=np.array([5, 6]), at_ms=np.array([7, 8])
    )
    assert found.received_ms.tolist() == [7, 8]
    assert found.value.tolist() == [1.0, 1.0]
    assert found.decision_id.tolist() == [-1, -1] == found.corrects.tolist()
    assert no_outcomes().n_rows == 0


def test_columns_of_unequal_length_are_refused() -> None:
    """Before anything is joined."""
    with pytest.raises(BadShapeError):
        outcomes_of(Kind.SESSION, np.array([1, 2]), user=np.array([5]), at_ms=np.array([7, 8]))
