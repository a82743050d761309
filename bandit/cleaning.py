"""Raw rows in; clean events, their vocabulary and a report of what was dropped and why out.

A step of its own: nothing later drops a row silently. Rows are dropped for missing values,
an undefined action, a time out of range or far from all others, or being exact duplicates;
outlying amounts are capped by category and counted (:mod:`bandit.outliers`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.cleaning_report import CleaningReport, told_words
from bandit.errors import BadInputError
from bandit.events import ACTIONS, Events, canonical_order
from bandit.files import WORDS_FOR_NOTHING
from bandit.ingest import RawEvents
from bandit.outliers import capped
from bandit.slots import zone_of
from bandit.timestamps import FIRST_MS, LAST_MS, to_epoch_ms
from bandit.vocabulary import Vocabulary, codes_of, is_missing, last_known

__all__ = ["SYNONYMS", "clean"]

SYNONYMS: Mapping[str, str] = {
    "pv": "view",
    "click": "view",
    "impression": "view",
    "fav": "favourite",
    "favorite": "favourite",
    "wishlist": "favourite",
    "addtocart": "cart",
    "add_to_cart": "cart",
    "buy": "purchase",
    "transaction": "purchase",
    "order": "purchase",
    "cancel": "refund",
    "return": "refund",
    "rate": "rating",
    "review": "rating",
}

_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COLUMNS = ("user", "item", "category", "zone", "text")
_TOLERATED = 0.05  # of rows, whatever stands in the others
_EDGE_SHARE = 0.005  # of rows, at either end of time, that may be strays
_YEAR_MS = 365 * 86_400_000


def clean(
    raw: RawEvents,
    *,
    fit_until_ms: int | Callable[[Events, Vocabulary], int] | None = None,
    first_ms: int = FIRST_MS,
    last_ms: int = LAST_MS,
    assumed_zone: str | None = None,
) -> tuple[Events, Vocabulary, CleaningReport]:
    """Turn raw rows into canonical events.

    A row without a user stands under its device's id, if there is one: a device is a user like
    any other until a link says whose it is (:mod:`bandit.identity`).

    Parameters
    ----------
    raw : RawEvents
        As :func:`bandit.ingest.read_events` returns them.
    fit_until_ms : int or callable, optional
        Caps on amounts are fitted on events before this instant only (the training range), or
        before the one that is made of the clean events; on all of them without it.
    first_ms, last_ms : int
        Times outside ``[first_ms, last_ms)`` are out of range.
    assumed_zone : str, optional
        Zone of timestamps that carry none.

    Returns
    -------
    events : Events
        In canonical order.
    vocabulary : Vocabulary
        Originals of user, item and category codes; zones of users and texts of items.
    report : CleaningReport
        ``n_in == n_kept + sum(dropped)``.
    """
    table, n_by_device = _under_devices(raw.table)
    at_ms, readable = to_epoch_ms(table["time"], assumed_zone=assumed_zone)
    action, synonyms, undefined = _action_codes(table["action"])
    numbers, unreadable = _numbers(table)
    table, unreadable["zone"] = _known_zones(table)
    keep = np.ones(table.num_rows, np.bool_)
    dropped = {"malformed line": raw.n_malformed}
    in_range = (at_ms >= first_ms) & (at_ms < last_ms)
    for why, is_bad in _flaws(table, readable, in_range, action):
        dropped[why] = int((keep & is_bad).sum())
        keep &= ~is_bad
    if not keep.any():
        found = {reason: count for reason, count in dropped.items() if count}
        words = f"; actions came: {told_words(undefined)}, expected {', '.join(ACTIONS)}"
        hint = words if undefined else ""
        raise BadInputError(f"expected usable events, got none of {len(keep)} rows: {found}{hint}")
    far = _far_from_all(at_ms, np.flatnonzero(keep))
    dropped["time far from all others"] = int(far.sum())
    rows = np.flatnonzero(keep & ~far)
    named = table.select([name for name in _COLUMNS if name in table.column_names])
    events, vocabulary = _coded(
        named.take(rows),
        at_ms=at_ms[rows],
        action=action[rows],
        **{name: values[rows] for name, values in numbers.items()},
    )
    events, dropped["exact duplicate"] = _without_duplicates(events)
    until_ms = fit_until_ms(events, vocabulary) if callable(fit_until_ms) else fit_until_ms
    is_early = events.at_ms < (last_ms if until_ms is None else until_ms)
    amount, n_capped = capped(events.amount, events.category + 1, fitted=is_early)
    report = CleaningReport(
        n_in=table.num_rows + raw.n_malformed,
        n_kept=events.n_rows,
        dropped=dropped,
        n_capped=n_capped,
        n_missing_amount=int(np.isnan(amount).sum()),
        n_by_device=n_by_device,
        unreadable=unreadable,
        assumed_zone=assumed_zone if _says_no_zone(table["time"]) else None,
        synonyms=synonyms,
        undefined=undefined,
    )
    return replace(events, amount=amount), vocabulary, report


def _flaws(
    table: pa.Table,
    readable: NDArray[np.bool_],
    in_range: NDArray[np.bool_],
    action: NDArray[np.int16],
) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    """Why a row cannot be used, the first reason that applies first."""
    needs_item = action != ACTIONS.index("session")
    has_none = _missing(table, "item") & _missing(table, "category")
    return (
        ("missing user", _missing(table, "user")),
        ("missing item and category", has_none & needs_item),
        ("missing or unreadable time", ~readable),
        ("time out of range", ~in_range),
        ("missing action", _missing(table, "action")),
        ("undefined action", action < 0),
    )


def _far_from_all(at_ms: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Strays among ``rows``: a purchase of 1999 or 2099 in a log of one year, (M,).

    Single times that are further from the middle 99 % than these are long, and than a year. One
    would stretch every range that is cut out of the whole, such as the training range.
    """
    edge = int(_EDGE_SHARE * len(rows))
    ends = np.partition(at_ms[rows], (edge, len(rows) - 1 - edge))
    low, high = int(ends[edge]), int(ends[len(rows) - 1 - edge])
    slack = max(high - low, _YEAR_MS)
    far = np.zeros(len(at_ms), np.bool_)
    far[rows] = (at_ms[rows] < low - slack) | (at_ms[rows] > high + slack)
    return far


