"""A wrapper that holds any policy to a baseline, both by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.conservative.conservative import Conservative, ConservativeParams
from policies.entry import Entry, lazily
from policies.shape import PolicyShape

__all__ = ["ENTRIES"]

_build = lazily("policies.registry:build")  # which lists these entries: it is not there yet
_entry = lazily("policies.registry:entry")


def _conservative(
    shape: PolicyShape,
    scheme: RewardScheme,
    *,
    policy: str,
    options: Mapping[str, Any],
    baseline: str,
    baseline_options: Mapping[str, Any],
    params: ConservativeParams,
) -> Conservative:
    """Hold the policy of an id to the baseline of another."""
    if "conservative" in (policy, baseline):
        raise BadInputError("expected two other policies, got a conservative one inside another")
    shown = _entry(baseline)
    if shown.reads_visits or "always_sends" in shown.options:
        raise BadInputError(
            f"expected a baseline that learns from feedback, got {baseline!r}, which has to be "
            "shown behaviour: only the inner policy is"
        )
    return Conservative(
        _build(policy, shape, scheme=scheme, options=options),
        _build(baseline, shape, scheme=scheme, options=baseline_options),
        params=params,
    )


ENTRIES = (
    Entry(
        policy_id="conservative",
        factory=_conservative,
        options={
            "policy": "hybrid_ts",
            "options": {},
            "baseline": "never_send",
            "baseline_options": {},
            "params": ConservativeParams(),
        },
        reference="Wu et al. (2016); Kazerouni et al. (2017); Waudby-Smith et al. (2021)",
        cost="those of both policies",
    ),
)
