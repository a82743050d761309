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

import gymnasium
import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn import functional

from bandit.actions import Request
from bandit.draws import Stream, generator, key_of
from experiments.record import RESULTS, half_width, record
from policies.baselines.q_network import QNetwork
from policies.exploration import best_action
from policies.models.tower_training import Weights, arrays_of, forward, tensors_of
from simulator.env_request import request_of
from simulator.vector_env import PushVectorEnv

__all__ = ["Memory", "Network", "Settings", "main", "targets", "train", "worth"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

_EVALUATION_SEED = 1_000_000  # users that no training seed meets


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


@dataclass(slots=True)
class Network:
    """A Q-network as tensors: three towers and the layer above them."""

    towers: Weights
    theta: torch.Tensor  # (P,)

    @classmethod
    def of(cls, network: QNetwork) -> Network:
        """From plain arrays."""
        theta = torch.tensor(network.theta, dtype=torch.float32, requires_grad=True)
        return cls(tensors_of(network.towers), theta)

    def arrays(self) -> QNetwork:
        """To plain arrays."""
        theta = self.theta.detach().numpy().astype(np.float64)
        return QNetwork(towers=arrays_of(self.towers), theta=theta)

    def parameters(self) -> list[torch.Tensor]:
        """All weights."""
        return [self.theta, *(part for tower in self.towers.values() for part in tower.values())]

    def follow(self, other: Network) -> None:
        """Copy another's weights."""
        with torch.no_grad():
            for mine, its in zip(self.parameters(), other.parameters(), strict=True):
                mine.copy_(its)

    def values(self, state: dict[str, Any]) -> torch.Tensor:
        """Q of every action of N states, (N, A)."""
        context, item, slot = (torch.from_numpy(state[n]) for n in ("context", "item", "slot"))
        base, (constant, of_item, of_slot, of_both) = self._base(context)
        u, v = (
            forward(self.towers["item"], context, item),
            forward(self.towers["slot"], context, slot),
        )
        added = (u * of_both) @ v.transpose(1, 2) + (u @ of_item)[..., None]
        added = added + (v @ of_slot)[:, None] + constant
        return torch.cat([base, base + added.flatten(1)], dim=1)

    def value_of(self, state: dict[str, Any]) -> torch.Tensor:
        """Q of the action that was taken, (N,)."""
        action, n_slots = state["action"], state["slot"].shape[1]
        row, sent = np.arange(len(action)), np.maximum(action - 1, 0)
        context = torch.from_numpy(state["context"])
        item = torch.from_numpy(state["item"][row, sent // n_slots])[:, None]
        slot = torch.from_numpy(state["slot"][row, sent % n_slots])[:, None]
        base, (constant, of_item, of_slot, of_both) = self._base(context)
        u = forward(self.towers["item"], context, item)[:, 0]
        v = forward(self.towers["slot"], context, slot)[:, 0]
        added = constant + u @ of_item + v @ of_slot + (u * v) @ of_both
        return base[:, 0] + torch.from_numpy(action > 0) * added

    def _base(self, context: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Q of holding, (N, 1), and θ of what sends have: a number and three blocks."""
        w = forward(self.towers["base"], context, context[:, None, :0])[:, 0]
        quiet = torch.cat([torch.ones(len(context), 1), context, w], dim=1)
        n_base, width = quiet.shape[1], w.shape[1]
        constant, *blocks = torch.split(self.theta[n_base:], [1, width, width, width])
        return quiet @ self.theta[:n_base, None], [constant, *blocks]


def train(settings: Settings, seed: int) -> tuple[QNetwork, list[dict[str, Any]]]:
    """Train one network; return it with the points of its curve."""
    rng = generator(key_of("double dqn", seed), stream=Stream.INITIAL)
    env = _env(settings, settings.n_envs, pays_rest=False)
    env.reset(seed=seed)
    asked = request_of(env)
    lengths = tuple(a.shape[-1] for a in (asked.context, asked.item_features, asked.slot_features))
    blank = QNetwork.blank(
        cast(Any, lengths), hidden=settings.hidden, width=settings.width, rng=rng
    )
    online, target = Network.of(blank), Network.of(blank)
    optimiser = torch.optim.Adam(online.parameters(), lr=settings.learning_rate, fused=True)
    memory = Memory.like(asked, settings.memory_steps)
    n_steps = -(-settings.user_steps // settings.n_envs)
    quiet, _ = worth(None, settings)
    curve, n_updates, scale, started = [], 0, 1.0, time.monotonic()
    curve.append(_point(blank, settings, 0, quiet=quiet))
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
            curve.append(_point(online.arrays(), settings, done, quiet=quiet))
            told = curve[-1]
            print(
                f"seed {seed}: {done:,} user-steps, {n_updates:,} updates, "
                f"{time.monotonic() - started:.0f} s: {told['less silence']:+.5f} ± "
                f"{told['half width']:.5f} a user-week, {told['sends a user-week']:.2f} sends",
                flush=True,
            )
    env.close()
    return online.arrays(), curve


def worth(
    network: QNetwork | None, settings: Settings, *, rng: np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Reward and sends of each user over the days of an evaluation, (U,) each, of first lives.

    Parameters
    ----------
    network : QNetwork, optional
        Whose best action is taken; without it everybody is held.
    settings : Settings
        Face, preset, users and days.
    rng : Generator, optional
        Take any eligible action instead.
    """
    env = _env(
        settings,
        settings.evaluation_users,
        pays_rest=True,
        horizon_days=settings.evaluation_days,
    )
    env.reset(seed=_EVALUATION_SEED)
    total, sends = np.zeros((2, settings.evaluation_users))
    lives = np.ones(settings.evaluation_users, np.bool_)
    for _ in range(settings.evaluation_days * 24 // env.face.hours):
        asked = request_of(env)
        action = np.zeros(asked.n_rows, np.int64)
        if rng is not None:
            action = _any(asked.mask, rng)
        elif network is not None:
            action = best_action(network.values(asked), asked.mask).argmax(axis=1)
        _, reward, has_left, is_at_end, _ = env.step(action)
        total += lives * reward
        sends += lives & (action > 0)
        lives &= ~(has_left | is_at_end)
    env.close()
    return total, sends


def _point(network: QNetwork, settings: Settings, done: int, *, quiet: Array) -> dict[str, Any]:
    """One point of the curve: worth less silence a user-week, paired by user, 95 %."""
    total, sends = worth(network, settings)
    return {"user-steps": done} | _difference(total, quiet, sends, settings)


def _difference(total: Array, quiet: Array, sends: Array, settings: Settings) -> dict[str, float]:
    weeks = settings.evaluation_days / 7.0
    away = (total - quiet) / weeks
    return {
        "less silence": float(away.mean()),
        "half width": half_width(away),
        "sends a user-week": float(sends.mean() / weeks),
    }


def _env(settings: Settings, n: int, **options: Any) -> PushVectorEnv:
    made = gymnasium.make_vec(
        settings.face,
        num_envs=n,
        vectorization_mode="vector_entry_point",
        preset=settings.preset,
        disjoint_seeds=True,
        **options,
    )
    return cast(PushVectorEnv, made)


def _any(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Any eligible action alike."""
    return np.asarray(np.where(mask, rng.random(mask.shape, np.float32), -1.0).argmax(axis=1))


def _explored(
    online: Network,
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
    action[sends] = _any(asked.mask[sends], rng)
    return np.asarray(action)


def targets(
    online: Network,
    target: Network,
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
    online: Network,
    target: Network,
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


def draw_curve(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw what every seed was worth less silence as it was trained."""
    mpl.rcParams["svg.hashsalt"] = "double dqn"
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for seed in sorted({row["seed"] for row in rows}):
        mine = [row for row in rows if row["seed"] == seed and isinstance(row["user-steps"], int)]
        x, y, half = (
            np.array([row[name] for row in mine])
            for name in ("user-steps", "less silence", "half width")
        )
        axes.plot(x, y, marker="o", label=f"seed {seed}")
        axes.fill_between(x, y - half, y + half, alpha=0.2)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(xlabel="user-steps", ylabel="reward less silence, a user-week (simulated)")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


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
    total, sends = worth(None, settings, rng=rng)
    quiet, _ = worth(None, settings)
    any_action = {"seed": 0, "user-steps": "any eligible action"}
    draw_curve(rows, out / "double_dqn.svg")
    rows.append(any_action | _difference(total, quiet, sends, settings))
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
