from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from bandit.cleaning import clean
from bandit.errors import BadInputError, ForeignFileError
from bandit.events import ACTIONS
from bandit.ingest import RawEvents, read_events

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


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_every_kind_of_file_gives_the_same_events(tmp_path: Path, kind: str) -> None:
    """CSV, Parquet and JSON lines; in canonical order, with originals by code."""
    events, words, report = clean(read_events(written(tmp_path, kind)))
    assert [words.users[int(u)].as_py() for u in events.user] == ["a", "a", "b"]
    assert [words.items[int(i)].as_py() for i in events.item] == ["x", "y", "x"]
    assert events.at_ms.tolist() == [T0 + 1, T0 + 3, T0 + 5]
    assert [ACTIONS[a] for a in events.action] == ["cart", "view", "purchase"]
    assert repr(events.amount.tolist()) == "[1.5, nan, 2.0]"
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


def cells(table: pa.Table) -> dict[str, list[Any]]:
    return {name: table[name].to_pylist() for name in sorted(table.column_names)}


def test_the_raw_tables_are_the_same_cell_by_cell(tmp_path: Path) -> None:
    """Whatever the file's kind; names with leading zeros, times as text, gaps."""
    rows = [
        dict(row, user=f"00{n}", time=f"2023-11-14T22:13:2{n}Z", rating=None if n else 4.5)
        for n, row in enumerate(ROWS)
    ]
    csv, parquet, jsonl = (
        cells(read_events(written(tmp_path, kind, rows)).table)
        for kind in ("csv", "parquet", "jsonl")
    )
    assert csv == parquet == jsonl
    assert csv["user"] == ["000", "001", "002"]


@pytest.mark.parametrize(
    ("users", "read"),
    [
        (["7", "12"], [7, 12]),
        (["7", "NULL"], [7, None]),
        (["-7", "0"], [-7, 0]),
        (["007", "7"], ["007", "7"]),
        (["12345678901234567890", "12345678901234567891"],) * 2,
        (["7", "seven"], ["7", "seven"]),
        (["7.0", "7"], ["7.0", "7"]),
        (["7", "NaN"], [7, None]),
        (["u7", "NaN", "NULL", ""], ["u7", None, None, None]),
        (["u7", "Nan Goldin"], ["u7", "Nan Goldin"]),
    ],
)
def test_ids_of_a_csv_are_numbers_only_where_that_loses_nothing(
    tmp_path: Path, users: list[str], read: list[Any]
) -> None:
    """Two users never become one: 20 digits do not fit a double, zeros in front say something."""
    path = tmp_path / "ids.csv"
    path.write_text("user,item,time,action\n" + "".join(f"{u},x,{T0},view\n" for u in users))
    assert read_events(path).table["user"].to_pylist() == read


def test_a_known_header_keeps_its_ids_apart_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(f"user_id,item_id,timestamp,behavior_type\n01,x,{T0},pv\n1,x,{T0},pv\n")
    assert read_events(path).table["user"].to_pylist() == ["01", "1"]
    path.write_text(f"who,item,time,action\n01,x,{T0},view\n1,x,{T0},view\n")
    assert read_events(path, columns={"who": "user"}).table["user"].to_pylist() == ["01", "1"]


def test_a_bad_cell_far_down_does_not_sink_a_csv(tmp_path: Path) -> None:
    """Types are not settled by the first block: 60,000 good rows, then one of words."""
    path = tmp_path / "long.csv"
    good = "".join(f"{n % 50},x,{T0 + n},view,1.5,\n" for n in range(60_000))
    bad = "bob,x,yesterday,view,one,five\n"
    path.write_text("user,item,time,action,amount,rating\n" + good + bad)
    events, _, report = clean(read_events(path))
    assert report.dropped["missing or unreadable time"] == 1
    assert events.n_rows == 60_000


