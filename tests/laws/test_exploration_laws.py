"""Laws of exploration functions, over any shape, mask and score that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bandit.floor import check_pmf
from policies.exploration import (
    at_least,
    best_action,
    cover,
    epsilon_greedy,
    information_directed,
    inverse_gap,
    plausible,
    reweighted_inverse_gap,
    softmax,
    uniform,
    votes,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Explore = Callable[[Array, Mask, float], Array]

_SCORE = st.floats(-1e12, 1e12, allow_nan=False)

EXPLORATIONS: dict[str, Explore] = {
    "best_action": lambda s, m, _: best_action(s, m),
    "epsilon_greedy": lambda s, m, x: epsilon_greedy(s, m, epsilon=x),
    "softmax": lambda s, m, x: softmax(s, m, inverse_temperature=1e9 * x),
    "inverse_gap": lambda s, m, x: inverse_gap(s, m, gamma=1e9 * x),
    "reweighted_inverse_gap": lambda s, m, x: reweighted_inverse_gap(
        np.where(m, s, s.min()).max() - s, m, gamma=1e9 * x
    ),
    "at_least": lambda s, m, x: at_least(best_action(s, m), m, total=x),
    "votes": lambda s, m, x: votes(np.stack([s, s - x], axis=1), m),
}
"""Each over scores, a mask and a setting in [0, 1]; a higher score is never less likely."""

INFORMED: dict[str, Explore] = {
    "information_directed": lambda s, m, x: information_directed(
        np.where(m, s, s.min()).max(axis=1, keepdims=True) - s, np.abs(s) ** (1 + x), m
    ),
    "cover": lambda s, m, x: cover(s, m, n_policies=5, psi=10 * x, least=x / m.shape[1]),
}
"""Not ordered by a score: what is worth less may tell more, or be covered after two that tie."""
ALL = EXPLORATIONS | INFORMED


@st.composite
def scored(draw: st.DrawFn) -> tuple[Array, Mask]:
    """Scores and a mask that leaves at least one action of each row."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 8)))
    scores = draw(hnp.arrays(np.float64, shape, elements=_SCORE))
    mask = draw(hnp.arrays(np.bool_, shape))
    mask[np.arange(shape[0]), draw(st.integers(0, shape[1] - 1))] = True
    return scores, mask


@pytest.mark.parametrize("name", ALL)
@given(asked=scored(), setting=st.floats(0, 1))
def test_every_exploration_is_a_distribution_over_unmasked_actions(
    name: str, asked: tuple[Array, Mask], setting: float
) -> None:
    scores, mask = asked
    check_pmf(ALL[name](scores, mask, setting), mask)
    check_pmf(uniform(mask), mask)


@pytest.mark.parametrize("name", EXPLORATIONS)
@given(asked=scored(), setting=st.floats(0, 1))
def test_a_higher_score_never_has_a_lower_probability(
    name: str, asked: tuple[Array, Mask], setting: float
) -> None:
    scores, mask = asked
    pmf = EXPLORATIONS[name](scores, mask, setting)
    for row in range(len(scores)):
        ranked = pmf[row, mask[row]][np.argsort(scores[row, mask[row]])]
        assert (np.diff(ranked) >= -1e-12).all()


@pytest.mark.parametrize("name", ALL)
@given(asked=scored(), setting=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_explorations_do_not_care_for_the_order_of_actions(
    name: str, asked: tuple[Array, Mask], setting: float, seed: int
) -> None:
    scores, mask = asked
    explore = ALL[name]
    order = np.random.default_rng(seed).permutation(scores.shape[1])
    np.testing.assert_allclose(
        explore(scores[:, order], mask[:, order], setting),
        explore(scores, mask, setting)[:, order],
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("name", ALL)
@given(asked=scored(), setting=st.floats(0, 1))
def test_scores_and_masks_are_not_written_to(
    name: str, asked: tuple[Array, Mask], setting: float
) -> None:
    scores, mask = asked
    before = scores.copy(), mask.copy()
    ALL[name](scores, mask, setting)
    np.testing.assert_array_equal(scores, before[0])
    np.testing.assert_array_equal(mask, before[1])


@given(scored(), st.floats(0, 1), st.booleans())
def test_nothing_that_counts_falls_below_the_least(
    asked: tuple[Array, Mask], total: float, raises_zeros: bool
) -> None:
    scores, mask = asked
    pmf = softmax(scores, mask, inverse_temperature=1.0)
    counted = mask if raises_zeros else mask & (pmf > 0)
    got = at_least(pmf, mask, total=total, raises_zeros=raises_zeros)
    check_pmf(got, mask)
    least = np.broadcast_to(total / counted.sum(axis=1, keepdims=True), got.shape)
    assert (got[counted] >= least[counted] * (1 - 1e-12)).all()
    np.testing.assert_array_equal(got[mask & ~counted], 0.0)


@given(scored(), st.floats(0, 1e12))
def test_elimination_keeps_the_best_and_what_bounds_cannot_tell_from_it(
    asked: tuple[Array, Mask], width: float
) -> None:
    """With one width for all, an action is out if and only if its gap exceeds two widths."""
    scores, mask = asked
    kept = plausible(scores - width, scores + width, mask)
    best = np.where(mask, scores, -np.inf).max(axis=1, keepdims=True)
    np.testing.assert_array_equal(kept, mask & (scores + width >= best - width))
    assert kept[mask & (scores == best)].all()
