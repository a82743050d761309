from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.events import Histories
from encoders.targets import Questions, activity_after, event_questions, gap_questions, joined
from encoders.tokens import TokenTable, tokens_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_000_000_000
UNTIL_MS = START_MS + 60 * DAY_MS

Make = Callable[..., Histories]


def table(random_histories: Make) -> tuple[TokenTable, Histories]:
    histories = random_histories([20, 0, 1, 35], seed=5)
    return tokens_of(histories, pool_ties=True, n_items=7), histories


def in_gaps(tokens: TokenTable, *, every_days: float = 0.25) -> Questions:
    return gap_questions(
        tokens,
        np.arange(4),
        from_ms=START_MS,
        until_ms=UNTIL_MS,
        every_days=every_days,
        rng=np.random.default_rng(6),
    )


def test_what_is_asked_for_is_the_next_basket_and_never_an_earlier_one(
    random_histories: Make,
) -> None:
    """O20: a question's targets lie at its instant (events) or at or after it (gaps)."""
    tokens, _ = table(random_histories)
    for asked in (event_questions(tokens, np.arange(4)), in_gaps(tokens)):
        seen = asked.queries(tokens).seen
        following = tokens.start[asked.row] + seen
        has_next = asked.basket_to > asked.basket_from
        assert (following < tokens.start[asked.row + 1])[has_next].all()
        place = following[has_next]
        np.testing.assert_array_equal(asked.basket_from[has_next], tokens.basket_start[place])
        np.testing.assert_array_equal(asked.basket_to[has_next], tokens.basket_start[place + 1])
        assert (tokens.at_ms[place] >= asked.at_ms[has_next]).all()


def test_an_event_question_sees_nothing_of_its_own_instant(random_histories: Make) -> None:
    tokens, _ = table(random_histories)
    asked = event_questions(tokens, np.arange(4))
    queries = asked.queries(tokens)
    assert (queries.gap_ms[queries.seen > 0] > 0).all()
    assert len(asked.row) == tokens.n_tokens


def test_only_the_histories_asked_about_are_asked(random_histories: Make) -> None:
    tokens, _ = table(random_histories)
    assert set(event_questions(tokens, np.array([3])).row.tolist()) == {3}


def test_instants_fall_inside_gaps_and_in_the_tail(random_histories: Make) -> None:
    tokens, histories = table(random_histories)
    asked = in_gaps(tokens)
    assert asked.is_gap.all()
    assert ((asked.at_ms >= START_MS) & (asked.at_ms < UNTIL_MS)).all()
    owner = np.repeat(np.arange(4), np.diff(histories.offsets))
    for user in (0, 2, 3):
        last = histories.events.at_ms[owner == user].max()
        mine = asked.row == user
        assert (asked.is_event[mine] == (asked.at_ms[mine] <= last)).all()
    assert not asked.is_event[asked.row == 1].any()
    between = asked.is_event & (asked.queries(tokens).seen > 0)
    assert between.sum() > 100


def test_waits_reach_the_next_event_or_the_end(random_histories: Make) -> None:
    tokens, _ = table(random_histories)
    asked = in_gaps(tokens)
    ends = asked.at_ms + np.rint(asked.wait_h * HOUR_MS).astype(np.int64)
    assert (ends[~asked.is_event] == UNTIL_MS).all()
    assert np.isin(ends[asked.is_event], tokens.at_ms).all()
    assert (asked.wait_h >= 0).all()


def test_long_gaps_are_asked_about_in_proportion(make_histories: Make) -> None:
    """Uniform in time: a gap of 90 days out of 100 holds 90 of 100 questions."""
    rows = [(0, START_MS, 0), (0, START_MS + 10 * DAY_MS, 1), (0, START_MS + 100 * DAY_MS, 2)]
    tokens = tokens_of(make_histories(rows, 1), pool_ties=True, n_items=3)
    asked = gap_questions(
        tokens,
        np.arange(1),
        from_ms=START_MS,
        until_ms=START_MS + 100 * DAY_MS,
        every_days=1.0,
        rng=np.random.default_rng(1),
    )
    assert (asked.at_ms > START_MS + 10 * DAY_MS).sum() == 90


def test_activity_equals_a_plain_loop(random_histories: Make) -> None:
    tokens, _ = table(random_histories)
    asked = in_gaps(tokens, every_days=3.0)
    edges_h = np.array([0.0, 12.0, 100.0, 1000.0])
    active, observed = activity_after(
        tokens, row=asked.row, at_ms=asked.at_ms, edges_h=edges_h, until_ms=UNTIL_MS
    )
    for k, (row, at) in enumerate(zip(asked.row.tolist(), asked.at_ms.tolist(), strict=True)):
        mine = tokens.at_ms[tokens.start[row] : tokens.start[row + 1]]
        edges = at + edges_h * HOUR_MS
        for piece in range(3):
            is_in = (mine >= edges[piece]) & (mine < edges[piece + 1])
            assert active[k, piece] == is_in.any()
            assert observed[k, piece] == (edges[piece + 1] <= UNTIL_MS)


def test_joined_questions_keep_their_order(random_histories: Make) -> None:
    tokens, _ = table(random_histories)
    events, gaps = event_questions(tokens, np.arange(4)), in_gaps(tokens)
    both = joined(events, gaps)
    assert both.at_ms.tolist() == events.at_ms.tolist() + gaps.at_ms.tolist()
    assert both.is_gap.tolist() == [False] * len(events.row) + [True] * len(gaps.row)
