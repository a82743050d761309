"""Blocks of features that lie one after the other in a vector: where each begins and ends.

Names and lengths of blocks enter; slices, and sums and repeats by block, leave. What is in a block
is for whoever lays it out; heads of any layout learn by this alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each block lies in φ; a subclass calls :meth:`lay` once it knows their lengths."""

    names: tuple[str, ...] = field(init=False)
    edges: tuple[int, ...] = field(init=False)  # of the blocks, one more than names

    def lay(self, sizes: dict[str, int]) -> None:
        """Lay out blocks of these names and lengths."""
        edges = np.concatenate([[0], np.cumsum(list(sizes.values()))])
        object.__setattr__(self, "names", tuple(sizes))
        object.__setattr__(self, "edges", tuple(int(edge) for edge in edges))

    @property
    def n_features(self) -> int:
        """Length P of φ."""
        return self.edges[-1]

    def at(self, name: str) -> slice:
        """Where a block lies."""
        block = self.names.index(name)
        return slice(self.edges[block], self.edges[block + 1])

    def per_feature(self, of_block: Array) -> Array:
        """One number a block, (B,), as one a feature, (P,)."""
        return np.repeat(of_block, np.diff(self.edges))

    def sums(self, of_feature: Array) -> Array:
        """Sum of one number a feature, (P,), over each block, (B,)."""
        running = np.concatenate([[0.0], np.cumsum(of_feature)])
        edges = np.array(self.edges)
        return np.asarray(running[edges[1:]] - running[edges[:-1]])
