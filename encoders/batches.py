"""Padded pieces as tensors: everything a forward pass reads, and nothing else.

A :class:`~encoders.tokens.TokenTable`, its queries and a :class:`~encoders.tokens.Piece` enter;
a :class:`Batch` of tensors leaves. Only real tokens are carried with features (flat), so what
pads hold cannot reach the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.clock import calendar_features
from encoders.config import EncoderConfig
from encoders.ragged import ragged
from encoders.tokens import Piece, Queries, TokenTable, cut_pieces

__all__ = ["Batch", "Batches", "Tensorised"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """B stretches of T tokens and Q queries; F real tokens with E events and K basket items."""

    token_place: torch.Tensor  # (F,) flat place b·T + t of each real token
    bag_start: torch.Tensor  # (F,) first event of each token
    bag_item: torch.Tensor  # (E,)
    bag_category: torch.Tensor  # (E,)
    bag_action: torch.Tensor  # (E,)
    log_gap: torch.Tensor  # (F,) ln(1 + s) since the token before; NaN for the first
    log_amount: torch.Tensor  # (F,)
    log_size: torch.Tensor  # (F,)
    calendar: torch.Tensor  # (F, 13)
    token_ms: torch.Tensor  # (B, T) int64
    is_token: torch.Tensor  # (B, T) bool
    ordinal: torch.Tensor  # (B, T) int64
    basket_place: torch.Tensor  # (K,) flat place of the token
    basket_item: torch.Tensor  # (K,)
    query: torch.Tensor  # (B, Q) row in the queries
    is_query: torch.Tensor  # (B, Q) bool
    query_ms: torch.Tensor  # (B, Q) int64
    query_last: torch.Tensor  # (B, Q) ordinal of the last token seen; −1 for none
    query_log_gap: torch.Tensor  # (B, Q)
    query_calendar: torch.Tensor  # (B, Q, 13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensorised:
    """Tokens and queries with their features computed once, before any batch is cut."""

    tokens: TokenTable
    queries: Queries
    token_log_gap: NDArray[np.float32]
    token_calendar: NDArray[np.float32]
    query_log_gap: NDArray[np.float32]
    query_calendar: NDArray[np.float32]

    @classmethod
    def of(
        cls, tokens: TokenTable, queries: Queries, *, zone: str | None, config: EncoderConfig
    ) -> Tensorised:
        """Compute gap and calendar features of all tokens and queries."""
        zone = zone if config.calendar else None
        return cls(
            tokens=tokens,
            queries=queries,
            token_log_gap=_log_gap(tokens.gap_ms),
            token_calendar=calendar_features(tokens.at_ms, zone, yearly=config.yearly),
            query_log_gap=_log_gap(queries.gap_ms),
            query_calendar=calendar_features(queries.at_ms, zone, yearly=config.yearly),
        )

    def batch(self, piece: Piece) -> Batch:
        """Gather one piece."""
        tokens = self.tokens
        place = np.flatnonzero(piece.is_token)
        token = piece.token.ravel()[place]
        events, bag_start, _ = ragged(tokens.event_start, token)
        basket, _, owner = ragged(tokens.basket_start, token)
        real = piece.is_token
        token_ms = np.zeros(real.shape, np.int64)
        token_ms[real] = tokens.at_ms[piece.token[real]]
        query = piece.query
        return Batch(
            token_place=torch.from_numpy(place),
            bag_start=torch.from_numpy(bag_start),
            bag_item=torch.from_numpy(tokens.item[events]),
            bag_category=torch.from_numpy(tokens.category[events]),
            bag_action=torch.from_numpy(tokens.action[events]),
            log_gap=torch.from_numpy(self.token_log_gap[token]),
            log_amount=torch.from_numpy(tokens.log_amount[token]),
            log_size=torch.from_numpy(tokens.log_size[token]),
            calendar=torch.from_numpy(self.token_calendar[token]),
            token_ms=torch.from_numpy(token_ms),
            is_token=torch.from_numpy(real),
            ordinal=torch.from_numpy(piece.ordinal),
            basket_place=torch.from_numpy(place[owner]),
            basket_item=torch.from_numpy(tokens.basket_item[basket]),
            query=torch.from_numpy(query),
            is_query=torch.from_numpy(piece.is_query),
            query_ms=torch.from_numpy(self.queries.at_ms[query]),
            query_last=torch.from_numpy(self.queries.seen[query] - 1),
            query_log_gap=torch.from_numpy(self.query_log_gap[query]),
            query_calendar=torch.from_numpy(self.query_calendar[query]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Every query once, with the tokens it can depend on; tensors are made as they are asked for.

    Iterate over it; its length is known before.
    """

    tensorised: Tensorised
    pieces: tuple[Piece, ...]

    @classmethod
    def of(
        cls,
        tensorised: Tensorised,
        *,
        config: EncoderConfig,
        batch_tokens: int,
        rng: np.random.Generator | None = None,
    ) -> Batches:
        """Cut the pieces; see :func:`encoders.tokens.cut_pieces`."""
        pieces = cut_pieces(
            tensorised.tokens,
            tensorised.queries,
            receptive_field=config.receptive_field,
            batch_tokens=batch_tokens,
            rng=rng,
        )
        return cls(tensorised=tensorised, pieces=tuple(pieces))

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[Batch]:
        return (self.tensorised.batch(piece) for piece in self.pieces)

    def steps(self, n_batches: int, rng: np.random.Generator) -> Iterator[list[Batch]]:
        """Shuffle batches into steps of about ``n_batches``, each with short and long histories.

        Histories of one length behave alike; a step of one length only would pull the weights
        towards them, and clipping and Adam do not average such pulls out.
        """
        n_steps = max(1, round(len(self.pieces) / n_batches))
        strata = [
            begin + rng.permutation(min(n_steps, len(self.pieces) - begin))
            for begin in range(0, len(self.pieces), n_steps)
        ]
        for number in rng.permutation(n_steps):
            chosen = [stratum[number] for stratum in strata if number < len(stratum)]
            yield [self.tensorised.batch(self.pieces[place]) for place in chosen]


def _log_gap(gap_ms: NDArray[np.int64]) -> NDArray[np.float32]:
    logged = np.log1p(np.maximum(gap_ms, 0) / 1000.0)
    return np.where(gap_ms < 0, np.nan, logged).astype(np.float32)
