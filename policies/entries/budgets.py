"""Budgets around any policy that has an id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.budgets.budget import Budget, PriceParams
from policies.budgets.limits import limits_of
from policies.entry import Entry, lazily
from policies.shape import PolicyShape

__all__ = ["ENTRIES"]

_build = lazily("policies.registry:build")  # which lists these entries: it is not there yet


def _budget(
    shape: PolicyShape,
    scheme: RewardScheme,
    *,
    policy: str,
    options: Mapping[str, Any],
    limits: Mapping[str, Mapping[str, Any]],
    params: PriceParams,
) -> Budget:
    """Put limits around the policy of an id with options of its own."""
    if policy == "budget":
        raise BadInputError("expected one budget with all limits, got a budget inside a budget")
    inner = _build(policy, shape, scheme=scheme, options=options)
    return Budget(inner, limits_of(limits), n_users=shape.n_users, params=params)


ENTRIES = (
    Entry(
        policy_id="budget",
        factory=_budget,
        options={
            "policy": "hybrid_ts",
            "options": {},
            "limits": {"sends": {"amount": 3.0, "per": "user-week"}},
            "params": PriceParams(),
        },
        reference="Zhao et al. (2018), Pinterest; Balseiro, Lu and Mirrokni (2020)",
        cost="that of its inner policy, all actions of all draws in memory where it samples",
    ),
)
