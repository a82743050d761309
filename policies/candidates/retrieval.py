"""A candidate generator: towers, what users did, and an index over the items.

Observed users enter; the items of the highest scores leave, best first. The index only finds:
scores are computed anew in double precision, so they do not hang on how they were found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Observation
from bandit.errors import StateError
from policies.candidates.exact_index import ExactIndex, Index
from policies.candidates.interactions import Interactions
from policies.candidates.proposals import NO_ITEM, Proposals
from policies.candidates.towers import History, Towers, scores_of

__all__ = ["Retrieval"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class Retrieval:
    """Proposes what towers score highest; implements :class:`Generator` of ``proposals``.

    Parameters
    ----------
    towers : Towers
        Queries of users, vectors of items.
    interactions : Interactions
        What users did.
    index_of : callable
        Makes an index of item vectors: :class:`ExactIndex`, or for many items
        :class:`policies.candidates.graph_index.GraphIndex` (factors) or
        :class:`policies.candidates.ivf_index.IvfIndex` (vectors that gather, quickly built).
    skips_known : bool
        Never propose what the user has dealt with already, as where things are bought once.
    """

    towers: Towers
    interactions: Interactions
    index_of: Callable[[NDArray[Any]], Index] = ExactIndex
    skips_known: bool = False
    _index: Index | None = field(init=False, default=None)

    @property
    def name(self) -> str:
        """Of the towers."""
        return self.towers.name

    def observe(self, user: Whole, item: Whole, *, weight: Array | None = None) -> None:
        """Take M more rows of behaviour; queries know them at once, vectors after a refit."""
        self.interactions = self.interactions.plus(user, item, weight=weight)

    def refit(self) -> None:
        """Fit the towers to all behaviour and index the items anew."""
        self.towers.fit(self.interactions.everybody())
        self._index = self.index_of(self.towers.vectors)

    def propose(self, observation: Observation, *, n_items: int) -> Proposals:
        """The n items a row of the highest scores, (N, n), best first.

        Nothing for users who want nothing in particular: all items would be alike.

        Raises
        ------
        StateError
            Before the first :meth:`refit`.
        """
        if self._index is None:
            raise StateError(f"expected {self.name} to be fitted before it is asked: call refit")
        history = self.interactions.history(observation.user)
        query = self.towers.query(history, observation.context)
        n_known = np.bincount(history.row, minlength=history.n_rows).max(initial=0)
        n_asked = n_items + (int(n_known) if self.skips_known else 0)
        found = self._index.search(query, min(n_asked, len(self.towers.vectors)))
        is_kept = (found >= 0) & (query != 0).any(axis=1, keepdims=True)
        if self.skips_known:
            is_kept &= ~self._is_known(history, found)
        items = _first_kept(found, is_kept, n_items)
        scores = np.where(items == NO_ITEM, -np.inf, scores_of(query, self.towers.vectors, items))
        order = np.lexsort((items, -scores), axis=1)
        items, scores = (np.take_along_axis(a, order, axis=1) for a in (items, scores))
        source = np.where(items == NO_ITEM, -1, 0)
        return Proposals(items=items, scores=scores, source=source, sources=(self.name,))

    def scores(self, observation: Observation, items: Whole) -> Array:
        """Scores of given items, (N, K)."""
        history = self.interactions.history(observation.user)
        query = self.towers.query(history, observation.context)
        return scores_of(query, self.towers.vectors, items)

    def _is_known(self, history: History, found: Whole) -> NDArray[np.bool_]:
        """Which found items their users have dealt with, (N, n)."""
        n_items = len(self.towers.vectors)
        mine = np.arange(len(found))[:, None] * n_items + found
        return np.isin(mine, history.row * n_items + history.item)


def _first_kept(found: Whole, is_kept: NDArray[np.bool_], n: int) -> Whole:
    """The first n items of each row that are kept, (N, n); :data:`NO_ITEM` beyond."""
    place = is_kept.cumsum(axis=1) - 1
    row, column = np.nonzero(is_kept & (place < n))
    items = np.full((len(found), n), NO_ITEM, np.int64)
    items[row, place[row, column]] = found[row, column]
    return items
