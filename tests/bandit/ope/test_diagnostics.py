from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.ope.diagnostics import Verdict, diagnose, overlap_figures, verdict_of


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({}, Verdict.USABLE),
        ({"ess": 999.9}, Verdict.WEAK),
        ({"ess": 99.9}, Verdict.DO_NOT_USE),
        ({"effective_hits": 29.9}, Verdict.WEAK),
        ({"effective_hits": 9.9}, Verdict.DO_NOT_USE),
        ({"mean_weight": 1.11}, Verdict.WEAK),
        ({"mean_weight": 0.74}, Verdict.DO_NOT_USE),
        ({"largest_share": 0.06}, Verdict.WEAK),
    ],
)
def test_thresholds_of_the_verdict_are_fixed(figures: dict[str, float], verdict: Verdict) -> None:
    """They were chosen before they were tested; a change is a change of meaning."""
    fine = {"ess": 1000.0, "mean_weight": 1.0, "largest_share": 0.05, "effective_hits": 30.0}
    assert verdict_of(**(fine | figures))[0] is verdict


def test_effective_size_is_the_number_of_rows_where_weights_are_equal() -> None:
    """Kish; one heavy row counts as one."""
    equal = diagnose(np.full(2000, 1.0), np.ones(2000))
    assert (equal.ess, equal.effective_hits) == (2000.0, 2000.0)
    heavy = diagnose(np.append(np.full(1999, 1e-9), 1.0), np.ones(2000))
    assert heavy.ess == pytest.approx(1.0, abs=1e-3)
    assert heavy.verdict is Verdict.DO_NOT_USE


FINE = {"ess": 1000.0, "mean_weight": 1.0, "largest_share": 0.05, "effective_hits": 30.0}


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"ess": 100.0}, Verdict.WEAK),
        ({"effective_hits": 10.0}, Verdict.WEAK),
        ({"mean_weight": 1.25}, Verdict.WEAK),
        ({"mean_weight": 0.75}, Verdict.WEAK),
        ({"mean_weight": 1.0999}, Verdict.USABLE),
        ({"mean_weight": 0.9001}, Verdict.USABLE),
        ({"mean_weight": 1.2501}, Verdict.DO_NOT_USE),
        ({"largest_share": 0.0501}, Verdict.WEAK),
        ({"largest_share": 1.0}, Verdict.WEAK),
        ({"ess": float("inf")}, Verdict.USABLE),
    ],
)
def test_what_stands_on_a_threshold_is_on_its_better_side(
    figures: dict[str, float], verdict: Verdict
) -> None:
    assert verdict_of(**(FINE | figures))[0] is verdict


def test_the_reason_names_the_first_figure_that_fell_short() -> None:
    """The worst kind first; what is fine says so."""
    assert verdict_of(**FINE)[1] == "overlap is enough"
    assert verdict_of(**(FINE | {"ess": 2.1, "mean_weight": 3.1}))[1] == "effective sample 2 < 100"
    assert "far from 1" in verdict_of(**(FINE | {"ess": 500.0, "mean_weight": 3.1}))[1]
    assert "7.0% of the weight" in verdict_of(**(FINE | {"largest_share": 0.07}))[1]
    assert verdict_of(**(FINE | {"effective_hits": 12.0}))[1] == "effective hits 12.0 < 30"


@given(st.floats(0, 3000), st.floats(0, 4), st.floats(0, 1), st.floats(0, 100), st.floats(0, 1000))
def test_more_overlap_never_makes_a_verdict_worse(
    ess: float, mean: float, share: float, hits: float, more: float
) -> None:
    order = [Verdict.DO_NOT_USE, Verdict.WEAK, Verdict.USABLE]
    figures = {"ess": ess, "mean_weight": mean, "largest_share": share, "effective_hits": hits}
    better = {
        "ess": ess + more,
        "mean_weight": 1 + (mean - 1) / (1 + more),
        "largest_share": share / (1 + more),
        "effective_hits": hits + more,
    }
    before, after = verdict_of(**figures)[0], verdict_of(**better)[0]
    assert order.index(after) >= order.index(before)


def test_figures_by_hand() -> None:
    """Weights 1, 2, 3, 0, of which the second and third are hits."""
    found = diagnose(np.array([1.0, 2.0, 3.0, 0.0]), np.array([0.0, 1.0, 0.5, 1.0]))
    assert found.ess == pytest.approx(36 / 14)
    assert (found.mean_weight, found.max_weight, found.n_rows) == (1.5, 3.0, 4)
    assert found.largest_share == 0.5
    assert found.effective_hits == pytest.approx(25 / 13)


def test_a_cost_is_no_hit_and_no_weight_is_no_overlap() -> None:
    """Rewards below zero are not what a normal approximation is fed by."""
    assert diagnose(np.ones(5000), np.full(5000, -0.01)).effective_hits == 0.0
    nothing = diagnose(np.zeros(5000), np.ones(5000))
    assert (nothing.ess, nothing.largest_share) == (0.0, 0.0)
    assert nothing.verdict is Verdict.DO_NOT_USE


def test_every_redraw_has_its_own_figures() -> None:
    rng = np.random.default_rng(1)
    weight, reward = rng.gamma(1.0, 1.0, (3, 50)), (rng.random((3, 50)) < 0.3) * 1.0
    together = overlap_figures(weight, reward)
    for n in range(3):
        alone = overlap_figures(weight[n], reward[n])
        for name, figures in together.items():
            assert figures[n] == pytest.approx(alone[name])


@pytest.mark.parametrize("name", list(FINE))
def test_what_is_no_number_is_never_usable(name: str) -> None:
    """NaN is below no threshold and above none: it must fall short of all."""
    assert verdict_of(**(FINE | {name: float("nan")}))[0] is not Verdict.USABLE


def test_weights_that_overflow_are_not_to_be_used() -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        found = diagnose(np.append(np.ones(5000), 1e200), np.ones(5001))
    assert found.verdict is Verdict.DO_NOT_USE


def test_one_weight_of_a_million_among_ordinary_ones_is_told() -> None:
    """A million against five thousand: one row is nearly all there is."""
    found = diagnose(np.append(np.ones(5000), 1e6), np.ones(5001))
    assert found.ess == pytest.approx((5000 + 1e6) ** 2 / (5000 + 1e12))
    assert found.largest_share == pytest.approx(1e6 / (5000 + 1e6))
    assert found.verdict is Verdict.DO_NOT_USE
