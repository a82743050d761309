"""SquareCB: its schedule and its elimination, by hand; its peer stands in ``test_peers``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.explorers.square_cb import SquareCB


def test_its_schedule_by_hand(known: Callable[..., Any], ask: Callable[..., Any]) -> None:
    """γ = 2·16^.75 = 16: others get 1/(3 + 1.6) and 1/(3 + 8)."""
    explorer = SquareCB(gamma_scale=2.0, gamma_exponent=0.75)
    pmf = explorer.pmf(known([0.0, 0.4, 0.5]), ask(3), key=0, n_learned=16)
    np.testing.assert_allclose(pmf, [[1 / 11, 1 / 4.6, 1 - 1 / 11 - 1 / 4.6]])
    before = explorer.pmf(known([0.0, 0.4, 0.5]), ask(3), key=0, n_learned=0)
    np.testing.assert_allclose(before, [[1 / 3, 1 / 3, 1 / 3]])


def test_what_is_eliminated_gets_nothing_and_does_not_count(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """One standard deviation of differences, .14 or .1, leaves .4 and .5: A is 2, γ is 10."""
    model = known([0.0, 0.4, 0.5, 0.1], spreads=[0.0, 0.1, 0.1, 0.1])
    explorer = SquareCB(eliminates=True, mellowness=1 / np.log(8.0))
    pmf = explorer.pmf(model, ask(4), key=0, n_learned=1)
    np.testing.assert_allclose(pmf, [[0.0, 1 / 3, 2 / 3, 0.0]])


@pytest.mark.parametrize("name", ["gamma_scale", "gamma_exponent", "mellowness"])
@pytest.mark.parametrize("bad", [-1.0, np.inf, np.nan])
def test_impossible_settings_are_refused(name: str, bad: float) -> None:
    with pytest.raises(BadInputError, match="finite gamma_scale, gamma_exponent and mellowness"):
        SquareCB(**{name: bad})  # type: ignore[arg-type]
