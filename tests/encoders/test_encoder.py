from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import encoders.encoder
from bandit.errors import BadInputError
from bandit.events import Histories, histories_of
from encoders.batches import Batches
from encoders.encoder import TwoStreamEncoder

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_000_000_000

Make = Callable[..., Histories]
MakeEncoder = Callable[..., TwoStreamEncoder]


@pytest.fixture(scope="module")
def many(random_histories: Make) -> Histories:
    lengths = np.random.default_rng(9).integers(0, 40, 50).tolist()
    return random_histories(lengths, seed=9)


def single(make_encoder: MakeEncoder) -> TwoStreamEncoder:
    encoder = make_encoder()
    encoder.network.float()
    return encoder


def asked(n_users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    at = START_MS + np.tile(np.array([3, 9, 60]) * DAY_MS, (n_users, 1))
    start = at[:, :, None] + np.array([0, 7, 30]) * HOUR_MS
    return at, start, start + 4 * HOUR_MS


@pytest.mark.parametrize("batch_tokens", [64, 500, 100_000])
def test_answers_do_not_depend_on_the_size_of_batches(
    many: Histories,
    make_encoder: MakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
    batch_tokens: int,
) -> None:
    """In float32, within 1e-5 of vectors, log-probabilities and chances."""
    encoder = single(make_encoder)
    at, start, end = asked(50)
    items = np.arange(7)
    plain = encoder.answer(many, at, items=items, start_ms=start, end_ms=end)
    monkeypatch.setattr(encoders.encoder, "_BATCH_TOKENS", batch_tokens)
    other = encoder.answer(many, at, items=items, start_ms=start, end_ms=end)
    for name in ("context", "item_scores", "slot_probabilities"):
        np.testing.assert_allclose(getattr(other, name), getattr(plain, name), rtol=1e-5, atol=1e-5)


def test_batches_shrink_as_the_vocabulary_grows(
    many: Histories, make_encoder: MakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's logits are queries × items: of 40 000 items they would take gigabytes."""
    asked_for: list[int] = []
    plain = Batches.of

    def noted(*given: Any, batch_tokens: int, **settings: Any) -> Batches:
        asked_for.append(batch_tokens)
        return plain(*given, batch_tokens=batch_tokens, **settings)

    monkeypatch.setattr(Batches, "of", noted)
    for n_items in (300, 5000, 40_000):
        make_encoder(n_items=n_items).encode(many, asked(50)[0])
    assert asked_for == [16_384, 2000, 512]


def test_users_may_come_in_any_order(many: Histories, make_encoder: MakeEncoder) -> None:
    encoder = single(make_encoder)
    at, start, end = asked(50)
    order = np.random.default_rng(3).permutation(50)
    mixed = histories_of(many.events, order)
    np.testing.assert_allclose(
        encoder.encode(mixed, at), encoder.encode(many, at)[order], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        encoder.slot_probabilities(mixed, at, start_ms=start, end_ms=end),
        encoder.slot_probabilities(many, at, start_ms=start, end_ms=end)[order],
        atol=1e-5,
    )


def test_times_may_come_in_any_order(many: Histories, make_encoder: MakeEncoder) -> None:
    encoder = single(make_encoder)
    at, _, _ = asked(50)
    np.testing.assert_allclose(
        encoder.encode(many, at[:, ::-1]), encoder.encode(many, at)[:, ::-1], rtol=1e-5, atol=1e-5
    )


def test_one_pass_answers_what_three_calls_answer(
    many: Histories, make_encoder: MakeEncoder
) -> None:
    encoder = single(make_encoder)
    at, start, end = asked(50)
    items = np.array([4, 0])
    found = encoder.answer(many, at, items=items, start_ms=start, end_ms=end)
    np.testing.assert_array_equal(found.context, encoder.encode(many, at))
    np.testing.assert_array_equal(found.item_scores, encoder.item_scores(many, at, items=items))
    np.testing.assert_array_equal(
        found.slot_probabilities,
        encoder.slot_probabilities(many, at, start_ms=start, end_ms=end),
    )


def test_turning_the_axes_changes_vectors_and_no_answer(
    many: Histories, make_encoder: MakeEncoder
) -> None:
    encoder = make_encoder()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    turned = TwoStreamEncoder(encoder.network, zone=encoder.zone, rotation=turn)
    at, _, _ = asked(50)
    np.testing.assert_allclose(turned.encode(many, at), encoder.encode(many, at) @ turn, atol=1e-12)
    np.testing.assert_array_equal(turned.item_scores(many, at), encoder.item_scores(many, at))
    assert turned.encoder_id != encoder.encoder_id


def test_a_slot_years_ahead_is_as_exact_as_one_next_week(
    many: Histories, make_encoder: MakeEncoder
) -> None:
    """The last piece goes on for ever, so equal slots beyond it have equal chances."""
    encoder = single(make_encoder)
    at, _, _ = asked(50)
    start = at[:, :, None] + np.array([200, 24 * 365 * 20]) * HOUR_MS
    chance = encoder.slot_probabilities(many, at, start_ms=start, end_ms=start + HOUR_MS)
    np.testing.assert_allclose(chance[:, :, 1], chance[:, :, 0], rtol=1e-6)


def test_an_encoder_used_otherwise_has_another_name(make_encoder: MakeEncoder) -> None:
    """Equal weights with another scale of amounts or another clock give other vectors."""
    names = {
        make_encoder(**settings).encoder_id
        for settings in (
            {},
            {"amount_scale": 9.0},
            {"calendar": False},
            {"pool_ties": False},
            {"time_step": 0.5},
            {"zone": None},
        )
    }
    assert len(names) == 6
    assert make_encoder().encoder_id == make_encoder().encoder_id


def test_a_zone_or_rotation_that_cannot_be_is_refused(make_encoder: MakeEncoder) -> None:
    network = make_encoder().network
    with pytest.raises(BadInputError, match="IANA"):
        TwoStreamEncoder(network, zone="Mars/Olympus")
    with pytest.raises(BadInputError, match="rotation"):
        TwoStreamEncoder(network, zone=None, rotation=np.eye(3))


def test_slots_of_another_shape_are_refused(many: Histories, make_encoder: MakeEncoder) -> None:
    at, start, end = asked(50)
    with pytest.raises(BadInputError, match="end_ms"):
        make_encoder().slot_probabilities(many, at, start_ms=start, end_ms=end[:, :, :2])


def test_a_slot_that_is_over_has_no_chance(many: Histories, make_encoder: MakeEncoder) -> None:
    encoder = make_encoder()
    at, _, _ = asked(50)
    start = at[:, :, None] - 9 * HOUR_MS
    chance = encoder.slot_probabilities(many, at, start_ms=start, end_ms=start + 4 * HOUR_MS)
    assert not chance.any()
