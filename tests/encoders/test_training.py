"""Training: what it may touch, that it repeats, and that time and order reach the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bandit.errors import BadInputError, ForeignFileError
from bandit.events import Histories
from encoders.artefact import load_encoder, save_encoder
from encoders.config import EncoderConfig, TrainingConfig
from encoders.encoder import TwoStreamEncoder
from encoders.targets import activity_after, event_questions, gap_questions
from encoders.tokens import tokens_of
from encoders.training import train

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000  # midnight UTC

Make = Callable[..., Histories]

SMALL: dict[str, Any] = {"width": 16, "window": 8, "context_width": 8, "n_leading": 4}


def quick(**settings: Any) -> TrainingConfig:
    fast: dict[str, Any] = {"epochs": 2, "warmup_steps": 5, "batch_tokens": 1024}
    fast["batches_a_step"] = 1
    return TrainingConfig(**(fast | settings))


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_nothing_after_the_training_range_is_touched(random_histories: Make) -> None:
    """O20: events at or after until_ms replaced by others, the same weights bit by bit."""
    histories = random_histories([30, 12, 25, 1], seed=3)
    until_ms = int(np.quantile(histories.events.at_ms, 0.6))
    late = histories.events.at_ms >= until_ms
    assert late.any()
    events = histories.events
    other = replace(
        histories,
        events=replace(
            events,
            item=np.where(late, 6 - events.item, events.item),
            amount=np.where(late, 1e6, events.amount),
            at_ms=events.at_ms + np.where(late, 12345, 0),
        ),
    )
    ids = {
        train(
            given,
            zone="UTC",
            until_ms=until_ms,
            config=EncoderConfig(n_items=7, **SMALL),
            key=1,
            training=quick(),
        ).encoder_id
        for given in (histories, other)
    }
    assert len(ids) == 1


def test_the_same_key_gives_the_same_bytes_and_another_key_others(random_histories: Make) -> None:
    """O26, at one thread; and training leaves the global random state as it was."""
    histories = random_histories([20, 9, 14], seed=4)
    until_ms = int(histories.events.at_ms.max()) + 1

    def weights(key: int) -> str:
        return train(
            histories,
            zone=None,
            until_ms=until_ms,
            config=EncoderConfig(n_items=7, **SMALL),
            key=key,
            training=quick(item_loss="sampled", n_negatives=16),
        ).encoder_id

    state = torch.get_rng_state()
    assert weights(1) == weights(1)
    assert weights(1) != weights(2)
    assert torch.equal(state, torch.get_rng_state())


def test_leading_coordinates_carry_most_of_the_variance(random_histories: Make) -> None:
    """The axes are turned to those of most variance over instants, for what a bandit takes."""
    histories = random_histories([30, 12, 25, 9, 18, 22], seed=3)
    first, until_ms = int(histories.events.at_ms.min()), int(histories.events.at_ms.max()) + 1
    encoder = train(
        histories,
        zone="UTC",
        until_ms=until_ms,
        config=EncoderConfig(n_items=7, **SMALL),
        key=1,
        training=quick(),
    )
    at = np.tile(np.linspace(first, until_ms, 300).astype(np.int64), (6, 1))
    variance = encoder.encode(histories, at).reshape(-1, 8).var(axis=0)
    assert variance[:4].sum() > 0.8 * variance.sum()
    assert variance.argmax() == 0
    np.testing.assert_allclose(encoder.rotation @ encoder.rotation.T, np.eye(8), atol=1e-12)


def test_amounts_are_scaled_by_the_median_of_the_training_range(make_histories: Make) -> None:
    rows = [(0, START_MS + k * HOUR_MS, 0) for k in range(5)]
    histories = make_histories(rows, 1, [3.0, 0.0, 5.0, 7.0, 900.0])
    encoder = train(
        histories,
        zone=None,
        until_ms=START_MS + 4 * HOUR_MS,
        config=EncoderConfig(n_items=1, **SMALL),
        key=1,
        training=quick(epochs=1),
    )
    assert encoder.network.config.amount_scale == 5.0


def test_training_on_nothing_says_so(make_histories: Make) -> None:
    with pytest.raises(BadInputError, match="nothing to learn from"):
        train(
            make_histories([(0, START_MS, 1)], 1),
            zone=None,
            until_ms=START_MS,
            config=EncoderConfig(n_items=2),
            key=1,
        )


def test_questions_inside_gaps_are_uniform_in_time_and_censored_in_the_tail(
    make_histories: Make,
) -> None:
    """One instant a stretch; waits end at the next event or at the end of observation."""
    rows = [(0, START_MS + 10 * DAY_MS, 1), (0, START_MS + 10 * DAY_MS, 2)]
    tokens = tokens_of(make_histories(rows, 2), pool_ties=True, n_items=3)
    asked = gap_questions(
        tokens,
        np.arange(2),
        from_ms=START_MS,
        until_ms=START_MS + 40 * DAY_MS,
        every_days=2.0,
        rng=np.random.default_rng(1),
    )
    assert len(asked.row) == 40
    place = (asked.at_ms[:20] - START_MS) / (2 * DAY_MS)
    assert (np.floor(place) == np.arange(20)).all()
    before = asked.at_ms[:20] <= START_MS + 10 * DAY_MS
    assert asked.is_event[:20].tolist() == before.tolist()
    assert not asked.is_event[20:].any()
    ends = asked.at_ms + np.rint(asked.wait_h * HOUR_MS).astype(np.int64)
    assert set(ends[:20][before]) == {START_MS + 10 * DAY_MS}
    assert set(ends[20:]) == {START_MS + 40 * DAY_MS}
    answered = asked.basket_to - asked.basket_from
    assert answered[:20][before].tolist() == [2] * int(before.sum())
    assert not answered[20:].any()


def test_activity_after_an_instant_by_hand(make_histories: Make) -> None:
    rows = [(0, START_MS, 0), (0, START_MS + 2 * HOUR_MS, 1), (1, START_MS + HOUR_MS, 1)]
    tokens = tokens_of(make_histories(rows, 2), pool_ties=True, n_items=2)
    active, observed = activity_after(
        tokens,
        row=np.array([0, 1]),
        at_ms=np.array([START_MS, START_MS]),
        edges_h=np.array([0.0, 1.0, 2.0, 4.0]),
        until_ms=START_MS + 3 * HOUR_MS,
    )
    assert active.tolist() == [[True, False, True], [False, True, False]]
    assert observed.tolist() == [[True, True, False]] * 2


def test_events_of_equal_time_share_one_question(make_histories: Make) -> None:
    rows = [(0, START_MS, 0), (0, START_MS, 2), (0, START_MS + 1, 1)]
    for pool_ties in (True, False):
        tokens = tokens_of(make_histories(rows, 1), pool_ties=pool_ties, n_items=3)
        asked = event_questions(tokens, np.arange(1))
        assert asked.at_ms.tolist() == [START_MS, START_MS + 1]
        assert (asked.basket_to - asked.basket_from).tolist() == [2, 1]


def test_a_stored_encoder_comes_back_bit_by_bit(
    random_histories: Make, make_encoder: Callable[..., TwoStreamEncoder], tmp_path: Any
) -> None:
    """O27: identical vectors; a changed, truncated or foreign artefact is refused by name."""
    encoder = make_encoder()
    encoder.network.float()
    encoder.rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    histories = random_histories([5, 0])
    at = np.array([[START_MS + 90 * DAY_MS]] * 2)
    np.testing.assert_array_equal(again.encode(histories, at), encoder.encode(histories, at))
    assert again.encoder_id == encoder.encoder_id
    assert again.zone == encoder.zone
    description, weights = tmp_path / "encoder.json", tmp_path / "encoder.safetensors"
    good = description.read_text()
    for bad, why in (
        (good.replace('"version": 1', '"version": 2'), "version 2"),
        (good.replace('"n_heads": 2', '"n_heads": 1'), "schema"),
        (good.replace('"n_heads"', '"heads"'), "whole description"),
        (good[:40], "encoder.json"),
    ):
        description.write_text(bad)
        with pytest.raises(ForeignFileError, match=why):
            load_encoder(tmp_path)
    description.write_text(good)
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ForeignFileError, match="missing or changed"):
        load_encoder(tmp_path)


def cyclic(make_histories: Make, *, n_users: int, length: int) -> Histories:
    """Item k is followed by item k + 1 modulo 5, at random gaps."""
    rng = np.random.default_rng(7)
    rows = []
    for user in range(n_users):
        at = START_MS + np.cumsum(rng.integers(HOUR_MS, 30 * HOUR_MS, length))
        first = int(rng.integers(5))
        rows += [(user, int(t), (first + k) % 5) for k, t in enumerate(at)]
    return make_histories(rows, n_users, [1.0] * len(rows))


def test_the_next_item_is_learned_from_the_one_before(make_histories: Make) -> None:
    """O21: next item = f(previous item) ⇒ HR@1 → 1."""
    histories = cyclic(make_histories, n_users=60, length=20)
    encoder = train(
        histories,
        zone=None,
        until_ms=int(histories.events.at_ms.max()) + 1,
        config=EncoderConfig(n_items=5, **SMALL),
        key=1,
        training=quick(epochs=60, learning_rate=2e-2, ema_decay=0.9, patience=60),
    )
    fresh = cyclic(make_histories, n_users=40, length=6)
    last = fresh.events.item[fresh.offsets[1:] - 1]
    at = fresh.events.at_ms[fresh.offsets[1:] - 1][:, None] + 5 * HOUR_MS
    guess = encoder.item_scores(fresh, at)[:, 0].argmax(axis=1)
    assert (guess == (last + 1) % 5).mean() > 0.95


def by_the_hour(make_histories: Make, *, n_users: int, length: int, seed: int) -> Histories:
    """The item is the quarter of the day, whatever came before."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        at = START_MS + np.cumsum(rng.integers(HOUR_MS, 60 * HOUR_MS, length))
        rows += [(user, int(t), int(t % DAY_MS // (6 * HOUR_MS))) for t in at]
    return make_histories(rows, n_users, [1.0] * len(rows))


@pytest.mark.parametrize("knows_time", [True, False])
def test_the_item_of_the_hour_needs_the_clock(make_histories: Make, knows_time: bool) -> None:
    """O21: next item = f(hour of t) ⇒ near 1 with the calendar, near chance without."""
    histories = by_the_hour(make_histories, n_users=60, length=16, seed=8)
    encoder = train(
        histories,
        zone="UTC" if knows_time else None,
        until_ms=int(histories.events.at_ms.max()) + 1,
        config=EncoderConfig(n_items=4, repeat_kernels=0, **SMALL),
        key=1,
        training=quick(epochs=25, learning_rate=1e-2, ema_decay=0.9, patience=25),
    )
    at = START_MS + 60 * DAY_MS + np.arange(24)[None] * HOUR_MS + HOUR_MS // 2
    fresh = by_the_hour(make_histories, n_users=30, length=8, seed=9)
    guess = encoder.item_scores(fresh, np.repeat(at, 30, axis=0)).argmax(axis=2)
    share = float((guess == np.arange(24) // 6).mean())
    assert share > 0.9 if knows_time else share < 0.4


@pytest.mark.slow
def test_users_of_two_hours_are_told_apart_by_the_hour(make_histories: Make) -> None:
    """O21: half the users act at 9 h and half at 21 h, daily ⇒ AUC ≈ 1 for the right slot."""
    rows = []
    for user in range(60):
        hour = 9 if user % 2 else 21
        rows += [(user, START_MS + d * DAY_MS + hour * HOUR_MS, 0) for d in range(40)]
    histories = make_histories(rows, 60)
    until_ms = START_MS + 40 * DAY_MS
    encoder = train(
        histories,
        zone="UTC",
        until_ms=until_ms,
        config=EncoderConfig(n_items=1, **SMALL),
        key=1,
        training=quick(epochs=30, learning_rate=1e-2, hazard_weight=1.0, query_every_days=1.0),
    )
    at = np.full((60, 1), until_ms)
    start = until_ms + np.tile(np.array([8, 20]) * HOUR_MS, (60, 1, 1))
    chance = encoder.slot_probabilities(histories, at, start_ms=start, end_ms=start + 4 * HOUR_MS)[
        :, 0
    ]
    right = np.where(np.arange(60) % 2 == 1, chance[:, 0], chance[:, 1])
    wrong = np.where(np.arange(60) % 2 == 1, chance[:, 1], chance[:, 0])
    assert (right[:, None] > wrong[None]).mean() > 0.99
    assert right.mean() > 0.6


@pytest.mark.slow
def test_a_user_who_alternates_is_expected_at_the_other_hour(make_histories: Make) -> None:
    """O21: 9 h one day and 21 h the next ⇒ AUC ≈ 1 for the slot whose turn it is."""
    turn = np.random.default_rng(4).integers(0, 2, 60)

    def visits(days: int) -> Histories:
        rows = [
            (user, START_MS + d * DAY_MS + (21 if (d + turn[user]) % 2 else 9) * HOUR_MS, 0)
            for user in range(60)
            for d in range(days)
        ]
        return make_histories(rows, 60)

    encoder = train(
        visits(30),
        zone="UTC",
        until_ms=START_MS + 30 * DAY_MS,
        config=EncoderConfig(n_items=1, **SMALL),
        key=1,
        training=quick(epochs=40, learning_rate=1e-2, hazard_weight=1.0, query_every_days=1.0),
    )
    at = np.full((60, 1), START_MS + 33 * DAY_MS)
    start = at[:, :, None] + np.array([8, 20]) * HOUR_MS
    chance = encoder.slot_probabilities(visits(33), at, start_ms=start, end_ms=start + 4 * HOUR_MS)
    is_late = (33 + turn) % 2 == 1
    right = np.where(is_late, chance[:, 0, 1], chance[:, 0, 0])
    wrong = np.where(is_late, chance[:, 0, 0], chance[:, 0, 1])
    assert (right[:, None] > wrong[None]).mean() > 0.99


@pytest.mark.slow
def test_a_constant_gap_concentrates_the_hazard(make_histories: Make) -> None:
    """O21: next gap = 36 h always ⇒ nearly all of the first event's chance around it."""
    rng = np.random.default_rng(2)
    rows = []
    for user in range(60):
        first = START_MS + int(rng.integers(36 * HOUR_MS))
        rows += [(user, first + k * 36 * HOUR_MS, 0) for k in range(25)]
    histories = make_histories(rows, 60)
    until_ms = START_MS + 36 * DAY_MS
    encoder = train(
        histories,
        zone=None,
        until_ms=until_ms,
        config=EncoderConfig(n_items=1, **SMALL),
        key=1,
        training=quick(
            epochs=40, learning_rate=1e-2, hazard_weight=1.0, query_every_days=0.5, activity="first"
        ),
    )
    last = histories.events.at_ms[histories.offsets[1:] - 1]
    at = (last + 12 * HOUR_MS)[:, None]
    edges = at[:, :, None] + np.array([0, 12, 18, 24, 30, 48]) * HOUR_MS
    chance = encoder.slot_probabilities(
        histories, at, start_ms=edges[:, :, :-1], end_ms=edges[:, :, 1:]
    )[:, 0]
    assert (chance.argmax(axis=1) >= 2).mean() > 0.9
    assert chance[:, 0].mean() < 0.1
