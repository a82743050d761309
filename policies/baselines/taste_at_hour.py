"""The three classic strategies as policies: the item of the highest score, at the user's hour.

Towers of ``policies/candidates/`` rank the items, counts of behaviour choose the slot: the user's
busiest one, or for those of whom little is known the popular one. Who wants nothing in particular
gets the popular item. A send is worth the score, as a
number that stands for a chance, times the user's activity in that slot. No score is calibrated:
what they are good for is ranking, which items and how willingly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.baselines.behaviour_counts import BehaviourCounts, CountParams
from policies.baselines.best_hour import BestHourRanker
from policies.baselines.fitted_counts import FittedCounts
from policies.candidates.content import ContentTowers
from policies.candidates.deep import DeepTowers
from policies.candidates.factor_params import FactorParams
from policies.candidates.towers import Towers, scores_of
from policies.checks import check_feedback, check_request
from policies.entry import lazily
from policies.shape import PolicyShape

__all__ = ["DeepScore", "TasteAtHour", "collaborative", "content"]

Array = NDArray[np.float64]


class TasteAtHour(BestHourRanker):
    """The user's slot, then the items by their towers' score.

    Parameters
    ----------
    shape, scheme, params, always_sends, least_active
        As of :class:`policies.baselines.best_hour.BestHourRanker`.
    towers : Towers
        Who likes what.
    fit_every : int
        Periods of behaviour between two fits of the towers.
    """

    policy_id: str = "taste_at_hour"
    cannot: ClassVar[Mapping[str, str]] = BestHourRanker.cannot

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        towers: Towers,
        params: CountParams | None = None,
        always_sends: bool = False,
        least_active: float = 4.0,
        fit_every: int = 7,
    ) -> None:
        if fit_every < 1:
            raise BadInputError(f"expected fit_every of at least 1, got {fit_every}")
        self.towers, self.fit_every = towers, fit_every
        super().__init__(
            shape, scheme, params=params, always_sends=always_sends, least_active=least_active
        )

    @property
    def reads_vectors(self) -> bool:
        """True where items are known by vectors, which :meth:`describe` has to tell."""
        return isinstance(self.towers, ContentTowers | DeepTowers)

    @property
    def reads_content(self) -> bool:
        """True where those vectors are the items' own features, not an encoder's."""
        return isinstance(self.towers, ContentTowers)

    def counts_of(self, shape: PolicyShape, params: CountParams) -> BehaviourCounts:
        """Return counts to which the towers are fitted."""
        self._fitted = FittedCounts(
            shape.n_users,
            shape.n_items,
            shape.n_slots,
            params,
            towers=self.towers,
            fit_every=self.fit_every,
        )
        return self._fitted

    def describe(self, vectors: NDArray[Any]) -> None:
        """Take the vector of every item, (I, d): its features, or an encoder's vector of it.

        Raises
        ------
        BadInputError
            If there is not a finite row for each item, or the strategy reads none.
        """
        if not isinstance(self.towers, ContentTowers | DeepTowers):
            raise BadInputError(
                f"expected a strategy that reads item vectors, got {self.towers.name!r}: it knows "
                "items by who deals with them"
            )
        self.towers.describe(vectors)

    def item_rates(self, request: Request) -> Array:
        """Scores as numbers that stand for chances, or the population's rates, (N, K)."""
        query = self.towers.query(self._fitted.history(request.user), request.context)
        chance = self.towers.chance(scores_of(query, self.towers.vectors, request.items))
        population, _ = self.counts.population()
        wants = (query != 0).any(axis=1, keepdims=True)
        return np.where(wants, chance, population[request.items])


class DeepScore(TasteAtHour):
    """The user's slot, then the items by an encoder's context against its item vectors."""

    policy_id: str = "deep_score"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "item vectors come with an encoder, and identity has none",
        "beats_uniform_on_tiny": "item vectors come with an encoder, and tiny has none",
        "permutes_slots": "counts know a slot by its position",
    }

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        params: CountParams | None = None,
        always_sends: bool = False,
        least_active: float = 4.0,
    ) -> None:
        self._lengths = (shape.n_context, shape.n_item_features, shape.n_slot_features)
        self._deep = DeepTowers(shape.n_items, n_context=shape.n_context)
        super().__init__(
            shape,
            scheme,
            towers=self._deep,
            params=params,
            always_sends=always_sends,
            least_active=least_active,
        )

    def rates(self, request: Request) -> Array:
        """Scores in the chosen slot, zero in the others, (N, K, S)."""
        check_request(request, self._lengths)
        return super().rates(request)

    def update(self, feedback: Feedback) -> None:
        """Look at the rows and learn nothing: the encoder learns, and counts from behaviour."""
        check_feedback(feedback, self._lengths)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis: item vectors turn with the context."""
        self._deep.rotate(basis, kept)


def content(shape: PolicyShape, scheme: RewardScheme, **options: Any) -> TasteAtHour:
    """Build the content-based strategy."""
    return TasteAtHour(shape, scheme, towers=ContentTowers(shape.n_items), **options)


def collaborative(
    shape: PolicyShape, scheme: RewardScheme, *, factors: FactorParams, **options: Any
) -> TasteAtHour:
    """Build the collaborative strategy."""
    return TasteAtHour(shape, scheme, towers=_factored(shape.n_items, factors), **options)


_factored: Callable[..., Towers] = lazily("policies.candidates.collaborative:CollaborativeTowers")
