from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bandit.errors import BadInputError
from bandit.ope import intervals
from bandit.ope.intervals import (
    bootstrap,
    cluster_sums,
    clustered,
    clustered_error,
    normal,
    normal_error,
)


def test_clusters_of_one_row_are_the_normal_interval() -> None:
    """Up to the degrees of freedom; and repeated rows widen the clustered one alone."""
    terms = np.random.default_rng(2).normal(size=500)
    each = np.arange(500)
    assert clustered_error(terms, each) == pytest.approx(float(normal_error(terms)), rel=1e-9)
    fourfold = np.repeat(terms, 4)
    same = clustered_error(fourfold, np.repeat(each, 4))
    assert same == pytest.approx(float(normal_error(terms)), rel=1e-9)
    assert normal_error(fourfold) == pytest.approx(float(normal_error(terms)) / 2, rel=0.01)


def test_the_order_of_rows_does_not_matter() -> None:
    """Clusters may lie in pieces."""
    rng = np.random.default_rng(3)
    terms, users = rng.normal(size=400), rng.integers(60, size=400)
    order = rng.permutation(400)
    assert clustered_error(terms[order], users[order]) == pytest.approx(
        float(clustered_error(terms, users))
    )


def test_the_bootstrap_agrees_with_the_clustered_interval_and_repeats_by_key() -> None:
    """Whole users resampled; within a tenth of the width."""
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(400), 5)
    terms = rng.normal(size=400)[users] + rng.normal(size=2000)
    low, high = bootstrap(terms, users, key=5, n_resamples=2000)
    assert (low, high) == bootstrap(terms, users, key=5, n_resamples=2000)
    lower, upper = clustered(terms, users)
    width = float(upper - lower)
    assert abs(low - float(lower)) < 0.1 * width
    assert abs(high - float(upper)) < 0.1 * width


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.32])
def test_the_normal_interval_is_scipys(alpha: float) -> None:
    """Mean ± z·s/√n with the sample deviation."""
    terms = np.random.default_rng(1).gamma(0.3, 2.0, 400)
    expected = stats.norm.interval(1 - alpha, loc=terms.mean(), scale=stats.sem(terms))
    assert normal(terms, alpha=alpha) == pytest.approx(expected, rel=1e-12)


def test_the_clustered_error_by_hand() -> None:
    """Three users, five rows: √(C/(C − 1) · Σ(sums of deviations)²) / n."""
    terms, users = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0, 0, 1, 1, 2])
    sums = np.array([-2 - 1, 0 + 1, 2])
    expected = np.sqrt(3 / 2 * (sums**2).sum()) / 5
    assert clustered_error(terms, users) == pytest.approx(expected)


