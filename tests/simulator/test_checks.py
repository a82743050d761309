from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from bandit.errors import BadInputError, BadShapeError
from simulator.checks import checked_actions, checked_mode, row_seeds, rows_to_reset


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (np.zeros(2, np.int64), BadShapeError, r"shape \(3,\), got \(2,\)"),
        (np.zeros((3, 1), np.int64), BadShapeError, r"shape \(3,\), got \(3, 1\)"),
        (np.full(3, np.nan), BadInputError, "an integer kind, got float64, such as .*nan"),
        (np.array(["a", "b", "c"]), BadInputError, "an integer kind, got <U1"),
        (np.array([0, 5, 0]), BadInputError, r"in 0 … 4 .*got 5 in row 1"),
        (np.array([0, 0, -1]), BadInputError, r"in 0 … 4 .*got -1 in row 2"),
    ],
)
def test_actions_that_do_not_fit_are_refused(
    actions: Any, error: type[Exception], message: str
) -> None:
    """By shape, kind and range, with the row."""
    with pytest.raises(error, match=message):
        checked_actions(actions, is_idle=np.zeros(3, np.bool_), n_actions=5)


def test_an_idle_row_may_ask_for_anything() -> None:
    """Its action is not read."""
    idle = np.array([True, False])
    assert checked_actions(np.array([99, 4]), is_idle=idle, n_actions=5).tolist() == [0, 4]


def test_rows_count_up_from_the_seed() -> None:
    """Past the largest seed they begin anew; hashed seeds share no rows with their neighbours."""
    assert row_seeds(5, n_rows=3, is_disjoint=False).tolist() == [5, 6, 7]
    assert row_seeds(2**64 - 1, n_rows=2, is_disjoint=False).tolist() == [2**64 - 1, 0]
    assert row_seeds([9, 4], n_rows=2, is_disjoint=False).tolist() == [9, 4]
    apart = [set(row_seeds(s, n_rows=2048, is_disjoint=True).tolist()) for s in (5, 6)]
    assert not apart[0] & apart[1]
    assert row_seeds(np.array([9, 4]), n_rows=2, is_disjoint=False).tolist() == [9, 4]
    for wrong in ([1], [1, None], [1.0, 2.0], 1.5, "12", {1: 2, 3: 4}):
        with pytest.raises(BadInputError, match="2 of them as seed, got"):
            row_seeds(wrong, n_rows=2, is_disjoint=False)


@pytest.mark.parametrize(
    "mask", [np.ones(3, np.bool_), np.ones(2, np.int64), np.zeros(2, np.bool_), "all"]
)
def test_a_reset_mask_that_does_not_fit_is_refused(mask: Any) -> None:
    """One flag a row, true in at least one."""
    with pytest.raises(BadInputError, match=r"reset_mask of shape \(2,\) and kind bool"):
        rows_to_reset({"reset_mask": mask}, n_rows=2)


def test_another_reset_option_is_refused() -> None:
    """By its name."""
    with pytest.raises(BadInputError, match="among reset_mask, got mask"):
        rows_to_reset({"mask": None}, n_rows=2)
    with pytest.raises(BadInputError, match=r"expected options such as .*, got \['reset_mask'\]"):
        rows_to_reset(["reset_mask"], n_rows=2)


def test_a_mode_is_given_by_itself_its_value_or_its_name() -> None:
    """As a TOML file or RLlib's env_config would."""
    for asked in (AutoresetMode.SAME_STEP, "SameStep", "SAME_STEP"):
        assert checked_mode(asked) is AutoresetMode.SAME_STEP
