from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.cleaning import clean
from bandit.errors import BadInputError, ForeignFileError
from bandit.events import ACTIONS, Events, canonical_order, histories_of
from bandit.ingest import RawEvents, read_events
from bandit.timestamps import to_epoch_ms

T0 = 1_700_000_000_000

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


def written(folder: Path, kind: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"events.{kind}"
    table = pa.Table.from_pylist(rows)
    if kind == "csv":
        pa_csv.write_csv(table, path)
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def raw_of(rows: list[dict[str, Any]]) -> RawEvents:
    return RawEvents(table=pa.Table.from_pylist(rows), n_malformed=0)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_every_kind_of_file_gives_the_same_events(tmp_path: Path, kind: str) -> None:
    """CSV, Parquet and JSON lines; in canonical order, with originals by code."""
    events, words, report = clean(read_events(written(tmp_path, kind)))
    assert [words.users[int(u)].as_py() for u in events.user] == ["a", "a", "b"]
    assert [words.items[int(i)].as_py() for i in events.item] == ["x", "y", "x"]
    assert events.at_ms.tolist() == [T0 + 1, T0 + 3, T0 + 5]
    assert [ACTIONS[a] for a in events.action] == ["cart", "view", "purchase"]
    np.testing.assert_array_equal(events.amount, [1.5, np.nan, 2.0])
    assert (report.n_in, report.n_kept) == (3, 3)


def test_columns_of_other_names_are_taken_by_map_or_by_a_known_header(tmp_path: Path) -> None:
    """Named by hand, or recognised."""
    names = {"item": "product_id", "time": "event_time", "user": "user_id", "action": "event_type"}
    known = [{names.get(k, k): v for k, v in row.items() if k != "category"} for row in ROWS]
    known = [row | {"category_code": "c", "price": 1.0} for row in known]
    assert read_events(written(tmp_path, "csv", known)).table.num_rows == 3
    own = [{"who": row["user"], **{k: v for k, v in row.items() if k != "user"}} for row in ROWS]
    path = written(tmp_path, "parquet", own)
    assert "user" in read_events(path, columns={"who": "user"}).table.column_names
    with pytest.raises(BadInputError, match="user"):
        read_events(path)
    with pytest.raises(BadInputError, match="whom"):
        read_events(path, columns={"whom": "user"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("empty.csv", b""),
        ("head.csv", b"user,item,time,action\n"),
        ("cut.parquet", b"PAR1 and no more"),
        ("list.jsonl", b"[1, 2"),
        ("events.xlsx", b"PK"),
    ],
)
def test_what_is_no_whole_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Absent, empty, truncated or of another kind."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ForeignFileError, match=name):
        read_events(path)


def test_a_truncated_parquet_file_is_not_half_read(tmp_path: Path) -> None:
    """Cut in its middle."""
    path = written(tmp_path, "parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ForeignFileError, match="whole"):
        read_events(path)


def test_a_ragged_line_is_counted_and_does_not_sink_the_file(tmp_path: Path) -> None:
    """The others are read."""
    path = tmp_path / "ragged.csv"
    path.write_text(
        f"user,item,time,action\na,x,{T0},view\na,x\nb,x,{T0},view,extra\nb,y,{T0},buy\n"
    )
    events, _, report = clean(read_events(path))
    assert events.n_rows == 2
    assert report.dropped["malformed line"] == 2
    assert report.n_in == report.n_kept + sum(report.dropped.values())


@pytest.mark.parametrize(
    "column",
    [
        [1_700_000_000, 1_700_000_001],
        [1_700_000_000_000, 1_700_000_001_000],
        [1_700_000_000.0, 1_700_000_001.0],
        ["1700000000", "1700000001"],
        ["2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"],
        ["2023-11-14 22:13:20 UTC", "2023-11-14 22:13:21 UTC"],
        ["2023-11-15T03:43:20+05:30", "2023-11-15T03:43:21+0530"],
        ["2023-11-14T17:13:20.000-05:00", "2023-11-14T17:13:21.000-05:00"],
    ],
)
def test_times_are_read_as_people_write_them(column: list[Any]) -> None:
    """Epoch seconds and milliseconds, ISO-8601 with a zone."""
    at_ms, readable = to_epoch_ms(pa.array(column))
    assert readable.all()
    assert at_ms.tolist() == [1_700_000_000_000, 1_700_000_001_000]


@given(st.integers(10_000_000_000, 4_000_000_000_000))
def test_a_millisecond_is_never_lost(at_ms: int) -> None:
    """As an integer, as text, and as ISO-8601 with a fraction."""
    iso = datetime.fromtimestamp(at_ms // 1000, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%S")
    for column in ([at_ms], [str(at_ms)], [f"{iso}.{at_ms % 1000:03}Z"]):
        assert to_epoch_ms(pa.array(column))[0].tolist() == [at_ms]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (["yesterday", "today"], "row 0: 'yesterday'"),
        (["2023-11-14T22:13:20", "2023-11-14T22:13:21"], "row 0"),
        (["2023-11-14T22:13:20Z", "14.11.2023", "15.11.2023"], "row 1"),
        ([True, False], "bool"),
    ],
)
def test_a_column_that_fits_no_format_is_refused_with_its_first_bad_row(
    column: list[Any], says: str
) -> None:
    """A local time without its zone is no instant."""
    with pytest.raises(BadInputError, match=says):
        to_epoch_ms(pa.array(column), name="when")


def test_timestamps_without_a_zone_need_one_named() -> None:
    """And are then read by its wall clock, the repeated hour as the first of the two."""
    column = pa.array([datetime(2026, 7, 1, 12), datetime(2026, 11, 1, 1, 30)], pa.timestamp("us"))
    with pytest.raises(BadInputError, match="zone"):
        to_epoch_ms(column)
    at_ms, _ = to_epoch_ms(column, assumed_zone="America/New_York")
    expected = ["2026-07-01T12:00-04:00", "2026-11-01T01:30-04:00"]
    assert at_ms.tolist() == [int(datetime.fromisoformat(t).timestamp() * 1000) for t in expected]


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


def test_a_share_of_the_time_range_fits_caps_too() -> None:
    """The first half here; what is ordinary in the second does not count."""
    rng = np.random.default_rng(3)
    amounts = [10 * rng.lognormal(0, 0.2) for _ in range(300)] + [1e5] * 300
    rows = [dict(ROWS[0], time=T0 + n, amount=a) for n, a in enumerate(amounts)]
    assert clean(raw_of(rows), fit_share=0.5)[2].n_capped == 300
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
