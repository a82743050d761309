"""Raw rows in; clean events, their vocabulary and a report of what was dropped and why out.

A step of its own: nothing later drops a row silently. Rows are dropped for missing values,
an undefined action, a time out of range, or being exact duplicates; outlying amounts are
capped by category and counted. Reference for the cap: Iglewicz and Hoaglin (1993), "How to
detect and handle outliers", the modified z-score on log amounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.events import ACTIONS, NO_ITEM, Events, canonical_order
from bandit.ingest import RawEvents
from bandit.timestamps import FIRST_MS, LAST_MS, to_epoch_ms

__all__ = ["SYNONYMS", "CleaningReport", "Vocabulary", "clean"]

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
}

_NUMBER = r"^\s*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_CAP_AT_Z = 6.0
_WORDS_TOLD = 5
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What each code stands for: position is the code."""

    users: pa.Array
    items: pa.Array
    categories: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningReport:
    """What came, what was kept, what was dropped and why; the numbers always add up."""

    n_in: int
    n_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    n_capped: int = 0
    n_missing_amount: int = 0
    n_by_device: int = 0
    synonyms: dict[str, int] = field(default_factory=dict)
    undefined: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say it in plain lines for a person."""
        said = [f"{self.n_in:,} rows came, {self.n_kept:,} kept"]
        said += [f"  dropped {count:,}: {why}" for why, count in self.dropped.items() if count]
        if self.undefined:
            said.append(f"    undefined: {_told(self.undefined)}")
        if self.n_capped:
            said.append(f"  capped {self.n_capped:,} outlying amounts at their category's limit")
        if self.n_by_device:
            said.append(f"  {self.n_by_device:,} rows without a user stand under their device")
        said += [f"  read {count:,} rows of {word}" for word, count in self.synonyms.items()]
        return said


def clean(
    raw: RawEvents,
    *,
    fit_until_ms: int | None = None,
    fit_share: float = 1.0,
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
    fit_until_ms : int, optional
        Caps on amounts are fitted on events before this instant only (the training range).
    fit_share : float
        Without ``fit_until_ms``: they are fitted on this share of the time range, its beginning.
    first_ms, last_ms : int
        Times outside ``[first_ms, last_ms)`` are out of range.
    assumed_zone : str, optional
        Zone of timestamps that carry none.

    Returns
    -------
    events : Events
        In canonical order.
    vocabulary : Vocabulary
        Originals of user, item and category codes.
    report : CleaningReport
        ``n_in == n_kept + sum(dropped)``.
    """
    table, n_by_device = _under_devices(raw.table)
    at_ms, readable = to_epoch_ms(table["time"], assumed_zone=assumed_zone)
    action, synonyms, undefined = _action_codes(table["action"])
    keep = np.ones(table.num_rows, np.bool_)
    dropped = {"malformed line": raw.n_malformed}
    item_missing = _missing(table, "item") & _missing(table, "category")
    for why, is_bad in (
        ("missing user", _missing(table, "user")),
        ("missing item and category", item_missing & (action != ACTIONS.index("session"))),
        ("missing or unreadable time", ~readable),
        ("time out of range", (at_ms < first_ms) | (at_ms >= last_ms)),
        ("undefined action", action < 0),
    ):
        dropped[why] = int((keep & is_bad).sum())
        keep &= ~is_bad
    if not keep.any():
        found = {reason: count for reason, count in dropped.items() if count}
        words = f"; actions came: {_told(undefined)}, expected {', '.join(ACTIONS)}"
        hint = words if undefined else ""
        raise BadInputError(f"expected usable events, got none of {len(keep)} rows: {found}{hint}")
    rows = np.flatnonzero(keep)
    events, vocabulary = _coded(table.take(rows), at_ms[rows], action[rows])
    events, dropped["exact duplicate"] = _without_duplicates(events)
    if fit_until_ms is None:
        begin_ms, end_ms = int(events.at_ms.min()), int(events.at_ms.max()) + 1
        fit_until_ms = begin_ms + round(fit_share * (end_ms - begin_ms))
    amount, n_capped = _capped(events, fit_until_ms)
    report = CleaningReport(
        n_in=table.num_rows + raw.n_malformed,
        n_kept=events.n_rows,
        dropped=dropped,
        n_capped=n_capped,
        n_missing_amount=int(np.isnan(amount).sum()),
        n_by_device=n_by_device,
        synonyms=synonyms,
        undefined=undefined,
    )
    return _with_amount(events, amount), vocabulary, report


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
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    empty = column.is_null(nan_is_null=True)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.or_(empty, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True))
    return np.asarray(empty)


