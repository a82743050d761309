from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.decide import Decisions, Mode
from bandit.delays import DelayModel, expected_any, expected_sum
from bandit.floor import NO_FLOOR
from bandit.join import Emission, Joiner
from bandit.outcomes import (
    ENGAGEMENT,
    UPLIFT,
    Component,
    Feedback,
    Kind,
    Outcomes,
    RewardScheme,
    outcomes_of,
)
from bandit.slots import DAY_MS, HOUR_MS

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]

T0 = 1_767_254_400_000
VALUES = RewardScheme(
    name="values",
    objective="uplift",
    components=(
        Component(
            name="value",
            kinds=(Kind.CONVERTED,),
            measure="value",
            weight=1.0,
            subtracts=(Kind.REFUNDED,),
        ),
        Component(name="sessions", kinds=(Kind.SESSION,), measure="count", weight=0.1),
    ),
)


@pytest.fixture
def pair(request_of: Requests, decisions_of: Decides) -> Decisions:
    """User 0 holds, user 1 is sent item 0 at the second slot."""
    request = request_of(n_rows=2)
    pmf = np.zeros(request.mask.shape)
    pmf[0, 0], pmf[1, 2] = 1.0, 1.0
    return decisions_of(request, pmf=pmf, floor=NO_FLOOR)


def final(join: Joiner, *, at_ms: int = T0 + 30 * DAY_MS) -> Feedback:
    """Every row as it ends, whether learned at once or revised."""
    fresh, revised = join.advance(at_ms)
    assert fresh.n_rows == 0 or revised.n_rows == 0
    return fresh if fresh.n_rows else revised


def behaviour(kind: Kind, user: int, at_ms: int, outcome_id: int, **more: Any) -> Outcomes:
    return outcomes_of(
        kind, np.array([outcome_id]), user=np.array([user]), at_ms=np.array([at_ms]), **more
    )


def response(decisions: Decisions, row: int, kind: Kind, at_ms: int, outcome_id: int) -> Outcomes:
    return outcomes_of(
        kind,
        np.array([outcome_id]),
        user=decisions.request.user[[row]],
        at_ms=np.array([at_ms]),
        decision_id=decisions.decision_id[[row]],
    )


def component(feedback: Feedback, scheme: RewardScheme, name: str) -> list[float]:
    names = [c.name for c in scheme.components]
    order = np.argsort(feedback.user, kind="stable")
    return feedback.components[order, names.index(name)].tolist()


def test_behaviour_is_credited_by_time_to_hold_and_send_alike(pair: Decisions) -> None:
    """The same interval for every action: [t, t + horizon + window)."""
    join = Joiner(UPLIFT)
    join.add(pair)
    for user in (0, 1):
        for n, after in enumerate((-1, 0, 2 * DAY_MS - 1, 2 * DAY_MS)):
            join.receive(behaviour(Kind.CONVERTED, user, T0 + after, 10 * user + n))
    assert component(final(join), UPLIFT, "conversion") == [2.0, 2.0]


def test_a_response_belongs_to_its_decision_within_its_window(pair: Decisions) -> None:
    """From the planned slot where nothing was delivered, from delivery otherwise."""
    planned_ms = int(pair.slot_start_ms[1])
    for delivered_ms, clicked_ms, counts in (
        (None, planned_ms, 1.0),
        (None, planned_ms + DAY_MS - 1, 1.0),
        (None, planned_ms + DAY_MS, 0.0),
        (planned_ms + HOUR_MS, planned_ms + DAY_MS, 1.0),
        (planned_ms + HOUR_MS, planned_ms + HOUR_MS - 1, 0.0),
    ):
        join = Joiner(ENGAGEMENT)
        join.add(pair)
        if delivered_ms is not None:
            join.receive(response(pair, 1, Kind.DELIVERED, delivered_ms, 1))
        join.receive(response(pair, 1, Kind.CLICKED, clicked_ms, 2))
        assert component(final(join), ENGAGEMENT, "click") == [0.0, counts]


def test_a_response_without_a_known_decision_is_nobodys(pair: Decisions) -> None:
    """Counted as dangling in the end, credited to no one."""
    join = Joiner(ENGAGEMENT)
    join.add(pair)
    stray = response(pair, 1, Kind.CLICKED, T0 + HOUR_MS, 1)
    join.receive(replace(stray, decision_id=np.array([123])))
    assert component(final(join), ENGAGEMENT, "click") == [0.0, 0.0]
    join.advance(T0 + 90 * DAY_MS)
    assert join.counts.dangling == 1


