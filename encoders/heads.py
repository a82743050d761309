"""What is read from a context vector: the next items, and the chance of being active.

Context vectors enter; item logits and hazards per hour leave. The item head adds a repeat
channel: how often, by learned recency kernels, each item was in the window; a d_c-dimensional
vector cannot hold the counts of hundreds of items (compare the repeat mode of RepeatNet, Ren et
al. 2019). The hazard is constant on pieces, so its integral is exact.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from encoders.attention import Geometry, interpolate
from encoders.batches import Batch
from encoders.clock import N_CALENDAR
from encoders.config import EncoderConfig

__all__ = ["Hazard", "NextItem", "cumulative_hazard", "slot_chance"]

_HOURLY_RATE = 0.006  # about one event a week: where an untrained hazard starts
_HALF_LIFE_H = 24 * 21.0  # of every second recency kernel, where an untrained one starts


class NextItem(nn.Module):
    """Logits of the items of the next event.

    Parameters
    ----------
    config : EncoderConfig
        Vocabulary, context width, and the number of repeat kernels.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.n_kernels = config.repeat_kernels
        self.vector = nn.Parameter(torch.randn(config.n_items, config.context_width) * 0.05)
        self.popularity = nn.Parameter(torch.zeros(config.n_items))
        if self.n_kernels:
            self.kernel = nn.Parameter(_kernels(config))  # (R, knots) log weight by age
            self.offset = nn.Parameter(torch.full((self.n_kernels,), -1.0))
            self.strength = nn.Linear(config.context_width, self.n_kernels)
            nn.init.zeros_(self.strength.weight)
            nn.init.constant_(self.strength.bias, 0.5 / self.n_kernels)

    def forward(
        self,
        context: torch.Tensor,
        *,
        batch: Batch,
        places: Geometry,
        items: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return logits (B, Q, V), or (B, Q, C) of the C candidate ``items``."""
        vector = self.vector if items is None else self.vector[items]
        prior = self.popularity if items is None else self.popularity[items]
        logits = context @ vector.T + prior
        if self.n_kernels:
            logits = logits + self._repeats(context, batch=batch, places=places, items=items)
        return logits

    def _repeats(
        self,
        context: torch.Tensor,
        *,
        batch: Batch,
        places: Geometry,
        items: torch.Tensor | None,
    ) -> torch.Tensor:
        """Σ_r β_r(c)·ln(1 + M_r / ε_r), M_r the recency-weighted count of each item."""
        bought = _multi_hot(batch, items=items, n_items=len(self.popularity), like=context)
        weight = interpolate(self.kernel, places.knot, places.fraction).exp()  # (B, R, Q, T)
        weight = weight * places.visible[:, None]
        n_batch, n_kernels, n_queries, n_tokens = weight.shape
        mass = torch.bmm(weight.reshape(n_batch, n_kernels * n_queries, n_tokens), bought)
        mass = mass.view(n_batch, n_kernels, n_queries, -1)
        counted = torch.log1p(mass * torch.exp(-self.offset).view(1, -1, 1, 1))
        return torch.einsum("bqr,brqv->bqv", self.strength(context), counted)


class Hazard(nn.Module):
    """Rate of being active, per hour, constant on pieces after the query time.

    λ_k(t) = softplus(w_k·c + a_k + (m + M c)·T_cal(t + mid_k)): the calendar term follows the
    clock, and M lets each user follow it in their own way.

    Parameters
    ----------
    config : EncoderConfig
        Context width and the edges of the pieces.
    """

    edges_h: torch.Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        edges = torch.tensor(config.hazard_edges_h, dtype=torch.float64)
        self.register_buffer("edges_h", edges, persistent=False)
        n_pieces = len(edges) - 1
        self.piece = nn.Linear(config.context_width, n_pieces)
        nn.init.normal_(self.piece.weight, std=0.02)
        nn.init.constant_(self.piece.bias, math.log(math.expm1(_HOURLY_RATE)))
        self.clock = nn.Linear(config.context_width, N_CALENDAR)
        nn.init.normal_(self.clock.weight, std=0.02)
        nn.init.zeros_(self.clock.bias)

    def forward(self, context: torch.Tensor, calendar: torch.Tensor) -> torch.Tensor:
        """Return hazards (Q, K) of contexts (Q, d_c), given the calendar (Q, K, 13) at mids."""
        clock = torch.einsum("qf,qkf->qk", self.clock(context), calendar.to(context.dtype))
        return functional.softplus(self.piece(context) + clock)


def cumulative_hazard(
    hazard: torch.Tensor, edges_h: torch.Tensor, hours: torch.Tensor
) -> torch.Tensor:
    """Λ(h) = ∫₀^h λ, (Q, S), of piecewise-constant hazards (Q, K) at ``hours`` (Q, S).

    The last piece goes on for ever; hours before zero count as zero.
    """
    edges = edges_h.to(hazard.dtype)
    cumulated = functional.pad(torch.cumsum(hazard * torch.diff(edges), dim=1), (1, 0))
    hours = hours.to(hazard.dtype).clamp(min=0)
    piece = torch.searchsorted(edges, hours.contiguous(), right=True) - 1
    piece = piece.clamp(0, hazard.shape[1] - 1)
    return cumulated.gather(1, piece) + hazard.gather(1, piece) * (hours - edges[piece])


def slot_chance(
    hazard: torch.Tensor, edges_h: torch.Tensor, *, start_h: torch.Tensor, end_h: torch.Tensor
) -> torch.Tensor:
    """Chance of being active in [start, end): 1 − exp(−∫λ), (Q, S)."""
    passed = cumulative_hazard(hazard, edges_h, end_h) - cumulative_hazard(hazard, edges_h, start_h)
    return -torch.expm1(-passed.clamp(min=0))


def _kernels(config: EncoderConfig) -> torch.Tensor:
    """Log weights by age: the first kernel counts all alike, each further one fades faster."""
    age_h = torch.expm1(torch.arange(config.time_knots) * config.time_step) / 3600
    fading = -math.log(2) * age_h / _HALF_LIFE_H
    speeds = torch.arange(config.repeat_kernels, dtype=torch.float32)[:, None]
    return (speeds * fading).clamp(min=-8.0)


def _multi_hot(
    batch: Batch, *, items: torch.Tensor | None, n_items: int, like: torch.Tensor
) -> torch.Tensor:
    """Which items each token holds, (B, T, V) or (B, T, C), as zeros and ones."""
    n_batch, n_tokens = batch.is_token.shape
    place, column, n_columns = batch.basket_place, batch.basket_item, n_items
    if items is not None:
        where = torch.full((n_items,), -1, dtype=torch.int64)
        where[items] = torch.arange(len(items))
        kept = where[column] >= 0
        place, column, n_columns = place[kept], where[column[kept]], len(items)
    held = like.new_zeros(n_batch * n_tokens, n_columns)
    held[place, column] = 1.0
    return held.view(n_batch, n_tokens, n_columns)
