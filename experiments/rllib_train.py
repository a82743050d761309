"""Have RLlib train PPO and DQN on simulated users: ``python -m experiments.rllib_train``.

A face by its gym id, natively vectorised, and so many user-steps enter. What leaves is a network an
algorithm and seed that the policies ``rllib_ppo`` and ``rllib_dqn`` read without Ray, the curve of
what their own pmf is worth less silence under the same chances, and a table. Needs the extra
``rllib``. References: Schulman and others (2017); van Hasselt, Guez and Silver (2016).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig

from bandit.draws import Stream, generator, key_of
from bandit.outcomes import UPLIFT
from bandit.protocols import Policy
from experiments.face_worth import Judge, any_eligible, draw_curve, drawn
from experiments.ray_session import ray_session
from experiments.record import RESULTS, record
from experiments.rllib_modules import PolicyModule, QModule, spec_of
from policies.baselines.q_network import QNetwork
from policies.registry import build
from policies.shape import PolicyShape
from simulator.face import Face
from simulator.request_features import RequestColumns

__all__ = ["ALGORITHMS", "Settings", "behind_the_contract", "config_of", "main", "train"]

ALGORITHMS = ("ppo", "dqn")
_STUDY = "rllib_train"
_ALIKE = "any eligible action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of one training."""

    face: str = "PushDaily-v0"
    """Gym id, of those that ``simulator.register`` brings."""
    preset: str = "ecommerce"
    """World."""
    ppo_user_steps: int = 1_000_000
    """Decisions of one user, all rows together, of PPO."""
    dqn_user_steps: int = 200_000
    """And of DQN, which is slower."""
    ppo_envs: int = 256
    """Rows of PPO's environment."""
    ppo_batch_rows: int = 8192
    """Steps between PPO's updates."""
    ppo_minibatch_rows: int = 1024
    """Steps of one gradient of PPO."""
    ppo_epochs: int = 4
    """Passes over what was sampled."""
    dqn_envs: int = 64
    """Rows of DQN's environment."""
    dqn_batch_rows: int = 256
    """Transitions of one gradient of DQN."""
    dqn_intensity: float = 2.0
    """Transitions learned from a step that is sampled."""
    dqn_memory_rows: int = 50_000
    """Transitions that are remembered."""
    dqn_epsilon: float = 0.05
    """Exploration at the end; it falls linearly from 1 over the first third."""
    dqn_target_every: int = 10_000
    """User-steps between copies to the target network."""
    gamma: float = 0.97
    """Discount a step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    hidden: int = 64
    """Hidden units of a tower."""
    width: int = 16
    """Outputs of a tower."""
    points: int = 6
    """Of the curve, after the first."""
    evaluation_users: int = 4096
    """Users of each point."""
    evaluation_days: int = 28
    """Days of each point."""

    def steps(self, name: str) -> int:
        """User-steps of an algorithm."""
        return {"ppo": self.ppo_user_steps, "dqn": self.dqn_user_steps}[name]

    @property
    def columns(self) -> RequestColumns:
        """Of what is observed."""
        face = Face(clock=cast(Any, _CLOCKS[self.face]), preset=self.preset)
        return RequestColumns.in_world(face.ground(), hours=face.hours)

    @property
    def judge(self) -> Judge:
        """On whom each point is measured."""
        return Judge(
            face=f"simulator.register:{self.face}",
            preset=self.preset,
            users=self.evaluation_users,
            days=self.evaluation_days,
        )


_CLOCKS = {"PushDaily-v0": "daily", "PushHourly-v0": "hourly"}


def config_of(name: str, settings: Settings, seed: int) -> Any:
    """RLlib's configuration of an algorithm."""
    config = {"ppo": _ppo, "dqn": _dqn}[name](settings)
    module = {"ppo": PolicyModule, "dqn": QModule}[name]
    spec = spec_of(
        module, settings.columns, hidden=settings.hidden, width=settings.width, seed=seed
    )
    return (
        config.environment(
            f"simulator.register:{settings.face}",
            env_config={
                "preset": settings.preset,
                "observe": "request",
                "mask_in_obs": True,
                # A learner that goes on from the end of a life would count its rest twice.
                "pays_rest": False,
                "disjoint_seeds": True,
            },
        )
        .rl_module(rl_module_spec=spec)
        .reporting(min_time_s_per_iteration=0)
        .debugging(seed=seed)
    )


def _ppo(settings: Settings) -> Any:
    return (
        PPOConfig()
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=settings.ppo_envs,
            gym_env_vectorize_mode="vector_entry_point",
        )
        .training(
            train_batch_size_per_learner=settings.ppo_batch_rows,
            minibatch_size=settings.ppo_minibatch_rows,
            num_epochs=settings.ppo_epochs,
            lr=settings.learning_rate,
            gamma=settings.gamma,
            lambda_=0.95,
            vf_loss_coeff=0.5,
            vf_clip_param=np.inf,
            use_kl_loss=False,
            grad_clip=1.0,
            grad_clip_by="global_norm",
        )
    )