def test_values_add_up_net_of_refunds_and_corrections(pair: Decisions) -> None:
    """A refund subtracts; a correction replaces what it names, also when it comes first."""
    join = Joiner(VALUES)
    join.add(pair)
    fix = behaviour(Kind.CONVERTED, 1, T0 + 5, 8, value=12.0)
    join.receive(replace(fix, corrects=np.array([2])))
    join.receive(behaviour(Kind.CONVERTED, 0, T0 + 5, 1, value=30.0))
    join.receive(behaviour(Kind.CONVERTED, 1, T0 + 5, 2, value=50.0))
    join.receive(behaviour(Kind.REFUNDED, 0, T0 + 9, 3, value=10.0))
    assert component(final(join), VALUES, "value") == [20.0, 12.0]
    assert join.counts.corrections == 1


def test_the_same_outcome_twice_is_one(pair: Decisions) -> None:
    """By its id, whether together or apart."""
    join = Joiner(VALUES)
    join.add(pair)
    once = behaviour(Kind.SESSION, 0, T0 + 5, 1)
    for _ in range(3):
        join.receive(once)
    assert component(final(join), VALUES, "sessions") == [1.0, 0.0]
    assert join.counts.duplicates == 2


def test_an_outcome_may_come_before_its_decision(pair: Decisions) -> None:
    """Delivery of records is not in order."""
    join = Joiner(ENGAGEMENT)
    join.receive(response(pair, 1, Kind.CLICKED, int(pair.slot_start_ms[1]) + 1, 1))
    join.advance(T0)
    join.add(pair)
    assert component(final(join), ENGAGEMENT, "click") == [0.0, 1.0]


def test_a_decision_shows_its_state(pair: Decisions) -> None:
    """Pending until its windows are over, then rewarded or defaulted."""
    join = Joiner(VALUES, emission=Emission.WHEN_FINAL)
    join.add(pair)
    join.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    join.advance(T0 + HOUR_MS)
    assert join.states() == {"pending": 2, "rewarded": 0, "defaulted": 0, "dropped": 0}
    final(join)
    assert join.states() == {"pending": 0, "rewarded": 1, "defaulted": 1, "dropped": 0}


@pytest.mark.parametrize("mode", [Mode.HOLDOUT, Mode.SHADOW])
def test_holdout_and_shadow_rows_are_no_evidence(
    request_of: Requests, decisions_of: Decides, mode: Mode
) -> None:
    """Never credited, never learned."""
    join = Joiner(VALUES)
    join.add(decisions_of(request_of(n_rows=3), mode=np.full(3, mode, np.uint8)))
    join.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    assert final(join).n_rows == 0
    assert join.states()["dropped"] == 3


def test_a_young_row_enters_with_its_expected_value_and_is_revised(pair: Decisions) -> None:
    """Fresh once, then revised; whole maturity at the end."""
    join = Joiner(ENGAGEMENT)
    join.add(pair)
    fresh, revised = join.advance(T0 + 1)
    assert (fresh.n_rows, revised.n_rows) == (2, 0)
    assert (fresh.maturity[:, 0] < 1).all()
    join.receive(response(pair, 1, Kind.CLICKED, int(pair.slot_start_ms[1]) + 1, 1))
    fresh, revised = join.advance(int(pair.slot_start_ms[1]) + HOUR_MS)
    assert fresh.n_rows == 0
    clicked = revised.decision_id == pair.decision_id[1]
    assert revised.components[clicked, 0].tolist() == [1.0]
    assert revised.maturity[clicked, 0].tolist() == [1.0]
    last = final(join)
    assert (last.maturity == 1).all()


def test_the_expected_value_is_bayes_rule() -> None:
    """p̂(1 − F)/(1 − p̂F) where unseen, 1 where seen; seen + μ̂(1 − F) for what is counted."""
    share, rate = np.array([0.0, 0.25, 1.0]), np.array([0.2, 0.2, 0.2])
    unseen = expected_any(np.zeros(3), share, rate)
    np.testing.assert_allclose(unseen, [0.2, 0.15 / 0.95, 0.0])
    np.testing.assert_array_equal(expected_any(np.ones(3), share, rate), 1.0)
    np.testing.assert_allclose(
        expected_sum(np.array([2.0]), np.array([0.25]), np.array([4.0])), 5.0
    )


