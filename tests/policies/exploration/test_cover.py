"""Online cover by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.exploration import cover

_SCORES = np.array([[0.5, 0.45, 0.0]])
_ALL = np.ones((1, 3), np.bool_)


@pytest.mark.parametrize(
    ("psi", "expected"),
    [(0.2, [0.45, 0.45, 0.1]), (0.05, [0.8, 0.1, 0.1]), (1.0, [0.45, 0.45, 0.1])],
)
def test_the_second_policy_covers_what_is_nearly_as_good(psi: float, expected: list[float]) -> None:
    """μ = .1, so Z = .7: what nobody took is paid .7·ψ, the first's choice .14·ψ.

    At ψ = .2 the second of two takes .45 + .14 over .5 + .028; at .05 it does not take .45 + .035.
    """
    pmf = cover(_SCORES, _ALL, n_policies=2, psi=psi, least=0.1)
    np.testing.assert_allclose(pmf, [expected], atol=1e-15)


def test_one_policy_is_greedy_above_the_least() -> None:
    pmf = cover(_SCORES, _ALL, n_policies=1, psi=9.0, least=0.05)
    np.testing.assert_allclose(pmf, [[0.9, 0.05, 0.05]])


def test_without_raising_zeros_only_what_a_policy_takes_is_played() -> None:
    pmf = cover(_SCORES, _ALL, n_policies=2, psi=0.2, least=0.1, raises_zeros=False)
    np.testing.assert_allclose(pmf, [[0.5, 0.5, 0.0]])


def test_masked_actions_are_not_covered_and_ties_share() -> None:
    mask = np.array([[True, True, True, False]])
    pmf = cover(np.array([[0.0, 0.0, -9.0, 9.0]]), mask, n_policies=3, psi=0.1, least=0.0)
    np.testing.assert_allclose(pmf, [[0.5, 0.5, 0.0, 0.0]])


def test_impossible_settings_are_refused() -> None:
    for bad in ({"n_policies": 0, "psi": 1.0}, {"n_policies": 2, "psi": -1.0}):
        with pytest.raises(BadInputError, match="n_policies of at least 1 and a finite psi"):
            cover(_SCORES, _ALL, least=0.1, **bad)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match=r"least probability in \[0, 1/A\], got 0.5"):
        cover(_SCORES, _ALL, n_policies=2, psi=1.0, least=0.5)
