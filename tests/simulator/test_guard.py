from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.actions import HOLD, Reason, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids, with_executed
from bandit.guardrails import Guardrails
from bandit.protocols import Guard
from bandit.slots import HOUR_MS
from simulator.config import load
from simulator.guard import WorldGuard, rules_of
from simulator.offers import Slates
from simulator.rules_mask import reasons_of
from simulator.world import World
from tests.simulator.conftest import NO_FLOOR

Make = Callable[..., World]
Choose = Callable[..., Decisions]


def planned(world: World, guard: WorldGuard, *, first: int = 0) -> Decisions:
    """Send the first thing that may be sent to everybody; hold where nothing may."""
    observation = world.observe()
    assert observation is not None
    items = Slates(world=world)(observation)
    request = assemble(observation, items, reasons=guard.plan(observation, items))
    sends = request.mask[:, 1:]
    action = np.where(sends.any(axis=1), 1 + np.argmax(sends, axis=1), HOLD)
    pmf = np.zeros(request.mask.shape)
    pmf[np.arange(len(pmf)), action] = 1.0
    return decide(
        pmf,
        request,
        key=1,
        stamp=Stamp(policy="eager", state_seq=0, floor=NO_FLOOR),
        decision_id=decision_ids(request.at_ms, first=first),
    )


def test_is_a_guard_of_the_protocols(make_world: Make) -> None:
    assert isinstance(WorldGuard(make_world("tiny", 3, 1)), Guard)


def test_rules_are_the_configurations() -> None:
    rules = rules_of(load("ecommerce", rules={"quiet_from_h": 21, "gap_h": 6, "cap_per_day": 1}))
    assert (rules.quiet_start_min, rules.quiet_end_min) == (21 * 60, 8 * 60)
    assert rules.min_gap_ms == 6 * HOUR_MS
    assert [cap.n_sends for cap in rules.caps] == [1, 14]


def test_every_send_to_who_opted_out_is_masked_for_want_of_consent(make_world: Make) -> None:
    world = make_world("ecommerce", 200, 1)
    decisions = planned(world, WorldGuard(world))
    reasons = decisions.request.reasons
    refused = (reasons[:, 1:] & Reason.CONSENT != 0).all(axis=1)
    np.testing.assert_array_equal(refused, ~world.population.state.is_reachable)
    assert (reasons[:, HOLD] == 0).all()


def test_who_opts_out_is_observed_and_not_written_to_from_then_on(make_world: Make) -> None:
    leaving = {"opt_out": {"hazard": 0.5, "opt_in_share": 1.0, "uninstall_share": 0.0}}
    world = make_world("ecommerce", 100, 1, sections=leaving)
    guard = WorldGuard(world)
    world.step(planned(world, guard))
    gone = ~world.population.state.is_reachable
    assert 10 < gone.sum() < 90
    decisions = planned(world, guard, first=1000)
    assert np.isin(world.users[gone], decisions.request.user).all()
    assert not decisions.is_send[gone[world.observed]].any()


def test_unknown_zones_fail_closed_and_quiet_hours_are_the_users_own(make_world: Make) -> None:
    world = make_world("ecommerce", 400, 2)
    decisions = planned(world, WorldGuard(world))
    request = decisions.request
    unknown = request.zone == ""
    assert unknown.any()
    assert (request.reasons[unknown, 1:] & Reason.UNKNOWN_ZONE != 0).all()
    london = request.zone == "Europe/London"  # the same as UTC in the first week of March
    is_quiet = (request.reasons[london, 1:25] & Reason.QUIET_HOURS != 0).all(axis=0)
    np.testing.assert_array_equal(is_quiet, (np.arange(24) < 8) | (np.arange(24) >= 22))


