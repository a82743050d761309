"""Factored towers: features of every item and every slot as this context sees them, K + S passes.

Context, item and slot features enter; u(context, item), v(context, slot) and w(context) leave,
and the row φ that a last layer is linear in. One hidden layer each and a bounded end, in plain
arrays: no heavy library is needed to ask, only to train. Reference: Riquelme, Tucker and Snoek
(2018), "Deep Bayesian bandits showdown", *neural linear*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.checks import check_state

__all__ = ["Tower", "Towers", "begin"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """tanh(shift + relu(bias + context·C + own·F)·O); frozen arrays, in double precision."""

    context: Array  # (D, H)
    own: Array  # (F, H) of the item's or the slot's features; F = 0 where there are none
    bias: Array  # (H,)
    out: Array  # (H, E)
    shift: Array  # (E,)

    def __call__(self, context: Array, own: Array) -> Array:
        """Outputs (N, J, E) of N contexts (N, D) with J items or slots each (N, J, F)."""
        hidden = own @ self.own
        hidden += (context @ self.context + self.bias)[:, None]
        np.maximum(hidden, 0.0, out=hidden)
        return np.tanh(hidden @ self.out + self.shift)

    @property
    def n_out(self) -> int:
        """Length E of what leaves."""
        return len(self.shift)


@dataclass(frozen=True, slots=True, kw_only=True)
class Towers:
    """Three towers and the features that they make.

    Notes
    -----
    φ = [1, c, w, 1[send]·(1, u, v, u ⊙ v)]: a base that is linear in the context and in w(c), and
    for sends what the item, the slot and both together add.
    """

    item: Tower
    slot: Tower
    base: Tower

    @property
    def n_base(self) -> int:
        """Length of what every decision has, [1, c, w]."""
        return 1 + len(self.base.context) + self.base.n_out

    @property
    def n_features(self) -> int:
        """Length P of φ."""
        return self.n_base + 1 + 3 * self.item.n_out

    @property
    def pair_block(self) -> slice:
        """Where in φ lies what sends have."""
        return slice(self.n_base, None)

    def base_features(self, context: Array) -> Array:
        """[1, c, w] of N contexts, (N, 1 + D + B)."""
        n = len(context)
        seen = self.base(context, np.zeros((n, 1, 0)))[:, 0]
        return np.concatenate([np.ones((n, 1)), context, seen], axis=1)

    def features(
        self, context: Array, item: Array, slot: Array, *, is_send: NDArray[np.bool_]
    ) -> Array:
        """φ of chosen actions, (N, P), of features (N, D), (N, Di) and (N, Ds)."""
        u = self.item(context, item[:, None])[:, 0]
        v = self.slot(context, slot[:, None])[:, 0]
        pair = np.concatenate([np.ones((len(context), 1)), u, v, u * v], axis=1)
        return np.concatenate([self.base_features(context), pair * is_send[:, None]], axis=1)

    def turned(self, basis: Array) -> Towers:
        """The same functions of contexts c' = Q·c."""
        return Towers(
            **{
                f.name: replace(one, context=basis @ one.context)
                for f in fields(self)
                for one in (getattr(self, f.name),)
            }
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all weights, named ``tower.NAME.PART``."""
        return {
            f"tower.{tower.name}.{part.name}": getattr(getattr(self, tower.name), part.name).copy()
            for tower in fields(self)
            for part in fields(Tower)
        }

    def loaded(self, state: Mapping[str, NDArray[Any]]) -> Towers:
        """Towers of this size from what :meth:`state` returned."""
        check_state(state, {name: array.shape for name, array in self.state().items()})
        return Towers(
            **{
                tower.name: Tower(
                    **{
                        part.name: np.array(state[f"tower.{tower.name}.{part.name}"], np.float64)
                        for part in fields(Tower)
                    }
                )
                for tower in fields(self)
            }
        )


def begin(
    lengths: tuple[int, int, int], *, hidden: int, width: int, rng: np.random.Generator
) -> Towers:
    """Random towers, of features D, Di and Ds, whose outputs are of the order of one.

    Parameters
    ----------
    lengths : three ints
        D, Di and Ds.
    hidden : int
        Units H of each hidden layer.
    width : int
        Outputs E of each tower.
    rng : Generator
        What the weights are drawn from; He et al. (2015) for their size.
    """
    d, di, ds = lengths

    def one(n_own: int) -> Tower:
        into = np.sqrt(2.0 / max(d + n_own, 1))
        return Tower(
            context=into * rng.normal(size=(d, hidden)),
            own=into * rng.normal(size=(n_own, hidden)),
            bias=0.5 * rng.normal(size=hidden),
            out=np.sqrt(2.0 / hidden) * rng.normal(size=(hidden, width)),
            shift=np.zeros(width),
        )

    return Towers(item=one(di), slot=one(ds), base=one(0))
