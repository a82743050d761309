"""Scores of every action under many draws of hybrid coefficients, without writing φ out.

Coefficients of M draws and the features of N rows enter; linear predictors of what a push adds
leave, slots before items: (n, M, S·K). Crosses with the context are seen from the context first,
so K·S actions cost K + S small products a draw. Scores are in single precision: shares of draws do
not feel the difference, and half the memory is moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.models.blocks import Blocks

__all__ = ["Drawn", "base_of", "drawn", "threshold", "uplift_of"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Whole = NDArray[np.int64]

_LEAST_CHANCE = 1e-12
_OUT_OF_REACH = 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """M draws of a head's coefficients, laid out to be multiplied."""

    base: Single  # (1 + D, M)
    item: Single  # (1 + D, M · Di) what an item feature is worth, seen from [1, c]
    slot: Single  # (1 + D, M · (1 + Ds)) what sending and a slot feature are worth
    item_slot: Single  # (Ds, M · Di)
    intercepts: Single  # (I, M)


def drawn(blocks: Blocks, theta: Array, intercepts: Array) -> Drawn:
    """Lay out draws θ (M, P) and intercepts (M, I)."""
    d, di, ds = blocks.lengths
    m = len(theta)

    def part(name: str, *shape: int) -> Array:
        return theta[:, blocks.at(name)].reshape(m, *shape)

    item = np.concatenate([part("item", 1, di), part("context_item", d, di)], axis=1)
    alone = np.concatenate([part("send", 1, 1), part("context", d, 1)], axis=1)
    slot = np.concatenate([part("slot", 1, ds), part("context_slot", d, ds)], axis=1)
    slot = np.concatenate([alone, slot], axis=2)  # (M, 1 + D, 1 + Ds)
    return Drawn(
        base=_single(theta[:, : blocks.n_base].T),
        item=_single(item.transpose(1, 0, 2).reshape(1 + d, m * di)),
        slot=_single(slot.transpose(1, 0, 2).reshape(1 + d, m * (1 + ds))),
        item_slot=_single(part("item_slot", di, ds).transpose(2, 0, 1).reshape(ds, m * di)),
        intercepts=_single(intercepts.T),
    )


def base_of(one: Drawn, context: Array) -> Single:
    """Linear predictor of what comes without a push, (n, M)."""
    return _with_one(context) @ one.base


def uplift_of(one: Drawn, context: Array, items: Whole, item: Array, slot: Array) -> Single:
    """What each send adds to the linear predictor, (n, M, S·K), slots before items."""
    n, k, di = item.shape
    s, ds = slot.shape[1:]
    m = one.base.shape[1]
    seen = _with_one(context)
    by_item = (seen @ one.item).reshape(n, m, 1, di)
    by_slot = (seen @ one.slot).reshape(n, m, 1 + ds)
    slots = slot.astype(np.float32)
    crossed = (slots.reshape(n * s, ds) @ one.item_slot).reshape(n, s, m, di)
    # What sending and the slot are worth goes along as the worth of a feature that is always 1.
    worth = np.empty((n, m, s, di + 1), np.float32)
    np.add(by_item, crossed.transpose(0, 2, 1, 3), out=worth[..., :di])
    np.add(by_slot[:, :, :1], by_slot[:, :, 1:] @ slots.transpose(0, 2, 1), out=worth[..., di])
    features = np.ones((n, k, di + 1), np.float32)
    features[:, :, :di] = item
    scores = (worth.reshape(n, m * s, di + 1) @ features.transpose(0, 2, 1)).reshape(n, m, s, k)
    if len(one.intercepts):
        own = one.intercepts[items].transpose(0, 2, 1)  # (n, M, K)
        scores += (own if s == 1 else np.ascontiguousarray(own))[:, :, None, :]
    return scores.reshape(n, m, s * k)


def threshold(base: Single, gain: float) -> Array:
    """What a send has to add to the log-odds for the chance to rise by ``gain``, (n, M).

    σ(b + u) − σ(b) > g where u > logit(σ(b) + g) − b; beyond all reach, ±10³⁰, where no chance
    is that high or that low. ``base`` is (n, M), the log-odds of what comes without a push.
    """
    aim = 0.5 + 0.5 * np.tanh(0.5 * base.astype(np.float64)) + gain
    inside = np.minimum(np.maximum(aim, _LEAST_CHANCE), 1.0 - _LEAST_CHANCE)
    least = np.log(inside / (1.0 - inside)) - base
    return np.where(aim >= 1.0, _OUT_OF_REACH, np.where(aim <= 0.0, -_OUT_OF_REACH, least))


def _with_one(context: Array) -> Single:
    seen = np.ones((len(context), 1 + context.shape[1]), np.float32)
    seen[:, 1:] = context
    return seen


def _single(array: Array) -> Single:
    return np.ascontiguousarray(array, np.float32)