def _dqn(settings: Settings) -> Any:
    third = settings.dqn_user_steps // 3
    return (
        DQNConfig()
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=settings.dqn_envs,
            rollout_fragment_length=1,
            gym_env_vectorize_mode="vector_entry_point",
        )
        .training(
            train_batch_size_per_learner=settings.dqn_batch_rows,
            training_intensity=settings.dqn_intensity,
            num_steps_sampled_before_learning_starts=min(10_000, third),
            replay_buffer_config={
                "type": "EpisodeReplayBuffer",
                "capacity": settings.dqn_memory_rows,
            },
            target_network_update_freq=settings.dqn_target_every,
            epsilon=[(0, 1.0), (third, settings.dqn_epsilon)],
            double_q=True,
            dueling=False,
            td_error_loss_fn="mse",
            lr=settings.learning_rate,
            gamma=settings.gamma,
            grad_clip=10.0,
            grad_clip_by="global_norm",
        )
        .reporting(min_sample_timesteps_per_iteration=settings.dqn_envs * 20)
    )


def train(name: str, settings: Settings, seed: int) -> tuple[QNetwork, list[dict[str, Any]]]:
    """Train one network by RLlib, which has to be running; return it with its curve."""
    judge, n_steps, started = settings.judge, settings.steps(name), time.monotonic()
    quiet, _ = judge.worth(None)
    algorithm = config_of(name, settings, seed).build_algo()
    curve: list[dict[str, Any]] = []
    done, next_point = 0, 0
    try:
        while True:
            network = _network_of(algorithm)
            if done >= next_point or done >= n_steps:
                curve.append(_point(name, network, settings, done, judge=judge, quiet=quiet))
                next_point += n_steps // settings.points
                told = curve[-1]
                print(
                    f"{name}, seed {seed}: {done:,} user-steps, "
                    f"{time.monotonic() - started:.0f} s: {told['less silence']:+.5f} ± "
                    f"{told['half width']:.5f} a user-week, "
                    f"{told['sends a user-week']:.2f} sends",
                    flush=True,
                )
            if done >= n_steps:
                return network, curve
            done = int(algorithm.train()["num_env_steps_sampled_lifetime"])
    finally:
        algorithm.stop()


def behind_the_contract(name: str, network: QNetwork, settings: Settings) -> Policy:
    """The policy of the loop that asks this network."""
    columns = settings.columns
    shape = PolicyShape(
        n_context=columns.n_context,
        n_item_features=columns.n_item_features,
        n_slot_features=columns.n_slot_features,
        n_users=1,
        n_items=columns.n_items,
        n_slots=columns.n_slots,
    )
    options: dict[str, Any] = {"hidden": settings.hidden, "width": settings.width}
    if name == "dqn":
        options["epsilon"] = settings.dqn_epsilon
    policy = build(f"rllib_{name}", shape, scheme=UPLIFT, options={"params": options})
    policy.load(network.state())
    return policy


def _network_of(algorithm: Any) -> QNetwork:
    return cast(QNetwork, algorithm.get_module().arrays())


def _point(
    name: str,
    network: QNetwork,
    settings: Settings,
    done: int,
    *,
    judge: Judge,
    quiet: NDArray[np.float64],
) -> dict[str, Any]:
    policy = behind_the_contract(name, network, settings)
    rng = generator(key_of("rllib", done), stream=Stream.INITIAL)
    return {"user-steps": done} | judge.point(drawn(policy, rng), quiet)


def main() -> None:
    """Train each algorithm and seed, and write networks, curves and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Settings):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default
        )
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = vars(parser.parse_args())
    names, seeds, out = (chosen.pop(name) for name in ("algorithms", "seeds", "out"))
    settings = Settings(**chosen)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    rows = _kept(settings, out)
    with ray_session():
        for name in names:
            for seed in seeds:
                if any(row["training"] == f"{name} {seed}" for row in rows):
                    continue
                network, curve = train(name, settings, seed)
                np.savez(out / f"rllib_{name}_{seed}.npz", **cast(Any, network.state()))
                rows += [{"training": f"{name} {seed}"} | point for point in curve]
                _record(rows, settings, out)
    print((out / f"{_STUDY}.md").read_text())


def _kept(settings: Settings, out: Path) -> list[dict[str, Any]]:
    """Points of trainings that are over, of an earlier run under the same settings."""
    path = out / f"{_STUDY}.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text())
    rows: list[dict[str, Any]] = content["rows"]
    is_same = content["settings"] == asdict(settings)
    return [row for row in rows if row["training"] != _ALIKE] if is_same else []


def _record(rows: list[dict[str, Any]], settings: Settings, out: Path) -> None:
    """Write what is known so far."""
    draw_curve(rows, out / f"{_STUDY}.svg", by="training")
    quiet, _ = settings.judge.worth(None)
    rng = generator(key_of("any"), stream=Stream.INITIAL)
    alike = settings.judge.point(lambda asked: any_eligible(asked.mask, rng), quiet)
    last = {"training": _ALIKE, "user-steps": ""} | alike
    notes = (
        "Simulated. What a draw from the policy's own pmf is worth less silence a user-week, the "
        "same users under the same chances, with the half width of a 95 % interval over users; "
        "no floor.",
    )
    record(_STUDY, [*rows, last], settings=asdict(settings), notes=notes, folder=out)


if __name__ == "__main__":
    main()
