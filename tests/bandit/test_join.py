from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.decide import Decisions, Mode
from bandit.errors import BadInputError, BadShapeError
from bandit.floor import NO_FLOOR
from bandit.join import Emission, Joiner, JoinState
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
    none = {"pending": 0, "rewarded": 0, "defaulted": 0, "late": 0, "dropped": 0}
    assert join.states() == none | {"pending": 2}
    assert join.states_of(pair.decision_id).tolist() == [JoinState.PENDING] * 2
    final(join, at_ms=T0 + 2 * DAY_MS)
    assert join.states() == none | {"rewarded": 1, "defaulted": 1}
    assert join.states_of(np.append(pair.decision_id, 123)).tolist() == [
        JoinState.REWARDED,
        JoinState.DEFAULTED,
        JoinState.UNKNOWN,
    ]


def test_what_counts_but_comes_too_late_shows_in_the_state_of_its_decision(
    pair: Decisions,
) -> None:
    """By id and by time, each outcome once; what would not have counted changes nothing."""
    join = Joiner(VALUES)
    join.add(pair)
    join.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    over = T0 + 2 * DAY_MS
    join.advance(over)
    heard = {"received_ms": np.array([over])}
    join.receive(behaviour(Kind.SESSION, 1, over, 2, **heard))
    join.receive(behaviour(Kind.UNSUBSCRIBED, 1, T0 + 5, 3, **heard))
    join.receive(behaviour(Kind.SESSION, 7, T0 + 5, 4, **heard))
    assert (join.counts.late, join.states()["late"]) == (0, 0)
    for n in (5, 6, 6):
        join.receive(behaviour(Kind.SESSION, 0, T0 + 6, n, **heard))
        join.receive(behaviour(Kind.CONVERTED, 1, T0 + 6, 10 + n, value=3.0, **heard))
    assert join.states_of(pair.decision_id).tolist() == [JoinState.LATE] * 2
    assert join.counts.late == 4
    assert join.states() == {"pending": 0, "rewarded": 0, "defaulted": 0, "late": 2, "dropped": 0}
    assert [f.n_rows for f in join.advance(over + HOUR_MS)] == [0, 0]


def test_a_correction_that_comes_too_late_is_late(pair: Decisions) -> None:
    """What was final changes no more, and says so."""
    join = Joiner(VALUES)
    join.add(pair)
    join.receive(behaviour(Kind.CONVERTED, 1, T0 + 5, 1, value=50.0))
    join.advance(T0 + 2 * DAY_MS)
    join.receive(correction(1, T0 + 2 * DAY_MS, 2, 20.0, 1))
    assert join.states_of(pair.decision_id).tolist() == [JoinState.DEFAULTED, JoinState.LATE]
    assert join.counts.late == 1


def test_what_does_not_fit_is_refused_and_changes_nothing(
    pair: Decisions, request_of: Requests, decisions_of: Decides
) -> None:
    """Contexts of another encoder, a state of another scheme."""
    join = Joiner(VALUES)
    join.add(pair)
    request = replace(request_of(n_rows=2), context=np.zeros((2, 7)))
    with pytest.raises(BadShapeError, match="context"):
        join.add(decisions_of(request, first=50))
    assert (join.counts.decisions, join.states()["pending"]) == (2, 2)
    with pytest.raises(BadShapeError, match="another scheme"):
        join.load(Joiner(UPLIFT).state())


def test_a_decision_told_again_is_one_decision(pair: Decisions) -> None:
    """Open, final or never evidence: repeated, not learned again; within one batch as well."""
    join = Joiner(VALUES)
    join.add(pair)
    join.add(pair)
    assert join.advance(T0 + 1)[0].n_rows == 2
    join.add(pair)
    assert [f.n_rows for f in join.advance(T0 + 2)] == [0, 0]
    final(join, at_ms=T0 + 2 * DAY_MS)
    join.add(pair)
    assert [f.n_rows for f in join.advance(T0 + 2 * DAY_MS + 1)] == [0, 0]
    assert (join.counts.decisions, join.counts.repeated) == (2, 6)
    twice = replace(pair, decision_id=np.full(2, 5 << 22))
    join.add(twice)
    assert (join.counts.decisions, join.counts.repeated) == (3, 7)
    held = replace(pair, decision_id=np.array([7, 8]), mode=np.full(2, Mode.HOLDOUT, np.uint8))
    join.add(held)
    join.add(held)
    assert join.states()["dropped"] == 2


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
    assert 0 < revised.maturity[clicked, 0][0] < 1
    last = final(join)
    assert (last.maturity == 1).all()


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


