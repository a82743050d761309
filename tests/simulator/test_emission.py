from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import HOLD
from bandit.decide import Decisions
from bandit.join import Emission, Joiner
from bandit.outcomes import ENGAGEMENT, UPLIFT, Kind, Outcomes, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS
from simulator.emission import Emitter, no_heard
from simulator.happened import Happened
from simulator.sections import Emission as Rates
from simulator.streams import life_keys
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]

START_MS = 1_772_409_600_000
CLEAN = {"late_share": 0.0, "duplicate_share": 0.0, "is_shuffled": False}


def many(m: int, n_users: int) -> Happened:
    """Sessions of some users over an hour."""
    whole = np.arange(m)
    return Happened(
        row=whole % n_users,
        kind=np.full(m, Kind.SESSION, np.uint8),
        at_min=60.0 * whole / m,
        value=np.ones(m),
        ref=np.full(m, -1),
        item=np.zeros(m, np.int32),
        is_caused=np.zeros(m, np.bool_),
    )


def emitter(**rates: Any) -> Emitter:
    return Emitter(emission=replace(Rates(), **rates), start_ms=START_MS)


def test_shares_that_are_late_and_doubled_are_as_configured() -> None:
    m, key = 40_000, life_keys(1, np.arange(500))
    told = emitter(late_share=0.2, late_mean_h=2.0, duplicate_share=0.1)
    told.tell(many(m, 500), key=key, hour=0)
    heard = told.hear(START_MS + 100 * DAY_MS)
    first = heard.take(~heard.is_copy)
    late_ms = (first.received_ms - first.at_ms)[first.received_ms > first.at_ms]
    within = 4.0 * np.sqrt(0.2 * 0.8 / m)  # four standard errors of a share
    assert first.n_rows == m
    assert abs(len(late_ms) / m - 0.2) < within
    assert abs(late_ms.mean() / HOUR_MS - 2.0) < 4.0 * 2.0 / np.sqrt(len(late_ms))
    assert abs(heard.is_copy.sum() / m - 0.1) < within


def test_every_outcome_has_an_id_of_its_own_and_a_copy_has_its_originals() -> None:
    told = emitter(duplicate_share=0.5)
    told.tell(many(5000, 7), key=life_keys(1, np.arange(7)), hour=3)
    told.tell(many(5000, 7), key=life_keys(1, np.arange(7)), hour=27)
    heard = told.hear(START_MS + 100 * DAY_MS)
    assert len(np.unique(heard.outcome_id[~heard.is_copy])) == 10_000
    assert np.isin(heard.outcome_id[heard.is_copy], heard.outcome_id[~heard.is_copy]).all()
    assert (heard.outcome_id >= 0).all()


def test_without_disorder_what_is_told_goes_by_the_time_it_is_received() -> None:
    for is_shuffled in (False, True):
        told = emitter(is_shuffled=is_shuffled, duplicate_share=0.0)
        told.tell(many(2000, 7), key=life_keys(1, np.arange(7)), hour=0)
        heard = told.hear(START_MS + DAY_MS)
        is_sorted = bool((np.diff(heard.received_ms) >= 0).all())
        assert is_sorted is not is_shuffled


def test_a_step_without_outcomes_tells_nothing() -> None:
    told = emitter()
    assert told.tell(many(0, 1), key=life_keys(1, np.arange(1)), hour=0).n_rows == 0
    assert told.hear(START_MS + DAY_MS).n_rows == 0
    assert no_heard().plus(no_heard()).n_rows == 0


def run(world: World, choose: Choose, n_days: int) -> tuple[list[Decisions], Outcomes]:
    """Send for some days, then rest until all has arrived."""
    decided = [choose(world, 1 + day % 3, first=1000 * day) for day in range(n_days)]
    for _ in range(60):
        world.rest()
    return decided, world.arrived()


@pytest.mark.parametrize("scheme", [UPLIFT, ENGAGEMENT], ids=["uplift", "engagement"])
def test_late_and_doubled_outcomes_join_to_the_same_final_feedback_as_clean_ones(
    make_world: Make, choose: Choose, scheme: RewardScheme
) -> None:
    finals = []
    for rates in (CLEAN, {"late_share": 0.5, "late_mean_h": 12.0, "duplicate_share": 0.3}):
        sections = {"emission": rates, "click": {"rate": 0.3}, "clock": {"horizon_days": 90}}
        decided, told = run(make_world("ecommerce", 300, 6, sections=sections), choose, 5)
        join = Joiner(scheme, emission=Emission.WHEN_FINAL)
        for decisions in decided:
            join.add(decisions)
        join.receive(told)
        fresh, _ = join.advance(int(told.received_ms.max()) + 30 * DAY_MS)
        order = np.argsort(fresh.decision_id)
        finals.append((fresh.decision_id[order], fresh.components[order], join.counts.duplicates))
    (ids, clean, none), (again, noisy, copies) = finals
    np.testing.assert_array_equal(ids, again)
    np.testing.assert_array_equal(clean, noisy)
    assert clean[:, 0].sum() > 50
    assert none == 0
    assert copies > 100


def test_responses_and_attributed_orders_carry_their_decision_and_other_behaviour_none(
    make_world: Make, choose: Choose
) -> None:
    sections = {
        "emission": CLEAN,
        "click": {"rate": 0.4},
        "orders": {"per_click": 0.5, "per_session": 0.3},
    }
    decided, told = run(make_world("ecommerce", 400, 8, sections=sections), choose, 6)
    made = np.concatenate([d.decision_id for d in decided])
    user_of = dict(
        zip(made.tolist(), np.concatenate([d.request.user for d in decided]), strict=True)
    )
    is_response = told.kind < Kind.SESSION
    named = told.decision_id >= 0
    assert named[is_response].all()
    unattributed = np.isin(told.kind, [Kind.SESSION, Kind.UNSUBSCRIBED, Kind.UNINSTALLED])
    assert not named[unattributed].any()
    orders = told.kind == Kind.CONVERTED
    assert named[orders].sum() > 100
    assert (~named[orders]).sum() > 100
    for decision, user in zip(
        told.decision_id[named].tolist(), told.user[named].tolist(), strict=True
    ):
        assert user_of[decision] == user


def test_a_hold_brings_no_response(make_world: Make, choose: Choose) -> None:
    world = make_world("ecommerce", 200, 8)
    for day in range(4):
        choose(world, HOLD, first=1000 * day)
    told = world.arrived()
    assert told.n_rows > 50
    assert (told.kind >= Kind.SESSION).all()
    assert (told.decision_id == -1).all()


def test_what_was_decided_has_arrived_or_is_on_its_way(make_world: Make, choose: Choose) -> None:
    """Mass conserved: nothing is lost between the kernel and the server, at any time."""
    sections = {"emission": {"late_share": 0.3, "duplicate_share": 0.2}, "click": {"rate": 0.3}}
    world = make_world("ecommerce", 300, 9, sections=sections)
    twin = make_world("ecommerce", 300, 9, sections=sections).population
    decided, arrived = 0.0, {0: 0.0}
    for day in range(12):
        choose(world, 2 + day, first=1000 * day)
        decided += twin.step(np.zeros(300, np.int64), np.full(300, 1 + day)).value.sum()
        heard, on_its_way = world.arrived(), world.snapshot()
        arrived |= dict(zip(heard.outcome_id.tolist(), heard.value.tolist(), strict=True))
        pending = on_its_way["pending.value"][~on_its_way["pending.is_copy"]].sum()
        assert decided == pytest.approx(sum(arrived.values()) + pending, rel=1e-12)
    assert pending > 0.0
