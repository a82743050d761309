"""Vowpal Wabbit's contextual bandits over actions with features (``--cb_explore_adf``).

Requests enter and pmfs leave; feedback enters once it is final. Costs are weighted rewards,
negated. Stochastic gradient descent cannot unlearn, so rows are held back until all of their
components are mature; the same rows then teach the same in whatever pieces they came. Reference:
Bietti, Agarwal and Langford (2021), "A contextual bandit bake-off".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vowpalwabbit import Workspace

from bandit.actions import Request, item_position, slot_position
from bandit.outcomes import RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_request, check_state
from policies.shape import PolicyShape
from policies.vw.examples import Examples
from policies.vw.exploration import Exploration
from policies.vw.held import FinalRows
from policies.vw.learner import FinalLearner, costs_of
from policies.vw.params import VWParams
from policies.vw.table import Table
from policies.vw.workspace import Workspaces

__all__ = ["Belief", "VowpalWabbit", "estimate_of"]

Array = NDArray[np.float64]
# Feedback refuses larger features; their squares and products must stay finite in float32.
_LARGEST = 1e6


class VowpalWabbit(FinalLearner):
    """One of Vowpal Wabbit's explorations over its hashed linear regression.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights; the weights of the day a row is learned are the ones it teaches.
    model : VWParams
        The regressor.
    explorer : Exploration
        How it explores.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.vw.explorations import SquareCB
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> VowpalWabbit(shape, ENGAGEMENT, model=VWParams(), explorer=SquareCB()).n_learned
    0
    """

    policy_id: str = "vw"

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, model: VWParams, explorer: Exploration
    ) -> None:
        super().__init__(shape, scheme)
        self.params, self.explorer = model, explorer
        self.cost_range = np.zeros(2)  # least and largest cost learned, 0 included
        self._belief: Belief | None = None
        self.workspaces = Workspaces(
            f"--cb_explore_adf {explorer.arguments(scheme)} --cb_type {model.cb_type} "
            f"--clip_p {model.clip_p!r} {model.arguments()}",
            lambda workspace: _Kept(workspace, Examples(workspace, self.lengths)),
        )

    @property
    def cannot(self) -> Mapping[str, str]:
        """What the learner cannot do, and what its exploration cannot."""
        return {**super().cannot, **getattr(self.explorer, "cannot", {})}

    def pmf(self, request: Request, key: int) -> Array:
        """Probabilities over unmasked actions, (N, A); masked ones are left out of the example."""
        check_request(request, self.lengths)
        if self.explorer.is_asked:
            return self.asked(request)
        belief = self.belief()
        return self.explorer.probabilities(
            belief.costs(request),
            request.mask,
            n_learned=belief.n_learned,
            cost_range=belief.cost_range,
        )

    def estimate(self, request: Request) -> Estimate:
        """Put the one learned number on the first learned component, so that the sum is right.

        No spread is claimed.
        """
        check_request(request, self.lengths)
        return estimate_of(self.belief().costs(request).mean(axis=0), self._scheme)

    def state(self) -> State:
        """Return the model as its file has it, counts and rows held back."""
        return {
            "model": np.frombuffer(self.workspaces.model(), np.uint8).copy(),
            "n_learned": np.array(self.n_learned),
            "cost_range": self.cost_range.copy(),
            **self.held.state(),
        }

    def load(self, state: State) -> None:
        """Go on from a saved state, bit by bit."""
        check_state(state, {"model": (-1,), "n_learned": (), "cost_range": (2,)})
        self.held.load(state)
        self.workspaces.load(np.asarray(state["model"], np.uint8).tobytes())
        self.n_learned = int(state["n_learned"])
        self.cost_range = np.array(state["cost_range"], float)
        self._belief = None

    def belief(self) -> Belief:
        """What is believed now, read once a state and shared by all threads."""
        with self.workspaces.reading() as learner:
            if self._belief is None or self._belief.version != self.workspaces.version:
                tables = tuple(
                    Table.of(
                        learner.workspace,
                        self.lengths,
                        words=self.params.words,
                        model=model,
                        n_models=self.explorer.n_models,
                    )
                    for model in self.explorer.models
                )
                least, largest = (float(one) for one in self.cost_range)
                self._belief = Belief(
                    version=self.workspaces.version,
                    tables=tables,
                    n_learned=self.n_learned,
                    cost_range=(least, largest),
                )
            return self._belief

    def asked(self, request: Request) -> Array:
        """Probabilities as Vowpal Wabbit has them, normalised in float64, (N, A)."""
        mask = request.mask
        pmf = np.zeros(mask.shape)
        contexts, items, slots = (
            np.clip(features, -_LARGEST, _LARGEST).tolist()
            for features in (request.context, request.item_features, request.slot_features)
        )
        rows, actions = np.nonzero(mask)
        starts = np.searchsorted(rows, np.arange(request.n_rows + 1))
        item = item_position(actions, n_slots=request.n_slots).tolist()
        slot = slot_position(actions, n_slots=request.n_slots).tolist()
        with self.workspaces.asking() as asked:
            for n, context in enumerate(contexts):
                first, last = int(starts[n]), int(starts[n + 1])
                may_hold = bool(mask[n, 0])
                sends = [
                    (items[n][item[at]], slots[n][slot[at]]) for at in range(first + may_hold, last)
                ]
                pmf[n, actions[first:last]] = asked.examples.probabilities(
                    context, sends, may_hold=may_hold
                )
        return np.asarray(pmf / pmf.sum(axis=1, keepdims=True))

    def learn(self, rows: FinalRows) -> None:
        """Learn N rows, at least one."""
        costs = costs_of(rows, self._scheme)
        weighted = self.explorer.is_weighted and self.params.cb_type == "mtr"
        propensity = rows.propensity if weighted else np.ones(rows.n_rows)
        items, slots = rows.item.tolist(), rows.slot.tolist()
        labels = [f"0:{c:.9g}:{p:.9g}" for c, p in zip(costs, propensity, strict=True)]
        with self.workspaces.learning() as learner:
            for n, context in enumerate(rows.context.tolist()):
                send = (items[n], slots[n]) if rows.is_send[n] else None
                learner.examples.learn(context, send, labels[n])
            self.n_learned += rows.n_rows
            least, largest = self.cost_range
            self.cost_range = np.array([min(least, costs.min()), max(largest, costs.max())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Weights of every policy of the ensemble, and the counts that go with them."""

    version: int
    tables: tuple[Table, ...]
    n_learned: int
    cost_range: tuple[float, float]

    def costs(self, request: Request) -> Array:
        """Expected cost of every action under each policy, (M, N, A)."""
        return np.stack([table.costs(request) for table in self.tables])


