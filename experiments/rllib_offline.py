"""Have RLlib learn from a decision log: ``python -m experiments.rllib_offline``.

A log of any eligible action alike, with its outcomes and what was shown, enters; BC's and
MARWIL's networks leave, which the policies ``rllib_bc`` and ``rllib_marwil`` read without Ray, and
a table of what each is worth beside the logging policy. CQL, which RLlib has for continuous actions
only (:func:`refusal_of_cql`), is that of :mod:`experiments.discrete_cql`. Needs the extra
``rllib``. Reference: Wang, Xiong, Han, Sun, Liu and Zhang (2018), "Exponentially weighted imitation
learning for batched historical data".
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from gymnasium.spaces import Box, Discrete
from ray.rllib.algorithms.bc import BCConfig
from ray.rllib.algorithms.cql import CQLConfig
from ray.rllib.algorithms.marwil import MARWILConfig

from bandit.draws import Stream, generator, key_of
from bandit.floor import Floor
from bandit.outcomes import UPLIFT
from bandit.protocols import Policy
from experiments.discrete_cql import learn_cql
from experiments.face_worth import Judge, drawn
from experiments.ray_session import ray_session
from experiments.record import RESULTS, record
from experiments.rllib_log import episodes_of, keep_log
from experiments.rllib_modules import PolicyModule, spec_of
from policies.baselines.q_network import QNetwork
from policies.registry import build
from policies.shape import PolicyShape
from simulator.config import load
from simulator.face import Face
from simulator.request_features import RequestColumns

__all__ = ["Settings", "learn", "main", "refusal_of_cql"]

ALGORITHMS = ("bc", "marwil")
_POLICIES = {"rllib_bc": "rllib_bc", "rllib_marwil": "rllib_marwil", "discrete_cql": "double_dqn"}
_FACE = "PushDaily-v0"
_N_CPUS = 4  # of Ray's reckoning: a reader, an actor that maps, and a learner wait for one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of one log and what is learned from it."""

    preset: str = "ecommerce"
    """World."""
    users: int = 1000
    """Of the log."""
    days: int = 28
    """Of the log."""
    passes: int = 10
    """Over the log."""
    batch_rows: int = 1024
    """Decisions of a gradient."""
    beta: float = 1.0
    """How much MARWIL's weights hang on advantages."""
    alpha: float = 1.0
    """How much CQL values down what was not done."""
    learning_rate: float = 5e-3
    """Of Adam."""
    hidden: int = 64
    """Hidden units of a tower."""
    width: int = 16
    """Outputs of a tower."""
    evaluation_users: int = 4096
    """Of the judgement."""
    evaluation_days: int = 28
    """Of the judgement."""

    @property
    def columns(self) -> RequestColumns:
        """Of what is shown."""
        return RequestColumns.in_world(Face(preset=self.preset).ground(), hours=24)

    @property
    def judge(self) -> Judge:
        """On whom results are compared."""
        return Judge(
            face=f"simulator.register:{_FACE}",
            preset=self.preset,
            users=self.evaluation_users,
            days=self.evaluation_days,
        )

    def policy(self, policy_id: str, **options: Any) -> Policy:
        """Build a policy for what is shown."""
        columns = self.columns
        shape = PolicyShape(
            n_context=columns.n_context,
            n_item_features=columns.n_item_features,
            n_slot_features=columns.n_slot_features,
            n_users=self.users,
            n_items=columns.n_items,
            n_slots=columns.n_slots,
        )
        return build(policy_id, shape, scheme=UPLIFT, options=options)


def log_of(settings: Settings, seed: int, folder: Path) -> pa.Table:
    """Let any eligible action alike decide, under the floor of every table; return the rows."""
    config = load(settings.preset, clock={"horizon_days": settings.days})
    keep_log(
        settings.policy("random"),
        config,
        users=settings.users,
        seed=seed,
        hours=24,
        floor=Floor(),
        folder=folder,
    )
    return episodes_of(folder, settings.columns)


