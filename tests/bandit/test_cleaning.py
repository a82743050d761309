from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.cleaning import clean
from bandit.cleaning_report import CleaningReport
from bandit.errors import BadInputError
from bandit.events import ACTIONS, NO_ITEM, Events
from bandit.ingest import RawEvents, read_events
from bandit.vocabulary import Vocabulary

T0, DAY_MS = 1_700_000_000_000, 86_400_000

ROWS = [
    {
        "user": "b",
        "item": "x",
        "category": "c",
        "time": T0 + 5,
        "action": "purchase",
        "amount": 2.0,
    },
    {"user": "a", "item": "y", "category": "c", "time": T0 + 3, "action": "view", "amount": None},
    {"user": "a", "item": "x", "category": "d", "time": T0 + 1, "action": "cart", "amount": 1.5},
]


def raw_of(rows: list[dict[str, Any]]) -> RawEvents:
    return RawEvents(table=pa.Table.from_pylist(rows), n_malformed=0)


def test_single_unreadable_times_are_dropped_and_counted() -> None:
    """One bad cell never sinks the batch."""
    rows = [dict(ROWS[0], time=str(T0 + n)) for n in range(9)] + [dict(ROWS[0], time="?")]
    _, _, report = clean(raw_of(rows))
    assert report.dropped["missing or unreadable time"] == 1
    assert report.n_kept == 9


def test_every_reason_for_dropping_is_counted_once_and_adds_up() -> None:
    """Missing, undefined, out of range, duplicate."""
    good = {"user": "a", "item": "x", "category": "c", "time": T0, "action": "view", "amount": 1.0}
    rows = [
        good,
        good,
        good | {"time": T0 + 1},
        good | {"user": None},
        good | {"item": None, "category": None},
        good | {"time": None},
        good | {"time": -5},
        good | {"action": "dance"},
        good | {"user": None, "action": "dance"},
    ]
    events, _, report = clean(raw_of(rows))
    counts = {why: n for why, n in report.dropped.items() if n}
    assert counts == {
        "missing user": 2,
        "missing item and category": 1,
        "missing or unreadable time": 1,
        "time out of range": 1,
        "undefined action": 1,
        "exact duplicate": 1,
    }
    assert report.n_in == len(rows) == report.n_kept + sum(report.dropped.values())
    assert events.n_rows == 2


def test_synonyms_of_actions_are_read_and_told() -> None:
    """``pv`` is a view, ``buy`` a purchase."""
    rows = [dict(ROWS[0], action=word, time=T0 + n) for n, word in enumerate(["pv", "buy"])]
    events, _, report = clean(raw_of(rows))
    assert sorted(ACTIONS[a] for a in events.action) == ["purchase", "view"]
    assert sum(report.synonyms.values()) == 2


def test_actions_that_are_not_understood_are_named() -> None:
    """In the report, and in the error where nothing else is left."""
    rows = [dict(ROWS[0], action=word, time=T0 + n) for n, word in enumerate(["dance", "buy"])]
    assert any("'dance' 1" in line for line in clean(raw_of(rows))[2].lines())
    with pytest.raises(BadInputError, match=r"'dance' 1.*purchase"):
        clean(raw_of(rows[:1]))


def test_outlying_amounts_are_capped_by_category_and_counted() -> None:
    """A million in a category of tens; the same million is ordinary among yachts."""
    rng = np.random.default_rng(2)
    rows = []
    for n in range(400):
        amounts = {"bread": 10 * rng.lognormal(0, 0.3), "yacht": 1e6 * rng.lognormal(0, 0.3)}
        rows += [dict(ROWS[0], category=c, time=T0 + n, amount=a) for c, a in amounts.items()]
    rows.append(dict(ROWS[0], category="bread", time=T0 + 999, amount=1e6))
    events, _, report = clean(raw_of(rows))
    assert report.n_capped == 1
    assert events.amount[events.at_ms == T0 + 999].max() < 1e4
    assert events.amount.max() > 9e5


def test_caps_are_fitted_on_the_training_range_only() -> None:
    """What comes later is capped by it and does not move it."""
    rng = np.random.default_rng(3)
    early = [dict(ROWS[0], time=T0 + n, amount=10 * rng.lognormal(0, 0.2)) for n in range(300)]
    late = [dict(ROWS[0], time=T0 + 1000 + n, amount=1e5 + n) for n in range(300)]
    capped, _, report = clean(raw_of(early + late), fit_until_ms=T0 + 1000)
    assert report.n_capped == 300
    assert capped.amount.max() < 1000


