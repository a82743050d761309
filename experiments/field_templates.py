"""Duolingo's arms in a shop: items seen as the templates that they are written in.

Requests of items enter the policy inside as requests of templates, each by the item of it that
fits the user best, as another ranker chose the lesson there; its choices leave as items. Feedback
enters with the templates that were on offer and the probability of each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Reason, Request
from bandit.outcomes import Feedback
from bandit.short_lists import NO_ITEM

__all__ = ["AsTemplates"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(slots=True)
class AsTemplates:
    """A policy over templates, asked about items.

    Parameters
    ----------
    inner : Policy
        Made for ids below ``n_templates`` + K: what is no template's best item is masked, under
        an id of its own.
    template : ndarray of int, (I,)
        Of each item.
    match_at : int
        Position of the item feature that says how well an item fits its user.
    """

    inner: Any
    template: Whole
    match_at: int

    @property
    def policy_id(self) -> str:
        """That of the policy inside."""
        return str(self.inner.policy_id)

    @property
    def reads_lists(self) -> bool:
        """Whether it is to be told what else was on offer."""
        return bool(self.inner.reads_lists)

    @property
    def n_templates(self) -> int:
        """How many there are."""
        return int(self.template.max()) + 1

    def pmf(self, request: Request, key: int) -> Array:
        """The inner pmf, on the best item of each template, (N, A)."""
        n, k, s = request.n_rows, request.n_items, request.n_slots
        template = self.template[request.items]  # (N, K)
        may = request.mask[:, 1:].reshape(n, k, s).any(axis=2)
        fits = np.where(may, request.item_features[:, :, self.match_at], -np.inf)
        same = template[:, :, None] == template[:, None, :]  # (N, K, K)
        best = np.where(same, fits[:, None, :], -np.inf).argmax(axis=2) == np.arange(k)
        reasons = request.reasons.copy()
        others = np.repeat(~best, s, axis=1)
        reasons[:, 1:][others] |= np.uint16(Reason.TASK)
        ids = np.where(best, template, self.n_templates + np.arange(k))
        return np.asarray(self.inner.pmf(replace(request, items=ids, reasons=reasons), key))

    def update(self, feedback: Feedback) -> None:
        """Learn rows of items as rows of templates."""
        self.inner.update(self._told(feedback))

    def revise(self, feedback: Feedback) -> None:
        """Learn them anew."""
        self.inner.revise(self._told(feedback))

    def _told(self, feedback: Feedback) -> Feedback:
        n, listed = feedback.n_rows, feedback.short_list
        is_there = listed != NO_ITEM
        chance = np.zeros((n, self.n_templates))
        on_offer = np.zeros((n, self.n_templates), np.bool_)
        row, place = np.nonzero(is_there)
        template = self.template[listed[row, place]]
        np.add.at(chance, (row, template), feedback.p_items[row, place])
        on_offer[row, template] = True
        return replace(
            feedback,
            item=np.where(feedback.is_send, self.template[feedback.item], -1),
            short_list=np.where(on_offer, np.arange(self.n_templates), NO_ITEM),
            p_items=chance,
        )