def test_the_share_that_has_arrived_is_learned() -> None:
    """Exponential delays of two hours: F as computed, monotone, 1 at the last age."""
    rng = np.random.default_rng(1)
    model = DelayModel(np.array([float(DAY_MS)]))
    ages = rng.exponential(2 * HOUR_MS, 20_000)
    ages = ages[ages < DAY_MS]
    model.learn_ages(0, ages.astype(np.int64), np.ones(len(ages)))
    at = np.array([0, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS, DAY_MS])
    share = model.share(0, at)
    assert (np.diff(share) > 0).all()
    assert share[-1] == 1.0
    np.testing.assert_allclose(share[1:4], 1 - np.exp(-at[1:4] / (2 * HOUR_MS)), atol=0.02)


def test_expected_values_are_right_on_average(request_of: Requests, decisions_of: Decides) -> None:
    """Calibrated: once delays are learned, young rows sum to what they end with."""
    rng = np.random.default_rng(2)
    join = Joiner(ENGAGEMENT)
    gap = 0.0
    for day in range(40):
        at_ms = np.full(400, T0 + day * 3 * DAY_MS)
        request = request_of(user=np.arange(400), at_ms=at_ms)
        pmf = np.zeros(request.mask.shape)
        pmf[:, 1] = 1.0
        sent = decisions_of(request, pmf=pmf, floor=NO_FLOOR, first=400 * day)
        clicks = np.flatnonzero(rng.random(400) < 0.3)
        when = at_ms[clicks] + rng.exponential(2 * HOUR_MS, len(clicks)).astype(np.int64)
        heard = outcomes_of(
            Kind.CLICKED,
            10_000 * day + clicks,
            user=clicks,
            at_ms=when,
            decision_id=sent.decision_id[clicks],
        )
        join.add(sent)
        early = when < at_ms[0] + HOUR_MS
        columns = Outcomes.__slots__
        join.receive(Outcomes(**{name: getattr(heard, name)[early] for name in columns}))
        fresh, _ = join.advance(int(at_ms[0]) + HOUR_MS)
        join.receive(Outcomes(**{name: getattr(heard, name)[~early] for name in columns}))
        _, revised = join.advance(int(at_ms[0]) + 2 * DAY_MS)
        if day >= 10:
            gap += fresh.components[:, 0].sum() - revised.components[:, 0].sum()
    assert abs(gap) < 4 * np.sqrt(30 * 400 * 0.3 * 0.7)


def test_a_state_saved_half_way_goes_on_bit_by_bit(pair: Decisions) -> None:
    """Open rows, heard outcomes, learned delays and counts."""
    one = Joiner(VALUES)
    one.add(pair)
    one.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    one.advance(T0 + HOUR_MS)
    two = Joiner(VALUES)
    two.load(one.state())
    for join in (one, two):
        join.receive(behaviour(Kind.CONVERTED, 1, T0 + 2 * HOUR_MS, 2, value=7.0))
    for at_ms in (T0 + 3 * HOUR_MS, T0 + 30 * DAY_MS):
        for a, b in zip(one.advance(at_ms), two.advance(at_ms), strict=True):
            np.testing.assert_array_equal(a.components, b.components)
            np.testing.assert_array_equal(a.maturity, b.maturity)
            np.testing.assert_array_equal(a.decision_id, b.decision_id)
    assert one.counts == two.counts


def test_a_grace_keeps_a_row_open_for_what_is_on_its_way(pair: Decisions) -> None:
    """The window is over, the record of it still travels."""
    join = Joiner(VALUES, emission=Emission.WHEN_FINAL, grace_ms=HOUR_MS)
    join.add(pair)
    over = T0 + 2 * DAY_MS
    assert join.advance(over)[0].n_rows == 0
    join.receive(behaviour(Kind.SESSION, 0, over - 1, 1, received_ms=np.array([over + 10])))
    assert component(join.advance(over + HOUR_MS)[0], VALUES, "sessions") == [1.0, 0.0]