def test_json_lines_lose_their_bad_lines_only(tmp_path: Path) -> None:
    """A broken line, a cut last line, a value that is no object; blank lines are nothing."""
    good = "".join(json.dumps(dict(ROWS[0], time=T0 + n)) + "\n" for n in range(5))
    path = tmp_path / "events.jsonl"
    path.write_text(good + "{oops\n\n[1, 2]\n" + good.splitlines()[0][:-9])
    raw = read_events(path)
    assert (raw.table.num_rows, raw.n_malformed) == (5, 3)
    _, _, report = clean(raw)
    assert report.dropped["malformed line"] == 3
    assert report.n_in == 8 == report.n_kept + sum(report.dropped.values())


def test_mostly_broken_json_lines_are_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "prose.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\nnot\njson\n")
    with pytest.raises(ForeignFileError, match=r"prose\.jsonl.*2 of 3 lines"):
        read_events(path)


def test_json_values_of_several_types_are_read_as_their_text(tmp_path: Path) -> None:
    """One user is a number, the other a word; big whole numbers keep their digits."""
    path = tmp_path / "mixed.jsonl"
    users = ["a", 3, None, 12345678901234567890]
    path.write_text("".join(json.dumps(dict(ROWS[0], user=u)) + "\n" for u in users))
    found = read_events(path).table["user"].to_pylist()
    assert found == ["a", "3", None, "12345678901234567890"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_iso_times_keep_their_zone_in_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    """With a zone they are instants, without one they are refused."""
    rows = [dict(ROWS[0], time="2023-11-14T22:13:20Z"), dict(ROWS[1], time="2023-11-14T22:13:21Z")]
    assert clean(read_events(written(tmp_path, kind, rows)))[0].at_ms.tolist() == [
        1_700_000_001_000,
        1_700_000_000_000,
    ]
    local = [dict(row, time=str(row["time"]).rstrip("Z")) for row in rows]
    with pytest.raises(BadInputError, match="zone"):
        clean(read_events(written(tmp_path, kind, local)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "user,item,time,action\njosé,x,1,view\n".encode("latin-1"),
            r"latin\.csv, got byte 0xe9 in line 2",
        ),
        (
            "user,item,time,action\na,x,1,viéw\n".encode("latin-1"),
            r"latin\.csv, got byte 0xe9 in line 2",
        ),
        (
            "user,item,time,action\na,x,1,view\n".encode("utf-16"),
            r"latin\.csv, got byte 0xff in line 1",
        ),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_with_its_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(content)
    with pytest.raises(ForeignFileError, match=says):
        read_events(path)


@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.large_binary()])
def test_text_of_parquet_that_is_not_utf8_is_refused_with_its_row(
    tmp_path: Path, kind: pa.DataType
) -> None:
    """Also where the file claims that it is text."""
    table = pa.Table.from_pylist(ROWS)
    cells = pa.array([b"view", b"vi\xe9w", b"view"], pa.binary())
    claimed = cells.view(pa.string()) if kind == pa.string() else cells.cast(kind)
    table = table.set_column(table.column_names.index("action"), "action", claimed)
    pq.write_table(table, tmp_path / "latin.parquet", store_schema=False)
    with pytest.raises(ForeignFileError, match=r"'action' of .*latin\.parquet.*vi.xe9w.* row 1"):
        read_events(tmp_path / "latin.parquet")


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("user", [["a"]] * 3, r"one value a row in column 'user' of .*own\.parquet, got list"),
        ("item", [{"id": 1}] * 3, "one value a row in column 'item' .*struct"),
        ("action", [["view"]] * 3, "one value a row in column 'action'"),
        ("amount", [[1.0]] * 3, "one value a row in column 'amount'"),
        ("amount", [True] * 3, "numbers in column 'amount' .*got bool"),
        (
            "amount",
            pa.array([T0] * 3, pa.timestamp("ms")),
            "numbers in column 'amount' .*timestamp",
        ),
        (
            "rating",
            pa.array([T0] * 3, pa.timestamp("ms")),
            "numbers in column 'rating' .*timestamp",
        ),
    ],
)
def test_columns_of_lists_and_other_things_are_refused_by_name(
    tmp_path: Path, name: str, values: Any, says: str
) -> None:
    table = pa.Table.from_pylist([{**row, "rating": 1.0} for row in ROWS])
    table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, tmp_path / "own.parquet")
    with pytest.raises(BadInputError, match=says):
        read_events(tmp_path / "own.parquet")


