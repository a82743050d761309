"""Train a double DQN on simulated users to a plateau: ``python -m experiments.double_dqn``.

One file, one learner: van Hasselt, Guez and Silver (2016), "Deep reinforcement learning with double
Q-learning", on the native vector environment, with a Q-network over factored towers. What leaves
is a network a seed that ``policies.baselines.double_dqn`` reads, the curve of what its greedy
policy is worth less silence under the same chances, and a table.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bandit.actions import Request
from bandit.draws import Stream, generator, key_of
from experiments.face_worth import Choose, Judge, any_eligible, draw_curve, face_of
from experiments.record import RESULTS, record
from policies.baselines.q_network import QNetwork
from policies.baselines.q_tensors import QTensors
from policies.exploration import best_action
from simulator.env_request import request_of

__all__ = ["Memory", "Settings", "main", "targets", "train"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of one training."""

    face: str = "simulator.register:PushDaily-v0"
    """Gym id."""
    preset: str = "ecommerce"
    """World."""
    user_steps: int = 1_000_000
    """Decisions of one user, all rows together."""
    n_envs: int = 1024
    """Rows of the environment."""
    memory_steps: int = 100
    """Steps of all rows that are remembered."""
    warmup_steps: int = 10
    """Steps before learning begins."""
    updates_a_step: int = 4
    """Gradient steps for each step of the environment."""
    batch_rows: int = 512
    """Transitions of a gradient step."""
    gamma: float = 0.97
    """Discount a step."""
    learning_rate: float = 1e-3
    """Of Adam, falling linearly to a tenth."""
    target_every: int = 200
    """Gradient steps between copies to the target network."""
    epsilon: float = 0.05
    """Exploration at the end; it falls linearly from 1 over the first third."""
    hold_share: float = 0.5
    """Of explored actions; any action alike would send every day."""
    hidden: int = 64
    """Hidden units of a tower."""
    width: int = 16
    """Outputs of a tower."""
    evaluate_every: int = 100_000
    """User-steps between points of the curve."""
    evaluation_users: int = 4096
    """Users of each point."""
    evaluation_days: int = 28
    """Days of each point."""

    @property
    def judge(self) -> Judge:
        """On whom each point is measured."""
        return Judge(
            face=self.face,
            preset=self.preset,
            users=self.evaluation_users,
            days=self.evaluation_days,
        )


