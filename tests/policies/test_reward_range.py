"""Between what a reward can lie, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT, UPLIFT, RewardScheme, uplift_scheme
from policies.reward_range import reward_range


def test_weights_of_either_sign_add_up_apart() -> None:
    """Clicks and attributed orders pay, dismissals and messages cost."""
    assert reward_range(ENGAGEMENT, largest=2.0) == pytest.approx((-0.1005, 3.0))


def test_what_nothing_bounds_is_infinite() -> None:
    """Opt-out −3, uninstall −10 and a message at worst; any number of orders at best."""
    least, most = reward_range(UPLIFT, largest=np.inf)
    assert least == pytest.approx(-13.0005)
    assert most == np.inf


def test_what_refunds_subtract_can_cost() -> None:
    """A value of 100 at most, at a mean of 50: from −2 to 2 beside the rest."""
    scheme = uplift_scheme(mean_order_value=50.0)
    least, most = reward_range(scheme, largest=100.0)
    assert (least, most) == pytest.approx((-2 - 13.0005, 2 + 0.05 * 100))


def test_negative_rewards_have_a_negative_range(two_parts: RewardScheme) -> None:
    """The trap: a range of costs that starts at 0 whatever the scheme says."""
    assert reward_range(two_parts, largest=1.0) == pytest.approx((-3.01, 1.0))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_largest_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match="largest count or value above 0, got"):
        reward_range(UPLIFT, largest=bad)
