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


def test_what_is_heard_late_is_no_news() -> None:
    """An older click or session, told after a newer one, leaves the last time where it is."""
    known = unknown(1, n_features=1)
    for at_h in ([9.0, 3.0], [5.0]):
        for kind in (Kind.CLICKED, Kind.SESSION):
            n = len(at_h)
            hear(
                known,
                row=np.zeros(n, np.int64),
                kind=np.full(n, kind, np.uint8),
                at_h=np.array(at_h),
                local_hour=np.zeros(n, np.int64),
                looked_at=np.zeros((n, 1), np.float32),
                hours=24,
            )
    assert (known.click_h[0], known.session_h[0], known.n_clicks[0]) == (9.0, 9.0, 3)


def test_what_is_told_twice_is_counted_once(make_world: Make, choose: Choose) -> None:
    rates = [{"late_share": 0.0, "duplicate_share": share} for share in (0.0, 1.0)]
    once, twice = (
        make_world("ecommerce", 200, 2, sections={"emission": rate, "click": {"rate": 0.4}})
        for rate in rates
    )
    for world in (once, twice):
        for day in range(6):
            choose(world, 5, first=1000 * day)
    assert twice.arrived().n_rows > 1.5 * once.arrived().n_rows
    assert once.known.n_clicks.sum() > 100
    for name, column in once.known.columns():
        np.testing.assert_array_equal(column, getattr(twice.known, name), err_msg=name)


def test_contexts_and_slot_features_by_hand(make_world: Make) -> None:
    """Of a user in London, on a Saturday at midnight."""
    world = make_world("ecommerce", 60, 1)
    for _ in range(5):
        world.rest()
    row = int(np.flatnonzero(world.population.traits.zone == 1)[0])
    world.population.traits.is_zone_known[row] = True
    known, state, hour = world.known, world.population.state, 5 * 24
    known.session_h[row], known.click_h[row], known.sessions_per_day[row] = hour - 3, hour - 9, 1.5
    known.n_clicks[row], known.n_orders[row], state.n_sends[row] = 2, 0, 6
    state.sent_by_day[row], state.send_h[row] = [1, 0, 2, 0, 0, 0, 1], hour - 1
    known.window_share[row] = [0.4, 0.1, 0.1, 0.2, 0.1, 0.1]
    seen = world.observe()
    assert seen is not None
    at = int(np.flatnonzero(seen.user == world.users[row])[0])
    far = np.log1p(24.0 * 60.0)
    by_hand = [0.0, 1.0, 1.0, 1.0, *(np.log1p([3.0, 1.0, 9.0]) / far), 1.0, 0.0, np.log1p(1.5)]
    by_hand += [4.0 / 7.0, 10.0 * 2.6 / 26.0, *known.window_share[row]]
    np.testing.assert_allclose(seen.context[at], by_hand, atol=1e-12)
    hours = 2.0 * np.pi * np.arange(24) / 24.0
    waves = [np.sin(hours), np.cos(hours), np.sin(2.0 * hours), np.cos(2.0 * hours)]
    active = 6.0 * np.repeat(known.window_share[row].astype(float), 4) - 1.0
    columns = np.stack([np.ones(24), *waves, active], axis=1)
    np.testing.assert_allclose(seen.slot_features[at], columns, atol=1e-12)


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
