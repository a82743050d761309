from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.events import Histories
from encoders.tokens import MISSING_GAP, cut_pieces, events_before, queries_of, tokens_of

HOUR_MS = 3_600_000
START_MS = 1_700_006_400_000

Make = Callable[..., Histories]


def hourly(make_histories: Make, lengths: list[int]) -> Histories:
    rows = [
        (user, START_MS + k * HOUR_MS, k % 5) for user, n in enumerate(lengths) for k in range(n)
    ]
    return make_histories(rows, len(lengths))


def test_gaps_are_within_a_user_only(make_histories: Make) -> None:
    tokens = tokens_of(hourly(make_histories, [2, 0, 3]), pool_ties=True, n_items=5)
    assert tokens.start.tolist() == [0, 2, 2, 5]
    assert tokens.gap_ms.tolist() == [MISSING_GAP, HOUR_MS, MISSING_GAP, HOUR_MS, HOUR_MS]


def test_items_outside_the_vocabulary_are_unknown_and_no_target(make_histories: Make) -> None:
    rows = [(0, START_MS, 1), (0, START_MS, 9), (0, START_MS + 1, -1), (0, START_MS + 2, 4)]
    tokens = tokens_of(make_histories(rows, 1, [1.0] * 4), pool_ties=True, n_items=5)
    assert sorted(tokens.item[:2].tolist()) == [1, 5]
    assert tokens.item[2:].tolist() == [5, 4]
    assert tokens.basket_start.tolist() == [0, 1, 1, 2]
    assert tokens.basket_item.tolist() == [1, 4]


def test_an_amount_nobody_knows_is_missing_and_part_of_a_basket_is_not(
    make_histories: Make,
) -> None:
    rows = [(0, START_MS, 1), (0, START_MS + 1, 1), (0, START_MS + 1, 2)]
    histories = make_histories(rows, 1, [np.nan, np.nan, 3.0])
    tokens = tokens_of(histories, pool_ties=True, amount_scale=1.0, n_items=5)
    assert np.isnan(tokens.log_amount[0])
    assert tokens.log_amount[1] == pytest.approx(np.log(4), abs=1e-6)


def test_a_question_has_seen_what_is_strictly_before_it(make_histories: Make) -> None:
    tokens = tokens_of(hourly(make_histories, [3, 0]), pool_ties=True, n_items=5)
    at = START_MS + np.array([0, 1, HOUR_MS, 9 * HOUR_MS, 9 * HOUR_MS])
    asked = queries_of(tokens, np.array([0, 0, 0, 0, 1]), at)
    assert asked.seen.tolist() == [0, 1, 1, 3, 0]
    assert asked.gap_ms.tolist() == [MISSING_GAP, 1, HOUR_MS, 7 * HOUR_MS, MISSING_GAP]


@pytest.mark.parametrize("first_ms", [START_MS, -(2**50), 0])
def test_far_instants_of_many_users_are_told_apart(make_histories: Make, first_ms: int) -> None:
    """Thousands of years times 100 000 users pass what an int64 holds; against a plain count."""
    users = [0, 1, 40_000, 99_999]
    rows = [(user, at, 0) for user in users for at in (first_ms, START_MS + 5, START_MS + 9)]
    tokens = tokens_of(make_histories(rows, 100_000), pool_ties=True, n_items=1)
    asked = [
        first_ms - 1,
        first_ms,
        first_ms + 1,
        START_MS + 9,
        START_MS + 10,
        2**48,
        2**62,
        -(2**62),
    ]
    at = np.tile(np.array(asked), len(users))
    found = queries_of(tokens, np.repeat(users, len(asked)), at)
    past = np.array(sorted({first_ms, START_MS + 5, START_MS + 9}))
    assert found.seen.tolist() == [int((past < ms).sum()) for ms in at.tolist()]


def test_a_piece_asks_no_more_than_it_can_hold(make_histories: Make) -> None:
    """Attention grows with queries times tokens: 5000 questions of one user are cut too."""
    tokens = tokens_of(hourly(make_histories, [130, 3]), pool_ties=True, n_items=5)
    row = np.append(np.zeros(5000, np.int64), [1, 1])
    at = START_MS + np.append(np.linspace(0, 400, 5000), [1, 9]).astype(np.int64) * HOUR_MS
    queries = queries_of(tokens, row, at)
    pieces = list(cut_pieces(tokens, queries, receptive_field=127, batch_tokens=4096))
    answered = np.concatenate([piece.query[piece.is_query] for piece in pieces])
    assert sorted(answered.tolist()) == list(range(5002))
    assert max(piece.query.shape[1] for piece in pieces) == 2048
    for piece in pieces:
        for b, p in np.argwhere(piece.is_query)[::97]:
            seen = queries.seen[piece.query[b, p]]
            held = piece.ordinal[b][piece.is_token[b]]
            assert np.isin(np.arange(max(0, seen - 127), seen), held).all()


def test_events_before_an_instant_keep_every_user(make_histories: Make) -> None:
    past = events_before(hourly(make_histories, [3, 1]), START_MS + HOUR_MS)
    assert past.offsets.tolist() == [0, 1, 2]
    assert (past.events.at_ms < START_MS + HOUR_MS).all()
    assert past.user.tolist() == [0, 1]


def test_pieces_answer_every_question_once_with_all_it_depends_on(make_histories: Make) -> None:
    """A window of 64 in two layers: R = 127 tokens before each question, or all there are."""
    reach = 2 * (64 - 1) + 1
    lengths = [500, 0, 63, 64, 65, 130, 257]
    tokens = tokens_of(hourly(make_histories, lengths), pool_ties=True, n_items=5)
    row = np.repeat(np.arange(len(lengths)), 300)
    at = START_MS + np.tile(np.arange(300) * 2 * HOUR_MS - 1, len(lengths))
    queries = queries_of(tokens, row, at)
    answered: list[int] = []
    for rng in (None, np.random.default_rng(1)):
        pieces = cut_pieces(tokens, queries, receptive_field=reach, batch_tokens=2048, rng=rng)
        answered = []
        for piece in pieces:
            for b, p in np.argwhere(piece.is_query):
                query = piece.query[b, p]
                answered.append(int(query))
                held = piece.ordinal[b][piece.is_token[b]]
                seen = queries.seen[query]
                needed = np.arange(max(0, seen - reach), seen)
                assert np.isin(needed, held).all()
                mine = piece.token[b][piece.is_token[b]]
                assert (mine == tokens.start[queries.row[query]] + held).all()
        assert sorted(answered) == list(range(len(row)))


def test_padded_batches_stay_within_their_budget(make_histories: Make) -> None:
    tokens = tokens_of(hourly(make_histories, list(range(60))), pool_ties=True, n_items=5)
    row = np.arange(60)
    queries = queries_of(tokens, row, np.full(60, START_MS + 99 * HOUR_MS))
    for piece in cut_pieces(tokens, queries, receptive_field=127, batch_tokens=200):
        assert piece.token.size + piece.query.size <= 200 or len(piece.token) == 1
