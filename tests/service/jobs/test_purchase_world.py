from __future__ import annotations

import numpy as np
import pytest

from bandit.actions import HOLD, assemble
from bandit.decide import Stamp, decide, decision_ids
from bandit.errors import StateError
from bandit.floor import Floor
from bandit.outcomes import Kind
from service.jobs.online import timing_of
from service.jobs.purchase_features import DayFeatures, walk_features
from service.jobs.purchase_world import HITS, SEND_COST, AllCategories, PurchaseWorld
from service.jobs.purchases import Purchases

DAYS = (45, 46)


@pytest.fixture(scope="module")
def days(small_shop: Purchases) -> list[DayFeatures]:
    timing = timing_of(small_shop)
    return list(walk_features(small_shop, timing, first_day=DAYS[0], until_day=DAYS[1] + 1))


@pytest.fixture
def world(small_shop: Purchases, days: list[DayFeatures]) -> PurchaseWorld:
    return PurchaseWorld(shop=small_shop, days=days)


def test_a_day_is_decided_at_its_local_midnight(
    world: PurchaseWorld, small_shop: Purchases
) -> None:
    """Everyone at once, in the shop's zone, over that day's windows."""
    assert world.now_ms == small_shop.day_start_ms(DAYS[0])
    seen = world.observe()
    assert seen is not None
    assert (seen.at_ms == small_shop.day_start_ms(DAYS[0])).all()
    assert set(seen.zone) == {small_shop.zone}
    np.testing.assert_array_equal(seen.grid.end_ms[3], small_shop.edges_ms[DAYS[0], 1:])


def test_truth_is_what_each_action_pays(world: PurchaseWorld, small_shop: Purchases) -> None:
    """Nothing without a push; the hit of the action, and one message; asked before, refused."""
    with pytest.raises(StateError, match="call observe"):
        world.expected()
    world.observe()
    base, uplift = world.expected()
    assert not base.any()
    hits = small_shop.hits(DAYS[0])
    worth = uplift @ np.array([component.weight for component in HITS.components])
    np.testing.assert_allclose(worth[:, HOLD], 0.0)
    np.testing.assert_allclose(worth[:, 1:], hits.reshape(len(hits), -1) - SEND_COST)


def test_outcomes_are_the_hits_of_what_was_sent(
    world: PurchaseWorld, small_shop: Purchases
) -> None:
    """One response a hit, by the decision's id, heard of at the end of the day, once."""
    assert world.arrived().n_rows == 0
    seen = world.observe()
    assert seen is not None
    request = assemble(seen, AllCategories(world=world)(seen))
    bought = small_shop.hits(DAYS[0]).reshape(small_shop.n_users, -1)
    pmf = np.zeros(request.mask.shape)
    # Whoever buys anything is sent the first thing they buy, the others their first action.
    pmf[np.arange(len(pmf)), 1 + bought.argmax(axis=1)] = 1.0
    stamp = Stamp(policy="oracle", state_seq=0, floor=Floor())
    done = decide(pmf, request, key=1, stamp=stamp, decision_id=decision_ids(seen.at_ms))
    world.step(done)
    heard = world.arrived()
    sent = np.flatnonzero(done.is_send)
    hit = sent[bought[sent, done.planned[sent] - 1]]
    assert 0 < len(hit) < small_shop.n_users
    np.testing.assert_array_equal(heard.decision_id, done.decision_id[hit])
    assert set(heard.kind) == {Kind.MATCHED}
    assert (heard.received_ms == small_shop.edges_ms[DAYS[0], -1]).all()
    assert world.arrived().n_rows == 0


def test_the_world_ends_with_its_days(
    small_shop: Purchases, days: list[DayFeatures], world: PurchaseWorld
) -> None:
    """No day is made up after the last."""
    ended = PurchaseWorld(shop=small_shop, days=[])
    assert ended.observe() is None
    assert world.observe() is not None


def test_blind_to_time_means_no_context_and_plain_windows(
    small_shop: Purchases, days: list[DayFeatures]
) -> None:
    """The same world shown without what knows the time."""
    blind = PurchaseWorld(shop=small_shop, days=days, is_time_aware=False)
    seen = blind.observe()
    assert seen is not None
    assert seen.context.shape == (small_shop.n_users, 0)
    np.testing.assert_array_equal(seen.slot_features[7], np.eye(6))
    items = AllCategories(world=blind)(seen)
    np.testing.assert_array_equal(items.features, days[0].blind_items)
