from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit import files
from bandit.errors import ForeignFileError
from bandit.files import read_table

IDS = frozenset({"user"})


def written(path: Path, content: str | bytes) -> Path:
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(path, ids=IDS)[0].to_pylist()
    return rows


def test_a_quoted_cell_may_hold_line_breaks_and_quotes(tmp_path: Path) -> None:
    """As RFC 4180 says, over several blocks of the reader, and nothing is lost."""
    text = 'one "two"\nthree, four\r\n' + "x" * 500
    quoted = text.replace('"', '""')
    lines = "".join(f'u{n},{n},"{quoted}"\n' for n in range(5_000))
    table, n_malformed = read_table(written(tmp_path / "a.csv", "user,time,text\n" + lines))
    assert (table.num_rows, n_malformed) == (5_000, 0)
    assert set(table["text"].to_pylist()) == {text}
    assert table["time"].to_pylist() == list(range(5_000))


@pytest.mark.parametrize("line", ['u5,5,"oops', 'u5,"5,oops', '"u5,5,oops'])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_quotation_mark_that_is_never_closed_swallows_nothing_in_silence(
    tmp_path: Path, line: str, end: str
) -> None:
    """All lines behind it would be one cell; the file is refused with the row it is in."""
    lines = [f"u{n},{n},fine" for n in range(40)]
    lines[5] = line
    path = written(tmp_path / "a.csv", "user,time,text\n" + "\n".join(lines) + end)
    with pytest.raises(ForeignFileError, match=r"a\.csv to be closed, one that opens in row [45]"):
        read_table(path)
    path = written(path, "user,time,text\n" + "\n".join([*lines[:5], line]) + end)
    with pytest.raises(ForeignFileError, match="to be closed"):
        read_table(path)


def test_an_open_quotation_mark_far_from_the_end_is_named_too(tmp_path: Path) -> None:
    """Behind it lies more than the reader takes at once."""
    lines = [f"u{n},{n},fine" for n in range(300_000)]
    lines[5] = 'u5,5,"oops'
    with pytest.raises(
        ForeignFileError, match=r"less than a megabyte in .*a\.csv.* quotation mark"
    ):
        read_table(written(tmp_path / "a.csv", "user,time,text\n" + "\n".join(lines)))


def test_a_file_of_one_column_is_a_file(tmp_path: Path) -> None:
    table, n_malformed = read_table(written(tmp_path / "a.csv", "user;time\na;1\nb;2"))
    assert table.to_pylist() == [{"user;time": "a;1"}, {"user;time": "b;2"}]
    assert n_malformed == 0


def test_a_quotation_mark_inside_a_word_is_a_character(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'user,text\na,5" screen\nb,fine\n')
    assert [row["text"] for row in rows_of(path)] == ['5" screen', "fine"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["", "last", "blank"])
def test_lines_may_end_as_on_any_system(tmp_path: Path, newline: str, end: str) -> None:
    """The last one with or without its end, or with blank lines behind."""
    content = newline.join(["user,time", "a,1", "b,2"])
    content += {"": "", "last": newline, "blank": newline * 3}[end]
    table, n_malformed = read_table(written(tmp_path / "a.csv", content))
    assert table.to_pylist() == [{"user": "a", "time": 1}, {"user": "b", "time": 2}]
    assert n_malformed == 0


def test_lines_that_do_not_fit_the_header_are_no_such_file(tmp_path: Path) -> None:
    """A comma at the end of every line; single ones are counted."""
    path = written(tmp_path / "a.csv", "user,time\n" + "a,1,\n" * 9 + "a,1\n")
    with pytest.raises(ForeignFileError, match=r"9 of 10 lines do not fit its header \['user'"):
        read_table(path)
    path = written(path, "user,time\n" + "a,1\n" * 9 + "a,1,\n")
    assert read_table(path)[1] == 1


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    """Wherever they stand; characters of several bytes may fall on a border of blocks."""
    good = "user,text\n" + "é,ünï€𝄞\n" * 200_000
    table, _ = read_table(written(tmp_path / "a.csv", good))
    assert table.num_rows == 200_000
    path = written(tmp_path / "b.csv", good.encode() + b"a,caf\xe9\n" + b"a,b\n" * 9)
    with pytest.raises(ForeignFileError, match=r"b\.csv, got byte 0xe9 in line 200002: save it"):
        read_table(path)
    with pytest.raises(ForeignFileError, match="0xc3 in line 2"):
        read_table(written(path, b"user,text\na,caf\xc3"))


