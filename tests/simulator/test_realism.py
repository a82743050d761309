from __future__ import annotations

from dataclasses import replace

import pytest

from bandit.errors import BadInputError
from simulator.config import load
from simulator.habit_week import habit_week
from simulator.kernel import ground_of
from simulator.realism import (
    BANDS,
    OPEN_RATES,
    Check,
    RealismTable,
    check_realism,
    habit_checks,
)

INFINITE = float("inf")


def table_of(checks: tuple[Check, ...]) -> RealismTable:
    return RealismTable(preset="ecommerce", seed=1, n_users=400, checks=checks, weights=())


def test_the_bands_are_the_published_ones() -> None:
    """Written down a second time here: a band that moved would be seen."""
    assert BANDS == {
        "i": (0.0, 0.03),
        "ii": (0.08, 0.25),
        "iii": (0.30, 0.60),
        "iv": (-0.25, -0.05),
        "v": (0.20, INFINITE),
        "vi median": (0.0, 60.0),
        "vi share": (0.90, INFINITE),
        "vii uplift": (0.0, 1.0),
        "vii clicks": (1.0, INFINITE),
        "viii": (0.005, 0.081),
        "2/wk": (0.0, INFINITE),
        "3/wk": (0.0, INFINITE),
        "14/wk": (-INFINITE, 0.0),
    }
    assert OPEN_RATES == {"ecommerce": 0.081, "news": 0.08, "social": 0.08, "education": 0.123}


def test_a_usual_week_of_a_shop_is_inside_its_bands() -> None:
    """Copy, hours, items, delays, heavy users and levels, each with its interval."""
    config = load("ecommerce")
    checks = habit_checks(habit_week(ground_of(config), 1000, seed=1), config)
    names = ["i", "ii", "iii", "vi median", "vi share", "vii uplift", "vii clicks", "viii"]
    assert [check.name for check in checks] == names
    assert not [check.line() for check in checks if not check.passes]
    assert all(check.how and check.error > 0 for check in checks)


@pytest.mark.parametrize("preset", ["news", "social", "education"])
def test_a_usual_week_of_each_vertical_has_its_level_of_clicks(preset: str) -> None:
    """Test viii, against its own vertical's open rates."""
    config = load(preset)
    level = habit_checks(habit_week(ground_of(config), 400, seed=1), config)[-1]
    assert level.name == "viii"
    assert level.high == OPEN_RATES[preset]
    assert level.passes, level.line()


def test_a_world_without_the_sure_thing_trap_fails() -> None:
    """Where active users click less, the heaviest do not click most, and the check says so."""
    config = load("ecommerce", click={"activity_slope": -0.5})
    checks = habit_checks(habit_week(ground_of(config), 400, seed=1), config)
    assert not next(check for check in checks if check.name == "vii clicks").passes


def test_the_table_shows_every_figure_with_its_interval_band_and_verdict() -> None:
    """A line a figure; one outside its band fails the table and says so."""
    good = Check(name="i", what="copy", figure=0.01, error=0.001, low=0.0, high=0.03, how="so")
    bad = replace(good, figure=0.5)
    lines = table_of((good, bad)).lines()
    assert lines[0] == "ecommerce: simulated, 400 opted-in users, seed 1"
    assert "0.0100 ± 0.0020" in lines[1]
    assert "(0, 0.03)" in lines[1]
    assert lines[1].endswith("pass  so")
    assert "FAIL" in lines[2]
    assert table_of((good,)).passes
    assert not table_of((good, bad)).passes
    assert not replace(table_of((good,)), weights=(bad,)).weights_hold


def test_too_few_users_are_refused() -> None:
    """With the number that came and the number that is needed."""
    with pytest.raises(BadInputError, match="at least 100 users"):
        check_realism(load("ecommerce"), n_users=20)
    with pytest.raises(BadInputError, match="a seed of 0 or more"):
        check_realism(load("ecommerce"), n_users=100, seed=-1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_table() -> None:
    """To the last digit."""
    one, other = (check_realism(load("ecommerce"), seed=7, n_users=100) for _ in range(2))
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ecommerce_passes_all_eight_realism_tests(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure inside its band, and the weights hold: 10,000 opted-in users a seed."""
    table = check_realism(load("ecommerce"), seed=seed, n_users=10_000)
    with capsys.disabled():
        print("", *table.lines(), sep="\n")
    assert table.passes
    assert table.weights_hold
    # Not by luck: the interval of the first two cadences is above silence.
    assert all(check.figure > 1.96 * check.error for check in table.weights[:2])


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["news", "social", "education"])
def test_a_verticals_clicks_are_of_its_verticals_level(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test viii, with the other figures printed beside it."""
    table = check_realism(load(preset), seed=1, n_users=2000)
    with capsys.disabled():
        print("", *table.lines(), sep="\n")
    level = table.checks[-1]
    assert level.name == "viii"
    assert level.passes
