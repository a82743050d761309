"""Count policies by hand: rates, shrinkage, forgetting and the send rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import Component, Kind, RewardScheme
from bandit.slots import HOUR_MS
from policies.baselines.behaviour_counts import BehaviourCounts, CountParams
from policies.baselines.best_hour import BestHourRanker
from policies.baselines.count_policy import CountPolicy
from policies.baselines.counts import Counts
from policies.baselines.popular import PopularItemHour
from policies.shape import PolicyShape

RequestOf = Callable[..., Request]
_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=3, n_items=2, n_slots=2
)
_COSTLY = RewardScheme(
    name="hits less cost",
    objective="uplift",
    components=(
        Component(name="message", kinds=(), measure="send", weight=-0.1),
        Component(name="hit", kinds=(Kind.CONVERTED,), measure="count", weight=1.0),
    ),
)


def _observe(counts: BehaviourCounts, items: list[list[int]], slots: list[list[int]]) -> None:
    """Take one period of (user, item) and (user, slot) pairs."""
    item, slot = np.array(items, np.int64).reshape(-1, 2), np.array(slots, np.int64).reshape(-1, 2)
    counts.observe(item_user=item[:, 0], item=item[:, 1], slot_user=slot[:, 0], slot=slot[:, 1])


def _four_periods(counts: BehaviourCounts) -> None:
    """User 0 buys item 0 in slot 0 every day, user 1 item 1 in slot 1 on the last; 2 nothing."""
    for _ in range(3):
        _observe(counts, [[0, 0]], [[0, 0]])
    _observe(counts, [[0, 0], [1, 1]], [[0, 0], [1, 1]])


def test_rates_by_hand() -> None:
    """κ = 2 and 4; population: items 4/5 and 1/5 of active periods, slots 4/12 and 1/12."""
    counts = BehaviourCounts(3, 2, 2, CountParams(shrink_item=2.0, shrink_slot=4.0))
    _four_periods(counts)
    users = np.arange(3)
    np.testing.assert_allclose(
        counts.item_rates(users),
        [[(4 + 1.6) / 6, 0.4 / 6], [1.6 / 3, (1 + 0.4) / 3], [0.8, 0.2]],
    )
    np.testing.assert_allclose(
        counts.slot_rates(users),
        [[(4 + 4 / 3) / 8, (1 / 3) / 8], [(4 / 3) / 8, (1 + 1 / 3) / 8], [1 / 6, 1 / 24]],
    )


def test_counts_fade_by_their_half_life() -> None:
    """Half-life 1: a count of each of four periods weighs 1/8 + 1/4 + 1/2 + 1."""
    counts = BehaviourCounts(3, 2, 2, CountParams(half_life=1.0))
    _four_periods(counts)
    assert counts.by_item[0, 0] == pytest.approx(1.875)
    assert counts.periods == pytest.approx(1.875)
    assert counts.active[1] == pytest.approx(1.0)


def test_frozen_static_counts_ignore_what_comes_later_and_others_do_not() -> None:
    static, updated = (
        BehaviourCounts(3, 2, 2, CountParams(is_static=is_static)) for is_static in (True, False)
    )
    for counts in (static, updated):
        _four_periods(counts)
        counts.freeze()
        _observe(counts, [[2, 1]], [[2, 1]])
    assert static.by_item[2, 1] == 0.0
    assert updated.by_item[2, 1] == 1.0


def test_an_empty_period_counts_as_a_period() -> None:
    counts = BehaviourCounts(3, 2, 2, CountParams())
    _observe(counts, [], [])
    assert counts.periods == 1.0
    assert counts.by_item.sum() == 0.0


def test_nothing_observed_gives_rates_of_zero() -> None:
    counts = BehaviourCounts(3, 2, 2, CountParams())
    np.testing.assert_array_equal(counts.item_rates(np.arange(3)), 0.0)
    np.testing.assert_array_equal(counts.slot_rates(np.arange(3)), 0.0)


def _asked(request_of: RequestOf, **changes: object) -> Request:
    """Every user once, items in the order 1, 0."""
    made = request_of(_SHAPE, 3)
    order = np.tile([1, 0], (3, 1))
    return replace(made, user=np.arange(3), items=order, **changes)  # type: ignore[arg-type]


def test_personal_counts_choose_each_users_own_item_and_slot(request_of: RequestOf) -> None:
    """User 0: item 0 is second on the list, slot 0: action 3. User 1: item 1, slot 1: action 2."""
    policy = Counts(_SHAPE, _COSTLY, params=CountParams(shrink_item=0.1, shrink_slot=0.1))
    _four_periods(policy.counts)
    pmf = policy.pmf(_asked(request_of), key=0)
    np.testing.assert_array_equal(pmf[0], [0, 0, 0, 1, 0])
    np.testing.assert_array_equal(pmf[1], [0, 0, 1, 0, 0])


def test_a_send_worth_less_than_its_cost_is_held_unless_it_always_sends(
    request_of: RequestOf,
) -> None:
    """User 2 has bought nothing: the population's .8 · 1/3 is worth a cost of .1, not of .9."""
    asked = _asked(request_of)
    cost, hit = _COSTLY.components
    dear = replace(_COSTLY, components=(replace(cost, weight=-0.9), hit))
    for scheme, always, held in (
        (_COSTLY, False, 0.0),
        (dear, False, 1.0),
        (dear, True, 0.0),
    ):
        policy = Counts(_SHAPE, scheme, params=CountParams(shrink_slot=1e9), always_sends=always)
        _four_periods(policy.counts)
        assert policy.pmf(asked, key=0)[2, 0] == held


