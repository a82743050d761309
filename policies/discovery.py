"""Policies of other people: found by entry point or named as ``module:Class``, built like ours.

A distribution says ``[project.entry-points."opportune.policies"]`` with lines ``id =
"module:Class"``; nothing of it is imported before that id is asked for. What is named is a class
or function that takes ``(shape, scheme)`` and options with defaults, or a whole
:class:`policies.entry.Entry`; an entry leaves.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bandit.errors import BadInputError
from policies.entry import Entry

__all__ = ["GROUP", "entry_of", "found", "is_path", "load", "named"]

GROUP = "opportune.policies"
_PATH = re.compile(r"[\w.]+:[\w.]+")


def found() -> tuple[EntryPoint, ...]:
    """Entry points of the group in all installed distributions, by id; nothing is imported."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))


def load(policy_id: str) -> Entry | None:
    """Return the entry that an installed distribution gives this id; ``None`` if none does.

    Raises
    ------
    BadInputError
        If several do, or what is named there cannot be imported or is no policy.
    """
    points = [point for point in found() if point.name == policy_id]
    if len(points) > 1:
        told = ", ".join(f"{point.value} of {_owner(point)}" for point in points)
        raise BadInputError(f"expected one policy called {policy_id!r}, got {told}: rename one")
    if not points:
        return None
    return entry_of(_loaded(points[0].value, f"{_owner(points[0])}'s "), policy_id=policy_id)


def is_path(name: str) -> bool:
    """Whether this names a class, ``module:Class``, rather than an id."""
    return _PATH.fullmatch(name) is not None


def named(path: str) -> Entry:
    """Return the entry of ``module:Class``; its id is the class's ``policy_id`` or its name.

    Raises
    ------
    BadInputError
        If it cannot be imported or is no policy.
    """
    thing = _loaded(path, "")
    if isinstance(thing, Entry):
        return thing
    own = getattr(thing, "__dict__", {}).get("policy_id")  # not one that a base class has
    return entry_of(thing, policy_id=own if isinstance(own, str) else path.partition(":")[2])


def entry_of(thing: Any, *, policy_id: str) -> Entry:
    """Make an entry of a class, a function or an entry.

    Parameters
    ----------
    thing : class, callable or Entry
        Called as ``thing(shape, scheme, **options)``; its other parameters have defaults, which
        are its options. The first line of its docstring stands for the reference.
    policy_id : str
        What the log will call it.
    """
    if isinstance(thing, Entry):
        return replace(thing, policy_id=policy_id)
    if not callable(thing):
        raise BadInputError(
            f"expected a class that is called with (shape, scheme), or an Entry, got {thing!r}"
        )
    told = (inspect.getdoc(thing) or "not stated").splitlines()[0]
    return Entry(
        policy_id=policy_id,
        factory=thing,
        options=_options(thing),
        reference=told,
        cost="not stated",
    )


def _options(factory: Callable[..., Any]) -> dict[str, Any]:
    """Defaults of whatever comes after shape and scheme."""
    parameters = list(inspect.signature(factory).parameters.values())
    given = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    bare = [p.name for p in given[2:] if p.default is p.empty]
    if bare or not (len(given) >= 2 or takes_any):
        raise BadInputError(
            "expected (shape, scheme) and options that have defaults, got "
            f"{getattr(factory, '__name__', factory)}({', '.join(map(str, parameters))})"
        )
    return {p.name: p.default for p in given[2:]}


def _loaded(path: str, whose: str) -> Any:
    module, _, name = path.partition(":")
    try:
        thing: Any = import_module(module)
        for part in name.split("."):
            thing = getattr(thing, part)
    except Exception as error:  # anybody's code: whatever it raises, it did not load
        raise BadInputError(
            f"expected {whose}{path} to be a policy that can be imported, got {error!r}"
        ) from error
    return thing


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "a distribution without a name"
