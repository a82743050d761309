from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.events import Histories
from encoders.clock import clock_cells
from encoders.recency_counts import recency_counts
from encoders.tokens import queries_of, tokens_of

DAY_MS = 24 * 3_600_000
START_MS = 1_700_006_400_000  # a Wednesday, midnight UTC

Make = Callable[..., Histories]


def test_faded_counts_by_hand(make_histories: Make) -> None:
    """Half-life 2 days: an event 2 days old counts .5 and one 4 days old .25."""
    rows = [(0, START_MS, 1), (0, START_MS + 2 * DAY_MS, 1), (0, START_MS + 2 * DAY_MS, 2)]
    tokens = tokens_of(make_histories(rows, 1), pool_ties=True, n_items=3)
    queries = queries_of(tokens, np.array([0]), np.array([START_MS + 4 * DAY_MS]))
    (found,) = recency_counts(
        tokens, queries, zone="UTC", n_items=3, item_half_life_d=2.0, rhythm_half_life_d=4.0
    )
    assert found.item[0].tolist() == pytest.approx([0.0, 0.75, 0.5])
    assert found.hour[0, 0] == pytest.approx(0.5 + 0.5**0.5)
    assert found.hour[0, 1:].sum() == 0
    assert found.weekday[0].nonzero()[0].tolist() == [2, 4]


def test_counts_equal_a_plain_loop(random_histories: Make) -> None:
    tokens = tokens_of(random_histories([12, 0, 30, 1]), pool_ties=True, n_items=7)
    rng = np.random.default_rng(2)
    row = rng.integers(0, 4, 40)
    at = 1_700_000_000_000 + rng.integers(0, 30 * DAY_MS, 40)
    queries = queries_of(tokens, row, at)
    hour, _ = clock_cells(tokens.at_ms, "America/New_York")
    answered = []
    for found in recency_counts(
        tokens,
        queries,
        zone="America/New_York",
        n_items=7,
        item_half_life_d=9.0,
        rhythm_half_life_d=30.0,
    ):
        for k, query in enumerate(found.query.tolist()):
            answered.append(query)
            items, hours = np.zeros(7), np.zeros(24)
            for t in range(tokens.start[row[query]], tokens.start[row[query] + 1]):
                if tokens.at_ms[t] < at[query]:
                    age_d = (at[query] - tokens.at_ms[t]) / DAY_MS
                    held = tokens.basket_item[tokens.basket_start[t] : tokens.basket_start[t + 1]]
                    items[held] += 0.5 ** (age_d / 9)
                    hours[hour[t]] += 0.5 ** (age_d / 30)
            np.testing.assert_allclose(found.item[k], items, atol=1e-9)
            np.testing.assert_allclose(found.hour[k], hours, atol=1e-9)
    assert sorted(answered) == list(range(40))


def test_a_history_without_events_counts_nothing(make_histories: Make) -> None:
    tokens = tokens_of(make_histories([(1, START_MS, 0)], 2), pool_ties=True, n_items=2)
    queries = queries_of(tokens, np.array([0]), np.array([START_MS + DAY_MS]))
    (found,) = recency_counts(
        tokens, queries, zone=None, n_items=2, item_half_life_d=1.0, rhythm_half_life_d=1.0
    )
    assert not found.item.any()
    assert not found.hour.any()
    assert not found.weekday.any()
