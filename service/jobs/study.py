"""A study: policies × worlds × seeds, read from a TOML file.

The path of a file enters; a checked :class:`Study` leaves, one comparison a world. Unknown keys are
refused by name: a misspelt one would be a study of something else.

``name``, ``presets``, ``policies`` are needed; ``users``, ``days``, ``seeds``, ``seed``, ``hours``,
``alpha`` have defaults; ``[world.SECTION]`` changes constants of every world. A policy is an id, or
a table with ``policy``, ``name`` and ``options``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from service.jobs.comparison import Comparison
from service.jobs.entrants import entrants
from service.jobs.simulated_walk import SCHEME

__all__ = ["Study", "read_study"]

_WHOLE = ("users", "days", "seeds", "seed", "hours")
_KEYS = ("name", "presets", "policies", *_WHOLE, "alpha", "world")
_NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is studied.

    Parameters
    ----------
    name : str
        Of the study, for its tables.
    alpha : float
        1 − confidence of intervals; the chance of any false claim in the whole table.
    comparisons : tuple of Comparison
        One a world.
    """

    name: str
    alpha: float
    comparisons: tuple[Comparison, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        worlds = [comparison.plain() for comparison in self.comparisons]
        return {"command": "experiment", "name": self.name, "alpha": self.alpha, "worlds": worlds}


def read_study(path: Path) -> Study:
    """Read a study and check all of it.

    Raises
    ------
    BadInputError
        If the file is missing or no TOML, a key unknown or missing, a value of another kind, or
        anything named that there is not.
    """
    table = _table(path)
    unknown = sorted(set(table) - set(_KEYS))
    if unknown:
        raise BadInputError(
            f"expected keys of a study out of {', '.join(_KEYS)}, got {', '.join(unknown)} in "
            f"{path}: correct the spelling, or leave it out"
        )
    name, alpha = table.get("name", path.stem), table.get("alpha", 0.05)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadInputError(f"expected name of letters, digits, '.', '_' and '-', got {name!r}")
    if not isinstance(alpha, float) or not 0 < alpha < 1:
        raise BadInputError(f"expected alpha between 0 and 1, such as 0.05, got {alpha!r}")
    worlds = _list(table, "presets", path)
    asked = entrants(_list(table, "policies", path), scheme=SCHEME)
    # A world's name stands in the table and in the names of its cells.
    names = [Path(str(world)).stem for world in worlds]
    if len(set(names)) < len(names):
        raise BadInputError(f"expected worlds of unlike names, got {', '.join(names)} in {path}")
    sizes = {key: _whole(key, table[key]) for key in _WHOLE if key in table}
    return Study(
        name=name,
        alpha=alpha,
        comparisons=tuple(
            Comparison(
                preset=_preset(world, path),
                entrants=asked,
                changes=_changes(table.get("world", {})),
                **sizes,
            )
            for world in worlds
        ),
    )


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"expected a study, a TOML file, got {path}: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"expected {path} to be TOML: {error}") from error


def _list(table: Mapping[str, Any], key: str, path: Path) -> Sequence[Any]:
    found = table.get(key)
    if not isinstance(found, list) or not found:
        raise BadInputError(
            f"expected {key} in {path} to be a list that is not empty, got {found!r}"
        )
    if any(found.count(one) > 1 for one in found):
        raise BadInputError(f"expected each of {key} once, got {found} in {path}")
    return found


def _whole(key: str, value: Any) -> int:
    if type(value) is not int:
        raise BadInputError(f"expected {key} to be a whole number, got {value!r}")
    return value


def _preset(world: Any, path: Path) -> str:
    """A preset's name; a file is looked for beside the study."""
    if not isinstance(world, str):
        raise BadInputError(f"expected presets to be names or files, got {world!r} in {path}")
    return str(path.parent / world) if world.endswith(".toml") else world


def _changes(world: Any) -> dict[str, dict[str, Any]]:
    """Sections to change; :func:`simulator.config.load` refuses keys that there are not."""
    if not isinstance(world, Mapping) or not all(isinstance(v, Mapping) for v in world.values()):
        raise BadInputError(
            f"expected [world.SECTION] tables of constants to change, got {world!r}"
        )
    return {section: dict(values) for section, values in world.items()}
