"""A bag: one model of all rows, and replicates of the online bootstrap around it.

Each replicate learns a row or not, by a fair coin of the row's id: the double-or-nothing bootstrap
of weights 2 and 0, but that rows are learned once, so the prior weighs twice as much. Replicates
of any model disagree where rows are few. References: Eckles and Kaptein (2014), "Thompson sampling
with the online bootstrap"; Owen and Eckles (2012), "Bootstrapping data arrays of arbitrary order".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, take_requests
from bandit.draws import Stream, key_of, uniforms
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_state, part_of
from policies.exploration import votes
from policies.models.linear_math import row_chunks
from policies.roles import RewardModel
from policies.turning import turn

__all__ = ["Bag", "BagParams"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BagParams:
    """How many replicates, and whose coins.

    Parameters
    ----------
    n_replicates : int
        B; a pmf of votes has a resolution of 1/B.
    seed : int
        Of the coins.
    """

    n_replicates: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_replicates < 2:
            raise BadInputError(f"expected n_replicates of at least 2, got {self.n_replicates}")


class Bag:
    """B weighted copies of a model.

    Parameters
    ----------
    make : callable
        Makes one copy with nothing learned.
    params : BagParams
        Number and coins of the replicates.

    Notes
    -----
    Poisson weights need rows of weight 2 and more, which a model takes only as rows with ids of
    their own; the coin takes half the work. Until replicates differ they all vote alike, so a bag
    is mixed with uniform choices (:class:`policies.explorers.votes.Votes`). A copy that forgets
    at each batch forgets only at batches of which it learns a row.
    """

    def __init__(self, make: Callable[[], RewardModel], params: BagParams | None = None) -> None:
        params = params or BagParams()
        self.whole = make()
        self.replicates = [make() for _ in range(params.n_replicates)]
        self._keys = [key_of("bag", params.seed, b) for b in range(params.n_replicates)]

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the model inside cannot meet."""
        return self.whole.cannot

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        return self.whole.scheme

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components."""
        for model in self._models:
            model.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        self.whole.check(request)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action by the model of all rows, (N, A)."""
        return self.whole.values(request)

    def spreads(self, request: Request) -> Array:
        """Standard deviation between the replicates' weighted uplifts, (N, A)."""
        total, squared = np.zeros((2, request.n_rows, request.n_actions))
        centre = self.whole.values(request)
        for model in self.replicates:
            away = model.values(request) - centre
            total += away
            squared += away**2
        n = len(self.replicates)
        return np.asarray(np.sqrt(np.maximum(squared - total**2 / n, 0.0) / (n - 1)))

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts of the B replicates, in chunks of rows: (n, B, A), hold at 0.

        They are all the draws there are, whatever the key and ``n_draws``; ``scale`` multiplies
        their distance from the model of all rows.
        """
        n_replicates = len(self.replicates)
        for rows in row_chunks(request.n_rows, 8 * n_replicates * request.n_actions):
            asked = take_requests(request, np.arange(request.n_rows)[rows])
            drawn = np.stack([model.values(asked) for model in self.replicates], axis=1)
            if scale != 1:
                centre = self.whole.values(asked)[:, None]
                drawn = centre + scale * (drawn - centre)
            yield rows, drawn

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of the replicates for which each unmasked action is best, (N, A)."""
        mask = request.mask
        shares = np.zeros(mask.shape)
        for rows, drawn in self.draws(request, key, n_draws=n_draws, scale=scale):
            shares[rows] = votes(drawn, mask[rows])
        return shares

    def estimate(self, request: Request) -> Estimate:
        """Return what the model of all rows believes."""
        return self.whole.estimate(request)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time, each in the replicates its coins say."""
        self.whole.update(feedback)  # first: it refuses what is wrong before any copy has learned
        for model, key in zip(self.replicates, self._keys, strict=True):
            model.update(_tossed(feedback, key))

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught, in the same replicates."""
        self.whole.revise(feedback)
        for model, key in zip(self.replicates, self._keys, strict=True):
            model.revise(_tossed(feedback, key))

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis, if the model inside can."""
        for model in self._models:
            turn(model, basis, kept)

    def state(self) -> State:
        """Return the states of all copies, each under its own name."""
        return {
            f"{name}.{key}": array
            for name, model in self._named.items()
            for key, array in model.state().items()
        }

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {name: (-1,) * array.ndim for name, array in self.state().items()})
        for name, model in self._named.items():
            model.load(part_of(state, f"{name}."))

    @property
    def _models(self) -> list[RewardModel]:
        return [self.whole, *self.replicates]

    @property
    def _named(self) -> dict[str, RewardModel]:
        replicates = {f"replicate{b}": model for b, model in enumerate(self.replicates)}
        return {"whole": self.whole} | replicates


def _tossed(feedback: Feedback, key: int) -> Feedback:
    """The rows whose coin of that key says so."""
    chosen = uniforms(key, feedback.decision_id, stream=Stream.BOOTSTRAP) < 0.5
    return feedback.take(chosen)
