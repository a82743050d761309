"""What a population is made of: frozen sections of named constants, from TOML.

A preset's name, a file or a mapping enters; a checked :class:`WorldConfig` leaves. A constant of
a preset is written ``key = [value, "tag", "source"]``: the tag says how good the evidence is (V
read in the primary text, V2 in a secondary one, A derived, M from memory) or it is "assumed".
Unknown keys are refused. The constants and their ranges come from the project's anchors on push
notifications; each preset names the source of each.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from bandit.slots import zone_of
from simulator.limits import LIMITS
from simulator.sections import (
    Activity,
    Click,
    Clock,
    Delivery,
    Emission,
    Fatigue,
    Hours,
    Items,
    OptOut,
    Orders,
    Rules,
    Taste,
)

__all__ = [
    "PRESETS",
    "Evidence",
    "WorldConfig",
    "config_from",
    "evidence_of",
    "load",
]

_FIRST_YEAR, _LAST_YEAR = 1970, 2090  # ten years of horizon fit before 2100
_LARGEST_WHOLE = 2**53  # that a float holds
_UNTAGGED = ("assumed", "")
_FOLDER = Path(__file__).parent / "presets"
PRESETS: tuple[str, ...] = ("ecommerce", "news", "social", "education", "tiny", "identity", "trap")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """Everything about a population."""

    name: str = "custom"
    reward_window_h: float = 24.0
    clock: Clock = field(default_factory=Clock)
    items: Items = field(default_factory=Items)
    activity: Activity = field(default_factory=Activity)
    hours: Hours = field(default_factory=Hours)
    click: Click = field(default_factory=Click)
    fatigue: Fatigue = field(default_factory=Fatigue)
    opt_out: OptOut = field(default_factory=OptOut)
    delivery: Delivery = field(default_factory=Delivery)
    orders: Orders = field(default_factory=Orders)
    taste: Taste = field(default_factory=Taste)
    rules: Rules = field(default_factory=Rules)
    emission: Emission = field(default_factory=Emission)

    def __post_init__(self) -> None:
        _check_limits(self)
        _check_shares(self)
        _check_sizes(self)
        for zone in self.clock.zones:
            zone_of(zone)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, as logged and as read back by :func:`config_from`."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a preset's constant comes from."""

    key: str
    value: Any
    tag: str
    source: str


def load(preset: str | Path, **changes: Mapping[str, Any]) -> WorldConfig:
    """Read a preset by name, or a TOML file; ``changes`` are sections with keys to replace.

    Parameters
    ----------
    preset : str or Path
        One of :data:`PRESETS`, or the path of a file ending in ``.toml``.
    **changes : mapping
        Such as ``clock={"horizon_days": 30}``.

    Raises
    ------
    BadInputError
        For a preset that there is not, an unknown key, or a value outside its range.

    Examples
    --------
    >>> load("ecommerce", clock={"horizon_days": 7}).clock.horizon_days
    7
    """
    table = _resolved(preset)
    for section, values in changes.items():
        if not isinstance(values, Mapping):
            raise BadInputError(
                f"expected {section} to be a table of keys to change, such as "
                f"clock={{'horizon_days': 30}}, got {values!r}"
            )
        stands = table.get(section, {})
        if not isinstance(stands, Mapping):
            raise BadInputError(f"expected a section of the configuration, got {section!r}")
        table[section] = {**stands, **values}
    return config_from(table)


def config_from(table: Mapping[str, Any]) -> WorldConfig:
    """Build a configuration from nested values; unknown keys are refused."""
    made: dict[str, Any] = {}
    known = {f.name: f for f in fields(WorldConfig)}
    for name, value in table.items():
        if name not in known:
            raise _unknown(name, "", known)
        section = known[name].default_factory
        made[name] = (
            _section(section, name, value)
            if callable(section)
            else _typed(name, _value(value), known[name].default)
        )
    return WorldConfig(**made)


def evidence_of(preset: str | Path) -> tuple[Evidence, ...]:
    """Every constant that a preset states or inherits, with where it comes from."""
    found = []
    for section, table in _resolved(preset).items():
        if isinstance(table, Mapping):
            found += [_evidence(f"{section}.{key}", cell) for key, cell in table.items()]
        elif section != "name":
            found.append(_evidence(section, table))
    return tuple(found)


def _evidence(key: str, cell: Any) -> Evidence:
    tag, source = (cell[1], cell[2] if len(cell) > 2 else "") if _is_sourced(cell) else _UNTAGGED
    return Evidence(key=key, value=_value(cell), tag=tag, source=source)


def _resolved(preset: str | Path) -> dict[str, Any]:
    """The table of a preset over that of its base, cells as they are written."""
    path = _path_of(preset)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"expected {path} to be TOML: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return {"name": path.stem, **table}
    if base not in PRESETS or base == path.stem:
        raise BadInputError(f"expected base to be another of {PRESETS}, got {base!r} in {path}")
    below = _resolved(base)
    for name, value in table.items():
        is_table = isinstance(value, Mapping) and isinstance(below.get(name, {}), Mapping)
        below[name] = {**below.get(name, {}), **value} if is_table else value
    return {**below, "name": table.get("name", path.stem)}


