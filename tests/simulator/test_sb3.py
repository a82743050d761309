"""Slow: `make test-slow` installs Stable-Baselines3, which these tests train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

sb3 = pytest.importorskip(
    "stable_baselines3", reason="Stable-Baselines3 is not installed: make test-slow installs it"
)
contrib = pytest.importorskip(
    "sb3_contrib", reason="sb3-contrib is not installed: make test-slow installs it"
)

from bandit.errors import BadInputError, StateError  # noqa: E402
from simulator.sb3 import SB3VecEnv  # noqa: E402
from simulator.vector_env import PushVectorEnv  # noqa: E402

pytestmark = pytest.mark.slow
CLOCKS = ("daily", "hourly")


def make(n: int = 8, **options: Any) -> SB3VecEnv:
    options = {"preset": "ecommerce", "n_candidates": 3, "horizon_days": 5, **options}
    return SB3VecEnv(PushVectorEnv(n, autoreset_mode="SameStep", **options))


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_the_learners_of_stable_baselines_train(name: str, clock: Any) -> None:
    """Without a warning, over ends of lives."""
    settings = {"PPO": {"n_steps": 32, "batch_size": 64}, "DQN": {"learning_starts": 100}}
    model = getattr(sb3, name)("MlpPolicy", make(clock=clock), seed=1, **settings[name])
    model.learn(1000)
    assert model.num_timesteps >= 1000


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_masked_learner_never_asks_for_what_is_masked(clock: Any) -> None:
    """Strict environments raise where it did."""
    env = make(clock=clock, strict=True)
    model = contrib.MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=64, seed=1)
    model.learn(1000)
    assert model.num_timesteps >= 1000


def test_the_mask_in_the_observation_fits_a_policy_of_many_inputs() -> None:
    """As two inputs of one network."""
    env = make(mask_in_obs=True)
    sb3.PPO("MultiInputPolicy", env, n_steps=16, batch_size=64, seed=1).learn(256)


def test_ends_of_lives_carry_the_last_observation() -> None:
    """And say whether it was the horizon, as SB3's own environments do."""
    env = make(4, preset="tiny", n_candidates=2, horizon_days=2)
    env.seed(3)
    env.reset()
    twin = PushVectorEnv(
        4, autoreset_mode="Disabled", preset="tiny", n_candidates=2, horizon_days=2
    )
    twin.reset(seed=3)
    for day in range(2):
        seen, reward, done, infos = env.step(np.ones(4, np.int64))
        last, paid, _, ended, _ = twin.step(np.ones(4, np.int64))
        assert np.allclose(reward, paid)
        if day == 1:
            for row in range(4):
                assert done[row] and infos[row]["TimeLimit.truncated"] == ended[row]
                assert np.array_equal(infos[row]["terminal_observation"], last[row])
    assert not np.array_equal(seen, last)


def test_another_autoreset_mode_or_attribute_is_refused() -> None:
    """By what to do instead."""
    with pytest.raises(BadInputError, match="autoreset_mode='SameStep'"):
        SB3VecEnv(PushVectorEnv(2, preset="tiny"))
    env = make(2)
    with pytest.raises(StateError, match="step_async before step_wait"):
        env.step_wait()
    with pytest.raises(BadInputError, match="no attributes to be set"):
        env.set_attr("strict", True)
    env.set_options()
    for options in ({"reset_mask": [True, False]}, [{}, {"horizon_days": 3}]):
        with pytest.raises(BadInputError, match="expected no options of a reset"):
            env.set_options(options)
    env.reset()
    assert len(env.env_method("action_masks", indices=[1])) == 1
    with pytest.raises(BadInputError, match="such as action_masks"):
        env.env_method("snapshot")


def test_a_learner_solves_the_identity_preset() -> None:
    """Nine tenths of the gain over silence that the best choice has, by the world's own truth."""
    options: dict[str, Any] = {"preset": "identity", "n_candidates": 4, "horizon_days": 28}
    model = sb3.PPO(
        "MlpPolicy",
        make(32, **options),
        n_steps=64,
        batch_size=256,
        learning_rate=1e-3,
        gamma=0.0,
        seed=1,
    )
    model.learn(60_000)
    env = PushVectorEnv(500, truth=True, **options)
    seen, _ = env.reset(seed=10_000)
    got = best = 0.0
    for _ in range(20):
        truth, mask = env.truth()["mean_reward"], env.action_masks()
        action, _ = model.predict(seen, deterministic=True)
        seen, _, _, _, info = env.step(action)
        done = np.where(info["suppressed"], 0, action)
        lives = ~info["is_reset"]
        got += float((truth[np.arange(500), done] - truth[:, 0])[lives].sum())
        best += float((np.where(mask, truth, -np.inf).max(axis=1) - truth[:, 0])[lives].sum())
    assert best > 0.0
    assert got / best >= 0.9
