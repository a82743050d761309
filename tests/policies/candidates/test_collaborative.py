from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from policies.candidates.collaborative import CollaborativeTowers
from policies.candidates.factor_params import FactorParams
from policies.candidates.interactions import Interactions
from policies.candidates.towers import Towers, scores_of

_PARAMS = FactorParams(n_factors=4, ridge=0.3, confidence=2.0)


def _two_camps(*, seed: int = 1, n_users: int = 60) -> Interactions:
    """Even users deal with items 0 … 4, odd ones with 5 … 9, five times each with any of them."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), 5)
    return Interactions.none(n_items=10).plus(user, 5 * (user % 2) + rng.integers(0, 5, len(user)))


def _fitted(some: Interactions, params: FactorParams = _PARAMS) -> CollaborativeTowers:
    towers = CollaborativeTowers(some.n_items, params)
    towers.fit(some.everybody())
    return towers


def test_users_are_solved_by_equation_4() -> None:
    """The vector x = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹ YᵀCp of the paper, in double precision."""
    some = _two_camps()
    towers = _fitted(some)
    assert isinstance(towers, Towers)
    users = np.array([0, 7, 31])
    query = towers.query(some.history(users), np.zeros((3, 0)))
    y = towers.vectors.astype(np.float64)
    for row, user in enumerate(users):
        mine = some.user == user
        prefers, confidence = np.zeros(10), np.ones(10)
        prefers[some.item[mine]] = 1.0
        confidence[some.item[mine]] += 2.0 * some.weight[mine]
        left = y.T @ (confidence[:, None] * y) + 0.3 * np.eye(4)
        expected = np.linalg.solve(left, y.T @ (confidence * prefers))
        np.testing.assert_allclose(query[row], expected, atol=1e-4)


def test_factors_are_at_rest_where_each_side_solves_the_other() -> None:
    """Items solved anew from users' factors stay where they are after many rounds."""
    some = _two_camps()
    towers = _fitted(some, FactorParams(n_factors=2, ridge=0.3, confidence=2.0, n_rounds=200))
    x = towers.query(some.everybody(), np.zeros((60, 0)))
    counts = np.zeros((60, 10))
    counts[some.user, some.item] = some.weight
    for item in range(10):
        confidence = 1.0 + 2.0 * counts[:, item]
        left = x.T @ (confidence[:, None] * x) + 0.3 * np.eye(2)
        expected = np.linalg.solve(left, x.T @ (confidence * (counts[:, item] > 0)))
        np.testing.assert_allclose(towers.vectors[item], expected, atol=2e-3)


def test_an_item_of_the_own_camp_is_preferred_before_it_is_tried() -> None:
    """Somebody new who has dealt with item 0 alone; two camps are two factors."""
    some = _two_camps()
    towers = _fitted(some, FactorParams(n_factors=2))
    known = some.plus(np.array([500]), np.array([0])).history(np.array([500]))
    score = scores_of(
        towers.query(known, np.zeros((1, 0))), towers.vectors, np.arange(10)[None, :]
    )[0]
    assert score[1:5].min() > score[5:].max()


def test_strangers_want_nothing_in_particular() -> None:
    some = _two_camps()
    stranger = _fitted(some).query(some.history(np.array([3, 999])), np.zeros((2, 0)))
    assert stranger[0].any()
    np.testing.assert_array_equal(stranger[1], 0.0)


def test_the_same_history_gives_the_same_bytes() -> None:
    some = _two_camps()
    assert _fitted(some).vectors.tobytes() == _fitted(some).vectors.tobytes()
    other = FactorParams(n_factors=4, ridge=0.3, confidence=2.0, seed=2)
    assert _fitted(some, other).vectors.tobytes() != _fitted(some).vectors.tobytes()


def test_a_user_is_solved_the_same_alone_as_among_others() -> None:
    some = _two_camps()
    towers = _fitted(some)
    together = towers.query(some.everybody(), np.zeros((60, 0)))
    alone = towers.query(some.history(np.array([17])), np.zeros((1, 0)))
    np.testing.assert_array_equal(alone[0], together[17])


def test_nothing_is_fitted_to_nothing() -> None:
    towers = _fitted(Interactions.none(n_items=3))
    np.testing.assert_array_equal(towers.vectors, 0.0)
    some = Interactions.none(n_items=3).history(np.array([1, 2]))
    np.testing.assert_array_equal(towers.query(some, np.zeros((2, 0))), 0.0)


def test_preferences_stand_for_chances() -> None:
    towers = CollaborativeTowers(1)
    np.testing.assert_array_equal(towers.chance(np.array([-0.2, 0.4, 1.1])), [0.0, 0.4, 1.0])


def test_a_state_comes_back_and_another_is_refused() -> None:
    some = _two_camps()
    towers, other = _fitted(some), CollaborativeTowers(10, _PARAMS)
    other.load(towers.state())
    asked = some.history(np.array([3, 999]))
    for name, array in towers.state().items():
        assert other.state()[name].tobytes() == array.tobytes()
    context = np.zeros((2, 0))
    assert other.query(asked, context).tobytes() == towers.query(asked, context).tobytes()
    with pytest.raises(BadShapeError, match=r"expected saved towers\.vectors"):
        CollaborativeTowers(10).load(towers.state())


@pytest.mark.parametrize(
    "wrong", [{"n_factors": 0}, {"n_rounds": 0}, {"ridge": 0.0}, {"confidence": np.inf}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected n_factors and n_rounds of at least 1"):
        FactorParams(**wrong)  # type: ignore[arg-type]
