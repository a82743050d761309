from __future__ import annotations

import numpy as np
import pytest

from bandit.outcomes import Kind
from simulator.face import Face, Options
from simulator.lives import Lives
from simulator.streams import life_keys
from simulator.worth import Worth

NO = np.zeros(30, np.bool_)


def begin_lives(n: int = 30, **options: object) -> Lives:
    face = Face(**Options(**options))  # type: ignore[typeddict-item]
    ground = face.ground()
    worth = Worth(face.reward_scheme(ground.config))
    return Lives.begin(face, ground, np.arange(n).astype(np.uint64), worth=worth)


@pytest.mark.parametrize("pays_rest", [True, False])
@pytest.mark.parametrize("clock", ["daily", "hourly"])
def test_reward_is_conserved_over_lives_that_end_and_begin(clock: str, pays_rest: bool) -> None:
    """Decided = arrived + waiting + expired in every row, and rewards add up to what arrived."""
    lives = begin_lives(
        clock=clock,
        pays_rest=pays_rest,
        horizon_days=4,
        changes={"opt_out": {"hazard": 0.02}, "activity": {"sessions_per_day": 2.0}},
    )
    rng = np.random.default_rng(0)
    reward = np.zeros(30)
    for _ in range(120 if clock == "hourly" else 20):
        passed = lives.step(rng.integers(-1, 20, 30), np.zeros(30, np.int64), is_idle=NO)
        reward += passed.reward
        lives.renew(np.flatnonzero(passed.has_left | passed.is_at_end))
    ledger = lives.pending
    whole = ledger.arrived + ledger.waiting() + ledger.expired
    assert np.allclose(ledger.decided, whole, rtol=0, atol=1e-9)
    assert np.allclose(reward, ledger.arrived, rtol=0, atol=1e-9)
    assert (lives.episode > 1).any()
    assert (np.abs(ledger.expired).sum() > 0) != pays_rest


def test_what_is_asked_of_a_life_that_is_over_counts_for_nothing() -> None:
    """No reward, no cost of sending, nothing in the ledger."""
    lives = begin_lives(preset="tiny")
    is_idle = np.arange(30) < 10
    reward = lives.step(np.zeros(30, np.int64), np.zeros(30, np.int64), is_idle=is_idle).reward
    assert not reward[is_idle].any()
    assert not lives.pending.decided[is_idle].any()
    assert (reward[~is_idle] != 0.0).all()  # the cost, at least


@pytest.mark.parametrize("is_seeded", [False, True])
def test_a_life_that_is_cut_short_leaves_nothing_to_the_next_one(is_seeded: bool) -> None:
    """What was to come to it expires, and the next one is that of a fresh row."""
    options = {
        "changes": {"orders": {"per_session": 0.9}, "activity": {"sessions_per_day": 4.0}},
        "scheme": "uplift_value",
    }
    lives, every = begin_lives(**options), np.arange(30)
    hold = np.full(30, -1)
    lives.step(hold, hold, is_idle=NO)
    lost = lives.pending.waiting()
    assert np.count_nonzero(lost) > 10
    fresh = begin_lives(**options)
    if is_seeded:
        lives.reseed(every, lives.seeds)
        np.testing.assert_array_equal(lives.episode, 0)
    else:
        lives.renew(every)
        fresh.population.renew(every, life_keys(fresh.seeds, 0, episode=1))
    np.testing.assert_allclose(lives.pending.expired, lost)
    assert not lives.pending.waiting().any()
    for _ in range(4):
        ours, theirs = (each.step(hold, hold, is_idle=NO).reward for each in (lives, fresh))
        np.testing.assert_array_equal(ours, theirs)


def test_paid_at_the_decision_or_at_arrival_a_life_is_worth_the_same() -> None:
    """Only the time differs, once the rest is paid at its end."""
    total = {}
    for timing in ("arrival", "decision"):
        lives = begin_lives(reward_timing=timing, horizon_days=6, preset="tiny")
        rewards = [
            lives.step(np.full(30, day % 2 - 1), np.zeros(30, np.int64), is_idle=NO).reward
            for day in range(6)
        ]
        total[timing] = np.stack(rewards)
    assert np.allclose(total["arrival"].sum(axis=0), total["decision"].sum(axis=0), atol=1e-9)
    assert not np.allclose(total["arrival"], total["decision"])


def test_what_a_server_has_heard_never_runs_ahead_of_the_clock() -> None:
    """Clicks and orders are counted when they happen, not when they are decided."""
    lives = begin_lives(clock="hourly", preset="tiny", horizon_days=20)
    rng = np.random.default_rng(1)
    decided, runs_ahead = np.zeros(30, np.int64), False
    for _ in range(200):
        told = lives.step(rng.integers(-1, 2, 30), np.zeros(30, np.int64), is_idle=NO).decided
        decided += np.bincount(told.row[told.kind == Kind.CLICKED], minlength=30)
        state, known = lives.population.state, lives.known
        assert (known.click_h <= state.hour).all() and (known.session_h <= state.hour).all()
        assert (known.n_clicks <= decided).all()
        runs_ahead |= bool((known.n_clicks < decided).any())
    assert runs_ahead


def test_the_next_life_is_that_of_the_next_episode() -> None:
    """By the row's seed, whatever went before."""
    lives = begin_lives(preset="tiny")
    lives.step(np.full(30, 1), np.zeros(30, np.int64), is_idle=NO)
    lives.renew(np.array([3, 7]))
    keys = lives.population.traits.key
    assert np.array_equal(keys[[3, 7]], life_keys(np.array([3, 7]), 0, episode=1))
    assert np.array_equal(keys[:3], life_keys(np.arange(3), 0))
    assert lives.population.state.hour[[2, 3]].tolist() == [24, 0]
    assert lives.known.n_orders[3] == 0


def test_a_copy_lives_on_apart_and_alike() -> None:
    """The same choices after a copy give the same rewards, and do not touch the other."""
    lives = begin_lives(preset="tiny", clock="hourly")
    for _ in range(30):
        lives.step(np.full(30, 0), np.zeros(30, np.int64), is_idle=NO)
    twin = lives.copy()
    first = [lives.step(np.full(30, 1), np.zeros(30, np.int64), is_idle=NO) for _ in range(40)]
    again = [twin.step(np.full(30, 1), np.zeros(30, np.int64), is_idle=NO) for _ in range(40)]
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.reward, other.reward)
    assert np.array_equal(lives.pending.waiting(), twin.pending.waiting())
