from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import HOLD, Reason
from bandit.decide import Decisions
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.join import Joiner
from bandit.log import LogWriter, logged_hash, read_log
from bandit.loop import Loop
from bandit.outcomes import UPLIFT, Kind, Outcomes
from bandit.protocols import World as WorldProtocol
from bandit.slots import DAY_MS, HOUR_MS
from policies.registry import build, policies
from policies.shape import PolicyShape
from simulator.guard import WorldGuard
from simulator.known import CONTEXT_NAMES, SLOT_NAMES
from simulator.offers import ITEM_NAMES, Slates
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]
Daily = Callable[[World, int], Outcomes]
WEEK = {"clock": {"horizon_days": 7}}


@pytest.fixture
def sent_daily(choose: Choose) -> Daily:
    """Send the third item at noon to everyone, day after day, and gather what is heard."""

    def send(world: World, n_days: int) -> Outcomes:
        for _ in range(n_days):
            choose(world, 1 + 2 * len(world.population.offsets_h) + 12)
        return world.arrived()

    return send


def test_is_a_world_of_the_protocols(make_world: Make) -> None:
    assert isinstance(make_world("tiny", 3, 1), WorldProtocol)


def test_only_living_users_are_observed_and_who_opted_out_is_among_them(make_world: Make) -> None:
    world = make_world("ecommerce", 400, 1)
    state = world.population.state
    state.is_alive[7] = False
    observation = world.observe()
    assert observation is not None
    assert 7 not in observation.user
    assert len(observation.user) == 399
    assert 0.3 < (~state.is_reachable[world.observed]).mean() < 0.6


def test_the_grid_is_real_hours_from_now_in_milliseconds(make_world: Make) -> None:
    observation = make_world("ecommerce", 2, 1).observe()
    assert observation is not None
    grid = observation.grid
    assert grid.start_ms[0, 0] == observation.at_ms[0] == 1_772_409_600_000  # 2026-03-02 UTC
    assert (np.diff(grid.start_ms) == HOUR_MS).all()
    assert (grid.end_ms - grid.start_ms == HOUR_MS).all()
    assert (grid.horizon_ms - observation.at_ms == DAY_MS).all()


def test_wide_slots_end_where_the_next_one_begins(make_world: Make) -> None:
    """Four a day, and one alone where the step is as long as a slot or shorter."""
    for hours, ends_h in ((24, [6, 12, 18, 24]), (6, [6]), (3, [3])):
        world = make_world("tiny", 2, 1, hours=hours)
        observation = world.observe()
        assert observation is not None
        ends_ms = observation.grid.end_ms[0] - world.now_ms
        assert (ends_ms / HOUR_MS).tolist() == ends_h