def _says_no_zone(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_timestamp(column.type) and column.type.tz is None)


def _under_devices(table: pa.Table) -> tuple[pa.Table, int]:
    """Put the device where the user is missing; users become text where that is done."""
    nobody = _missing(table, "user") & ~_missing(table, "device")
    if not nobody.any():
        return table, 0
    user, device = (table[name].cast(pa.string()).combine_chunks() for name in ("user", "device"))
    filled = pc.if_else(pa.array(nobody), device, user)
    place = table.column_names.index("user")
    return table.set_column(place, "user", filled), int(nobody.sum())


def _missing(table: pa.Table, name: str) -> NDArray[np.bool_]:
    if name not in table.column_names:
        return np.ones(table.num_rows, np.bool_)
    return is_missing(table[name])


def _action_codes(
    column: pa.ChunkedArray,
) -> tuple[NDArray[np.int16], dict[str, int], dict[str, int]]:
    """Code of each action, −1 where undefined; synonyms read as what; words not understood."""
    coded = pc.fill_null(column.cast(pa.string()), "").combine_chunks().dictionary_encode()
    words = [word.strip().lower() for word in coded.dictionary.to_pylist()]
    meant = [SYNONYMS.get(word, word) for word in words]
    codes = np.array([ACTIONS.index(m) if m in ACTIONS else -1 for m in meant], np.int16)
    indices = np.asarray(coded.indices, np.int64)
    synonyms: Counter[str] = Counter()
    undefined: Counter[str] = Counter()
    counts = np.bincount(indices, minlength=len(words)).tolist()
    for word, m, code, count in zip(words, meant, codes, counts, strict=True):
        if word != m:
            synonyms[f"{word} as {m}"] += count
        if code < 0 and word:
            undefined[word] += count
    return codes[indices], dict(synonyms), dict(undefined)


