from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.errors import ForeignFileError
from bandit.log import logged_hash, read_log
from service.jobs.contenders import CONTENDERS, Contender, ready
from service.jobs.online import Prepared, prepare, timing_of
from service.jobs.purchase_world import SEND_COST
from service.jobs.purchases import Purchases
from service.jobs.walk import FLOOR, Walk, load_state, save_state, walk

BY_NAME = {contender.name: contender for contender in CONTENDERS}


@pytest.fixture(scope="module")
def prepared(small_shop: Purchases) -> Prepared:
    return prepare(small_shop, timing_of(small_shop), None)


def walked(prepared: Prepared, name: str, *, seed: int = 1, log: Path | None = None) -> Walk:
    contender: Contender = BY_NAME[name]
    policy = ready(contender, prepared.shop, sample=prepared.days[0], warm=prepared.warm)
    return walk(
        contender, policy, shop=prepared.shop, days=prepared.days, seed=seed, log_folder=log
    )


@pytest.mark.parametrize("name", ["lints warm", "igw cold", "counts updated, fading", "random"])
def test_the_same_seed_twice_logs_the_same_decisions(
    prepared: Prepared, tmp_path: Path, name: str
) -> None:
    """Every column of every row, by its hash; another seed draws another log."""
    one, two, other = (tmp_path / part for part in ("one", "two", "other"))
    walked(prepared, name, log=one)
    walked(prepared, name, log=two)
    walked(prepared, name, seed=2, log=other)
    first = logged_hash(read_log(one))
    assert first == logged_hash(read_log(two))
    assert first != logged_hash(read_log(other))


def test_the_log_agrees_with_the_walk(prepared: Prepared, tmp_path: Path) -> None:
    """One row a household and day, in the order of days; sends and slots as returned."""
    found = walked(prepared, "lints warm", log=tmp_path)
    log = read_log(tmp_path)
    households, days = found.slot.shape
    assert log.num_rows == households * days
    slot = np.asarray(log["slot"]).reshape(days, households).T
    np.testing.assert_array_equal(slot, found.slot)
    assert (np.asarray(log["propensity"]) > 0).all()
    assert np.asarray(log["p_send"]).min() >= FLOOR.send - 1e-12


def test_the_mean_of_what_was_drawn_is_what_the_pmf_was_worth(prepared: Prepared) -> None:
    """Reward less its expectation is noise of mean zero: within four of its standard errors."""
    for name in ("random", "counts updated", "lints warm"):
        found = walked(prepared, name)
        noise = (found.value - found.expected).ravel()
        assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)


def test_silence_is_worth_nothing_up_to_its_floor(prepared: Prepared) -> None:
    """Never sending goes through the same floor as everyone: one send in a hundred."""
    found = walked(prepared, "never send")
    assert (found.slot >= 0).mean() < 0.03
    np.testing.assert_allclose(found.unfloored, 0.0, atol=1e-7)


def test_a_hit_is_a_purchase_of_that_category_in_that_window(
    prepared: Prepared, tmp_path: Path
) -> None:
    """Recomputed from the log and the shop."""
    found = walked(prepared, "counts static", log=tmp_path)
    log, shop = read_log(tmp_path), prepared.shop
    n = shop.n_users
    item, slot = np.asarray(log["item"]), np.asarray(log["slot"])
    for t, day in enumerate(shop.online_days):
        rows = slice(t * n, (t + 1) * n)
        sent = slot[rows] >= 0
        truth = shop.hits(day)[np.arange(n), item[rows], slot[rows]] & sent
        np.testing.assert_array_equal(truth, found.is_hit[:, t])
    np.testing.assert_allclose(found.value, found.is_hit - SEND_COST * (found.slot >= 0))


def test_where_habits_are_strong_learners_beat_chance_and_silence(prepared: Prepared) -> None:
    """The made-up shop's households keep to two categories and one hour."""
    worth = {n: float(walked(prepared, n).expected.mean()) for n in ("random", "lints warm")}
    assert worth["lints warm"] > 0.1
    assert worth["random"] < 0.03


def test_a_policy_is_told_nothing_of_a_day_before_it_is_over(
    prepared: Prepared, tmp_path: Path
) -> None:
    """Decisions of the first ten online days are the same if the rest never happens."""
    shop = prepared.shop
    cut = replace(prepared, days=prepared.days[:10])
    walked(prepared, "igw warm", log=tmp_path / "whole")
    walked(cut, "igw warm", log=tmp_path / "cut")
    whole, short = read_log(tmp_path / "whole"), read_log(tmp_path / "cut")
    n = 10 * shop.n_users
    for column in ("planned", "propensity"):
        assert whole[column].slice(0, n).to_pylist() == short[column].to_pylist()


def test_a_frozen_policy_is_thawed_as_it_was(prepared: Prepared, tmp_path: Path) -> None:
    """State in, state out; a spoilt file is refused by name, with what to remove."""
    policy = ready(
        BY_NAME["lints warm"], prepared.shop, sample=prepared.days[0], warm=prepared.warm
    )
    other = ready(BY_NAME["lints cold"], prepared.shop, sample=prepared.days[0], warm=prepared.warm)
    path = tmp_path / "online" / "frozen" / "lints-warm.npz"
    save_state(path, policy)
    load_state(path, other)
    for name, array in policy.state().items():
        np.testing.assert_array_equal(other.state()[name], array)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ForeignFileError, match=r"lints-warm\.npz.*Remove .*online and call"):
        load_state(path, other)