@pytest.mark.parametrize(
    ("n_users", "options", "words"),
    [
        (0, {}, "expected one user or more, got 0"),
        (5, {"hours": 7}, "that divides 24, got 7"),
        (5, {"hours": 0}, "that divides 24, got 0"),
        (5, {"first_user": -1}, "got 5 from -1 on"),
        (5, {"first_user": 2**32}, "below 2"),
        (2.5, {}, "n_users to be a whole number, got 2.5"),
        (True, {}, "n_users to be a whole number, got True"),
        (5, {"hours": 24.0}, "hours to be a whole number, got 24.0"),
        (5, {"population_seed": float("nan")}, "population_seed to be a whole number, got nan"),
    ],
)
def test_what_makes_no_world_is_refused(
    make_world: Make, n_users: int, options: dict[str, int], words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        make_world("tiny", n_users, 1, **options)


def test_the_world_ends_at_its_horizon(make_world: Make, choose: Choose) -> None:
    world = make_world("ecommerce", 3, 1, sections=WEEK)
    for day in range(7):
        assert world.now_ms == 1_772_409_600_000 + day * DAY_MS
        choose(world, HOLD)
    assert world.observe() is None
    world.rest()
    assert world.now_ms == 1_772_409_600_000 + 8 * DAY_MS


def test_decisions_about_others_and_items_outside_the_slate_are_refused(
    make_world: Make, choose: Choose
) -> None:
    world, other = make_world("ecommerce", 5, 1), make_world("ecommerce", 4, 1)
    decisions = choose(other, 1)
    world.observe()
    with pytest.raises(BadInputError, match="decide for the whole of an observation"):
        world.step(decisions)
    with pytest.raises(BadInputError, match="observe, decide and carry out once a step"):
        other.step(decisions)  # carried out already
    with pytest.raises(BadInputError, match="observe, decide and carry out once a step"):
        other.observe()
        other.step(decisions)  # yesterday's
    strangers = make_world("ecommerce", 4, 77)
    strangers.observe()
    with pytest.raises(BadInputError, match="take candidates from simulator"):
        strangers.step(decisions)  # the slates of others


def test_a_life_is_the_same_in_any_shard(make_world: Make, sent_daily: Daily) -> None:
    whole = sent_daily(make_world("ecommerce", 300, 5), 6)
    shards = [
        sent_daily(make_world("ecommerce", 100, 5, first_user=first), 6) for first in (0, 100, 200)
    ]
    for name in ("outcome_id", "kind", "user", "at_ms", "received_ms", "value"):
        told = np.concatenate([getattr(shard, name) for shard in shards])
        ids = np.concatenate([shard.outcome_id for shard in shards])
        received = np.concatenate([shard.received_ms for shard in shards])
        order, wanted = (
            np.lexsort((r, i)) for i, r in ((ids, received), (whole.outcome_id, whole.received_ms))
        )
        np.testing.assert_array_equal(told[order], getattr(whole, name)[wanted])


def test_what_a_server_knows_is_the_same_in_any_shard(make_world: Make, sent_daily: Daily) -> None:
    whole, shard = make_world("ecommerce", 90, 5), make_world("ecommerce", 30, 5, first_user=30)
    sent_daily(whole, 5)
    sent_daily(shard, 5)
    seen, part = whole.observe(), shard.observe()
    assert seen is not None
    assert part is not None
    rows = np.flatnonzero(np.isin(seen.user, part.user))
    np.testing.assert_array_equal(seen.context[rows], part.context)
    np.testing.assert_array_equal(seen.slot_features[rows], part.slot_features)
    np.testing.assert_array_equal(
        Slates(world=whole)(seen).features[rows], Slates(world=shard)(part).features
    )


def test_the_same_people_live_under_other_chances(make_world: Make, sent_daily: Daily) -> None:
    one, two = (make_world("ecommerce", 50, seed, population_seed=9) for seed in (1, 2))
    np.testing.assert_array_equal(one.population.traits.taste, two.population.traits.taste)
    assert not np.array_equal(sent_daily(one, 3).outcome_id, sent_daily(two, 3).outcome_id)


def test_a_restored_world_goes_on_bit_by_bit(make_world: Make, sent_daily: Daily) -> None:
    world = make_world("ecommerce", 80, 2)
    sent_daily(world, 4)
    kept = world.snapshot()
    first = sent_daily(world, 4)
    world.restore(kept)
    again = sent_daily(world, 4)
    for name in Outcomes.__slots__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    other = make_world("ecommerce", 80, 2)
    other.restore(kept)
    np.testing.assert_array_equal(sent_daily(other, 4).outcome_id, first.outcome_id)
    seeded = make_world("ecommerce", 80, 3, population_seed=5)
    seeded.restore(kept)  # the seeds are in the lives
    np.testing.assert_array_equal(sent_daily(seeded, 4).outcome_id, first.outcome_id)


def test_truth_after_a_restored_step_is_still_of_the_rows_last_observed(
    make_world: Make, choose: Choose
) -> None:
    """A snapshot between the step and the next look, as a loop that is cut off would take it."""
    world, other = make_world("ecommerce", 40, 2), make_world("ecommerce", 40, 2)
    choose(world, 5)
    choose(world, 5)
    base, uplift = world.expected()
    other.restore(world.snapshot())
    again, more = other.expected()
    np.testing.assert_array_equal(again, base)
    np.testing.assert_array_equal(more, uplift)
    other.observe()
    assert not np.array_equal(other.expected()[0], base)


def test_a_world_restored_between_look_and_step_carries_the_decisions_out(
    make_world: Make, choose: Choose
) -> None:
    """Some users have died: the rows last observed are not the first ones."""
    dying = {"activity": {"churn_per_day": 0.1}}
    world, other = (make_world("ecommerce", 60, 2, sections=dying) for _ in range(2))
    for _ in range(3):
        choose(world, 5)
    kept = {}

    class Kept:
        """The world, kept at the moment before the step."""

        def __getattr__(self, name: str) -> object:
            return getattr(world, name)

        def step(self, decisions: Decisions) -> None:
            kept.update(world.snapshot())
            world.step(decisions)

    decisions = choose(Kept(), 7)  # type: ignore[arg-type]
    assert decisions.n_rows < 60
    other.restore(kept)
    np.testing.assert_array_equal(other.observed, world.observed)
    other.step(decisions)
    for name in Outcomes.__slots__:
        ours, theirs = (
            getattr(each._heard.outcomes(each.users[each._heard.row]), name)
            for each in (other, world)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_a_snapshot_of_another_world_is_refused_by_what_differs(make_world: Make) -> None:
    kept = make_world("ecommerce", 80, 2).snapshot()
    for what, other in (
        ("users", make_world("ecommerce", 9, 2)),
        ("users", make_world("ecommerce", 80, 2, first_user=1)),
        ("hours", make_world("ecommerce", 80, 2, hours=1)),
        ("constants", make_world("trap", 80, 2)),
    ):
        with pytest.raises(BadInputError, match=f"the same {what}, .* with the same arguments"):
            other.restore(kept)
    with pytest.raises(BadInputError, match="make this world with events=False"):
        make_world("ecommerce", 80, 2, events=True).restore(kept)


def test_a_world_that_is_over_has_no_truth_to_tell_of_later(
    make_world: Make, choose: Choose
) -> None:
    """Of the rows last observed it still has."""
    world = make_world("tiny", 4, 1, sections={"clock": {"horizon_days": 1}})
    choose(world, HOLD)
    assert world.observe() is None
    assert world.expected()[0].shape == (4, len(UPLIFT))
    over = make_world("tiny", 4, 1, sections={"clock": {"horizon_days": 1}})
    over.rest()
    over.rest()
    assert over.expected()[0].shape == (4, len(UPLIFT))


def test_decisions_over_other_slots_are_refused(make_world: Make, choose: Choose) -> None:
    daily = make_world("ecommerce", 4, 1)
    decisions = choose(daily, 1)
    hourly = make_world("ecommerce", 4, 1, hours=1)
    hourly.observe()
    with pytest.raises(BadInputError, match="expected 1 slots as observed, got 24"):
        hourly.step(decisions)


def test_any_whole_number_is_a_seed(make_world: Make) -> None:
    one, two = make_world("tiny", 3, 2**64 + 5), make_world("tiny", 3, np.int64(5))
    np.testing.assert_array_equal(one.population.traits.key, two.population.traits.key)
    negative = make_world("tiny", 3, -1), make_world("tiny", 3, 2**64 - 1)
    np.testing.assert_array_equal(*(world.population.traits.key for world in negative))


def test_nothing_is_heard_before_it_happens_nor_before_it_is_received(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 500, 3)
    for _ in range(10):
        choose(world, 13)
        heard = world.arrived()
        assert (heard.at_ms <= heard.received_ms).all()
        assert (heard.received_ms <= world.now_ms).all()
        assert (heard.received_ms > world.now_ms - DAY_MS).all()


def test_truth_is_of_the_rows_last_observed_before_and_after_the_step(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 40, 4)
    world.observe()
    base, uplift = world.expected()
    assert base.shape == (40, len(UPLIFT))
    assert uplift.shape == (40, 1 + 20 * 24, len(UPLIFT))
    assert not uplift[:, HOLD].any()
    action = np.arange(40) % 481
    one_base, one = world.expected_of(action)
    np.testing.assert_array_equal(one_base, base)
    np.testing.assert_array_equal(one, uplift[np.arange(40), action])
    with pytest.raises(BadInputError, match="one action for each observed user"):
        world.expected_of(action[:3])
    choose(world, 30)
    after = world.expected()
    np.testing.assert_array_equal(after[0], base)
    np.testing.assert_array_equal(after[1], uplift)
    world.observe()
    assert not np.array_equal(world.expected()[0], base)


def test_a_send_to_who_cannot_be_reached_costs_and_does_nothing(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 40, 4)
    world.observe()
    gone = ~world.population.state.is_reachable
    _, uplift = world.expected()
    names = [component.name for component in UPLIFT.components]
    is_cost = np.array(names) == "message"
    assert (uplift[gone][:, 1:, is_cost] == 1.0).all()
    assert not uplift[gone][:, :, ~is_cost].any()
    decisions = choose(world, 10)
    heard = world.arrived()
    responses = heard.kind < Kind.SESSION
    assert not np.isin(heard.user[responses], world.users[gone]).any()
    assert np.isin(heard.decision_id[responses], decisions.decision_id).all()


@pytest.mark.parametrize(
    ("policy_id", "hours"),
    [*((entry.policy_id, 24) for entry in policies()), ("random", 1), ("lints", 1)],
)
def test_the_loop_runs_policies_end_to_end_and_repeats_itself(
    make_world: Make, tmp_path: Path, policy_id: str, hours: int
) -> None:
    def logged(folder: Path) -> tuple[str, int, Reason]:
        store = LogWriter(folder, batches_a_file=24)
        days = {"clock": {"horizon_days": 4 if hours == 24 else 1}}
        world = make_world("ecommerce", 60, 11, hours=hours, sections=days)
        n_slots = len(world.population.offsets_h)
        shape = PolicyShape(
            n_context=len(CONTEXT_NAMES),
            n_item_features=len(ITEM_NAMES),
            n_slot_features=len(SLOT_NAMES),
            n_users=60,
            n_items=world.config.items.n_items,
            n_slots=n_slots,
        )
        loop = Loop(
            world=world,
            policy=build(policy_id, shape, scheme=UPLIFT),
            candidates=Slates(world=world),
            guard=WorldGuard(world),
            join=Joiner(UPLIFT, list_width=world.config.clock.n_candidates),
            floor=Floor(),
            key=3,
            store=store,
        )
        steps = list(loop.run())
        sends = sum(int((step.decisions.executed != HOLD).sum()) for step in steps)
        reasons = np.bitwise_or.reduce(
            [int(np.bitwise_or.reduce(step.decisions.request.reasons, axis=None)) for step in steps]
        )
        store.flush()
        return logged_hash(read_log(folder)), sends, Reason(int(reasons))

    first, again = logged(tmp_path / "first"), logged(tmp_path / "again")
    assert first == again
    # Without behaviour to count, and in silence, the floor's one send in a hundred is left.
    assert first[1] > 0 or policy_id not in ("random", "lints", "linucb", "igw")
    assert Reason.CONSENT in first[2]
