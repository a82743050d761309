from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from bandit.errors import BadInputError
from simulator.config import WorldConfig, config_from
from simulator.limits import LIMITS


def _numbers() -> dict[str, Any]:
    """Every numeric constant of the default configuration by its key."""
    plain = WorldConfig().to_dict()
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        inner = value if isinstance(value, dict) else {"": value}
        flat |= {f"{name}.{key}" if key else name: each for key, each in inner.items()}

    def is_numeric(value: Any) -> bool:
        first = value[0] if isinstance(value, tuple) else value
        return isinstance(first, (int, float)) and not isinstance(first, bool)

    return {key: value for key, value in flat.items() if is_numeric(value)}


def test_every_numeric_constant_has_a_range_and_every_range_a_constant() -> None:
    """A constant without a range would take any number."""
    assert set(LIMITS) == set(_numbers())


def test_every_default_lies_in_its_range() -> None:
    """And every range is one."""
    for key, value in _numbers().items():
        low, high = LIMITS[key]
        assert low < high
        for number in value if isinstance(value, tuple) else (value,):
            assert low <= number <= high, key


@pytest.mark.parametrize("key", sorted(LIMITS))
def test_a_number_outside_its_range_is_refused_by_its_key(key: str) -> None:
    """Above the top and below the bottom, in the constant's own type."""
    low, high = LIMITS[key]
    default = _numbers()[key]
    whole = isinstance(default, int)
    for wrong in (math.floor(low) - 1, math.ceil(high) + 1):
        value: Any = wrong if whole else float(wrong)
        if isinstance(default, tuple):
            value = [value, *default[1:]]
        section, _, name = key.partition(".")
        with pytest.raises(BadInputError, match=key.replace(".", r"\.")):
            config_from({section: {name: value}} if name else {key: value})


def test_sections_are_all_frozen() -> None:
    """A configuration that is shared by rows and processes must not change under them."""
    config = WorldConfig()
    for each in fields(config):
        section = getattr(config, each.name)
        if not isinstance(section, (str, float)):
            with pytest.raises(AttributeError):
                setattr(section, fields(section)[0].name, 1)
