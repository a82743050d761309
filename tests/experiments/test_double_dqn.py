"""The training: targets by hand, a memory that never joins two lives, and something is learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from bandit.actions import assemble
from bandit.floor import check_pmf
from bandit.outcomes import UPLIFT
from experiments import double_dqn
from experiments.double_dqn import Memory, Settings, targets, train
from experiments.record import RESULTS
from policies.baselines.q_network import QNetwork
from policies.baselines.q_tensors import QTensors
from policies.registry import build
from policies.shape import PolicyShape
from simulator.config import load
from simulator.env_request import request_of
from simulator.guard import WorldGuard
from simulator.offers import Slates
from simulator.vector_env import PushVectorEnv
from simulator.world import World

SMALL = Settings(
    preset="tiny",
    user_steps=400,
    n_envs=20,
    memory_steps=8,
    warmup_steps=3,
    updates_a_step=1,
    batch_rows=16,
    hidden=8,
    width=4,
    evaluate_every=200,
    evaluation_users=20,
    evaluation_days=2,
)


def _network(theta: list[float]) -> QTensors:
    """Towers that say 1 for their own feature's sign and nothing else; D = Di = Ds = 1, E = 1."""
    blank = QNetwork.blank((1, 1, 1), hidden=1, width=1, rng=np.random.default_rng(1))
    flat = {
        f"{t}": replace(getattr(blank.towers, t), **_plain(t)) for t in ("item", "slot", "base")
    }
    return QTensors.of(
        QNetwork(towers=replace(blank.towers, **flat), theta=np.array(theta, np.float64))
    )


def _plain(tower: str) -> dict[str, Any]:
    own = np.full((0 if tower == "base" else 1, 1), 50.0)
    return {
        "context": np.zeros((1, 1)),
        "own": own,
        "bias": np.zeros(1),
        "out": np.ones((1, 1)),
        "shift": np.zeros(1),
    }


def test_one_network_chooses_and_the_other_values() -> None:
    """θ is of [1, c, w, 1, u, v, u·v]. Online: Q(hold) = 1, slot 0: 1 + 0, slot 1: 1 + 2.

    Target: 5, 5 + 0, 5 − 1. So the choice is slot 1 at 4, unless it is masked: then hold at 5.
    """
    online = _network([1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0])
    other = _network([5.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0])
    after = {
        "context": np.zeros((3, 1), np.float32),
        "item": np.zeros((3, 1, 1), np.float32),
        "slot": np.tile(np.array([[0.0], [1.0]], np.float32), (3, 1, 1)),
        "mask": np.array([[True, True, True], [True, False, False], [True, True, True]]),
    }
    here = {
        "reward": np.array([0.5, 0.5, 0.5], np.float32),
        "goes_on": np.array([1.0, 1.0, 0.0], np.float32),
    }
    got = targets(online, other, here, after, gamma=0.9, scale=0.25)
    np.testing.assert_allclose(got.numpy(), [2 + 0.9 * 4, 2 + 0.9 * 5, 2.0], rtol=1e-6)
    taken = after | {"action": np.array([0, 1, 2])}
    np.testing.assert_allclose(online.value_of(taken).detach().numpy(), [1.0, 1.0, 3.0], rtol=1e-6)


def test_tensors_value_as_plain_arrays_do() -> None:
    env = PushVectorEnv(6, clock="daily", preset="tiny")
    env.reset(seed=1)
    asked = request_of(env)
    lengths = tuple(a.shape[-1] for a in (asked.context, asked.item_features, asked.slot_features))
    rng = np.random.default_rng(2)
    blank = QNetwork.blank(cast(Any, lengths), hidden=8, width=4, rng=rng)
    plain = replace(blank, theta=rng.normal(size=len(blank.theta)))
    state = {
        name: array.astype(np.float32)
        for name, array in (
            ("context", asked.context),
            ("item", asked.item_features),
            ("slot", asked.slot_features),
        )
    }
    got = QTensors.of(plain).values(state).detach().numpy()
    np.testing.assert_allclose(got, plain.values(asked), rtol=1e-4, atol=1e-4)
    action = np.array([0, 1, 2, 3, 4, got.shape[1] - 1])
    taken = QTensors.of(plain).value_of(state | {"action": action}).detach().numpy()
    np.testing.assert_allclose(taken, got[np.arange(6), action], rtol=1e-5, atol=1e-5)


