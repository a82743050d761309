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


def test_a_restored_environment_forgets_what_it_drew_since() -> None:
    """The week that is drawn is the one that was lived to the snapshot and on from it."""
    env, straight = (
        PushEnv(render_mode="rgb_array", preset="tiny", horizon_days=9) for _ in range(2)
    )
    for each in (env, straight):
        each.reset(seed=1)
        each.step(1)
    here = env.snapshot()
    for _ in range(3):
        env.step(1)
    env.restore(here)
    frames = []
    for each in (env, straight):
        each.step(0)
        frames.append(each.render())
    assert np.array_equal(*frames)  # type: ignore[call-overload]
    blind = PushEnv(preset="tiny", horizon_days=9)
    blind.reset(seed=1)
    env.restore(blind.snapshot())
    fresh = PushEnv(render_mode="rgb_array", preset="tiny", horizon_days=9)
    fresh.reset(seed=1)
    assert np.array_equal(env.render(), fresh.render())  # type: ignore[arg-type]


def test_only_the_last_week_is_drawn() -> None:
    """A push of eight days ago is on no picture; one of six days ago is."""
    frames = []
    for day in (None, 0, 2):
        env = PushEnv(render_mode="rgb_array", preset="tiny", horizon_days=20)
        env.reset(seed=1)
        for today in range(8):
            env.step(0)
            if today == day:
                page = env._row._diary._pages[-1]  # type: ignore[union-attr]
                page.sent_h[:] = 24.0 * today
        frames.append(env.render())
    assert np.array_equal(frames[0], frames[1])  # type: ignore[arg-type]
    assert not np.array_equal(frames[0], frames[2])  # type: ignore[arg-type]
