from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.errors import BadInputError
from bandit.timestamps import FIRST_MS, LAST_MS, to_epoch_ms

T0 = 1_700_000_000_000


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


@given(st.integers(FIRST_MS, LAST_MS - 1))
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
        ([True, False], "row 0: true .*bool"),
        ([None, None], "row 0: None"),
        ([date(2023, 11, 14)], r"row 0: 2023-11-14 \(Arrow type date32"),
        ([time(22, 13)], "row 0: 22:13"),
        ([[T0]], r"row 0: \[1700000000000\]"),
        ([T0 * 1000], "row 0: 1700000000000000 .*int64"),
        ([0, 1, 2, 3], "4 of 4 rows fit none, the first is row 0: 0 "),
        ([0.25, 0.5], r"row 0: 0\.25"),
        ([-T0, T0, -T0], "2 of 3 rows fit none, the first is row 0: -1700000000000"),
        (pa.array([1.7e9], pa.float32()), r"row 0: 1700000000 \(Arrow type float\)"),
        (["1970-01-01T00:00:00Z"], "row 0: '1970-01-01T00:00:00Z'"),
    ],
)
def test_a_column_that_fits_no_format_is_refused_with_its_first_bad_row(
    column: list[Any], says: str
) -> None:
    """A local time without its zone is no instant, nor is a date, a count or a microsecond."""
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


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2023-11-14t22:13:20z", "2023-11-14T22:13:20+00:00"),
        ("2023-11-14 22:13:20+00", "2023-11-14T22:13:20+00:00"),
        ("2023-11-14T22:13-0930", "2023-11-15T07:43:00+00:00"),
        ("2023-11-14T22+05:30", "2023-11-14T16:30:00+00:00"),
        ("2023-12-31T23:30:00-01", "2024-01-01T00:30:00+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        (" 2023-11-14T22:13:20Z ", "2023-11-14T22:13:20+00:00"),
    ],
)
def test_forms_of_rfc_3339_and_of_databases(text: str, utc: str) -> None:
    """Small letters, whole hours of offset, minutes only, leap days and leap seconds.

    Read alike beside a cell that is none, which the fast reader of whole columns gives up on.
    """
    expected = round(datetime.fromisoformat(utc).timestamp() * 1000)
    for column in ([text], [text, text, "?"]):
        at_ms, readable = to_epoch_ms(pa.array(column))
        assert readable.tolist() == [cell == text for cell in column]
        assert at_ms.tolist() == [expected * (cell == text) for cell in column]


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-04-31T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T22:61:00Z",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20+05:60",
        "2023-11-14T22:13:20",
        "2023-11-14",
        "",
        "NaT",
    ],
)
def test_what_no_calendar_has_is_unreadable(text: str) -> None:
    """30 February is not 2 March; a time without a zone is no instant."""
    at_ms, readable = to_epoch_ms(pa.array(["2023-11-14T22:13:20Z", text]))
    assert readable.tolist() == [True, False]
    assert at_ms.tolist() == [1_700_000_000_000, 0]


def test_a_fraction_is_rounded_to_the_millisecond_and_carries() -> None:
    texts = [f"2023-11-14T22:13:20.{f}Z" for f in ("1", "25", "0004", "9996", "123456789")]
    for column in (texts, [*texts, "?"]):
        at_ms, _ = to_epoch_ms(pa.array(column))
        assert (at_ms[:5] - 1_700_000_000_000).tolist() == [100, 250, 0, 1000, 123]


@pytest.mark.parametrize(
    ("column", "readable"),
    [
        ([T0, 1_700_000_000, T0 + 1], [True, False, True]),
        ([1_700_000_000, T0, 1_700_000_001], [True, False, True]),
        ([0, T0, T0 + 1], [False, True, True]),
        ([1_700_000_000, 2**63 - 1, 1_700_000_001], [True, False, True]),
        ([1.7e9, float(T0), float("nan"), 1.7e9, 1.7e9], [True, False, False, True, True]),
        (["1700000000", str(T0), "1700000001"], [True, False, True]),
    ],
)
def test_a_value_of_the_other_unit_is_unreadable(column: list[Any], readable: list[bool]) -> None:
    """A second read as a millisecond would be a day in January 1970, and nobody would know."""
    assert to_epoch_ms(pa.array(column))[1].tolist() == readable


def test_a_column_of_no_one_unit_is_refused_with_its_first_bad_row() -> None:
    """As many seconds as milliseconds and a word: fewer than half can be read."""
    with pytest.raises(BadInputError, match=r"'when'.*3 of 5 rows fit none.*row 1: '1700000000'"):
        to_epoch_ms(pa.array([str(T0), "1700000000", "soon", str(T0), "1700000000"]), name="when")


@given(st.integers(10_000_000_000, 2**62))
def test_whole_numbers_never_pass_through_a_double(at_ms: int) -> None:
    """Past 2**53 a double would lose the last digits."""
    assert to_epoch_ms(pa.array([T0, T0, at_ms]))[0].tolist() == [T0, T0, at_ms]


def test_unsigned_and_narrow_integers_are_whole_numbers_too() -> None:
    assert to_epoch_ms(pa.array([T0], pa.uint64()))[0].tolist() == [T0]
    assert to_epoch_ms(pa.array([1_700_000_000], pa.int32()))[0].tolist() == [T0]
    beyond, _ = to_epoch_ms(pa.array([T0, T0, 2**63 + 5], pa.uint64()))
    assert not FIRST_MS <= beyond[2] < LAST_MS


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1_700_000_000] * 2 + [-(2**63)]),
        pa.array([T0] * 2 + [-(2**63)]),
        pa.array([1_700_000_000] * 2 + [2**63 + 1], pa.uint64()),
        pa.array([1_700_000_000] * 2 + [2**62], pa.timestamp("s", "UTC")),
        pa.array([1_700_000_000] * 2 + [253_402_300_799], pa.timestamp("s")),
        pa.array([1.7e9, 1.7e9, -1e300]),
    ],
)
def test_no_value_wraps_around_into_our_age(column: pa.Array) -> None:
    """The smallest integer often stands for a missing time; thousand times it is 0."""
    at_ms, readable = to_epoch_ms(column, assumed_zone="Asia/Tokyo")
    assert (readable[:2].all(), at_ms[0]) == (True, at_ms[1])
    assert FIRST_MS <= at_ms[0] < LAST_MS
    assert not (readable[2] and FIRST_MS <= at_ms[2] < LAST_MS)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit_and_zone(unit: str) -> None:
    """The zone of an Arrow timestamp is how it is shown; the instant is UTC."""
    at = [datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo")), None]
    column = pa.chunked_array([pa.array(at, pa.timestamp(unit, tz="Asia/Tokyo"))])
    at_ms, readable = to_epoch_ms(column)
    assert readable.tolist() == [True, False]
    assert at_ms[0] == datetime(2026, 7, 1, 3, tzinfo=ZoneInfo("UTC")).timestamp() * 1000


def test_an_empty_column_is_fine_and_text_by_code_is_text() -> None:
    assert to_epoch_ms(pa.array([], pa.int64()))[0].shape == (0,)
    coded = pa.array(["2023-11-14T22:13:20Z"] * 3).dictionary_encode()
    assert to_epoch_ms(coded)[0].tolist() == [1_700_000_000_000] * 3
