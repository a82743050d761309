from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.decide import Decisions
from bandit.outcomes import Kind
from simulator.known import CONTEXT_NAMES, SLOT_NAMES, hear, unknown
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]


def test_context_and_slot_features_have_names_and_are_finite(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 300, 1)
    for day in range(10):
        choose(world, 30 + day, first=1000 * day)
    seen = world.observe()
    assert seen is not None
    assert seen.context.shape == (len(seen.user), len(CONTEXT_NAMES))
    assert seen.slot_features.shape == (len(seen.user), 24, len(SLOT_NAMES))
    assert np.isfinite(seen.context).all()
    assert np.abs(seen.context).max() < 5.0
    assert np.isfinite(seen.slot_features).all()


def test_what_is_known_does_not_change_before_it_is_heard(make_world: Make, choose: Choose) -> None:
    """All outcomes an age late: the server knows its own sends and nothing else."""
    late = {"late_share": 1.0, "late_mean_h": 1e9, "duplicate_share": 0.0}
    worlds = [
        make_world("ecommerce", 200, 2, sections={"emission": emission, "click": {"rate": 0.4}})
        for emission in (late, {"late_share": 0.0, "duplicate_share": 0.0})
    ]
    contexts = []
    for world in worlds:
        for day in range(5):
            choose(world, 5, first=1000 * day)
        seen = world.observe()
        assert seen is not None
        contexts.append(seen.context)
    np.testing.assert_array_equal(
        worlds[0].population.state.click_h, worlds[1].population.state.click_h
    )
    of = {name: column for column, name in enumerate(CONTEXT_NAMES)}
    heard = ("since_session", "since_click", "has_clicked", "has_ordered", "sessions_per_day")
    unheard = contexts[0][:, [of[name] for name in heard]]
    np.testing.assert_array_equal(unheard, np.broadcast_to(unheard[0], unheard.shape))
    assert unheard[0].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert contexts[1][:, of["has_clicked"]].mean() > 0.2
    np.testing.assert_array_equal(
        contexts[0][:, of["since_send"]], contexts[1][:, of["since_send"]]
    )


def test_running_figures_by_hand() -> None:
    known = unknown(2, n_features=1)
    hear(
        known,
        row=np.array([0, 0, 0, 1]),
        kind=np.array([Kind.SESSION, Kind.SESSION, Kind.CLICKED, Kind.CONVERTED], np.uint8),
        at_h=np.array([3.0, 9.0, 2.0, 5.0]),
        local_hour=np.array([3, 9, 2, 5]),
        looked_at=np.array([[1.0], [2.0], [5.0], [5.0]], np.float32),
        hours=24,
    )
    assert known.session_h[0] == 9.0
    assert known.click_h[0] == 2.0
    assert known.n_clicks.tolist() == [1, 0]
    assert known.n_orders.tolist() == [0, 1]
    assert np.isclose(known.sessions_per_day[0], 2.0 / 14.0)
    # Of two sessions in a step the later one moves histogram and profile.
    expected = np.full(6, 0.95 / 6.0)
    expected[2] += 0.05
    np.testing.assert_allclose(known.window_share[0], expected, rtol=1e-6)
    np.testing.assert_allclose(known.profile[:, 0], [0.4, 0.0], rtol=1e-6)
    hear(
        known,
        row=np.zeros(0, np.int64),
        kind=np.zeros(0, np.uint8),
        at_h=np.zeros(0),
        local_hour=np.zeros(0, np.int64),
        looked_at=np.zeros((0, 1), np.float32),
        hours=24 * 14,
    )
    assert np.isclose(known.sessions_per_day[0], 2.0 / 14.0 / np.e)


def test_a_user_of_unknown_zone_is_taken_to_live_by_utc(make_world: Make) -> None:
    world = make_world("ecommerce", 500, 3)
    seen = world.observe()
    assert seen is not None
    of = CONTEXT_NAMES.index("hour_cos")
    unknown_zone = seen.zone == ""
    assert unknown_zone.any()
    np.testing.assert_allclose(seen.context[unknown_zone, of], 1.0)  # midnight
    kolkata = seen.zone == "Asia/Kolkata"
    np.testing.assert_allclose(
        seen.context[kolkata, of],
        np.cos(2.0 * np.pi * 5.0 / 24.0),  # half past five
    )
