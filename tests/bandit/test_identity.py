from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.classic import classic_table
from bandit.decide import Mode
from bandit.errors import BadInputError, BadShapeError
from bandit.events import NO_ITEM, Events, canonical_order, histories_of
from bandit.holdout import Holdout
from bandit.identity import Links, comparable, links_of, merge_events, merged_across_groups

rows_of_links = st.lists(st.tuples(*[st.integers(0, 7)] * 2, st.integers(0, 5)), max_size=14)


def links_from(rows: list[tuple[int, int, int]]) -> Links:
    device, user, at_ms = np.array(rows, np.int64).reshape(-1, 3).T
    return Links.of(device, user, at_ms=at_ms)


def naive(rows: list[tuple[int, int, int]]) -> dict[int, tuple[int, int]]:
    """One link at a time: the first of each device counts unless it closes a cycle."""
    first: dict[int, tuple[int, int]] = {}
    for device, user, at_ms in sorted(rows, key=lambda row: (row[2], row[1])):
        if device != user:
            first.setdefault(device, (user, at_ms))
    kept: dict[int, tuple[int, int]] = {}
    for device, (user, at_ms) in sorted(first.items(), key=lambda item: (item[1][1], item[0])):
        if climb(kept, user) != device:
            kept[device] = (user, at_ms)
    return kept


def climb(kept: dict[int, tuple[int, int]], start: int, at_ms: int = 99) -> int:
    while start in kept and kept[start][1] <= at_ms:
        start = kept[start][0]
    return start


@given(rows=rows_of_links, at_ms=st.integers(-1, 6))
def test_resolving_is_what_one_link_at_a_time_says(rows: list, at_ms: int) -> None:
    """Conflicts, repeats, self-links and cycles included, as of any instant."""
    links, kept = links_from(rows), naive(rows)
    assert dict(zip(links.device, zip(links.user, links.at_ms, strict=True), strict=True)) == kept
    ids = np.arange(9)
    assert links.resolve(ids).tolist() == [climb(kept, i) for i in ids]
    as_of = [climb(kept, i, at_ms) for i in ids]
    assert links.resolve(ids, at_ms=at_ms).tolist() == as_of
    assert links.until(at_ms).resolve(ids).tolist() == as_of


@given(rows=rows_of_links, at_ms=st.integers(0, 6))
def test_what_is_linked_later_does_not_change_who_somebody_was(rows: list, at_ms: int) -> None:
    early = links_from([row for row in rows if row[2] <= at_ms])
    ids = np.arange(9)
    np.testing.assert_array_equal(early.resolve(ids), links_from(rows).resolve(ids, at_ms=at_ms))


@given(rows=rows_of_links)
def test_every_link_is_kept_or_counted(rows: list) -> None:
    links = links_from(rows)
    assert links.n_rows + sum(links.refused.values()) == len(rows)
    assert min(links.refused.values()) >= 0
    roots = links.resolve(links.ids)
    np.testing.assert_array_equal(links.resolve(roots), roots)


