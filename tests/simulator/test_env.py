from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import simulator
from bandit.errors import BadInputError, StateError
from simulator.env import PushEnv
from simulator.register import IDS

FOLDER = Path(simulator.__file__).parent / "presets"


@pytest.mark.parametrize("preset", sorted(path.stem for path in FOLDER.glob("*.toml")))
@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_checker_has_nothing_to_say(name: str, preset: str) -> None:
    """Warnings are errors here, and every render mode is tried."""
    env = gymnasium.make(f"simulator.register:{name}", preset=preset, horizon_days=3)
    check_env(env.unwrapped)


@pytest.mark.parametrize("options", [{"truth": True}, {"mask_in_obs": True}, {"observe": "full"}])
def test_gymnasiums_checker_accepts_every_option(options: dict[str, Any]) -> None:
    """Truth in the info, the mask in the observation, all that is hidden."""
    check_env(gymnasium.make("simulator.register:PushHourly-v0", **options).unwrapped)


def test_values_are_pythons_own_where_gymnasium_wants_them() -> None:
    """Flags, rewards and ids are no arrays."""
    env = PushEnv(preset="tiny", truth=True)
    _, info = env.reset(seed=1)
    assert (info["is_reset"], info["t"]) == (True, 0)
    seen, reward, terminated, truncated, info = env.step(np.int64(1))
    assert seen.shape == (len(env.obs_names),)
    assert type(reward) is float and terminated is False and truncated is False
    assert type(info["user_id"]) is int and type(info["suppressed"]) is bool
    assert info["action_mask"].shape == env.action_masks().shape == (9,)
    assert env.truth()["mean_reward"].shape == (9,)


def test_an_episode_that_is_over_wants_a_reset() -> None:
    """And so does one that has not begun."""
    env = PushEnv(preset="tiny", horizon_days=1)
    with pytest.raises(StateError, match="call reset"):
        env.step(0)
    env.reset(seed=1)
    assert env.step(0)[3] is True
    with pytest.raises(StateError, match="life is over"):
        env.step(0)


@pytest.mark.parametrize("action", [np.zeros(2, np.int64), 1.0, float("nan"), 9, -1, "send"])
def test_an_action_that_does_not_fit_is_refused(action: Any) -> None:
    """Two at once, no whole number, out of range."""
    env = PushEnv(preset="tiny")
    env.reset(seed=1)
    with pytest.raises(BadInputError, match="expected"):
        env.step(action)


def test_a_restored_environment_shows_the_moment_again() -> None:
    """The observation is that of the snapshot, and the next reward the same."""
    env = PushEnv(preset="tiny")
    env.reset(seed=3)
    seen, *_ = env.step(1)
    here = env.snapshot()
    after = env.step(0)
    again, info = env.restore(here)
    assert np.array_equal(seen, again) and info["t"] == 1
    assert env.step(0)[1] == after[1]


@pytest.mark.parametrize("asks_first", [False, True])
def test_the_first_life_without_a_seed_is_that_of_the_generators_own(asks_first: bool) -> None:
    """Whether or not somebody has drawn from it before."""
    env = PushEnv(preset="tiny")
    if asks_first:
        env.np_random.random()
    _, info = env.reset()
    again, second = env.reset(seed=env.np_random_seed)[1], env.reset()[1]
    assert again["user_id"] == info["user_id"] != second["user_id"]


def test_a_seed_may_be_a_number_of_numpys() -> None:
    """As the vector environment takes it."""
    env = PushEnv(preset="tiny")
    assert env.reset(seed=np.int64(5))[1] | {"action_mask": 0} == (
        env.reset(seed=5)[1] | {"action_mask": 0}
    )