@given(st.text(max_size=40), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_text_is_read_whole_in_blocks_of_any_size(
    text: str, sizes: list[int], is_broken: bool
) -> None:
    """Nothing is changed, one line is added at the end; a broken byte is named with its line."""
    broken = b"\xff" if is_broken else b""
    source = io.BytesIO(text.encode() + broken + b"\nmore")
    source.name = "a.csv"  # type: ignore[misc]
    file = files._TextFile(source, "the end")
    blocks = [b"-"]
    said = None
    try:
        for size in itertools.cycle(sizes):
            if not (block := file.read(size)):
                break
            blocks.append(block)
    except ForeignFileError as error:
        said = str(error)
    if is_broken:
        assert said is not None
        assert f"in a.csv, got byte 0xff in line {1 + text.count(chr(10))}:" in said
    else:
        assert (said, b"".join(blocks)) == (None, b"-" + text.encode() + b"\nmore\nthe end\n")


def test_numbers_of_twenty_digits_stay_apart_in_json(tmp_path: Path) -> None:
    """As doubles, many users would be one."""
    users = [12345678901234567890 + n for n in range(5)]
    path = written(tmp_path / "a.jsonl", "".join(f'{{"user": {u}, "x": 1}}\n' for u in users))
    assert [row["user"] for row in rows_of(path)] == [str(u) for u in users]


@pytest.mark.parametrize("block", [1, 40, 1 << 24])
def test_json_is_the_same_whatever_the_size_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Columns that appear late, change their type, or hold times and words."""
    monkeypatch.setattr(files, "_JSON_BLOCK", block)
    rows = [
        {"user": 1, "at": "2024-05-01T10:00:00Z", "amount": 1},
        {"user": 2, "at": "2024-05-01T10:00:00+02:00", "amount": 2.5},
        {"user": 3, "at": "soon", "amount": 3, "text": "é"},
    ]
    content = "\ufeff" + "".join(json.dumps(row) + "\r\n" for row in rows)
    table, n_malformed = read_table(written(tmp_path / "a.jsonl", content + "\n{oops\n"), ids=IDS)
    assert n_malformed == 1
    assert table["user"].to_pylist() == [1, 2, 3]
    assert table["at"].to_pylist() == [row["at"] for row in rows]
    assert table["amount"].to_pylist() == [1.0, 2.5, 3.0]
    assert table["text"].to_pylist() == [None, None, "é"]
    words = "".join(json.dumps(dict(row, user=f"u{n}")) + "\n" for n, row in enumerate(rows))
    path = written(tmp_path / "b.jsonl", "".join(json.dumps(row) + "\n" for row in rows) + words)
    assert [row["user"] for row in rows_of(path)] == ["1", "2", "3", "u0", "u1", "u2"]


def test_strange_json_lines_cost_nobody_else(tmp_path: Path) -> None:
    """Half a surrogate pair, a thousand brackets, bytes that are no text, an object of nothing."""
    good = b'{"user": "a", "x": 1}\n'
    strange = [b'{"user": "\\ud800", "x": 1}', b"[" * 100_000, b'{"user": "\xff"}', b"{}"]
    path = written(tmp_path / "a.jsonl", good * 9 + b"\n".join(strange) + b"\n" + good)
    table, n_malformed = read_table(path, ids=IDS)
    assert table["user"].to_pylist() == ["a"] * 9 + ["?", "a"]
    assert n_malformed == 3


def test_an_object_where_other_blocks_hold_a_word_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_JSON_BLOCK", 1)
    path = written(tmp_path / "a.jsonl", '{"user": "a"}\n{"user": {"id": 1}}\n')
    assert [row["user"] for row in rows_of(path)] == ["a", None]


def test_a_folder_is_no_file_and_a_name_can_be_too_long(tmp_path: Path) -> None:
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(ForeignFileError, match=r"dir\.csv, found a folder"):
        read_table(tmp_path / "dir.csv")
    with pytest.raises(ForeignFileError, match="reading it failed"):
        read_table(tmp_path / f"{'x' * 300}.csv")


def test_damaged_parquet_is_refused_whatever_breaks(tmp_path: Path) -> None:
    """Names that are no text, pages whose checksum does not fit."""
    path = tmp_path / "a.parquet"
    table = pa.table({"user": ["a"] * 500, "time": range(500)})
    pq.write_table(table, path, store_schema=False, write_page_checksum=True, compression="none")
    whole = path.read_bytes()
    for broken in (whole.replace(b"user", b"\xffser"), whole[:300] + b"\xff" + whole[301:]):
        with pytest.raises(ForeignFileError, match=r"a\.parquet to be a whole parquet file"):
            read_table(written(path, broken))