@dataclass(slots=True, kw_only=True)
class Memory:
    """The last steps of all rows, in a ring: state t of a row is followed by its state t + 1."""

    columns: dict[str, NDArray[Any]]  # (T, N, …)
    n_kept: int = 0

    @classmethod
    def like(cls, asked: Request, n_steps: int) -> Memory:
        """Room for ``n_steps`` steps of such requests."""
        n = asked.n_rows
        room = {
            "context": np.zeros((n_steps, n, asked.context.shape[1]), np.float32),
            "item": np.zeros((n_steps, *asked.item_features.shape), np.float32),
            "slot": np.zeros((n_steps, *asked.slot_features.shape), np.float32),
            "mask": np.zeros((n_steps, n, asked.n_actions), np.bool_),
            "action": np.zeros((n_steps, n), np.int64),
            "reward": np.zeros((n_steps, n), np.float32),
            "goes_on": np.zeros((n_steps, n), np.float32),
            "is_real": np.zeros((n_steps, n), np.bool_),
        }
        return cls(columns=room)

    def put(self, asked: Request, **told: NDArray[Any]) -> None:
        """Write the step that has just passed."""
        at = self.n_kept % len(self.columns["reward"])
        told |= {"context": asked.context, "item": asked.item_features}
        for name, column in (told | {"slot": asked.slot_features, "mask": asked.mask}).items():
            self.columns[name][at] = column
        self.n_kept += 1

    def sample(self, n: int, rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
        """Transitions and the states after them; never across a life's end or the ring's."""
        room = len(self.columns["reward"])
        first = max(self.n_kept - room, 0)
        step = rng.integers(first, self.n_kept - 1, 2 * n) % room
        row = rng.integers(0, self.columns["reward"].shape[1], 2 * n)
        kept = np.flatnonzero(self.columns["is_real"][step, row])[:n]
        step, row = step[kept], row[kept]
        names = ("context", "item", "slot", "mask")
        here = {name: column[step, row] for name, column in self.columns.items()}
        return here, {name: self.columns[name][(step + 1) % room, row] for name in names}


def train(settings: Settings, seed: int) -> tuple[QNetwork, list[dict[str, Any]]]:
    """Train one network; return it with the points of its curve."""
    rng = generator(key_of("double dqn", seed), stream=Stream.INITIAL)
    env = face_of(settings.face, settings.n_envs, preset=settings.preset, pays_rest=False)
    env.reset(seed=seed)
    asked = request_of(env)
    lengths = tuple(a.shape[-1] for a in (asked.context, asked.item_features, asked.slot_features))
    blank = QNetwork.blank(
        cast(Any, lengths), hidden=settings.hidden, width=settings.width, rng=rng
    )
    online, target = QTensors.of(blank), QTensors.of(blank)
    optimiser = torch.optim.Adam(online.parameters(), lr=settings.learning_rate, fused=True)
    memory = Memory.like(asked, settings.memory_steps)
    n_steps = -(-settings.user_steps // settings.n_envs)
    judge = settings.judge
    quiet, _ = judge.worth(None)
    curve, n_updates, scale, started = [], 0, 1.0, time.monotonic()
    curve.append({"user-steps": 0} | judge.point(_best_of(blank), quiet))
    for step in range(1, n_steps + 1):
        epsilon = max(settings.epsilon, 1.0 - 3.0 * step / n_steps)
        action = _explored(online, asked, settings, epsilon=epsilon, rng=rng)
        _, reward, has_left, _, info = env.step(action)
        memory.put(
            asked,
            action=action,
            reward=reward,
            goes_on=~has_left,
            is_real=~info["is_reset"],
        )
        asked = request_of(env)
        if step == settings.warmup_steps:
            kept = memory.columns["reward"][:step][memory.columns["is_real"][:step]]
            scale = max(float(kept.std()), 1e-6)
        if step > settings.warmup_steps:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * (1.0 - 0.9 * step / n_steps)
            for _ in range(settings.updates_a_step):
                _update(online, target, optimiser, memory, settings, scale=scale, rng=rng)
                n_updates += 1
                if n_updates % settings.target_every == 0:
                    target.follow(online)
        done = step * settings.n_envs
        is_due = (
            done // settings.evaluate_every > (done - settings.n_envs) // settings.evaluate_every
        )
        if is_due or step == n_steps:
            curve.append({"user-steps": done} | judge.point(_best_of(online.arrays()), quiet))
            told = curve[-1]
            print(
                f"seed {seed}: {done:,} user-steps, {n_updates:,} updates, "
                f"{time.monotonic() - started:.0f} s: {told['less silence']:+.5f} ± "
                f"{told['half width']:.5f} a user-week, {told['sends a user-week']:.2f} sends",
                flush=True,
            )
    env.close()
    return online.arrays(), curve


def _best_of(network: QNetwork) -> Choose:
    """The best action by a network."""
    return lambda asked: best_action(network.values(asked), asked.mask).argmax(axis=1)


def _explored(
    online: QTensors,
    asked: Request,
    settings: Settings,
    *,
    epsilon: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The best action, or with probability ε hold or any send."""
    with torch.no_grad():
        state = {
            "context": asked.context.astype(np.float32),
            "item": asked.item_features.astype(np.float32),
            "slot": asked.slot_features.astype(np.float32),
        }
        values = online.values(state).numpy()
    action = np.where(asked.mask, values, -np.inf).argmax(axis=1)
    tries = np.flatnonzero(rng.random(len(action)) < epsilon)
    sends = tries[rng.random(len(tries)) >= settings.hold_share]
    action[tries] = 0
    action[sends] = any_eligible(asked.mask[sends], rng)
    return np.asarray(action)


def targets(
    online: QTensors,
    target: QTensors,
    here: dict[str, Any],
    after: dict[str, Any],
    *,
    gamma: float,
    scale: float,
) -> torch.Tensor:
    """r/scale + γ·Q'(s', argmax Q(s', ·)), (N,): one network chooses, the other values.

    Only what may be done then is chosen from; where a life ends nothing follows.
    """
    with torch.no_grad():
        may = torch.from_numpy(after["mask"])
        best = online.values(after).masked_fill(~may, -torch.inf).argmax(dim=1, keepdim=True)
        future = target.values(after).gather(1, best)[:, 0]
        return torch.from_numpy(here["reward"] / scale) + gamma * future * torch.from_numpy(
            here["goes_on"]
        )


def _update(
    online: QTensors,
    target: QTensors,
    optimiser: torch.optim.Optimizer,
    memory: Memory,
    settings: Settings,
    *,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """One gradient step towards the targets.

    Errors are squared and not clipped: an order or an opt-out is rare and many standard deviations
    large, and a clipped error would count it as one.
    """
    here, after = memory.sample(settings.batch_rows, rng)
    wanted = targets(online, target, here, after, gamma=settings.gamma, scale=scale)
    loss = functional.mse_loss(online.value_of(here), wanted)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(online.parameters(), 10.0)
    optimiser.step()


def main() -> None:
    """Train each seed, and write networks, curve and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Settings):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default
        )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = vars(parser.parse_args())
    seeds, out = chosen.pop("seeds"), chosen.pop("out")
    settings = Settings(**chosen)
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        network, curve = train(settings, seed)
        np.savez(out / f"double_dqn_{seed}.npz", **cast(Any, network.state()))
        rows += [{"seed": seed} | point for point in curve]
    rng = generator(key_of("any"), stream=Stream.INITIAL)
    quiet, _ = settings.judge.worth(None)
    any_action = {"seed": 0, "user-steps": "any eligible action"}
    draw_curve(rows, out / "double_dqn.svg")
    chosen_alike = settings.judge.point(lambda asked: any_eligible(asked.mask, rng), quiet)
    rows.append(any_action | chosen_alike)
    notes = (
        "Simulated. What the greedy policy is worth less silence a user-week, the same users under "
        "the same chances, with the half width of a 95 % interval over users; no floor.",
    )
    table = record(
        "double_dqn", rows, settings=asdict(settings) | {"seeds": seeds}, notes=notes, folder=out
    )
    print(table.read_text())


if __name__ == "__main__":
    main()
