from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from bandit.errors import StateError
from simulator.env import PushEnv
from simulator.vector_env import PushVectorEnv


@pytest.mark.parametrize("clock", ["daily", "hourly"])
def test_a_week_is_a_picture_that_changes_with_what_happens(clock: Any) -> None:
    """Eight-bit colours; a sent push and a silent day look different."""
    env = PushEnv(render_mode="rgb_array", clock=clock, preset="tiny", horizon_days=9)
    env.reset(seed=1)
    blank = env.render()
    assert blank is not None and blank.dtype == np.uint8 and blank.shape == (400, 800, 3)
    start = env.snapshot()
    env.step(1)
    sent = env.render()
    env.reset(seed=1)
    env.restore(start)
    env.step(0)
    held = env.render()
    assert not np.array_equal(blank, sent) and not np.array_equal(sent, held)


def test_each_row_has_a_picture_of_its_own_life() -> None:
    """A new life begins on a blank page, in both autoreset modes."""
    for mode in ("NEXT_STEP", "SAME_STEP"):
        env = PushVectorEnv(
            2, render_mode="rgb_array", preset="tiny", horizon_days=2, autoreset_mode=mode
        )
        env.reset(seed=1)
        blank = env.render()
        for _ in range(3 if mode == "NEXT_STEP" else 2):
            env.step(np.array([1, 0]))
        frames = env.render()
        assert blank is not None and frames is not None and len(frames) == 2
        assert np.array_equal(blank[0], frames[0])


def test_without_a_render_mode_there_is_no_picture() -> None:
    """And no diary is kept."""
    env = PushEnv(preset="tiny")
    env.reset(seed=1)
    assert env.render() is None


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only when a picture is asked for."""
    env = PushEnv(preset="tiny", render_mode="rgb_array")
    env.reset(seed=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(StateError, match="pip install matplotlib"):
        env.render()
