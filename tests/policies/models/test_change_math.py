"""Mean times to an alarm, as tables have them and as simulation finds them."""

from __future__ import annotations

import numpy as np
import pytest

from policies.models.change_math import mean_time, stepped, threshold


@pytest.mark.parametrize(
    ("shift", "of_four", "of_five"),
    [(0.0, 168.0, 465.0), (0.25, 74.2, 139.0), (0.5, 26.6, 38.0), (1.0, 8.38, 10.4)],
)
def test_mean_times_are_those_of_the_tables(shift: float, of_four: float, of_five: float) -> None:
    """Allowance .5, heights 4 and 5: the table that textbooks of quality control print."""
    for height, published in ((4.0, of_four), (5.0, of_five)):
        found = mean_time(height, shift=shift, allowance=0.5)
        assert found == pytest.approx(published, rel=0.03)


def test_numbers_without_a_change_raise_no_more_alarms_than_stated() -> None:
    """Two hundred rows of a thousand steps, a threshold for one alarm in five hundred."""
    rng = np.random.default_rng(1)
    height = threshold(500.0, allowance=0.5)
    alarms = sum(len(_alarms(rng.standard_normal(1000), height)) for _ in range(200))
    assert alarms == pytest.approx(400, rel=0.15)


def test_a_shift_is_found_as_soon_as_stated() -> None:
    rng = np.random.default_rng(2)
    height = threshold(1000.0, allowance=0.5)
    for shift in (0.75, 1.0, 2.0, -1.0):
        waits = [_alarms(shift + rng.standard_normal(400), height)[0] + 1 for _ in range(400)]
        stated = mean_time(height, shift=shift, allowance=0.5)
        assert np.mean(waits) == pytest.approx(stated, rel=0.1)


def test_a_higher_threshold_waits_longer() -> None:
    heights = [threshold(steps, allowance=0.5) for steps in (10.0, 100.0, 1e4, 1e8)]
    assert heights == sorted(heights)
    for steps, height in zip((100.0, 1e4), heights[1:3], strict=True):
        assert mean_time(height, shift=0.0, allowance=0.5) == pytest.approx(steps, rel=1e-6)


def _alarms(numbers: np.ndarray, height: float) -> list[int]:
    """Steps at which either sum is too high; both begin again."""
    found, sums = [], (0.0, 0.0)
    for step, z in enumerate(numbers.tolist()):
        sums = stepped(*sums, z, allowance=0.5)
        if max(sums) > height:
            found.append(step)
            sums = (0.0, 0.0)
    return found
