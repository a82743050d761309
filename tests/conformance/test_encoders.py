"""Every encoder of the house under the same laws, found by discovery.

An encoder is any class in ``encoders/`` with ``encode``, ``n_features`` and ``encoder_id``; a
new one is fitted here by an entry in ``FIT`` or the discovery test says so.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import encoders
from bandit.errors import BadInputError, ForeignFileError
from bandit.events import ACTIONS, Events, Histories, histories_of
from bandit.protocols import Encoder
from encoders.artefact import load_encoder, save_encoder
from encoders.config import EncoderConfig, TrainingConfig
from encoders.tabular import TabularRecencyEncoder
from encoders.training import train

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000
UNTIL_MS = START_MS + 90 * DAY_MS
N_ITEMS = 6
ZONE = "America/New_York"


def shoppers(n_users: int, *, seed: int) -> Histories:
    """Users who buy around an hour of their own; user 0 has no events."""
    rng = np.random.default_rng(seed)
    user, at_ms, item = [], [], []
    for number in range(1, n_users):
        hour = rng.integers(8, 22)
        for day in np.flatnonzero(rng.random(120) < 0.3):
            instant = START_MS + day * DAY_MS + hour * HOUR_MS + rng.integers(HOUR_MS)
            for code in np.unique(rng.integers(0, N_ITEMS, 2) % (1 + number % N_ITEMS)):
                user.append(number)
                at_ms.append(instant)
                item.append(code)
    n_rows = len(user)
    events = Events(
        user=np.array(user, np.int64),
        at_ms=np.array(at_ms, np.int64),
        action=np.full(n_rows, ACTIONS.index("purchase"), np.int16),
        item=np.array(item, np.int64),
        category=np.full(n_rows, -1, np.int64),
        amount=rng.uniform(1, 9, n_rows),
        rating=np.full(n_rows, np.nan),
    )
    return histories_of(events, np.arange(n_users))


def fit_two_stream(histories: Histories) -> Encoder:
    config = EncoderConfig(
        n_items=N_ITEMS, width=16, window=8, context_width=8, n_leading=4, dropout=0.0
    )
    return train(
        histories,
        zone=ZONE,
        until_ms=UNTIL_MS,
        config=config,
        key=3,
        training=TrainingConfig(epochs=2, warmup_steps=5),
    )


def fit_tabular(histories: Histories) -> Encoder:
    return TabularRecencyEncoder.fit(
        histories, zone=ZONE, until_ms=UNTIL_MS, n_items=N_ITEMS, key=3
    )


FIT: dict[str, Callable[[Histories], Encoder]] = {
    "TwoStreamEncoder": fit_two_stream,
    "TabularRecencyEncoder": fit_tabular,
}


def discovered() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(encoders.__path__):
        loaded = importlib.import_module(f"encoders.{module.name}")
        for name, thing in inspect.getmembers(loaded, inspect.isclass):
            is_ours = thing.__module__ == loaded.__name__
            if is_ours and all(hasattr(thing, n) for n in ("encode", "n_features", "encoder_id")):
                found.add(name)
    return found


@pytest.fixture(scope="module", params=sorted(FIT))
def fitted(request: pytest.FixtureRequest) -> tuple[Any, Histories]:
    histories = shoppers(40, seed=1)
    return FIT[request.param](histories), histories


def times(n_users: int, n_times: int = 3) -> Any:
    return np.tile(START_MS + 70 * DAY_MS + np.arange(n_times) * 31 * HOUR_MS, (n_users, 1))


def test_every_encoder_of_the_house_is_tested_here() -> None:
    assert discovered() == set(FIT)


def test_it_is_an_encoder_with_vectors_of_the_stated_length(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    assert isinstance(encoder, Encoder)
    vectors = encoder.encode(histories, times(40))
    assert vectors.shape == (40, 3, encoder.n_features)
    assert vectors.dtype == np.float64
    assert np.isfinite(vectors).all()
    assert isinstance(encoder.encoder_id, str)


def test_a_batch_equals_its_rows_one_by_one(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    together = encoder.encode(histories, times(40))
    for user in (0, 7, 39):
        alone = encoder.encode(histories_of(histories.events, [user]), times(1))
        np.testing.assert_allclose(alone[0], together[user], atol=1e-5)


def test_permuting_users_permutes_vectors(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    order = np.random.default_rng(2).permutation(40)
    mixed = encoder.encode(histories_of(histories.events, order), times(40))
    np.testing.assert_allclose(mixed, encoder.encode(histories, times(40))[order], atol=1e-5)


def test_events_at_or_after_a_time_are_not_read(fitted: tuple[Any, Histories]) -> None:
    """O20: neither what they are, nor what was paid, nor when exactly they come."""
    encoder, histories = fitted
    at = times(40, 1)
    late = histories.events.at_ms >= at[0, 0]
    events = histories.events
    other = replace(
        events,
        item=np.where(late, 5 - events.item, events.item),
        at_ms=events.at_ms + np.where(late, 777, 0),
        amount=np.where(late, 1e6, events.amount),
    )
    changed = replace(histories, events=other)
    np.testing.assert_array_equal(encoder.encode(changed, at), encoder.encode(histories, at))
    np.testing.assert_array_equal(
        encoder.item_scores(changed, at), encoder.item_scores(histories, at)
    )


def test_events_before_a_time_are_read(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    at = times(40, 1)
    flipped = replace(histories.events, item=5 - histories.events.item)
    changed = encoder.item_scores(replace(histories, events=flipped), at)
    assert np.abs(changed - encoder.item_scores(histories, at))[1:].max() > 1e-3


def test_a_user_without_events_is_cold_and_finite(fitted: tuple[Any, Histories]) -> None:
    """O14."""
    encoder, histories = fitted
    nobody = histories_of(histories.events, [0, 0, 999])
    cold = encoder.encode(nobody, times(3))
    np.testing.assert_allclose(cold[0], cold[1], atol=1e-6)
    np.testing.assert_allclose(cold[0], cold[2], atol=1e-6)


def test_item_scores_are_log_probabilities(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    scores = encoder.item_scores(histories, times(40))
    assert scores.shape == (40, 3, N_ITEMS)
    np.testing.assert_allclose(np.exp(scores).sum(axis=2), 1.0, atol=1e-5)
    some = np.array([4, 1])
    np.testing.assert_allclose(
        encoder.item_scores(histories, times(40), items=some), scores[:, :, some], atol=1e-6
    )


def test_slot_chances_are_probabilities_that_grow_with_the_slot(
    fitted: tuple[Any, Histories],
) -> None:
    encoder, histories = fitted
    at = times(40)
    start = at[:, :, None] + np.array([0, 0, 0, 24]) * HOUR_MS
    end = start + np.array([0, 4, 12, 24]) * HOUR_MS
    chance = encoder.slot_probabilities(histories, at, start_ms=start, end_ms=end)
    assert chance.shape == (40, 3, 4)
    assert (chance >= 0).all()
    assert (chance <= 1).all()
    np.testing.assert_allclose(chance[:, :, 0], 0, atol=1e-9)
    assert (chance[:, :, 1] <= chance[:, :, 2] + 1e-9).all()


def test_two_slots_side_by_side_multiply_to_the_whole(fitted: tuple[Any, Histories]) -> None:
    """O15: 1 − P adds up in the exponent."""
    encoder, histories = fitted
    at = times(40) // HOUR_MS * HOUR_MS
    start = at[:, :, None] + np.array([2, 6, 2]) * HOUR_MS
    end = at[:, :, None] + np.array([6, 10, 10]) * HOUR_MS
    quiet = 1 - encoder.slot_probabilities(histories, at, start_ms=start, end_ms=end)
    np.testing.assert_allclose(quiet[:, :, 0] * quiet[:, :, 1], quiet[:, :, 2], atol=1e-5)


def test_one_pass_answers_what_three_calls_answer(fitted: tuple[Any, Histories]) -> None:
    """What the main job asks of an encoder: the fallback stands in without a change of code."""
    encoder, histories = fitted
    at, items = times(40), np.array([4, 0])
    start = at[:, :, None] + np.array([1, 7]) * HOUR_MS
    slots = {"start_ms": start, "end_ms": start + 6 * HOUR_MS}
    found = encoder.answer(histories, at, items=items, **slots)
    np.testing.assert_array_equal(found.context, encoder.encode(histories, at))
    np.testing.assert_array_equal(
        found.item_scores, encoder.item_scores(histories, at, items=items)
    )
    np.testing.assert_array_equal(
        found.slot_probabilities, encoder.slot_probabilities(histories, at, **slots)
    )
    assert 0 < encoder.n_leading <= encoder.n_features


def test_a_slot_has_one_chance_whatever_else_is_asked(fitted: tuple[Any, Histories]) -> None:
    """Beside longer slots, for more users, or alone: slots that begin at half past too."""
    encoder, histories = fitted
    at = times(40)
    start = at[:, :, None] + np.array([17, 30, 2]) * HOUR_MS // 2
    end = start + np.array([1, 5, 300]) * HOUR_MS // 2
    together = encoder.slot_probabilities(histories, at, start_ms=start, end_ms=end)
    for k in range(3):
        one = slice(k, k + 1)
        alone = encoder.slot_probabilities(
            histories_of(histories.events, [7]),
            at[7:8],
            start_ms=start[7:8, :, one],
            end_ms=end[7:8, :, one],
        )
        np.testing.assert_allclose(alone[0, :, 0], together[7, :, k], rtol=1e-5)


def test_no_rows_and_no_times_are_answered_with_none(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    nobody = histories_of(histories.events, [])
    assert encoder.encode(nobody, np.zeros((0, 3), np.int64)).shape == (0, 3, encoder.n_features)
    never = encoder.encode(histories, np.zeros((40, 0), np.int64))
    assert never.shape == (40, 0, encoder.n_features)
    no_slots = np.zeros((40, 3, 0), np.int64)
    found = encoder.slot_probabilities(histories, times(40), start_ms=no_slots, end_ms=no_slots)
    assert found.shape == (40, 3, 0)
    assert encoder.item_scores(histories, times(40), items=[]).shape == (40, 3, 0)


def test_times_of_another_shape_are_refused(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    with pytest.raises(BadInputError, match="one row of times"):
        encoder.encode(histories, times(39))


def test_times_that_are_no_whole_milliseconds_are_refused(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    with pytest.raises(BadInputError, match="whole milliseconds"):
        encoder.encode(histories, times(40) + 0.5)


@pytest.mark.parametrize("items", [[-1], [N_ITEMS], [0.5], [[0]]])
def test_items_it_does_not_know_are_refused(fitted: tuple[Any, Histories], items: Any) -> None:
    """A code of −1 would otherwise read the last item."""
    encoder, histories = fitted
    with pytest.raises(BadInputError, match="item"):
        encoder.item_scores(histories, times(40), items=np.array(items))


def test_slots_of_another_shape_are_refused(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    at = times(40)
    good = np.repeat(at[:, :, None], 2, axis=2)
    for start, end, why in (
        (at, at, "start_ms"),
        (good[:, :2], good, "start_ms"),
        (good, good[:, :, :1], "end_ms"),
    ):
        with pytest.raises(BadInputError, match=why):
            encoder.slot_probabilities(histories, at, start_ms=start, end_ms=end)


def test_it_comes_back_from_disk_with_the_same_answers(
    fitted: tuple[Any, Histories], tmp_path: Path
) -> None:
    """O27: by the same two functions, whichever encoder it is."""
    encoder, histories = fitted
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    assert type(again) is type(encoder)
    assert (again.encoder_id, again.zone) == (encoder.encoder_id, encoder.zone)
    assert again.notes == encoder.notes
    at = times(40)
    start = at[:, :, None] + HOUR_MS
    slots = {"start_ms": start, "end_ms": start + 5 * HOUR_MS}
    mine = encoder.answer(histories, at, items=np.arange(N_ITEMS), **slots)
    theirs = again.answer(histories, at, items=np.arange(N_ITEMS), **slots)
    for name in ("context", "item_scores", "slot_probabilities"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(mine, name))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text, data: (text.replace('"version": 1', '"version": 2'), data), "version 2"),
        (lambda text, data: (text.replace("opportune.", "another."), data), "another"),
        (lambda text, data: (text[: len(text) // 2], data), "encoder.json"),
        (lambda text, data: (text, data[:-8]), "missing or changed"),
        (lambda text, data: (text, b""), "missing or changed"),
        (lambda text, data: (text.replace("America/New_York", "Asia/Tokyo"), data), "changed"),
    ],
)
def test_a_spoilt_artefact_is_refused_by_name(
    fitted: tuple[Any, Histories],
    tmp_path: Path,
    spoil: Callable[[str, bytes], tuple[str, bytes]],
    why: str,
) -> None:
    save_encoder(fitted[0], tmp_path)
    described, weights = tmp_path / "encoder.json", tmp_path / "encoder.safetensors"
    text, data = spoil(described.read_text(), weights.read_bytes())
    described.write_text(text)
    weights.write_bytes(data)
    with pytest.raises(ForeignFileError, match=why):
        load_encoder(tmp_path)


def test_fitting_again_gives_the_same_encoder(fitted: tuple[Any, Histories]) -> None:
    encoder, histories = fitted
    again = FIT[type(encoder).__name__](histories)
    assert again.encoder_id == encoder.encoder_id