def test_one_that_always_sends_holds_where_it_must(request_of: RequestOf) -> None:
    mask = np.ones((3, 5), np.bool_)
    mask[1, 1:] = False
    policy = Counts(_SHAPE, _COSTLY, always_sends=True)
    _four_periods(policy.counts)
    reasons = np.where(mask, 0, 1).astype(np.uint16)
    pmf = policy.pmf(_asked(request_of, reasons=reasons), key=0)
    np.testing.assert_array_equal(pmf[:, 0], [0.0, 1.0, 0.0])


def test_popular_sends_everyone_the_same(request_of: RequestOf) -> None:
    """Item 0 at slot 0 is the population's best: action 3 of this list."""
    policy = PopularItemHour(_SHAPE, _COSTLY)
    _four_periods(policy.counts)
    np.testing.assert_array_equal(policy.pmf(_asked(request_of), key=0).argmax(axis=1), [3, 3, 3])


def test_best_hour_fixes_the_slot_first(request_of: RequestOf) -> None:
    """User 0's own slot 0, and after one active period user 1's own slot 1 or the population's."""
    for least, expected in ((1.0, [3, 2, 3]), (4.0, [3, 1, 3])):
        policy = BestHourRanker(
            _SHAPE,
            _COSTLY,
            params=CountParams(shrink_item=0.1, shrink_slot=5.0),
            always_sends=True,
            least_active=least,
        )
        _four_periods(policy.counts)
        pmf = policy.pmf(_asked(request_of), key=0)
        np.testing.assert_array_equal(pmf.argmax(axis=1), expected)


def test_best_hour_takes_the_best_open_slot(request_of: RequestOf) -> None:
    """With slot 0 masked, user 0 is sent item 0 at slot 1: action 4."""
    policy = BestHourRanker(_SHAPE, _COSTLY, always_sends=True)
    _four_periods(policy.counts)
    reasons = np.zeros((3, 5), np.uint16)
    reasons[:, [1, 3]] = 8
    pmf = policy.pmf(_asked(request_of, reasons=reasons), key=0)
    np.testing.assert_array_equal(pmf[0], [0, 0, 0, 0, 1])


@pytest.mark.parametrize("policy_class", [Counts, PopularItemHour, BestHourRanker])
def test_codes_out_of_range_are_refused(
    policy_class: type[CountPolicy], request_of: RequestOf
) -> None:
    policy = policy_class(_SHAPE, _COSTLY)
    with pytest.raises(BadInputError, match=r"expected user codes in \[0, 3\), got 0 to 7"):
        policy.pmf(replace(_asked(request_of), user=np.array([0, 7, 1])), key=0)
    with pytest.raises(BadInputError, match=r"expected item ids in \[0, 2\), got -1 to 0"):
        policy.pmf(replace(_asked(request_of), items=np.array([[0, -1]] * 3)), key=0)


