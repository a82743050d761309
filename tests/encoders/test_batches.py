from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bandit.events import Histories
from encoders.batches import Batches, Tensorised
from encoders.config import EncoderConfig
from encoders.tokens import Queries, TokenTable, queries_of, tokens_of

DAY_MS = 24 * 3_600_000

Make = Callable[..., Histories]

CONFIG = EncoderConfig(n_items=7, width=16, window=4, context_width=8, n_leading=4)


def asked(random_histories: Make, n_users: int = 30) -> tuple[TokenTable, Queries]:
    lengths = np.random.default_rng(1).integers(0, 25, n_users).tolist()
    tokens = tokens_of(random_histories(lengths), pool_ties=True, n_items=7)
    at = 1_700_000_000_000 + np.tile(np.arange(3) * 60 * DAY_MS, n_users)
    return tokens, queries_of(tokens, np.repeat(np.arange(n_users), 3), at)


def batches(tokens: TokenTable, queries: Queries, seed: int | None = None) -> Batches:
    made = Tensorised.of(tokens, queries, zone="UTC", config=CONFIG)
    rng = None if seed is None else np.random.default_rng(seed)
    return Batches.of(made, config=CONFIG, batch_tokens=120, rng=rng)


def test_every_question_is_in_one_batch(random_histories: Make) -> None:
    tokens, queries = asked(random_histories)
    made = batches(tokens, queries, seed=3)
    assert len(made) > 3
    found = torch.cat([batch.query[batch.is_query] for batch in made])
    assert sorted(found.tolist()) == list(range(queries.n_rows))


def test_steps_hold_every_batch_once_and_each_mixes_short_and_long(random_histories: Make) -> None:
    tokens, queries = asked(random_histories, 90)
    made = batches(tokens, queries, seed=3)
    steps = list(made.steps(3, np.random.default_rng(4)))
    assert sum(len(step) for step in steps) == len(made)
    found = torch.cat([batch.query[batch.is_query] for step in steps for batch in step])
    assert sorted(found.tolist()) == list(range(queries.n_rows))
    widths = [batch.is_token.shape[1] for batch in made]
    middle = float(np.median(widths))
    full = [step for step in steps if len(step) >= 3]
    assert all(min(b.is_token.shape[1] for b in step) <= middle for step in full)
    assert all(max(b.is_token.shape[1] for b in step) >= middle for step in full)


def test_a_batch_carries_the_features_of_its_own_tokens(random_histories: Make) -> None:
    tokens, queries = asked(random_histories)
    made = batches(tokens, queries)
    for piece, batch in zip(made.pieces, made, strict=True):
        token = piece.token[piece.is_token]
        np.testing.assert_array_equal(batch.log_size.numpy(), tokens.log_size[token])
        np.testing.assert_array_equal(batch.token_ms[batch.is_token].numpy(), tokens.at_ms[token])
        baskets = [
            tokens.basket_item[tokens.basket_start[t] : tokens.basket_start[t + 1]] for t in token
        ]
        held = np.concatenate(baskets) if baskets else np.zeros(0, np.int64)
        np.testing.assert_array_equal(batch.basket_item.numpy(), held)


def test_the_first_gap_of_a_history_is_missing(random_histories: Make) -> None:
    tokens, queries = asked(random_histories)
    for batch in batches(tokens, queries):
        first = batch.ordinal[batch.is_token] == 0
        assert torch.equal(batch.log_gap.isnan(), first)


def test_without_a_calendar_no_clock_is_carried(random_histories: Make) -> None:
    tokens, queries = asked(random_histories)
    blind = EncoderConfig(n_items=7, calendar=False)
    made = Tensorised.of(tokens, queries, zone="UTC", config=blind)
    assert not made.token_calendar.any()
    assert not made.query_calendar.any()
