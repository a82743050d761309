from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from bandit.errors import BadInputError
from bandit.slots import local_midnight_ms
from bandit.vocabulary import Vocabulary
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


def written(table: pa.Table, path: Path) -> Path:
    pa_csv.write_csv(table, path)
    return path


def with_column(table: pa.Table, name: str, values: object) -> pa.Table:
    place = table.column_names.index(name) if name in table.column_names else table.num_columns
    kept = table.drop_columns([name]) if name in table.column_names else table
    return kept.add_column(place, name, pa.array(values))


def test_purchases_without_a_category_are_counted_not_forgotten(
    shop_file: Path, tmp_path: Path
) -> None:
    """Where most have one; where few have, the items themselves are what is pushed."""
    table = pa_csv.read_csv(shop_file)
    table = with_column(table, "item", [f"i{n % 7}" for n in range(table.num_rows)])
    names = table["category"].to_pylist()
    few = with_column(table, "category", [None, None, None, *names[3:]])
    shop = load_shop(written(few, tmp_path / "few.csv"), zone="UTC", columns=()).shop
    assert (shop.n_left_out, shop.events.n_rows) == (3, table.num_rows - 3)
    assert "; 3 purchases name none" in shop.note
    assert shop.restricted_to(np.arange(5)).n_left_out == 3
    most = with_column(table, "category", [*names[:9], *[None] * (len(names) - 9)])
    shop = load_shop(written(most, tmp_path / "most.csv"), zone="UTC", columns=()).shop
    assert (shop.n_left_out, shop.events.n_rows) == (0, table.num_rows)
    assert set(shop.item_names) == {f"i{n}" for n in range(7)}


def test_users_who_only_look_are_no_buyers(shop_file: Path, tmp_path: Path) -> None:
    """They are cleaned and counted, and nothing is decided for them."""
    table = pa_csv.read_csv(shop_file)
    views = with_column(table, "action", ["view"] * table.num_rows)
    views = with_column(views, "user", [f"a{n % 90}" for n in range(table.num_rows)])
    path = written(pa.concat_tables([views, table]), tmp_path / "views.csv")
    plain, mixed = (load_shop(f, zone="UTC", columns=()) for f in (shop_file, path))
    assert "130 users, 0 items, 12 categories" in mixed.lines
    for name in ("n_users", "buy_user", "buy_item", "active_user", "active_slot"):
        np.testing.assert_array_equal(getattr(mixed.shop, name), getattr(plain.shop, name))
    np.testing.assert_array_equal(mixed.shop.events.user, plain.shop.events.user)


def test_one_stray_date_does_not_move_the_training_range(shop_file: Path, tmp_path: Path) -> None:
    """A purchase of 2080 is dropped and told."""
    table = pa_csv.read_csv(shop_file)
    times = table["time"].to_pylist()
    stray = with_column(table, "time", [3_471_292_800_000, *times[1:]])
    found = load_shop(written(stray, tmp_path / "stray.csv"), zone="UTC", columns=())
    plain = load_shop(shop_file, zone="UTC", columns=())
    assert found.shop.train_days == plain.shop.train_days
    assert "  dropped 1: time far from all others" in found.lines


def test_days_are_cut_in_the_zone_of_most_users(shop_file: Path, tmp_path: Path) -> None:
    """If the file says so and nobody else does."""
    table = pa_csv.read_csv(shop_file)
    zones = [
        "Asia/Tokyo" if user < "u30" else "Europe/Berlin" for user in table["user"].to_pylist()
    ]
    path = written(with_column(table, "zone", zones), tmp_path / "zones.csv")
    found = load_shop(path, zone=None, columns=())
    assert found.shop.zone == "Asia/Tokyo"
    assert "  10 users are in other zones; all days are cut in Asia/Tokyo" in found.lines
    assert load_shop(path, zone="UTC", columns=()).shop.zone == "UTC"
    assert load_shop(shop_file, zone=None, columns=()).shop.zone == "UTC"


def test_caps_are_fitted_before_the_first_online_midnight_and_not_a_row_later(
    shop_file: Path, tmp_path: Path
) -> None:
    """Whatever the online days hold, and however long somebody looks on after the last purchase."""
    table = pa_csv.read_csv(shop_file)
    plain = load_shop(shop_file, zone="America/New_York", columns=())
    ends_ms = plain.shop.train_until_ms
    times, amounts = np.array(table["time"]), np.array(table["amount"])
    dear = with_column(table, "amount", np.where(times < ends_ms, amounts, 1e6 * amounts + 1e6))
    views = with_column(table.slice(0, 500), "action", ["view"] * 500)
    views = with_column(views, "time", times.max() + 86_400_000 * np.arange(1, 501))
    for name, rows in (("dear", dear), ("views", pa.concat_tables([dear, views]))):
        found = load_shop(written(rows, tmp_path / f"{name}.csv"), zone=plain.shop.zone, columns=())
        assert found.shop.train_until_ms == ends_ms
        early = found.shop.events.at_ms < ends_ms
        capped = plain.shop.events.amount[early]
        np.testing.assert_array_equal(found.shop.events.amount[early], capped)
        assert found.shop.events.amount[~early].max() < 1e6


def test_more_than_memory_holds_is_refused_before_anything_is_done(
    shop_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.purchases.MAX_USER_DAYS", 40 * 60 - 1)
    with pytest.raises(BadInputError, match=r"2,399 user-days, got 40 users who bought x 60 days"):
        load_shop(shop_file, zone="America/New_York", columns=())


def test_purchases_that_no_decision_can_be_made_for_are_refused(
    shop_file: Path, tmp_path: Path
) -> None:
    """At once, not by the first decision of 2039 after the encoder has been trained."""
    table = pa_csv.read_csv(shop_file)
    ahead_ms = 2_198_000_000_000 - 1_727_755_200_000
    later = with_column(table, "time", np.asarray(table["time"]) + ahead_ms)
    with pytest.raises(BadInputError, match=r"before September 2039, .* got some on 2039-10-"):
        load_shop(written(later, tmp_path / "ahead.csv"), zone="UTC", columns=())


def test_events_without_purchases_are_refused(small_shop: Purchases) -> None:
    """There is nothing to walk."""
    none = small_shop.events.take(np.zeros(0, np.int64))
    vocabulary = Vocabulary.__new__(Vocabulary)
    with pytest.raises(BadInputError, match="expected purchases"):
        cut_into_days(none, vocabulary, zone="UTC")


def test_a_column_option_without_an_equals_sign_is_refused() -> None:
    """``--column`` takes pairs."""
    assert column_names(["a=user", "b=time"]) == {"a": "user", "b": "time"}
    assert column_names(["x=1=user", "b=time", "b=time"]) == {"x=1": "user", "b": "time"}
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
