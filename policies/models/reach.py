"""What behaviour is made of where responses carry a push: few features instead of every cross.

A context, how likely the push is answered, and the item's features enter; φ of a head leaves:
what comes in any case, what a send does of itself, and what each expected response brings, which
may hang on the user and on the item. Whoever was likely to be sent, or could not be, differs
from the others in more than the send; so the chance of it stands among what comes in any case
(Rosenbaum and Rubin, 1983: at an equal chance, sends are a coin's). Reference: Athey, Chetty,
Imbens and Kang (2019), "The surrogate index"; Prentice (1989) for when it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import expect_shape
from policies.models.layout import Layout

__all__ = ["Reach"]

Array = NDArray[np.float64]

_SPREADS: Mapping[str, float] = {
    "one": 3.0,
    "c": 0.5,
    "chance": 0.5,
    "send": 0.01,
    "context": 0.005,
    "answer": 0.15,
    "context_answer": 0.03,
    "item_answer": 0.03,
}
_RARE: Mapping[str, float] = {"send": 0.1, "context": 0.02}


@dataclass(frozen=True, slots=True)
class Reach(Layout):
    """Where each block lies in φ.

    Parameters
    ----------
    n_context, n_item_features : int
        D and Di.
    """

    n_context: int
    n_item_features: int

    def __post_init__(self) -> None:
        d, di = self.n_context, self.n_item_features
        sizes = {"one": 1, "c": d, "chance": 2, "send": 1, "context": d}
        sizes |= {"answer": 1, "context_answer": d, "item_answer": di}
        self.lay(sizes)

    def spreads(self, *, is_rare: bool) -> Array:
        """Prior standard deviation of a coefficient of each block, (B,): assumed.

        In units of one row's noise where the outcome is counted, in log-odds where it comes or
        not. What a push does of itself is small beside what comes anyway.
        """
        of = {**_SPREADS, **(_RARE if is_rare else {})}
        return np.array([of[name] for name in self.names])

    def both(self, first: str, second: str) -> slice:
        """Two blocks that lie side by side."""
        return slice(self.at(first).start, self.at(second).stop)

    def features(
        self,
        context: Array,
        item: Array,
        answer: Array,
        *,
        is_send: NDArray[np.bool_],
        p_send: Array,
    ) -> Array:
        """φ of chosen actions, (N, P).

        Parameters
        ----------
        context, item : ndarray, (N, D) and (N, Di)
            Of the rows.
        answer : ndarray, (N,)
            How likely the push is answered, 0 where nothing is sent.
        is_send : ndarray of bool, (N,)
            Whether something is.
        p_send : ndarray, (N,)
            Chance with which it was.
        """
        seen = np.concatenate([np.ones((len(context), 1)), context], axis=1)
        chance = np.stack([p_send > 0, p_send], axis=1)
        parts = [seen, chance, seen * is_send[:, None]]
        parts += [answer[:, None] * seen, answer[:, None] * item]
        return np.concatenate(parts, axis=1)

    def turned(self, basis: Array) -> Array:
        """Matrix that turns φ when contexts turn to ``basis``·c, (P, P)."""
        d = self.n_context
        expect_shape("basis", basis, (d, d), "a row a new coordinate")
        turn = np.eye(self.n_features)
        for name in ("c", "context", "context_answer"):
            turn[self.at(name), self.at(name)] = basis
        return turn
