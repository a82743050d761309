"""``opportune check-policy module:Class``: the laws of a policy, run on anybody's.

An id or a class enters, with options from a TOML file; a line a law leaves, and whether all of
them are kept.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from policies import discovery
from policies.conformance.case import Case
from policies.conformance.suite import LAWS, Verdict, draw_laws, examine
from policies.entry import Entry
from policies.registry import entry

__all__ = ["check_policy", "chosen_policy", "read_options", "verdict_line"]


def check_policy(name: str, *, options: Mapping[str, Any] | None = None) -> Iterator[Verdict]:
    """Run every law on a policy, one verdict after another.

    Parameters
    ----------
    name : str
        An id, or ``module:Class``; a module is also looked for in the working directory.
    options : mapping, optional
        What differs from its defaults.

    Raises
    ------
    BadInputError
        If there is no such policy, it cannot be built, or SciPy is missing.
    """
    chosen = chosen_policy(name)
    try:
        laws = (*LAWS, *draw_laws())
    except ModuleNotFoundError as error:
        raise BadInputError(
            f"expected SciPy for the laws of draws, got {error}: pip install 'opportune[ope]'"
        ) from error
    case = Case(entry=chosen, options=options or {})
    case.fresh()  # what cannot be built at all is told at once
    yield from examine(case, laws)


def chosen_policy(name: str) -> Entry:
    """Return the entry of an id, or of ``module:Class``, also from the working directory."""
    if not discovery.is_path(name):
        return entry(name)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # behind all others: it must not stand in front of what is installed
    return discovery.named(name)


def read_options(path: Path) -> dict[str, Any]:
    """Read options of a policy from a TOML file.

    Raises
    ------
    BadInputError
        If it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"expected options as TOML in {path}, got {error}") from error


def verdict_line(verdict: Verdict) -> str:
    """Return what became of one law, in one line."""
    if verdict.broken:
        return f"BROKEN    {verdict.law}: {verdict.broken}"
    if verdict.excused:
        return f"declared  {verdict.law}: {verdict.excused}"
    return f"kept      {verdict.law}"
