from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from bandit.classic import classic_table
from bandit.decide import Decisions
from bandit.errors import StateError
from bandit.events import ACTIONS, Events, canonical_order, histories_of
from bandit.outcomes import Kind
from bandit.slots import DAY_MS
from encoders.config import EncoderConfig, TrainingConfig
from encoders.tabular import TabularRecencyEncoder
from encoders.training import train
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]

BUSY: dict[str, dict[str, Any]] = {
    "clock": {"horizon_days": 40},
    "items": {"n_items": 100, "n_categories": 10},
    "activity": {"sessions_per_day": 1.0},
    "click": {"rate": 0.3},
    "orders": {"per_session": 0.2, "per_click": 0.3},
    "emission": {"late_share": 0.0, "duplicate_share": 0.0},
}


@pytest.fixture
def shop(make_world: Make, choose: Choose) -> World:
    """A hundred busy users, sent to every day of three weeks."""
    world = make_world("ecommerce", 100, 3, sections=BUSY, events=True)
    for day in range(21):
        choose(world, 10 + day, first=1000 * day)
    return world


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def of(events: Events, action: str) -> Events:
    return events.take(events.action == ACTIONS.index(action))


def test_events_are_canonical_and_have_happened(shop: World) -> None:
    events = shop.events()
    order = canonical_order(
        user=events.user,
        at_ms=events.at_ms,
        action=events.action,
        item=events.item,
        rest=(events.category, events.amount, events.rating),
    )
    np.testing.assert_array_equal(order, np.arange(events.n_rows))
    assert (events.at_ms <= shop.now_ms).all()
    shop.rest()
    assert shop.events().n_rows > events.n_rows


def test_every_outcome_a_history_shows_is_an_event_and_purchases_have_their_amounts(
    shop: World,
) -> None:
    events, told = shop.events(), shop.arrived()
    for kind, action in {
        Kind.SESSION: "session",
        Kind.CONVERTED: "purchase",
        Kind.DISPLAYED: "push_shown",
        Kind.CLICKED: "push_clicked",
        Kind.DISMISSED: "push_dismissed",
    }.items():
        rows = told.kind == kind
        assert rows.sum() > 20
        seen = of(events, action)
        wanted = np.lexsort((told.at_ms[rows], told.user[rows]))
        np.testing.assert_array_equal(seen.user, told.user[rows][wanted])
        np.testing.assert_array_equal(seen.at_ms, told.at_ms[rows][wanted])
        if action == "purchase":
            np.testing.assert_array_equal(seen.amount, told.value[rows][wanted])


def test_only_purchases_have_amounts_and_only_ratings_stars(shop: World) -> None:
    events = shop.events()
    has_amount = np.isfinite(events.amount)
    np.testing.assert_array_equal(has_amount, events.action == ACTIONS.index("purchase"))
    rated = of(events, "rating")
    assert np.isfinite(rated.rating).all()
    assert set(np.unique(rated.rating)) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(np.unique(rated.rating)) > 2
    assert not np.isfinite(events.rating[events.action != ACTIONS.index("rating")]).any()


def test_views_carts_and_ratings_come_as_often_as_configured(shop: World) -> None:
    events = shop.events()
    sessions, orders = of(events, "session").n_rows, of(events, "purchase").n_rows
    activity = shop.config.activity
    views = of(events, "view").n_rows / sessions
    # A geometric number of views has the variance m(m − 1); four standard errors.
    m = activity.views_per_session
    assert abs(views - m) < 4.0 * np.sqrt(m * (m - 1.0) / sessions)
    carts = of(events, "cart").n_rows - orders
    share = activity.cart_chance
    assert abs(carts / sessions - share) < 4.0 * np.sqrt(share * (1 - share) / sessions) + 0.01
    assert 0.08 < of(events, "rating").n_rows / orders < 0.25  # those of the last days are to come


def test_items_and_categories_are_the_catalogues(shop: World) -> None:
    events, catalogue = shop.events(), shop.ground.catalogue
    has_item = events.item >= 0
    np.testing.assert_array_equal(has_item, events.action != ACTIONS.index("session"))
    np.testing.assert_array_equal(
        events.category[has_item], catalogue.category[events.item[has_item]]
    )
    assert (events.category[~has_item] == -1).all()


def test_what_is_looked_at_fits_the_taste_better_than_chance(shop: World) -> None:
    views = of(shop.events(), "view")
    taste = shop.population.traits.taste
    features = shop.ground.catalogue.features
    fit = np.einsum("md,md->m", taste[views.user], features[views.item]) / np.sqrt(
        features.shape[1]
    )
    assert fit.mean() > 0.5


