"""Random and silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.actions import Request
from bandit.outcomes import RewardScheme
from policies.baselines.fixed import NeverSend, RandomEligible
from policies.shape import PolicyShape


def _mask() -> np.ndarray:
    mask = np.ones((2, 21), np.bool_)
    mask[0, 5:] = False
    mask[1, :18] = False
    return mask


def test_random_spreads_over_what_is_eligible(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    pmf = RandomEligible(small_shape, hits).pmf(request_of(small_shape, 2, mask=_mask()), key=0)
    np.testing.assert_allclose(pmf[0], np.r_[np.full(5, 0.2), np.zeros(16)])
    np.testing.assert_allclose(pmf[1], np.r_[np.zeros(18), np.full(3, 1 / 3)])


def test_never_send_holds_where_it_may(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    pmf = NeverSend(small_shape, hits).pmf(request_of(small_shape, 2, mask=_mask()), key=0)
    np.testing.assert_array_equal(pmf[0], np.r_[1.0, np.zeros(20)])
    np.testing.assert_allclose(pmf[1], np.r_[np.zeros(18), np.full(3, 1 / 3)])