def test_what_was_saved_does_not_move_with_what_is_learned_later(pair: Decisions) -> None:
    """A state kept in memory while the join goes on is still the state of its moment."""
    join = Joiner(VALUES)
    join.add(pair)
    join.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    join.advance(T0 + HOUR_MS)
    saved = join.state()
    before = {name: array.copy() for name, array in saved.items()}
    join.receive(behaviour(Kind.CONVERTED, 1, T0 + 6, 2, value=7.0))
    join.receive(replace(behaviour(Kind.SESSION, 0, T0 + 5, 3, value=9.0), corrects=np.array([1])))
    join.advance(T0 + 2 * HOUR_MS)
    join.advance(T0 + 30 * DAY_MS)
    for name, array in before.items():
        np.testing.assert_array_equal(saved[name], array, err_msg=name)


def test_a_value_in_another_currency_is_refused_and_nothing_is_taken(pair: Decisions) -> None:
    """The batch may be sent again once it is mended; what came before stays."""
    join = Joiner(replace(VALUES, currency="EUR"))
    join.add(pair)
    one = behaviour(Kind.CONVERTED, 0, T0 + 5, 1, value=8.0)
    join.receive(replace(one, currency=np.array(["EUR"])))
    other = behaviour(Kind.CONVERTED, 0, T0 + 6, 2, value=9.0)
    before = join.state()
    with pytest.raises(BadInputError, match=r"values in EUR, .* got USD in row 0"):
        join.receive(replace(other, currency=np.array(["USD"])))
    after = join.state()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    join.receive(other)
    assert final(join).components[:, 0].tolist() == [17.0, 0.0]


def correction(user: int, at_ms: int, outcome_id: int, value: float, corrects: int) -> Outcomes:
    told = behaviour(Kind.CONVERTED, user, at_ms, outcome_id, value=value)
    return replace(told, corrects=np.array([corrects]))


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_latest_correction_stands_whatever_the_order(
    pair: Decisions, order: tuple[int, ...]
) -> None:
    """Also a correction of a correction: told apart, together, in any order and twice."""
    told = [
        behaviour(Kind.CONVERTED, 1, T0 + 5, 1, value=50.0),
        correction(1, T0 + 10, 2, 40.0, 1),
        correction(1, T0 + 20, 3, 30.0, 2),
        correction(1, T0 + 15, 4, 35.0, 1),
    ]
    join = Joiner(VALUES)
    join.add(pair)
    for n in (*order, order[0]):
        join.receive(told[n])
        join.advance(T0 + HOUR_MS)
    assert component(final(join), VALUES, "value") == [0.0, 30.0]
    assert (join.counts.corrections, join.counts.duplicates) == (3, 1)


def test_a_correction_of_nothing_known_is_nothing(pair: Decisions) -> None:
    """It waits for what it corrects, and is no outcome of its own."""
    join = Joiner(VALUES)
    join.add(pair)
    join.receive(correction(1, T0 + 5, 9, 40.0, 1234))
    assert component(final(join), VALUES, "value") == [0.0, 0.0]


def test_a_correction_revises_a_row_that_was_learned(pair: Decisions) -> None:
    """What was emitted at 50 comes again with 20 less a refund of 5."""
    join = Joiner(VALUES)
    join.add(pair)
    join.receive(behaviour(Kind.CONVERTED, 1, T0 + 5, 1, value=50.0))
    fresh, _ = join.advance(T0 + HOUR_MS)
    row = int(np.flatnonzero(fresh.user == 1)[0])
    assert fresh.components[row, 0] == pytest.approx(50.0, abs=1e-9)
    join.receive(correction(1, T0 + 9, 2, 20.0, 1))
    join.receive(behaviour(Kind.REFUNDED, 1, T0 + 10, 3, value=5.0))
    _, revised = join.advance(T0 + HOUR_MS + 1)
    row = int(np.flatnonzero(revised.user == 1)[0])
    assert revised.components[row, 0] == pytest.approx(15.0, abs=1e-9)


def test_a_response_to_a_closed_row_is_late_and_changes_nothing(pair: Decisions) -> None:
    """Counted once, however often it is told."""
    join = Joiner(ENGAGEMENT)
    join.add(pair)
    assert final(join, at_ms=T0 + 2 * DAY_MS).n_rows == 2
    click = response(pair, 1, Kind.CLICKED, int(pair.slot_start_ms[1]) + 1, 1)
    late = replace(click, received_ms=np.array([T0 + 2 * DAY_MS]))
    join.receive(late)
    join.receive(late)
    fresh, revised = join.advance(T0 + 2 * DAY_MS + 1)
    assert (fresh.n_rows, revised.n_rows) == (0, 0)
    assert (join.counts.late, join.counts.duplicates) == (1, 1)


