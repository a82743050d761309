"""Histories as tokens, and queries over them as padded batches.

:class:`~bandit.events.Histories` and query times enter; a :class:`TokenTable` (one row a token,
ragged baskets beside it) and :class:`Piece` batches (padded indices) leave. A long history is
cut into pieces that each carry the whole receptive field before their first query, so a piece
gives exactly what the uncut history gives. Reference: the receptive field of banded attention,
Beltagy, Peters and Cohan (2020), section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.events import Histories
from encoders.ragged import spans

__all__ = [
    "MISSING_GAP",
    "Piece",
    "Queries",
    "TokenTable",
    "cut_pieces",
    "events_before",
    "queries_of",
    "tokens_of",
]

MISSING_GAP = -1
_OWNED = 128  # query positions that one piece owns
_ASKED = 2048  # queries of one piece: its attention grows with queries times tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTable:
    """M tokens of N histories in time order; token m owns events event_start[m] … [m + 1]."""

    start: NDArray[np.int64]  # (N + 1,) tokens of history n
    at_ms: NDArray[np.int64]  # (M,)
    gap_ms: NDArray[np.int64]  # (M,) since the token before; MISSING_GAP for the first
    log_amount: NDArray[np.float32]  # (M,) ln(1 + total / scale); NaN where none is known
    log_size: NDArray[np.float32]  # (M,) ln(number of events)
    event_start: NDArray[np.int64]  # (M + 1,)
    item: NDArray[np.int64]  # (E,) item code of each event
    category: NDArray[np.int64]  # (E,)
    action: NDArray[np.int64]  # (E,)
    basket_start: NDArray[np.int64]  # (M + 1,)
    basket_item: NDArray[np.int64]  # (B,) distinct known items of each token

    @property
    def n_tokens(self) -> int:
        """Number of tokens M."""
        return len(self.at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Q questions: history ``row`` at instant ``at_ms``, which ``seen`` tokens precede."""

    row: NDArray[np.int64]  # (Q,)
    at_ms: NDArray[np.int64]  # (Q,)
    seen: NDArray[np.int64]  # (Q,) tokens of the row strictly before at_ms
    gap_ms: NDArray[np.int64]  # (Q,) since the last of them; MISSING_GAP without any

    @property
    def n_rows(self) -> int:
        """Number of queries Q."""
        return len(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A padded batch of B stretches of T tokens and Q queries; pads are False in the masks."""

    token: NDArray[np.int64]  # (B, T) row in the token table
    is_token: NDArray[np.bool_]  # (B, T)
    ordinal: NDArray[np.int64]  # (B, T) place of the token in its history
    query: NDArray[np.int64]  # (B, Q) row in the queries
    is_query: NDArray[np.bool_]  # (B, Q)


def tokens_of(
    histories: Histories, *, pool_ties: bool, amount_scale: float = 1.0, n_items: int
) -> TokenTable:
    """Turn events into tokens; with ``pool_ties`` the events of one instant are one token.

    Parameters
    ----------
    histories : Histories
        Any order within a user is accepted: events are put in canonical order here, so that
        events of equal time and any permutation of them give the same tokens.
    amount_scale : float
        Divides total amounts before the logarithm.
    n_items : int
        Item codes outside 0 … n_items − 1 become unknown (n_items).
    """
    events = histories.events
    row = np.repeat(np.arange(histories.n_users), np.diff(histories.offsets))
    order = _canonical(row, histories)
    row, at_ms, amount = row[order], events.at_ms[order], events.amount[order]
    item = _known(events.item[order], n_items)
    is_first = np.ones(len(row), np.bool_)
    if pool_ties:
        is_first[1:] = (np.diff(row) != 0) | (np.diff(at_ms) != 0)
    first = np.flatnonzero(is_first)
    event_start = np.append(first, len(row)).astype(np.int64)
    token_row, token_at = row[first], at_ms[first]
    start = np.searchsorted(token_row, np.arange(histories.n_users + 1)).astype(np.int64)
    basket_start, basket_item = _baskets(np.cumsum(is_first) - 1, item, len(first), n_items)
    return TokenTable(
        start=start,
        at_ms=token_at,
        gap_ms=_gaps(token_at, start),
        log_amount=_log_amount(amount, event_start, amount_scale),
        log_size=np.log(np.maximum(np.diff(event_start), 1)).astype(np.float32),
        event_start=event_start,
        item=item,
        category=np.asarray(events.category[order], np.int64),
        action=np.asarray(events.action[order], np.int64),
        basket_start=basket_start,
        basket_item=basket_item,
    )


def events_before(histories: Histories, until_ms: int) -> Histories:
    """Histories with only the events before ``until_ms``."""
    kept = histories.events.at_ms < until_ms
    counted = np.concatenate([[0], np.cumsum(kept)])
    return Histories(
        user=histories.user,
        offsets=counted[histories.offsets].astype(np.int64),
        events=histories.events.take(np.flatnonzero(kept)),
    )


def queries_of(tokens: TokenTable, row: NDArray[np.int64], at_ms: NDArray[np.int64]) -> Queries:
    """Count, for each question, the tokens strictly before it and the time since the last."""
    at = np.asarray(at_ms, np.int64)
    # Instants beyond all tokens count as just beyond, so that keys span the tokens only.
    base, last = int(tokens.at_ms.min(initial=2**62)), int(tokens.at_ms.max(initial=-(2**62)))
    near = np.clip(at, base, max(base, last + 1)) - base
    when, span = tokens.at_ms - base, max(last - base, 0) + 2
    n_histories = len(tokens.start) - 1
    if n_histories * span > np.iinfo(np.int64).max:
        instants, when = np.unique(tokens.at_ms, return_inverse=True)
        near, span = np.searchsorted(instants, at), len(instants) + 1
    owner = np.repeat(np.arange(n_histories), np.diff(tokens.start))
    place = np.searchsorted(owner * span + when, row * span + near)
    seen = place - tokens.start[row]
    gap_ms = np.full(len(row), MISSING_GAP, np.int64)
    has_past = seen > 0
    gap_ms[has_past] = at[has_past] - tokens.at_ms[place[has_past] - 1]
    return Queries(row=row, at_ms=at, seen=np.asarray(seen, np.int64), gap_ms=gap_ms)


def cut_pieces(
    tokens: TokenTable,
    queries: Queries,
    *,
    receptive_field: int,
    batch_tokens: int,
    rng: np.random.Generator | None = None,
) -> Iterator[Piece]:
    """Batch the queries with the tokens they can depend on.

    Parameters
    ----------
    receptive_field : int
        R: a query that has seen n tokens depends on tokens n − R … n − 1 at most.
    batch_tokens : int
        Padded tokens plus queries of a batch, about.
    rng : Generator, optional
        Shuffles which pieces of similar length meet; batches come shortest first.
    """
    block = np.maximum(queries.seen - 1, 0) // _OWNED
    order = np.lexsort((queries.at_ms, block, queries.row))
    row, block = queries.row[order], block[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (np.diff(row) != 0) | (np.diff(block) != 0)
    first = _cut_long(np.flatnonzero(is_first), len(order))
    n_queries = np.diff(np.append(first, len(order)))
    low = np.maximum(block[first] * _OWNED + 1 - receptive_field, 0)
    n_tokens = queries.seen[order][first + n_queries - 1] - low
    base = tokens.start[row[first]]
    for chosen in _packed(n_tokens, n_queries, batch_tokens, rng):
        ordinal, is_token = _grid(low[chosen], n_tokens[chosen])
        place, is_query = _grid(first[chosen], n_queries[chosen])
        yield Piece(
            token=np.where(is_token, base[chosen][:, None] + ordinal, 0),
            is_token=is_token,
            ordinal=ordinal,
            query=np.where(is_query, order[np.where(is_query, place, 0)], 0),
            is_query=is_query,
        )


def _cut_long(first: NDArray[np.int64], n_queries: int) -> NDArray[np.int64]:
    """Starts of stretches, of which none is longer than what one piece may ask."""
    length = np.diff(np.append(first, n_queries))
    if not (length > _ASKED).any():
        return first
    steps, owner = spans(np.zeros_like(length), -(-length // _ASKED))
    return first[owner] + steps * _ASKED


def _packed(
    n_tokens: NDArray[np.int64],
    n_queries: NDArray[np.int64],
    budget: int,
    rng: np.random.Generator | None,
) -> list[NDArray[np.int64]]:
    """Groups of pieces of similar length whose padded size stays within the budget."""
    length = (n_tokens + n_queries).astype(np.float64)
    if rng is not None:
        length = length * rng.uniform(0.9, 1.1, len(length))
    by_length = np.argsort(length, kind="stable")
    groups, begin, widest_t, widest_q = [], 0, 0, 0
    for end, piece in enumerate(by_length.tolist()):
        widest_t, widest_q = max(widest_t, int(n_tokens[piece])), max(widest_q, n_queries[piece])
        if end > begin and (end + 1 - begin) * (widest_t + widest_q) > budget:
            groups.append(by_length[begin:end])
            begin, widest_t, widest_q = end, int(n_tokens[piece]), int(n_queries[piece])
    groups.append(by_length[begin:])
    return [group for group in groups if len(group)]


def _grid(
    first: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    steps = np.arange(max(int(length.max(initial=0)), 1))
    return first[:, None] + steps, steps < length[:, None]


def _canonical(row: NDArray[np.int64], histories: Histories) -> NDArray[np.int64]:
    events = histories.events
    columns = (events.item, events.action.astype(np.int64), events.at_ms, row)
    order = np.lexsort((events.amount, events.category, *columns))
    return np.asarray(order, np.int64)


def _known(codes: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.where((codes >= 0) & (codes < size), codes, size)


def _gaps(at_ms: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.int64]:
    gap = np.diff(at_ms, prepend=at_ms[:1])
    gap[start[:-1][start[:-1] < len(gap)]] = MISSING_GAP
    return gap


def _log_amount(
    amount: NDArray[np.float64], event_start: NDArray[np.int64], scale: float
) -> NDArray[np.float32]:
    if len(amount) == 0:
        return np.zeros(0, np.float32)
    known = ~np.isnan(amount)
    total = np.add.reduceat(np.where(known, amount, 0.0), event_start[:-1])
    n_known = np.add.reduceat(known.astype(np.int64), event_start[:-1])
    logged = np.log1p(np.maximum(total, 0.0) / scale)
    return np.where(n_known > 0, logged, np.nan).astype(np.float32)


def _baskets(
    token: NDArray[np.int64], item: NDArray[np.int64], n_tokens: int, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    known = item < n_items
    pairs = np.unique(token[known] * n_items + item[known])
    start = np.searchsorted(pairs // n_items, np.arange(n_tokens + 1)).astype(np.int64)
    return start, np.asarray(pairs % n_items, np.int64)
