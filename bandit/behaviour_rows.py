"""The small classic shape: ``time,freq,amount,category,action``, one row an observation.

A file without users or epoch times enters; checked columns and a report of what was dropped
leave. ``time`` is normalised to [0, 1], ``freq`` and ``amount`` may have any scale, and an
action's word becomes its *worth*: 1 where the user took the category up, 0 where it was only
seen, or anything between. Files with users and real times go through :mod:`bandit.ingest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.cleaning import SYNONYMS
from bandit.cleaning_report import CleaningReport
from bandit.errors import BadInputError
from bandit.files import read_table
from bandit.ingest import plain_column, told_names

__all__ = ["COLUMNS", "WORTH", "Behaviour", "behaviour_of", "read_behaviour"]

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]

COLUMNS = ("time", "freq", "amount", "category", "action")

WORTH: Mapping[str, float] = MappingProxyType(
    {
        "purchase": 1.0,
        "click": 1.0,
        "cart": 1.0,
        "favourite": 1.0,
        "push_clicked": 1.0,
        "view": 0.0,
        "shown": 0.0,
        "push_shown": 0.0,
        "search": 0.0,
        "session": 0.0,
        "rating": 0.0,
        "ignored": 0.0,
        "dismissed": 0.0,
        "push_dismissed": 0.0,
        "refund": 0.0,
        "none": 0.0,
    }
)
"""What each action says of the category: taken up, or only seen. Here a click is a response."""

_WORDS = frozenset({"category", "action"})
_TOLERATED = 0.05
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """M observations; a missing frequency or amount is NaN."""

    time: Array  # (M,) in [0, 1]
    freq: Array  # (M,)
    amount: Array  # (M,)
    category: NDArray[np.int64]  # (M,) position in ``categories``
    worth: Array  # (M,) in [0, 1]
    categories: tuple[str, ...]
    report: CleaningReport

    @property
    def n_rows(self) -> int:
        """Number of observations M."""
        return len(self.time)


def read_behaviour(
    path: Path | str,
    *,
    worth: Mapping[str, float] = WORTH,
    columns: Mapping[str, str] | None = None,
) -> Behaviour:
    """Read a file of the small shape (CSV, Parquet or JSON lines).

    Parameters
    ----------
    path : Path or str
        Such as ``user_behavior.csv``.
    worth : mapping
        What each action is worth, 0 … 1; other words are unknown. Well-known other words for
        these actions are understood (``buy`` is ``purchase``).
    columns : mapping, optional
        Your column names to ours, e.g. ``{"hour": "time"}``.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated or of another kind.
    BadInputError
        For missing columns, or a column of which more than a row in twenty cannot be used.
    """
    named = dict(columns or {})
    words = {theirs for theirs, ours in named.items() if ours in _WORDS}
    table, n_malformed = read_table(Path(path), ids=_WORDS | words)
    return behaviour_of(_renamed(table, named, path), worth=worth, n_malformed=n_malformed)


def behaviour_of(
    table: pa.Table, *, worth: Mapping[str, float] = WORTH, n_malformed: int = 0
) -> Behaviour:
    """Check a table of the small shape; see :func:`read_behaviour`.

    Single bad rows are dropped and counted; a column that is bad throughout is refused with its
    first bad row, because that is a misunderstanding and not noise.
    """
    missing = [name for name in COLUMNS if name not in table.column_names]
    twice = [name for name in COLUMNS if table.column_names.count(name) > 1]
    if missing or twice:
        wrong = f"missing: {', '.join(missing)}" if missing else f"twice: {', '.join(twice)}"
        raise BadInputError(
            f"expected columns {', '.join(COLUMNS)}, {wrong}; got "
            f"{told_names(table.column_names)}: name yours with columns={{'yours': 'ours'}}"
        )
    _check_worth(worth)
    worth = {word.strip().lower(): value for word, value in worth.items()}
    text = {name: _text(table[name], name) for name in COLUMNS}
    time, amount, freq = (_numbers(text[name]) for name in ("time", "amount", "freq"))
    worths = _worths(text["action"], worth)
    keep = np.ones(table.num_rows, np.bool_)
    dropped = {"malformed line": n_malformed}
    for flaw in _flaws(time, worths, _is_empty(text["category"]), known=tuple(worth)):
        bad = keep & flaw.is_bad
        _refuse_many(text[flaw.column], bad, expected=flaw.expected, hint=flaw.hint)
        dropped[flaw.why] = int(bad.sum())
        keep &= ~bad
    for name, column in (("freq", freq), ("amount", amount)):
        unreadable = np.isnan(column) & ~_is_empty(text[name])
        _refuse_many(
            text[name], unreadable, expected=f"a number as {name}", hint="leave unknown ones empty"
        )
    codes, categories = _codes(text["category"].filter(pa.array(keep)))
    return Behaviour(
        time=time[keep],
        freq=freq[keep],
        amount=amount[keep],
        category=codes,
        worth=worths[keep],
        categories=categories,
        report=CleaningReport(
            n_in=table.num_rows + n_malformed,
            n_kept=int(keep.sum()),
            dropped=dropped,
            n_missing_amount=int(np.isnan(amount[keep]).sum()),
        ),
    )


class _Flaw(NamedTuple):
    column: str
    why: str
    is_bad: Truth
    expected: str
    hint: str


def _flaws(
    time: Array, worths: Array, has_no_category: Truth, *, known: tuple[str, ...]
) -> tuple[_Flaw, ...]:
    """Why a row cannot be used, the first reason that applies first."""
    elsewhere = "dates and epoch times belong into a file with users, which read_events reads"
    return (
        _Flaw(
            column="time",
            why="missing or unreadable time",
            is_bad=np.isnan(time),
            expected="a time from 0 to 1",
            hint=f"write a number; {elsewhere}",
        ),
        _Flaw(
            column="time",
            why="time outside 0 … 1",
            is_bad=(time < 0) | (time > 1),
            expected="a time from 0 to 1",
            hint=f"divide hours of the day by 24, or days by the period's length; {elsewhere}",
        ),
        _Flaw(
            column="category",
            why="missing category",
            is_bad=has_no_category,
            expected="a category",
            hint="name one in every row",
        ),
        _Flaw(
            column="action",
            why="undefined action",
            is_bad=np.isnan(worths),
            expected="a known action",
            hint=f"known are {', '.join(known)}; rename yours, or give its worth with worth=",
        ),
    )


def _check_worth(worth: Mapping[str, float]) -> None:
    if not worth or not all(0.0 <= value <= 1.0 for value in worth.values()):
        raise BadInputError(f"expected a worth of 0 to 1 for each action, got {dict(worth)}")


def _renamed(table: pa.Table, named: Mapping[str, str], path: Path | str) -> pa.Table:
    """Give columns our names; what had one of these and is not meant goes."""
    absent = sorted(set(named) - set(table.column_names))
    unknown = sorted(set(named.values()) - set(COLUMNS))
    if absent or unknown or len(set(named.values())) < len(named):
        raise BadInputError(
            f"expected columns of {path} mapped to {', '.join(COLUMNS)}, each once, got {named}; "
            f"not in the file: {absent}, not ours: {unknown}; it has "
            f"{told_names(table.column_names)}"
        )
    replaced = [name for name in named.values() if name in table.column_names and name not in named]
    table = table.drop_columns(replaced)
    return table.rename_columns([named.get(name, name) for name in table.column_names])


def _text(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Cells as trimmed text, null where missing."""
    array = plain_column(column, f"column {name!r}").combine_chunks()
    return pc.utf8_trim_whitespace(array.cast(pa.string()))


