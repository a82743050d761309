from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.config import load
from simulator.happened import Happened
from simulator.kernel import Population, ground_of
from simulator.streams import life_keys
from tests.simulator.conftest import Begin


def _same(state: Any, other: Any, rows: NDArray[Any]) -> None:
    for name, column in state.columns():
        assert np.array_equal(column, getattr(other, name)[rows]), name


def _sorted(told: Happened, rows: NDArray[Any]) -> list[tuple[Any, ...]]:
    """Outcomes of some rows as tuples, by place in ``rows``."""
    place = {int(row): at for at, row in enumerate(rows)}
    kept = [m for m in range(told.n_rows) if int(told.row[m]) in place]
    columns = (told.kind, told.at_min, told.value, told.ref, told.item, told.is_caused)
    return sorted((place[int(told.row[m])], *(c[m].item() for c in columns)) for m in kept)


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("preset", ["ecommerce", "tiny", "identity"])
def test_a_life_is_the_same_in_any_shard_and_order(begin: Begin, preset: str, hours: int) -> None:
    """State and outcomes, bit for bit, alone, in a shard, and with everybody else reversed."""
    whole = begin(preset, 40, hours=hours)
    k = whole.offer().items.shape[1]
    n_slots = len(whole.offsets_h)
    shards = [np.array([7]), np.arange(10, 25), np.arange(40)[::-1]]
    keys = whole.traits.key
    parts = [Population.begin(whole.ground, keys[rows], hours=hours) for rows in shards]
    rng = np.random.default_rng(3)
    for _ in range(15):
        position, slot = rng.integers(-1, k, 40), rng.integers(0, n_slots, 40)
        told = whole.step(position, slot, ref=np.arange(40))
        for rows, part in zip(shards, parts, strict=True):
            of_part = part.step(position[rows], slot[rows], ref=rows)
            mine = _sorted(of_part, np.arange(len(rows)))
            assert mine == _sorted(told, rows)
    for rows, part in zip(shards, parts, strict=True):
        _same(part.traits, whole.traits, rows)
        _same(part.state, whole.state, rows)


def test_what_happens_to_others_changes_nobody(begin: Begin) -> None:
    """Row 0 holds; whether the rest are pushed at or not, its life is the same."""
    loud, still = begin("ecommerce", 30), begin("ecommerce", 30)
    for _ in range(20):
        loud.step(np.r_[-1, np.full(29, 2)], np.full(30, 9))
        still.step(np.full(30, -1), np.zeros(30, np.int64))
    _same(loud.state.take(np.array([0])), still.state, np.array([0]))


def test_a_copy_lives_on_bit_for_bit_and_apart(begin: Begin) -> None:
    """A snapshot of a lived state; stepping one leaves the other where it was."""
    lived = begin("ecommerce", 30)
    for _ in range(5):
        lived.step(np.full(30, 1), np.zeros(30, np.int64))
    snapshot = lived.copy()
    first = [lived.step(np.full(30, 2), np.full(30, 4)) for _ in range(4)]
    assert (snapshot.state.hour == 120).all()
    again = snapshot.copy()
    second = [again.step(np.full(30, 2), np.full(30, 4)) for _ in range(4)]
    rows = np.arange(30)
    for one, two in zip(first, second, strict=True):
        assert _sorted(one, rows) == _sorted(two, rows)
    _same(lived.state, again.state, rows)


@pytest.mark.parametrize("hours", [1, 24])
def test_clocks_count_hours_of_each_row(begin: Begin, hours: int) -> None:
    """Each row its own; local hours come from its zone."""
    population = begin("ecommerce", 20, hours=hours)
    for _ in range(3):
        population.step(np.full(20, -1), np.zeros(20, np.int64))
    assert (population.state.hour == 3 * hours).all()
    population.renew(np.array([4]), life_keys(1, np.array([999])))
    assert population.state.hour[4] == 0
    local = population.ground.calendar.local
    offer = population.offer()
    assert np.array_equal(offer.hour_of_week, local[population.traits.zone, population.state.hour])


def test_a_new_life_in_an_old_row_is_a_life_like_any_other(begin: Begin) -> None:
    """Traits, state and everything after; the episode counts on, the neighbours do not notice."""
    population, fresh = begin("ecommerce", 6), begin("ecommerce", 6)
    for _ in range(4):
        population.step(np.full(6, 0), np.zeros(6, np.int64))
        fresh.step(np.full(6, 0), np.zeros(6, np.int64))
    keys = life_keys(1, np.array([2, 4]), episode=1)
    population.offer()  # to the old lives: it must not be what the new ones are sent
    population.renew(np.array([2, 4]), keys)
    alone = Population.begin(population.ground, keys, hours=24)
    assert np.array_equal(population.offer().items[[2, 4]], alone.offer().items)
    for _ in range(5):
        population.step(np.full(6, 1), np.zeros(6, np.int64))
        fresh.step(np.full(6, 1), np.zeros(6, np.int64))
        alone.step(np.full(2, 1), np.zeros(2, np.int64))
    assert population.state.episode.tolist() == [0, 0, 1, 0, 1, 0]
    alone.state.episode[:] = 1
    renewed = population.state.take(np.array([2, 4]))
    _same(renewed, alone.state, np.arange(2))
    stayed = np.array([0, 1, 3, 5])
    _same(population.state.take(stayed), fresh.state, stayed)


