from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import lists as lists_module
from simulator.catalogue import catalogue_of
from simulator.config import load
from simulator.lists import Lists, lists_of


def _lists(preset: str = "ecommerce", *, k: int = 20, **items: Any) -> Lists:
    return lists_of(catalogue_of(load(preset, items=items, clock={"n_candidates": k})))


@pytest.fixture(params=["whole tables", "item by item"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Tables of whole lists, or none, as where they would be too large."""
    if request.param == "item by item":
        monkeypatch.setattr(lists_module, "_MOST_CELLS", 0)
    return str(request.param)


@pytest.mark.parametrize("preset", ["ecommerce", "news", "tiny"])
def test_a_list_knows_what_the_catalogue_knows_of_its_items(tables: str, preset: str) -> None:
    """Features, appeal and stock, to the last bit, however they are kept, also after the end."""
    lists = _lists(preset, k=2)
    assert (lists.looks is None) == (tables == "item by item")
    catalogue = lists.catalogue
    which = np.arange(0, lists.n_lists, 7)
    items = lists.items[which]
    for at_h in (0, 23, 24, 500, 24 * 400):
        hour = np.full(len(which), at_h)
        assert np.array_equal(lists.in_stock(which, hour), catalogue.in_stock(items, hour))
        assert np.array_equal(lists.appeal_of(which, hour), catalogue.appeal_of(items, hour))
    room = np.empty((len(which), catalogue.features.shape[1], items.shape[1]), np.float32)
    assert lists.looks_of(which, out=room) is room
    assert np.array_equal(room.swapaxes(1, 2), catalogue.features[items])


def test_appeal_is_each_rows_at_its_own_hour() -> None:
    """Rows live at different hours; none of them moves the tables."""
    lists = _lists()
    which, hour = np.array([5, 5, 9]), np.array([0, 700, 3])
    told = lists.appeal_of(which, hour)
    assert np.array_equal(told, lists.appeal_of(which, hour))
    assert np.array_equal(told, lists.catalogue.appeal_of(lists.items[which], hour))
    assert not np.array_equal(told[0], told[1])


@pytest.mark.parametrize(("k", "n_items"), [(1, 2000), (20, 2000), (20, 21), (300, 2000)])
def test_a_list_never_denies_an_item_that_it_holds(k: int, n_items: int) -> None:
    """And denies most of those that it does not, while lists are short."""
    lists = _lists(k=k, n_items=n_items)
    which = np.arange(lists.n_lists)
    assert lists.may_hold(which, lists.items).all()
    others = np.broadcast_to(np.arange(n_items, dtype=np.int32), (len(which), n_items))[:500]
    held = (others[:, :, None] == lists.items[:500, None, :1]).any(axis=2)
    for place in range(1, k):
        held |= others == lists.items[:500, place, None]
    false_alarms = (lists.may_hold(which[:500], others) & ~held).mean()
    assert false_alarms < (0.05 if n_items > 100 else 0.01)


def test_no_item_at_all_may_seem_held_but_harms_nothing() -> None:
    """An empty place of a user's last sends is -1: asked for, never found by the exact search."""
    lists = _lists(k=20)
    which = np.arange(lists.n_lists)
    assert lists.may_hold(which, np.full((lists.n_lists, 4), -1, np.int32)).mean() < 0.1
    assert (lists.items >= 0).all()
