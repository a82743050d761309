from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bandit.slots import HOUR_MS
from simulator.config import WorldConfig, load
from simulator.logged import Logged, Plan
from simulator.replay import _born, as_counted, repeated, replayed
from simulator.streams import life_keys

SmallLog = Callable[[], Logged]


def _world(plan: Plan) -> WorldConfig:
    return as_counted(load("ecommerce"), plan)


def test_the_same_seed_gives_the_same_record_and_another_seed_another(small_log: SmallLog) -> None:
    plan = small_log().plan
    one, two, other = (replayed(_world(plan), plan, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.is_clicked, two.is_clicked)
    np.testing.assert_array_equal(one.sessions.at_ms, two.sessions.at_ms)
    assert not np.array_equal(one.is_clicked, other.is_clicked)


def test_sends_go_out_as_planned_to_who_can_be_reached(small_log: SmallLog) -> None:
    """Deliveries stand at the planned rows; holds are answered by nothing."""
    logged = small_log()
    plan = logged.plan
    made = replayed(_world(plan), plan, seed=1)
    np.testing.assert_array_equal(made.plan.is_sent, plan.is_sent)
    assert not made.is_delivered[~plan.is_sent].any()
    stays = plan.send_ms < made.left_ms[plan.user]
    share = made.is_delivered[plan.is_sent & stays].mean()
    assert 0.92 < share < 0.96  # .92 for one device, more for two and three


def test_items_that_are_offered_are_sent_as_they_are(small_log: SmallLog) -> None:
    """With the whole catalogue in every short list, all are."""
    plan = small_log().plan
    whole = replace(plan, n_candidates=plan.n_items)
    made = replayed(_world(whole), whole, seed=1)
    stays = plan.is_sent & (plan.send_ms < made.left_ms[plan.user])
    np.testing.assert_array_equal(made.plan.item[stays], plan.item[stays])


def test_what_a_log_shows_is_taken_from_it(small_log: SmallLog) -> None:
    plan = small_log().plan
    config = _world(plan)
    assert config.clock.start_date == "2026-03-02"
    assert config.clock.zones == plan.zones
    assert sum(config.clock.zone_shares) == 1.0
    assert config.items.n_items == 30
    assert config.clock.n_candidates == 10
    assert abs(config.opt_out.opt_in_share - 0.55) < 0.06


def test_one_push_a_user_and_step_is_carried_out(small_log: SmallLog) -> None:
    """A second one in the same step is none in the simulation's record."""
    plan = small_log().plan
    rows = np.flatnonzero(plan.is_sent)[:2]
    crowded = replace(plan, user=plan.user.copy(), send_ms=plan.send_ms.copy())
    crowded.user[rows[1]] = plan.user[rows[0]]
    crowded.send_ms[rows[1]] = plan.send_ms[rows[0]] // (24 * HOUR_MS) * 24 * HOUR_MS
    made = replayed(_world(plan), crowded, seed=1)
    assert made.plan.is_sent[rows].sum() == 1


def test_a_log_that_was_simulated_does_not_meet_its_own_lives_again(small_log: SmallLog) -> None:
    """Under the same seed: the fit would be to chance itself."""
    plan = small_log().plan
    born = _born(_world(plan), plan, seed=5)
    assert not np.intersect1d(born.traits.key, life_keys(5, np.arange(plan.n_users))).size


def test_who_could_never_be_reached_has_not_opted_in(small_log: SmallLog) -> None:
    """As a trait, too: who opts in is more active."""
    plan = small_log().plan
    born = _born(_world(plan), plan, seed=5)
    assert 0 < plan.is_reachable.sum() < plan.n_users
    np.testing.assert_array_equal(born.traits.has_opted_in, plan.is_reachable)
    np.testing.assert_array_equal(born.state.is_reachable, plan.is_reachable)


def test_a_repeated_plan_has_users_of_its_own(small_log: SmallLog) -> None:
    plan = small_log().plan
    twice = repeated(plan, 2)
    assert twice.n_users == 2 * plan.n_users
    assert len(np.unique(twice.user)) == 2 * len(np.unique(plan.user))
    made = replayed(_world(plan), twice, seed=1)
    half = len(plan.user)
    assert not np.array_equal(made.is_clicked[:half], made.is_clicked[half:])
