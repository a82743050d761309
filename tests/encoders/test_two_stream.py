"""Identities of the two streams: causality, isolation, shifts, padding, ties, windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bandit.draws import key_of
from bandit.events import Events, Histories, canonical_order, histories_of
from encoders.batches import Batch, Batches, Tensorised
from encoders.encoder import TwoStreamEncoder
from encoders.tokens import queries_of, tokens_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_000_000_000

Make = Callable[..., Histories]
MakeEncoder = Callable[..., TwoStreamEncoder]


def rows_at(instants: list[int], item: list[int], user: int = 0) -> list[tuple[int, int, int]]:
    return [(user, at, code) for at, code in zip(instants, item, strict=True)]


def one_batch(encoder: TwoStreamEncoder, histories: Histories, at_ms: NDArray[np.int64]) -> Batch:
    config = encoder.network.config
    tokens = tokens_of(histories, pool_ties=config.pool_ties, n_items=config.n_items)
    row = np.repeat(np.arange(at_ms.shape[0]), at_ms.shape[1])
    queries = queries_of(tokens, row, at_ms.ravel())
    tensorised = Tensorised.of(tokens, queries, zone=encoder.zone, config=config)
    (batch,) = Batches.of(tensorised, config=config, batch_tokens=10**6)
    return batch


def contents(
    encoder: TwoStreamEncoder, histories: Histories, at_ms: NDArray[np.int64]
) -> torch.Tensor:
    batch = one_batch(encoder, histories, at_ms)
    stream = encoder.network.stream
    with torch.inference_mode():
        return torch.stack(stream.layer_inputs(stream.embed(batch), batch))[:, 0]


def test_an_event_changes_its_own_state_and_later_ones_only(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O1: content outputs before the changed event are bit-identical, from it on they differ."""
    encoder = make_encoder(n_layers=3)
    instants = [START_MS + k * 7 * HOUR_MS for k in range(9)]
    at = np.array([[instants[-1] + 1]])
    items = [0, 1, 2, 3, 4, 5, 6, 0, 1]
    before = contents(encoder, make_histories(rows_at(instants, items), 1, [1.0] * 9), at)
    changed = contents(
        encoder, make_histories(rows_at(instants, [*items[:5], 2, *items[6:]]), 1, [1.0] * 9), at
    )
    assert torch.equal(before[:, :5], changed[:, :5])
    assert (before[:, 5] != changed[:, 5]).any(dim=-1).all()
    assert (before[1:, 6:8] != changed[1:, 6:8]).any()


def other_values(values: torch.Tensor) -> torch.Tensor:
    """Codes that no event has (7 is the unknown item); other places between the knots."""
    if values.dtype == torch.int64:
        return torch.full_like(values, 7 if int(values.min()) >= 0 else 1)
    return torch.where(values > 5, values - 5, values.nan_to_num(0.0) + 1.3)


@pytest.mark.parametrize(
    "name",
    [
        "bag_item",
        "bag_category",
        "bag_action",
        "log_gap",
        "log_amount",
        "log_size",
        "calendar",
    ],
)
def test_every_feature_of_an_event_reaches_its_vector(
    random_histories: Make, make_encoder: MakeEncoder, name: str
) -> None:
    encoder = make_encoder(n_categories=3)
    batch = one_batch(encoder, random_histories([6, 3]), np.full((2, 1), 2**41))
    stream = encoder.network.stream
    changed = replace(batch, **{name: other_values(getattr(batch, name))})
    difference = (stream.embed(changed) - stream.embed(batch)).detach().abs().amax(dim=1)
    assert float(difference.min()) > 1e-3


@pytest.mark.parametrize("name", ["query_log_gap", "query_calendar"])
def test_every_feature_of_a_query_reaches_its_context(
    random_histories: Make, make_encoder: MakeEncoder, name: str
) -> None:
    encoder = make_encoder()
    batch = one_batch(encoder, random_histories([6, 0]), np.full((2, 1), 2**41))
    stream = encoder.network.stream
    changed = replace(batch, **{name: other_values(getattr(batch, name))})
    difference = (stream(changed).context - stream(batch).context).detach().abs().amax(dim=2)
    assert float(difference.min()) > 1e-3


