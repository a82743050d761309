from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from simulator.config import WorldConfig, config_from, load
from simulator.kernel import Population, ground_of
from simulator.limits import LIMITS
from simulator.streams import life_keys
from simulator.truth import mean_reward, means_of, outcome_of
from simulator.worth import Worth


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


_LARGE = {  # tops that cost memory or time and nothing else
    "clock.horizon_days": 30,
    "clock.n_candidates": 5,
    "items.n_items": 2000,
    "items.n_features": 64,
    "items.n_categories": 500,
    "items.n_templates": 100,
    "items.popularity_half_life_h": 1000.0,
    "activity.sessions_per_day": 20.0,
    "taste.segments": 100,
}
_ODDS = (
    "activity.spread",
    "click.activity_slope",
    "click.match_gain",
    "click.spread",
    "click.streak_gain",
    "click.tie_gain",
    "click.wanted_gain",
    "fatigue.habituation_floor",
    "hours.receptivity",
    "hours.receptivity_spread",
    "items.popularity_sd",
    "items.template_sd",
    "opt_out.frequency_slope",
    "opt_out.relevance_slope",
)
_SMALL = {"items.n_items": 500, "clock.n_candidates": 5, "clock.horizon_days": 5}


def _live(changes: dict[str, Any]) -> None:
    """Two pushed days in which everything stays a number; warnings are errors in tests."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in (_SMALL | changes).items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    keys = life_keys(1, np.arange(60))
    population = Population.begin(ground_of(load("social", **sections)), keys, hours=24)
    population.state.sent_by_day[::2] = 255
    population.state.streak_days[::3] = 1
    worth = Worth(UPLIFT)
    for day in range(2):
        means = means_of(population)
        reward = mean_reward(population, worth)
        assert np.isfinite(outcome_of(population, worth)).all()
        assert np.isfinite(means.base).all() and np.isfinite(means.caused).all()
        slow = (means.base[:, None] + means.uplift) @ worth.of_quantity
        assert np.allclose(reward, slow, rtol=1e-3, atol=1e-5 * np.abs(slow).max())
        last = population.offer().items.shape[1] - 1
        told = population.step(np.full(60, min(day, last)), np.zeros(60, np.int64))
        assert np.isfinite(told.at_min).all() and np.isfinite(told.value).all()


@pytest.mark.parametrize("end", [0, 1], ids=["bottom", "top"])
@pytest.mark.parametrize("section", sorted({key.split(".")[0] for key in LIMITS if "." in key}))
def test_a_population_lives_with_a_whole_section_at_one_end(section: str, end: int) -> None:
    """What ranges allow, the formulas can take."""
    changes: dict[str, Any] = {}
    for key, default in _numbers().items():
        if key.startswith(f"{section}.") and "shares" not in key:
            value = _LARGE.get(key, LIMITS[key][1]) if end else LIMITS[key][0]
            is_list = isinstance(default, tuple)
            changes[key] = [float(value)] * len(default) if is_list else type(default)(value)
    _live(changes | ({"clock.n_candidates": 1} if changes.get("items.n_items") == 1 else {}))


@pytest.mark.parametrize("n_features", [1, 16])
def test_a_population_lives_with_all_that_moves_odds_at_its_top(n_features: int) -> None:
    """Odds beyond what single precision holds would be NaN in the truth of all actions."""
    tops: dict[str, Any] = {key: LIMITS[key][1] for key in _ODDS}
    _live(tops | {"items.n_features": n_features, "activity.sessions_per_day": 0.001})


@pytest.mark.parametrize("whole", [10**400, -(10**400)], ids=["above", "below"])
@pytest.mark.parametrize("key", ["clock.horizon_days", "click.rate", "reward_window_h"])
def test_a_whole_number_beyond_any_float_is_refused_like_any_other(key: str, whole: int) -> None:
    """TOML's whole numbers have no end."""
    section, _, name = key.partition(".")
    with pytest.raises(BadInputError, match=key):
        config_from({section: {name: whole}} if name else {key: whole})


def test_sections_are_all_frozen() -> None:
    """A configuration that is shared by rows and processes must not change under them."""
    config = WorldConfig()
    for each in fields(config):
        section = getattr(config, each.name)
        if not isinstance(section, (str, float)):
            with pytest.raises(AttributeError):
                setattr(section, fields(section)[0].name, 1)
