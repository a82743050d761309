"""A slate of two: hold or an item in the first place, a send time in the second (``--slates``).

Requests enter and pmfs leave; both places learn from the one reward of the decision. A time has
features here, so a slot that was never used is known by what it shares with others. Reference:
Vowpal Wabbit's slates over conditional contextual bandits (``ccb_explore_adf``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pylibvw
from numpy.typing import NDArray
from vowpalwabbit import Workspace

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_request, check_state
from policies.exploration import epsilon_greedy
from policies.shape import PolicyShape
from policies.vw.adf import estimate_of
from policies.vw.examples import Blanks
from policies.vw.explorations import EpsilonGreedy
from policies.vw.held import FinalRows
from policies.vw.learner import FinalLearner, costs_of
from policies.vw.params import VWParams
from policies.vw.table import Table
from policies.vw.workspace import Workspaces

__all__ = ["Places", "Slates"]

Array = NDArray[np.float64]
Vector = Sequence[float]
Vectors = Sequence[Vector]
_FIRST, _SECOND = "slates action 0", "slates action 1"


class Slates(FinalLearner):
    """Two places that learn from one reward, each by cost regression and ε-greedy.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights.
    model : VWParams
        The regressor, with interactions out of "ci" and "cs".
    explorer : EpsilonGreedy
        How each place explores.

    Notes
    -----
    Both places are weighted by the propensity of the pair, the only one that feedback carries.
    """

    policy_id: str = "vw_slates"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        model: VWParams,
        explorer: EpsilonGreedy,
    ) -> None:
        super().__init__(shape, scheme)
        if not set(model.words) <= {"ci", "cs"}:
            raise BadInputError(
                f"expected interactions out of 'ci' and 'cs', got {model.interactions!r}: no "
                "example of a slate has both an item and a slot"
            )
        self.params, self.explorer = model, explorer
        self._table: tuple[int, Table] | None = None
        # Without an index of the place among the features, which items and slots tell anyway.
        self.workspaces = Workspaces(
            f"--slates --ccb_no_slot_index {explorer.arguments(scheme)} --cb_type {model.cb_type} "
            f"--clip_p {model.clip_p!r} {model.arguments()}",
            lambda workspace: Places(workspace, self.lengths),
        )

    def pmf(self, request: Request, key: int) -> Array:
        """Probabilities over unmasked actions, (N, A)."""
        first, slots = self.costs(request)
        n, k, n_slots = request.n_rows, request.n_items, request.n_slots
        pairs = request.mask[:, 1:].reshape(n, k, n_slots)
        is_open = pairs.any(axis=2)  # (N, K)
        places = np.concatenate([request.mask[:, :1], is_open], axis=1)
        epsilon = self.explorer.epsilon
        pmf = np.zeros((n, 1 + k * n_slots))
        chosen = epsilon_greedy(-first, places, epsilon=epsilon)  # (N, 1 + K)
        pmf[:, 0] = chosen[:, 0]
        rows, items = np.nonzero(is_open)
        timed = epsilon_greedy(-slots[rows], pairs[rows, items], epsilon=epsilon)
        sends = np.zeros((n, k, n_slots))
        sends[rows, items] = chosen[rows, 1 + items, None] * timed
        pmf[:, 1:] = sends.reshape(n, k * n_slots)
        return pmf

    def costs(self, request: Request) -> tuple[Array, Array]:
        """Expected cost of hold and items, (N, 1 + K), and of slots, (N, S)."""
        check_request(request, self.lengths)
        with self.workspaces.reading() as places:
            if self._table is None or self._table[0] != self.workspaces.version:
                table = Table.of(
                    places.workspace, self.lengths, words=self.params.words, model=0, n_models=1
                )
                self._table = self.workspaces.version, table
            table = self._table[1]
        return table.places(request)

    def estimate(self, request: Request) -> Estimate:
        """Return the item's cost, moved by how its slot's differs from the mean of slots."""
        first, slots = self.costs(request)
        moved = slots - slots.mean(axis=1, keepdims=True)
        sends = first[:, 1:, None] + moved[:, None]  # (N, K, S)
        costs = np.concatenate(
            [first[:, :1], sends.reshape(request.n_rows, request.n_actions - 1)], axis=1
        )
        return estimate_of(costs, self._scheme)

    def learn(self, rows: FinalRows) -> None:
        """Learn N rows, at least one."""
        costs = costs_of(rows, self._scheme).tolist()
        is_weighted = self.params.cb_type == "mtr"
        items, slots, contexts = rows.item.tolist(), rows.slot.tolist(), rows.context.tolist()
        with self.workspaces.learning() as places:
            for n, cost in enumerate(costs):
                send = (items[n], slots[n]) if rows.is_send[n] else None
                p = float(rows.propensity[n]) if is_weighted else 1.0
                places.learn(contexts[n], send, cost=cost, propensity=p)
            self.n_learned += rows.n_rows

    def state(self) -> State:
        """Return the model, counts and rows held back."""
        return {
            "model": np.frombuffer(self.workspaces.model(), np.uint8).copy(),
            "n_learned": np.array(self.n_learned),
            **self.held.state(),
        }

    def load(self, state: State) -> None:
        """Go on from a saved state, bit by bit."""
        check_state(state, {"model": (-1,), "n_learned": ()})
        self.held.load(state)
        self.workspaces.load(np.asarray(state["model"], np.uint8).tobytes())
        self._table = None
        self.n_learned = int(state["n_learned"])


class Places:
    """Decisions of one workspace over two places."""

    def __init__(self, workspace: Workspace, lengths: tuple[int, int, int]) -> None:
        self.workspace = workspace
        self._blanks = Blanks(workspace, lengths)

    def probabilities(
        self, context: Vector, items: Vectors, slots: Vectors
    ) -> tuple[Vector, Vector]:
        """Vowpal Wabbit's own probabilities of hold and K items, and of S slots."""
        blanks = self._blanks
        shared, hold = blanks.made("slates shared |c 0:1"), blanks.made(f"{_FIRST} |h 0:1")
        blanks.fill(shared, c=context)
        places = [blanks.made(f"{_FIRST} |i 0:1") for _ in items]
        times = [blanks.made(f"{_SECOND} |s 0:1") for _ in slots]
        for example, item in zip(places, items, strict=True):
            blanks.fill(example, i=item)
        for example, slot in zip(times, slots, strict=True):
            blanks.fill(example, s=slot)
        ends = [blanks.made("slates slot |") for _ in range(2)]
        pylibvw.vw.predict_multi(self.workspace, [shared, hold, *places, *times, *ends])
        drawn = [dict(place) for place in shared.get_decision_scores()]
        first, second = ([place[i] for i in range(len(place))] for place in drawn)
        return first, second

    def learn(
        self,
        context: Vector,
        send: tuple[Vector, Vector] | None,
        *,
        cost: float,
        propensity: float,
    ) -> None:
        """Learn one decision; a hold has a first place only."""
        shared = self._blanks.made(f"slates shared {cost:.9g} |c 0:1")
        self._blanks.fill(shared, c=context)
        taken = [self._blanks.made(f"{_FIRST} |h 0:1")]
        if send is not None:
            taken = [self._blanks.made(f"{_FIRST} |i 0:1"), self._blanks.made(f"{_SECOND} |s 0:1")]
            self._blanks.fill(taken[0], i=send[0])
            self._blanks.fill(taken[1], s=send[1])
        ends = [self._blanks.made(f"slates slot 0:{propensity:.9g} |") for _ in taken]
        pylibvw.vw.learn_multi(self.workspace, [shared, *taken, *ends])
