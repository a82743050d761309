from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium

from simulator.register import IDS

ROOT = Path(__file__).resolve().parents[2]


def test_each_id_has_both_entry_points_and_ends_its_own_episodes() -> None:
    """No wrapper cuts an episode: the horizon is the environment's."""
    for name in IDS:
        spec = gymnasium.spec(name)
        assert spec.entry_point is not None and spec.vector_entry_point is not None
        assert spec.max_episode_steps is None


def test_the_id_alone_brings_the_environment_to_a_fresh_process() -> None:
    """As a remote worker makes it; and the room is light until then."""
    code = (
        "import sys, gymnasium, simulator; assert 'simulator.vector_env' not in sys.modules; "
        "env = gymnasium.make('simulator.register:PushDaily-v0', preset='tiny'); "
        "env.reset(seed=1); assert 'matplotlib' not in sys.modules; print(env.action_space.n)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "9"
