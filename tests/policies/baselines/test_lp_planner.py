"""The planner against plans by hand and against every plan there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT
from bandit.slots import DAY_MS, HOUR_MS
from policies.baselines.assignment import assigned
from policies.baselines.lp_planner import LpPlanner
from policies.models.linear import LinearModel
from policies.shape import PolicyShape

_LIMITS = ((DAY_MS, 2), (8 * HOUR_MS, 1))


def _starts(n: int, hours: list[int]) -> np.ndarray:
    return np.tile(np.array(hours) * HOUR_MS, (n, 1))


def _best_by_search(worth: np.ndarray, start_ms: np.ndarray, most: int, gap_ms: int) -> float:
    """Worth of the best plan of one row, by trying all."""
    pairs = [(k, s) for k, s in np.argwhere(worth > 0)]
    best = 0.0
    for size in range(1, most + 1):
        for plan in combinations(pairs, size):
            items, slots = zip(*plan, strict=True)
            times = np.sort(start_ms[list(slots)])
            if len(set(items)) == size and (np.diff(times) >= gap_ms).all():
                best = max(best, sum(float(worth[k, s]) for k, s in plan))
    return best


def test_two_slots_that_are_far_apart_beat_the_best_one_between_them() -> None:
    """At hours 0, 6 and 12 one item is worth 3, 4 and 3: 6 by the first and the last."""
    worth = np.array([[[3.0, 4.0, 3.0], [3.0, 4.0, 3.0]]])
    chosen = assigned(worth, _starts(1, [0, 6, 12]), limits=_LIMITS)
    np.testing.assert_array_equal(chosen.any(axis=1), [[True, False, True]])
    np.testing.assert_array_equal(chosen.sum(axis=2), [[1, 1]])


def test_an_item_is_sent_once() -> None:
    worth = np.array([[[3.0, 1.0, 2.0]]])
    chosen = assigned(worth, _starts(1, [0, 8, 16]), limits=_LIMITS)
    np.testing.assert_array_equal(chosen, [[[True, False, False]]])


def test_what_is_worth_nothing_is_not_planned() -> None:
    worth = np.array([[[-1.0, 0.0]], [[-1.0, 2.0]]])
    chosen = assigned(worth, _starts(2, [0, 9]), limits=_LIMITS)
    np.testing.assert_array_equal(chosen.sum(axis=(1, 2)), [0, 1])
    assert not assigned(worth[:1], _starts(1, [0, 9]), limits=_LIMITS).any()


@pytest.mark.parametrize("most", [1, 2, 3])
def test_plans_are_the_best_of_all_plans(most: int) -> None:
    """Fifteen rows in one program, each beside a search through all of its plans."""
    rng = np.random.default_rng(most)
    worth = rng.normal(0.2, 1.0, size=(15, 3, 6))
    start_ms = np.sort(rng.integers(0, 24, size=(15, 6)), axis=1) * HOUR_MS
    limits = ((DAY_MS, most), (5 * HOUR_MS, 1))
    chosen = assigned(worth, start_ms, limits=limits)
    for row in range(15):
        best = _best_by_search(worth[row], start_ms[row], most, 5 * HOUR_MS)
        assert worth[row][chosen[row]].sum() == pytest.approx(best, abs=1e-9)


class _Told(LinearModel):
    """Values as told."""

    told: np.ndarray

    def values(self, request: Request) -> np.ndarray:
        return np.concatenate([np.zeros((len(self.told), 1)), self.told], axis=1)


def _asked(
    request_of: Callable[..., Request], values: list[list[float]], hours: list[int]
) -> tuple[Request, _Told]:
    shape = PolicyShape(
        n_context=1,
        n_item_features=1,
        n_slot_features=1,
        n_users=1,
        n_items=len(values[0]) // len(hours),
        n_slots=len(hours),
    )
    asked = request_of(shape, len(values))
    start = _starts(len(values), hours)
    grid = replace(asked.grid, start_ms=start, end_ms=start + HOUR_MS)
    return replace(asked, grid=grid), _told(shape, values)


def _told(shape: PolicyShape, values: list[list[float]]) -> _Told:
    model = _Told(shape, ENGAGEMENT)
    model.told = np.array(values)
    return model


def test_the_send_worth_most_in_the_plan_is_decided(request_of: Callable[..., Request]) -> None:
    """Items a and b: the best pair is a at hour 6, the plan is a at 12 and b at 0."""
    values = [[3.0, 4.0, 3.5, 3.0, 0.0, 0.0]]
    asked, model = _asked(request_of, values, [0, 6, 12])
    pmf = LpPlanner().pmf(model, asked, key=0, n_learned=0)
    np.testing.assert_array_equal(pmf, [[0, 0, 0, 1, 0, 0, 0]])
    alone = LpPlanner(per_day=1).pmf(model, asked, key=0, n_learned=0)
    np.testing.assert_array_equal(alone, [[0, 0, 1, 0, 0, 0, 0]])


def test_a_push_that_is_not_worth_it_is_held_and_masked_slots_are_not_planned(
    request_of: Callable[..., Request],
) -> None:
    asked, model = _asked(request_of, [[-1.0, -2.0], [5.0, 1.0]], [0, 10])
    reasons = np.zeros((2, 3), np.uint16)
    reasons[1, 1] = 8
    pmf = LpPlanner().pmf(model, replace(asked, reasons=reasons), key=0, n_learned=0)
    np.testing.assert_array_equal(pmf, [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("bad", [{"per_day": 0}, {"gap_h": 0.0}, {"gap_h": np.inf}])
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected per_day of at least 1"):
        LpPlanner(**bad)  # type: ignore[arg-type]


def test_scipy_is_loaded_by_the_first_plan_only() -> None:
    code = "import sys, policies.registry; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
