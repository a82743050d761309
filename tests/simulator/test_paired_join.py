"""(a, then hold) against (hold, then hold), the same chances, joined by time: what a push adds.

With carry-over off, the joined feedback of a pair differs by the true uplift of a times the share
of it that arrives inside the interval. Truth is the closed form of the lives that are joined; the
share is of times alone, from other lives, lived on until everything has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import HOLD
from bandit.decide import Decisions
from bandit.join import Emission, Joiner
from bandit.outcomes import ENGAGEMENT, UPLIFT, Kind, RewardScheme, uplift_scheme
from bandit.slots import DAY_MS
from simulator.config import WorldConfig, load
from simulator.happened import Happened
from simulator.kernel import Ground, Population, ground_of
from simulator.streams import life_keys
from simulator.truth import means_of
from simulator.world import World
from simulator.worth import Worth

Float = NDArray[np.float64]
Choose = Callable[..., Decisions]

N_USERS = 6000
ERRORS = 4.0  # how many standard errors an interval reaches
OTHER_DAYS = 25  # until all but 1 in 5,000 of what was decided has arrived

# Responses and behaviour, each once; weights do not matter here.
SCHEME = replace(
    UPLIFT,
    name="all",
    components=(
        *UPLIFT.components,
        replace(ENGAGEMENT.components[1], weight=0.0),
        replace(uplift_scheme(mean_order_value=1.0).components[1], name="value"),
    ),
)
KIND = {
    "session": Kind.SESSION,
    "conversion": Kind.CONVERTED,
    "value": Kind.CONVERTED,
    "opt_out": Kind.UNSUBSCRIBED,
    "uninstall": Kind.UNINSTALLED,
    "click": Kind.CLICKED,
    "dismissal": Kind.DISMISSED,
}

BUSY: dict[str, Any] = {
    "clock": {"horizon_days": 60, "n_candidates": 3},
    "items": {"n_items": 60, "price_sd": 0.3},
    "activity": {"sessions_per_day": 1.5, "spread": 0.4, "churn_per_day": 0.0},
    "click": {"rate": 0.3, "spread": 0.3, "match_gain": 0.2},
    "orders": {
        "per_click": 0.3,
        "per_session": 0.1,
        "value_sd": 0.3,
        "cannibalised": 0.9,
        "refund_share": 0.3,
        "refund_mean_days": 1.0,
    },
    "opt_out": {"opt_in_share": 1.0, "hazard": 0.0},
    "emission": {"late_share": 0.0, "duplicate_share": 0.0},
}
NO_CARRY: dict[str, dict[str, float]] = {
    "activity": {"excitation": 0.0},
    "click": {"item_penalty": 0.0, "template_penalty": 0.0},
    "fatigue": {"slope": 0.0, "habituation_floor": 1.0},
    "taste": {"substitutes": 1.0, "complements": 1.0},
    "opt_out": {"activity_after": 1.0},
}
BEHAVIOUR = ("session", "conversion", "value", "click", "dismissal", "message")
LEAVING = {"hazard": 0.3, "uninstall_share": 0.5, "frailty_shape": 0.0}


def config_of(*changes: dict[str, Any]) -> WorldConfig:
    merged: dict[str, Any] = {name: dict(keys) for name, keys in BUSY.items()}
    for change in changes:
        for section, keys in change.items():
            merged.setdefault(section, {}).update(keys)
    return load("ecommerce", **merged)


def final(
    world: World, action: int, *, choose: Choose, n_days: int, scheme: RewardScheme = SCHEME
) -> Float:
    """Components of the first decision, when nothing more can count for it, (N, R)."""
    decisions = choose(world, action)
    join = Joiner(scheme, emission=Emission.WHEN_FINAL)
    join.add(decisions)
    while world.now_ms < decisions.request.at_ms[0] + n_days * DAY_MS:
        world.rest()  # then hold
    join.receive(world.arrived())
    fresh, _ = join.advance(world.now_ms)
    assert fresh.n_rows == decisions.n_rows
    return fresh.components[np.argsort(fresh.user)]


def lived(population: Population, action: int, *, n_days: int) -> Happened:
    """All that happens after a, then hold."""
    n, n_slots = population.n_users, len(population.offsets_h)
    steps = n_days * 24 // population.hours
    item, slot = divmod(action - 1, n_slots) if action else (-1, 0)
    parts = [population.step(np.full(n, item), np.full(n, slot))]
    hold = np.full(n, -1)
    parts += [population.step(hold, np.zeros_like(hold)) for _ in range(steps - 1)]
    return Happened(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Happened.__slots__
        }
    )


@dataclass(frozen=True)
class Shares:
    """Of what an action causes and of what it displaces: how much lies inside the interval."""

    caused: Float  # (R,)
    displaced: Float  # (R,)


def shares(ground: Ground, action: int, *, hours: int, seed: int, n_users: int) -> Shares:
    """By the times of outcomes of other lives."""
    keys = life_keys(seed, np.arange(n_users))
    sent, held = (
        lived(Population.begin(ground, keys, hours=hours), a, n_days=OTHER_DAYS)
        for a in (action, HOLD)
    )
    sent_min = 60.0 * ((action - 1) % hours)  # slots of an hour
    caused, displaced = np.ones((2, len(SCHEME)))
    for r, component in enumerate(SCHEME.components):
        if component.measure == "send":
            continue
        ends_min = (sent_min if component.joins_by_id else 60.0 * 24) + component.window_ms / 6e4
        caused[r] = _share(component.name, [(sent.take(sent.is_caused), 1.0)], ends_min)
        organic = [(held, 1.0), (sent.take(~sent.is_caused), -1.0)]
        displaced[r] = _share(component.name, organic, ends_min)
    return Shares(caused=caused, displaced=displaced)


def _share(name: str, signed: list[tuple[Happened, float]], ends_min: float) -> float:
    """Mass before an instant, of all mass; signs subtract one table from another."""
    inside = whole = 0.0
    for told, sign in signed:
        mass = sign * _mass(name, told)
        inside += mass[told.at_min < ends_min].sum()
        whole += mass.sum()
    return float(inside / whole) if whole else 1.0


def _mass(name: str, told: Happened) -> Float:
    """What each outcome adds to a component; of money, refunds take away."""
    mass = 1.0 * (told.kind == KIND[name])
    if name == "value":
        mass = (mass - (told.kind == Kind.REFUNDED)) * told.value
    return mass


def true_parts(world: World, action: int) -> tuple[Float, Float]:
    """Mean of what the action causes and of what it displaces, (R,) each."""
    means, worth = means_of(world.population), Worth(SCHEME, world.config.orders.refund_share)
    return (
        worth.components(means.caused[:, action]).mean(axis=0),
        worth.components(means.displaced[:, action]).mean(axis=0),
    )


ACTIONS = {"now": 1, "at_noon": 1 + 24 + 12, "in_the_last_slot": 1 + 2 * 24 + 23}


@pytest.fixture(scope="module")
def ground() -> Ground:
    return ground_of(config_of(NO_CARRY))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_pairs_differ_by_the_uplift_times_the_share_inside_the_interval(
    choose: Choose, ground: Ground, action: int
) -> None:
    _check_pairs(ground, action, hours=24, choose=choose)


@pytest.mark.slow
def test_so_they_do_where_an_hour_is_decided(choose: Choose, ground: Ground) -> None:
    _check_pairs(ground, 2, hours=1, choose=choose, n_users=2000)


def test_so_they_do_for_those_who_leave(choose: Choose) -> None:
    """Behaviour after leaving is carry-over, so only leaving itself is looked at."""
    ground = ground_of(config_of(NO_CARRY, {"opt_out": LEAVING}))
    _check_pairs(ground, 30, hours=24, choose=choose, only=("opt_out", "uninstall", "message"))


def test_two_holds_are_one(choose: Choose, ground: Ground) -> None:
    one, two = (World(ground.config, 300, 1, ground=ground) for _ in range(2))
    np.testing.assert_array_equal(
        final(one, HOLD, choose=choose, n_days=8), final(two, HOLD, choose=choose, n_days=8)
    )


@pytest.mark.parametrize("carries", [False, True], ids=["no_carry_over", "carry_over"])
@pytest.mark.parametrize("action", [HOLD, *ACTIONS.values()], ids=["hold", *ACTIONS])
def test_what_is_joined_is_what_has_happened_inside_the_interval(
    choose: Choose, action: int, carries: bool
) -> None:
    """The same lives, life by life and to the last outcome: level 3 under the join's windows.

    Carry-over is the kernel's, whatever it is; opting out and uninstalling among it.
    """
    changes = {"opt_out": {**LEAVING, "activity_after": 0.5}} if carries else NO_CARRY
    ground = ground_of(config_of(changes))
    world = World(ground.config, 800, 4, ground=ground)
    joined = final(world, action, choose=choose, n_days=9)
    keys = life_keys(4, np.arange(800))
    told = lived(Population.begin(ground, keys, hours=24), action, n_days=9)
    sent_min = 60.0 * ((action - 1) % 24)
    for r, component in enumerate(SCHEME.components):
        if component.measure == "send":
            expected = np.full(800, float(action != HOLD))
        else:
            by_id = component.joins_by_id
            ends_min = (sent_min if by_id else 24 * 60.0) + component.window_ms / 6e4
            mass = _mass(component.name, told) * (_ms(told.at_min) < _ms(ends_min))
            expected = np.bincount(told.row, weights=mass, minlength=800)
            if component.measure == "any":
                expected = np.minimum(expected, 1.0)
        np.testing.assert_allclose(
            joined[:, r], expected, rtol=1e-12, atol=1e-9, err_msg=component.name
        )


def _ms(at_min: Any) -> Any:
    return np.rint(np.asarray(at_min) * 6e4)


def _check_pairs(
    ground: Ground,
    action: int,
    *,
    hours: int,
    choose: Choose,
    only: tuple[str, ...] = BEHAVIOUR,
    n_users: int = N_USERS,
) -> None:
    worlds = [World(ground.config, n_users, 1, ground=ground, hours=hours) for _ in range(2)]
    caused, displaced = true_parts(worlds[0], action)
    share = shares(ground, action, hours=hours, seed=2, n_users=n_users)
    sent, held = (
        final(world, a, choose=choose, n_days=9)
        for world, a in zip(worlds, (action, HOLD), strict=True)
    )
    paired = sent - held
    difference = paired.mean(axis=0)
    # The share has an error of its own, about as large: other lives, as many.
    error = np.sqrt(2.0) * paired.std(axis=0, ddof=1) / np.sqrt(n_users)
    expected = caused * share.caused - displaced * share.displaced
    for r, component in enumerate(SCHEME.components):
        if component.name not in only:
            continue
        uplift = caused[r] - displaced[r]
        print(
            f"{component.name}: uplift {uplift:.4f} times {expected[r] / uplift:.3f} inside "
            f"(caused {share.caused[r]:.3f}, displaced {share.displaced[r]:.3f}) = "
            f"{expected[r]:.4f}, paired {difference[r]:.4f} ± {ERRORS * error[r]:.4f}"
        )
        assert abs(difference[r] - expected[r]) <= ERRORS * error[r] + 1e-12, component.name
        assert abs(uplift) > 0.01
