"""Makes ``policies_linear_arms.json``: what mabwiser says of ten contexts and three arms.

Needs ``mabwiser==2.7.4``, which nothing else here does: install it where this is run. Strong,
Kleynhans and Kadioglu (2019), "MABWiser: a parallelizable contextual multi-armed bandit library".
"""

from __future__ import annotations

from typing import Any

import numpy as np

_ARMS = (1, 2, 3)
_CONTEXTS = (
    (0, 1, 2, 3, 5),
    (1, 1, 1, 1, 1),
    (0, 0, 1, 0, 0),
    (0, 2, 2, 3, 5),
    (1, 3, 1, 1, 1),
    (0, 0, 0, 0, 0),
    (0, 1, 4, 3, 5),
    (0, 1, 2, 4, 5),
    (1, 2, 1, 1, 3),
    (0, 2, 1, 0, 0),
)
_DECISIONS = (1, 1, 1, 2, 2, 2, 3, 3, 3, 1)
_REWARDS = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1)
_QUERIES = _CONTEXTS[:2]
_SCALE, _N_DRAWS = 0.7, 20_000


def make() -> dict[str, Any]:
    """Upper bounds of LinUCB for each α and λ; mean and spread of LinTS over many draws."""
    return {
        "source": "mabwiser 2.7.4",
        "contexts": _CONTEXTS,
        "decisions": _DECISIONS,
        "rewards": _REWARDS,
        "queries": _QUERIES,
        "linucb": [_bounds(alpha, l2) for alpha in (0, 0.5, 1, 1.25, 2) for l2 in (1, 0.5, 4)],
        "lints": _spread(),
        "note": "LinUCB and LinTS expectations of mabwiser 2.7.4 (disjoint ridge per arm); "
        "lints: mean and sd over n_draws draws, seed 1",
    }


def _bounds(alpha: float, l2: float) -> dict[str, Any]:
    from mabwiser.mab import LearningPolicy

    expectations = _asked(LearningPolicy.LinUCB(alpha=alpha, l2_lambda=l2), _QUERIES)
    return {"policy": "linucb", "alpha": alpha, "l2": l2, "expectations": expectations.tolist()}


def _spread() -> dict[str, Any]:
    from mabwiser.mab import LearningPolicy

    policy = LearningPolicy.LinTS(alpha=_SCALE, l2_lambda=1)
    drawn = _asked(policy, _QUERIES * _N_DRAWS).reshape(_N_DRAWS, len(_QUERIES), len(_ARMS))
    return {
        "alpha": _SCALE,
        "l2": 1,
        "n_draws": _N_DRAWS,
        "mean": drawn.mean(axis=0).tolist(),
        "sd": drawn.std(axis=0).tolist(),
    }


def _asked(policy: Any, queries: Any) -> np.ndarray:
    """Expectation of every arm for each query, (Q, arms)."""
    from mabwiser.mab import MAB

    bandit = MAB(list(_ARMS), policy, seed=1)
    bandit.fit(np.array(_DECISIONS), np.array(_REWARDS), np.array(_CONTEXTS))
    rows = bandit.predict_expectations(np.array(queries))
    return np.array([[row[arm] for arm in _ARMS] for row in rows])
