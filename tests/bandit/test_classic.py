from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.classic import GROUPS, classic_table
from bandit.errors import BadInputError, BadShapeError
from bandit.events import ACTIONS, NO_ITEM, Events, Histories, canonical_order, histories_of
from bandit.normalise import Normaliser

DAY_MS = 86_400_000
T0 = 1_700_000_000_000


def events_of(rows: list[tuple[int, int, str, float, float]]) -> Events:
    """Events from (user, ms after T0, action, amount, rating) rows, in canonical order."""
    user, offset, action, amount, rating = (
        [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 5
    )
    m = len(rows)
    events = Events(
        user=np.array(user, np.int64),
        at_ms=T0 + np.array(offset, np.int64),
        action=np.array([ACTIONS.index(a) for a in action], np.int16),
        item=np.full(m, NO_ITEM, np.int64),
        category=np.full(m, NO_ITEM, np.int64),
        amount=np.array(amount, np.float64),
        rating=np.array(rating, np.float64),
    )
    order = canonical_order(
        user=events.user, at_ms=events.at_ms, action=events.action, item=events.item
    )
    return events.take(order)


def naive(histories: Histories, at_ms: np.ndarray, windows: tuple[int, ...]) -> list[dict]:
    """One event at a time, as plainly as it can be said."""
    events, table = histories.events, []
    for n, user in enumerate(histories.user):
        own = range(histories.offsets[n], histories.offsets[n + 1])
        for now in at_ms[n]:
            before = [m for m in own if events.at_ms[m] < now]
            row = {"user": int(user), "at_ms": int(now)}

            def within(days: int, before: list[int] = before, now: int = now) -> list[int]:
                return [m for m in before if events.at_ms[m] >= now - days * DAY_MS]

            for name, actions in GROUPS.items():
                ours = [m for m in before if ACTIONS[events.action[m]] in actions]
                row[f"days_since_{name}"] = (
                    (now - max(events.at_ms[m] for m in ours)) / DAY_MS if ours else math.nan
                )
                for days in windows:
                    row[f"n_{name}_{days}d"] = len(set(ours) & set(within(days)))

            def spent(rows: list[int]) -> float:
                total = 0.0
                for m in rows:
                    amount = 0.0 if math.isnan(events.amount[m]) else events.amount[m]
                    total += amount if ACTIONS[events.action[m]] == "purchase" else 0.0
                    total -= abs(amount) if ACTIONS[events.action[m]] == "refund" else 0.0
                return total

            for days in windows:
                row[f"spent_{days}d"] = spent(within(days))
            row["spent_total"] = spent(before)
            rated = [events.rating[m] for m in before if not math.isnan(events.rating[m])]
            row["rating_mean"] = sum(rated) / len(rated) if rated else math.nan
            row["rating_last"] = rated[-1] if rated else math.nan
            table.append(row)
    return table


event_rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 12).map(lambda step: step * DAY_MS // 2),
        st.sampled_from(ACTIONS),
        st.one_of(st.just(math.nan), st.integers(-50, 50).map(lambda c: c / 4)),
        st.one_of(st.just(math.nan), st.integers(1, 5).map(float)),
    ),
    max_size=40,
)


