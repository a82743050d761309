"""Exponentially fading counts of what a history held before each query, without a loop over users.

Tokens and queries enter; for stretches of queries, faded counts of items, of local hours and of
weekdays leave. Counts are one padded matrix product a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.clock import clock_cells
from encoders.ragged import ragged
from encoders.tokens import Queries, TokenTable, cut_pieces

__all__ = ["Counts", "recency_counts"]

_WHOLE_HISTORY = 2**40
_BATCH_TOKENS = 8192
_MS_PER_DAY = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Faded counts for Q queries."""

    query: NDArray[np.int64]  # (Q,) row in the queries
    item: NDArray[np.float64]  # (Q, V)
    hour: NDArray[np.float64]  # (Q, 24) of the local day
    weekday: NDArray[np.float64]  # (Q, 7) from Monday


def recency_counts(
    tokens: TokenTable,
    queries: Queries,
    *,
    zone: str | None,
    n_items: int,
    item_half_life_d: float,
    rhythm_half_life_d: float,
) -> Iterator[Counts]:
    """Yield the faded counts of every query once, in batches.

    Parameters
    ----------
    zone : str or None
        Zone of the local clock; UTC where unknown.
    item_half_life_d, rhythm_half_life_d : float
        Days after which a token counts half, for items and for hours and weekdays.
    """
    hour, weekday = clock_cells(tokens.at_ms, zone)
    pieces = cut_pieces(tokens, queries, receptive_field=_WHOLE_HISTORY, batch_tokens=_BATCH_TOKENS)
    for piece in pieces:
        real = piece.is_token
        token = piece.token[real]
        age_d = (
            queries.at_ms[piece.query][:, :, None]
            - np.where(real, _taken(tokens.at_ms, piece.token), 0)[:, None, :]
        ) / _MS_PER_DAY
        before = real[:, None, :] & (
            piece.ordinal[:, None, :] < queries.seen[piece.query][:, :, None]
        )
        held = np.zeros((*real.shape, n_items))
        basket, _, owner = ragged(tokens.basket_start, token)
        held.reshape(-1, n_items)[np.flatnonzero(real)[owner], tokens.basket_item[basket]] = 1.0
        when = np.zeros((*real.shape, 31))
        flat = when.reshape(-1, 31)
        flat[np.flatnonzero(real), hour[token]] = 1.0
        flat[np.flatnonzero(real), 24 + weekday[token]] = 1.0
        rhythm = (_faded(age_d, before, rhythm_half_life_d) @ when)[piece.is_query]
        yield Counts(
            query=piece.query[piece.is_query],
            item=(_faded(age_d, before, item_half_life_d) @ held)[piece.is_query],
            hour=rhythm[:, :24],
            weekday=rhythm[:, 24:],
        )


def _faded(
    age_d: NDArray[np.float64], before: NDArray[np.bool_], half_life_d: float
) -> NDArray[np.float64]:
    return np.where(before, np.exp2(-np.where(before, age_d, 0.0) / half_life_d), 0.0)


def _taken(column: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return column[rows] if len(column) else np.zeros(rows.shape, np.int64)
