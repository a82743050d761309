from __future__ import annotations

from dataclasses import replace
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
    uplift_scheme,
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
        ({"weight": float("nan")}, "finite weight"),
        ({"measure": "any", "subtracts": (Kind.REFUNDED,)}, "subtract from a count"),
        ({"kinds": (), "measure": "send", "subtracts": (Kind.REFUNDED,)}, "subtract from a count"),
        ({"kinds": (Kind.CLICKED,), "measure": "any", "is_attributed": True}, "attribute"),
        ({"kinds": (), "measure": "send", "is_attributed": True}, "attribute"),
    ],
)
def test_a_component_that_contradicts_itself_is_refused(change: dict[str, Any], says: str) -> None:
    """By name, with what to do."""
    fine = {"name": "c", "kinds": (Kind.CONVERTED,), "measure": "value", "weight": 1.0}
    with pytest.raises(BadInputError, match=says):
        Component(**(fine | change))


def test_attributed_conversions_cannot_be_called_uplift() -> None:
    """Crediting purchases to a push pays it for what would have come anyway."""
    bought = Component(
        name="bought", kinds=(Kind.CONVERTED,), measure="count", weight=1.0, is_attributed=True
    )
    with pytest.raises(BadInputError, match="credited by id"):
        RewardScheme(name="mine", objective="uplift", components=(bought,))
    names = {c.name for c in ENGAGEMENT.components if c.weight and c.joins_by_id}
    assert names == {"click", "dismissal", "attributed"}
    assert not any(c.joins_by_id for c in UPLIFT.components if c.weight)


def test_known_amounts_replace_the_one_of_a_conversion() -> None:
    """Net of refunds, divided by the mean order value; everything else as it was."""
    by_value = uplift_scheme(mean_order_value=40.0)
    changed = [
        (a, b) for a, b in zip(by_value.components, UPLIFT.components, strict=True) if a != b
    ]
    assert [(a.name, a.measure, a.weight, a.subtracts) for a, _ in changed] == [
        ("conversion", "value", 1 / 40, (Kind.REFUNDED,))
    ]
    assert by_value.objective == "uplift"
    for bad in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(BadInputError, match="mean order value"):
            uplift_scheme(mean_order_value=bad)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": np.array([1, 77], np.uint8)}, "kind .* got .*77.* in row 1"),
        ({"value": np.array([np.nan, 1.0])}, "value .* got .*nan.* in row 0"),
        ({"value": np.array([1.0, np.inf])}, "value .* in row 1"),
        ({"outcome_id": np.array([4, -1])}, "outcome_id .* in row 1"),
        ({"at_ms": np.array([5, 1_700_000_000_000_000])}, "at_ms .* in row 1"),
        ({"at_ms": np.array([-1, 5])}, "at_ms .* in row 0"),
        ({"at_ms": np.array([5.0, 6.0])}, "at_ms .* int64"),
        ({"received_ms": np.array([5, -7])}, "received_ms .* in row 1"),
        ({"currency": np.array(["EUR", "euro"])}, "currency .* ISO 4217 .*euro.* in row 1"),
        ({"currency": np.array([978, 840])}, "currency .* ISO 4217 .*978.* in row 0"),
    ],
)
def test_rubbish_is_refused_by_its_column_and_row(change: dict[str, Any], says: str) -> None:
    """A time in microseconds would lie in the year 55,000."""
    fine = outcomes_of(
        Kind.SESSION, np.array([1, 2]), user=np.array([5, 6]), at_ms=np.array([7, 8])
    )
    with pytest.raises(BadInputError, match=says):
        replace(fine, **change)


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
    assert found.currency.tolist() == ["", ""]
    assert no_outcomes().n_rows == 0


def test_a_scheme_names_the_currency_of_the_values_it_adds() -> None:
    """A code that is none is refused, and so is a currency of no value."""
    assert uplift_scheme(mean_order_value=40.0, currency="EUR").currency == "EUR"
    assert UPLIFT.currency == ""
    with pytest.raises(BadInputError, match=r"ISO 4217 .* got 'euro'"):
        uplift_scheme(mean_order_value=40.0, currency="euro")
    with pytest.raises(BadInputError, match="values of EUR, got none"):
        uplift_scheme(currency="EUR")


@pytest.mark.parametrize(
    ("own", "said", "is_refused"),
    [
        ("EUR", ["EUR", "EUR"], False),
        ("EUR", ["EUR", ""], False),
        ("", ["", ""], False),
        ("EUR", ["EUR", "USD"], True),
        ("", ["", "USD"], True),
    ],
)
def test_values_of_two_currencies_are_never_added(
    own: str, said: list[str], is_refused: bool
) -> None:
    """Ten euros and ten dollars are not twenty of anything; silence is the scheme's own."""
    scheme = uplift_scheme(mean_order_value=40.0, currency=own)
    bought = outcomes_of(
        Kind.CONVERTED,
        np.array([1, 2]),
        user=np.array([5, 6]),
        at_ms=np.array([7, 8]),
        value=10.0,
        currency=np.array(said),
    )
    UPLIFT.refuse_other_currencies(bought)  # it counts purchases and adds no money
    if not is_refused:
        scheme.refuse_other_currencies(bought)
        return
    with pytest.raises(BadInputError, match="got USD in row 1: convert it"):
        scheme.refuse_other_currencies(bought)
    seen = replace(bought, kind=np.full(2, Kind.SESSION, np.uint8))
    scheme.refuse_other_currencies(seen)  # of sessions it adds no value
    with pytest.raises(BadInputError, match="got USD in row 1"):
        scheme.refuse_other_currencies(replace(seen, corrects=np.array([-1, 3])))


def test_columns_of_unequal_length_are_refused() -> None:
    """Before anything is joined."""
    with pytest.raises(BadShapeError):
        outcomes_of(Kind.SESSION, np.array([1, 2]), user=np.array([5]), at_ms=np.array([7, 8]))


def test_a_scheme_without_attribution_keeps_all_else() -> None:
    """What a world's truth can answer for: clicks, dismissals and costs, at their weights."""
    kept = ENGAGEMENT.without_attribution()
    assert not any(component.is_attributed for component in kept.components)
    assert kept.components == tuple(c for c in ENGAGEMENT.components if not c.is_attributed)
    assert (kept.name, kept.objective) == (ENGAGEMENT.name, ENGAGEMENT.objective)
    assert UPLIFT.without_attribution() == UPLIFT
