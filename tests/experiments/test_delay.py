"""Readers of one walk, conversions by age, and a small run of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bandit.errors import StateError
from experiments.delay import main
from experiments.delay_walk import (
    SCHEMES,
    Walk,
    considered,
    foreseen,
    lost,
    open_shop,
    readings,
    shape_of,
    walk,
)
from policies.registry import build
from policies.shape import PolicyShape
from simulator.kernel import ground_of

DAYS = 14


@pytest.fixture(scope="module")
def walked() -> tuple[Walk, PolicyShape]:
    """Forty users under random pushes, behaviour by time."""
    scheme = SCHEMES["uplift"]
    world = open_shop(ground_of(considered(days=DAYS)), users=40, seed=3)
    shape = shape_of(world)
    return walk(world, build("random", shape, scheme=scheme), scheme=scheme, key=3), shape


def test_every_reader_learns_the_same_decisions(walked: tuple[Walk, PolicyShape]) -> None:
    """At once all of them on their day; when final those that are, by the end; others all."""
    told = readings(walked[0])
    decided = [turn.decisions.decision_id for turn in walked[0].turns]
    for reader in ("at once", "delay-aware", "not yet = 0"):
        for (fresh, _), ids in zip(told[reader], decided, strict=True):
            assert sorted(fresh.decision_id) == sorted(ids), reader
    late = np.concatenate([fresh.decision_id for fresh, _ in told["when final"]])
    assert set(late) < set(np.concatenate(decided))
    assert len(late) > 0


def test_what_is_final_is_more_than_what_came_in_a_day(
    walked: tuple[Walk, PolicyShape],
) -> None:
    told = readings(walked[0])
    names = [c.name for c in SCHEMES["uplift"].components]
    orders = {
        reader: sum(
            fresh.components[:, names.index("conversion")].sum() for fresh, _ in told[reader]
        )
        for reader in ("at once", "not yet = 0")
    }
    assert orders["at once"] > 2.0 * orders["not yet = 0"]
    for fresh, _ in told["at once"]:
        assert (fresh.maturity == 1).all()


def test_a_walk_asked_again_loses_what_it_lost(walked: tuple[Walk, PolicyShape]) -> None:
    """Regret of the walk's own pmfs, through the same floor."""
    turns, shape = walked
    policy = build("random", shape, scheme=SCHEMES["uplift"])
    asked = lost(policy, turns, None, key=3)
    own = [
        float(
            (
                np.where(turn.decisions.request.mask, turn.worth, -np.inf).max(axis=1)
                - (turn.decisions.pmf * turn.worth).sum(axis=1)
            ).sum()
        )
        for turn in turns.turns
    ]
    np.testing.assert_allclose(asked, own, rtol=1e-4)
    assert (asked > 0).all()


def test_what_is_foreseen_at_a_week_is_nearly_all_there(walked: tuple[Walk, PolicyShape]) -> None:
    """Six days of seven and a half have been seen by then; all ages speak of the same orders."""
    found = foreseen(walked[0])
    came = [sums[:, 2].sum() for sums in found.values()]
    assert min(came) == max(came) > 20
    expected, held, final = found[168].sum(axis=0)
    assert final == pytest.approx(expected, rel=0.15)
    assert held > 0


def test_a_world_without_users_is_refused() -> None:
    world = open_shop(ground_of(considered(days=1)), users=2, seed=1)
    while not world.is_over:
        world.rest()
    with pytest.raises(StateError, match="living users"):
        shape_of(world)


def test_a_small_study_writes_both_tables_and_walks_nothing_twice(tmp_path: Path) -> None:
    folders = ["--kept", str(tmp_path / "kept"), "--out", str(tmp_path)]
    asked = ["--learners", "lints", "--schemes", "uplift", "--seeds", "2", "--users", "25"]
    main([*asked, "--days", "13", *folders])
    told = (tmp_path / "delay.md").read_text()
    for reader in ("at once", "delay-aware", "when final", "not yet = 0", "nothing"):
        assert f"| uplift | lints | 25 | 2 | {reader} |" in told
    assert "| uplift | lints | 25 | 2 | 168 |" in (tmp_path / "delay_foreseen.md").read_text()
    kept = sorted((tmp_path / "kept").iterdir())
    before = [path.stat().st_mtime_ns for path in kept]
    main([*asked, "--days", "13", *folders])
    assert [path.stat().st_mtime_ns for path in kept] == before
