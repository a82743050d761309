from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from simulator.catalogue import Catalogue, catalogue_of
from simulator.config import load


def _catalogue(*, k: int = 20, **items: Any) -> Catalogue:
    return catalogue_of(load("ecommerce", items=items, clock={"n_candidates": k}))


@pytest.mark.parametrize(
    ("n_items", "k"), [(2000, 20), (50, 20), (21, 20), (20, 20), (3, 1), (1, 1)]
)
def test_a_slate_never_holds_an_item_twice(n_items: int, k: int) -> None:
    """Whatever the sizes; and every item is on some list."""
    slates = _catalogue(n_items=n_items, k=k).slates
    assert slates.shape[1] == k
    ordered = np.sort(slates, axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert np.array_equal(np.unique(slates), np.arange(n_items))


def test_every_item_is_offered_equally_often() -> None:
    """Lists are cut from permutations: counts differ by a round at most."""
    counts = np.bincount(_catalogue(n_items=2000).slates.ravel())
    assert counts.max() - counts.min() <= 1


def test_every_item_of_a_large_catalogue_is_on_some_list() -> None:
    """With 10^5 items, 4,096 lists of 20 would leave one in five out for ever."""
    assert len(np.unique(_catalogue(n_items=100_000, n_features=2).slates)) == 100_000


def test_memory_grows_by_the_item_and_not_by_the_item_and_hour() -> None:
    """At most 400 bytes an item while building, with items that expire by the hour."""
    tracemalloc.start()
    _catalogue(n_items=200_000, n_features=4, lifetime_h=24.0, popularity_half_life_h=8.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 200_000


@pytest.mark.slow
def test_a_million_items_work() -> None:
    """Every item can be offered, priced and told in stock or not."""
    catalogue = _catalogue(n_items=1_000_000, lifetime_h=24.0, popularity_half_life_h=8.0)
    assert catalogue.n_items == 1_000_000
    assert len(np.unique(catalogue.slates)) == 1_000_000
    hour = np.full(len(catalogue.slates), 100)
    assert np.isfinite(catalogue.appeal_of(catalogue.slates, hour)).all()
    assert catalogue.in_stock(catalogue.slates, hour).mean() == pytest.approx(0.98, abs=0.001)


def test_the_catalogue_is_a_function_of_the_configuration() -> None:
    """The same one in every shard; more items leave the first ones as they are."""
    few, many = _catalogue(n_items=100), _catalogue(n_items=200)
    assert np.array_equal(few.features, _catalogue(n_items=100).features)
    assert np.array_equal(few.features, many.features[:100])
    assert np.array_equal(few.price, many.price[:100])


def test_features_are_about_standard_normal_and_half_of_them_the_categorys() -> None:
    """Variance 1; two items of one category share half of it."""
    catalogue = _catalogue(n_items=20_000, n_categories=2000)
    features = catalogue.features
    assert abs(features.mean()) < 0.02
    assert abs(features.var() - 1.0) < 0.02
    order = np.argsort(catalogue.category, kind="stable")
    same = catalogue.category[order][1:] == catalogue.category[order][:-1]
    shared = (features[order][1:] * features[order][:-1])[same].mean()
    assert abs(shared - 0.5) < 0.03


def test_prices_are_log_normal_as_stated() -> None:
    """Median e^3.6, spread .7, within four standard errors."""
    log = np.log(_catalogue(n_items=20_000).price)
    assert abs(log.mean() - 3.6) < 4.0 * 0.7 / np.sqrt(20_000)
    assert abs(log.std() - 0.7) < 4.0 * 0.7 / np.sqrt(2 * 20_000)


def test_no_category_is_its_own_complement_and_each_has_one() -> None:
    """A cycle through all of them."""
    for n in (2, 3, 40):
        complement = _catalogue(n_categories=n).complement
        assert np.array_equal(np.sort(complement), np.arange(n))
        assert (complement != np.arange(n)).all()


def test_stock_runs_out_for_the_stated_share_of_days_anew_every_day() -> None:
    """2 % of item-days, within four standard errors, and yesterday says nothing."""
    catalogue = _catalogue()
    out = ~catalogue.has_stock
    p, n = 0.02, out.size
    assert abs(out.mean() - p) < 4.0 * np.sqrt(p * (1 - p) / n)
    again = out[1:][out[:-1]].mean()
    assert abs(again - p) < 4.0 * np.sqrt(p * (1 - p) / out[:-1].sum())
    assert _catalogue(stock_out_per_day=0.0).has_stock.all()


def test_stock_changes_at_midnight_and_stands_within_the_day() -> None:
    """Asked for by the hour, answered by the day."""
    catalogue, items = _catalogue(), np.arange(2000, dtype=np.int32)[None, :]
    at = {hour: catalogue.in_stock(items, np.array([hour])) for hour in (0, 23, 24, 10**6)}
    assert np.array_equal(at[0], at[23])
    assert not np.array_equal(at[23], at[24])
    assert np.array_equal(at[10**6][0], catalogue.has_stock[-1])


def test_novelty_is_ln_2_at_birth_and_halves_in_odds() -> None:
    """log(1 + 2^(−age / half-life)), by hand."""
    catalogue = _catalogue(popularity_half_life_h=720.0)
    item = np.zeros((1, 1), np.int32)
    born = -int(catalogue.birth_h[0])

    def novelty(age: int) -> float:
        return float(
            catalogue.appeal_of(item, np.array([born + age]))[0, 0] - catalogue.attraction[0]
        )

    assert novelty(0) == pytest.approx(np.log(2.0), abs=1e-6)
    assert novelty(720) == pytest.approx(np.log(1.5), abs=1e-6)
    assert novelty(1440) == pytest.approx(np.log(1.25), abs=1e-6)


def test_without_a_half_life_nothing_fades() -> None:
    """Appeal is popularity and copy, at any hour."""
    catalogue = _catalogue(popularity_half_life_h=0.0)
    items = np.arange(10, dtype=np.int32)[None, :]
    assert np.array_equal(catalogue.appeal_of(items, np.array([0]))[0], catalogue.attraction[:10])
    assert np.array_equal(catalogue.appeal_of(items, np.array([999]))[0], catalogue.attraction[:10])


def test_an_item_expires_at_the_end_of_its_cycle_and_comes_anew() -> None:
    """Hours left count down to one and start again; novelty is back at that moment."""
    catalogue = _catalogue(lifetime_h=24.0, popularity_half_life_h=8.0)
    items = np.zeros((72, 1), np.int32)
    left = catalogue.hours_left(items, np.arange(72))[:, 0]
    assert set(left) == set(range(1, 25))
    turns = np.flatnonzero(np.diff(left) > 0)
    assert np.array_equal(np.diff(turns), [24, 24][: len(turns) - 1])
    assert (left[turns] == 1.0).all()
    fresh = catalogue.appeal_of(items, np.arange(72))[:, 0] - catalogue.attraction[0]
    assert np.allclose(fresh[turns + 1], np.log(2.0), atol=1e-6)
    assert np.allclose(fresh[:48], fresh[24:], atol=1e-6)


def test_births_are_spread_over_the_whole_cycle() -> None:
    """A third of the items in each third of the day, within four standard errors."""
    birth = _catalogue(n_items=20_000, lifetime_h=24.0).birth_h
    thirds = np.bincount(birth // 8, minlength=3) / 20_000
    assert np.abs(thirds - 1 / 3).max() < 4.0 * np.sqrt(2 / 9 / 20_000)


def test_nothing_expires_where_nothing_has_a_lifetime() -> None:
    """Infinite hours are left."""
    catalogue = _catalogue()
    assert np.isinf(catalogue.hours_left(catalogue.slates[:2], np.array([0, 10**5]))).all()


def test_templates_differ_by_the_stated_share() -> None:
    """The copy's relative effect has the stated spread, over many templates."""
    catalogue = _catalogue(n_items=5000, n_templates=1000, template_sd=0.0085)
    effect = np.expm1(catalogue.copy_effect[np.unique(catalogue.template, return_index=True)[1]])
    assert abs(effect.std() - 0.0085) < 4.0 * 0.0085 / np.sqrt(2 * len(effect))


def test_a_catalogue_is_of_all_ages_up_to_four_half_lives_of_its_novelty() -> None:
    """At the start, evenly: its oldest items are old news, its newest brand new."""
    birth_h = _catalogue(n_items=4000, popularity_half_life_h=100.0).birth_h
    assert birth_h.min() < 4
    assert 396 < birth_h.max() < 400
    assert abs(birth_h.mean() - 199.5) < 4.0 * 400.0 / np.sqrt(12.0 * 4000)