def test_a_state_of_other_users_is_refused() -> None:
    counts, other = (BehaviourCounts(n, 2, 2, CountParams()) for n in (3, 4))
    with pytest.raises(BadShapeError, match=r"saved by_item of shape \(3, 2\), got \(4, 2\)"):
        counts.load(other.state())
    with pytest.raises(BadInputError, match=r"got none called \['active'\]"):
        counts.load({name: array for name, array in counts.state().items() if name != "active"})


def test_behaviour_out_of_range_is_refused_and_changes_nothing() -> None:
    """A user code of −1 would count for the last user."""
    counts = BehaviourCounts(3, 2, 2, CountParams(half_life=1.0))
    _four_periods(counts)
    before = counts.state()
    for items, slots, message in (
        ([[-1, 0]], [[0, 0]], r"expected user codes in \[0, 3\), got -1 to -1"),
        ([[0, 5]], [[0, 0]], r"expected item codes in \[0, 2\), got 5 to 5"),
        ([[0, 0]], [[0, 0], [1, 2]], r"expected slot codes in \[0, 2\), got 0 to 2"),
    ):
        with pytest.raises(BadInputError, match=message):
            _observe(counts, items, slots)
    with pytest.raises(BadShapeError, match="expected a user for each item"):
        counts.observe(
            item_user=np.arange(2), item=np.arange(1), slot_user=np.arange(1), slot=np.arange(1)
        )
    for name, array in counts.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_a_pair_counts_once_a_period_and_its_user_was_active() -> None:
    """Named twice, and a purchase of user 1 whose slot nobody knows: rates stay rates."""
    counts = BehaviourCounts(3, 2, 2, CountParams())
    _observe(counts, [[0, 0], [0, 0], [1, 1]], [[0, 1], [0, 1]])
    np.testing.assert_array_equal(counts.by_item, [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(counts.by_slot, [[0, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(counts.active, [1, 1, 0])
    np.testing.assert_allclose(counts.population()[0], [0.5, 0.5])


def test_the_populations_rate_is_one_of_those_active_however_few_they_are() -> None:
    """One purchase by one active user, two quiet periods at half-life 1: still 1 in 1."""
    counts = BehaviourCounts(3, 2, 2, CountParams(half_life=1.0))
    _observe(counts, [[0, 0]], [[0, 0]])
    for _ in range(2):
        _observe(counts, [], [])
    items, slots = counts.population()
    np.testing.assert_allclose(items, [1.0, 0.0])
    np.testing.assert_allclose(slots, [0.25 / (1.75 * 3), 0.0])


def test_a_scheme_of_costs_alone_cannot_be_ranked_by_rates(request_of: RequestOf) -> None:
    costs = replace(_COSTLY, components=_COSTLY.components[:1])
    with pytest.raises(BadInputError, match="got costs of sending only"):
        Counts(_SHAPE, costs).pmf(_asked(request_of), key=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"shrink_item": 0.0},
        {"shrink_slot": -1.0},
        {"half_life": 0.0},
        {"shrink_slot": np.nan},
        {"half_life": np.nan},
    ],
)
def test_impossible_parameters_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected shrinkage and half-life above 0"):
        CountParams(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("policy_class", [Counts, PopularItemHour, BestHourRanker])
def test_by_hour_everybody_is_sent_at_the_hour_of_their_own_clock(
    policy_class: type[CountPolicy], request_of: RequestOf
) -> None:
    """All come at eight in the evening; a grid of 24 hours from 00:00 UTC has it in two places.

    New York (UTC−5 in winter): 01:00 UTC, place 1. London: place 20. No zone known: UTC, place 20.
    """
    shape = replace(_SHAPE, n_slots=24)
    policy = policy_class(shape, _COSTLY, params=CountParams(by_hour=True), always_sends=True)
    for _ in range(5):
        _observe(policy.counts, [[0, 0], [1, 0], [2, 0]], [[0, 20], [1, 20], [2, 20]])
    made = request_of(shape, 3)
    start = 1_704_067_200_000 + np.arange(24) * HOUR_MS + np.zeros((3, 1), np.int64)
    asked = replace(
        made,
        user=np.arange(3),
        zone=np.array(["America/New_York", "Europe/London", ""]),
        items=np.tile([0, 1], (3, 1)),
        grid=replace(made.grid, start_ms=start, end_ms=start + HOUR_MS),
    )
    np.testing.assert_array_equal(policy.pmf(asked, 0).argmax(axis=1) - 1, [1, 20, 20])