def test_the_training_range_may_be_made_of_the_clean_events() -> None:
    """The first half here; what is ordinary in the second does not count."""
    rng = np.random.default_rng(3)
    amounts = [10 * rng.lognormal(0, 0.2) for _ in range(300)] + [1e5] * 300
    rows = [dict(ROWS[0], time=T0 + n, amount=a) for n, a in enumerate(amounts)]

    def half(events: Events, words: Vocabulary) -> int:
        assert (events.n_rows, words.users.to_pylist()) == (600, ["b"])
        return int(np.median(events.at_ms))

    assert clean(raw_of(rows), fit_until_ms=half)[2].n_capped == 300
    assert clean(raw_of(rows))[2].n_capped < 300


def test_a_row_without_a_user_stands_under_its_device() -> None:
    """Until a link says whose it is; a row with neither is dropped."""
    rows = [
        dict(ROWS[0], user=7, device=None),
        dict(ROWS[0], user=None, device="phone-3"),
        dict(ROWS[0], user=None, device=None),
    ]
    events, words, report = clean(raw_of(rows))
    assert [words.users[int(u)].as_py() for u in events.user] == ["7", "phone-3"]
    assert report.n_by_device == 1
    assert report.dropped["missing user"] == 1
    assert any("under their device" in line for line in report.lines())


