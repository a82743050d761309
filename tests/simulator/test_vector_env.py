from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from bandit.actions import Reason
from bandit.errors import BadInputError, StateError
from simulator.check_vector_env import check_vector_env
from simulator.env import PushEnv
from simulator.rules_mask import reasons_of
from simulator.vector_env import PushVectorEnv

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = ("daily", "hourly")
# Many leave, so that lives end within a few days, and not all on the last one.
RESTLESS: dict[str, Any] = {
    "horizon_days": 4,
    "changes": {"opt_out": {"hazard": 0.02}, "activity": {"churn_per_day": 0.05}},
}
NO_RULES = {"quiet_from_h": 0, "quiet_to_h": 0, "gap_h": 0, "cap_per_day": 255, "cap_per_week": 999}


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(
    ("clock", "n_steps"),
    [
        ("daily", 30),
        ("hourly", 120),
        pytest.param("daily", 1000, marks=pytest.mark.slow),
        pytest.param("hourly", 1000, marks=pytest.mark.slow),
    ],
)
def test_rows_are_single_environments_to_the_last_bit(
    clock: Any, n_steps: int, mode: AutoresetMode
) -> None:
    """With ends of lives: observations, rewards, flags, infos, last moments; slow: 1,000 steps."""
    options: dict[str, Any] = {"clock": clock, "preset": "ecommerce", "n_candidates": 5, **RESTLESS}
    report = check_vector_env(
        lambda n: PushVectorEnv(n, autoreset_mode=mode, **options),
        seed=3,
        make_single=lambda: PushEnv(**options),
        num_envs=2,
        n_steps=n_steps,
    )
    assert not report.not_reached


