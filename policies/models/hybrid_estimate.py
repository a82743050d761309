"""What is believed of every action, in double precision, with φ written out.

A request enters; means and standard deviations of base and uplift leave. Slower than the draws of
:mod:`policies.models.hybrid_math` and exact for an identity link; for a logistic one the spread is
that of the tangent (the delta method).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.models.blocks import Blocks
from policies.models.glm_head import GlmHead
from policies.models.glm_math import sigmoid
from policies.models.linear_math import row_chunks

__all__ = ["believed"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


def believed(
    heads: Sequence[GlmHead], blocks: Blocks, request: Request, *, has_items: bool
) -> tuple[Array, Array]:
    """Base (2, N) and uplift (2, N, A) of a component; hold at 0.

    Means first, then standard deviations. Of a chance p and a size s the parts are taken to be
    independent of each other, and of what a push adds to them.
    """
    base, uplift = _of_head(heads[0], blocks, request, has_items=has_items)
    if len(heads) == 1:
        return base, uplift
    size, more = _of_head(heads[1], blocks, request, has_items=has_items)
    sent = base[0][:, None] + uplift[0]
    added = sent * more[0] + uplift[0] * size[0][:, None]  # p₁·Δs + Δp·s₀
    spread = np.sqrt(
        (sent * more[1]) ** 2
        + (uplift[1] * (size[0][:, None] + more[0])) ** 2
        + (uplift[0] * size[1][:, None]) ** 2
        + (more[0] * base[1][:, None]) ** 2
    )
    whole = np.sqrt((base[0] * size[1]) ** 2 + (base[1] * size[0]) ** 2 + (base[1] * size[1]) ** 2)
    return np.stack([base[0] * size[0], whole]), np.stack([added, spread])


def _of_head(
    head: GlmHead, blocks: Blocks, request: Request, *, has_items: bool
) -> tuple[Array, Array]:
    """Base (2, N) and uplift (2, N, A) of one head."""
    base = np.zeros((2, request.n_rows))
    uplift = np.zeros((2, request.n_rows, request.n_actions))
    n_pairs = request.n_actions - 1
    for rows in row_chunks(request.n_rows, 32 * max(n_pairs, 1) * blocks.n_features):
        quiet = _quiet(blocks, request, rows)  # (n, P)
        base[:, rows] = _of_quiet(head, quiet)
        item = np.repeat(request.items[rows].ravel(), request.n_slots)
        told = _of_sends(
            head,
            np.repeat(quiet, n_pairs, axis=0),
            _of_actions(blocks, request, rows),
            item=item if has_items else None,
        )
        uplift[:, rows, 1:] = told.reshape(2, len(quiet), n_pairs)
    return base, uplift


def _of_quiet(head: GlmHead, quiet: Array) -> Array:
    """Mean and standard deviation without a push, (2, n)."""
    belief = head.posterior()
    eta = quiet @ belief.mean
    spread = belief.spread(quiet, np.zeros(len(quiet)))
    if head.link == "identity":
        return np.stack([eta, spread])
    chance = sigmoid(eta)
    return np.stack([chance, chance * (1.0 - chance) * spread])


def _of_sends(head: GlmHead, quiet: Array, features: Array, *, item: Whole | None) -> Array:
    """Mean and standard deviation of what sends add, (2, m); ``quiet`` and φ are (m, P)."""
    belief = head.posterior()
    before, after = quiet @ belief.mean, features @ belief.mean
    own = np.zeros(len(features))
    if item is not None:
        after += belief.item_mean[item]
        features = features - belief.slope[item]  # an intercept moves with θ
        own = belief.item_sd[item]
    if head.link == "identity":
        return np.stack([after - before, belief.spread(features - quiet, own)])
    quiet_chance, chance = sigmoid(before), sigmoid(after)
    bent, quiet_bent = (p * (1.0 - p) for p in (chance, quiet_chance))
    tangent = bent[:, None] * features - quiet_bent[:, None] * quiet
    return np.stack([chance - quiet_chance, belief.spread(tangent, bent * own)])


def _quiet(blocks: Blocks, request: Request, rows: slice) -> Array:
    """φ of holding, (n, P)."""
    context = request.context[rows]
    _, di, ds = blocks.lengths
    n = len(context)
    nothing = np.zeros(n, np.bool_)
    return blocks.features(context, np.zeros((n, di)), np.zeros((n, ds)), is_send=nothing)


def _of_actions(blocks: Blocks, request: Request, rows: slice) -> Array:
    """φ of every send of some rows, (n · K · S, P)."""
    n, k, s = len(request.context[rows]), request.n_items, request.n_slots
    _, di, ds = blocks.lengths
    item = np.repeat(request.item_features[rows], s, axis=1).reshape(n * k * s, di)
    slot = np.tile(request.slot_features[rows], (1, k, 1)).reshape(n * k * s, ds)
    context = np.repeat(request.context[rows], k * s, axis=0)
    return blocks.features(context, item, slot, is_send=np.ones(n * k * s, np.bool_))
