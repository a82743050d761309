from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.decide import Decisions
from bandit.outcomes import UPLIFT
from bandit.protocols import Candidates
from simulator.offers import ITEM_NAMES, Slates
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]


def test_are_candidates_of_the_protocols(make_world: Make) -> None:
    assert isinstance(Slates(world=make_world("tiny", 3, 1)), Candidates)


def test_the_short_list_is_the_slate_in_the_order_of_the_truth(make_world: Make) -> None:
    world = make_world("ecommerce", 50, 1)
    world.population.state.is_alive[3] = False
    seen = world.observe()
    assert seen is not None
    items = Slates(world=world)(seen)
    np.testing.assert_array_equal(items.items, np.delete(world.population.offer().items, 3, axis=0))
    assert items.features.shape == (49, 20, len(ITEM_NAMES))
    assert np.isfinite(items.features).all()


def test_match_rises_with_what_a_user_has_looked_at(make_world: Make, choose: Choose) -> None:
    """Where much is heard, the server's match points where the true one does."""
    world = make_world("ecommerce", 300, 2, sections={"activity": {"sessions_per_day": 3.0}})
    for day in range(15):
        choose(world, 0, first=1000 * day)
    seen = world.observe()
    assert seen is not None
    match = Slates(world=world)(seen).features[:, :, ITEM_NAMES.index("match")]
    truth = world.population.matches()[world.observed]
    assert np.corrcoef(match.ravel(), truth.ravel())[0, 1] > 0.3


def test_match_is_the_profile_on_the_items_features_over_their_number(make_world: Make) -> None:
    world = make_world("ecommerce", 3, 3)
    seen = world.observe()
    assert seen is not None
    world.known.profile[:] = np.random.default_rng(1).normal(size=world.known.profile.shape)
    match = Slates(world=world)(seen).features[:, :, ITEM_NAMES.index("match")]
    features = world.ground.catalogue.features[world.slates()]
    by_hand = (world.known.profile[:, None, :] * features).mean(axis=2)
    np.testing.assert_allclose(match, by_hand, rtol=1e-5, atol=1e-6)


def test_an_item_that_was_sent_fades_by_half_in_a_week(make_world: Make) -> None:
    world = make_world("ecommerce", 2, 3)
    seen = world.observe()
    assert seen is not None
    state, slate = world.population.state, world.slates()
    state.recent_item[0, 1], state.recent_h[0, 1] = slate[0, 4], -7 * 24
    was_sent = Slates(world=world)(seen).features[:, :, ITEM_NAMES.index("was_sent")]
    assert was_sent[0, 4] == 0.5
    assert np.count_nonzero(was_sent) == 1


def test_what_took_an_expired_items_place_was_not_sent(make_world: Make) -> None:
    world = make_world("ecommerce", 400, 3, sections={"items": {"lifetime_h": 36.0}})
    seen = world.observe()
    assert seen is not None
    state, slate = world.population.state, world.slates()
    state.recent_item[:, 1], state.recent_h[:, 1] = slate[:, 4], -20
    was_sent = Slates(world=world)(seen).features[:, 4, ITEM_NAMES.index("was_sent")]
    is_same = 36.0 - world.population.offer().hours_left[:, 4] >= 20.0
    assert 50 < is_same.sum() < 350
    np.testing.assert_allclose(was_sent, is_same * 2.0 ** (-20.0 / (7.0 * 24.0)))


def test_what_is_new_is_what_was_born_last(make_world: Make) -> None:
    for items, low in (({"popularity_half_life_h": 0.0}, 0.0), ({"lifetime_h": 24.0}, 0.9)):
        world = make_world("ecommerce", 20, 4, sections={"items": items})
        seen = world.observe()
        assert seen is not None
        is_new = Slates(world=world)(seen).features[:, :, ITEM_NAMES.index("is_new")]
        assert is_new.min() >= low
        assert is_new.max() <= 1.0


def test_a_world_that_says_what_is_wanted_says_it_of_one_item_and_means_it(
    make_world: Make,
) -> None:
    """The last feature marks the item whose true worth is largest; other worlds have no such."""
    world = make_world("identity", 40, 3)
    seen = world.observe()
    assert seen is not None
    items = Slates(world=world)(seen)
    is_wanted = items.features[:, :, -1]
    assert items.features.shape[2] == len(ITEM_NAMES) + 1
    assert (is_wanted.sum(axis=1) == 1.0).all()
    _, uplift = world.expected()
    worth = uplift[:, 1:] @ UPLIFT.weights
    np.testing.assert_array_equal(worth.argmax(axis=1), is_wanted.argmax(axis=1))
