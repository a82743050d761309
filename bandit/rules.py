"""What may be sent to a user and when, as configuration.

A mapping, such as a TOML table, enters; frozen :class:`Rules` leave. Unknown keys are errors,
because a guardrail that is misspelt is one that does not hold. Defaults fail closed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bandit.errors import BadInputError
from bandit.slots import DAY_MS, HOUR_MS, zone_of

__all__ = ["Cap", "Rules", "rules_from"]

_DAY_MIN = 24 * 60
_KEYS = frozenset(
    {
        "quiet_hours",
        "min_gap_h",
        "caps",
        "consents_where_unknown",
        "zone_where_unknown",
        "one_open_plan",
        "may_hold",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most ``n_sends`` in any window of ``window_ms``, wherever the window begins."""

    n_sends: int
    window_ms: int

    def __post_init__(self) -> None:
        if self.n_sends < 0 or self.window_ms <= 0:
            raise BadInputError(
                f"expected a cap of 0 or more sends in a window above 0 ms, got {self.n_sends} in "
                f"{self.window_ms}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The guardrails of one topic.

    Parameters
    ----------
    quiet_start_min, quiet_end_min : int
        Quiet from the first to before the second, in minutes of the user's wall clock; past
        midnight where the first is the later one, and no quiet hours where they are equal.
    min_gap_ms : int
        Least time between two sends to one user.
    caps : tuple of Cap
        Rolling caps; all of them hold.
    consents_where_unknown : bool
        Whether a user who was never asked counts as consenting.
    zone_where_unknown : str
        Zone to assume where a user's is unknown; empty fails closed.
    one_open_plan : bool
        Whether a user with a plan whose slot is still ahead gets no second one.
    may_hold : bool
        False for a task without silence: hold is masked wherever a send is possible.
    """

    quiet_start_min: int = 22 * 60
    quiet_end_min: int = 8 * 60
    min_gap_ms: int = 4 * HOUR_MS
    caps: tuple[Cap, ...] = (
        Cap(n_sends=1, window_ms=DAY_MS),
        Cap(n_sends=3, window_ms=7 * DAY_MS),
    )
    consents_where_unknown: bool = False
    zone_where_unknown: str = ""
    one_open_plan: bool = True
    may_hold: bool = True

    def __post_init__(self) -> None:
        for minute in (self.quiet_start_min, self.quiet_end_min):
            if not 0 <= minute <= _DAY_MIN:
                raise BadInputError(
                    f"expected quiet hours in 0 … {_DAY_MIN} minutes of the day, got {minute}"
                )
        if self.min_gap_ms < 0:
            raise BadInputError(f"expected a gap of 0 ms or more, got {self.min_gap_ms}")
        if self.zone_where_unknown:
            zone_of(self.zone_where_unknown)

    @property
    def reach_ms(self) -> int:
        """How far apart two sends can bear on each other."""
        return max([self.min_gap_ms, *(cap.window_ms for cap in self.caps)])


def rules_from(table: Mapping[str, Any]) -> Rules:
    """Read rules from a mapping; a key that is left out keeps its default.

    Parameters
    ----------
    table : mapping
        ``quiet_hours`` (two wall-clock times, or ``[]`` for none), ``min_gap_h``, ``caps``
        (tables of ``sends`` and ``hours`` or ``days``), ``consents_where_unknown``,
        ``zone_where_unknown``, ``one_open_plan``, ``may_hold``.

    Raises
    ------
    BadInputError
        For an unknown key or a value that does not fit.

    Examples
    --------
    >>> rules = rules_from({"quiet_hours": ["21:30", "07:00"], "caps": [{"sends": 2, "days": 1}]})
    >>> rules.quiet_start_min, rules.caps[0].window_ms
    (1290, 86400000)
    """
    _refuse_unknown("rules", table, _KEYS)
    given: dict[str, Any] = {}
    if "quiet_hours" in table:
        given["quiet_start_min"], given["quiet_end_min"] = _quiet(table["quiet_hours"])
    if "min_gap_h" in table:
        given["min_gap_ms"] = round(_number("min_gap_h", table["min_gap_h"]) * HOUR_MS)
    if "caps" in table:
        given["caps"] = _caps(table["caps"])
    for name in ("consents_where_unknown", "one_open_plan", "may_hold"):
        if name in table:
            given[name] = _truth(name, table[name])
    if "zone_where_unknown" in table:
        given["zone_where_unknown"] = str(table["zone_where_unknown"])
    return Rules(**given)


def _refuse_unknown(what: str, table: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise BadInputError(
            f"expected {what} to name {sorted(known)}, got {unknown}: correct the spelling, "
            "because a guardrail that is not understood is not held"
        )


def _quiet(hours: Any) -> tuple[int, int]:
    if isinstance(hours, list | tuple) and not hours:
        return 0, 0
    if not isinstance(hours, list | tuple) or len(hours) != 2:
        raise BadInputError(
            f"expected quiet_hours such as ['22:00', '08:00'] or [] for none, got {hours!r}"
        )
    return _minute(hours[0]), _minute(hours[1])


def _minute(clock: Any) -> int:
    hour, _, minute = str(clock).partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(minute) < 60 and int(hour) <= 24):
        raise BadInputError(f"expected a wall-clock time such as '22:00', got {clock!r}")
    return int(hour) * 60 + int(minute)


def _caps(tables: Any) -> tuple[Cap, ...]:
    if not isinstance(tables, list | tuple):
        raise BadInputError(f"expected a list of caps, [] for none, got {tables!r}")
    return tuple(_cap(table) for table in tables)


def _cap(table: Any) -> Cap:
    if not isinstance(table, Mapping):
        raise BadInputError(f"expected a cap such as {{sends = 1, hours = 24}}, got {table!r}")
    _refuse_unknown("a cap", table, frozenset({"sends", "hours", "days"}))
    if "sends" not in table or ("hours" in table) == ("days" in table):
        raise BadInputError(
            f"expected a cap to name sends and either hours or days, got {dict(table)}"
        )
    sends = _number("sends", table["sends"])
    if sends != int(sends):
        raise BadInputError(f"expected a whole number of sends, got {sends}")
    unit, length = (HOUR_MS, table["hours"]) if "hours" in table else (DAY_MS, table["days"])
    return Cap(n_sends=int(sends), window_ms=round(_number("window", length) * unit))


def _number(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise BadInputError(f"expected {name} to be a finite number, got {value!r}")
    return float(value)


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInputError(f"expected {name} to be true or false, got {value!r}")
    return value