def _is_empty(text: pa.Array) -> Truth:
    return np.asarray(pc.fill_null(pc.equal(text, ""), True))


def _numbers(text: pa.Array) -> Array:
    """Cells as numbers, NaN where there is none."""
    is_number = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    values = pc.if_else(is_number, text, None).cast(pa.float64())
    found = np.asarray(pc.fill_null(values, float("nan")), np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _worths(text: pa.Array, worth: Mapping[str, float]) -> Array:
    """What each row's action is worth, NaN for an unknown word; each word is looked up once."""
    coded = pc.fill_null(text, "").dictionary_encode()
    words = [word.lower() for word in coded.dictionary.to_pylist()]
    table = [worth.get(word, worth.get(SYNONYMS.get(word, word), np.nan)) for word in words]
    return np.asarray(table, np.float64)[np.asarray(coded.indices, np.int64)]


def _refuse_many(text: pa.Array, is_bad: Truth, *, expected: str, hint: str) -> None:
    """Refuse a column of which more than a row in twenty is bad."""
    n_bad = int(is_bad.sum())
    if n_bad > _TOLERATED * len(is_bad):
        row = int(np.argmax(is_bad))
        raise BadInputError(
            f"expected {expected}, got {text[row].as_py()!r} in row {row}, and {n_bad} of "
            f"{len(is_bad)} rows like it: {hint}"
        )


def _codes(text: pa.Array) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes by sorted name, so that they do not depend on the order of rows."""
    names = sorted(pc.unique(text).to_pylist())
    codes = pc.index_in(text, value_set=pa.array(names, pa.string()))
    return np.asarray(codes, np.int64), tuple(names)