@given(st.permutations(range(6)))
def test_the_order_of_lines_does_not_matter(order: list[int]) -> None:
    """Canonical events, whatever came first; ties by action, then item."""
    rows = [dict(ROWS[i % 3], time=T0 + i // 3, item=f"i{i % 2}") for i in range(6)]
    one, _, _ = clean(raw_of(rows))
    other, _, _ = clean(raw_of([rows[i] for i in order]))
    np.testing.assert_array_equal(one.at_ms, other.at_ms)
    np.testing.assert_array_equal(one.action, other.action)
    np.testing.assert_array_equal(one.amount, other.amount)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_an_empty_cell_is_no_item(nothing: str | None) -> None:
    """It has no code, and no place in the vocabulary."""
    rows = [dict(ROWS[0], item=nothing), ROWS[1]]
    events, words, _ = clean(raw_of(rows))
    assert sorted(events.item.tolist()) == [NO_ITEM, 0]
    assert words.items.to_pylist() == ["y"]


def test_not_a_number_is_no_item_either() -> None:
    table = pa.table(
        {
            "user": [1, 1],
            "item": [5.0, float("nan")],
            "category": ["c", "c"],
            "time": [T0, T0 + 1],
            "action": ["view", "view"],
        }
    )
    events, words, _ = clean(RawEvents(table=table, n_malformed=0))
    assert events.item.tolist() == [0, NO_ITEM]
    assert words.items.to_pylist() == [5.0]


def test_rows_of_a_csv_whose_user_is_a_word_for_nothing_are_dropped(tmp_path: Path) -> None:
    """They would be one very busy person called NaN; those with a device stand under it."""
    path = tmp_path / "a.csv"
    lines = [f"u1,,x,{T0},view", f"NaN,,x,{T0},view", f"null,d,x,{T0},view"]
    path.write_text("\n".join(["user,device,item,time,action", *lines]))
    _, words, report = clean(read_events(path))
    assert words.users.to_pylist() == ["d", "u1"]
    assert (report.dropped["missing user"], report.n_by_device) == (1, 1)


def test_a_session_needs_no_item() -> None:
    rows = [dict(ROWS[0], item=None, category=None, action=a) for a in ("session", "view")]
    events, _, report = clean(raw_of(rows))
    assert [ACTIONS[a] for a in events.action] == ["session"]
    assert report.dropped["missing item and category"] == 1


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1e2", 100.0), (".5", 0.5), ("5.", 5.0), (" -3.25 ", -3.25), ("1,5", None), ("$5", None)],
)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_amounts_in_text_are_numbers_or_missing(
    kind: pa.DataType, text: str, amount: float | None
) -> None:
    """What is not surely a number is missing, counted and told, never guessed."""
    table = raw_of([dict(ROWS[0], time=T0 + n) for n in range(6)]).table
    texts = pa.array([text, "oops", "1", "2", "", "NA"], kind)
    table = table.set_column(table.column_names.index("amount"), "amount", texts)
    events, _, report = clean(RawEvents(table=table, n_malformed=0))
    assert np.isnan(events.amount[1])
    assert events.amount[2:4].tolist() == [1.0, 2.0]
    assert report.n_missing_amount == (4 if amount is None else 3)
    assert report.unreadable["amount"] == (2 if amount is None else 1)
    assert any("cells of amount cannot be read" in line for line in report.lines())
    if amount is not None:
        assert events.amount[0] == amount


@pytest.mark.parametrize("name", ["amount", "rating"])
def test_a_column_of_which_most_cells_are_no_numbers_is_refused(name: str) -> None:
    """With its first bad row: decimal commas are no missing amounts."""
    rows = [dict(ROWS[0], time=T0 + n, **{name: f"{n},50"}) for n in range(9)]
    rows[0][name] = ""
    with pytest.raises(BadInputError, match=f"'{name}'; 8 of 8 cells .* first is row 1: '1,50'"):
        clean(raw_of(rows))


def test_one_bad_number_is_no_bad_column_however_few_there_are() -> None:
    rows = [dict(ROWS[0], time=T0 + n, rating=None) for n in range(99)]
    rows.append(dict(ROWS[0], rating="five"))
    assert clean(raw_of(rows))[2].unreadable["rating"] == 1


def test_an_infinite_amount_is_none() -> None:
    rows = [dict(ROWS[0], time=T0 + n, amount=float(n)) for n in range(5)]
    events, _, report = clean(raw_of([*rows, dict(ROWS[0], time=T0 + 9, amount=float("inf"))]))
    assert np.isnan(events.amount[-1])
    assert report.unreadable["amount"] == 1


@pytest.mark.parametrize("stray_ms", [T0 - 3_000 * DAY_MS, T0 + 20_000 * DAY_MS])
def test_a_time_far_from_all_others_is_dropped_and_counted(stray_ms: int) -> None:
    """One purchase of 2078 would make a log of one year one of fifty."""
    rows = [dict(ROWS[0], time=T0 + n * DAY_MS) for n in range(300)]
    events, _, report = clean(raw_of([*rows, dict(ROWS[0], time=stray_ms)]))
    assert report.dropped["time far from all others"] == 1
    assert report.n_in == report.n_kept + sum(report.dropped.values())
    assert events.n_rows == 300


def test_early_days_and_gaps_of_months_are_not_far() -> None:
    """Up to a year beside the middle 99 %, or as far as these are long; few rows say nothing."""
    days = [*range(600), 900, -500]
    rows = [dict(ROWS[0], time=T0 + n * DAY_MS) for n in days]
    assert clean(raw_of(rows))[0].n_rows == len(days)
    brief = [dict(ROWS[0], time=T0 + n) for n in range(1000)]
    assert clean(raw_of([*brief, dict(ROWS[0], time=T0 + 364 * DAY_MS)]))[0].n_rows == 1001
    assert clean(raw_of([ROWS[0], dict(ROWS[1], time=T0 + 9_000 * DAY_MS)]))[0].n_rows == 2


def test_zeros_are_no_times() -> None:
    """In seconds too: the year 1970 stands for nothing known."""
    rows = [dict(ROWS[0], time=T0 // 1000 + n) for n in range(9)] + [dict(ROWS[0], time=0)]
    assert clean(raw_of(rows))[2].dropped["time out of range"] == 1


def test_words_that_differ_by_capitals_are_counted_together() -> None:
    words = ["PV", "pv", "Dance", "dance", " DANCE ", "view"]
    rows = [dict(ROWS[0], action=word, time=T0 + n) for n, word in enumerate(words)]
    _, _, report = clean(raw_of(rows))
    assert report.synonyms == {"pv as view": 2}
    assert report.undefined == {"dance": 3}


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_a_missing_action_is_missing_and_not_undefined(nothing: str | None) -> None:
    _, _, report = clean(raw_of([*ROWS, dict(ROWS[0], action=nothing)]))
    assert (report.dropped["missing action"], report.dropped["undefined action"]) == (1, 0)


def test_zones_of_users_and_texts_of_items_are_kept() -> None:
    """The last that is known of each; what is no zone is counted and told."""
    rows = [
        dict(ROWS[0], user="a", item="x", time=T0 + 1, zone="Asia/Tokyo", text="old name"),
        dict(ROWS[0], user="a", item="x", time=T0 + 2, zone="Europe/Berlin", text="name"),
        dict(ROWS[0], user="a", item="y", time=T0 + 3, zone=None, text=None),
        dict(ROWS[0], user="b", item="x", time=T0 + 4, zone="Mars/Olympus", text=" "),
    ]
    _, words, report = clean(raw_of(rows))
    assert dict(zip(words.users.to_pylist(), words.zones.to_pylist(), strict=True)) == {
        "a": "Europe/Berlin",
        "b": None,
    }
    assert words.texts.to_pylist() == ["name", None]
    assert report.unreadable["zone"] == 1
    assert "  1 cells of zone cannot be read and count as missing" in report.lines()
    _, without, _ = clean(raw_of(ROWS))
    assert without.zones.to_pylist() == [None, None]


def test_it_is_told_where_times_without_a_zone_were_read() -> None:
    column = pa.array([T0, T0 + 1, T0 + 2], pa.timestamp("ms"))
    table = raw_of(ROWS).table
    for kind, told in ((column, True), (column.cast(pa.timestamp("ms", "UTC")), False)):
        timed = table.set_column(table.column_names.index("time"), "time", kind)
        _, _, report = clean(RawEvents(table=timed, n_malformed=0), assumed_zone="Asia/Tokyo")
        assert any("the clock of Asia/Tokyo" in line for line in report.lines()) == told


def test_columns_given_by_code_are_read_as_their_words() -> None:
    """Dictionary columns clean to the same events as plain ones."""
    plain = raw_of(ROWS).table
    coded = plain
    for place, name in enumerate(plain.column_names):
        if name != "time":
            coded = coded.set_column(place, name, plain[name].dictionary_encode())
    one, _, _ = clean(RawEvents(table=plain, n_malformed=0))
    other, _, _ = clean(RawEvents(table=coded, n_malformed=0))
    for name in Events.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_seconds_among_milliseconds_are_dropped_and_counted() -> None:
    """They are no purchases of January 1970."""
    rows = [dict(ROWS[0], time=T0 + n) for n in range(5)] + [dict(ROWS[0], time=T0 // 1000)]
    events, _, report = clean(raw_of(rows))
    assert report.dropped["missing or unreadable time"] == 1
    assert events.at_ms.min() == T0


def test_the_range_of_times_is_half_open() -> None:
    rows = [dict(ROWS[0], time=T0 + n) for n in range(4)]
    events, _, report = clean(raw_of(rows), first_ms=T0 + 1, last_ms=T0 + 3)
    assert events.at_ms.tolist() == [T0 + 1, T0 + 2]
    assert report.dropped["time out of range"] == 2


def test_nothing_usable_is_an_error_that_says_why() -> None:
    with pytest.raises(BadInputError, match="'undefined action': 3"):
        clean(raw_of([dict(row, action="dance") for row in ROWS]))


def test_rows_that_differ_in_one_column_are_no_duplicates() -> None:
    """Missing amounts are equal to each other; an amount and none are not."""
    base = dict(ROWS[0], amount=None)
    rows = [base, base, base | {"amount": 1.0}, base | {"item": "z"}, base | {"time": T0}]
    events, _, report = clean(raw_of(rows))
    assert report.dropped["exact duplicate"] == 1
    assert events.n_rows == 4


def test_the_cap_is_six_robust_deviations_of_the_log_amount() -> None:
    """Recomputed by hand: median and MAD of log(1 + amount) in the category."""
    amounts = [*np.linspace(5, 15, 21), 1e6]
    rows = [dict(ROWS[0], time=T0 + n, amount=float(a)) for n, a in enumerate(amounts)]
    events, _, report = clean(raw_of(rows))
    logs = np.log1p(amounts)
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
    assert report.n_capped == 1
    assert events.amount[-1] == pytest.approx(np.expm1(np.median(logs) + 6 * spread))
    np.testing.assert_array_equal(events.amount[:-1], amounts[:-1])


def test_categories_of_few_or_equal_amounts_are_not_capped() -> None:
    """Nine amounts say nothing of what is usual, and no spread is no measure."""
    few = [dict(ROWS[0], time=T0 + n, amount=10.0 + n) for n in range(8)]
    few.append(dict(ROWS[0], time=T0 + 8, amount=1e6))
    same = [dict(ROWS[0], category="e", time=T0 + n, amount=3.0) for n in range(30)]
    same.append(dict(ROWS[0], category="e", time=T0 + 31, amount=1e6))
    assert clean(raw_of(few + same))[2].n_capped == 0


def test_the_report_says_what_was_done_in_plain_lines() -> None:
    good = [dict(ROWS[0], time=T0 + n) for n in range(1200)]
    _, _, report = clean(
        RawEvents(table=pa.Table.from_pylist([*good, dict(ROWS[0], action="dance")]), n_malformed=2)
    )
    assert report.lines()[0] == "1,203 rows came, 1,200 kept"
    assert "  dropped 2: malformed line" in report.lines()
    assert "  dropped 1: undefined action" in report.lines()
    assert not any("dropped 0" in line for line in report.lines())
    assert not any("capped" in line for line in report.lines())


def test_the_report_says_how_many_amounts_were_capped() -> None:
    """Changed numbers are told as dropped rows are."""
    report = CleaningReport(n_in=1200, n_kept=1200, n_capped=1100)
    assert report.lines() == [
        "1,200 rows came, 1,200 kept",
        "  capped 1,100 outlying amounts at their category's limit",
    ]


@given(st.permutations(range(8)))
def test_lines_in_any_order_give_the_same_events_and_words(order: list[int]) -> None:
    """Every column, the vocabulary and the report."""
    rows = [
        dict(ROWS[n % 3], time=T0 + n // 4, rating=float(n % 2), amount=None if n == 5 else 1.0)
        for n in range(7)
    ]
    rows.append(rows[0])
    one, words, report = clean(raw_of(rows))
    other, same_words, same_report = clean(raw_of([rows[n] for n in order]))
    for name in Events.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert words == same_words
    assert report == same_report
