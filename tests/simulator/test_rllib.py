"""Slow: `make test-slow` installs RLlib, which these tests train through the native environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed: make test-slow installs it")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# A process of its own: ray starts others, and its warnings are its own. Ours are errors.
SCRIPT = """
import sys, warnings
for room in ("simulator", "bandit"):
    warnings.filterwarnings("error", module=room)
import ray
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig
name, face, n_rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
config = {"PPO": PPOConfig, "DQN": DQNConfig}[name]()
config = (
    config.environment(
        "simulator.register:" + face,
        env_config={
            "preset": "ecommerce", "n_candidates": 3, "horizon_days": 5, "disjoint_seeds": True
        },
    )
    .env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=8,
        gym_env_vectorize_mode="vector_entry_point",
    )
    .reporting(min_sample_timesteps_per_iteration=100, min_time_s_per_iteration=0)
    .debugging(seed=1)
)
if name == "PPO":
    config = config.training(train_batch_size_per_learner=256, minibatch_size=64, num_epochs=1)
else:
    config = config.training(
        train_batch_size_per_learner=32,
        num_steps_sampled_before_learning_starts=64,
        replay_buffer_config={"type": "EpisodeReplayBuffer", "capacity": 5000},
    )
algorithm = config.build_algo()
n_steps = 0
for _ in range(n_rounds):
    result = algorithm.train()
    n_steps = result["num_env_steps_sampled_lifetime"]
runner = algorithm.env_runner
print("vector", type(runner.env.unwrapped).__name__, "steps", int(n_steps))
algorithm.stop()
ray.shutdown()
"""


@pytest.mark.parametrize("face", ["PushDaily-v0", "PushHourly-v0"])
@pytest.mark.parametrize(("name", "n_rounds", "n_steps"), [("PPO", 3, 512), ("DQN", 3, 200)])
def test_the_learners_of_rllib_train(face: str, name: str, n_rounds: int, n_steps: int) -> None:
    """Through the native vector environment, with no warning from our files."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, face, str(n_rounds)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = done.stdout.strip().splitlines()[-1].split()
    assert told[:3] == ["vector", "PushVectorEnv", "steps"]
    assert int(told[3]) >= n_steps
    ours = [line for line in done.stderr.splitlines() if "/simulator/" in line and "Warn" in line]
    assert not ours, ours
