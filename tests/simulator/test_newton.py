from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from simulator.calibrate import n_simulations
from simulator.clustered import Clustered
from simulator.newton import FitSettings, _noise, _solved
from simulator.parameters import PARAMETERS

BY_KEY = {p.key: p for p in PARAMETERS}


def test_parameters_that_there_are_not_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"click\.rate"):
        FitSettings(only=("click.rat",))
    assert n_simulations(FitSettings()) > len(PARAMETERS)


@pytest.mark.parametrize(
    "wrong", [{"warmup_days": -1}, {"replicas": 0}, {"max_users": 0}, {"turns": 0}]
)
def test_settings_that_fit_nothing_are_refused(wrong: dict[str, int]) -> None:
    """With what was expected and what came."""
    with pytest.raises(BadInputError, match="expected a warm-up of 0 days or more"):
        FitSettings(**wrong)


def test_errors_are_those_of_the_log_and_of_the_simulation_together() -> None:
    """Influences of users, squared and crossed, worked by hand."""
    some = [BY_KEY["click.rate"], BY_KEY["delivery.success"]]

    def told(*influences: list[float]) -> dict[str, Clustered]:
        pairs = zip(some, influences, strict=True)
        return {p.key: Clustered(0.0, np.array(each), 1.0) for p, each in pairs}

    fit: Any = SimpleNamespace(observed=told([1.0, -1.0], [2.0, -2.0]))
    noise = _noise(fit, some, told([0.5, -0.5, 0.0], [0.0, 1.0, -1.0]))
    assert noise == pytest.approx(np.array([[2.0 + 0.5, 4.0 - 0.5], [4.0 - 0.5, 8.0 + 2.0]]))


def test_a_move_is_no_longer_than_slopes_can_be_trusted_group_by_group() -> None:
    """Two and a half steps; the direction is kept, and other groups are not held up."""
    some = [BY_KEY[key] for key in ("click.rate", "fatigue.slope", "delivery.success")]
    wild, near, apart = 25.0 * some[0].step, 1.0 * some[1].step, 0.5 * some[2].step
    move = _solved(np.eye(3), np.array([wild, near, apart]), some)
    assert move == pytest.approx([2.5 * some[0].step, 0.1 * some[1].step, apart])