@pytest.mark.parametrize(("quiet_from_h", "quiet_to_h"), [(0, 24), (24, 0), (24, 8), (22, 24)])
def test_hour_24_is_hour_0_for_the_guard_as_for_the_gyms(
    make_world: Make, quiet_from_h: int, quiet_to_h: int
) -> None:
    rules = {"rules": {"quiet_from_h": quiet_from_h, "quiet_to_h": quiet_to_h}}
    world = make_world("ecommerce", 100, 2, sections=rules)
    reasons = planned(world, WorldGuard(world)).request.reasons[:, 1:25]
    quiet, is_known = np.uint16(Reason.QUIET_HOURS), world.population.traits.is_zone_known
    of_slot = reasons_of(world.population).of_slot
    np.testing.assert_array_equal((reasons & quiet)[is_known], (of_slot & quiet)[is_known])


def test_gaps_and_caps_hold_over_days(make_world: Make) -> None:
    rules = {"rules": {"cap_per_week": 3, "gap_h": 30}, "opt_out": {"opt_in_share": 1.0}}
    world = make_world("ecommerce", 60, 3, sections=rules)
    guard = WorldGuard(world)
    sent: list[tuple[int, int]] = []
    for day in range(7):
        decisions = planned(world, guard, first=1000 * day)
        guard.record(decisions)
        world.step(decisions)
        rows = decisions.is_send
        pairs = zip(decisions.request.user[rows], decisions.slot_start_ms[rows], strict=True)
        sent += [(int(user), int(at_ms)) for user, at_ms in pairs]
    for user in range(60):
        times = np.sort([at_ms for who, at_ms in sent if who == user])
        assert len(times) <= 3
        assert (np.diff(times) >= 30 * HOUR_MS).all()
    assert len(sent) > 100


def test_what_is_out_of_stock_or_expires_first_is_masked(make_world: Make) -> None:
    feed: dict[str, Any] = {
        "items": {"lifetime_h": 36.0, "stock_out_per_day": 0.3, "popularity_half_life_h": 6.0}
    }
    world = make_world("ecommerce", 100, 4, sections=feed)
    guard = WorldGuard(world)
    world.step(planned(world, guard))
    decisions = planned(world, guard, first=1000)
    offer, rows = world.population.offer(), world.observed
    reasons = decisions.request.reasons[:, 1:].reshape(len(rows), 20, 24)
    is_out = (reasons & Reason.STOCK != 0).all(axis=2)
    np.testing.assert_array_equal(is_out, ~offer.is_in_stock[rows])
    ends = offer.hours_left[rows][:, :, None] <= np.arange(24)
    np.testing.assert_array_equal(reasons & Reason.EXPIRED != 0, ends)
    assert is_out.any()
    assert ends.any()


def test_a_plan_is_asked_about_again_at_dispatch(make_world: Make) -> None:
    """Who opts out between plan and dispatch is not written to, and the plan stays the action."""
    world = make_world("ecommerce", 80, 5)
    guard = WorldGuard(world)
    decisions = planned(world, guard)
    sends = np.flatnonzero(decisions.is_send)
    assert not guard.dispatch(decisions).any()
    world.population.state.is_reachable[world.observed[sends[0]]] = False
    reasons = guard.dispatch(decisions)
    assert reasons[sends[0]] == Reason.CONSENT
    assert not np.delete(reasons, sends[0]).any()
    carried = with_executed(decisions, np.where(reasons == 0, decisions.executed, HOLD))
    guard.record(carried)
    world.step(carried)
    told = world.arrived()
    assert decisions.decision_id[sends[0]] not in told.decision_id
    assert isinstance(guard.rails, Guardrails)


@pytest.mark.parametrize("hours", [1, 24])
def test_a_masked_action_is_never_sent(make_world: Make, hours: int) -> None:
    world = make_world("ecommerce", 150, 6, hours=hours)
    guard = WorldGuard(world)
    for turn in range(48 // hours):
        decisions = planned(world, guard, first=1000 * turn)
        guard.record(decisions)
        world.step(decisions)
        local = world.known.window_share  # reading what a server knows changes nothing
        assert np.isfinite(local).all()
        taken = decisions.request.reasons[np.arange(decisions.n_rows), decisions.executed]
        assert not taken.any()
