from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT, UPLIFT, Component, Kind, RewardScheme, uplift_scheme
from simulator.happened import concatenated, happened
from simulator.worth import N_QUANTITIES, Quantity, Worth


def _scheme(*components: Component) -> RewardScheme:
    return RewardScheme(name="mine", objective="uplift", components=components)


def test_the_uplift_scheme_weighs_the_quantities_as_designed() -> None:
    """Session .05, conversion 1, opt-out −3, uninstall −10, message −.0005; clicks nothing."""
    of = Worth(UPLIFT).of_quantity
    by_hand = {
        Quantity.SESSION: 0.05,
        Quantity.ORDER: 1.0,
        Quantity.OPT_OUT: -3.0,
        Quantity.UNINSTALL: -10.0,
        Quantity.SEND: -0.0005,
    }
    assert of == pytest.approx([by_hand.get(q, 0.0) for q in Quantity])


def test_money_replaces_the_order_where_amounts_are_known() -> None:
    """Divided by the mean order value."""
    of = Worth(uplift_scheme(mean_order_value=40.0)).of_quantity
    assert of[Quantity.ORDER] == 0.0
    assert of[Quantity.VALUE] == pytest.approx(1 / 40.0)


def test_an_outcome_is_worth_its_quantity_and_its_money() -> None:
    """Kinds that nothing counts are worth nothing."""
    worth = Worth(uplift_scheme(mean_order_value=40.0))
    kinds = (Kind.SESSION, Kind.CONVERTED, Kind.UNSUBSCRIBED, Kind.DELIVERED, Kind.CLICKED)
    one = np.zeros(1, np.int64)
    told = concatenated([happened(k, one, at_min=np.zeros(1), value=20.0) for k in kinds])
    assert worth.of_outcomes(told) == pytest.approx([0.05, 0.5, -3.0, 0.0, 0.0])


def test_components_weighed_are_the_reward_of_the_quantities() -> None:
    """Both ways of one sum."""
    worth = Worth(UPLIFT)
    quantities = np.random.default_rng(0).normal(size=(4, 3, N_QUANTITIES))
    assert np.allclose(
        worth.components(quantities) @ UPLIFT.weights, quantities @ worth.of_quantity, atol=1e-12
    )


def test_a_scheme_that_attributes_is_refused_with_the_way_out() -> None:
    """Attribution plays no part in truth."""
    with pytest.raises(BadInputError, match="without_attribution"):
        Worth(ENGAGEMENT)
    assert Worth(ENGAGEMENT.without_attribution()).of_quantity[Quantity.CLICK] > 0.0


@pytest.mark.parametrize(
    "component",
    [
        Component(name="any visit", kinds=(Kind.SESSION,), measure="any", weight=1.0),
        Component(name="refunds", kinds=(Kind.REFUNDED,), measure="any", weight=1.0),
        Component(name="shown", kinds=(Kind.DISPLAYED,), measure="any", weight=1.0),
    ],
    ids=lambda component: component.name,
)
def test_a_mean_that_the_world_does_not_keep_is_refused_by_name(component: Component) -> None:
    """Rather than answered with a zero."""
    with pytest.raises(BadInputError, match=component.name):
        Worth(_scheme(component))


def test_several_kinds_of_one_component_add_up() -> None:
    """A component may count opt-outs and uninstalls alike."""
    leaving = Component(
        name="leaving", kinds=(Kind.UNSUBSCRIBED, Kind.UNINSTALLED), measure="count", weight=-2.0
    )
    of = Worth(_scheme(leaving)).of_quantity
    assert of[Quantity.OPT_OUT] == of[Quantity.UNINSTALL] == -2.0


def test_refunds_are_a_share_of_orders_and_of_their_money() -> None:
    """Counted, added or subtracted; what is drawn is worth itself, whatever the share."""
    net = Component(
        name="net",
        kinds=(Kind.CONVERTED,),
        measure="value",
        weight=0.5,
        subtracts=(Kind.REFUNDED,),
    )
    back = Component(name="back", kinds=(Kind.REFUNDED,), measure="count", weight=-2.0)
    worth = Worth(_scheme(net, back), 0.25)
    assert worth.of_quantity[Quantity.VALUE] == 0.5 * 0.75
    assert worth.of_quantity[Quantity.ORDER] == -2.0 * 0.25
    one = np.zeros(1, np.int64)
    kinds = (Kind.CONVERTED, Kind.REFUNDED)
    told = concatenated([happened(k, one, at_min=np.zeros(1), value=20.0) for k in kinds])
    assert worth.of_outcomes(told).tolist() == [10.0, -12.0]
    value, is_back = np.array([20.0, 20.0]), np.array([False, True])
    assert worth.of_orders(value, is_back).tolist() == [10.0, -2.0]


def test_what_is_subtracted_counts_against() -> None:
    """Any kind, drawn and in the mean: it was left out before."""
    fewer = Component(
        name="fewer",
        kinds=(Kind.CONVERTED,),
        measure="count",
        weight=2.0,
        subtracts=(Kind.SESSION,),
    )
    worth = Worth(_scheme(fewer))
    assert worth.of_quantity[Quantity.SESSION] == -2.0
    told = happened(Kind.SESSION, np.zeros(1, np.int64), at_min=np.zeros(1))
    assert worth.of_outcomes(told).tolist() == [-2.0]
