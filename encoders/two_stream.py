"""The two-stream network: events that never know "now", and queries that read them at time t.

A :class:`~encoders.batches.Batch` enters; one context vector a query leaves. The event stream
is causal and banded; queries read the layer inputs of the last W events strictly before them
and are read by nobody, so any number of query times shares one event stream (the second stream
of XLNet, Yang et al. 2019, turned towards time).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from encoders.attention import Geometry, geometry
from encoders.batches import Batch
from encoders.blocks import Block
from encoders.clock import N_CALENDAR
from encoders.config import EncoderConfig
from encoders.time_features import piecewise_weights

__all__ = ["Encoded", "TwoStream"]

_VALUE_STEP = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Context vectors of the queries and where their tokens lie, which heads may read."""

    context: torch.Tensor  # (B, Q, d_c)
    places: Geometry  # (B, Q, T)


class TwoStream(nn.Module):
    """Event stream, query stream and the projection to a context vector.

    Parameters
    ----------
    config : EncoderConfig
        Sizes and switches.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.item = _bag(config.n_items + 1, width)
        self.category = _bag(config.n_categories + 1, width) if config.n_categories else None
        self.action = _bag(config.n_actions, width)
        self.amount = nn.Linear(config.value_knots + 1, width, bias=False)
        self.size = nn.Linear(config.value_knots + 1, width, bias=False)
        self.gap = nn.Linear(config.time_knots + 1, width, bias=False)
        self.clock = nn.Linear(N_CALENDAR, width, bias=False)
        self.query_start = nn.Parameter(torch.zeros(width))
        self.query_gap = nn.Linear(config.time_knots + 1, width, bias=False)
        self.query_clock = nn.Linear(N_CALENDAR, width, bias=False)
        self.event_norm = nn.LayerNorm(width)
        self.query_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.last_norm = nn.LayerNorm(width)
        self.to_context = nn.Linear(width, config.context_width, bias=False)

    def forward(self, batch: Batch) -> Encoded:
        """Encode all queries of a batch."""
        inputs = self.layer_inputs(self.embed(batch), batch)
        return self.query(batch, inputs)

    def embed(self, batch: Batch) -> torch.Tensor:
        """Token vectors (F, width) of the real tokens, from their own features only."""
        config = self.config
        bags = (batch.bag_item, batch.bag_start)
        total = self.item(*bags) + self.action(batch.bag_action, batch.bag_start)
        if self.category is not None:
            known = (batch.bag_category >= 0) & (batch.bag_category < config.n_categories)
            codes = torch.where(known, batch.bag_category, config.n_categories)
            total = total + self.category(codes, batch.bag_start)
        dtype = total.dtype
        total = total + self.amount(self._value_knots(batch.log_amount, dtype))
        total = total + self.size(self._value_knots(batch.log_size, dtype))
        total = total + self.gap(self._gap_knots(batch.log_gap, dtype))
        normed: torch.Tensor = self.event_norm(total + self.clock(batch.calendar.to(dtype)))
        return normed

    def layer_inputs(self, embedded: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
        """Run the event stream: h^0 … h^{L−1}, each (B, T, width).

        The last layer's output is read by nobody and is not computed.
        """
        n_batch, n_tokens = batch.is_token.shape
        padded = embedded.new_zeros(n_batch * n_tokens, embedded.shape[-1])
        padded = padded.index_copy(0, batch.token_place, embedded)
        return self.content(padded.view(n_batch, n_tokens, -1), batch)

    def content(self, padded: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
        """As :meth:`layer_inputs`, from padded token vectors; what pads hold is dropped."""
        states = torch.where(batch.is_token[..., None], padded, padded.new_zeros(()))
        states = self.dropout(states)
        places = geometry(
            reader_ms=batch.token_ms,
            reader_ordinal=batch.ordinal,
            key_ms=batch.token_ms,
            key_ordinal=batch.ordinal,
            is_key=batch.is_token,
            config=self.config,
            dtype=states.dtype,
        )
        inputs = [states]
        for block in self._layers()[:-1]:
            states = block.read(states, block.keys_values(states), places)
            inputs.append(states)
        return inputs

    def query(self, batch: Batch, inputs: list[torch.Tensor]) -> Encoded:
        """Run the query stream over the layer inputs."""
        dtype = inputs[0].dtype
        gap = self.query_gap(self._gap_knots(batch.query_log_gap, dtype))
        start = self.query_start + gap + self.query_clock(batch.query_calendar.to(dtype))
        states = self.dropout(self.query_norm(start))
        places = geometry(
            reader_ms=batch.query_ms,
            reader_ordinal=batch.query_last,
            key_ms=batch.token_ms,
            key_ordinal=batch.ordinal,
            is_key=batch.is_token,
            config=self.config,
            dtype=dtype,
        )
        for block, states_in in zip(self._layers(), inputs, strict=True):
            states = block.read(states, block.keys_values(states_in), places)
        return Encoded(context=self.to_context(self.last_norm(states)), places=places)

    def _layers(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _value_knots(self, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return _soft(values, dtype, step=_VALUE_STEP, n_knots=self.config.value_knots)

    def _gap_knots(self, log_gap: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return _soft(log_gap, dtype, step=self.config.time_step, n_knots=self.config.time_knots)


def _bag(n_codes: int, width: int) -> nn.EmbeddingBag:
    bag = nn.EmbeddingBag(n_codes, width, mode="mean")
    nn.init.normal_(bag.weight, std=0.5 * width**-0.5)
    return bag


def _soft(values: torch.Tensor, dtype: torch.dtype, *, step: float, n_knots: int) -> torch.Tensor:
    return piecewise_weights(values.to(dtype), step=step, n_knots=n_knots)
