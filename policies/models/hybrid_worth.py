"""What a push adds to a component, draw by draw, on the scale of the outcome.

Draws of a component's heads enter; what each send adds leaves, slots before items: (n, M, S·K).
A response goes through its link; of two parts, a chance and a size, p₁·s₁ − p₀·s₀ leaves.
Reference: Duan, Manning, Morris and Newhouse (1983), for the two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.models.glm_head import GlmHead
from policies.models.hybrid_math import Drawn, base_of, threshold, uplift_of

__all__ = ["added_by", "diagonal_spreads", "ranked", "weighed_link"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

_LARGEST = 1e12


def ranked(one: Drawn, request: Request, rows: slice) -> Single:
    """What each send adds to the linear predictor: in order as the outcome, at less cost."""
    return uplift_of(
        one,
        request.context[rows],
        request.items[rows],
        request.item_features[rows],
        request.slot_features[rows],
    )


def weighed_link(one: Drawn, context: Array, *, known: float, weight: float) -> Array:
    """The known worth of sending as one in log-odds times weight, (n, M).

    A send is worth more than holding, w·(σ(b + u) − σ(b)) + known > 0, where w·u plus this is
    above 0: one number a row and draw, instead of a link of every action.
    """
    return np.asarray(-weight * threshold(base_of(one, context), -known / weight))


def added_by(
    heads: Sequence[GlmHead], draws: Sequence[Drawn], request: Request, rows: slice
) -> Single:
    """What each send adds to a component.

    Parameters
    ----------
    heads : sequence of GlmHead
        One, or a chance and a size.
    draws : sequence of Drawn
        M draws of each.
    request : Request
        What is asked.
    rows : slice
        Of its rows.
    """
    if len(heads) == 1 and heads[0].link == "identity":
        return ranked(draws[0], request, rows)
    base, added = _linked(heads[0], draws[0], request, rows)
    if len(heads) == 1:
        return added
    size, more = _linked(heads[1], draws[1], request, rows)
    # p₁·s₁ − p₀·s₀ = Δp·(s₀ + Δs) + p₀·Δs
    sent = more + size[:, :, None]
    sent *= added
    more *= base[:, :, None]
    sent += more
    return sent


def diagonal_spreads(
    heads: Sequence[Any],
    means: Sequence[Drawn],
    widths: Sequence[Drawn],
    request: Request,
    rows: slice,
    *,
    weights: Array,
) -> Array:
    """Variance of the weighted uplift of every send where coefficients are apart, (n, S·K).

    Parameters
    ----------
    heads : sequence
        One a component.
    means, widths : sequence of Drawn
        Means of the coefficients and their variances, as one draw each.
    request : Request
        What is asked.
    rows : slice
        Of its rows.
    weights : ndarray, (R',)
        Weights of the components.

    Notes
    -----
    Features above 10⁶, of which no row may be learned, count as 10⁶: squares of squares overflow.
    """
    context, item, slot = (
        np.minimum(features[rows] ** 2, _LARGEST)
        for features in (request.context, request.item_features, request.slot_features)
    )
    squared = context, request.items[rows], item, slot
    total = np.zeros((len(context), request.n_slots * request.n_items))
    for head, mean, width, weight in zip(heads, means, widths, weights, strict=True):
        if not weight:
            continue
        added = uplift_of(width, *squared)[:, 0].astype(np.float64)
        if head.link == "logistic":
            base = base_of(mean, request.context[rows])
            sent = _chance(ranked(mean, request, rows)[:, 0] + base)
            quiet = _chance(base.copy())
            bent, straight = sent * (1.0 - sent), quiet * (1.0 - quiet)
            added = bent**2 * added + (bent - straight) ** 2 * base_of(width, context)
        total += weight**2 * added
    return np.asarray(total)


def _linked(head: GlmHead, one: Drawn, request: Request, rows: slice) -> tuple[Single, Single]:
    """Base (n, M) and what each send adds, (n, M, S·K), of one head."""
    base, added = base_of(one, request.context[rows]), ranked(one, request, rows)
    if head.link == "identity":
        return base, added
    added += base[:, :, None]
    quiet = _chance(base.copy())
    added = _chance(added)
    added -= quiet[:, :, None]
    return quiet, added


def _chance(z: Single) -> Single:
    """Chance of a linear predictor, in place."""
    z *= np.float32(0.5)
    np.tanh(z, out=z)
    z *= np.float32(0.5)
    z += np.float32(0.5)
    return z
