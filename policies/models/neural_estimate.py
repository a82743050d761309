"""What a last layer over towers believes of every action, some rows at a time.

Towers, a last layer and a request enter; tower outputs, or means and standard deviations of base
and uplift, leave.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.models.last_layer import LastLayer
from policies.models.linear_math import row_chunks
from policies.models.tower_math import pair_scores, pair_variances
from policies.models.towers import Towers

__all__ = ["believed", "by_item", "passes"]

Array = NDArray[np.float64]


def passes(
    towers: Towers, request: Request, *, wide: int = 1
) -> Iterator[tuple[slice, Array, Array]]:
    """Tower outputs u (n, K, E) and v (n, S, E), in chunks of rows.

    ``wide`` is how many numbers the caller makes of each slot.
    """
    hidden = len(towers.item.bias)
    units = (request.n_items + request.n_slots) * hidden + request.n_slots * wide
    for rows in row_chunks(request.n_rows, 8 * units):
        context = request.context[rows]
        u = towers.item(context, request.item_features[rows])
        yield rows, u, towers.slot(context, request.slot_features[rows])


def believed(
    towers: Towers,
    layer: LastLayer,
    request: Request,
    *,
    learned: NDArray[np.int64],
    n_components: int,
) -> tuple[Array, Array]:
    """Base (2, N, R) and uplift (2, N, A, R), means first, then standard deviations; hold at 0.

    ``learned`` names the components of the layer's rows, (R',); the others stay 0.
    """
    n, (mean, factor) = request.n_rows, layer.posterior()
    pairs, spread = towers.pair_block, layer.covariance(towers.pair_block)
    quiet = towers.base_features(request.context)
    base = np.zeros((2, n, n_components))
    uplift = np.zeros((2, n, request.n_actions, n_components))
    base[0][:, learned] = quiet @ mean[:, : towers.n_base].T
    for row, component in enumerate(learned):
        base[1, :, component] = np.linalg.norm(quiet @ factor[row, : towers.n_base], axis=1)
    for rows, u, v in passes(towers, request, wide=towers.item.n_out**2):
        told = by_item(pair_scores(u, v, mean[:, pairs]), request.n_slots)  # (n, R', K·S)
        uplift[0][rows, 1:, learned] = told.transpose(0, 2, 1)
        for row, component in enumerate(learned):
            variance = by_item(pair_variances(u, v, spread[row])[:, None], request.n_slots)
            uplift[1][rows, 1:, component] = np.sqrt(variance[:, 0])
    return base, uplift


def by_item(scores: Array, n_slots: int) -> Array:
    """(n, M, S·K) with slots before items as (n, M, K·S) of actions."""
    n, m, pairs = scores.shape
    turned = scores.reshape(n, m, n_slots, pairs // n_slots).transpose(0, 1, 3, 2)
    return np.asarray(turned.reshape(n, m, pairs))
