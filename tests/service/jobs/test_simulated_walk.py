from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.log import read_log
from bandit.outcome_log import read_outcomes
from bandit.outcomes import Kind
from policies.entries import push
from service.jobs.entrants import SILENCE, STATICS, Entrant
from service.jobs.simulated_walk import SCHEME, Cell, config_of, floor_of, walk_cell
from service.jobs.simulation_tables import rewards_by_day
from simulator.tiny_dp import optimum, tiny_problem
from simulator.worth import Worth

LINTS = Entrant(name="lints", policy_id="lints")


def cell(**changes: Any) -> Cell:
    return replace(Cell(preset="tiny", entrant=LINTS, seed=1, users=30, days=3), **changes)


def test_a_cell_walks_to_the_end_and_logs_what_it_decided(tmp_path: Path) -> None:
    """One row a user and day in the log; one number a day in the result."""
    days = []
    result = walk_cell(cell(is_logged=True), tmp_path, advance=lambda: days.append(1))
    log = read_log(tmp_path / "log")
    heard = read_outcomes(tmp_path / "log")
    assert len(days) == 3
    assert log.num_rows == sum(result["by_day"]["decisions"])
    assert set(log["policy"].to_pylist()) == {"lints"}
    sessions = len(np.unique(heard.outcome_id[heard.kind == Kind.SESSION]))
    assert sessions >= sum(result["by_day"]["sessions"]) > 0
    assert {len(values) for values in result["by_day"].values()} == {3}
    assert sum(result["sent_at"]) == sum(result["by_day"]["sends"])


@pytest.mark.parametrize("policy_id", [listed.policy_id for listed in push.ENTRIES])
def test_every_published_policy_walks_a_world(policy_id: str, tmp_path: Path) -> None:
    """Told what it asks for: short lists, behaviour, or feedback alone."""
    entrant = Entrant(name=policy_id, policy_id=policy_id)
    result = walk_cell(cell(preset="education", entrant=entrant, users=40), tmp_path)
    assert sum(result["by_day"]["decisions"]) > 0


def test_the_same_cell_is_the_same_numbers(tmp_path: Path) -> None:
    """Same seed, same machine: same result, in any order of cells."""
    first = walk_cell(cell(), tmp_path)
    walk_cell(cell(seed=2), tmp_path)
    assert walk_cell(cell(), tmp_path) == first


def test_policies_of_one_seed_meet_the_same_people(tmp_path: Path) -> None:
    """Without pushes the worlds would be one; with an hour's clock they begin alike."""
    quiet = {"clock": {"zones": ["UTC"], "zone_shares": [1.0]}}
    one, other = (
        walk_cell(cell(entrant=who, changes=quiet, days=1), tmp_path)["by_day"]
        for who in (SILENCE, STATICS[0])
    )
    assert one["decisions"] == other["decisions"]
    assert one["silence"] == pytest.approx(other["silence"])


@pytest.mark.parametrize("entrant", [STATICS[3], LINTS])
def test_what_came_falls_short_of_the_best_plan_by_the_regret(
    entrant: Entrant, tmp_path: Path
) -> None:
    """Exact optimum less the mean of 4,000 lives' rewards, within four standard errors.

    Two ways to one number: losses of decisions, which nobody lived, and outcomes that came.
    """
    n, days = 4000, 10
    made = walk_cell(cell(entrant=entrant, users=n, days=days), tmp_path)
    config = config_of("tiny", days=days)
    best = optimum(tiny_problem(config, Worth(SCHEME))).value[0, 0]
    regret = sum(made["by_day"]["regret_dp"]) / n
    came = rewards_by_day(made, SCHEME).sum()
    # Orders decide the spread: each is worth 1, as often as they come.
    error = (
        np.sqrt(sum(made["by_day"]["orders"])) / n
        + 3 * np.sqrt(sum(made["by_day"]["opt_outs"])) / n
    )
    assert regret > 5 * error
    assert abs(best - came - regret) < 4 * error


@pytest.mark.parametrize("hours", [1, 6])
def test_a_decision_an_hour_ends_with_the_same_day(hours: int, tmp_path: Path) -> None:
    """Days are counted, not steps."""
    days = []
    result = walk_cell(cell(hours=hours, days=2), tmp_path, advance=lambda: days.append(1))
    assert len(days) == 2
    assert sum(result["by_day"]["decisions"]) == pytest.approx(30 * 2 * 24 / hours, rel=0.1)


def test_the_floor_sends_no_more_for_being_asked_more_often() -> None:
    """The least chance of a send is a day's."""
    assert floor_of(24).send == pytest.approx(0.01)
    assert 24 * floor_of(1).send == pytest.approx(floor_of(24).send)
    assert floor_of(1).hold == floor_of(24).hold


def test_a_world_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    """By its path; days are those of the run."""
    path = tmp_path / "mine.toml"
    path.write_text('base = "tiny"\n[click]\nrate = 0.4\n')
    config = config_of(str(path), days=5)
    assert (config.click.rate, config.clock.horizon_days) == (0.4, 5)
    made = walk_cell(cell(preset=str(path), days=1), tmp_path)
    assert np.sum(made["by_day"]["decisions"]) == 30
    path.write_text('base = "tiny"\n[click]\nrate = 0.1\n')
    again = walk_cell(cell(preset=str(path), days=1), tmp_path)
    assert again["by_day"]["best"] < made["by_day"]["best"]  # as the file is now


@pytest.mark.parametrize(
    ("preset", "days", "changes", "words"),
    [
        ("shop", 3, {}, "expected a preset"),
        ("tiny", 0, {}, "one day or more"),
        ("tiny", 3, {"clock": {"horizon_days": 9}}, "as days"),
        ("tiny", 3, {"click": {"rte": 0.1}}, "click.rte"),
    ],
)
def test_worlds_that_there_are_not_are_refused(
    preset: str, days: int, changes: dict[str, Any], words: str
) -> None:
    """Before anything is walked."""
    with pytest.raises(BadInputError, match=words):
        config_of(preset, days=days, changes=changes)