def _told(words: Mapping[str, int]) -> str:
    """The commonest words with their counts, a few of them."""
    common = sorted(words.items(), key=lambda entry: (-entry[1], entry[0]))
    told = ", ".join(f"{word!r} {count:,}" for word, count in common[:_WORDS_TOLD])
    return told + (f" and {len(common) - _WORDS_TOLD} more" if len(common) > _WORDS_TOLD else "")


def _action_codes(
    column: pa.ChunkedArray,
) -> tuple[NDArray[np.int16], dict[str, int], dict[str, int]]:
    """Code of each action, −1 where undefined; synonyms read as what; words not understood."""
    coded = pc.fill_null(column.cast(pa.string()), "").combine_chunks().dictionary_encode()
    words = [word.strip().lower() for word in coded.dictionary.to_pylist()]
    meant = [SYNONYMS.get(word, word) for word in words]
    codes = np.array([ACTIONS.index(m) if m in ACTIONS else -1 for m in meant], np.int16)
    indices = np.asarray(coded.indices, np.int64)
    counts = np.bincount(indices, minlength=len(words))
    synonyms = {
        f"{word} as {m}": int(count)
        for word, m, count in zip(words, meant, counts, strict=True)
        if word != m
    }
    undefined = {
        word: int(count)
        for word, code, count in zip(words, codes, counts, strict=True)
        if code < 0 and count
    }
    return codes[indices], synonyms, undefined


def _coded(
    table: pa.Table, at_ms: NDArray[np.int64], action: NDArray[np.int16]
) -> tuple[Events, Vocabulary]:
    user, users = _codes(table, "user")
    item, items = _codes(table, "item")
    category, categories = _codes(table, "category")
    amount, rating = _floats(table, "amount"), _floats(table, "rating")
    # A file's rows have no ids; ranks of what is left keep their order off the file's.
    rank = np.empty(table.num_rows, np.int64)
    rank[np.lexsort((rating, amount, category))] = np.arange(table.num_rows)
    order = canonical_order(user=user, at_ms=at_ms, action=action, item=item, event_id=rank)
    events = Events(
        user=user,
        at_ms=at_ms,
        action=action,
        item=item,
        category=category,
        amount=amount,
        rating=rating,
    )
    return events.take(order), Vocabulary(users=users, items=items, categories=categories)


def _codes(table: pa.Table, name: str) -> tuple[NDArray[np.int64], pa.Array]:
    """Codes by sorted value, so that they do not depend on the order of rows."""
    if name not in table.column_names:
        return np.full(table.num_rows, NO_ITEM, np.int64), pa.array([], pa.string())
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    # What counts as missing has no code: an empty cell of a CSV is a null of a Parquet file.
    column = pc.if_else(pa.array(_missing(table, name)), None, column)
    found = pc.drop_null(pc.unique(column))
    values = found.take(pc.sort_indices(found))
    codes = pc.fill_null(pc.index_in(column, value_set=values), NO_ITEM)
    return np.asarray(codes, np.int64), values


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        number = pc.match_substring_regex(column, _NUMBER)
        column = pc.utf8_trim_whitespace(pc.if_else(pc.fill_null(number, False), column, None))
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")), np.float64)
    return np.where(np.isfinite(values), values, np.nan)


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
    return events.take(~same), int(same.sum())


def _capped(events: Events, fit_until_ms: int) -> tuple[NDArray[np.float64], int]:
    """Cap amounts whose modified z-score on log(1 + amount) in their category exceeds 6."""
    amount = events.amount
    known = np.isfinite(amount) & (amount > 0)
    fitted = known & (events.at_ms < fit_until_ms)
    if not fitted.any():
        return amount, 0
    group = events.category + 1
    limit = np.full(int(group.max()) + 1, np.inf)
    order = np.flatnonzero(fitted)[np.argsort(group[fitted], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    for rows in np.split(order, cuts):
        log_amount = np.log1p(amount[rows])
        middle = np.median(log_amount)
        spread = _MAD_TO_SD * np.median(np.abs(log_amount - middle))
        if len(rows) >= 10 and spread > 0:
            limit[group[rows[0]]] = np.expm1(middle + _CAP_AT_Z * spread)
    over = known & (amount > limit[group])
    return np.where(over, limit[group], amount), int(over.sum())


def _with_amount(events: Events, amount: NDArray[np.float64]) -> Events:
    return Events(
        user=events.user,
        at_ms=events.at_ms,
        action=events.action,
        item=events.item,
        category=events.category,
        amount=amount,
        rating=events.rating,
    )
