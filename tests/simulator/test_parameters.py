from __future__ import annotations

import pytest

from bandit.errors import BadInputError
from simulator.config import load
from simulator.parameters import PARAMETERS, Parameter, moved


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_every_parameter_goes_to_its_scale_and_back(parameter: Parameter) -> None:
    """And a configuration that was moved says so, and nothing else."""
    config = load("ecommerce")
    value = parameter.value(config)
    assert parameter.from_scale(parameter.to_scale(value)) == pytest.approx(value)
    there = moved(config, {parameter: parameter.to_scale(value) + parameter.step})
    assert parameter.value(there) == pytest.approx(
        parameter.from_scale(parameter.to_scale(value) + parameter.step)
    )
    back = moved(there, {parameter: parameter.to_scale(value)})
    for other in PARAMETERS:
        assert other.value(back) == pytest.approx(other.value(config))


def test_shares_keep_their_sum_and_the_others_their_proportions() -> None:
    (instant,) = (p for p in PARAMETERS if p.key == "delivery.instant")
    config = moved(load("ecommerce"), {instant: instant.to_scale(0.6)})
    shares = config.delivery.delay_shares
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert shares[0] == pytest.approx(0.6)
    assert shares[1] / shares[2] == pytest.approx(0.40 / 0.15)


def test_several_shares_of_a_list_are_set_together() -> None:
    """And one that is set does not move another that is."""
    thetas = {
        p: p.to_scale(share)
        for p in PARAMETERS
        for key, share in (("delivery.instant", 0.5), ("delivery.soon", 0.2))
        if p.key == key
    }
    assert moved(load("ecommerce"), thetas).delivery.delay_shares == pytest.approx((0.5, 0.2, 0.3))
    too_much = dict.fromkeys(thetas, 1.0)
    with pytest.raises(BadInputError, match="sum 1 or less"):
        moved(load("ecommerce"), too_much)


def test_one_share_alone_cannot_be_fitted() -> None:
    (quick,) = (p for p in PARAMETERS if p.key == "orders.quick_share")
    config = load("ecommerce", orders={"delay_shares": [1.0], "delay_means_h": [1.0]})
    with pytest.raises(BadInputError, match="several shares"):
        moved(config, {quick: 0.0})


def test_values_stay_in_their_range() -> None:
    (rate,) = (p for p in PARAMETERS if p.key == "activity.spread")
    assert rate.from_scale(100.0) == 3.0
    assert len({p.key for p in PARAMETERS}) == len(PARAMETERS)
