"""Online cover: greedy policies one after another, each paid for what those before it left out.

Scores and a mask enter; a pmf leaves. Sources: Agarwal, Hsu, Kale, Langford, Li and Schapire
(2014), "Taming the monster", for the cover; Bietti, Agarwal and Langford (2021), "A contextual
bandit bake-off", and Vowpal Wabbit's ``--cover`` for its online form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from policies.exploration.greedy import at_least, best_action
from policies.exploration.masked import Mask, Scores, visible

__all__ = ["cover"]

Array = NDArray[np.float64]


def cover(
    scores: Scores,
    mask: Mask,
    *,
    n_policies: int,
    psi: float,
    least: float | Array,
    raises_zeros: bool = True,
) -> Array:
    """Mass 1/n for each of n policies, none of them below the least probability, (N, A).

    The first takes the best score. The i-th takes the best of ``score + ψ·μ·Z/max(p, μ)``, p the
    mass that those before it gave, μ the least probability and Z the sum of max(p, μ): an action
    that nobody took is paid ψ·Z. Exact ties share a policy's mass.

    Parameters
    ----------
    scores : ndarray, (N, A)
        Estimated rewards.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    n_policies : int
        n, at least 1.
    psi : float
        ψ, in units of the reward: about how much less an action may be worth and still be covered.
    least : float, or ndarray (N, 1)
        μ, at most 1 over the number of unmasked actions.
    raises_zeros : bool
        False leaves what no policy takes without probability.
    """
    if n_policies < 1 or not 0 <= psi < np.inf:
        raise BadInputError(
            "expected n_policies of at least 1 and a finite psi of at least 0, got "
            f"{n_policies}, {psi}"
        )
    n_actions = mask.sum(axis=1, keepdims=True)
    floor = np.broadcast_to(least, n_actions.shape)
    if not ((floor >= 0) & (floor * n_actions <= 1 + 1e-12)).all():
        raise BadInputError(f"expected a least probability in [0, 1/A], got {least}")
    seen = visible(scores, mask)
    mass = best_action(seen, mask) / n_policies
    for _ in range(1, n_policies):
        held = np.maximum(mass, floor)
        total = (held * mask).sum(axis=1, keepdims=True)
        bonus = psi * total * floor / np.where(held > 0, held, 1.0)
        mass += best_action(np.where(mask, seen + bonus, 0.0), mask) / n_policies
    return at_least(mass, mask, total=np.minimum(floor * n_actions, 1.0), raises_zeros=raises_zeros)
