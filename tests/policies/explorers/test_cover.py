"""Online cover over a model: its schedule by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.explorers.cover import Cover


def test_the_least_probability_falls_with_rows_and_unmasked_actions(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Three actions: all of 1/3 at first; 1/√(300·3) = 1/30 after 300 rows."""
    model = known([0.0, 0.4, 0.1, 9.0])
    asked = ask(4, mask=[True, True, True, False])
    at_first = Cover().pmf(model, asked, key=0, n_learned=0)
    np.testing.assert_allclose(at_first, [[1 / 3, 1 / 3, 1 / 3, 0.0]])
    later = Cover(n_policies=1).pmf(model, asked, key=0, n_learned=300)
    np.testing.assert_allclose(later, [[1 / 30, 28 / 30, 1 / 30, 0.0]])
    only_taken = Cover(n_policies=1, is_uniform=False).pmf(model, asked, key=0, n_learned=300)
    np.testing.assert_allclose(only_taken, [[0.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("bad", [{"n_policies": 0}, {"psi": -1.0}, {"psi": np.inf}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="n_policies of at least 1 and a finite psi"):
        Cover(**bad)
