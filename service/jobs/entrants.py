"""Who enters a simulated comparison: policies by id, and the references they are held against.

Ids and options enter; named entrants, and ready policies for a world's requests, leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Policy
from policies.registry import build, entry
from policies.shape import PolicyShape
from service.jobs.static_push import StaticPush

__all__ = ["SILENCE", "STATICS", "Entrant", "entrants", "policy_of"]

_NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
_STATIC = StaticPush.policy_id
_ANY = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=1, n_items=1, n_slots=1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One row of a comparison.

    Parameters
    ----------
    name : str
        What tables call it.
    policy_id : str
        Of :mod:`policies.registry`, or ``static_push``.
    options : mapping
        What differs from the policy's defaults.
    """

    name: str
    policy_id: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_static(self) -> bool:
        """True for the references among which the best static one is chosen."""
        return self.policy_id == _STATIC

    @property
    def counts_behaviour(self) -> bool:
        """True for policies that learn from what users do, not from what pushes bring."""
        return not self.is_static and "always_sends" in entry(self.policy_id).options

    @property
    def reads_events(self) -> bool:
        """True for policies that have to be shown what users do."""
        reads_visits = not self.is_static and entry(self.policy_id).reads_visits
        return self.counts_behaviour or reads_visits

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "policy": self.policy_id, "options": dict(self.options)}


SILENCE = Entrant(name="never_send", policy_id="never_send")
STATICS: tuple[Entrant, ...] = tuple(
    Entrant(
        name=f"static_{hour:02d}h_{per_week}",
        policy_id=_STATIC,
        options={"hour": hour, "per_week": per_week},
    )
    for hour, per_week in ((9, 3), (13, 3), (20, 3), (20, 7))
)
"""Popular item at one hour of everybody's day, and how many times a week."""


def entrants(
    asked: Sequence[str | Mapping[str, Any]], *, scheme: RewardScheme
) -> tuple[Entrant, ...]:
    """Entrants that are asked for, checked, then the references; each name once.

    Parameters
    ----------
    asked : sequence of str or mapping
        Ids, or tables with ``policy`` and perhaps ``name`` and ``options``.
    scheme : RewardScheme
        What they will be built for.

    Raises
    ------
    BadInputError
        For an unknown id, key or option, a name twice, or that of a reference for something else.
    """
    found: list[Entrant] = []
    for one in asked:
        found.append(_entrant(one))
        _check(found[-1], scheme)
    names = [e.name for e in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInputError(
            f"expected every policy once, got {', '.join(twice)} more than once: give each "
            "set of options a name of its own"
        )
    for reference in (SILENCE, *STATICS):
        if any(e.name == reference.name and e.plain() != reference.plain() for e in found):
            raise BadInputError(
                f"expected {reference.name} to be the reference that others are held against, got "
                "another policy or options under that name: give it a name of its own"
            )
    references = [e for e in (SILENCE, *STATICS) if e.name not in names]
    return (*found, *references)


def policy_of(
    entrant: Entrant, shape: PolicyShape, *, scheme: RewardScheme, popularity: NDArray[np.float64]
) -> Policy:
    """Build an entrant's policy.

    Parameters
    ----------
    entrant : Entrant
        What to build.
    shape : PolicyShape
        Lengths of the world's requests.
    scheme : RewardScheme
        What a reward is.
    popularity : ndarray, (I,)
        Of each item, for the static references.
    """
    if entrant.is_static:
        _only(entrant.options, ("hour", "per_week"), f"options of {_STATIC}")
        return StaticPush(popularity, scheme, **entrant.options)
    options = dict(entrant.options)
    if entrant.counts_behaviour:
        # Rates of what users do anyway are no uplift: weighed against the cost they never send.
        options.setdefault("always_sends", True)
        params = options.get("params", {})
        if isinstance(params, Mapping):
            # Grids of a world begin at UTC midnight: a place in them is no hour of anybody's day.
            options["params"] = {"by_hour": True, **params}
    return build(entrant.policy_id, shape, scheme=scheme, options=options)


def _entrant(asked: str | Mapping[str, Any]) -> Entrant:
    if isinstance(asked, str):
        reference = {e.name: e for e in (SILENCE, *STATICS)}
        return reference.get(asked, Entrant(name=asked, policy_id=asked))
    if not isinstance(asked, Mapping) or not isinstance(asked.get("policy"), str):
        raise BadInputError(f"expected a policy id, or a table with policy = its id, got {asked!r}")
    _only(asked, ("name", "policy", "options"), "keys of a policy")
    options, name = asked.get("options", {}), asked.get("name", asked["policy"])
    if not isinstance(options, Mapping):
        raise BadInputError(f"expected options to be a table, got {options!r}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        # It becomes the name of a folder.
        raise BadInputError(f"expected a name of letters, digits, '.', '_' and '-', got {name!r}")
    return Entrant(name=name, policy_id=asked["policy"], options=options)


def _check(entrant: Entrant, scheme: RewardScheme) -> None:
    """Build it once at the smallest size: whatever is wrong with it shows before any work."""
    policy_of(entrant, _ANY, scheme=scheme, popularity=np.zeros(1))


def _only(table: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise BadInputError(f"expected {what} out of {', '.join(known)}, got {', '.join(unknown)}")