def test_numbers_of_money_are_numbers(tmp_path: Path) -> None:
    """As databases store them."""
    table = pa.Table.from_pylist(ROWS)
    money = table["amount"].cast(pa.decimal128(12, 2))
    table = table.set_column(table.column_names.index("amount"), "amount", money)
    pq.write_table(table, tmp_path / "own.parquet")
    events, _, _ = clean(read_events(tmp_path / "own.parquet"))
    assert repr(events.amount.tolist()) == "[1.5, nan, 2.0]"


def test_one_column_may_be_named_and_the_others_recognised(tmp_path: Path) -> None:
    """A known header with a category of another name."""
    path = tmp_path / "shop.csv"
    path.write_text(
        "event_time,event_type,product_id,category_id,category_code,price,user_id\n"
        f"{T0},view,x,17,,2.5,a\n"
    )
    found = read_events(path, columns={"category_id": "category"}).table
    assert found["category"].to_pylist() == [17]
    assert {"user", "item", "time", "action", "amount"} < set(found.column_names)


def test_a_file_of_a_hundred_columns_is_not_read_out(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(100)) + "\n" + "1," * 99 + "1\n")
    with pytest.raises(BadInputError, match=r"'c19'\] and 80 more: name yours"):
        read_events(path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "mark.csv"
    path.write_text(f"user,item,time,action\na,x,{T0},view\n", encoding="utf-8-sig")
    assert read_events(path).table["user"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())],
)
def test_text_of_any_arrow_kind_is_plain_text(tmp_path: Path, kind: pa.DataType) -> None:
    """As other writers of Parquet store it."""
    table = pa.Table.from_pylist(ROWS)
    for name in ("user", "item", "category", "action"):
        plain = table[name]
        text = plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain.cast(kind)
        table = table.set_column(table.column_names.index(name), name, text)
    pq.write_table(table, tmp_path / "other.parquet")
    found = read_events(tmp_path / "other.parquet").table
    assert cells(found) == cells(pa.Table.from_pylist(ROWS))
    assert clean(RawEvents(table=found, n_malformed=0))[0].n_rows == 3


def test_two_columns_cannot_be_one(tmp_path: Path) -> None:
    """Named twice in the file, or both mapped to one of ours."""
    path = tmp_path / "twice.csv"
    path.write_text(f"user,user,item,time,action\na,b,x,{T0},view\n")
    with pytest.raises(BadInputError, match=r"distinct column names.*'user'"):
        read_events(path)
    path.write_text(f"a,b,item,time,action\na,b,x,{T0},view\n")
    with pytest.raises(BadInputError, match="one column"):
        read_events(path, columns={"a": "user", "b": "user"})


@pytest.mark.parametrize("name", ["user", "time", "action"])
def test_a_missing_column_is_named_with_what_the_file_has(tmp_path: Path, name: str) -> None:
    rows = [{k: v for k, v in row.items() if k != name} for row in ROWS]
    with pytest.raises(BadInputError, match=rf"events\.parquet; missing: {name}; the file has"):
        read_events(written(tmp_path, "parquet", rows))


def test_item_or_category_must_be_there(tmp_path: Path) -> None:
    """One of them is enough."""
    bare = [{k: v for k, v in row.items() if k not in {"item", "category"}} for row in ROWS]
    with pytest.raises(BadInputError, match=r"item \(or category\)"):
        read_events(written(tmp_path, "csv", bare))
    by_category = [{k: v for k, v in row.items() if k != "item"} for row in ROWS]
    assert read_events(written(tmp_path, "csv", by_category)).table.num_rows == 3