def learn(name: str, rows: pa.Table, settings: Settings, *, seed: int, folder: Path) -> QNetwork:
    """Learn from rows of a log by RLlib, which has to be running."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, folder / "rows.parquet")
    config = {"bc": BCConfig, "marwil": MARWILConfig}[name]()
    if name == "marwil":
        # Advantages are weighed in their own standard deviations: Ray's start of 100 and rate of
        # 1e-8 would leave rewards of a fraction of 1 without weight.
        spread = float(np.var(np.asarray(rows["rewards"])))
        config = config.training(
            beta=settings.beta,
            moving_average_sqd_adv_norm_start=max(spread, 1e-6),
            moving_average_sqd_adv_norm_update_rate=1e-2,
        )
    spec = spec_of(
        PolicyModule, settings.columns, hidden=settings.hidden, width=settings.width, seed=seed
    )
    n_batches = max(rows.num_rows // settings.batch_rows, 1)
    columns = settings.columns
    n_actions = 1 + columns.n_items * columns.n_slots
    algorithm = (
        _reading(config, folder)
        .environment(
            observation_space=Box(-1e6, 1e6, (columns.width + n_actions,), np.float32),
            action_space=Discrete(n_actions),
        )
        .rl_module(rl_module_spec=spec)
        .offline_data(
            dataset_num_iters_per_learner=n_batches,
            # Rows are over at once, so nothing that is mapped hangs on the network of the moment.
            materialize_data=False,
            materialize_mapped_data=True,
        )
        .training(
            lr=settings.learning_rate,
            train_batch_size_per_learner=min(settings.batch_rows, rows.num_rows),
            grad_clip=1.0,
            grad_clip_by="global_norm",
        )
        .debugging(seed=seed)
        .build_algo()
    )
    try:
        for _ in range(settings.passes):
            algorithm.train()
        told = algorithm.learner_group.foreach_learner(
            lambda learner: learner.module["default_policy"].unwrapped().arrays()
        )
        return cast(QNetwork, next(iter(told)).get())
    finally:
        algorithm.stop()


def refusal_of_cql(rows: pa.Table, settings: Settings, *, folder: Path) -> str:
    """What RLlib 2.60 says to CQL over a choice of actions; empty where it learns by now.

    CQL makes an environment beside what it reads, so rows have its columns, without masks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    width = settings.columns.width
    seen = np.asarray(rows["obs"].combine_chunks().flatten()).reshape(rows.num_rows, -1)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(seen[:, :width].ravel()), width)
    at = rows.column_names.index("obs")
    pq.write_table(rows.set_column(at, "obs", lists), folder / "rows.parquet")
    config = CQLConfig().environment(
        f"simulator.register:{_FACE}",
        env_config={"preset": settings.preset, "observe": "request"},
    )
    config.lr = None  # it has a rate for each of its parts
    config = _reading(config, folder).offline_data(dataset_num_iters_per_learner=2)
    algorithm = None
    try:
        algorithm = config.training(train_batch_size_per_learner=64).build_algo()
        algorithm.train()
    except Exception as error:  # whatever it says is the answer
        return f"{type(error).__name__}: {error}".splitlines()[-1]
    finally:
        if algorithm is not None:
            algorithm.stop()
    return ""


def _reading(config: Any, folder: Path) -> Any:
    """A configuration that reads rows from a folder."""
    return config.offline_data(
        input_=[str(folder)],
        input_read_method="read_parquet",
        ignore_final_observation=True,
        map_batches_kwargs={"concurrency": 1},
        iter_batches_kwargs={"prefetch_batches": 1},
    )


def learn_all(settings: Settings, seed: int, out: Path) -> None:
    """Log and learn under one seed, and write the networks; RLlib has to be running."""
    with tempfile.TemporaryDirectory() as room:
        rows = log_of(settings, seed, Path(room) / "log")
        networks = {}
        for name in ALGORITHMS:
            started = time.monotonic()
            folder = Path(room) / name
            networks[f"rllib_{name}"] = learn(name, rows, settings, seed=seed, folder=folder)
            print(f"{name}, seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
    networks["discrete_cql"] = learn_cql(
        rows,
        settings.columns,
        passes=settings.passes,
        batch_rows=settings.batch_rows,
        learning_rate=settings.learning_rate,
        alpha=settings.alpha,
        hidden=settings.hidden,
        width=settings.width,
        seed=seed,
    )
    for name, network in networks.items():
        np.savez(out / f"{name}_{seed}.npz", **cast(Any, network.state()))


def judge_all(settings: Settings, seeds: list[int], out: Path) -> list[dict[str, Any]]:
    """Worth of the logging policy and of every network that was written; a row each."""
    judge = settings.judge
    quiet, _ = judge.worth(None)
    rng = generator(key_of("rllib offline"), stream=Stream.INITIAL)
    logging = drawn(settings.policy("random"), rng, floor=Floor())
    rows = [{"policy": "the logging policy", "seed": 0} | judge.point(logging, quiet)]
    for seed in seeds:
        for name, policy_id in _POLICIES.items():
            path = str(out / f"{name}_{seed}.npz")
            policy = settings.policy(policy_id, params={"network": path})
            rng = generator(key_of("rllib offline", seed), stream=Stream.INITIAL)
            point = judge.point(drawn(policy, rng), quiet)
            rows.append({"policy": name, "seed": seed} | point)
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Log, learn and judge for each seed, and write networks and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Settings):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default
        )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="judge the networks that are there, learned as said here",
    )
    chosen = vars(parser.parse_args())
    seeds, out, keep = (chosen.pop(name) for name in ("seeds", "out", "keep"))
    settings = Settings(**chosen)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    with ray_session(_N_CPUS):
        for seed in seeds:
            if not (keep and (out / f"discrete_cql_{seed}.npz").exists()):
                learn_all(settings, seed, out)
        with tempfile.TemporaryDirectory() as room:
            few = Settings(preset=settings.preset, users=40, days=5)
            small = log_of(few, 0, Path(room) / "log")
            refusal = refusal_of_cql(small, few, folder=Path(room) / "cql")
    rows = judge_all(settings, seeds, out)
    notes = (
        "Simulated. What a draw from the policy's own pmf is worth less silence a user-week, the "
        "same users under the same chances, with the half width of a 95 % interval over users. The "
        "logging policy is any eligible action alike under the floor of every table, as it logged; "
        "what was learned from it is judged without a floor, discrete CQL as its best action.",
        f"CQL of RLlib 2.60 over a choice of actions: {refusal or 'it trains'}.",
    )
    table = record(
        "rllib_offline",
        rows,
        settings=asdict(settings) | {"seeds": seeds},
        notes=notes,
        folder=out,
    )
    print(table.read_text())


if __name__ == "__main__":
    main()
