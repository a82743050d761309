from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simulator.config
from bandit.outcomes import ENGAGEMENT, UPLIFT, Kind, RewardScheme, uplift_scheme
from simulator.config import PRESETS, load
from simulator.kernel import Population
from simulator.paired import always_hold, choice_of, returns_of
from simulator.truth import mean_paid, mean_reward, means_of, outcome_of
from simulator.worth import Quantity, Worth
from tests.simulator.conftest import Begin

FOLDER = Path(simulator.config.__file__).parent / "presets"
HERE = [name for name in PRESETS if (FOLDER / f"{name}.toml").is_file()]
SCHEMES = [UPLIFT, uplift_scheme(mean_order_value=40.0), ENGAGEMENT.without_attribution()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("hours", [1, 24])
def test_an_outcome_is_exactly_what_its_action_pays(
    begin: Begin, scheme: RewardScheme, hours: int
) -> None:
    """Every action of every user, from the same state, after two weeks of pushes."""
    worth = Worth(scheme)
    lived = begin("ecommerce", 40, hours=hours)
    rng = np.random.default_rng(0)
    for _ in range(14):
        lived.step(rng.integers(-1, 20, 40), rng.integers(0, len(lived.offsets_h), 40))
    outcome = outcome_of(lived, worth)
    n_slots = len(lived.offsets_h)
    for action in range(0, outcome.shape[1], 1 if hours == 1 else 23):
        twin = lived.copy()
        item = np.full(40, (action - 1) // n_slots if action else -1)
        told = twin.step(item, np.full(40, (action - 1) % n_slots if action else 0))
        paid = np.bincount(told.row, weights=worth.of_outcomes(told), minlength=40)
        paid = paid + worth.of_send * (action > 0)
        assert np.allclose(paid, outcome[:, action], rtol=0, atol=1e-12)


@pytest.mark.parametrize("hours", [1, 24])
def test_the_weighed_mean_is_the_weighed_sum_of_all_quantities(begin: Begin, hours: int) -> None:
    """The fast path answers like the one that keeps every quantity apart."""
    lived = begin("ecommerce", 100, hours=hours)
    for _ in range(5):
        lived.step(np.full(100, 3), np.zeros(100, np.int64))
    worth = Worth(UPLIFT)
    means = means_of(lived)
    apart = worth.components(means.base[:, None, :] + means.uplift) @ UPLIFT.weights
    assert np.allclose(mean_reward(lived, worth), apart, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_what_a_step_pays_in_the_mean_is_base_and_caused(
    begin: Begin, scheme: RewardScheme
) -> None:
    """Of one action a row: the quantities kept apart, without what is displaced."""
    lived = begin("ecommerce", 60)
    rng = np.random.default_rng(2)
    for _ in range(9):
        lived.step(rng.integers(-1, 20, 60), rng.integers(0, 24, 60))
    worth, means = Worth(scheme), means_of(lived)
    place, slot = rng.integers(-1, 20, 60), rng.integers(0, 24, 60)
    action = np.where(place < 0, 0, 1 + place * 24 + slot)
    told = means.base + means.caused[np.arange(60), action]
    apart = worth.components(told) @ scheme.weights
    np.testing.assert_allclose(mean_paid(lived, worth, place, slot), apart, rtol=1e-5, atol=1e-6)


def test_a_life_is_the_same_in_any_batch(begin: Begin) -> None:
    """The first ten of fifty users live as the first ten of ten."""
    many, few = begin("ecommerce", 50), begin("ecommerce", 10)
    rng = np.random.default_rng(3)
    for _ in range(20):
        item, slot = rng.integers(-1, 20, 50), rng.integers(0, 24, 50)
        many.step(item, slot)
        few.step(item[:10], slot[:10])
    for name, column in few.state.columns():
        assert np.array_equal(column, getattr(many.state, name)[:10]), name


SMALL: dict[str, dict[str, Any]] = {
    "clock": {"n_candidates": 3, "slot_hours": 3},
    "items": {"n_items": 30},
    "click": {"rate": 0.2},
    "opt_out": {"hazard": 0.02, "uninstall_share": 0.5},
    "orders": {"per_click": 0.3, "per_session": 0.2},
}


def _wide_past(begin: Begin, preset: str, n_users: int, *, hours: int) -> Population:
    """A past of pushes, with some users dead, some opted out, some who owe sessions."""
    changes = SMALL if preset not in ("tiny", "identity") else {}
    population = begin(load(preset, **changes), n_users, hours=hours)
    rng = np.random.default_rng(4)
    k = population.offer().items.shape[1]
    for _ in range(12):
        slot = rng.integers(0, len(population.offsets_h), n_users)
        population.step(rng.integers(-1, k, n_users), slot)
    population.state.is_reachable[::5] = False
    population.state.is_alive[::7] = False
    population.state.is_reachable[::7] = False
    population.state.debt[::3] = 1 + np.arange(len(population.state.debt[::3])) % 3
    return population


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("preset", HERE)
def test_every_action_of_every_preset_pays_its_outcome_in_any_state(
    begin: Begin, preset: str, hours: int
) -> None:
    """The dead, those who opted out, and those who owe sessions among them."""
    population = _wide_past(begin, preset, 60, hours=hours)
    worth = Worth(uplift_scheme(mean_order_value=40.0))
    outcome = outcome_of(population, worth)
    for action in range(outcome.shape[1]):
        twin = population.copy()
        paid = returns_of(twin, always_hold, horizon=1, worth=worth, first=choice_of(twin, action))
        assert np.allclose(paid, outcome[:, action], rtol=0, atol=1e-12), action


@pytest.mark.parametrize("hours", [1, 24])
def test_outcomes_have_the_means_that_level_one_states(begin: Begin, hours: int) -> None:
    """Over 40 futures of 150 users: base and caused of every action, within 4.5 standard errors.

    Displacement is missing from later steps and so from none of these.
    """
    population = _wide_past(begin, "ecommerce", 150, hours=hours)
    worth, futures = Worth(UPLIFT), 40
    outcome = outcome_of(population.futures(np.arange(futures)), worth)
    outcome = outcome.reshape(futures, 150, -1)
    means = means_of(population)
    expected = (means.base[:, None, :] + means.caused) @ worth.of_quantity
    error = np.sqrt(outcome.var(axis=0, ddof=1).sum(axis=0) / futures) / 150
    assert (np.abs(outcome.mean(axis=(0, 1)) - expected.mean(axis=0)) < 4.5 * error).all()


def test_base_counts_the_sessions_that_debts_leave(begin: Begin) -> None:
    """Over 60 futures of users who owe up to three: within four standard errors."""
    population = _wide_past(begin, "ecommerce", 200, hours=24)
    base = means_of(population).base[:, Quantity.SESSION]
    ahead = population.futures(np.arange(60))
    told = ahead.organic_outcomes()
    counts = np.bincount(told.row[told.kind == Kind.SESSION], minlength=ahead.n_users)
    by_future = counts.reshape(60, 200)
    error = np.sqrt(by_future.var(axis=0, ddof=1).sum() / 60)
    assert abs(by_future.mean(axis=0).sum() - base.sum()) < 4.0 * error
    free = population.copy()
    free.state.debt[:] = 0
    assert means_of(free).base[:, Quantity.SESSION].sum() > base.sum()


def test_what_is_displaced_is_missing_later_and_no_more(begin: Begin) -> None:
    """Debts made by a push, in the mean, are the displaced sessions of the truth."""
    population = _wide_past(begin, "ecommerce", 150, hours=24)
    displaced = means_of(population).displaced[:, 1, Quantity.SESSION]
    ahead = population.futures(np.arange(60))
    held = ahead.copy()
    ahead.step(*choice_of(ahead, 1))
    held.step(*choice_of(held, 0))
    made = (ahead.state.debt - held.state.debt).reshape(60, 150)
    error = np.sqrt(made.var(axis=0, ddof=1).sum() / 60)
    assert abs(made.mean(axis=0).sum() - displaced.sum()) < 4.0 * error


def test_truth_is_the_same_alone_and_among_others(begin: Begin) -> None:
    """Means and outcomes of one row do not know the rest."""
    many, few = begin("ecommerce", 30), begin("ecommerce", 4)
    worth = Worth(UPLIFT)
    for population in (many, few):
        population.step(np.full(population.n_users, 2), np.full(population.n_users, 9))
    assert np.array_equal(mean_reward(many, worth)[:4], mean_reward(few, worth))
    assert np.array_equal(outcome_of(many, worth)[:4], outcome_of(few, worth))
    assert np.array_equal(means_of(many).caused[:4], means_of(few).caused)
    assert np.array_equal(means_of(many).base[:4], means_of(few).base)


def test_asking_for_the_truth_changes_nothing(begin: Begin) -> None:
    """Neither the state nor what comes next."""
    asked, silent = begin("ecommerce", 20), begin("ecommerce", 20)
    worth = Worth(UPLIFT)
    for _ in range(3):
        means_of(asked)
        mean_reward(asked, worth)
        outcome_of(asked, worth)
        one, two = (p.step(np.full(20, 1), np.full(20, 3)) for p in (asked, silent))
        assert np.array_equal(one.at_min, two.at_min)
        assert np.array_equal(one.kind, two.kind)
