"""One component of the reward whose coefficients are believed apart from each other.

Final rows move what is settled; rows that may change yet are laid over it whenever a belief is
asked for, so revising them costs nothing and leaves no trace. Reference: Chapelle and Li (2011),
"An empirical evaluation of Thompson sampling", alg. 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.checks import check_state
from policies.models.blocks import Blocks
from policies.models.diagonal_math import Diagonal, Rows, moved
from policies.models.glm_head import GlmParams, Link

__all__ = ["DiagonalHead"]

Array = NDArray[np.float64]

_ARRAYS = ("mean", "precision", "item_mean", "item_precision")
_NUMBERS = ("noise", "square", "n_seen")


class DiagonalHead:
    """What is settled about one component, and the belief with open rows.

    Parameters
    ----------
    blocks : Blocks
        Layout of φ.
    n_items : int
        Intercepts I; 0 for none.
    link : {"identity", "logistic"}
        What the linear predictor stands for.
    params : GlmParams
        Priors; how far blocks reach is taken as guessed, not learned.
    """

    def __init__(self, blocks: Blocks, n_items: int, link: Link, params: GlmParams) -> None:
        self.blocks, self.link, self.params = blocks, link, params
        noise = 1.0 if link == "logistic" else params.noise_sd**2
        prior = np.full(blocks.n_features, noise / params.block_sd**2)
        prior[0] *= 0.1  # what comes in any case moves freely
        mean = np.zeros(blocks.n_features)
        if link == "logistic":
            mean[0] = np.log(params.base_rate / (1.0 - params.base_rate))
        self.prior = prior
        self.settled = Diagonal(
            mean=mean,
            precision=prior.copy(),
            item_mean=np.zeros(n_items),
            item_precision=np.full(n_items, noise / params.block_sd**2),
            noise=noise,
        )
        self.item_prior = noise / params.block_sd**2
        self.square = self.n_seen = 0.0  # of surprises at final rows, for the noise
        self._open: Callable[[], Iterable[Rows]] = tuple
        self._belief: Diagonal | None = None

    @property
    def bends(self) -> bool:
        """Whether rows stand where they were linearised: open ones are laid on anew each time."""
        return False

    def posterior(self) -> Diagonal:
        """Belief about θ and the intercepts, open rows included; kept until more is learned."""
        if self._belief is None:
            belief = self.settled
            for rows in self._open():
                belief = moved(belief, rows, is_response=self.link == "logistic")
            self._belief = belief
        return self._belief

    def learn(self, rows: Rows) -> None:
        """Take final rows."""
        if self.link == "identity":
            self._note(rows)
        self.settled = moved(self.settled, rows, is_response=self.link == "logistic")
        self._belief = None

    def reopen(self, rows: Callable[[], Iterable[Rows]]) -> None:
        """Lay other open rows, asked for when they are needed, over what is settled."""
        self._open, self._belief = rows, None

    def discount(self, kept: float) -> None:
        """Let what was learned before count for less; priors and means stay."""
        one = self.settled
        self.settled = replace(
            one,
            precision=self.prior + kept * (one.precision - self.prior),
            item_precision=self.item_prior + kept * (one.item_precision - self.item_prior),
        )
        self.square *= kept
        self.n_seen *= kept
        self._belief = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of what is settled, as named arrays."""
        arrays = {name: getattr(self.settled, name).copy() for name in _ARRAYS}
        told = {"noise": self.settled.noise, "square": self.square, "n_seen": self.n_seen}
        return arrays | {name: np.array(number) for name, number in told.items()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        shapes: dict[str, tuple[int, ...]] = {n: getattr(self.settled, n).shape for n in _ARRAYS}
        check_state(state, shapes | dict.fromkeys(_NUMBERS, ()))
        arrays = {name: np.array(state[name], np.float64) for name in _ARRAYS}
        self.settled = Diagonal(**arrays, noise=float(state["noise"]))
        self.square, self.n_seen = float(state["square"]), float(state["n_seen"])
        self._belief = None

    def _note(self, rows: Rows) -> None:
        """Move the noise by surprises, each in units of what its own doubt lets one expect."""
        belief = self.settled
        doubt = 1.0 + belief.spread(rows.features, np.zeros(len(rows.item))) ** 2 / belief.noise
        surprise = rows.target - belief.predicted(rows.features, rows.item)
        self.square += float(rows.weight @ (surprise**2 / doubt))
        self.n_seen += float(rows.weight.sum())
        guess = self.params.noise_rows * self.params.noise_sd**2
        noise = (guess + self.square) / (self.params.noise_rows + self.n_seen)
        self.settled = replace(belief, noise=noise)
