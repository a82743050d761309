from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import Observation
from bandit.errors import StateError
from policies.candidates.content import ContentTowers
from policies.candidates.deep import DeepTowers
from policies.candidates.interactions import Interactions
from policies.candidates.ivf_index import IvfIndex
from policies.candidates.proposals import Generator
from policies.candidates.retrieval import Retrieval

Observe = Callable[..., Observation]


def _deep(n_items: int = 400, **options: object) -> Retrieval:
    towers = DeepTowers(n_items, n_context=8)
    towers.describe(np.random.default_rng(4).normal(size=(n_items, 8)))
    made = Retrieval(
        towers=towers,
        interactions=Interactions.none(n_items=n_items),
        **options,  # type: ignore[arg-type]
    )
    made.refit()
    return made


def test_it_proposes_the_highest_scores_best_first(observed: Observe) -> None:
    generator = _deep()
    assert isinstance(generator, Generator)
    context = np.random.default_rng(5).normal(size=(30, 8))
    asked = observed(np.arange(30), context)
    proposed = generator.propose(asked, n_items=12)
    all_scores = context @ generator.towers.vectors.T
    np.testing.assert_array_equal(proposed.items, np.argsort(-all_scores, axis=1)[:, :12])
    np.testing.assert_allclose(proposed.scores, -np.sort(-all_scores, axis=1)[:, :12])
    np.testing.assert_allclose(generator.scores(asked, proposed.items), proposed.scores)
    assert proposed.sources == ("deep",)
    np.testing.assert_array_equal(proposed.source, 0)


def test_an_index_that_looks_everywhere_proposes_the_same(observed: Observe) -> None:
    asked = observed(np.arange(30), np.random.default_rng(5).normal(size=(30, 8)))
    exact = _deep().propose(asked, n_items=12)
    found = _deep(index_of=lambda v: IvfIndex(v, n_lists=6, n_probes=6)).propose(asked, n_items=12)
    np.testing.assert_array_equal(found.items, exact.items)
    np.testing.assert_array_equal(found.scores, exact.scores)


def test_what_is_known_is_left_out_where_it_is_to_be(observed: Observe) -> None:
    """User 0 has dealt with their two best; the lists move up, nobody else's does."""
    plain, skipping = _deep(), _deep(skips_known=True)
    asked = observed([0, 1], np.random.default_rng(5).normal(size=(2, 8)))
    usual = plain.propose(asked, n_items=6)
    skipping.observe(np.array([0, 0]), usual.items[0, :2])
    proposed = skipping.propose(asked, n_items=4)
    np.testing.assert_array_equal(proposed.items[0], usual.items[0, 2:])
    np.testing.assert_array_equal(proposed.items[1], usual.items[1, :4])


def test_fewer_items_than_asked_leave_places_empty(observed: Observe) -> None:
    proposed = _deep(3).propose(observed([0], np.ones((1, 8))), n_items=5)
    assert (proposed.items[0, :3] >= 0).all()
    np.testing.assert_array_equal(proposed.items[0, 3:], -1)
    np.testing.assert_array_equal(proposed.scores[0, 3:], -np.inf)
    np.testing.assert_array_equal(proposed.source[0, 3:], -1)


def test_new_behaviour_counts_at_once(observed: Observe) -> None:
    """Nothing is proposed to a stranger; after they dealt with item 1, that is, without a refit."""
    towers = ContentTowers(2)
    towers.describe(np.eye(2))
    some = Interactions.none(n_items=2).plus(np.array([1, 2]), np.array([0, 0]))
    generator = Retrieval(towers=towers, interactions=some)
    generator.refit()
    stranger = generator.propose(observed([9]), n_items=1)
    assert (stranger.items.tolist(), stranger.source.tolist()) == ([[-1]], [[-1]])
    generator.observe(np.array([9]), np.array([1]))
    assert generator.propose(observed([9]), n_items=1).items.tolist() == [[1]]


def test_nobody_observed_is_no_error(observed: Observe) -> None:
    assert _deep().propose(observed([], np.zeros((0, 8))), n_items=3).items.shape == (0, 3)


def test_it_must_be_fitted_first(observed: Observe) -> None:
    generator = Retrieval(towers=ContentTowers(2), interactions=Interactions.none(n_items=2))
    with pytest.raises(StateError, match="expected content to be fitted before it is asked"):
        generator.propose(observed([0]), n_items=1)
