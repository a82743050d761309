from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.errors import BadInputError, BadShapeError
from bandit.events import ACTIONS, Events, canonical_order, histories_of


def made_events(n: int = 50) -> Events:
    rng = np.random.default_rng(4)
    columns = {
        "user": rng.integers(5, size=n),
        "at_ms": rng.integers(20, size=n),
        "action": rng.integers(3, size=n).astype(np.int16),
        "item": rng.integers(4, size=n),
    }
    order = canonical_order(**columns)
    blank = np.full(n, np.nan)
    return Events(
        **{name: column[order] for name, column in columns.items()},
        category=np.zeros(n, np.int64),
        amount=blank,
        rating=blank,
    )


def test_histories_are_the_users_own_events_in_the_order_asked_for() -> None:
    """Repeats allowed, unknown users empty."""
    events = made_events()
    found = histories_of(events, [3, 99, 0, 3])
    for n, user in enumerate(found.user):
        own = found.events.take(np.arange(found.offsets[n], found.offsets[n + 1]))
        np.testing.assert_array_equal(own.at_ms, events.at_ms[events.user == user])
    assert np.diff(found.offsets)[1] == 0


def test_events_out_of_order_are_refused() -> None:
    """A history cut from them would be wrong without a word."""
    events = made_events()
    with pytest.raises(BadInputError, match="canonical"):
        histories_of(events.take(np.arange(events.n_rows)[::-1]), [0])


@pytest.mark.parametrize("name", ["at_ms", "action", "item", "category", "amount", "rating"])
def test_columns_of_other_lengths_are_refused_by_name(name: str) -> None:
    events = made_events(5)
    with pytest.raises(BadShapeError, match=name):
        replace(events, **{name: getattr(events, name)[:4]})


@given(st.integers(0, 10_000))
def test_the_canonical_order_is_one_order(seed: int) -> None:
    """Whatever order rows came in; ties by action, item and at last the event's id."""
    rng = np.random.default_rng(seed)
    columns = {
        "user": rng.integers(3, size=30),
        "at_ms": rng.integers(4, size=30),
        "action": rng.integers(2, size=30).astype(np.int16),
        "item": rng.integers(2, size=30),
    }
    rest, ids = [rng.integers(2, size=30), rng.integers(2, size=30)], rng.permutation(30)
    order = canonical_order(**columns, rest=rest, event_id=ids)
    rows = list(zip(*(c.tolist() for c in (*columns.values(), *rest, ids)), strict=True))
    assert [rows[n] for n in order] == sorted(rows)
    mixed = rng.permutation(30)
    turned = {name: column[mixed] for name, column in columns.items()}
    again = canonical_order(**turned, rest=[c[mixed] for c in rest], event_id=ids[mixed])
    np.testing.assert_array_equal(mixed[again], order)


@pytest.mark.parametrize("far", [1, 2**40, 2**62])
def test_ids_of_any_size_are_ordered_alike(far: int) -> None:
    """Also where a user and a time do not fit one key; equal rows stay as they stand."""
    rng = np.random.default_rng(6)
    user, at_ms = rng.integers(-3, 3, size=400) * far, rng.integers(-(2**40), 2**40, size=400)
    at_ms[::3], user[::3] = at_ms[0], user[0]
    action, item = rng.integers(2, size=400).astype(np.int16), rng.integers(3, size=400)
    order = canonical_order(user=user, at_ms=at_ms, action=action, item=item)
    np.testing.assert_array_equal(order, np.lexsort((item, action, at_ms, user)))


def test_nobody_asked_for_is_no_history() -> None:
    found = histories_of(made_events(), [])
    assert (found.n_users, found.events.n_rows) == (0, 0)


def test_offsets_that_leave_events_out_are_refused() -> None:
    found = histories_of(made_events(), [0, 1])
    with pytest.raises(BadInputError, match="offsets from 0"):
        replace(found, offsets=np.append(found.offsets[:-1], found.offsets[-1] - 1))
    with pytest.raises(BadShapeError, match="one more than users"):
        replace(found, offsets=found.offsets[:-1])


def test_codes_of_actions_are_stored_and_never_move() -> None:
    """The order of events at one time, and every stored code, hang on it."""
    assert ACTIONS[:7] == ("view", "search", "favourite", "cart", "purchase", "refund", "rating")
    assert ACTIONS[7:] == ("session", "push_shown", "push_clicked", "push_dismissed")