def test_final_emission_says_each_row_once(pair: Decisions) -> None:
    """Nothing early, nothing again; at full maturity."""
    join = Joiner(ENGAGEMENT, emission=Emission.WHEN_FINAL)
    join.add(pair)
    for hours in range(1, 24):
        assert [f.n_rows for f in join.advance(T0 + hours * HOUR_MS)] == [0, 0]
    fresh, revised = join.advance(T0 + 5 * DAY_MS)
    assert (fresh.n_rows, revised.n_rows) == (2, 0)
    assert (fresh.maturity == 1).all()
    assert [f.n_rows for f in join.advance(T0 + 9 * DAY_MS)] == [0, 0]


def test_intervals_that_overlap_count_one_purchase_for_each(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Two decisions a day apart see the same purchase; another user's see none of it."""
    join = Joiner(VALUES)
    for day, user in ((0, [3, 4]), (1, [3])):
        at_ms = np.full(len(user), T0 + day * DAY_MS)
        join.add(decisions_of(request_of(user=np.array(user), at_ms=at_ms), first=10 * day))
    join.receive(behaviour(Kind.CONVERTED, 3, T0 + DAY_MS + HOUR_MS, 1, value=8.0))
    ended = final(join)
    assert sorted(zip(ended.user.tolist(), ended.components[:, 0].tolist(), strict=True)) == [
        (3, 8.0),
        (3, 8.0),
        (4, 0.0),
    ]


def test_a_young_row_is_worth_what_the_formula_says(pair: Decisions) -> None:
    """Recomputed from what was learned: rate, share of the age, Bayes; and its maturity."""
    join = Joiner(ENGAGEMENT)
    sends = np.ones(1000, np.bool_)
    join.delays.learn_rows(sends)
    join.delays.learn(0, np.full(300, 2 * HOUR_MS), np.ones(300), is_send=sends[:300])
    join.add(pair)
    now_ms = int(pair.slot_start_ms[1]) + 3 * HOUR_MS
    fresh, _ = join.advance(now_ms)
    sent = int(np.flatnonzero(fresh.is_send)[0])
    rate = 300 / 1020
    share = join.delays.share(0, np.array([3 * HOUR_MS]), is_send=sends[:1])[0]
    assert share > 0.9
    assert fresh.components[sent, 0] == pytest.approx(rate * (1 - share) / (1 - rate * share))
    assert fresh.maturity[sent, 0] == pytest.approx(share)


def test_a_state_without_decisions_is_a_state_too() -> None:
    """Outcomes alone, heard before any decision."""
    one, two = Joiner(VALUES), Joiner(VALUES)
    one.receive(behaviour(Kind.SESSION, 0, T0 + 5, 1))
    two.load(one.state())
    assert two.counts == one.counts
    assert two.advance(T0)[0].n_rows == 0


def test_an_answer_that_was_credited_is_never_called_dangling(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Planned for the last hour of the day, clicked at the end of its window, looked at hourly."""
    request = request_of(n_rows=1, n_items=1, n_slots=24)
    pmf = np.zeros(request.mask.shape)
    pmf[0, -1] = 1.0
    sent = decisions_of(request, pmf=pmf, floor=NO_FLOOR)
    clicked_ms = int(sent.slot_start_ms[0]) + DAY_MS - 1
    join = Joiner(ENGAGEMENT, emission=Emission.WHEN_FINAL)
    join.add(sent)
    clicks = 0.0
    for hour in range(24 * 8):
        if hour == 40:
            join.receive(response(sent, 0, Kind.CLICKED, clicked_ms, 1))
        clicks += join.advance(T0 + hour * HOUR_MS)[0].components[:, 0].sum()
    assert clicks == 1.0
    assert (join.counts.dangling, join.counts.late, join.counts.rewarded) == (0, 0, 1)


def test_what_others_buy_revises_nobody_else(pair: Decisions) -> None:
    """Sums are each user's own, to the last digit, beside purchases a billion times as large."""
    join = Joiner(VALUES)
    join.add(pair)
    for n in range(7):
        join.receive(behaviour(Kind.CONVERTED, 1, T0 + n, n, value=0.1))
    join.advance(T0 + HOUR_MS)
    join.receive(behaviour(Kind.CONVERTED, 0, T0 + 3, 99, value=1e9 / 3))
    _, revised = join.advance(T0 + HOUR_MS + 1)
    assert revised.user.tolist() == [0]
    ended = final(join)
    assert component(ended, VALUES, "value") == [1e9 / 3, float(np.cumsum(np.full(7, 0.1))[-1])]
