from __future__ import annotations

import numpy as np

from policies.candidates.interactions import Interactions
from policies.candidates.popular import PopularTowers
from policies.candidates.towers import Towers, scores_of


def test_an_item_scores_its_share_for_everybody() -> None:
    towers, other = PopularTowers(3), PopularTowers(3)
    assert isinstance(towers, Towers)
    some = Interactions.none(n_items=3).plus(np.array([1, 1, 2, 3]), np.array([2, 2, 2, 0]))
    towers.fit(some.everybody())
    query = towers.query(some.history(np.array([1, 99])), np.zeros((2, 0)))
    score = scores_of(query, towers.vectors, np.tile([0, 1, 2], (2, 1)))
    np.testing.assert_array_equal(towers.chance(score), [[0.25, 0.0, 0.75]] * 2)
    other.load(towers.state())
    assert other.vectors.tobytes() == towers.vectors.tobytes()


def test_nobody_did_anything_and_no_item_has_a_share() -> None:
    towers = PopularTowers(2)
    towers.fit(Interactions.none(n_items=2).everybody())
    np.testing.assert_array_equal(towers.vectors, 0.0)
