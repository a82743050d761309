from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import simulator.config
from bandit.errors import BadInputError
from simulator.config import PRESETS, WorldConfig, config_from, evidence_of, load

FOLDER = Path(simulator.config.__file__).parent / "presets"
HERE = tuple(name for name in PRESETS if (FOLDER / f"{name}.toml").is_file())


@pytest.mark.parametrize("preset", HERE)
def test_every_constant_of_a_preset_says_where_it_comes_from(preset: str) -> None:
    """A tag of evidence with its source, or the words assumed or by design."""
    evidence = evidence_of(preset)
    stated = {
        section: set(table)
        for section, table in load(preset).to_dict().items()
        if isinstance(table, dict)
    }
    named = {f"{section}.{key}" for section, keys in stated.items() for key in keys}
    assert {e.key for e in evidence} == named | {"reward_window_h"}
    for each in evidence:
        assert each.tag in ("V", "V2", "A", "M", "assumed", "by design"), each
        if each.tag in ("V", "V2", "A", "M"):
            assert each.source, f"{each.key} has the tag {each.tag} and no source"


@pytest.mark.parametrize("preset", HERE)
def test_a_preset_writes_every_constant_with_its_tag(preset: str) -> None:
    """A bare value would pass for assumed without anybody having said so."""
    table = tomllib.loads((FOLDER / f"{preset}.toml").read_text(encoding="utf-8"))
    bare = [
        f"{section}.{key}"
        for section, keys in table.items()
        if isinstance(keys, dict)
        for key, cell in keys.items()
        if not (isinstance(cell, list) and len(cell) == 3 and isinstance(cell[1], str))
    ]
    assert bare == []


@pytest.mark.parametrize("preset", HERE)
def test_a_configuration_survives_being_written_and_read(preset: str) -> None:
    """Through plain values, and through JSON, where tuples are lists."""
    config = load(preset)
    assert config_from(config.to_dict()) == config
    assert config_from(json.loads(json.dumps(config.to_dict()))) == config


def test_a_preset_inherits_what_it_does_not_state() -> None:
    """Identity stands on tiny, tiny on ecommerce; each keeps its name."""
    shop, tiny, identity = load("ecommerce"), load("tiny"), load("identity")
    assert (tiny.name, identity.name) == ("tiny", "identity")
    assert tiny.delivery.delay_shares == shop.delivery.delay_shares
    assert identity.opt_out.frailty_shape == tiny.opt_out.frailty_shape == 0.0
    assert identity.click.wanted_gain > 0 == tiny.click.wanted_gain


def test_a_file_may_stand_on_a_preset(tmp_path: Path) -> None:
    """Bare values and sourced ones alike."""
    path = tmp_path / "mine.toml"
    path.write_text('base = "tiny"\n[click]\nrate = 0.1\n[items]\nprice_sd = [0.5, "M", "mine"]\n')
    mine = load(path)
    assert (mine.name, mine.click.rate, mine.items.price_sd) == ("mine", 0.1, 0.5)
    found = {e.key: e for e in evidence_of(path)}
    assert (found["click.rate"].tag, found["items.price_sd"].source) == ("assumed", "mine")


def test_changes_replace_single_keys_and_leave_the_rest() -> None:
    """Inline, by section."""
    changed = load("ecommerce", clock={"horizon_days": 7}, click={"rate": 0.1})
    assert (changed.clock.horizon_days, changed.click.rate) == (7, 0.1)
    assert changed.items == load("ecommerce").items


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"clock": {"horizon": 7}}, "clock.horizon"),
        ({"clicks": {"rate": 0.1}}, "clicks"),
        ({"name": {"rate": 0.1}}, "name"),
        ({"click": 0.1}, "click"),
        ({"click": {"rate": "high"}}, "click.rate"),
        ({"click": {"rate": True}}, "click.rate"),
        ({"click": {"rate": 1.5}}, "click.rate"),
        ({"click": {"rate": float("nan")}}, "click.rate"),
        ({"click": {"rate": float("inf")}}, "click.rate"),
        ({"clock": {"horizon_days": 7.0}}, "clock.horizon_days"),
        ({"clock": {"has_shared_slate": 1}}, "clock.has_shared_slate"),
        ({"clock": {"zone_shares": ["a", "b", "c"]}}, "clock.zone_shares"),
        ({"clock": {"zone_shares": [True, 0.0, 0.0]}}, "clock.zone_shares"),
        ({"clock": {"zone_shares": [0.5, 0.5]}}, "clock.zone_shares"),
        ({"clock": {"zone_shares": [0.6, 0.6, -0.2]}}, "clock.zone_shares"),
        ({"clock": {"zones": [1, 2, 3]}}, "clock.zones"),
        ({"clock": {"zones": "UTC"}}, "clock.zones"),
        ({"clock": {"zones": ["UTC", "Mars/North", "UTC"]}}, "Mars/North"),
        ({"clock": {"start_date": "2. 3. 2026"}}, "clock.start_date"),
        ({"clock": {"start_date": "0001-01-01"}}, "clock.start_date"),
        ({"clock": {"start_date": "9999-01-01"}}, "clock.start_date"),
        ({"clock": {"slot_hours": 5}}, "clock.slot_hours"),
        ({"clock": {"n_candidates": 3000}}, "clock.n_candidates"),
        ({"hours": {"peak_kappas": [1.0]}}, "hours.peak_kappas"),
        ({"hours": {"peaks_h": []}}, "hours.peak"),
        ({"delivery": {"delay_shares": [0.5, 0.5]}}, "delivery.delay_shares"),
        ({"orders": {"delay_means_h": [1.0]}}, "orders.delay_shares"),
        ({"opt_out": {"frailty_shape": 0.2}}, "opt_out.frailty_shape"),
    ],
)
def test_a_wrong_key_type_or_range_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    """Never a bare TypeError from somewhere below."""
    with pytest.raises(BadInputError, match=named) as refused:
        load("ecommerce", **changes)
    assert "expected" in str(refused.value)


@pytest.mark.parametrize(
    "table",
    [{"reward_window_h": "24"}, {"reward_window_h": True}, {"reward_window_h": 0.0}, {"name": 5}],
)
def test_what_stands_outside_the_sections_is_checked_too(table: dict[str, Any]) -> None:
    """The name and the window have types and ranges like the rest."""
    with pytest.raises(BadInputError, match=next(iter(table))):
        config_from(table)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("base = ", "TOML"),
        ('base = "amazon"', "amazon"),
        ("clock = 3", "clock"),
        ("[clock]\nspeed = 3", "clock.speed"),
        ('[click]\nrate = [0.1, "guessed", "by whom"]', "click.rate"),
    ],
)
def test_a_wrong_file_is_refused_by_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    """TOML that is none, a base that is none, keys and tags that are none."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=named):
        load(path)


@pytest.mark.parametrize("preset", ["amazon", "missing.toml", ""])
def test_a_preset_that_there_is_not_is_refused_with_those_that_there_are(preset: str) -> None:
    """By name or by path."""
    with pytest.raises(BadInputError, match="ecommerce"):
        load(preset)


def test_the_default_configuration_is_a_population() -> None:
    """Without any file."""
    assert config_from({}) == WorldConfig()
