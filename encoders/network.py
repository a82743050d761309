"""The whole trainable thing: the two streams and the two heads that read them.

A batch enters; context vectors, item logits and hazards leave, for real queries only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from encoders.batches import Batch
from encoders.clock import calendar_features
from encoders.config import EncoderConfig
from encoders.heads import Hazard, NextItem
from encoders.two_stream import Encoded, TwoStream

__all__ = ["Network", "Reading"]

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The real queries of a batch, flat, with what heads need to read them."""

    query: torch.Tensor  # (Q,) row in the queries
    at_ms: torch.Tensor  # (Q,)
    context: torch.Tensor  # (Q, d_c)
    batch: Batch
    encoded: Encoded


class Network(nn.Module):
    """Two streams, the next-item head and the hazard head.

    Parameters
    ----------
    config : EncoderConfig
        Sizes and switches.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.stream = TwoStream(config)
        self.next_item = NextItem(config)
        self.hazard = Hazard(config)

    def forward(self, batch: Batch) -> Reading:
        """Encode the queries of a batch and drop the pads."""
        encoded: Encoded = self.stream(batch)
        return Reading(
            query=batch.query[batch.is_query],
            at_ms=batch.query_ms[batch.is_query],
            context=encoded.context[batch.is_query],
            batch=batch,
            encoded=encoded,
        )

    def item_logits(self, reading: Reading, items: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (Q, V) of the next event's items, or (Q, C) of candidates."""
        logits: torch.Tensor = self.next_item(
            reading.encoded.context,
            batch=reading.batch,
            places=reading.encoded.places,
            items=items,
        )
        return logits[reading.batch.is_query]

    def hazards(
        self, context: torch.Tensor, at_ms: NDArray[np.int64], zone: str | None
    ) -> torch.Tensor:
        """Hazards per hour (Q, K) of contexts (Q, d_c) at their instants."""
        edges = np.asarray(self.config.hazard_edges_h)
        middle_ms = np.rint((edges[:-1] + edges[1:]) / 2 * _MS_PER_HOUR).astype(np.int64)
        # Many users are asked about the same instants: their clock is read once.
        instants, place = np.unique(at_ms, return_inverse=True)
        clock = calendar_features(
            instants[:, None] + middle_ms,
            zone if self.config.calendar else None,
            yearly=self.config.yearly,
        )
        hazards: torch.Tensor = self.hazard(context, torch.from_numpy(clock[place]))
        return hazards
