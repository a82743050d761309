from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.events import Histories
from encoders.tabular import TabularParameters, TabularRecencyEncoder

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000  # midnight UTC
UNTIL_MS = START_MS + 100 * DAY_MS

Make = Callable[..., Histories]


def even() -> TabularParameters:
    """A population without habits: three items, 5 : 3 : 2, one event every 50 hours."""
    return TabularParameters(
        from_ms=START_MS,
        popularity=np.array([0.5, 0.3, 0.2]),
        hour=np.full(24, 1 / 24),
        weekday=np.full(7, 1 / 7),
        rate_per_h=0.02,
        recency_factor=np.ones(9),
    )


def regulars(make_histories: Make, n_users: int = 30) -> Histories:
    """Even users come at 9 h for item 0, odd ones at 21 h for item 1; every second day."""
    rows = []
    for user in range(n_users):
        hour = 21 if user % 2 else 9
        rows += [(user, START_MS + d * DAY_MS + hour * HOUR_MS, user % 2) for d in range(0, 100, 2)]
    return make_histories(rows, n_users)


def fitted(histories: Histories, until_ms: int = UNTIL_MS) -> TabularRecencyEncoder:
    return TabularRecencyEncoder.fit(histories, zone="UTC", until_ms=until_ms, n_items=3, key=1)


def test_a_new_user_gets_the_population(make_histories: Make) -> None:
    encoder = TabularRecencyEncoder(even(), zone="UTC")
    nobody = make_histories([(1, START_MS, 0)], 2)
    at = np.array([[START_MS], [START_MS]])
    np.testing.assert_allclose(
        np.exp(encoder.item_scores(nobody, at)[0, 0]), [0.5, 0.3, 0.2], atol=1e-12
    )
    slots = at[:, :, None] + np.array([0, 10]) * HOUR_MS
    chance = encoder.slot_probabilities(
        nobody, at, start_ms=slots, end_ms=slots + np.array([10, 14]) * HOUR_MS
    )
    np.testing.assert_allclose(chance[0, 0], -np.expm1([-0.2, -0.28]), atol=1e-12)


def test_shrinking_by_hand(make_histories: Make) -> None:
    """One purchase a half-life old beside 20 pseudo-counts: (.5 + 20 × .2) / 20.5."""
    encoder = TabularRecencyEncoder(even(), zone="UTC")
    histories = make_histories([(0, START_MS, 2)], 1)
    scores = encoder.item_scores(histories, np.array([[START_MS + 90 * DAY_MS]]))[0, 0]
    np.testing.assert_allclose(np.exp(scores), [10 / 20.5, 6 / 20.5, 4.5 / 20.5], rtol=1e-9)


def test_the_clock_and_the_items_of_each_user_are_their_own(make_histories: Make) -> None:
    histories = regulars(make_histories)
    encoder = fitted(histories)
    at = np.full((30, 1), UNTIL_MS)
    start = at[:, :, None] + np.array([8, 20]) * HOUR_MS
    chance = encoder.slot_probabilities(histories, at, start_ms=start, end_ms=start + 4 * HOUR_MS)
    assert (chance[::2, 0, 0] > 3 * chance[::2, 0, 1]).all()
    assert (chance[1::2, 0, 1] > 3 * chance[1::2, 0, 0]).all()
    favourite = encoder.item_scores(histories, at)[:, 0].argmax(axis=1)
    assert favourite.tolist() == [0, 1] * 15


def test_nothing_after_the_training_range_is_read(make_histories: Make) -> None:
    histories = regulars(make_histories)
    until_ms = START_MS + 60 * DAY_MS
    late = histories.events.at_ms >= until_ms
    events = replace(histories.events, item=np.where(late, 2, histories.events.item))
    other = replace(histories, events=events)
    assert fitted(histories, until_ms).encoder_id == fitted(other, until_ms).encoder_id


def test_a_slot_that_begins_before_the_question_counts_from_the_question(
    make_histories: Make,
) -> None:
    encoder = TabularRecencyEncoder(even(), zone="UTC")
    nobody = make_histories([], 1)
    at = np.array([[START_MS + 5 * HOUR_MS]])
    start = at[:, :, None] + np.array([-3, 0]) * HOUR_MS
    end = np.broadcast_to(at[:, :, None] + 2 * HOUR_MS, start.shape)
    chance = encoder.slot_probabilities(nobody, at, start_ms=start, end_ms=end)[0, 0]
    assert chance[0] == pytest.approx(chance[1], abs=1e-12)


