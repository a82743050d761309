"""Every policy by its id: how to build it, with which options, after whom, at what cost.

An id, lengths and a reward scheme enter, with options as read from a TOML table; a policy
leaves. The laws of ``policies/conformance/`` are run on whatever is listed here, and a
test sees to it that no policy class stays unlisted. Other people's policies are found by entry
point, see :mod:`policies.discovery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Policy
from policies import discovery
from policies.default import DEFAULT
from policies.entries import (
    baselines,
    budgets,
    classic,
    conservative,
    disjoint,
    hybrid,
    linear,
    linear_explorers,
    neural,
    pooled,
    push,
    rllib,
    vw,
    waiting,
    watchful,
)
from policies.entry import Entry
from policies.shape import PolicyShape

__all__ = [
    "DEFAULT",
    "Entry",
    "PolicyShape",
    "build",
    "build_entry",
    "defaults",
    "entry",
    "policies",
]


_ENTRIES: tuple[Entry, ...] = (
    *baselines.ENTRIES,
    *linear.ENTRIES,
    *linear_explorers.ENTRIES,
    *disjoint.ENTRIES,
    *hybrid.ENTRIES,
    *pooled.ENTRIES,
    *neural.ENTRIES,
    *rllib.ENTRIES,
    *push.ENTRIES,
    *classic.ENTRIES,
    *vw.ENTRIES,
    *budgets.ENTRIES,
    *waiting.ENTRIES,
    *watchful.ENTRIES,
    *conservative.ENTRIES,
)


def policies() -> tuple[Entry, ...]:
    """All policies of ours that can be built by id, baselines first."""
    return _ENTRIES


def entry(policy_id: str) -> Entry:
    """Return the entry of that id: one of ours, else one that an installed distribution brings.

    Raises
    ------
    BadInputError
        If there is none, or it cannot be imported.
    """
    for candidate in _ENTRIES:
        if candidate.policy_id == policy_id:
            return candidate
    foreign = discovery.load(policy_id)
    if foreign is not None:
        return foreign
    known = ", ".join([e.policy_id for e in _ENTRIES] + [p.name for p in discovery.found()])
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
        What differs from :func:`defaults`, as read from TOML: ``{"explorer": {"n_draws": 64}}``;
        a whole dataclass may stand in place of its table.

    Raises
    ------
    BadInputError
        For an unknown id, option or field, a value of another type, or an extra that is missing.

    Examples
    --------
    >>> from bandit.outcomes import UPLIFT
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> build("lints", shape, scheme=UPLIFT, options={"explorer": {"n_draws": 64}}).policy_id
    'lints'
    """
    return build_entry(entry(policy_id), shape, scheme=scheme, options=options)


def build_entry(
    chosen: Entry,
    shape: PolicyShape,
    *,
    scheme: RewardScheme,
    options: Mapping[str, Any] | None = None,
) -> Policy:
    """Build a policy from an entry, listed or not; see :func:`build`."""
    policy_id = chosen.policy_id
    merged = dict(chosen.options)
    for name, value in (options or {}).items():
        if name not in merged:
            raise BadInputError(
                f"expected options of {policy_id!r} out of {sorted(merged)}, got {name!r}"
            )
        merged[name] = _merged(f"{policy_id}.{name}", merged[name], value)
    try:
        policy = chosen.factory(shape, scheme, **merged)
    except ModuleNotFoundError as error:
        if not chosen.needs:
            raise
        raise BadInputError(
            f"expected the extra {chosen.needs!r} for policy {policy_id!r}, found no module "
            f"{error.name!r}: pip install 'opportune[{chosen.needs}]'"
        ) from error
    policy.policy_id = policy_id
    return policy


def _merged(name: str, default: Any, value: Any) -> Any:
    if not (is_dataclass(default) and isinstance(value, Mapping)):
        return _typed(name, default, value)
    known = {f.name: getattr(default, f.name) for f in fields(default)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise BadInputError(f"expected fields of {name} out of {sorted(known)}, got {unknown}")
    typed = {field: _merged(f"{name}.{field}", known[field], v) for field, v in value.items()}
    return replace(default, **typed)  # type: ignore[type-var]


def _typed(name: str, default: Any, value: Any) -> Any:
    """Return the value if it has its default's type; a whole number may stand for a float.

    A default of ``None`` says nothing about the type, so its policy has to look itself.
    """
    if default is None:
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise BadInputError(f"expected {name} like {default!r}, got {value!r}")
    return value