def test_an_event_is_the_same_in_any_shard(make_world: Make) -> None:
    whole = make_world("ecommerce", 60, 9, events=True)
    shard = make_world("ecommerce", 20, 9, events=True, first_user=20)
    for _ in range(12):
        whole.rest()
        shard.rest()
    events = whole.events()
    mine = events.take((events.user >= 20) & (events.user < 40))
    other = shard.events()
    assert other.n_rows > 50
    for name in ("user", "at_ms", "action", "item", "category", "amount", "rating"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))


def test_a_history_that_has_been_looked_at_never_changes(make_world: Make, choose: Choose) -> None:
    """What a context is made of, all that is strictly before it, is the same from a later log."""
    busy = {"activity": {"sessions_per_day": 3.0}, "orders": {"per_session": 0.6}}
    world = make_world("ecommerce", 300, 9, events=True, sections=busy, hours=1)
    seen, ends_ms = [], []
    for hour in range(30):
        choose(world, 1 + hour % 3, first=1000 * hour)
        seen.append(world.events())
        ends_ms.append(world.now_ms)
    whole = world.events()
    for then, end_ms in zip(seen, ends_ms, strict=True):
        for name in ("user", "at_ms", "action", "item"):
            now, before = (getattr(e.take(e.at_ms < end_ms), name) for e in (whole, then))
            np.testing.assert_array_equal(now, before)
    assert (whole.action == ACTIONS.index("cart")).sum() > 300


def test_events_go_on_from_a_snapshot(make_world: Make) -> None:
    world = make_world("ecommerce", 30, 9, events=True)
    for _ in range(5):
        world.rest()
    kept = world.snapshot()
    for _ in range(5):
        world.rest()
    whole = world.events()
    world.restore(kept)
    for _ in range(5):
        world.rest()
    np.testing.assert_array_equal(world.events().at_ms, whole.at_ms)


def test_where_few_sessions_look_at_anything_so_few_views_come(make_world: Make) -> None:
    """Below one view a session none has two; and nothing has happened before the first step."""
    few = {"activity": {"sessions_per_day": 3.0, "views_per_session": 0.3, "cart_chance": 0.0}}
    world = make_world("ecommerce", 400, 9, events=True, sections=few)
    assert world.events().n_rows == 0
    for _ in range(5):
        world.rest()
    events = world.events()
    views, sessions = (
        np.count_nonzero(events.action == ACTIONS.index(name)) for name in ("view", "session")
    )
    assert sessions > 1000
    assert abs(views / sessions - 0.3) < 4.0 * np.sqrt(0.3 * 0.7 / sessions)


def test_a_world_that_keeps_no_events_says_so(make_world: Make) -> None:
    with pytest.raises(StateError, match="make it with events=True"):
        make_world("tiny", 3, 1).events()


def test_classic_features_compute_on_simulated_users(shop: World) -> None:
    events = shop.events()
    histories = histories_of(events, shop.users)
    table = classic_table(histories, np.full((len(shop.users), 1), shop.now_ms))
    spent = np.bincount(
        events.user, weights=np.nan_to_num(events.amount), minlength=len(shop.users)
    )
    np.testing.assert_allclose(np.asarray(table["spent_total"]), spent)
    assert np.asarray(table["n_browse_7d"]).sum() > 500
    assert np.asarray(table["n_push_clicked_30d"]).sum() > 50


def test_the_tabular_encoder_reads_them_and_knows_who_is_active(shop: World) -> None:
    histories = histories_of(shop.events(), shop.users)
    encoder = TabularRecencyEncoder.fit(
        histories, zone="America/New_York", until_ms=shop.now_ms, n_items=100, key=1
    )
    at_ms = np.full((len(shop.users), 1), shop.now_ms)
    context = encoder.encode(histories, at_ms)
    assert np.isfinite(context).all()
    edges = shop.now_ms + np.array([0, DAY_MS])
    start, end = (np.broadcast_to(e, (len(shop.users), 1, 1)) for e in edges)
    chance = encoder.slot_probabilities(histories, at_ms, start_ms=start, end_ms=end)
    rank = np.argsort(np.argsort(chance[:, 0, 0]))
    truth = np.argsort(np.argsort(shop.population.traits.sessions_per_h))
    assert np.corrcoef(rank, truth)[0, 1] > 0.5


@pytest.mark.usefixtures("one_thread")
def test_the_two_stream_encoder_trains_on_them(shop: World) -> None:
    users = shop.users[:25]
    histories = histories_of(shop.events(), users)
    encoder = train(
        histories,
        zone="America/New_York",
        until_ms=shop.now_ms,
        config=EncoderConfig(
            n_items=100, n_categories=10, width=16, window=8, context_width=8, n_leading=4
        ),
        key=1,
        training=TrainingConfig(epochs=1, warmup_steps=5, batch_tokens=2048, batches_a_step=1),
    )
    context = encoder.encode(histories, np.full((len(users), 1), shop.now_ms))
    assert context.shape == (25, 1, 8)
    assert np.isfinite(context).all()
    assert context.std(axis=0).min() > 0.0
