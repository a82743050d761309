"""With carry-over on, the joined feedback of a pair differs by level 3 of the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import HOLD
from bandit.outcomes import RewardScheme
from bandit.slots import DAY_MS
from simulator.kernel import ground_of
from simulator.paired import advantage, always_hold
from simulator.world import World
from simulator.worth import Worth
from tests.simulator.conftest import Choose
from tests.simulator.test_paired_join import (
    ERRORS,
    LEAVING,
    SCHEME,
    config_of,
    final,
    true_parts,
)


@pytest.mark.parametrize(
    ("name", "action"),
    [("session", 30), ("conversion", 30), ("opt_out", 1), ("uninstall", 60)],
)
def test_with_carry_over_pairs_differ_by_level_three(
    choose: Choose, name: str, action: int
) -> None:
    """Paired rollouts from the same states say what the joined feedback of a pair shows.

    The window is as long as the rollout, so that all of it lies inside; a push that makes people
    leave takes later visits away, which level 1 leaves out.
    """
    config = config_of({"opt_out": {**LEAVING, "activity_after": 0.5}, "click": {"rate": 0.1}})
    ground, n_users, n_days = ground_of(config), 1500, 15
    (component,) = [c for c in SCHEME.components if c.name == name]
    alone = replace(component, weight=1.0, window_ms=(n_days - 1) * DAY_MS)
    scheme = RewardScheme(name=name, objective="uplift", components=(alone,))
    worlds = [World(config, n_users, 5, ground=ground) for _ in range(2)]
    level_three = advantage(
        worlds[0].population, action, always_hold, horizon=n_days, worth=Worth(scheme), n_futures=8
    )
    caused, displaced = true_parts(worlds[0], action)
    level_one = (caused - displaced)[SCHEME.components.index(component)]
    sent, held = (
        final(world, a, choose=choose, n_days=n_days + 1, scheme=scheme)[:, 0]
        for world, a in zip(worlds, (action, HOLD), strict=True)
    )
    paired = sent - held
    error = np.hypot(paired.std(ddof=1) / np.sqrt(n_users), level_three.standard_error)
    print(
        f"{name}: level 3 {level_three.mean:.4f}, level 1 {level_one:.4f}, paired "
        f"{paired.mean():.4f} ± {ERRORS * error:.4f}"
    )
    assert abs(paired.mean() - level_three.mean) <= ERRORS * error
    if name == "session":  # what leaving costs is more than a visit is worth
        assert level_three.mean + ERRORS * level_three.standard_error < level_one
