"""The two-stream encoder as the rest of the house sees it: histories in, arrays out.

Histories and query times enter; context vectors, item log-probabilities and slot chances
leave as float64 arrays. Implements :class:`bandit.protocols.Encoder`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandit.errors import expect_shape
from bandit.events import Histories
from encoders.answer import Answer, expect_items, expect_slots, expect_times, expect_zone
from encoders.batches import Batches, Tensorised
from encoders.heads import slot_chance
from encoders.network import Network, Reading
from encoders.tokens import queries_of, tokens_of

__all__ = ["TwoStreamEncoder"]

_BATCH_TOKENS = 16_384
_BATCH_CELLS = 10_000_000  # queries × items of one batch: several arrays of that size are held
_LEAST_TOKENS = 512
_MS_PER_HOUR = 3_600_000


class TwoStreamEncoder:
    """Context vectors, next items and activity of N users at T times each.

    Parameters
    ----------
    network : Network
        Fitted; used for inference only.
    zone : str or None
        IANA zone of the users, ``None`` where unknown.
    rotation : ndarray, (d_c, d_c), optional
        Orthogonal; turns contexts to their principal axes. Identity by default.
    notes : mapping, optional
        How the network was fitted, kept with the artefact.
    """

    def __init__(
        self,
        network: Network,
        *,
        zone: str | None,
        rotation: NDArray[np.float64] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network.eval()
        self.zone = expect_zone(zone)
        self.rotation = np.eye(self.n_features) if rotation is None else rotation
        expect_shape("rotation", self.rotation, (self.n_features, self.n_features))
        self.notes = dict(notes or {})

    @property
    def encoder_id(self) -> str:
        """Name made of the weights and of what they are used with: equal ids, equal vectors."""
        settings = json.dumps(asdict(self.network.config), sort_keys=True)
        digest = hashlib.blake2b(settings.encode(), digest_size=6)
        for name, weight in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + weight.numpy().tobytes())
        digest.update(np.ascontiguousarray(self.rotation).tobytes() + str(self.zone).encode())
        return f"two-stream-{digest.hexdigest()}"

    @property
    def n_features(self) -> int:
        """Length d_c of a context vector."""
        return self.network.config.context_width

    @property
    def n_leading(self) -> int:
        """How many leading coordinates are meant for a bandit."""
        return self.network.config.n_leading

    def encode(self, histories: Histories, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return context vectors (N, T, D); events at or after a time do not count for it."""
        return self._read(histories, at_ms, (self.n_features,), lambda r, _: (self._turned(r),))[0]

    def item_scores(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        items: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Return log-probabilities (N, T, V) of the next event's items, or only of ``items``."""
        chosen = expect_items(items, self.network.config.n_items)
        return self._read(
            histories, at_ms, (len(chosen),), lambda r, _: (self._item_scores(r, chosen),)
        )[0]

    def slot_probabilities(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the chance (N, T, S) of an event in [start, end), as seen from ``at_ms``.

        Parameters
        ----------
        at_ms : ndarray of int64, (N, T)
            When it is asked.
        start_ms, end_ms : ndarray of int64, (N, T, S)
            Slots after it; what lies before ``at_ms`` counts as no time.
        """
        at = expect_times(histories, at_ms)
        start, end = expect_slots(at, start_ms=start_ms, end_ms=end_ms)
        return self._read(
            histories,
            at,
            (start.shape[1],),
            lambda reading, query: (self._slot_chance(reading, start[query], end[query]),),
        )[0]

    def answer(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        items: NDArray[np.int64],
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> Answer:
        """Return context, scores of ``items`` and slot chances of the same queries in one pass."""
        at = expect_times(histories, at_ms)
        start, end = expect_slots(at, start_ms=start_ms, end_ms=end_ms)
        chosen = expect_items(items, self.network.config.n_items)
        context, scores, chances = self._read(
            histories,
            at,
            (self.n_features, len(chosen), start.shape[1]),
            lambda reading, query: (
                self._turned(reading),
                self._item_scores(reading, chosen),
                self._slot_chance(reading, start[query], end[query]),
            ),
        )
        return Answer(context=context, item_scores=scores, slot_probabilities=chances)

    def _turned(self, reading: Reading) -> NDArray[np.float64]:
        return np.asarray(reading.context.double().numpy() @ self.rotation)

    def _item_scores(self, reading: Reading, items: NDArray[np.int64]) -> NDArray[np.float64]:
        log_p = torch.log_softmax(self.network.item_logits(reading), dim=-1).numpy()
        return np.asarray(log_p[:, items], np.float64)

    def _slot_chance(
        self, reading: Reading, start_ms: NDArray[np.int64], end_ms: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        asked = reading.at_ms.numpy()
        # In float64: a slot far ahead is the small difference of two large integrals.
        chance = slot_chance(
            self.network.hazards(reading.context, asked, self.zone).double(),
            self.network.hazard.edges_h,
            start_h=torch.from_numpy((start_ms - asked[:, None]) / _MS_PER_HOUR),
            end_h=torch.from_numpy((end_ms - asked[:, None]) / _MS_PER_HOUR),
        )
        return np.asarray(chance.numpy(), np.float64)

    def _read(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        widths: tuple[int, ...],
        read: Callable[[Reading, NDArray[np.int64]], tuple[NDArray[np.float64], ...]],
    ) -> tuple[NDArray[np.float64], ...]:
        """Run the network once over all queries and collect what ``read`` takes from it."""
        at = expect_times(histories, at_ms)
        config = self.network.config
        tokens = tokens_of(
            histories,
            pool_ties=config.pool_ties,
            amount_scale=config.amount_scale,
            n_items=config.n_items,
        )
        row = np.repeat(np.arange(at.shape[0]), at.shape[1])
        queries = queries_of(tokens, row, at.ravel())
        found = tuple(np.empty((at.size, width)) for width in widths)
        tensorised = Tensorised.of(tokens, queries, zone=self.zone, config=config)
        most = max(_LEAST_TOKENS, _BATCH_CELLS // config.n_items)
        batches = Batches.of(tensorised, config=config, batch_tokens=min(_BATCH_TOKENS, most))
        with torch.inference_mode():
            for batch in batches:
                reading = self.network(batch)
                query = reading.query.numpy()
                for column, values in zip(found, read(reading, query), strict=True):
                    column[query] = values
        return tuple(column.reshape(*at.shape, column.shape[1]) for column in found)