def test_a_new_life_keeps_who_it_is_apart_from_what_befalls_it(begin: Begin) -> None:
    """Neither the caller's keys nor the row's other key change with a row that is put over it."""
    keys = life_keys(1, np.arange(4))
    population = Population.begin(begin("tiny", 1).ground, keys, hours=24)
    other = population.futures(np.array([9]))
    population.traits.put(np.array([2]), other.traits.take(np.array([2])))
    assert np.array_equal(keys, life_keys(1, np.arange(4)))
    assert np.array_equal(population.traits.person, keys)
    assert population.traits.key[2] == other.traits.key[2]
    population.renew(np.array([0]), life_keys(5, np.array([0])))
    assert np.array_equal(keys, life_keys(1, np.arange(4)))


def test_slates_change_by_the_step_and_differ_between_users(begin: Begin) -> None:
    """Distinct items each; the same question has the same answer."""
    population = begin("ecommerce", 500)
    first = population.offer().items.copy()
    assert np.array_equal(first, population.slates_of(np.arange(500)))
    assert len(np.unique(first, axis=0)) > 400
    population.step(np.full(500, -1), np.zeros(500, np.int64))
    second = population.offer().items
    assert (first != second).any(axis=1).mean() > 0.99


def test_a_shared_slate_is_everybodys(begin: Begin) -> None:
    """At one time; another hour has another."""
    population = begin("ecommerce", 50, clock={"has_shared_slate": True})
    items = population.offer().items
    assert (items == items[0]).all()
    first = items[0].copy()
    population.step(np.full(50, -1), np.zeros(50, np.int64))
    assert (population.offer().items == population.offer().items[0]).all()
    assert not np.array_equal(population.offer().items[0], first)


def test_all_items_are_offered_in_time(begin: Begin) -> None:
    """Slates are drawn uniformly over all lists: none of 2,000 items stays away."""
    population = begin("ecommerce", 3000)
    seen = np.zeros(2000, np.int64)
    for _ in range(4):
        np.add.at(seen, population.offer().items.ravel(), 1)
        population.step(np.full(3000, -1), np.zeros(3000, np.int64))
    assert seen.min() > 0
    assert seen.std() / seen.mean() < 0.35


def test_slots_are_cut_from_the_step(begin: Begin) -> None:
    """Twenty-four a day by the hour, four of six hours, one of an hour."""
    assert begin("ecommerce", 1).offsets_h.tolist() == list(range(24))
    assert begin("ecommerce", 1, clock={"slot_hours": 6}).offsets_h.tolist() == [0, 6, 12, 18]
    assert begin("ecommerce", 1, hours=1, clock={"slot_hours": 6}).offsets_h.tolist() == [0]


def test_dead_and_unreachable_users_are_never_sent_to(begin: Begin) -> None:
    """A choice for them is as good as holding, whatever it says."""
    population = begin("ecommerce", 60)
    population.state.is_alive[:20] = False
    population.state.is_reachable[20:40] = False
    population.state.is_reachable[40:] = True
    held = population.copy()
    told = population.step(np.full(60, 3), np.full(60, 7))
    sent = told.row[told.kind == Kind.DELIVERED]
    assert (sent >= 40).all()
    assert not (told.row < 20).any()
    held.step(np.full(60, -1), np.zeros(60, np.int64))
    _same(population.state.take(np.arange(40)), held.state, np.arange(40))


def test_holding_brings_no_outcome_of_a_push(begin: Begin) -> None:
    """Sessions, orders and leaving only, none of them caused."""
    population = begin("ecommerce", 2000)
    for _ in range(5):
        told = population.step(np.full(2000, -1), np.zeros(2000, np.int64))
        assert not told.is_caused.any()
        organic = [Kind.SESSION, Kind.CONVERTED, Kind.UNINSTALLED]
        assert np.isin(told.kind, organic).all()
    assert not population.state.n_sends.any()


def test_the_ground_holds_no_randomness_of_a_run() -> None:
    """Built twice, the same; what users share does not know them."""
    config = load("ecommerce", items={"n_items": 200})
    one, two = ground_of(config), ground_of(config)
    assert np.array_equal(one.catalogue.features, two.catalogue.features)
    assert np.array_equal(one.tastes, two.tastes)
    assert np.array_equal(one.calendar.local, two.calendar.local)


def test_asking_for_outcomes_or_rates_changes_nothing(begin: Begin) -> None:
    """Questions are free of effects."""
    population = begin("ecommerce", 50)
    before = population.state.copy()
    population.organic_outcomes()
    population.rate()
    population.matches()
    population.slot_log_odds()
    _same(population.state, before, np.arange(50))


def test_a_life_may_run_past_the_horizon(begin: Begin) -> None:
    """Tables stand still there; nothing fails."""
    population = begin("ecommerce", 20, clock={"horizon_days": 2})
    for _ in range(15):
        population.step(np.full(20, 1), np.full(20, 5))
    assert (population.state.hour == 360).all()
