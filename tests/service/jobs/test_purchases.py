from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pytest

from bandit.errors import BadInputError
from bandit.slots import local_midnight_ms
from service.jobs.purchases import EDGES_H, Purchases, cut_into_days
from service.jobs.shop_data import column_names, load_shop


def test_days_begin_at_local_midnight_also_when_the_clock_changes(small_shop: Purchases) -> None:
    """3 November 2024 has 25 hours there; its first window is the one that is longer."""
    autumn = (date(2024, 11, 3) - small_shop.first_day).days
    edges = small_shop.edges_ms[autumn]
    assert edges[0] == local_midnight_ms(date(2024, 11, 3), "America/New_York")
    assert (np.diff(edges) / 3_600_000).tolist() == [5, 4, 4, 4, 4, 4]
    assert (small_shop.edges_ms[1:, 0] == small_shop.edges_ms[:-1, -1]).all()


def test_hits_are_the_purchases_of_that_day_by_category_and_window(small_shop: Purchases) -> None:
    """Counted naively from the events."""
    day = 41
    start, end = small_shop.edges_ms[day, 0], small_shop.edges_ms[day, -1]
    naive = np.zeros((small_shop.n_users, small_shop.n_items, small_shop.n_slots), np.bool_)
    events = small_shop.events
    for user, at_ms, code in zip(events.user, events.at_ms, events.item, strict=True):
        where = np.flatnonzero(small_shop.item_codes == code)
        if start <= at_ms < end and len(where):
            slot = int(np.searchsorted(small_shop.edges_ms[day], at_ms, side="right")) - 1
            naive[user, where[0], slot] = True
    assert naive.any()
    np.testing.assert_array_equal(small_shop.hits(day), naive)


def test_items_are_the_categories_bought_most_in_the_training_range(small_shop: Purchases) -> None:
    """By household-days, most first, and only training days count."""
    rows = small_shop.buy_day < small_shop.train_days
    columns = (small_shop.buy_item[rows], small_shop.buy_user[rows], small_shop.buy_day[rows])
    pairs = np.unique(np.column_stack(columns), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=small_shop.n_items)
    assert (np.diff(counts) <= 0).all()


def test_fewer_users_are_the_same_shop_without_the_others(small_shop: Purchases) -> None:
    """Renumbered in the order asked for, days and items unchanged."""
    users = np.array([7, 3, 21])
    fewer = small_shop.restricted_to(users)
    np.testing.assert_array_equal(fewer.hits(50), small_shop.hits(50)[users])
    assert fewer.item_names == small_shop.item_names
    assert fewer.events.n_rows == int(np.isin(small_shop.events.user, users).sum())


def test_a_short_file_is_refused_with_what_is_needed(shop_file: Path, tmp_path: Path) -> None:
    """The job trains and walks; three weeks are not enough for both."""
    table = pa_csv.read_csv(shop_file)
    early = table.filter(np.asarray(table["time"]) < 1_727_755_200_000 + 20 * 86_400_000)
    pa_csv.write_csv(early, tmp_path / "short.csv")
    with pytest.raises(BadInputError, match="at least 28 days of purchases, got 20"):
        load_shop(tmp_path / "short.csv", zone="America/New_York", columns=())


def test_events_without_purchases_are_refused(small_shop: Purchases) -> None:
    """There is nothing to walk."""
    from bandit.cleaning import Vocabulary

    none = small_shop.events.take(np.zeros(0, np.int64))
    vocabulary = Vocabulary.__new__(Vocabulary)
    with pytest.raises(BadInputError, match="expected purchases"):
        cut_into_days(none, vocabulary, zone="UTC")


def test_a_column_option_without_an_equals_sign_is_refused() -> None:
    """``--column`` takes pairs."""
    assert column_names(["a=user", "b=time"]) == {"a": "user", "b": "time"}
    with pytest.raises(BadInputError, match="YOURS=OURS"):
        column_names(["user"])


def test_an_unknown_zone_is_refused_by_name(shop_file: Path) -> None:
    """Windows of nowhere cannot be cut."""
    with pytest.raises(BadInputError, match="Mars/Olympus"):
        load_shop(shop_file, zone="Mars/Olympus", columns=())


def test_six_windows_cover_the_day() -> None:
    """Edges in wall-clock hours."""
    assert EDGES_H[0] == 0
    assert EDGES_H[-1] == 24
