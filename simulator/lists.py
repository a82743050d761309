"""The short lists that items are offered from, with what is looked up of a whole list at once.

A catalogue enters; tables by list leave. A row of a step is offered one list, so its K items are
next to each other here: one copy of a row instead of K look-ups all over the catalogue. Values
are the catalogue's own, to the last bit. Where lists are many or long, the largest tables are left
out and the catalogue is asked item by item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.catalogue import Catalogue

__all__ = ["Lists", "lists_of"]

Single = NDArray[np.float32]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MOST_CELLS = 2**25  # of a table: 128 MB in single precision
_BITS_AN_ITEM = 48  # of a signature: about one false alarm in fifty
_MOST_BITS = 2**13
_BIT = np.uint8(1) << np.arange(8, dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """P lists of K items each."""

    catalogue: Catalogue
    items: NDArray[np.int32]  # (P, K)
    looks: Single | None  # (P, D, K) features, K next to each other; None where too large
    price: Single  # (P, K) standard log price over three
    attraction: Single  # (P, K)
    birth_h: Whole  # (P, K)
    has_stock: Flags | None  # (days · P, K); None where too large
    signature: NDArray[np.uint8]  # (P, B) one bit for each item, by its number modulo 8 · B

    @property
    def n_lists(self) -> int:
        """Number of lists P."""
        return len(self.items)

    def looks_of(self, which: Whole, *, out: Single) -> Single:
        """Features of the items of some lists, (M, D, K), into room for them."""
        if self.looks is None:
            items = self.items.take(which, axis=0)
            out[:] = self.catalogue.features.take(items, axis=0).swapaxes(1, 2)
            return out
        # Numbers of lists are made here, so none needs a check, which would cost a second copy.
        return self.looks.take(which, axis=0, out=out, mode="clip")

    def appeal_of(self, which: Whole, hour: Whole) -> Single:
        """:meth:`~simulator.catalogue.Catalogue.appeal_of` the items of some lists, (M, K)."""
        catalogue = self.catalogue
        if len(catalogue.novelty) == 1 or catalogue.lifetime_h:
            return catalogue.appeal_of(self.items.take(which, axis=0), hour)
        age_h = self.birth_h.take(which, axis=0)
        age_h += hour[:, None]
        appeal = self.attraction.take(which, axis=0)
        appeal += catalogue.novelty.take(age_h, mode="clip")
        return appeal

    def in_stock(self, which: Whole, hour: Whole) -> Flags:
        """Whether each item of some lists can be had, (M, K)."""
        if self.has_stock is None:
            return self.catalogue.in_stock(self.items.take(which, axis=0), hour)
        day = np.minimum(hour // 24, len(self.catalogue.has_stock) - 1)
        return self.has_stock.take(day * self.n_lists + which, axis=0)

    def may_hold(self, which: Whole, item: NDArray[np.int32]) -> Flags:
        """False where a list surely lacks an item, (M, J) for J items of each of M lists."""
        n_bytes = self.signature.shape[1]
        bit = item & np.int32(8 * n_bytes - 1)
        held = self.signature.ravel().take((which * n_bytes)[:, None] + (bit >> 3))
        return np.asarray(held & _BIT[bit & 7], np.bool_)


def lists_of(catalogue: Catalogue) -> Lists:
    """Build the tables of a catalogue's lists."""
    items = catalogue.slates
    log = np.log(catalogue.price)
    price = ((log - log.mean()) / (3.0 * max(float(log.std()), 1e-9))).astype(np.float32)
    n_days = len(catalogue.has_stock)
    looks = has_stock = None
    if items.size * catalogue.features.shape[1] <= _MOST_CELLS:
        looks = np.ascontiguousarray(catalogue.features[items].swapaxes(1, 2))
    if items.size * n_days <= _MOST_CELLS:
        has_stock = catalogue.has_stock.take(items, axis=1).reshape(-1, items.shape[1])
    return Lists(
        catalogue=catalogue,
        items=items,
        looks=looks,
        price=price[items],
        attraction=catalogue.attraction[items],
        birth_h=catalogue.birth_h[items].astype(np.int64),
        has_stock=has_stock,
        signature=_signatures(items),
    )


def _signatures(items: NDArray[np.int32]) -> NDArray[np.uint8]:
    """One bit set for each item of each list, (P, B)."""
    n_bits = min(1 << (_BITS_AN_ITEM * items.shape[1] - 1).bit_length(), _MOST_BITS)
    signature = np.zeros((len(items), n_bits // 8), np.uint8)
    bit = items & np.int32(n_bits - 1)
    rows = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
    np.bitwise_or.at(signature, (rows, bit >> 3), _BIT[bit & 7])
    return signature