@pytest.mark.parametrize("name", ["gate", "mix", "narrow"])
def test_each_sublayer_of_each_layer_reaches_the_context(
    random_histories: Make, make_encoder: MakeEncoder, name: str
) -> None:
    encoder = make_encoder()
    stream = encoder.network.stream
    batch = one_batch(encoder, random_histories([6, 4]), np.full((2, 1), 2**41))
    before = stream(batch).context.detach()
    for block in stream.blocks:
        weight = getattr(block, name).weight
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.mul_(0.5)
            assert float((stream(batch).context.detach() - before).abs().amax(dim=2).min()) > 1e-4
            weight.copy_(kept)


def test_events_older_than_the_receptive_field_do_not_matter(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O1 and O4: exactly R = L(W − 1) + 1 tokens matter, the R-th does."""
    encoder = make_encoder(n_layers=2, window=4, repeat_kernels=0)
    n_tokens, field = 12, 2 * 3 + 1
    instants = [START_MS + k * 5 * HOUR_MS for k in range(n_tokens)]
    at = np.array([[instants[-1] + HOUR_MS]])

    def encoded(changed_from_end: int | None) -> NDArray[np.float64]:
        items = [k % 5 for k in range(n_tokens)]
        if changed_from_end is not None:
            items[n_tokens - changed_from_end] = 6
        return encoder.encode(make_histories(rows_at(instants, items), 1, [1.0] * n_tokens), at)

    base = encoded(None)
    np.testing.assert_array_equal(encoded(field + 1), base)
    assert np.abs(encoded(field) - base).max() > 1e-9


def test_long_histories_cut_into_pieces_equal_the_uncut_ones(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O4: a piece carries its whole receptive field, so cutting changes nothing."""
    encoder = make_encoder(window=64)
    histories = random_histories([300])
    at = np.append(histories.events.at_ms[::7], histories.events.at_ms[-1] + 1)[None]
    together = encoder.encode(histories, at)[0]
    for place in (0, 20, at.shape[1] - 1):
        kept = histories.events.take(histories.events.at_ms < at[0, place])
        alone = encoder.encode(histories_of(kept, [0]), at[:, place : place + 1])
        np.testing.assert_allclose(together[place], alone[0, 0], atol=1e-12)


def test_queries_do_not_see_each_other(random_histories: Make, make_encoder: MakeEncoder) -> None:
    """O2: adding, permuting or batching queries changes no other query, nor the events."""
    encoder = make_encoder()
    histories = random_histories([9, 0, 3])
    rng = np.random.default_rng(1)
    at = START_MS + rng.integers(0, 60 * DAY_MS, (3, 8))
    all_at_once = encoder.encode(histories, at)
    one_by_one = [encoder.encode(histories, at[:, k : k + 1])[:, 0] for k in range(8)]
    np.testing.assert_allclose(all_at_once, np.stack(one_by_one, axis=1), atol=1e-12)
    shuffled = encoder.encode(histories, at[:, ::-1])
    np.testing.assert_allclose(shuffled[:, ::-1], all_at_once, atol=1e-12)
    few, many = contents(encoder, histories, at[:, :1]), contents(encoder, histories, at)
    shared = min(few.shape[1], many.shape[1])
    np.testing.assert_allclose(few[:, :shared], many[:, :shared], atol=1e-12)


@pytest.mark.parametrize("weeks", [1, 5])
def test_a_shift_by_whole_weeks_changes_nothing(
    random_histories: Make, make_encoder: MakeEncoder, weeks: int
) -> None:
    """O5, in a zone without clock changes, the yearly harmonic off."""
    encoder = make_encoder(zone="Asia/Tokyo")
    histories = random_histories([6, 2])
    at = START_MS + np.array([[40, 90], [3, 70]]) * DAY_MS
    moved = shifted(histories, weeks * 7 * DAY_MS)
    np.testing.assert_allclose(
        encoder.encode(moved, at + weeks * 7 * DAY_MS), encoder.encode(histories, at), atol=1e-9
    )


def test_a_shift_by_half_a_day_moves_calendar_terms_only(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O5: it shows with a calendar; without one, or without a zone, any shift is an identity."""
    histories = random_histories([6, 2])
    at = START_MS + np.array([[40, 90], [3, 70]]) * DAY_MS
    moved = shifted(histories, 12 * HOUR_MS)
    with_clock = make_encoder()
    difference = with_clock.encode(moved, at + 12 * HOUR_MS) - with_clock.encode(histories, at)
    assert np.abs(difference).max() > 1e-3
    for blind in (make_encoder(calendar=False), make_encoder(zone=None)):
        np.testing.assert_array_equal(
            blind.encode(moved, at + 12 * HOUR_MS), blind.encode(histories, at)
        )


def test_second_gaps_of_today_equal_those_at_the_epoch(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O6: float32 seconds of today are off by up to 64 s and would fail; float32 weights here."""
    encoder = make_encoder(zone=None)
    encoder.network.float()
    items = [0, 3, 1, 3, 5]
    early = make_histories(rows_at([k * 1000 for k in range(5)], items), 1)
    late = make_histories(rows_at([START_MS + k * 1000 for k in range(5)], items), 1)
    at = np.array([[5000, 6000, 9000]])
    np.testing.assert_array_equal(encoder.encode(early, at), encoder.encode(late, at + START_MS))


def test_pads_do_not_matter_whatever_they_hold(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O7: NaN payloads on the left or the right, and finite gradients with them."""
    encoder = make_encoder()
    stream = encoder.network.stream
    batch = one_batch(encoder, random_histories([5, 3]), np.array([[2**41], [2**41 + 1]]))
    embedded = stream.embed(batch)
    plain = stream.query(batch, stream.layer_inputs(embedded, batch)).context
    n_batch, n_tokens = batch.is_token.shape
    width = embedded.shape[-1]
    padded = embedded.new_full((n_batch * n_tokens, width), torch.nan)
    padded = padded.index_copy(0, batch.token_place, embedded).view(n_batch, n_tokens, width)
    for left, right in ((0, 0), (3, 0), (0, 4), (2, 1)):
        wider = padded_batch(batch, left, right)
        noisy = torch.nn.functional.pad(padded, (0, 0, left, right), value=torch.nan)
        found = stream.query(wider, stream.content(noisy, wider)).context
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-12)
    gradient = torch.autograd.grad(found.square().sum(), embedded)[0]
    assert torch.isfinite(gradient).all()


def test_a_vector_does_not_depend_on_who_else_is_in_the_batch(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O7: batch composition."""
    encoder = make_encoder()
    histories = random_histories([5, 30, 0, 12])
    at = np.full((4, 2), START_MS) + np.array([20, 90]) * DAY_MS
    together = encoder.encode(histories, at)
    for user in range(4):
        alone = histories_of(histories.events, [user])
        np.testing.assert_allclose(
            encoder.encode(alone, at[user : user + 1])[0], together[user], atol=1e-12
        )


def test_the_order_of_equal_times_does_not_matter(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O8, permutation half: pooled or not, any input order gives the same vector."""
    histories = random_histories([8])
    at = np.array([[START_MS + 400 * DAY_MS]])
    rng = np.random.default_rng(3)
    for pool_ties in (True, False):
        encoder = make_encoder(pool_ties=pool_ties)
        expected = encoder.encode(histories, at)
        events = histories.events.take(rng.permutation(histories.events.n_rows))
        mixed = Histories(user=histories.user, offsets=histories.offsets, events=events)
        np.testing.assert_array_equal(encoder.encode(mixed, at), expected)


def test_a_basket_is_one_token_unless_told_otherwise(make_histories: Make) -> None:
    rows = rows_at([START_MS] * 3 + [START_MS + 1], [4, 2, 6, 1])
    histories = make_histories(rows, 1, [1.0, 2.0, 3.0, 4.0])
    pooled = tokens_of(histories, pool_ties=True, amount_scale=2.0, n_items=7)
    assert pooled.n_tokens == 2
    assert pooled.basket_item[pooled.basket_start[0] : pooled.basket_start[1]].tolist() == [2, 4, 6]
    assert pooled.log_size[0] == pytest.approx(np.log(3), abs=1e-6)
    assert pooled.log_amount[0] == pytest.approx(np.log1p(6.0 / 2.0), abs=1e-6)
    assert tokens_of(histories, pool_ties=False, n_items=7).n_tokens == 4


def test_a_repeated_event_changes_nothing_once_cleaned(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O9: ids are dropped in cleaning, where the same id twice is one event."""
    histories = random_histories([8])
    events = histories.events
    ids = np.array([key_of("event", k) % 2**40 for k in range(events.n_rows)], np.int64)
    twice = np.append(np.arange(events.n_rows), [3, 3, 7])
    again, again_ids = events.take(twice), ids[twice]
    order = canonical_order(
        user=again.user,
        at_ms=again.at_ms,
        action=again.action,
        item=again.item,
        event_id=again_ids,
    )
    _, first = np.unique(again_ids[order], return_index=True)
    deduplicated = again.take(order).take(np.sort(first))
    encoder, at = make_encoder(), np.array([[START_MS + 400 * DAY_MS]])
    np.testing.assert_array_equal(
        encoder.encode(histories_of(deduplicated, [0]), at), encoder.encode(histories, at)
    )


def test_a_window_of_one_mixes_no_history(make_histories: Make, make_encoder: MakeEncoder) -> None:
    """O13: with W = 1 a token's state is a function of that token alone."""
    encoder = make_encoder(window=1, n_layers=3)
    instants = [START_MS + k * 6 * HOUR_MS for k in range(6)]
    at = np.array([[instants[-1] + 1]])
    first = make_histories(rows_at(instants, [0, 1, 2, 3, 4, 5]), 1, [1.0] * 6)
    other = make_histories(rows_at(instants, [6, 6, 2, 6, 6, 5]), 1, [1.0] * 6)
    mine, theirs = contents(encoder, first, at), contents(encoder, other, at)
    torch.testing.assert_close(mine[:, 2], theirs[:, 2], rtol=0, atol=1e-12)
    assert (mine[:, 1] != theirs[:, 1]).any()


def test_empty_histories_give_one_cold_vector_that_depends_on_time_only(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O14 and O7: finite, equal between users, different between hours."""
    encoder = make_encoder()
    histories = make_histories([(2, START_MS, 1)], 3)
    at = np.tile(START_MS + np.array([-5, -11]) * HOUR_MS, (3, 1))
    cold = encoder.encode(histories, at)
    assert np.isfinite(cold).all()
    np.testing.assert_allclose(cold[0], cold[1], atol=1e-12)
    np.testing.assert_allclose(cold[0], cold[2], atol=1e-12)
    assert np.abs(cold[0, 0] - cold[0, 1]).max() > 1e-3


def test_an_event_at_the_query_time_is_not_seen(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """O20: strictly before; the target's own item never reaches its query."""
    encoder = make_encoder()
    instants = [START_MS, START_MS + DAY_MS]
    at = np.array([[instants[1]]])
    one = make_histories(rows_at(instants, [0, 1]), 1, [1.0, 1.0])
    two = make_histories(rows_at(instants, [0, 5]), 1, [1.0, 9.0])
    np.testing.assert_array_equal(encoder.encode(one, at), encoder.encode(two, at))
    np.testing.assert_array_equal(encoder.item_scores(one, at), encoder.item_scores(two, at))
    later = encoder.encode(one, at + 3 * HOUR_MS)
    assert np.abs(later - encoder.encode(one, at)).max() > 1e-6


def test_the_vector_is_continuous_in_time(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """A millisecond changes next to nothing, in the middle of a day."""
    encoder = make_encoder(zone="UTC")
    histories = random_histories([8])
    noon = START_MS // DAY_MS * DAY_MS + 400 * DAY_MS + 12 * HOUR_MS
    found = encoder.encode(histories, np.array([[noon, noon + 1]]))
    assert 0 < np.abs(found[0, 1] - found[0, 0]).max() < 1e-5


def shifted(histories: Histories, by_ms: int) -> Histories:
    events = replace(histories.events, at_ms=histories.events.at_ms + by_ms)
    assert isinstance(events, Events)
    return replace(histories, events=events)


def padded_batch(batch: Batch, left: int, right: int) -> Batch:
    n_tokens = batch.is_token.shape[1]
    wide = n_tokens + left + right

    def place(flat: torch.Tensor) -> torch.Tensor:
        return flat // n_tokens * wide + flat % n_tokens + left

    def pad(grid: torch.Tensor, value: int) -> torch.Tensor:
        return torch.nn.functional.pad(grid, (left, right), value=value)

    return replace(
        batch,
        token_place=place(batch.token_place),
        basket_place=place(batch.basket_place),
        token_ms=pad(batch.token_ms, 77),
        ordinal=pad(batch.ordinal, 1),
        is_token=pad(batch.is_token, 0),
    )
