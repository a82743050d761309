"""What is asked in training: at each event, and at instants drawn inside gaps and tails.

Tokens of the training range enter; queries and their answers leave. Instants are uniform in
*time*, one in each equal stretch of the observed range, so a long gap is asked about more often
than a short one. Drawing one instant in each gap instead would favour short gaps, whose length
the history does not know yet, and teach hazards that are too high (length bias, Cox 1969).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.tokens import Queries, TokenTable, queries_of

__all__ = ["Questions", "activity_after", "event_questions", "gap_questions", "joined"]

_MS_PER_HOUR = 3_600_000
_MS_PER_DAY = 24 * _MS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Q queries and what came next: items of the next basket, and the wait for it."""

    row: NDArray[np.int64]  # (Q,) history
    at_ms: NDArray[np.int64]  # (Q,)
    basket_from: NDArray[np.int64]  # (Q,) targets are basket_item[from : to] of the table
    basket_to: NDArray[np.int64]  # (Q,)
    is_gap: NDArray[np.bool_]  # (Q,) True for instants drawn in time: the hazard's questions
    wait_h: NDArray[np.float64]  # (Q,) to the next event or the end of observation
    is_event: NDArray[np.bool_]  # (Q,) False where the wait is censored

    def queries(self, tokens: TokenTable) -> Queries:
        """Count what each question has seen."""
        return queries_of(tokens, self.row, self.at_ms)


def event_questions(tokens: TokenTable, rows: NDArray[np.int64]) -> Questions:
    """One question at each instant with an event, about that event, for histories ``rows``.

    The question sees what is strictly before the instant, so events of equal time never answer
    each other.
    """
    owner = np.repeat(np.arange(len(tokens.start) - 1), np.diff(tokens.start))
    is_first = np.ones(tokens.n_tokens, np.bool_)
    is_first[1:] = (np.diff(owner) != 0) | (np.diff(tokens.at_ms) != 0)
    first = np.flatnonzero(is_first)
    after = np.append(first[1:], tokens.n_tokens)
    kept = np.isin(owner[first], rows)
    first, after = first[kept], after[kept]
    return Questions(
        row=owner[first],
        at_ms=tokens.at_ms[first],
        basket_from=tokens.basket_start[first],
        basket_to=tokens.basket_start[after],
        is_gap=np.zeros(len(first), np.bool_),
        wait_h=np.zeros(len(first)),
        is_event=np.ones(len(first), np.bool_),
    )


def gap_questions(
    tokens: TokenTable,
    rows: NDArray[np.int64],
    *,
    from_ms: int,
    until_ms: int,
    every_days: float,
    rng: np.random.Generator,
) -> Questions:
    """One question at a random instant of each stretch of ``every_days``, for each history."""
    n_stretches = max(1, round((until_ms - from_ms) / (every_days * _MS_PER_DAY)))
    length_ms = (until_ms - from_ms) / n_stretches
    place = np.arange(n_stretches) + rng.random((len(rows), n_stretches))
    at_ms = (from_ms + np.floor(place * length_ms).astype(np.int64)).ravel()
    row = np.repeat(rows, n_stretches)
    upcoming = tokens.start[row] + queries_of(tokens, row, at_ms).seen
    is_event = upcoming < tokens.start[row + 1]
    token = np.where(is_event, upcoming, 0)
    if tokens.n_tokens == 0:
        ends, basket = np.full(len(row), until_ms), (np.zeros(len(row), np.int64),) * 2
    else:
        ends = np.where(is_event, tokens.at_ms[token], until_ms)
        last = np.searchsorted(_instants(tokens), _instants(tokens)[token], side="right")
        basket = tokens.basket_start[token], tokens.basket_start[last]
    return Questions(
        row=row,
        at_ms=at_ms,
        basket_from=basket[0],
        basket_to=np.where(is_event, basket[1], basket[0]),
        is_gap=np.ones(len(row), np.bool_),
        wait_h=(ends - at_ms) / _MS_PER_HOUR,
        is_event=is_event,
    )


def activity_after(
    tokens: TokenTable,
    *,
    row: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    edges_h: NDArray[np.float64],
    until_ms: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each piece after each instant holds an event, and was observed whole, (Q, K).

    Parameters
    ----------
    row, at_ms : ndarray of int64, (Q,)
        Histories and instants.
    edges_h : ndarray, (K + 1,)
        Edges of the pieces, hours after the instant.
    until_ms : int
        End of observation.
    """
    edges_ms = at_ms[:, None] + np.rint(edges_h * _MS_PER_HOUR).astype(np.int64)
    rows = np.repeat(row, len(edges_h))
    before = queries_of(tokens, rows, edges_ms.ravel()).seen.reshape(edges_ms.shape)
    return np.diff(before, axis=1) > 0, edges_ms[:, 1:] <= until_ms


def joined(*parts: Questions) -> Questions:
    """Put questions one after the other."""
    names = Questions.__slots__
    return Questions(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _instants(tokens: TokenTable) -> NDArray[np.int64]:
    """Number of the (history, instant) group of each token."""
    is_first = np.ones(tokens.n_tokens, np.bool_)
    is_first[1:] = np.diff(tokens.at_ms) != 0
    is_first[tokens.start[:-1][tokens.start[:-1] < tokens.n_tokens]] = True
    return np.cumsum(is_first)
