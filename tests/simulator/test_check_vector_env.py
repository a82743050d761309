from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from bandit.errors import BadInputError
from simulator.check_vector_env import LAWS, check_vector_env


class Counter(VectorEnv[Any, Any, Any]):
    """Rows that count to four, from a start drawn by the seed; right in every law."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gymnasium.spaces.Box(0.0, 9.0, (1,), np.float64)
        self.single_action_space = gymnasium.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.over = np.zeros(num_envs, np.bool_)

    def begin(self, rows: Any) -> None:
        self.count[rows] = self.np_random.random((self.num_envs, 1))[rows]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.count = np.zeros((self.num_envs, 1))
        self.begin(slice(None))
        self.over = np.zeros(self.num_envs, np.bool_)
        return self.count.copy(), {}

    def step(self, actions: Any) -> Any:
        self.count += np.where(self.over, 0, actions)[:, None]
        reward = np.where(self.over, 0.0, 1.0)
        self.begin(self.over)
        over = self.count[:, 0] > 4
        self.count = np.minimum(self.count, 9.0)
        self.over = over
        return self.count.copy(), reward, over.copy(), np.zeros_like(over), {}


class ReusesItsArray(Counter):
    def step(self, actions: Any) -> Any:
        kept = self.count
        _, *rest = super().step(actions)
        kept[:] = self.count
        self.count = kept
        return (self.count, *rest)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0], {}


class ReusesItsRewards(Counter):
    def step(self, actions: Any) -> Any:
        is_dead = self.over
        seen, _, *rest = super().step(actions)
        self.paid = getattr(self, "paid", np.zeros(self.num_envs))
        self.paid[:] = np.where(is_dead, 0.0, seen[:, 0])
        return (seen, self.paid, *rest)


class ReusesItsInfo(Counter):
    def step(self, actions: Any) -> Any:
        seen, *rest, _ = super().step(actions)
        self.told = getattr(self, "told", np.zeros(self.num_envs))
        self.told[:] = seen[:, 0]
        return (seen, *rest, {"count": self.told})


class HasOneRowMore(Counter):
    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs + 1)


class TellsNothing(Counter):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0], None


class ResetsThemAll(Counter):
    """By hand, and whatever ``reset_mask`` says."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012


class Split(Counter):
    """Right, with its count in the parts of nested spaces."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        whole = self.single_observation_space
        spaces = gymnasium.spaces
        parts = {"pair": spaces.Tuple((whole, whole)), "one": whole}
        self.single_observation_space = spaces.Dict(parts)  # type: ignore[assignment]
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def split(self, seen: Any) -> Any:
        return {"pair": (seen, seen.copy()), "one": seen.copy()}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        seen, info = super().reset(seed=seed)
        return self.split(seen), info

    def step(self, actions: Any) -> Any:
        seen, *rest = super().step(actions)
        return (self.split(seen), *rest)


class IgnoresItsSeed(Counter):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=None)


class PaysDeadRows(Counter):
    def step(self, actions: Any) -> Any:
        seen, _, *rest = super().step(actions)
        return (seen, np.ones(self.num_envs), *rest)


class HearsDeadRows(Counter):
    def step(self, actions: Any) -> Any:
        was_over = self.over
        seen, *rest = super().step(actions)
        seen[was_over] += 0.01 * np.asarray(actions)[was_over, None]
        return (seen, *rest)


class TellsOneNumber(Counter):
    def step(self, actions: Any) -> Any:
        *rest, _ = super().step(actions)
        return (*rest, {"n": 3})


class TellsAList(Counter):
    def step(self, actions: Any) -> Any:
        *rest, _ = super().step(actions)
        return (*rest, {"n": [1] * self.num_envs})


class HasOneSpace(Counter):
    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        self.observation_space = self.single_observation_space


class HasNoMode(Counter):
    metadata = {"autoreset_mode": "NextStep"}  # noqa: RUF012


class SaysSameStep(Counter):
    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012


class PaysNan(Counter):
    def step(self, actions: Any) -> Any:
        seen, reward, *rest = super().step(actions)
        return (seen, np.full_like(reward, np.nan), *rest)


class PaysWholeNumbers(Counter):
    def step(self, actions: Any) -> Any:
        seen, reward, *rest = super().step(actions)
        return (seen, reward.astype(np.int64), *rest)


class LeavesItsSpace(Counter):
    def step(self, actions: Any) -> Any:
        seen, *rest = super().step(actions)
        return (seen.astype(np.float32) + 10, *rest)


class DrawsAtRandom(Counter):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if seed is None:
            self._np_random = None
        return super().reset(seed=seed)


def test_a_right_environment_passes() -> None:
    """Each law held, but for the one that needs a single environment."""
    for right in (Counter, Split):
        report = check_vector_env(right, seed=1)
        assert report.not_reached == (LAWS[7],)
        assert set(report.held) == set(LAWS[:7])


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (HasOneSpace, 0),
        (PaysNan, 1),
        (PaysWholeNumbers, 1),
        (LeavesItsSpace, 1),
        (TellsOneNumber, 2),
        (TellsAList, 2),
        (HasOneRowMore, 0),
        (TellsNothing, 2),
        (ReusesItsArray, 3),
        (ReusesItsRewards, 3),
        (ReusesItsInfo, 3),
        (IgnoresItsSeed, 4),
        (HearsDeadRows, 4),
        (DrawsAtRandom, 5),
        (PaysDeadRows, 6),
        (HasNoMode, 6),
        (SaysSameStep, 6),
        (ResetsThemAll, 6),
    ],
)
def test_a_broken_environment_is_found_out(broken: type[Counter], law: int) -> None:
    """By the law that it breaks, with what to do."""
    with pytest.raises(BadInputError, match=f"(?s){LAWS[law]}: expected .*, got .*: "):
        check_vector_env(broken, seed=1)


def test_a_run_in_which_no_life_ends_says_so() -> None:
    """What could not be seen is not called right."""
    report = check_vector_env(Counter, seed=1, n_steps=1)
    assert LAWS[6] in report.not_reached and LAWS[6] not in report.held


def test_gymnasiums_own_environments_pass() -> None:
    """The native CartPole, and the synchronous one in every mode."""
    native = check_vector_env(
        lambda n: gymnasium.make_vec("CartPole-v1", n, vectorization_mode="vector_entry_point"),
        seed=1,
    )
    assert native.not_reached == (LAWS[7],)
    for mode in AutoresetMode:
        report = check_vector_env(
            lambda n, mode=mode: SyncVectorEnv(  # type: ignore[misc]
                [lambda: gymnasium.make("CartPole-v1")] * n, autoreset_mode=mode
            ),
            seed=1,
            make_single=lambda: gymnasium.make("CartPole-v1"),
        )
        assert not report.not_reached


def test_rows_that_are_seeded_otherwise_are_no_single_environments() -> None:
    """CartPole's native rows draw from one generator."""
    with pytest.raises(BadInputError, match=LAWS[7]):
        check_vector_env(
            lambda n: gymnasium.make_vec("CartPole-v1", n, vectorization_mode="vector_entry_point"),
            seed=1,
            make_single=lambda: gymnasium.make("CartPole-v1"),
        )
