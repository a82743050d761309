"""A bag: which rows its replicates learn, how far they spread, what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, StateError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.bag import Bag, BagParams
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.roles import RewardModel
from policies.shape import PolicyShape


def _bag(shape: PolicyShape, scheme: RewardScheme, **params: int) -> Bag:
    return Bag(
        lambda: LinearModel(shape, scheme, HeadParams(noise_rows=np.inf)), BagParams(**params)
    )


def _rows(model: RewardModel) -> float:
    assert isinstance(model, LinearModel)
    return float(model.head.n_seen[0])


def test_every_replicate_learns_about_half_of_the_rows_and_none_the_same(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """1,000 coins: 500 ± 4 standard deviations of 16."""
    bag = _bag(small_shape, hits, n_replicates=6)
    assert isinstance(bag, RewardModel)
    bag.update(feedback_of(small_shape, 1000, hits))
    counts = [_rows(model) for model in bag.replicates]
    assert _rows(bag.whole) == 1000
    assert all(436 <= n <= 564 for n in counts)
    moments = [m.state()["moment"].tobytes() for m in bag.replicates]
    assert len(set(moments)) == 6


def test_coins_hang_on_ids_and_seed_alone(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    one, same, other = (_bag(small_shape, hits, n_replicates=3, seed=s) for s in (1, 1, 2))
    for bag in (one, same, other):
        bag.update(feedback_of(small_shape, 100, hits))
    assert [_rows(m) for m in one.replicates] == [_rows(m) for m in same.replicates]
    assert [_rows(m) for m in one.replicates] != [_rows(m) for m in other.replicates]


def test_replicates_spread_as_far_as_the_posterior_does(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Noise of known size 1 over 3,000 rows: the ratio of standard deviations is 1 within .1."""
    bag = _bag(small_shape, hits, n_replicates=300)
    bag.update(feedback_of(small_shape, 3000, hits))
    asked = request_of(small_shape, 20)
    ratio = bag.spreads(asked)[:, 1:] / bag.whole.spreads(asked)[:, 1:]
    assert ratio.mean() == pytest.approx(1.0, abs=0.1)
    drawn = np.concatenate([d for _, d in bag.draws(asked, 0, n_draws=1, scale=1.0)])
    np.testing.assert_allclose(bag.spreads(asked), drawn.std(axis=1, ddof=1), rtol=1e-9)


def test_scale_moves_replicates_away_from_the_model_of_all_rows(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    bag = _bag(small_shape, hits, n_replicates=4)
    bag.update(feedback_of(small_shape, 50, hits))
    asked = request_of(small_shape, 3)
    (_, once), (_, twice) = (next(bag.draws(asked, 0, n_draws=1, scale=s)) for s in (1.0, 2.0))
    centre = bag.values(asked)[:, None]
    np.testing.assert_allclose(twice - centre, 2 * (once - centre), atol=1e-12)
    greedy = bag.best_shares(asked, 0, n_draws=1, scale=0.0)
    np.testing.assert_array_equal(greedy.argmax(axis=1), bag.values(asked).argmax(axis=1))


def test_a_bad_batch_changes_no_replicate(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Rows learned twice, revisions of unknown rows, and NaN in a row that some coins leave out."""
    bag = _bag(small_shape, hits, n_replicates=4)
    bag.update(feedback_of(small_shape, 20, hits, maturity=np.full((20, 1), 0.5)))
    before = {name: array.tobytes() for name, array in bag.state().items()}
    broken = feedback_of(small_shape, 20, hits, first_id=100)
    broken.context[3, 0] = np.nan
    with pytest.raises(BadInputError, match="expected finite context"):
        bag.update(broken)
    with pytest.raises(StateError, match="learned once"):
        bag.update(feedback_of(small_shape, 20, hits))
    with pytest.raises(StateError, match="revisions of open rows"):
        bag.revise(feedback_of(small_shape, 20, hits, first_id=10))
    assert {name: array.tobytes() for name, array in bag.state().items()} == before


def test_a_state_of_fewer_replicates_is_refused(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    bag = _bag(small_shape, hits, n_replicates=4)
    with pytest.raises(BadInputError, match=r"got none called \['replicate3\."):
        bag.load(_bag(small_shape, hits, n_replicates=3).state())
    with pytest.raises(BadInputError, match="n_replicates of at least 2, got 1"):
        BagParams(n_replicates=1)
