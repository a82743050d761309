"""The heads of a hybrid model: one for a component, or two where a chance and a size are apart.

A scheme enters; heads leave, and which of them make up which component. Rows of components leave
as rows of heads. What is bought seldom and at any price is the chance that something comes times
how much comes when it does: E[y] = P(y ≠ 0) · E[y | y ≠ 0]. Reference: Duan, Manning, Morris and
Newhouse (1983), the two-part model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.models.blocks import Blocks
from policies.models.glm_head import GlmHead, GlmParams, Link
from policies.parts import learned_of

__all__ = ["Heads"]

Array = NDArray[np.float64]

_SIZE_GUESS = 1.0


@dataclass(frozen=True, slots=True)
class Heads:
    """H heads of R' learned components.

    Parameters
    ----------
    all : tuple of GlmHead or of DiagonalHead
        Heads, those of a component side by side: a chance before its size.
    spans : tuple of slice
        Which of them make up each learned component.
    names : tuple of str
        What each component is called.
    """

    all: tuple[Any, ...]
    spans: tuple[slice, ...]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        scheme: RewardScheme,
        blocks: Blocks,
        n_items: int,
        params: GlmParams,
        make: Callable[..., Any] = GlmHead,
    ) -> Heads:
        """Heads with nothing learned, for the components of a scheme that are learned."""
        heads: list[Any] = []
        spans: list[slice] = []
        learned = [scheme.components[r] for r in learned_of(scheme)]
        for component in learned:
            links = _links(component.measure, params)
            spans.append(slice(len(heads), len(heads) + len(links)))
            heads += [make(blocks, n_items, link, params) for link in links]
        return cls(tuple(heads), tuple(spans), tuple(c.name for c in learned))

    def at(self, component: int) -> tuple[Any, ...]:
        """Heads of a learned component."""
        return self.all[self.spans[component]]

    def split(self, target: Array, weight: Array) -> tuple[Array, Array]:
        """Rows of components as rows of heads.

        Parameters
        ----------
        target, weight : ndarray, (N, R')
            Expected final values, and how surely they are known.

        Returns
        -------
        target, weight : ndarray, (N, H)

        Raises
        ------
        BadInputError
            If a response is not between 0 and 1.

        Notes
        -----
        A row that is not final is expected to become some value; of it, the chance is taken to be
        the value in mean sizes. Sizes are learned from what has become final and is not zero.
        """
        targets, weights = np.zeros((2, len(target), len(self.all)))
        for r, span in enumerate(self.spans):
            told, known = target[:, r], weight[:, r]
            if span.stop - span.start == 2:
                is_final = known >= 1
                came = told != 0
                chance, size = span.start, span.start + 1
                open_chance = np.clip(told / _mean_size(self.all[size]), 0.0, 1.0)
                targets[:, chance] = np.where(is_final, came, open_chance)
                weights[:, chance] = known
                targets[:, size] = np.where(is_final, told, 0.0)
                weights[:, size] = is_final & came
                continue
            if self.all[span.start].link == "logistic" and not ((told >= 0) & (told <= 1)).all():
                raise BadInputError(
                    f"expected a response {self.names[r]!r} between 0 and 1, got {told.min()} to "
                    f"{told.max()}: give a component that is counted the measure 'count'"
                )
            targets[:, span.start], weights[:, span.start] = told, known
        return targets, weights


def _links(measure: str, params: GlmParams) -> tuple[Link, ...]:
    """Link of each head of a component."""
    if measure == "any":
        return ("logistic",) if params.responses == "logistic" else ("identity",)
    if measure in params.two_part.split():
        return "logistic", "identity"
    return ("identity",)


def _mean_size(head: GlmHead) -> float:
    """Mean of the sizes that were seen; 1 before the first."""
    n = float(head.moments.dense[0, 0])  # φ begins with a one
    mean = float(head.moments.aim[0]) / n if n > 0 else 0.0
    return mean if mean != 0 else _SIZE_GUESS
