"""What a trained policy is worth on a face: paired with silence, as a curve over its training.

A chooser of actions enters, and users whom no training meets; reward and sends of each leave, and
points, tables and pictures of them. Everybody is met by the same chances under every chooser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gymnasium
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.floor import Floor, apply_floor
from bandit.protocols import Policy
from experiments.record import half_width
from simulator.env_request import request_of
from simulator.vector_env import PushVectorEnv

__all__ = ["Choose", "Judge", "any_eligible", "difference", "draw_curve", "drawn", "face_of"]

Array = NDArray[np.float64]
Choose = Callable[[Request], NDArray[np.int64]]

_SEED = 1_000_000  # users that no training seed meets


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Users on whom policies are compared.

    Parameters
    ----------
    face, preset : str
        Gym id and world.
    users, days : int
        How many, for how long.
    """

    face: str
    preset: str
    users: int
    days: int

    def worth(self, choose: Choose | None) -> tuple[Array, Array]:
        """Reward and sends of each user, (U,) each, of first lives; silence without a chooser."""
        env = face_of(
            self.face, self.users, preset=self.preset, pays_rest=True, horizon_days=self.days
        )
        env.reset(seed=_SEED)
        total, sends = np.zeros((2, self.users))
        lives = np.ones(self.users, np.bool_)
        for _ in range(self.days * 24 // env.face.hours):
            asked = request_of(env)
            action = np.zeros(asked.n_rows, np.int64) if choose is None else choose(asked)
            _, reward, has_left, is_at_end, _ = env.step(action)
            total += lives * reward
            sends += lives & (action > 0)
            lives &= ~(has_left | is_at_end)
        env.close()
        return total, sends

    def point(self, choose: Choose | None, quiet: Array) -> dict[str, float]:
        """Worth less silence a user-week, paired by user, with half of a 95 % interval."""
        total, sends = self.worth(choose)
        return difference(total, quiet, sends, days=self.days)


def difference(total: Array, quiet: Array, sends: Array, *, days: int) -> dict[str, float]:
    """Worth less silence and sends, a user-week."""
    weeks = days / 7.0
    away = (total - quiet) / weeks
    return {
        "less silence": float(away.mean()),
        "half width": half_width(away),
        "sends a user-week": float(sends.mean() / weeks),
    }


def face_of(face: str, n: int, **options: Any) -> PushVectorEnv:
    """N rows of a face by its gym id, natively vectorised, of seeds that are far apart."""
    made = gymnasium.make_vec(
        face,
        num_envs=n,
        vectorization_mode="vector_entry_point",
        disjoint_seeds=True,
        **options,
    )
    return cast(PushVectorEnv, made)


def any_eligible(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Any eligible action alike, (N,)."""
    return np.asarray(np.where(mask, rng.random(mask.shape, np.float32), -1.0).argmax(axis=1))


def drawn(policy: Policy, rng: np.random.Generator, *, floor: Floor | None = None) -> Choose:
    """One draw from the policy's own pmf for each row, under a floor where there is one."""

    def choose(asked: Request) -> NDArray[np.int64]:
        pmf = policy.pmf(asked, 0)
        if floor is not None:
            pmf = apply_floor(pmf, asked.mask, n_slots=asked.n_slots, floor=floor)
        total = pmf.cumsum(axis=1)
        u = rng.random((len(total), 1)) * total[:, -1:]
        return np.asarray((total <= u).sum(axis=1))

    return choose


def draw_curve(rows: Sequence[Mapping[str, Any]], path: Path, *, by: str = "seed") -> None:
    """Draw what every training was worth less silence as it went on, a line each of ``by``."""
    mpl.rcParams["svg.hashsalt"] = path.stem
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name in sorted({row[by] for row in rows}):
        mine = [row for row in rows if row[by] == name and isinstance(row["user-steps"], int)]
        x, y, half = (
            np.array([row[column] for row in mine])
            for column in ("user-steps", "less silence", "half width")
        )
        axes.plot(x, y, marker="o", label=f"{by} {name}")
        axes.fill_between(x, y - half, y + half, alpha=0.2)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(xlabel="user-steps", ylabel="reward less silence, a user-week (simulated)")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
