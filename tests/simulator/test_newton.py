from __future__ import annotations

import pytest

from bandit.errors import BadInputError
from simulator.calibrate import n_simulations
from simulator.newton import FitSettings
from simulator.parameters import PARAMETERS


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