def test_the_rate_is_scaled_by_the_time_since_the_last_event(make_histories: Make) -> None:
    """3 h ago is the first of eight bins, 40 days the last; who never came has a ninth."""
    factor = np.arange(1.0, 10.0)
    plain = TabularRecencyEncoder(even(), zone="UTC")
    scaled = TabularRecencyEncoder(replace(even(), recency_factor=factor), zone="UTC")
    now = START_MS + 50 * DAY_MS
    histories = make_histories([(0, now - 3 * HOUR_MS, 0), (1, now - 40 * DAY_MS, 0)], 3)
    at = np.full((3, 1), now)
    slots = {"start_ms": at[:, :, None], "end_ms": at[:, :, None] + 4 * HOUR_MS}
    mine, theirs = (
        np.log1p(-encoder.slot_probabilities(histories, at, **slots))[:, 0, 0]
        for encoder in (scaled, plain)
    )
    np.testing.assert_allclose(mine / theirs, [1, 8, 9], rtol=1e-9)


def test_the_rate_by_hand(make_histories: Make) -> None:
    """Two prior events in their 100 h beside one event a half-life ago in faded exposure."""
    encoder = TabularRecencyEncoder(even(), zone="UTC")
    histories = make_histories([(0, START_MS, 0)], 1)
    at = np.array([[START_MS + 120 * DAY_MS]])
    exposed_h = 120 * 24 / np.log(2) * (1 - 0.5)
    rate_per_h = (0.5 + 2) / (exposed_h + 2 / 0.02)
    slots = {"start_ms": at[:, :, None], "end_ms": at[:, :, None] + 24 * HOUR_MS}
    vector = encoder.encode(histories, at)[0, 0]
    assert vector[2] == pytest.approx(np.log(rate_per_h / 0.02), rel=1e-9)
    chance = encoder.slot_probabilities(histories, at, **slots)[0, 0, 0]
    # One day of a clock that has seen one event: 24 h, and a weekday a little off the mean.
    assert chance == pytest.approx(-np.expm1(-rate_per_h * 24), rel=0.1)


def test_a_slot_is_cut_at_full_local_hours(make_histories: Make) -> None:
    """21:30 to 23:15 for one who comes at 22 h only: that hour and the shrunk rest, by hand."""
    share = np.full(24, 0.02)
    share[22] = 1 - 23 * 0.02
    encoder = TabularRecencyEncoder(replace(even(), hour=share), zone="UTC")
    nobody = make_histories([], 1)
    at = np.array([[START_MS]])
    start = at[:, :, None] + 43 * HOUR_MS // 2
    for zone, shift_h in (("UTC", 0.0), ("Asia/Kolkata", 5.5)):
        local = TabularRecencyEncoder(encoder.parameters, zone=zone)
        begin = start - int(shift_h * HOUR_MS)
        chance = local.slot_probabilities(
            nobody, at - DAY_MS, start_ms=begin, end_ms=begin + 7 * HOUR_MS // 4
        )[0, 0, 0]
        clock_h = 24 * (0.5 * 0.02 + share[22] + 0.25 * 0.02)
        assert chance == pytest.approx(-np.expm1(-0.02 * clock_h), rel=1e-12)


def test_a_day_of_twenty_three_hours_is_as_long_as_it_is(make_histories: Make) -> None:
    """9 March 2025 in New York has no 2 h; and Lord Howe turns its clock by half an hour."""
    nobody = make_histories([], 1)
    for zone, midnight_ms, hours in (
        ("America/New_York", 1_741_496_400_000, 23.0),
        ("Australia/Lord_Howe", 1_743_858_000_000, 24.5),
    ):
        at = np.array([[midnight_ms]])
        end = at[:, :, None] + int(hours * HOUR_MS)
        encoder = TabularRecencyEncoder(replace(even(), from_ms=midnight_ms), zone=zone)
        chance = encoder.slot_probabilities(nobody, at, start_ms=at[:, :, None], end_ms=end)
        assert chance[0, 0, 0] == pytest.approx(-np.expm1(-0.02 * hours), rel=1e-12)


def test_one_instant_teaches_no_half_life(make_histories: Make) -> None:
    """Without later baskets to try them on, the stated half-life and prior stay."""
    histories = make_histories([(0, START_MS, 1)], 1)
    found = fitted(histories, START_MS + 10 * DAY_MS).parameters
    assert (found.item_half_life_d, found.item_prior) == (90.0, 20.0)


def test_training_on_nothing_says_so(make_histories: Make) -> None:
    with pytest.raises(BadInputError, match="got none"):
        fitted(make_histories([(0, UNTIL_MS, 1)], 1))


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInputError, match="IANA"):
        TabularRecencyEncoder(even(), zone="Mars/Olympus")


def test_slots_of_another_shape_are_refused(make_histories: Make) -> None:
    encoder = TabularRecencyEncoder(even(), zone="UTC")
    nobody = make_histories([], 1)
    with pytest.raises(BadInputError, match="end_ms"):
        encoder.slot_probabilities(
            nobody,
            np.array([[START_MS]]),
            start_ms=np.zeros((1, 1, 2), np.int64),
            end_ms=np.zeros((1, 1, 3), np.int64),
        )