@given(rows=rows_of_links, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(rows: list, seed: int) -> None:
    turned = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    one, other = links_from(rows), links_from(turned)
    assert one.refused == other.refused
    np.testing.assert_array_equal(one.resolve(np.arange(9)), other.resolve(np.arange(9)))


def test_a_table_that_two_people_use_joins_nobody_to_anybody() -> None:
    """Device 9 was linked to 1 and later to 2; 1 and 2 remain two people."""
    links = links_from([(9, 2, 20), (9, 1, 10), (5, 2, 1)])
    assert links.resolve(np.array([1, 2, 5, 9])).tolist() == [1, 2, 2, 1]
    assert links.refused == {"self-link": 0, "cyclic": 0, "repeated": 0, "conflicting": 1}


def test_a_chain_and_a_cycle_lead_to_one_id() -> None:
    """3 → 2 → 1, and then 1 → 3 is said, which adds nothing."""
    links = links_from([(3, 2, 1), (2, 1, 2), (1, 3, 3), (3, 2, 4), (4, 4, 0)])
    assert links.resolve(np.array([[1, 2], [3, 4]])).tolist() == [[1, 1], [1, 4]]
    assert links.refused == {"self-link": 1, "cyclic": 1, "repeated": 1, "conflicting": 0}


def test_each_id_can_be_asked_about_at_its_own_instant() -> None:
    links = links_from([(8, 1, 100)])
    asked = links.resolve(np.full(3, 8), at_ms=np.array([99, 100, 101]))
    assert asked.tolist() == [8, 1, 1]


def test_many_links_are_resolved_at_once() -> None:
    """A hundred thousand devices of a thousand users, and ids near the largest."""
    top = np.iinfo(np.int64).max - 200_000
    device = top + np.arange(100_000)
    links = Links.of(device, device % 1000, at_ms=np.zeros(100_000, np.int64))
    assert links.n_rows == 100_000
    np.testing.assert_array_equal(links.resolve(device), device % 1000)
    chain = Links.of(np.arange(1, 500), np.arange(499), at_ms=np.zeros(499, np.int64))
    assert (chain.resolve(np.arange(500)) == 0).all()


def test_links_of_unlike_columns_are_refused() -> None:
    with pytest.raises(BadShapeError, match="one user a link"):
        Links.of(np.array([1, 2]), np.array([1]), at_ms=np.array([1, 2]))


def test_no_links_leave_everybody_as_they_are() -> None:
    none = links_from([])
    assert none.resolve(np.array([5, 3])).tolist() == [5, 3]
    assert none.ids.tolist() == []
    holdout = Holdout(share=0.5, key=1)
    ids = np.arange(100)
    np.testing.assert_array_equal(replace(holdout, links=none)(ids), holdout(ids))


def events(rows: list[tuple[int, int]]) -> Events:
    """Purchases of 1.0 by (user, time), in canonical order."""
    user, at_ms = np.array(sorted(rows), np.int64).T
    none = np.full(len(rows), NO_ITEM, np.int64)
    return Events(
        user=user,
        at_ms=at_ms,
        action=np.full(len(rows), 4, np.int16),
        item=none,
        category=none,
        amount=np.ones(len(rows)),
        rating=np.full(len(rows), np.nan),
    )


def test_merging_gives_one_history_from_all_devices_in_order_of_time() -> None:
    """The link at 50 claims what its device did before as well, and touches nobody else."""
    before = events([(1, 10), (1, 40), (2, 30), (8, 20), (8, 60)])
    links = links_from([(8, 1, 50)])
    merged = merge_events(before, links)
    assert merged.user.tolist() == [1, 1, 1, 1, 2]
    assert merged.at_ms.tolist() == [10, 20, 40, 60, 30]
    assert merge_events(before, links, at_ms=49).user.tolist() == before.user.tolist()
    histories = histories_of(merged, [1, 8])
    table = classic_table(histories, np.full((2, 1), 100))
    assert table["spent_total"].to_pylist() == [4.0, 0.0]


def test_merged_events_are_those_of_a_user_who_always_had_one_id() -> None:
    """Ties of two devices too are ordered by what the events are, not by the devices' codes."""
    rng = np.random.default_rng(2)
    n = 60
    columns = {
        "at_ms": rng.integers(3, size=n),
        "action": rng.integers(2, size=n).astype(np.int16),
        "item": rng.integers(2, size=n),
        "category": rng.integers(3, size=n),
        "amount": rng.integers(4, size=n) / 2,
        "rating": np.full(n, np.nan),
    }

    def ordered(user: np.ndarray) -> Events:
        tied = {name: columns[name] for name in ("at_ms", "action", "item")}
        rest = [columns[name] for name in ("category", "amount", "rating")]
        order = canonical_order(user=user, **tied, rest=rest)
        return Events(user=user, **columns).take(order)

    merged = merge_events(
        ordered(rng.integers(4, size=n)), links_from([(k, 0, 0) for k in (1, 2, 3)])
    )
    expected = ordered(np.zeros(n, np.int64))
    for name in Events.__slots__:
        np.testing.assert_array_equal(getattr(merged, name), getattr(expected, name))


def groups_of(held: set[int]):
    """Return an assignment that holds out just these ids."""
    return lambda ids: np.isin(ids, list(held))


def test_users_merged_across_groups_are_left_out_and_counted() -> None:
    """8 and 1 were in one group, 9 and 2 were not, 3 is a single id, 5 and 6 are both held out."""
    links = links_from([(8, 1, 0), (9, 2, 0), (6, 5, 0)])
    holds_out = groups_of({9, 5, 6, 3})
    assert merged_across_groups(links, holds_out).tolist() == [2]
    kept = comparable(np.array([1, 8, 2, 9, 9, 3, 5, 6]), links, holds_out)
    assert kept.rows.tolist() == [True, True, False, False, False, True, True, True]
    assert kept.user.tolist() == [1, 1, 2, 2, 2, 3, 5, 5]
    assert (kept.n_users_left_out, kept.n_rows_left_out) == (1, 3)


def test_whoever_has_one_id_in_the_holdout_is_silent_from_the_link_on() -> None:
    holdout = Holdout(share=0.3, key=11)
    ids = np.arange(400)
    drawn = holdout.draws(ids)
    live, held = ids[~drawn][:50], ids[drawn][:50]
    links = Links.of(
        np.concatenate([live, ids[~drawn][100:150]]),
        np.concatenate([held, ids[~drawn][200:250]]),
        at_ms=np.full(100, 1000),
    )
    later = replace(holdout, links=links)
    assert (later(links.resolve(live)) == Mode.HOLDOUT).all()
    assert (later(live) == Mode.HOLDOUT).all()
    assert (later(links.resolve(ids[~drawn][100:150])) == Mode.LIVE).all()
    np.testing.assert_array_equal(replace(holdout, links=links.until(999))(ids), holdout(ids))
    # Whichever way round they are linked.
    turned = replace(holdout, links=Links.of(held, live, at_ms=np.zeros(50, np.int64)))
    assert (turned(np.concatenate([live, held])) == Mode.HOLDOUT).all()
    assert set(merged_across_groups(links, holdout.draws)) == set(held)


def test_a_link_table_is_read_in_the_codes_of_the_vocabulary() -> None:
    """Codes that were given stay; ids nobody has seen are appended."""
    users = pa.array(["anna", "phone-1", "tablet-2"])
    table = pa.table(
        {
            "device": ["tablet-2", "phone-1", "new-phone"],
            "user": ["anna", "zoe", "anna"],
            "time": ["2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z", "2024-05-03T00:00:00Z"],
        }
    )
    links, grown = links_of(table, users)
    assert grown.to_pylist() == ["anna", "phone-1", "tablet-2", "new-phone", "zoe"]
    assert links.resolve(np.arange(5)).tolist() == [0, 4, 0, 0, 4]
    assert links.until(1_714_521_600_000).n_rows == 1
    numbers = pa.table({"device": [30], "user": [10], "time": [1_700_000_000]})
    links, grown = links_of(numbers, pa.array([10, 20], pa.int64()))
    assert grown.to_pylist() == [10, 20, 30]
    assert links.resolve(np.array([2])).tolist() == [0]


def test_devices_with_names_join_users_with_numbers() -> None:
    """The vocabulary becomes text, codes stay; the device 007 is not the user 7."""
    users = pa.array([7, 20], pa.int64())
    for device in ("phone-1", "007"):
        table = pa.table({"device": [device], "user": ["20"], "time": [1_700_000_000]})
        links, grown = links_of(table, users)
        assert grown.to_pylist() == ["7", "20", device]
        assert links.resolve(np.arange(3)).tolist() == [0, 1, 1]
    table = pa.table({"device": ["7"], "user": ["20"], "time": [1_700_000_000]})
    links, grown = links_of(table, users)
    assert grown.to_pylist() == [7, 20]
    assert links.resolve(np.arange(2)).tolist() == [1, 1]


def test_a_link_counts_in_the_end_however_late_it_is() -> None:
    assert links_from([(8, 1, 2**62)]).resolve(np.array([8])).tolist() == [1]


def test_a_link_table_with_holes_is_refused() -> None:
    users = pa.array(["a"])
    with pytest.raises(BadInputError, match="missing: time"):
        links_of(pa.table({"device": ["b"], "user": ["a"]}), users)
    holes = pa.table({"device": ["b", None], "user": ["a", "a"], "time": [1.7e9, 1.7e9]})
    with pytest.raises(BadInputError, match="in row 1"):
        links_of(holes, users)
    blank = pa.table({"device": ["b", " "], "user": ["a", "a"], "time": [1.7e9, 1.7e9]})
    with pytest.raises(BadInputError, match="in row 1"):
        links_of(blank, users)
    lists = pa.table({"device": [["b"]], "user": ["a"], "time": [1.7e9]})
    with pytest.raises(BadInputError, match="one value a row in the ids of links"):
        links_of(lists, users)
