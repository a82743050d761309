"""Every policy by its id: how to build it, with which options, after whom, at what cost.

An id, lengths and a reward scheme enter, with options as read from a TOML table; a policy
leaves. The conformance suite in ``tests/conformance/`` runs whatever is listed here, and a
test sees to it that no policy class stays unlisted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Policy
from policies.behaviour_counts import CountParams
from policies.best_hour import BestHourRanker
from policies.counts import Counts
from policies.fixed import NeverSend, RandomEligible
from policies.igw import InverseGap, InverseGapParams
from policies.linear_head import HeadParams
from policies.lints import LinTS, LinTSParams
from policies.linucb import LinUCB, LinUCBParams
from policies.popular import PopularItemHour
from policies.shape import PolicyShape

__all__ = ["Entry", "PolicyShape", "build", "defaults", "entry", "policies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One policy that can be built by its id.

    Parameters
    ----------
    policy_id : str
        What the log calls it.
    factory : callable
        ``factory(shape, scheme, **options)``.
    options : mapping
        Keyword arguments with their defaults; frozen dataclasses become TOML tables.
    reference : str
        Whom it follows.
    cost : str
        Order of one ``pmf`` call; M draws, P = Di·Ds pair features.
    """

    policy_id: str
    factory: Callable[..., Policy]
    options: Mapping[str, Any]
    reference: str
    cost: str


_LINEAR = HeadParams()
_ENTRIES = (
    Entry(
        policy_id="random",
        factory=RandomEligible,
        options={},
        reference="every comparison's zero",
        cost="N·A",
    ),
    Entry(
        policy_id="never_send",
        factory=NeverSend,
        options={},
        reference="silence, the value of hold",
        cost="N·A",
    ),
    Entry(
        policy_id="popular",
        factory=PopularItemHour,
        options={"params": CountParams(), "always_sends": False},
        reference="the popular item at the popular hour",
        cost="N·A",
    ),
    Entry(
        policy_id="best_hour",
        factory=BestHourRanker,
        options={"params": CountParams(), "always_sends": False, "least_active": 4.0},
        reference="send-time optimisation, then a ranker",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_static",
        factory=Counts,
        options={"params": CountParams(is_static=True), "always_sends": False},
        reference="personal frequencies of the training range",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_updated",
        factory=Counts,
        options={"params": CountParams(), "always_sends": False},
        reference="personal frequencies, updated every period",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_decayed",
        factory=Counts,
        options={"params": CountParams(half_life=90.0), "always_sends": False},
        reference="personal frequencies that fade, shrunk to the population",
        cost="N·A",
    ),
    Entry(
        policy_id="linucb",
        factory=LinUCB,
        options={"head": _LINEAR, "params": LinUCBParams()},
        reference="Li, Chu, Langford and Schapire (2010)",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lints",
        factory=LinTS,
        options={"head": _LINEAR, "params": LinTSParams()},
        reference="Agrawal and Goyal (2013)",
        cost="N·A·M + R·P³",
    ),
    Entry(
        policy_id="igw",
        factory=InverseGap,
        options={"head": _LINEAR, "params": InverseGapParams()},
        reference="Foster and Rakhlin (2020)",
        cost="N·A + R·P³",
    ),
)


def policies() -> tuple[Entry, ...]:
    """All policies that can be built by id, baselines first."""
    return _ENTRIES


def entry(policy_id: str) -> Entry:
    """Return the entry of that id.

    Raises
    ------
    BadInputError
        If there is none.
    """
    for candidate in _ENTRIES:
        if candidate.policy_id == policy_id:
            return candidate
    known = ", ".join(e.policy_id for e in _ENTRIES)
    raise BadInputError(f"expected a policy id out of {known}; got {policy_id!r}")


def defaults(policy_id: str) -> dict[str, Any]:
    """Options of a policy as plain tables, ready for TOML and for the log."""
    options = entry(policy_id).options
    return {name: asdict(v) if is_dataclass(v) else v for name, v in options.items()}  # type: ignore[arg-type]


def build(
    policy_id: str,
    shape: PolicyShape,
    *,
    scheme: RewardScheme,
    options: Mapping[str, Any] | None = None,
) -> Policy:
    """Build a policy by its id.

    Parameters
    ----------
    policy_id : str
        See :func:`policies`.
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights.
    options : mapping, optional
        What differs from :func:`defaults`, as read from TOML: ``{"params": {"n_draws": 64}}``;
        a whole dataclass may stand in place of its table.

    Raises
    ------
    BadInputError
        For an unknown id, option or field, or a value of another type.

    Examples
    --------
    >>> from bandit.outcomes import UPLIFT
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> build("lints", shape, scheme=UPLIFT, options={"params": {"n_draws": 64}}).policy_id
    'lints'
    """
    chosen = entry(policy_id)
    merged = dict(chosen.options)
    for name, value in (options or {}).items():
        if name not in merged:
            raise BadInputError(
                f"expected options of {policy_id!r} out of {sorted(merged)}, got {name!r}"
            )
        merged[name] = _merged(f"{policy_id}.{name}", merged[name], value)
    policy = chosen.factory(shape, scheme, **merged)
    policy.policy_id = policy_id
    return policy


def _merged(name: str, default: Any, value: Any) -> Any:
    if not (is_dataclass(default) and isinstance(value, Mapping)):
        return _typed(name, default, value)
    known = {f.name: getattr(default, f.name) for f in fields(default)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise BadInputError(f"expected fields of {name} out of {sorted(known)}, got {unknown}")
    typed = {field: _typed(f"{name}.{field}", known[field], v) for field, v in value.items()}
    return replace(default, **typed)  # type: ignore[type-var]


def _typed(name: str, default: Any, value: Any) -> Any:
    """Return the value if it has its default's type; a whole number may stand for a float."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise BadInputError(f"expected {name} like {default!r}, got {value!r}")
    return value