def _coded(
    table: pa.Table,
    *,
    at_ms: NDArray[np.int64],
    action: NDArray[np.int16],
    amount: NDArray[np.float64],
    rating: NDArray[np.float64],
) -> tuple[Events, Vocabulary]:
    user, users = codes_of(table["user"])
    item, items = codes_of(_column(table, "item"))
    category, categories = codes_of(_column(table, "category"))
    # A file's rows have no ids; what else they hold keeps their order off the file's.
    order = canonical_order(
        user=user, at_ms=at_ms, action=action, item=item, rest=(category, amount, rating)
    )
    events = Events(
        user=user,
        at_ms=at_ms,
        action=action,
        item=item,
        category=category,
        amount=amount,
        rating=rating,
    )
    zones = last_known(_column(table, "zone"), user, at_ms=at_ms, n_codes=len(users))
    texts = last_known(_column(table, "text"), item, at_ms=at_ms, n_codes=len(items))
    return events.take(order), Vocabulary(
        users=users, items=items, categories=categories, zones=zones, texts=texts
    )


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name in table.column_names:
        return table[name]
    return pa.chunked_array([pa.nulls(table.num_rows, pa.string())])


def _known_zones(table: pa.Table) -> tuple[pa.Table, int]:
    """Leave out zones that no clock has, and count them."""
    if "zone" not in table.column_names:
        return table, 0
    code, words = codes_of(table["zone"])
    is_zone = np.array([_is_zone(str(word)) for word in words.to_pylist()], np.bool_)
    is_other = code >= 0
    is_other[is_other] = ~is_zone[code[is_other]]
    zones = pc.if_else(pa.array(is_other), None, words.take(pa.array(code, mask=code < 0)))
    place = table.column_names.index("zone")
    return table.set_column(place, "zone", zones), int(is_other.sum())


def _is_zone(word: str) -> bool:
    try:
        zone_of(word)
    except BadInputError:
        return False
    return True


def _numbers(table: pa.Table) -> tuple[dict[str, NDArray[np.float64]], dict[str, int]]:
    """Amounts and ratings, NaN where there is none, and how many cells are no numbers.

    A column of which most cells are none is a misunderstanding and refused with its first bad row;
    single cells are not, however few others there are.
    """
    numbers, unreadable = {}, {}
    for name in ("amount", "rating"):
        values, is_given = _floats(table, name)
        no_number = is_given & ~np.isfinite(values)
        unreadable[name] = int(no_number.sum())
        if unreadable[name] > max(is_given.sum() / 2, _TOLERATED * table.num_rows):
            row = int(np.argmax(no_number))
            raise BadInputError(
                f"expected numbers such as 12.50 in column {name!r}; {unreadable[name]} of "
                f"{int(is_given.sum())} cells are none, the first is row {row}: "
                f"{table[name][row].as_py()!r}: convert the column, or leave it out"
            )
        numbers[name] = np.where(no_number, np.nan, values)
    return numbers, unreadable


def _floats(table: pa.Table, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers, not finite where a cell holds none; and whether it holds anything."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan), np.zeros(table.num_rows, np.bool_)
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_given = ~_missing(table, name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        is_word = pc.is_in(text, value_set=pa.array(WORDS_FOR_NOTHING, text.type))
        is_given &= ~np.asarray(is_word)
        is_number = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
        column = pc.if_else(is_number, text, None)
    return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan"))), is_given


def _without_duplicates(events: Events) -> tuple[Events, int]:
    """Drop rows equal to the one before in every column; canonical order brings them together."""
    same = np.ones(events.n_rows, np.bool_)
    same[:1] = False
    for name in ("user", "at_ms", "action", "item", "category", "amount", "rating"):
        column = getattr(events, name)
        with np.errstate(invalid="ignore"):
            equal = (column[1:] == column[:-1]) | (
                (column[1:] != column[1:]) & (column[:-1] != column[:-1])
            )
        same[1:] &= equal
    n_same = int(same.sum())
    return events.take(~same) if n_same else events, n_same
