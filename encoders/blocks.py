"""One layer of both streams: banded attention and SwiGLU, each behind a gate.

Layer inputs of the event stream give keys and values; readers (events or queries) are mixed
with them by the same weights. Pre-layer-norm; the sublayer's output is gated by its input
(LiGR, Hertel et al. 2025); SwiGLU after Shazeer (2020).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from encoders.attention import Geometry, RelativeBias, attend
from encoders.config import EncoderConfig

__all__ = ["Block"]


class Block(nn.Module):
    """Attention and feed-forward of one layer, shared by events and queries.

    Parameters
    ----------
    config : EncoderConfig
        Widths, heads, window and dropout.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, inner = config.width, config.width * config.feedforward_ratio
        self.n_heads = config.n_heads
        self.before_attention = nn.LayerNorm(width)
        self.to_query = nn.Linear(width, width, bias=False)
        self.to_key_value = nn.Linear(width, 2 * width, bias=False)
        self.bias = RelativeBias(config)
        self.sink_score = nn.Parameter(torch.zeros(config.n_heads))
        self.sink_value = nn.Parameter(torch.zeros(config.n_heads, width // config.n_heads))
        self.mix = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, width)
        self.before_feedforward = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * inner, bias=False)
        self.narrow = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def keys_values(self, events: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (B, H, T, d) of layer inputs (B, T, width); no "now" in them."""
        both = self._heads(self.to_key_value(self.before_attention(events)), 2 * self.n_heads)
        return both[:, : self.n_heads], both[:, self.n_heads :]

    def read(
        self,
        readers: torch.Tensor,
        keys_values: tuple[torch.Tensor, torch.Tensor],
        places: Geometry,
    ) -> torch.Tensor:
        """Return the layer's output for readers (B, Q, width) of those keys and values."""
        q = self._heads(self.to_query(self.before_attention(readers)), self.n_heads)
        mixed = attend(
            q,
            *keys_values,
            bias=self.bias(places),
            sink_score=self.sink_score,
            sink_value=self.sink_value,
        )
        mixed = mixed.transpose(1, 2).flatten(2)
        middle: torch.Tensor = readers + torch.sigmoid(self.gate(readers)) * self.dropout(
            self.mix(mixed)
        )
        value, opening = self.widen(self.before_feedforward(middle)).chunk(2, dim=-1)
        widened: torch.Tensor = self.dropout(self.narrow(functional.silu(opening) * value))
        return middle + widened

    def _heads(self, states: torch.Tensor, n_heads: int) -> torch.Tensor:
        n_batch, n_states, width = states.shape
        return states.view(n_batch, n_states, n_heads, width // n_heads).transpose(1, 2)
