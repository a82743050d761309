"""A learning policy: one reward model and one way to explore over it.

Requests enter and probabilities leave; feedback enters the model. Whatever is in
``policies/explorers/`` works over whatever is in ``policies/models/``; see
:mod:`policies.roles`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_state
from policies.roles import Explorer, RewardModel
from policies.turning import turn

__all__ = ["Explored", "telling", "wake_ups"]

Array = NDArray[np.float64]


class Explored:
    """Explore over a model.

    Parameters
    ----------
    model : RewardModel
        What learns.
    explorer : Explorer
        What decides how much of which action.
    policy_id : str
        What the log calls it.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.explorers.thompson import Thompson
    >>> from policies.models.linear import LinearModel
    >>> from policies.shape import PolicyShape
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> Explored(LinearModel(shape, ENGAGEMENT), Thompson(), policy_id="lints").n_learned
    0
    """

    def __init__(
        self, model: RewardModel, explorer: Explorer, *, policy_id: str = "explored"
    ) -> None:
        self.model = model
        self.explorer = explorer
        self.policy_id = policy_id
        self.n_learned = 0

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the model cannot meet, and those that its explorer cannot."""
        return {**self.model.cannot, **getattr(self.explorer, "cannot", {})}

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        return self.model.scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.model.reweigh(scheme)

    def pmf(self, request: Request, key: int) -> Array:
        """Probabilities over unmasked actions, (N, A)."""
        self.model.check(request)
        return self.explorer.pmf(self.model, request, key=key, n_learned=self.n_learned)

    def wake_up_ms(self, request: Request) -> NDArray[np.int64]:
        """When to decide again after a hold, (N,); −1 where the explorer does not wait."""
        return wake_ups(self.explorer, self.model, request)

    def estimate(self, request: Request) -> Estimate:
        """Return what the model believes."""
        return self.model.estimate(request)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time, and count them; see :func:`telling`."""
        told = telling(feedback)
        self.model.update(told)
        self.n_learned += told.n_rows

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.model.revise(telling(feedback))

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis; see :meth:`policies.models.linear.LinearModel.rotate`.

        Raises
        ------
        BadInputError
            If the model has no coordinates that could turn.
        """
        turn(self.model, basis, kept)

    def state(self) -> State:
        """Return the model's state and the count of rows."""
        counted: dict[str, NDArray[Any]] = {"n_learned": np.array(self.n_learned)}
        return dict(self.model.state()) | counted

    def load(self, state: State) -> None:
        """Restore model and count."""
        check_state(state, {"n_learned": ()})
        self.model.load(state)
        self.n_learned = int(state["n_learned"])


def telling(feedback: Feedback) -> Feedback:
    """Rows that tell what a push adds: those in which one might have been sent.

    Who cannot be sent to (no permission, no token, caps reached) comes less often, or more: with
    P(send) = 0 a row is no other side of any comparison, and learned as silence it makes what tells
    such users from others look like the effect of a push.

    References
    ----------
    Rosenbaum and Rubin (1983), "The central role of the propensity score": overlap.
    """
    could = feedback.p_send > 0
    return feedback if could.all() else feedback.take(could)


def wake_ups(explorer: Explorer, model: RewardModel, request: Request) -> NDArray[np.int64]:
    """Ask an explorer when to decide again, (N,); −1 everywhere if it never waits."""
    ask = getattr(explorer, "wake_up_ms", None)
    if ask is None:
        return np.full(request.n_rows, -1, np.int64)
    model.check(request)
    return np.asarray(ask(model, request), np.int64)
