"""Several generators in one short list: quotas, each item once, and no place left empty.

Proposals enter; a short list leaves in which every candidate keeps its score and the generator on
whose quota it came. In the order of the parts, each takes its best items that nobody before it
took, up to its quota. Places left go round the generators for their next best, and what is left
then to a list that never runs dry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation
from bandit.errors import BadInputError, BadShapeError
from policies.candidates.proposals import NO_ITEM, Generator, Proposals

__all__ = ["Merged", "Part", "merge"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A generator and how many places it has a right to."""

    generator: Generator
    quota: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Short lists of K items from several generators; a :class:`bandit.protocols.Candidates`.

    Parameters
    ----------
    parts : sequence of Part
        Whoever stands first chooses first.
    filler : Generator
        Fills what is left, such as the popular items; it has no quota.
    n_items : int
        K.
    item_features : ndarray, (I, Di)
        Features of every item. Each candidate's score by every part is appended to them.
    """

    parts: Sequence[Part]
    filler: Generator
    n_items: int
    item_features: Array

    def __post_init__(self) -> None:
        quotas = [part.quota for part in self.parts]
        if self.n_items < 1 or min(quotas, default=0) < 0 or sum(quotas) > self.n_items:
            raise BadInputError(
                f"expected quotas of at least 0 that fit into {self.n_items} places, got {quotas}"
            )

    def __call__(self, observation: Observation) -> ItemSet:
        """K candidates a row; features are those of the item, then scores in order of the parts.

        Raises
        ------
        BadInputError
            If even the filler cannot fill a row.
        """
        items = self.merge(observation).items
        scores = [part.generator.scores(observation, items) for part in self.parts]
        features = np.concatenate([self.item_features[items], *(s[:, :, None] for s in scores)], 2)
        told = "+".join(f"{part.generator.name}:{part.quota}" for part in self.parts)
        return ItemSet(items=items, features=features, source=f"{told}+{self.filler.name}")

    def merge(self, observation: Observation) -> Proposals:
        """Return the short list with the score and the source of every candidate, (N, K)."""
        asked = [(part.generator, part.quota) for part in self.parts] + [(self.filler, 0)]
        # A generator may find all its items taken by those before it, and K at most are taken.
        lists = [g.propose(observation, n_items=self.n_items) for g, _ in asked]
        short = merge(lists, quotas=[quota for _, quota in asked], n_items=self.n_items)
        if (short.items == NO_ITEM).any():
            row = int(np.argmax((short.items == NO_ITEM).any(axis=1)))
            raise BadInputError(
                f"expected {self.n_items} candidates in every row, found "
                f"{int((short.items[row] != NO_ITEM).sum())} in row {row}: ask for fewer, or give "
                "a filler that knows more items"
            )
        return short


def merge(lists: Sequence[Proposals], *, quotas: Sequence[int], n_items: int) -> Proposals:
    """Merge lists of N rows into one of K places.

    Parameters
    ----------
    lists : sequence of Proposals
        One a generator, best first. The last is the filler: it comes after all the others.
    quotas : sequence of int
        Places that each has a right to.
    n_items : int
        K.

    Returns
    -------
    Proposals
        (N, K); :data:`NO_ITEM` where all lists together had too little.

    Examples
    --------
    >>> def listed(name, *items):
    ...     row = np.array([items])
    ...     return Proposals(items=row, scores=-1.0 * row, source=0 * row, sources=(name,))
    >>> short = merge([listed("a", 1, 2), listed("b", 1, 3, 4), listed("all", 9)],
    ...               quotas=[1, 1, 0], n_items=5)
    >>> short.items.tolist(), short.source.tolist()
    ([[1, 3, 2, 4, 9]], [[0, 1, 0, 1, 2]])
    """
    n_rows = lists[0].n_rows
    if len(lists) != len(quotas) or any(one.n_rows != n_rows for one in lists):
        raise BadShapeError("expected a quota for each list, and lists of equal numbers of rows")
    short = _Places(n_rows, n_items)
    for code, (one, quota) in enumerate(zip(lists, quotas, strict=True)):
        short.take(one.items, one.scores, np.full(one.items.shape, code), at_most=quota)
    short.take(*_in_turn(lists[:-1], n_rows), at_most=n_items)
    last = lists[-1]
    short.take(last.items, last.scores, np.full(last.items.shape, len(lists) - 1), at_most=n_items)
    sources = tuple(one.sources[0] for one in lists)
    return Proposals(items=short.items, scores=short.scores, source=short.source, sources=sources)


class _Places:
    """A short list while it is being filled."""

    def __init__(self, n_rows: int, n_items: int) -> None:
        self.items = np.full((n_rows, n_items), NO_ITEM, np.int64)
        self.scores = np.full(self.items.shape, -np.inf)
        self.source = np.full(self.items.shape, -1, np.int64)

    def take(self, items: Whole, scores: Array, source: Whole, *, at_most: int) -> None:
        """Put the first new items of each row into its next free places."""
        n_taken = (self.items != NO_ITEM).sum(axis=1, keepdims=True)
        is_new = (items != NO_ITEM) & ~_is_in(items, self.items) & _is_first(items)
        place = n_taken + is_new.cumsum(axis=1) - 1
        limit = np.minimum(n_taken + at_most, self.items.shape[1])
        row, column = np.nonzero(is_new & (place < limit))
        where = row, place[row, column]
        for mine, told in ((self.items, items), (self.scores, scores), (self.source, source)):
            mine[where] = told[row, column]


def _in_turn(lists: Sequence[Proposals], n_rows: int) -> tuple[Whole, Array, Whole]:
    """Items, scores and sources of all lists: the best of each, then the second of each."""
    width = max((one.items.shape[1] for one in lists), default=0)
    shape = (n_rows, width, len(lists))
    items, scores = np.full(shape, NO_ITEM, np.int64), np.full(shape, -np.inf)
    for code, one in enumerate(lists):
        items[:, : one.items.shape[1], code] = one.items
        scores[:, : one.items.shape[1], code] = one.scores
    source = np.broadcast_to(np.arange(len(lists)), shape)
    flat = (n_rows, width * len(lists))
    return items.reshape(flat), scores.reshape(flat), source.reshape(flat)


def _is_in(items: Whole, taken: Whole) -> NDArray[np.bool_]:
    """Which items of each row are among those taken in the same row, (N, L)."""
    span = 1 + max(items.max(initial=0), taken.max(initial=0))
    first = np.arange(len(items))[:, None] * span
    # A place without an item has the key of no item of any row.
    keys = np.where(taken == NO_ITEM, -1, first + taken)
    return np.isin(first + items, keys)


def _is_first(items: Whole) -> NDArray[np.bool_]:
    """True where an item stands in its row for the first time, (N, L)."""
    order = np.argsort(items, axis=1, kind="stable")
    sorted_items = np.take_along_axis(items, order, axis=1)
    is_first = np.ones(items.shape, np.bool_)
    is_first[:, 1:] = sorted_items[:, 1:] != sorted_items[:, :-1]
    found = np.zeros(items.shape, np.bool_)
    np.put_along_axis(found, order, is_first, axis=1)
    return found