@given(
    rows=event_rows,
    users=st.lists(st.integers(0, 4), max_size=5),
    steps=st.lists(st.integers(-1, 14), min_size=1, max_size=3),
)
def test_the_table_is_what_a_plain_loop_says(
    rows: list, users: list[int], steps: list[int]
) -> None:
    """Users repeat, have no events, and are asked about on ties with events."""
    histories = histories_of(events_of(rows), users)
    at_ms = np.tile(T0 + np.array(steps) * (DAY_MS // 2), (len(users), 1)).astype(np.int64)
    table = classic_table(histories, at_ms, windows_days=(1, 3))
    expected = naive(histories, at_ms, (1, 3))
    assert table.num_rows == len(expected)
    for name in table.column_names:
        np.testing.assert_allclose(
            table[name].to_numpy(), [row[name] for row in expected], rtol=1e-12, atol=1e-12
        )


def test_an_event_at_the_very_instant_is_not_seen() -> None:
    histories = histories_of(events_of([(1, 0, "purchase", 9.0, 4.0)]), [1])
    table = classic_table(histories, np.array([[T0, T0 + 1, T0 + DAY_MS, T0 + DAY_MS + 1]]))
    assert table["spent_total"].to_pylist() == [0.0, 9.0, 9.0, 9.0]
    assert table["n_purchase_1d"].to_pylist() == [0, 1, 1, 0]
    assert math.isnan(table["rating_last"][0].as_py())


@given(rows=event_rows, cut=st.integers(0, 13))
def test_what_happens_later_changes_nothing(rows: list, cut: int) -> None:
    """The table at a time is the same whether or not the future has been written yet."""
    now = cut * DAY_MS // 2
    at_ms = np.full((4, 1), T0 + now)
    known = [row for row in rows if row[1] < now]
    whole = classic_table(histories_of(events_of(rows), range(4)), at_ms)
    early = classic_table(histories_of(events_of(known), range(4)), at_ms)
    assert whole.schema == early.schema
    for name in whole.column_names:
        np.testing.assert_array_equal(whole[name].to_numpy(), early[name].to_numpy())


def test_a_row_does_not_depend_on_who_else_is_in_the_batch() -> None:
    rng = np.random.default_rng(3)
    rows = [
        (int(u), int(t), "purchase", float(a), math.nan)
        for u, t, a in zip(
            rng.integers(0, 20, 500),
            rng.integers(0, 30 * DAY_MS, 500),
            rng.lognormal(3, 4, 500),
            strict=True,
        )
    ]
    events = events_of(rows)
    at_ms = np.full((20, 2), T0 + 31 * DAY_MS)
    together = classic_table(histories_of(events, range(20)), at_ms)
    for user in range(20):
        alone = classic_table(histories_of(events, [user]), at_ms[:1])
        own = together.slice(2 * user, 2)
        for name in own.column_names:
            np.testing.assert_array_equal(alone[name].to_numpy(), own[name].to_numpy())


def test_refunds_take_away_and_missing_amounts_add_nothing() -> None:
    rows = [
        (0, 1, "purchase", 20.0, math.nan),
        (0, 2, "purchase", math.nan, math.nan),
        (0, 3, "refund", 5.0, math.nan),
        (0, 4, "refund", -5.0, math.nan),
        (0, 5, "view", 99.0, math.nan),
    ]
    table = classic_table(histories_of(events_of(rows), [0]), np.array([[T0 + 10]]))
    assert table["spent_total"].to_pylist() == [10.0]
    assert table["n_purchase_7d"].to_pylist() == [2]


def test_nobody_and_no_time_give_an_empty_table_of_the_same_columns() -> None:
    histories = histories_of(events_of([(1, 0, "view", math.nan, math.nan)]), [1])
    whole = classic_table(histories, np.array([[T0]]))
    for empty in (
        classic_table(histories, np.zeros((1, 0), np.int64)),
        classic_table(histories_of(events_of([]), []), np.zeros((0, 3), np.int64)),
    ):
        assert empty.num_rows == 0
        assert empty.schema == whole.schema


def test_the_table_goes_through_a_normaliser_as_it_is() -> None:
    """Features of the training range set the scale; a user without events comes out finite."""
    rows = [(u, u * DAY_MS + k, "purchase", 5.0 + k, 4.0) for u in range(8) for k in range(3)]
    histories = histories_of(events_of(rows), range(10))
    at_ms = T0 + np.tile(np.arange(1, 12) * DAY_MS, (10, 1))
    table = classic_table(histories, at_ms)
    features = table.drop_columns(["user", "at_ms"])
    fitted = Normaliser.fit(
        features, at_ms=table["at_ms"].to_numpy(), before_ms=T0 + 9 * DAY_MS, logged=("spent_7d",)
    )
    out = fitted.apply(features)
    assert out.shape == (110, features.num_columns)
    assert np.isfinite(out).all()


def test_foreign_actions_windows_and_times_are_refused() -> None:
    histories = histories_of(events_of([]), [1])
    at_ms = np.array([[T0]])
    with pytest.raises(BadInputError, match=r"got \['gaze'\]"):
        classic_table(histories, at_ms, groups={"browse": ("gaze",)})
    for windows in ((0,), (7, 1.5)):
        with pytest.raises(BadInputError, match="whole days"):
            classic_table(histories, at_ms, windows_days=windows)  # type: ignore[arg-type]
    with pytest.raises(BadShapeError, match="a row of times a history"):
        classic_table(histories, np.zeros((2, 1), np.int64))
