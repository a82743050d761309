"""An item first, then a send time from a density over continuous time (CATS).

Requests enter and pmfs leave: hold or an item by Vowpal Wabbit's ε-greedy over items, and a time
by its density given the context, integrated over each slot of the grid. A slot s is the time
[s, s + 1). Reference: Majzoubi, Zhang, Chari, Krishnamurthy, Langford and Slivkins (2020),
"Efficient contextual bandits with continuous actions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pylibvw
from numpy.typing import NDArray
from vowpalwabbit import Example, Workspace

from bandit.actions import Request, SlotGrid
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_request, check_state, part_of
from policies.shape import PolicyShape
from policies.vw.adf import VowpalWabbit
from policies.vw.examples import Blanks
from policies.vw.explorations import EpsilonGreedy
from policies.vw.held import FinalRows
from policies.vw.learner import FinalLearner, costs_of
from policies.vw.params import TimesParams, VWParams
from policies.vw.pmf import joined
from policies.vw.workspace import Workspaces

__all__ = ["Cats"]

Array = NDArray[np.float64]
_LARGEST = 1e6


class Cats(FinalLearner):
    """Items by cost regression, times by a tree of bins and a kernel.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry; the number of slots is that of the grid.
    scheme : RewardScheme
        Components and weights.
    model : VWParams
        The regressor of items, and seed and table of both.
    explorer : EpsilonGreedy
        How items are explored.
    times : TimesParams
        The density over times.

    Notes
    -----
    Both parts are weighted by the propensity of the pair, the only one that feedback carries: the
    value of an item is then that over all slots alike, and of a slot that over all items.
    """

    policy_id: str = "vw_cats"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        model: VWParams,
        explorer: EpsilonGreedy,
        times: TimesParams,
    ) -> None:
        super().__init__(shape, scheme)
        self.n_slots, self._clip_p = shape.n_slots, model.clip_p
        without_slots = replace(shape, n_slot_features=0, n_slots=1)
        self.items = VowpalWabbit(without_slots, scheme, model=model, explorer=explorer)
        self.workspaces = Workspaces(
            times.arguments(shape.n_slots, model),
            lambda workspace: _Times(workspace, Blanks(workspace, (shape.n_context, 0, 0))),
        )

    @property
    def cannot(self) -> Mapping[str, str]:
        """What the learner cannot do, and what a time by itself cannot."""
        return {
            **super().cannot,
            "permutes_slots": "a slot is a time, known by its position",
            "beats_uniform_on_tiny": "items are worth their mean over slots; one pair is good",
        }

    def pmf(self, request: Request, key: int) -> Array:
        """Probabilities over unmasked actions, (N, A)."""
        check_request(request, self.lengths)
        if request.n_slots != self.n_slots:
            raise BadInputError(
                f"expected requests of {self.n_slots} slots, got {request.n_slots}: the density "
                "was made for another grid"
            )
        first = self.items.pmf(_of_items(request), key)
        return joined(first, self.slots(request.context), request.mask)

    def slots(self, context: Array) -> Array:
        """Probability of every slot given the context, before any mask, (N, S)."""
        edges = np.arange(self.n_slots + 1.0)
        shares = np.empty((len(context), self.n_slots))
        with self.workspaces.asking() as times:
            for n, one in enumerate(np.clip(context, -_LARGEST, _LARGEST).tolist()):
                left, right, density = np.array(times.density(one)).T
                inside = np.minimum(right, edges[1:, None]) - np.maximum(left, edges[:-1, None])
                shares[n] = np.maximum(inside, 0.0) @ density
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def estimate(self, request: Request) -> Estimate:
        """Return what is believed of items, the same at every slot."""
        check_request(request, self.lengths)
        guess = self.items.estimate(_of_items(request))
        action = np.r_[0, 1 + np.repeat(np.arange(request.n_items), request.n_slots)]
        return replace(
            guess, uplift_mean=guess.uplift_mean[:, action], uplift_sd=guess.uplift_sd[:, action]
        )

    def learn(self, rows: FinalRows) -> None:
        """Learn N rows, at least one: items from all, times from sends."""
        self.items.scheme = self._scheme
        self.items.learn(replace(rows, slot=np.zeros((rows.n_rows, 0))))
        density = np.maximum(rows.propensity, self._clip_p)  # a slot is 1 wide
        costs = costs_of(rows, self._scheme)
        with self.workspaces.learning() as times:
            for n in np.flatnonzero(rows.is_send):
                label = f"ca {rows.position[n] + 0.5:.9g}:{costs[n]:.9g}:{density[n]:.9g}"
                times.learn(rows.context[n].tolist(), label)
        self.n_learned += rows.n_rows

    def state(self) -> State:
        """Return both models, counts and rows held back."""
        items = {f"items.{name}": array for name, array in self.items.state().items()}
        return {
            "times": np.frombuffer(self.workspaces.model(), np.uint8).copy(),
            "n_learned": np.array(self.n_learned),
            **items,
            **self.held.state(),
        }

    def load(self, state: State) -> None:
        """Go on from a saved state, bit by bit."""
        check_state(state, {"times": (-1,), "n_learned": ()})
        self.held.load(state)
        self.items.load(part_of(state, "items."))
        self.workspaces.load(np.asarray(state["times"], np.uint8).tobytes())
        self.n_learned = int(state["n_learned"])


class _Times:
    """Densities of one workspace."""

    def __init__(self, workspace: Workspace, blanks: Blanks) -> None:
        self.workspace, self._blanks = workspace, blanks
        self._asked: Example = blanks.made("|c 0:1")

    def density(self, context: Sequence[float]) -> list[tuple[float, float, float]]:
        """Pieces of the density: left end, right end, value."""
        self._blanks.fill(self._asked, c=context)
        pylibvw.vw.predict(self.workspace, self._asked)
        return list(self._asked.get_pdf())

    def learn(self, context: Sequence[float], label: str) -> None:
        """Learn one send: ``"ca time:cost:density"``."""
        taken = self._blanks.made(f"{label} |c 0:1")
        self._blanks.fill(taken, c=context)
        pylibvw.vw.learn(self.workspace, taken)


def _of_items(request: Request) -> Request:
    """The same decision without slots: an item is masked where all of its slots are."""
    n, k, n_slots = request.n_rows, request.n_items, request.n_slots
    pairs = request.reasons[:, 1:].reshape(n, k, n_slots)
    grid = SlotGrid(start_ms=request.grid.start_ms[:, :1], end_ms=request.grid.end_ms[:, :1])
    closed = np.where((pairs == 0).any(axis=2), 0, pairs.min(axis=2, initial=np.uint16(65535)))
    return replace(
        request,
        slot_features=np.zeros((n, 1, 0)),
        grid=grid,
        reasons=np.concatenate([request.reasons[:, :1], closed.astype(np.uint16)], axis=1),
    )
