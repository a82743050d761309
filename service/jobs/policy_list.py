"""``opportune policies``: every policy that can be named, with what there is to know about it.

Ids enter, or none for all; lines for a person leave. Options are printed as TOML, ready for a
study. A policy of somebody else's that does not load is told, and the others are listed all the
same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from policies import discovery
from policies.entry import Entry
from policies.registry import DEFAULT, PolicyShape, build_entry, entry, policies
from service.jobs.check_policy import chosen_policy

__all__ = ["policy_lines"]

_SMALLEST = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=1, n_items=1, n_slots=1
)
_LETTERS = (
    "cost of asking and, after a comma or +, of learning: N rows, A actions, K items, S slots, "
    "M draws, B bags, n policies, R components, I items known, U users, P features"
)


def policy_lines(asked: Sequence[str] = ()) -> Iterator[str]:
    """Describe policies.

    Parameters
    ----------
    asked : sequence of str
        Ids, or ``module:Class``; none for all of ours and all that are installed.

    Raises
    ------
    BadInputError
        For an id that there is not.
    """
    if asked:
        for name in asked:
            yield from _described(chosen_policy(name))
        return
    yield _LETTERS
    ours = {one.policy_id for one in policies()}
    for one in policies():
        yield from _described(one)
    for point in discovery.found():
        if point.name in ours:
            yield f"\n{point.name}: {point.value} is never built: the id is ours, give it another"
            continue
        try:
            yield from _described(entry(point.name), origin=point.value)
        except BadInputError as error:
            yield f"\n{point.name}: {error}"


def _described(one: Entry, *, origin: str = "") -> Iterator[str]:
    yield f"\n{one.policy_id}{' (the default)' if one.policy_id == DEFAULT else ''}"
    if origin:
        yield f"  from       {origin}"
    yield f"  reference  {one.reference}"
    yield f"  cost       {one.cost}"
    yield f"  needs      {f'opportune[{one.needs}]' if one.needs else 'nothing more'}"
    for place, line in enumerate(list(_toml(one.options)) or ["none"]):
        yield f"  {'' if place else 'options':<9}  {line}"
    for place, line in enumerate(_exceptions(one)):
        yield f"  {'' if place else 'cannot':<9}  {line}"


def _exceptions(one: Entry) -> list[str]:
    """Laws that it cannot meet, each with the reason."""
    try:
        cannot = build_entry(one, _SMALLEST, scheme=UPLIFT).cannot
    except Exception as error:  # anybody's code, or an extra that is not here
        return [f"not known here: {error}"]
    return [f"{law}: {reason}" for law, reason in sorted(cannot.items())] or ["nothing"]


def _toml(options: Mapping[str, Any], *, table: str = "") -> Iterator[str]:
    """Options as TOML: plain values first, then a table for each mapping or dataclass."""
    plain = {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in options.items()
    }
    tables = {name: value for name, value in plain.items() if isinstance(value, Mapping)}
    if table and (len(tables) < len(plain) or not plain):
        yield f"[{table}]"
    for name, value in plain.items():
        if name not in tables:
            yield f"{name} = {_value(value)}" if value is not None else f"# {name}: not set"
    for name, value in tables.items():
        yield from _toml(value, table=f"{table}.{name}" if table else name)


def _value(value: Any) -> str:
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