@dataclass(frozen=True, slots=True)
class _Kept:
    workspace: Workspace
    examples: Examples


def estimate_of(costs: Array, scheme: RewardScheme) -> Estimate:
    """Estimate of a learner of one number: base and uplift on the first learned component.

    Parameters
    ----------
    costs : ndarray, (N, A)
        Expected weighted rewards, negated.
    scheme : RewardScheme
        The base is the expected reward of hold; the uplift of an action is what it adds, less
        the known cost of sending, in units of that component.
    """
    n, n_actions = costs.shape
    is_cost = np.array([component.measure == "send" for component in scheme.components])
    worth = np.where(is_cost, 0.0, scheme.weights)
    base, uplift = np.zeros((n, len(scheme))), np.zeros((n, n_actions, len(scheme)))
    uplift[:, 1:, is_cost] = 1.0
    if worth.any():
        learned = int(np.argmax(worth != 0))
        base[:, learned] = -costs[:, 0] / worth[learned]
        added = costs[:, :1] - costs[:, 1:] - scheme.weights[is_cost].sum()
        uplift[:, 1:, learned] = added / worth[learned]
    return Estimate(
        base_mean=base,
        base_sd=np.zeros_like(base),
        uplift_mean=uplift,
        uplift_sd=np.zeros_like(uplift),
    )
