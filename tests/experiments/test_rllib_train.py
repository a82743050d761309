"""All but the last are slow: `make test-slow` installs RLlib, which trains in its own process."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import assemble
from bandit.floor import check_pmf
from bandit.outcomes import UPLIFT
from experiments.record import RESULTS
from policies.registry import build
from policies.shape import PolicyShape
from simulator.config import load
from simulator.guard import WorldGuard
from simulator.offers import Slates
from simulator.world import World

ROOT = Path(__file__).resolve().parents[2]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: make test-slow does"
)

# Beside the policy behind the contract: RLlib's module on the same users, and what it samples.
SCRIPT = """
import sys
from dataclasses import replace
import numpy as np
import torch
from ray.rllib.core.columns import Columns
from experiments.face_worth import face_of
from experiments.ray_session import ray_session
from experiments.rllib_train import Settings, behind_the_contract, config_of
from simulator.env_request import request_of

name = sys.argv[1]
settings = Settings(face="PushHourly-v0", preset="identity", ppo_envs=16, ppo_batch_rows=256,
    ppo_minibatch_rows=64, ppo_user_steps=600, dqn_user_steps=600, dqn_envs=16, dqn_batch_rows=32,
    hidden=8, width=4, dqn_epsilon=0.3)
env = face_of(settings.judge.face, 40, preset=settings.preset, observe="request",
    mask_in_obs=True)
seen, _ = env.reset(seed=5)
closed = np.random.default_rng(1).random(seen["action_mask"].shape) < 0.4
closed[:, 0] = False
seen["action_mask"][closed] = 0.0
asked = replace(request_of(env), reasons=closed.astype(np.uint16))
with ray_session():
    algorithm = config_of(name, settings, 1).build_algo()
    first = algorithm.get_module().arrays()
    while algorithm.train()["num_env_steps_sampled_lifetime"] < settings.steps(name):
        pass
    assert type(algorithm.env_runner.env.unwrapped).__name__ == "PushVectorEnv"
    module = algorithm.get_module()
    network = module.arrays()
    moved = np.abs(network.theta - first.theta).max()
    policy = behind_the_contract(name, network, settings)
    pmf = policy.pmf(asked, 1)
    batch = {Columns.OBS: {part: torch.from_numpy(a) for part, a in seen.items()}}
    with torch.no_grad():
        if name == "ppo":
            logits = module.forward_exploration(batch)[Columns.ACTION_DIST_INPUTS]
            theirs = torch.softmax(logits, dim=1).numpy()
        else:
            values = module.compute_q_values(batch)["qf_preds"].numpy()
            gap = np.abs(values - network.values(asked))[asked.mask].max()
            assert gap < 1e-6, gap
            torch.manual_seed(1)
            many = {n: part.repeat(5000, 1) for n, part in batch[Columns.OBS].items()}
            told = module.forward_exploration({Columns.OBS: many}, t=10**6)
            taken = told[Columns.ACTIONS].numpy()
            share = np.zeros_like(pmf)
            np.add.at(share, (np.arange(len(taken)) % 40, taken), 1 / 5000)
            sd = np.sqrt(pmf * (1 - pmf) / 5000)
            assert (np.abs(share - pmf) <= 5 * sd + 1e-12).all(), np.abs(share - pmf).max()
            theirs = pmf
    algorithm.stop()
print("apart", np.abs(theirs - pmf).max(), "moved", moved)
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_the_policy_behind_the_contract_is_the_module_that_was_trained(name: str) -> None:
    """Probabilities to 1e-6, without Ray; DQN's values too, and what its module explores."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = done.stdout.strip().splitlines()[-1].split()
    assert float(told[1]) < 1e-6
    assert float(told[3]) > 1e-4


@needs_ray
@pytest.mark.slow
def test_the_study_writes_networks_that_the_registry_reads(tmp_path: Path) -> None:
    """Named arrays, a curve, a table; a second call trains what is not there yet."""
    _study(tmp_path, "--algorithms=ppo")
    before = (tmp_path / "rllib_ppo_1.npz").stat().st_mtime_ns
    _study(tmp_path)
    assert (tmp_path / "rllib_ppo_1.npz").stat().st_mtime_ns == before
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [
        "rllib_dqn_1.npz",
        "rllib_ppo_1.npz",
        "rllib_train.json",
        "rllib_train.md",
        "rllib_train.svg",
    ]
    rows = json.loads((tmp_path / "rllib_train.json").read_text())["rows"]
    assert {row["training"] for row in rows} == {"ppo 1", "dqn 1", "any eligible action"}


def _study(out: Path, *more: str) -> None:
    small = ["--preset=tiny", "--ppo-user-steps=300", "--dqn-user-steps=300", "--points=1"]
    small += ["--ppo-envs=8", "--ppo-batch-rows=64", "--ppo-minibatch-rows=32", "--dqn-envs=8"]
    small += ["--dqn-batch-rows=16", "--evaluation-users=20", "--evaluation-days=2"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.rllib_train", *small, f"--out={out}", *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_committed_network_decides_in_the_simulated_world() -> None:
    """What RLlib trained on a face is asked in the loop, without it."""
    world = World(load("ecommerce"), 50, 7)
    seen = world.observe()
    assert seen is not None
    items = Slates(world=world)(seen)
    asked = assemble(seen, items, reasons=WorldGuard(world).plan(seen, items))
    shape = PolicyShape(
        n_context=asked.context.shape[1],
        n_item_features=asked.item_features.shape[2],
        n_slot_features=asked.slot_features.shape[2],
        n_users=50,
        n_items=2000,
        n_slots=asked.n_slots,
    )
    options = {"params": {"network": str(RESULTS / "rllib_dqn_1.npz")}}
    pmf = build("rllib_dqn", shape, scheme=UPLIFT, options=options).pmf(asked, 1)
    check_pmf(pmf, asked.mask)
    assert np.ptp(pmf[:, 0]) > 0.9
