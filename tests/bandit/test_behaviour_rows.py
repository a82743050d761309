from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bandit.behaviour_rows import COLUMNS, behaviour_of, read_behaviour
from bandit.errors import BadInputError, ForeignFileError

HEADER = ",".join(COLUMNS)
GOOD = "0.25,3,19.9,books,purchase"


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "user_behavior.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def refused(folder: Path, *lines: str, header: str = HEADER) -> str:
    with pytest.raises(BadInputError) as caught:
        read_behaviour(written(folder, *lines, header=header))
    return str(caught.value)


def test_rows_come_out_as_columns_of_numbers_and_codes(tmp_path: Path) -> None:
    path = written(
        tmp_path, GOOD, "1,0,,toys, View ", "0.0,1e2,-5, books ,buy", ".5,+2,3.,toys,CLICK"
    )
    rows = read_behaviour(path)
    np.testing.assert_array_equal(rows.time, [0.25, 1.0, 0.0, 0.5])
    np.testing.assert_array_equal(rows.freq, [3.0, 0.0, 100.0, 2.0])
    np.testing.assert_array_equal(rows.amount, [19.9, math.nan, -5.0, 3.0])
    assert rows.categories == ("books", "toys")
    assert rows.category.tolist() == [0, 1, 0, 1]
    assert rows.worth.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert rows.report.n_in == rows.report.n_kept == rows.n_rows == 4
    assert rows.report.n_missing_amount == 1


def test_categories_may_be_numbers(tmp_path: Path) -> None:
    rows = read_behaviour(written(tmp_path, "0.1,1,2,10,click", "0.2,1,2,9,view"))
    assert rows.categories == ("10", "9")


def test_names_are_words_whatever_they_look_like(tmp_path: Path) -> None:
    """Zeros in front, clock times, capitals: one category a spelling, none changed."""
    names = ["007", "7", "1.10", "1.1", "12:30", "True", "true"]
    path = written(tmp_path, *[f"0.1,1,1,{name},click" for name in names])
    assert read_behaviour(path).categories == tuple(sorted(names))
    path = written(
        tmp_path, "0.1,1,1,01,click", "0.1,1,1,1,click", header="time,freq,amount,kind,action"
    )
    assert read_behaviour(path, columns={"kind": "category"}).categories == ("01", "1")


def test_single_bad_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    """One bad row never sinks a file, and the numbers add up."""
    bad = ["x,1,1,a,view", "1.5,1,1,a,view", "0.5,1,1,,view", "0.5,1,1,a,gaze", "0.5,1"]
    rows = read_behaviour(written(tmp_path, *[GOOD] * 95, *bad))
    report = rows.report
    assert report.n_kept == rows.n_rows == 95
    assert report.n_in == report.n_kept + sum(report.dropped.values()) == 100
    assert set(report.dropped.values()) == {1}
    assert "dropped 1: undefined action" in "\n".join(report.lines())


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, "0.1,1,books,view", header="time,freq,category,action")
    assert "missing: amount" in said
    assert "['time', 'freq', 'category', 'action']" in said


def test_columns_can_be_renamed(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, header="hour,freq,amount,category,action")
    assert read_behaviour(path, columns={"hour": "time"}).n_rows == 1
    with pytest.raises(BadInputError, match=r"not in the file: \['when'\]"):
        read_behaviour(path, columns={"when": "time"})
    with pytest.raises(BadInputError, match=r"not ours: \['when'\]"):
        read_behaviour(path, columns={"hour": "when"})
    with pytest.raises(BadInputError, match="each once"):
        read_behaviour(path, columns={"hour": "time", "freq": "time"})


def test_a_column_that_is_named_takes_the_place_of_ours(tmp_path: Path) -> None:
    """And a name that is there twice is refused."""
    path = written(tmp_path, f"0.5,{GOOD}", header=f"hour,{HEADER}")
    assert read_behaviour(path, columns={"hour": "time"}).time.tolist() == [0.5]
    swapped = {"freq": "amount", "amount": "freq"}
    rows = read_behaviour(path, columns=swapped)
    assert (rows.freq.tolist(), rows.amount.tolist()) == ([19.9], [3.0])
    assert "twice: time" in refused(tmp_path, f"0.5,{GOOD}", header=f"time,{HEADER}")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("13.5,1,2,books,view", "divide hours of the day by 24"),
        ("1700000000,1,2,books,view", "epoch times"),
        ("-0.1,1,2,books,view", "expected a time from 0 to 1, got '-0.1' in row 1"),
        ("2024-01-01T00:00:00Z,1,2,books,view", "which read_events reads"),
        (",1,2,books,view", "got None in row 1, and 1 of 2 rows like it"),
        ("0.5,1,2,books,bought", "known are purchase, click"),
        ("0.5,1,2,,view", "expected a category"),
        ("0.5,often,2,books,view", "expected a number as freq, got 'often' in row 1"),
        ("0.5,1,$2,books,view", "expected a number as amount"),
    ],
)
def test_a_column_that_is_bad_throughout_is_refused_with_its_first_bad_row(
    tmp_path: Path, line: str, hint: str
) -> None:
    assert hint in refused(tmp_path, GOOD, line)


def test_the_worth_of_actions_is_the_users_to_say(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, "0.5,1,2,books,bought", "0.5,1,2,books,buy")
    rows = read_behaviour(path, worth={"purchase": 0.5, "bought": 1.0})
    assert rows.worth.tolist() == [0.5, 1.0, 0.5]
    assert read_behaviour(path, worth={"PURCHASE ": 0.5, "Bought": 1.0}).worth.tolist() == [
        0.5,
        1.0,
        0.5,
    ]
    for worth in ({}, {"buy": 2.0}, {"buy": math.nan}):
        with pytest.raises(BadInputError, match="worth of 0 to 1"):
            read_behaviour(path, worth=worth)


def test_files_that_are_none_are_refused_by_name(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    for path in (empty, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(ForeignFileError, match=path.name):
            read_behaviour(path)
    with pytest.raises(ForeignFileError, match="got none"):
        read_behaviour(written(tmp_path))


def test_tables_in_memory_and_in_chunks_are_read_alike() -> None:
    columns = {
        "time": [0.1, 0.2],
        "freq": [1, None],
        "amount": [2.0, 3.0],
        "category": ["b", "a"],
        "action": ["view", "purchase"],
    }
    whole = pa.table(columns)
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 1)])
    for table in (whole, parts, whole.cast(whole.schema)):
        rows = behaviour_of(table)
        assert rows.categories == ("a", "b")
        np.testing.assert_array_equal(rows.freq, [1.0, math.nan])
    with pytest.raises(BadInputError, match="missing: time"):
        behaviour_of(pa.table({"freq": [1]}))
    with pytest.raises(BadInputError, match="one value a row in column 'freq'"):
        behaviour_of(pa.table(columns | {"freq": [[1], [2]]}))
    with pytest.raises(ForeignFileError, match=r"UTF-8 text in column 'category'.*row 1"):
        behaviour_of(pa.table(columns | {"category": [b"a", b"\xff"]}))
