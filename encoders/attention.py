"""Banded attention with a learned sink and continuous relative biases.

Queries, keys, values and the geometry of a batch (who sees whom, how long ago, how many tokens
ago) enter; mixed values leave. The sink is one more key with a score and a value of its own:
attention is defined for an empty history, and a head may attend to nothing (Xiao et al. 2024,
StreamingLLM). The time bias interpolates linearly between knots in log time, so the output is
continuous in the query time, unlike the buckets of HSTU (Zhai et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from encoders.config import EncoderConfig
from encoders.time_features import log_time

__all__ = ["Geometry", "RelativeBias", "attend", "geometry", "interpolate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Relative places of keys as seen by readers; computed once a batch, shared by all layers."""

    visible: torch.Tensor  # (B, Q, T) bool
    knot: torch.Tensor  # (B, Q, T) int64, lower time knot
    fraction: torch.Tensor  # (B, Q, T) towards the next knot
    distance: torch.Tensor  # (B, Q, T) int64, tokens between, 0 … W − 1


def geometry(
    *,
    reader_ms: torch.Tensor,
    reader_ordinal: torch.Tensor,
    key_ms: torch.Tensor,
    key_ordinal: torch.Tensor,
    is_key: torch.Tensor,
    config: EncoderConfig,
    dtype: torch.dtype,
) -> Geometry:
    """Place the keys of each history relative to its readers.

    Parameters
    ----------
    reader_ms, key_ms : Tensor of int64, (B, Q), (B, T)
        Instants; subtracted as integers.
    reader_ordinal : Tensor of int64, (B, Q)
        Ordinal of the last token the reader may see: its own for a token, n − 1 for a query
        after n tokens.
    is_key : Tensor of bool, (B, T)
        False for pads, which nobody sees.
    """
    distance = reader_ordinal[:, :, None] - key_ordinal[:, None, :]
    visible = (distance >= 0) & (distance < config.window) & is_key[:, None, :]
    knot, fraction = log_time(
        reader_ms[:, :, None] - key_ms[:, None, :],
        step=config.time_step,
        n_knots=config.time_knots,
        dtype=dtype,
    )
    return Geometry(
        visible=visible,
        knot=knot,
        fraction=fraction,
        distance=distance.clamp(0, config.window - 1),
    )


class RelativeBias(nn.Module):
    """b^time(Δ) + b^pos(distance) of every head, −∞ where a key is not visible.

    Parameters
    ----------
    config : EncoderConfig
        Heads, window and time knots.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        # A gentle decay to begin with: recent events matter more until data say otherwise.
        decay = torch.linspace(0.0, -1.0, config.time_knots)
        self.time = nn.Parameter(decay.repeat(config.n_heads, 1))  # (heads, knots)
        self.distance = nn.Parameter(torch.zeros(config.n_heads, config.window))

    def forward(self, places: Geometry) -> torch.Tensor:
        """Return the bias (B, heads, Q, T)."""
        bias = interpolate(self.time, places.knot, places.fraction)
        bias = bias + _gather(self.distance, places.distance)
        return torch.where(places.visible[:, None], bias, -torch.inf)


def interpolate(table: torch.Tensor, knot: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
    """Read tables (H, knots) between knots: (1 − f)·B[k] + f·B[k + 1], as (B, H, Q, T)."""
    read: torch.Tensor = _Interpolate.apply(table, knot, fraction)  # type: ignore[no-untyped-call]
    return read


def _gather(table: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    read: torch.Tensor = _Gather.apply(table, code)  # type: ignore[no-untyped-call]
    return read


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    bias: torch.Tensor,
    sink_score: torch.Tensor,
    sink_value: torch.Tensor,
) -> torch.Tensor:
    """Softmax attention over visible keys and the sink.

    Parameters
    ----------
    q, k, v : Tensor, (B, H, Q, d), (B, H, T, d), (B, H, T, d)
    bias : Tensor, (B, H, Q, T)
        Added to scores; −∞ hides a key.
    sink_score, sink_value : Tensor, (H,), (H, d)
        The key that is always there.

    Returns
    -------
    Tensor, (B, H, Q, d)
    """
    n_batch, n_heads, n_readers, width = q.shape
    scores = torch.matmul(q * width**-0.5, k.transpose(-1, -2)) + bias
    sink = sink_score.view(1, n_heads, 1, 1).expand(n_batch, n_heads, n_readers, 1)
    weights = torch.softmax(torch.cat([scores, sink], dim=-1), dim=-1)
    sink_part = weights[..., -1:] * sink_value.view(1, n_heads, 1, width)
    return torch.matmul(weights[..., :-1], v) + sink_part


class _Gather(torch.autograd.Function):
    """table[:, code] with a bincount as its backward: indexing's own is slow for many reads."""

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(code)
        ctx.n_codes = table.shape[1]
        return table[:, code].transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (code,) = ctx.saved_tensors
        flat = code.reshape(-1)
        rows = [
            torch.bincount(flat, grad[:, h].reshape(-1), minlength=ctx.n_codes)
            for h in range(grad.shape[1])
        ]
        return torch.stack(rows).to(grad.dtype), None


class _Interpolate(torch.autograd.Function):
    """Linear interpolation between knots; the gradient of a read splits 1 − f and f."""

    @staticmethod
    def forward(
        ctx: Any, table: torch.Tensor, knot: torch.Tensor, fraction: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(knot, fraction)
        ctx.n_knots = table.shape[1]
        slope = torch.diff(table, dim=1, append=table[:, -1:])
        return (table[:, knot] + slope[:, knot] * fraction).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        knot, fraction = ctx.saved_tensors
        flat = knot.reshape(-1)
        rows = []
        for h in range(grad.shape[1]):
            upper = (grad[:, h] * fraction).reshape(-1)
            row = torch.bincount(flat, grad[:, h].reshape(-1) - upper, minlength=ctx.n_knots)
            row[1:] += torch.bincount(flat, upper, minlength=ctx.n_knots)[:-1]
            rows.append(row)
        return torch.stack(rows).to(grad.dtype), None, None
