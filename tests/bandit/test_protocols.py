from __future__ import annotations

import numpy as np

from bandit.protocols import Estimate


def test_an_action_is_worth_what_comes_anyway_and_what_it_adds() -> None:
    """Base and uplift add up a row, an action and a component; hold is worth the base."""
    rng = np.random.default_rng(3)
    base, uplift = rng.normal(size=(2, 3)), rng.normal(size=(2, 5, 3))
    uplift[:, 0] = 0.0
    believed = Estimate(
        base_mean=base,
        base_sd=np.ones((2, 3)),
        uplift_mean=uplift,
        uplift_sd=np.ones((2, 5, 3)),
    )
    np.testing.assert_array_equal(believed.mean[:, 0], base)
    for row, action, component in np.ndindex(2, 5, 3):
        expected = base[row, component] + uplift[row, action, component]
        assert believed.mean[row, action, component] == expected
