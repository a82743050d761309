"""Costs of all actions from Vowpal Wabbit's table of weights, as a few matrix products.

A workspace enters; its weights leave as vectors and matrices, and with them the costs of N × A
actions without an example. Where a feature's weight lies is Vowpal Wabbit's own rule: hashes of
namespaces plus the feature's number, pairs folded by FNV-1 (``interactions.h``), one stride a
model of the ensemble. A test holds the costs to what it predicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vowpalwabbit import Workspace

from bandit.actions import Request

__all__ = ["Table"]

Array = NDArray[np.float64]
Whole = NDArray[np.uint64]

_FNV_PRIME = np.uint64(16777619)
_CONSTANT = 11650396
_CHUNK_BYTES = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Weights of one model by what they multiply; ``1`` stands for the constant.

    Parameters
    ----------
    weights : mapping
        ``"1"`` → (), ``"c"`` → (D,), ``"is"`` → (Di, Ds) and so on.
    """

    weights: Mapping[str, Array]

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        lengths: tuple[int, int, int],
        *,
        words: Sequence[str],
        model: int,
        n_models: int,
    ) -> Table:
        """Read the weights of one model of an ensemble.

        Parameters
        ----------
        workspace : Workspace
            Read between two batches of learning.
        lengths : three ints
            D, Di and Ds.
        words : sequence of str
            Interactions.
        model, n_models : int
            Which model, of how many that share the table.
        """
        # Rows of a table are a power of two of models long.
        stride = np.uint64(1 << (n_models - 1).bit_length())
        sizes = dict(zip("chis", (lengths[0], 1, *lengths[1:]), strict=True))
        places = {
            name: (np.uint64(workspace.hash_space(name)) + np.arange(n, dtype=np.uint64)) * stride
            for name, n in sizes.items()
        }
        mask = np.uint64(workspace.num_weights() - 1)

        def read(place: Whole) -> Array:
            where = ((place + np.uint64(model)) & mask).ravel().tolist()
            found = [workspace.get_weight(index) for index in where]
            return np.array(found, float).reshape(place.shape)

        weights = {"1": read(np.array(_CONSTANT, np.uint64) * stride)}
        for word in ("c", "h", "i", "s", *words):
            folded = places[word[0]]
            for name in word[1:]:
                folded = (folded * _FNV_PRIME)[..., None] ^ places[name]
            weights[word] = read(folded)
        return cls(weights=weights)

    def places(self, request: Request) -> tuple[Array, Array]:
        """Expected cost of hold and items, (N, 1 + K), and of slots, (N, S), learned apart."""
        base = self.weights["1"] + request.context @ self.weights["c"]
        hold = base + self.weights["h"][0]
        items = base[:, None] + self._reached("i", request.context, request.item_features)
        slots = base[:, None] + self._reached("s", request.context, request.slot_features)
        return np.concatenate([hold[:, None], items], axis=1), slots

    def _reached(self, name: str, context: Array, features: Array) -> Array:
        """What features (N, K, Di), alone and with the context, add to a cost, (N, K)."""
        weights = np.broadcast_to(self.weights[name], (len(context), features.shape[2]))
        if f"c{name}" in self.weights:
            weights = weights + context @ self.weights[f"c{name}"]
        return np.asarray(np.einsum("nki,ni->nk", features, weights))

    def costs(self, request: Request) -> Array:
        """Expected cost of every action, (N, A)."""
        costs = np.empty((request.n_rows, request.n_actions))
        step = max(1, _CHUNK_BYTES // (8 * request.n_actions))
        for start in range(0, request.n_rows, step):
            rows = slice(start, start + step)
            costs[rows] = self._costs(
                request.context[rows], request.item_features[rows], request.slot_features[rows]
            )
        return costs

    def _costs(self, context: Array, item: Array, slot: Array) -> Array:
        (n, k, _), n_slots = item.shape, slot.shape[1]
        base = self.weights["1"] + context @ self.weights["c"]  # (n,) what all actions share
        costs = np.repeat(base[:, None], 1 + k * n_slots, axis=1)
        costs[:, 0] += self.weights["h"][0]
        if "ch" in self.weights:
            costs[:, 0] += context @ self.weights["ch"][:, 0]
        parts = {"c": (context, "nc"), "i": (item, "nki"), "s": (slot, "nts")}
        sends = np.zeros((n, k, n_slots))
        for word, weights in self.weights.items():
            if not {"i", "s"} & set(word):
                continue
            features, axes = zip(*(parts[name] for name in word), strict=True)
            left = "n" + "k" * ("i" in word) + "t" * ("s" in word)
            asked = f"{','.join(axes)},{word}->{left}"
            value = np.einsum(asked, *features, weights, optimize=True)
            sends += value.reshape(n, k if "i" in word else 1, n_slots if "s" in word else 1)
        costs[:, 1:] += sends.reshape(n, k * n_slots)
        return costs