@given(st.integers(0, 1000), st.integers(2, 60), st.sampled_from([0.01, 0.05, 0.3]))
def test_users_of_one_row_each_are_the_one_sample_t_interval(
    seed: int, n: int, alpha: float
) -> None:
    """Exactly, at any number of rows: √(n/(n − 1)) is the sample deviation's."""
    terms = np.random.default_rng(seed).normal(size=n)
    users = np.random.default_rng(seed).permutation(n)
    expected = stats.ttest_1samp(terms, 0.0).confidence_interval(1 - alpha)
    np.testing.assert_allclose(
        clustered(terms, users, alpha=alpha), expected, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(clustered_error(terms, users), normal_error(terms), rtol=1e-9)


def test_intervals_of_few_users_cover_as_often_as_they_say() -> None:
    """Eight users × 20 rows, 4,000 logs; 1.96 errors would hold the truth in 91 %."""
    rng = np.random.default_rng(9)
    users = np.repeat(np.arange(8), 20)
    terms = rng.normal(size=(4000, 8))[:, users] + rng.normal(size=(4000, 160))
    low, high = clustered(terms, users)
    covered = int(((low <= 0) & (high >= 0)).sum())
    least, most = stats.binom.interval(0.999, 4000, 0.95)
    assert least <= covered <= most
    reach = 1.96 * clustered_error(terms, users)
    assert (np.abs(terms.mean(axis=1)) <= reach).mean() < 0.93


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    terms, users = np.arange(6.0), np.arange(6)
    for interval in (
        lambda: normal(terms, alpha=alpha),
        lambda: clustered(terms, users, alpha=alpha),
        lambda: bootstrap(terms, users, key=1, n_resamples=9, alpha=alpha),
    ):
        with pytest.raises(BadInputError, match="alpha"):
            interval()
    with pytest.raises(BadInputError, match="one resample, got 0"):
        bootstrap(terms, users, key=1, n_resamples=0)


def test_the_bootstrap_of_many_users_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some resamples at a time: the same numbers, and a bounded peak."""
    rng = np.random.default_rng(10)
    terms, users = rng.normal(size=400), np.repeat(np.arange(100), 4)
    whole = bootstrap(terms, users, key=1, n_resamples=50)
    monkeypatch.setattr(intervals, "_CHUNK_CELLS", 300)
    assert bootstrap(terms, users, key=1, n_resamples=50) == pytest.approx(whole, rel=1e-12)
    monkeypatch.undo()
    many = rng.normal(size=200_000)
    tracemalloc.start()
    bootstrap(many, np.arange(200_000), key=1, n_resamples=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Counts and their copy as floats, 4 M cells each; all 60 at once would be 192 MB.
    assert peak < 100e6


def test_clusters_of_unsigned_ids_are_clusters() -> None:
    """Differences of unsigned ids are never negative; their order is what counts."""
    rng = np.random.default_rng(11)
    terms, users = rng.normal(size=90), rng.integers(0, 12, size=90)
    unsigned = users.astype(np.uint64)
    np.testing.assert_array_equal(cluster_sums(terms, unsigned), cluster_sums(terms, users))


def test_one_user_is_no_certainty() -> None:
    """Deviations of one user sum to zero: an interval of no width would say all is known."""
    terms = np.random.default_rng(3).normal(size=50)
    with pytest.raises(BadInputError, match="two users"):
        clustered(terms, np.zeros(50, np.int64))
    with pytest.raises(BadInputError, match="two users"):
        bootstrap(terms, np.zeros(50, np.int64), key=1)


def test_sums_of_clusters_are_what_a_plain_loop_says() -> None:
    """In ascending order of user, on a leading axis too, users in pieces or not."""
    rng = np.random.default_rng(4)
    terms, users = rng.normal(size=(2, 90)), rng.integers(-5, 12, size=90)
    for order in (np.arange(90), np.argsort(users)):
        expected = [terms[:, users == user].sum(axis=1) for user in np.unique(users)]
        found = cluster_sums(terms[:, order], users[order])
        np.testing.assert_allclose(found, np.array(expected).T, atol=1e-12)


def test_every_redraw_has_its_own_interval() -> None:
    rng = np.random.default_rng(5)
    terms, users = rng.normal(size=(4, 120)), rng.integers(30, size=120)
    together = np.array([*normal(terms), *clustered(terms, users)])
    for n in range(4):
        alone = [*normal(terms[n]), *clustered(terms[n], users)]
        np.testing.assert_allclose(together[:, n], alone, rtol=1e-12)


def test_more_data_is_tighter_and_a_lower_level_too() -> None:
    """T7: width falls with the root of the rows and with alpha."""
    terms = np.random.default_rng(6).random(40_000)
    width = {n: float(np.diff(normal(terms[:n]))[0]) for n in (400, 4000, 40_000)}
    assert width[400] > width[4000] > width[40_000]
    assert width[400] / width[40_000] == pytest.approx(10, rel=0.1)
    wide, narrow = (float(np.diff(normal(terms, alpha=a))[0]) for a in (0.01, 0.2))
    assert wide > narrow


def test_the_bootstrap_is_the_binomials_where_that_is_known() -> None:
    """Ones and noughts of users of one row: percentiles of the resampled mean are a binomial's."""
    terms = (np.arange(200) % 10 < 3) * 1.0
    found = bootstrap(terms, np.arange(200), key=3, n_resamples=20_000)
    expected = stats.binom.ppf([0.025, 0.975], 200, 0.3) / 200
    assert found == pytest.approx(expected, abs=0.0051)


def test_the_bootstrap_hangs_on_its_key_and_on_nothing_else() -> None:
    """Another key, another draw; the order of rows, a user's number, the global seed: none."""
    rng = np.random.default_rng(7)
    terms, users = rng.normal(size=300), np.sort(rng.integers(50, size=300))
    found = bootstrap(terms, users, key=1, n_resamples=300)
    assert found != bootstrap(terms, users, key=2, n_resamples=300)
    assert found == bootstrap(terms, users * 7 - 100, key=1, n_resamples=300)
    order = rng.permutation(300)
    assert found == pytest.approx(bootstrap(terms[order], users[order], key=1, n_resamples=300))


def test_users_who_repeat_themselves_are_covered_by_clustered_intervals_alone() -> None:
    """400 small logs of 60 users × 8 rows: the normal interval is wrong, the clustered right."""
    rng = np.random.default_rng(8)
    habit = rng.normal(size=(400, 60))
    terms = np.repeat(habit, 8, axis=1) + 0.5 * rng.normal(size=(400, 480))
    users = np.repeat(np.arange(60), 8)
    share = {}
    for name, (low, high) in {
        "normal": normal(terms),
        "clustered": clustered(terms, users),
    }.items():
        share[name] = float(((low <= 0) & (high >= 0)).mean())
    assert share["normal"] < 0.7
    low, high = stats.binom.interval(0.999, 400, 0.95)
    assert low <= 400 * share["clustered"] <= high