def _path_of(preset: str | Path) -> Path:
    if isinstance(preset, str) and preset in PRESETS:
        return _FOLDER / f"{preset}.toml"
    path = Path(preset)
    if path.suffix != ".toml" or not path.is_file():
        raise BadInputError(
            f"expected a preset, one of {', '.join(PRESETS)}, or the path of a TOML file, got "
            f"{str(preset)!r}"
        )
    return path


def _section(kind: Any, name: str, table: Any) -> Any:
    if not isinstance(table, Mapping):
        raise BadInputError(f"expected [{name}] to be a table, got {table!r}")
    known = {f.name: f for f in fields(kind)}
    made = {}
    for key, cell in table.items():
        if key not in known:
            raise _unknown(key, f"{name}.", known)
        made[key] = _typed(f"{name}.{key}", _value(cell), known[key].default)
    return kind(**made)


def _typed(key: str, value: Any, default: Any) -> Any:
    """The value as the type of its default; a number that is none is refused by name."""
    if isinstance(default, tuple):
        if isinstance(value, (list, tuple)) and all(_is_kind(v, default[0]) for v in value):
            return tuple(type(default[0])(v) for v in value)
        raise BadInputError(f"expected {key} to be a list such as {list(default)}, got {value!r}")
    if _is_kind(value, default):
        return type(default)(value)
    raise BadInputError(f"expected {key} to be of the kind of {default!r}, got {value!r}")


def _is_kind(value: Any, default: Any) -> bool:
    """True for the default's own type, and for whole numbers where the default has a fraction."""
    if type(default) is float and type(value) is int:
        return abs(value) <= _LARGEST_WHOLE
    return type(value) is type(default)


def _value(cell: Any) -> Any:
    return cell[0] if _is_sourced(cell) else cell


def _is_sourced(cell: Any) -> bool:
    return (
        isinstance(cell, list)
        and len(cell) in (2, 3)
        and all(isinstance(part, str) for part in cell[1:])
        and cell[1] in ("V", "V2", "A", "M", "assumed", "by design")
    )


def _unknown(key: str, prefix: str, known: Mapping[str, Any]) -> BadInputError:
    return BadInputError(
        f"expected keys among {', '.join(prefix + name for name in known)}, got {prefix}{key}: "
        "correct the spelling, or leave it out"
    )


def _check_limits(config: WorldConfig) -> None:
    for key, (low, high) in LIMITS.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name) if name else getattr(config, key)
        for number in value if isinstance(value, tuple) else (value,):
            if not low <= number <= high:  # nor NaN
                raise BadInputError(f"expected {key} in [{low}, {high}], got {number}")


def _check_shares(config: WorldConfig) -> None:
    if len(config.hours.peak_kappas) != len(config.hours.peaks_h):
        raise BadInputError(
            f"expected one of hours.peak_kappas for each of {len(config.hours.peaks_h)} peaks, got "
            f"{config.hours.peak_kappas}"
        )
    groups: tuple[tuple[str, tuple[float, ...], tuple[object, ...]], ...] = (
        ("clock.zone_shares", config.clock.zone_shares, config.clock.zones),
        ("hours.peak_shares", config.hours.peak_shares, config.hours.peaks_h),
        ("delivery.delay_shares", config.delivery.delay_shares, (0, 0, 0)),
        ("delivery.device_shares", config.delivery.device_shares, (0, 0, 0)),
        ("orders.delay_shares", config.orders.delay_shares, config.orders.delay_means_h),
    )
    for key, shares, beside in groups:
        if len(shares) != len(beside) or abs(sum(shares) - 1.0) > 1e-9:
            raise BadInputError(f"expected {len(beside)} {key} with sum 1, got {shares}")


def _check_sizes(config: WorldConfig) -> None:
    clock, items = config.clock, config.items
    if 24 % clock.slot_hours:
        raise BadInputError(f"expected clock.slot_hours to divide 24, got {clock.slot_hours}")
    if config.opt_out.frailty_shape * 2.0 % 1.0:
        raise BadInputError(
            "expected opt_out.frailty_shape to be a multiple of .5 (the frailty is a mean of "
            f"squared normals), or 0 for none, got {config.opt_out.frailty_shape}"
        )
    if clock.n_candidates > items.n_items:
        raise BadInputError(
            f"expected at most items.n_items = {items.n_items} candidates, got "
            f"clock.n_candidates = {clock.n_candidates}"
        )
    try:
        year = date.fromisoformat(clock.start_date).year
    except ValueError as error:
        raise BadInputError(
            f"expected clock.start_date such as '2026-03-02', got {clock.start_date!r}"
        ) from error
    if not _FIRST_YEAR <= year < _LAST_YEAR:
        raise BadInputError(
            f"expected clock.start_date from {_FIRST_YEAR} to {_LAST_YEAR}, got "
            f"{clock.start_date!r}: times are milliseconds between 1970 and 2100"
        )