@pytest.mark.parametrize("preset", ["tiny", "identity"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_rows_that_are_reset_by_hand_keep_the_contract_too(preset: str, clock: Any) -> None:
    """With truth in the infos and the mask in the observation."""
    options: dict[str, Any] = {
        "clock": clock,
        "preset": preset,
        "truth": True,
        "mask_in_obs": True,
        "horizon_days": 2,
    }
    report = check_vector_env(
        lambda n: PushVectorEnv(n, autoreset_mode=AutoresetMode.DISABLED, **options),
        seed=3,
        make_single=lambda: PushEnv(**options),
        num_envs=3,
        n_steps=60,
    )
    assert not report.not_reached


@pytest.mark.parametrize("clock", CLOCKS)
def test_same_step_is_next_step_without_its_dead_rows(clock: Any) -> None:
    """Each row's observations, rewards and ids, life after life."""
    n = 6
    rng = np.random.default_rng(5)
    choices = rng.integers(0, 21, (n, 400))
    lived: dict[AutoresetMode, list[list[tuple[Any, ...]]]] = {}
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        env = PushVectorEnv(n, clock=clock, autoreset_mode=mode, **RESTLESS)
        env.reset(seed=2)
        rows: list[list[tuple[Any, ...]]] = [[] for _ in range(n)]
        for _ in range(110):
            # The action of a step hangs on how many steps the row has really taken.
            action = np.array([choices[row, len(rows[row])] for row in range(n)])
            seen, reward, left, ended, info = env.step(action)
            over = left | ended
            for row in range(n):
                if mode is AutoresetMode.NEXT_STEP and info["is_reset"][row]:
                    continue
                is_final = mode is AutoresetMode.SAME_STEP and over[row]
                last = info["final_info"] if is_final else info
                rows[row].append(
                    (
                        (info["final_obs"][row] if is_final else seen[row]).tobytes(),
                        reward[row],
                        left[row],
                        ended[row],
                        last["user_id"][row],
                        last["t"][row],
                        last["suppressed"][row],
                        last["action_mask"][row].tobytes(),
                    )
                )
        lived[mode] = rows
    n_lives = 0
    for next_rows, same_rows in zip(*lived.values(), strict=True):
        shared = min(len(next_rows), len(same_rows))
        assert next_rows[:shared] == same_rows[:shared]
        n_lives += sum(row[2] or row[3] for row in next_rows)
    assert n_lives > n


def test_a_life_is_the_same_in_any_batch_or_shard() -> None:
    """Rows 4 … 7 of eight are the rows of four that are seeded from 4."""
    many = PushVectorEnv(8, clock="hourly", **RESTLESS)
    few = PushVectorEnv(4, clock="hourly", **RESTLESS)
    many.reset(seed=10)
    few.reset(seed=14)
    rng = np.random.default_rng(0)
    for _ in range(150):
        action = rng.integers(0, 21, 8)
        ours, theirs = many.step(action), few.step(action[4:])
        for one, other in zip(ours[:4], theirs[:4], strict=True):
            assert np.array_equal(one[4:], other)


SCRIPT = """
import hashlib, numpy as np
from simulator.rules_mask import reasons_of
from simulator.vector_env import PushVectorEnv
env = PushVectorEnv(5, clock="hourly", preset="ecommerce")
rng, told = np.random.default_rng(0), hashlib.sha256()
told.update(env.reset(seed=1)[0].tobytes())
for _ in range(60):
    seen, reward, *_ = env.step(rng.integers(0, 21, 5))
    told.update(seen.tobytes() + reward.tobytes())
print(told.hexdigest())
"""


def test_a_life_is_the_same_in_any_process() -> None:
    """With another hash seed, another process prints the same digest."""
    env = PushVectorEnv(5, clock="hourly", preset="ecommerce")
    rng, told = np.random.default_rng(0), hashlib.sha256()
    told.update(env.reset(seed=1)[0].tobytes())
    for _ in range(60):
        seen, reward, *_ = env.step(rng.integers(0, 21, 5))
        told.update(seen.tobytes() + reward.tobytes())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "99", "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.strip() == told.hexdigest()


@pytest.mark.parametrize("clock", CLOCKS)
def test_an_outcome_is_what_its_action_pays(clock: Any) -> None:
    """From one snapshot, for every action, paid at the decision, with no rule in the way."""
    env = PushVectorEnv(
        12,
        clock=clock,
        preset="tiny",
        reward_timing="decision",
        scheme="engagement",
        changes={"rules": NO_RULES},
        autoreset_mode=AutoresetMode.DISABLED,
    )
    env.reset(seed=4)
    rng = np.random.default_rng(2)
    top = int(env.single_action_space.n)  # type: ignore[attr-defined]
    for _ in range(5):
        env.step(np.zeros(12, np.int64))
    here, truth = env.snapshot(), env.truth()
    for action in rng.permutation(top):
        env.restore(here)
        _, reward, _, _, info = env.step(np.full(12, action))
        assert not info["suppressed"].any()
        assert np.allclose(reward, truth["outcome"][:, action], rtol=0, atol=1e-6)


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_masked_action_is_never_sent(clock: Any) -> None:
    """It is suppressed and told of; what is allowed is sent."""
    env = PushVectorEnv(20, clock=clock, n_candidates=5, **RESTLESS)
    env.reset(seed=1)
    mask = env.action_masks()
    rng = np.random.default_rng(0)
    n_suppressed = 0
    for _ in range(80):
        before = env.lives.population.state.n_sends.copy()
        action = rng.integers(0, mask.shape[1], 20)
        *_, info = env.step(action)
        lives_on = ~info["is_reset"]
        is_allowed = mask[np.arange(20), action]
        sent = env.lives.population.state.n_sends - before
        assert np.array_equal(info["suppressed"], ~is_allowed & lives_on)
        assert np.array_equal(sent[lives_on], ((action > 0) & is_allowed)[lives_on])
        assert info["action_mask"][:, 0].all()
        mask = info["action_mask"].copy()
        info["action_mask"][:] = True  # what a caller does to it is the caller's
        n_suppressed += int(info["suppressed"].sum())
    assert n_suppressed > 100


def test_a_strict_environment_names_the_reason() -> None:
    """A send at night is refused with the row and why."""
    env = PushVectorEnv(
        2, clock="hourly", preset="tiny", strict=True, changes={"rules": {"quiet_to_h": 8}}
    )
    env.reset(seed=1)
    env.step(np.array([0, 0]))
    with pytest.raises(BadInputError, match="got 1 in row 1, masked by quiet hours: choose where"):
        env.step(np.array([0, 1]))
    assert (env.reasons()[:, 1] == Reason.QUIET_HOURS).all()


def test_truth_is_of_the_state_before_the_action() -> None:
    """Means, outcomes and the regret of what was done, by the best of what might have been."""
    env = PushVectorEnv(10, clock="daily", n_candidates=3, truth=True, horizon_days=2)
    _, info = env.reset(seed=1)
    assert not info["mean_reward"].any()
    mask, truth = info["action_mask"], env.truth()
    action = np.random.default_rng(0).integers(0, mask.shape[1], 10)
    *_, info = env.step(action)
    for name in ("mean_reward", "outcome"):
        assert info[name].dtype == np.float32
        assert np.array_equal(info[name], truth[name])
    done = np.where(info["suppressed"], 0, action)
    best = np.where(mask, truth["mean_reward"], -np.inf).max(axis=1)
    regret = best - truth["mean_reward"][np.arange(10), done]
    assert np.array_equal(info["regret_myopic"], regret)
    assert (info["regret_myopic"] >= 0).all()
    env.step(action)
    *_, info = env.step(action)
    assert info["is_reset"].sum() > 5
    assert not info["mean_reward"][info["is_reset"]].any()


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_restored_environment_goes_on_bit_for_bit(clock: Any) -> None:
    """With rewards on their way and lives that end, and as often as wanted."""
    env = PushVectorEnv(8, clock=clock, **RESTLESS)
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    choices = rng.integers(0, 21, (150, 8))
    for action in choices[:50]:
        env.step(action)
    here = env.snapshot()
    first = [env.step(action) for action in choices[50:]]
    for _ in range(2):
        env.restore(here)
        for action, told in zip(choices[50:], first, strict=True):
            again = env.step(action)
            for one, other in zip(told[:4], again[:4], strict=True):
                assert np.array_equal(one, other)
    other = PushVectorEnv(7, clock=clock, **RESTLESS)
    other.reset(seed=1)
    with pytest.raises(BadInputError, match="expected a snapshot of 7 rows"):
        other.restore(here)


def test_lives_that_are_over_cannot_go_on_where_none_ever_is() -> None:
    """A snapshot of NEXT_STEP in an environment that restarts within the step."""
    options: dict[str, Any] = {"preset": "tiny", "horizon_days": 1}
    env = PushVectorEnv(2, **options)
    env.reset(seed=1)
    env.step(np.zeros(2, np.int64))
    same = PushVectorEnv(2, autoreset_mode="SameStep", **options)
    with pytest.raises(BadInputError, match="got 2 that are over"):
        same.restore(env.snapshot())
    same.reset(seed=1)
    same.restore(same.snapshot())


@pytest.mark.parametrize("is_dict", [False, True], ids=["flat", "mask_in_obs"])
def test_rows_that_restart_within_a_step_show_the_masks_of_their_new_lives(is_dict: bool) -> None:
    """Where items expire too, and in the observation as in info; reasons among them."""
    env = PushVectorEnv(
        40,
        clock="daily",
        preset="news",
        autoreset_mode="SameStep",
        mask_in_obs=is_dict,
        changes={"opt_out": {"hazard": 0.2}, "clock": {"n_candidates": 4}},
    )
    env.reset(seed=1)
    n_restarts = 0
    for _ in range(14):
        seen, _, _, _, info = env.step(np.full(40, 15))
        n_restarts += info["is_reset"].sum()
        afresh = reasons_of(env.lives.population)
        assert np.array_equal(info["action_mask"], afresh.mask())
        assert np.array_equal(env.action_masks(), afresh.mask())
        assert np.array_equal(env.reasons(), afresh.whole())
        if is_dict:
            assert np.array_equal(seen["action_mask"] == 1.0, afresh.mask())
            for row in np.flatnonzero(info["is_reset"]):
                assert info["final_obs"][row].keys() == {"observations", "action_mask"}
    assert n_restarts > 20


def test_a_reset_without_a_seed_begins_the_next_lives() -> None:
    """Neither the first ones again nor others at every run."""
    ids = []
    for _ in range(2):
        env = PushVectorEnv(3, preset="tiny")
        ids.append([env.reset(seed=7)[1]["user_id"], *[env.reset()[1]["user_id"] for _ in "ab"]])
    assert np.array_equal(ids[0], ids[1])
    assert len(np.unique(ids[0])) == 9
    env = PushVectorEnv(3, preset="tiny")
    fresh = env.reset()[1]["user_id"], PushVectorEnv(3, preset="tiny").reset()[1]["user_id"]
    assert not np.array_equal(*fresh)


def test_hashed_seeds_share_no_users() -> None:
    """By gymnasium's rule, neighbouring seeds share all rows but one."""
    for is_disjoint, n_shared in ((False, 15), (True, 0)):
        users = [
            PushVectorEnv(16, preset="tiny", disjoint_seeds=is_disjoint).reset(seed=seed)[1]
            for seed in (5, 6)
        ]
        shared = np.intersect1d(users[0]["user_id"], users[1]["user_id"])
        assert len(shared) == n_shared


def test_an_episode_ends_at_its_horizon_or_when_the_user_leaves() -> None:
    """Truncated on the last day, terminated at an opt-out, never both."""
    env = PushVectorEnv(50, autoreset_mode=AutoresetMode.DISABLED, horizon_days=3, preset="tiny")
    env.reset(seed=1)
    for day in range(1, 4):
        _, _, left, ended, _ = env.step(np.zeros(50, np.int64))
        assert ended.all() == (day == 3) and not left.any()
    with pytest.raises(StateError, match="life is over, got 50, the first in row 0: call reset"):
        env.step(np.zeros(50, np.int64))
    env = PushVectorEnv(50, preset="tiny", changes={"opt_out": {"hazard": 0.5}})
    env.reset(seed=1)
    _, reward, left, ended, _ = env.step(np.ones(50, np.int64))
    assert left.any() and not ended.any()
    assert (reward[left] < -2.0).all()


def test_nothing_can_be_asked_before_a_reset() -> None:
    """Neither a step nor a partial reset."""
    env = PushVectorEnv(2, preset="tiny")
    with pytest.raises(StateError, match="call reset"):
        env.step(np.zeros(2, np.int64))
    with pytest.raises(StateError, match="a whole reset first"):
        env.reset(options={"reset_mask": np.array([True, False])})


def test_make_vec_finds_the_native_environment() -> None:
    """By its id, with its options, without a warning; others may use the synchronous one."""
    for name, steps in (("PushDaily-v0", 24), ("PushHourly-v0", 1)):
        env = gymnasium.make_vec(
            f"simulator.register:{name}",
            num_envs=4,
            vectorization_mode="vector_entry_point",
            preset="ecommerce",
            n_candidates=3,
        )
        assert isinstance(env.unwrapped, PushVectorEnv)
        assert env.single_action_space.n == 1 + 3 * steps  # type: ignore[attr-defined]
