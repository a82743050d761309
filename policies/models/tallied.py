"""A reward model that also knows what it was paid: sums of what its rows brought, exactly revised.

Any model enters; the same beliefs leave, and beside them how many rows were learned and what their
components came to. For explorers whose schedule hangs on the loss they have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.base import base_values
from policies.checks import check_state, part_of
from policies.models.open_rows import OpenRows
from policies.roles import RewardModel
from policies.turning import turn

__all__ = ["Tallied"]

Array = NDArray[np.float64]


class Tallied:
    """A model with a tally.

    Parameters
    ----------
    model : RewardModel
        What learns and believes.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.models.linear import LinearModel
    >>> from policies.shape import PolicyShape
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> Tallied(LinearModel(shape, ENGAGEMENT)).paid
    0.0
    """

    def __init__(self, model: RewardModel) -> None:
        self.model = model
        self.total = np.zeros(len(model.scheme))  # (R,) components of all rows, as now expected
        self.rows = OpenRows({"components": len(model.scheme)})

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the model inside cannot meet."""
        return self.model.cannot

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        return self.model.scheme

    @property
    def paid(self) -> float:
        """Weighted reward of all rows learned, each as last revised."""
        return float(self.total @ self.scheme.weights)

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights, of what was paid before as well."""
        self.model.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        self.model.check(request)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A)."""
        return self.model.values(request)

    def base_values(self, request: Request) -> Array:
        """Weighted mean of what comes without a push, (N,)."""
        return base_values(self.model, request)

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A)."""
        return self.model.spreads(request)

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under posterior draws, in chunks of rows."""
        return self.model.draws(request, key, n_draws=n_draws, scale=scale)

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of draws under which each unmasked action is best, (N, A)."""
        return self.model.best_shares(request, key, n_draws=n_draws, scale=scale)

    def estimate(self, request: Request) -> Estimate:
        """Return what the model believes."""
        return self.model.estimate(request)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time, and add up what they brought."""
        self.rows.expect_new(feedback.decision_id)
        self.model.update(feedback)
        self.total += feedback.components.sum(axis=0)
        is_open = (feedback.maturity < 1).any(axis=1)
        self.rows.add(feedback.decision_id[is_open], {"components": feedback.components[is_open]})

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught, and what they brought."""
        where = self.rows.positions(feedback.decision_id)
        self.model.revise(feedback)
        self.total += (feedback.components - self.rows.take("components", where)).sum(axis=0)
        self.rows.put("components", where, feedback.components)
        self.rows.drop(where[(feedback.maturity >= 1).all(axis=1)])

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis, if the model inside can."""
        turn(self.model, basis, kept)

    def state(self) -> State:
        """Return the model's state, the tally and its open rows."""
        tally: dict[str, NDArray[Any]] = {"tally.total": self.total.copy()}
        rows = {f"tally.{name}": column for name, column in self.rows.state().items()}
        return dict(self.model.state()) | tally | rows

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"tally.total": self.total.shape})
        rows = OpenRows(self.rows.widths)
        rows.load(part_of(state, "tally."))
        self.model.load(state)
        self.rows, self.total = rows, np.array(state["tally.total"], np.float64)
