from __future__ import annotations

import math

import pytest
import torch

from encoders.time_features import log_time, piecewise_weights


def test_the_log_time_axis_by_hand() -> None:
    """ln(1 + s) / step: 0 s is knot 0; 6 s with step ln 7 / 2.5 is midway between 2 and 3."""
    delta = torch.tensor([0, 6000, -5])
    knot, fraction = log_time(delta, step=math.log(7) / 2.5, n_knots=8, dtype=torch.float64)
    assert knot.tolist() == [0, 2, 0]
    assert fraction.tolist() == pytest.approx([0, 0.5, 0], abs=1e-12)


def test_the_last_knot_is_the_upper_end_of_the_last_pair() -> None:
    knot, fraction = log_time(torch.tensor([2**60]), step=0.6, n_knots=32, dtype=torch.float64)
    assert knot.tolist() == [30]
    assert fraction.tolist() == [1.0]


def test_log_time_never_falls_as_time_goes_on() -> None:
    delta = torch.arange(0, 10**9, 997_001)
    knot, fraction = log_time(delta, step=0.6, n_knots=32, dtype=torch.float64)
    assert (torch.diff(knot + fraction) >= 0).all()


def test_two_neighbouring_knots_share_a_weight_of_one() -> None:
    found = piecewise_weights(torch.tensor([0.0, 0.75, 1.0, 99.0]), step=0.5, n_knots=4)
    assert found.tolist() == [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.5, 0.5, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
    ]


def test_a_missing_value_has_a_column_of_its_own() -> None:
    found = piecewise_weights(torch.tensor([math.nan]), step=0.5, n_knots=4)
    assert found.tolist() == [[0.0, 0.0, 0.0, 0.0, 1.0]]