def test_memory_joins_a_state_with_the_next_of_the_same_life() -> None:
    """Twenty steps through a ring of eight; contexts carry row and step, one row restarts."""
    env = PushVectorEnv(5, clock="daily", preset="tiny")
    env.reset(seed=1)
    asked = request_of(env)
    memory, rng = Memory.like(asked, 8), np.random.default_rng(1)
    for step in range(20):
        marked = np.zeros_like(asked.context)
        marked[:, 0], marked[:, 1] = np.arange(5), step
        memory.put(
            replace(asked, context=marked),
            action=np.zeros(5, np.int64),
            reward=np.full(5, float(step)),
            goes_on=np.ones(5, np.bool_),
            is_real=np.arange(5) != 2,
        )
    here, after = memory.sample(500, rng)
    np.testing.assert_array_equal(after["context"][:, 0], here["context"][:, 0])
    np.testing.assert_array_equal(after["context"][:, 1], here["context"][:, 1] + 1)
    assert set(here["context"][:, 0]) == {0, 1, 3, 4}
    assert set(here["reward"]) == set(range(12, 19))


def test_a_small_training_repeats_itself_and_writes_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    one, curve = train(SMALL, 3)
    two, _ = train(SMALL, 3)
    assert [point["user-steps"] for point in curve] == [0, 200, 400]
    for name, array in one.state().items():
        assert two.state()[name].tobytes() == array.tobytes()
    asked = [
        f"--{name.replace('_', '-')}={getattr(SMALL, name)}"
        for name in ("preset", "user_steps", "n_envs", "memory_steps", "warmup_steps", "batch_rows")
    ]
    asked += ["--evaluation-users=20", "--evaluation-days=2", f"--out={tmp_path}"]
    monkeypatch.setattr("sys.argv", ["double_dqn", *asked])
    double_dqn.main()
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["double_dqn.json", "double_dqn.md", "double_dqn.svg", "double_dqn_1.npz"]


@pytest.mark.slow
def test_it_learns_the_item_that_is_written_in_what_is_seen() -> None:
    """Preset ``identity``, hourly: of its sends nearly all are the item that is wanted now."""
    torch.set_num_threads(1)
    settings = Settings(
        face="simulator.register:PushHourly-v0",
        preset="identity",
        user_steps=200_000,
        n_envs=512,
        gamma=0.0,
        evaluate_every=10**9,
        evaluation_users=64,
        evaluation_days=2,
    )
    network, _ = train(settings, 1)
    env = PushVectorEnv(2000, clock="hourly", preset="identity")
    env.reset(seed=99)
    asked = request_of(env)
    sends = np.where(asked.mask, network.values(asked), -np.inf)[:, 1:]
    open_ = asked.mask[:, 1:].all(axis=1)
    wanted = asked.item_features[:, :, -1].argmax(axis=1)
    assert (sends.argmax(axis=1) == wanted)[open_].mean() > 0.95


def test_the_committed_networks_decide_in_the_simulated_world() -> None:
    """What was trained on a face is asked in the loop, and is what the table says: no uniform."""
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
    for seed in (1, 2):
        options = {"params": {"network": str(RESULTS / f"double_dqn_{seed}.npz")}}
        policy = build("double_dqn", shape, scheme=UPLIFT, options=options)
        pmf = policy.pmf(asked, 1)
        check_pmf(pmf, asked.mask)
        np.testing.assert_array_equal(pmf.max(axis=1), 1.0)
