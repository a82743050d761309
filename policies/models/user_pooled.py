"""What a push adds to each user, shrunk to what it adds to users like them, and to everybody.

Requests and feedback enter; beliefs leave. The hybrid features say what a push adds to all (block
``send``), to those whose context is alike (``context``: a segment is whatever columns of the
context say, one-hot or not) and how an item's content moves it; beside them each user has an offset
of their own, integrated exactly. How far users reach beyond their context is learned with the other
scales, by empirical Bayes, so new users start as their segment does. References: Robinson (1991),
"That BLUP is a good thing"; Li et al. (2010), §3.2, for the features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.shape import PolicyShape

__all__ = ["UserPooled"]

Array = NDArray[np.float64]


class UserPooled:
    """The hybrid model with an offset a user instead of an intercept an item.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry, and the range of user ids.
    scheme : RewardScheme
        Components and weights.
    params : GlmParams, optional
        Priors and forgetting; ``most_items`` is how many users have an offset of their own.

    Notes
    -----
    A user costs P + 3 numbers a learned component, P the length of φ; those whose id is beyond
    ``most_items`` are told apart by their context only. An offset is learned from sends: what users
    do anyway has to be in the context, else behaviour that a user shows more than others of the
    same context counts as the push's. Responses come from pushes alone.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=9, n_items=1, n_slots=1)
    >>> UserPooled(shape, ENGAGEMENT).n_known
    9
    """

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: GlmParams | None = None
    ) -> None:
        params = params or GlmParams()
        self.n_known = min(shape.n_users, params.most_items)
        room = self.n_known + 1  # the last for everybody beyond, of whom nothing is ever learned
        self.model = HybridModel(
            replace(shape, n_items=room), scheme, replace(params, most_items=room)
        )

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the hybrid model cannot meet."""
        return self.model.cannot

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        return self.model.scheme

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components."""
        self.model.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        self.model.check(self._asked(request))

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A)."""
        return self.model.values(self._asked(request))

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A)."""
        return self.model.spreads(self._asked(request))

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under posterior draws, in chunks of rows."""
        return self.model.draws(self._asked(request), key, n_draws=n_draws, scale=scale)

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of draws under which each unmasked action is best, (N, A)."""
        return self.model.best_shares(self._asked(request), key, n_draws=n_draws, scale=scale)

    def estimate(self, request: Request) -> Estimate:
        """Means and standard deviations of base and uplift, unweighted."""
        return self.model.estimate(self._asked(request))

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        self.model.update(self._told(feedback))

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.model.revise(self._told(feedback))

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis."""
        self.model.rotate(basis, kept)

    def state(self) -> State:
        """Return the hybrid model's state."""
        return self.model.state()

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self.model.load(state)

    def _asked(self, request: Request) -> Request:
        """The request with each row's user in place of its items, whose features stay."""
        user = np.where(request.user < self.n_known, request.user, self.n_known)
        return replace(request, items=np.repeat(user[:, None], request.n_items, axis=1))

    def _told(self, feedback: Feedback) -> Feedback:
        has_offset = feedback.is_send & (feedback.user < self.n_known)
        return replace(feedback, item=np.where(has_offset, feedback.user, -1))
