from __future__ import annotations

import doctest
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.actions import Observation
from bandit.errors import BadInputError, BadShapeError
from bandit.protocols import Candidates
from policies.candidates import merged as module
from policies.candidates.interactions import Interactions
from policies.candidates.merged import Merged, Part, merge
from policies.candidates.popular import PopularTowers
from policies.candidates.proposals import Proposals
from policies.candidates.retrieval import Retrieval

Observe = Callable[..., Observation]


def test_the_example_runs() -> None:
    assert doctest.testmod(module).failed == 0


def _listed(name: str, rows: np.ndarray) -> Proposals:
    scores = np.where(rows >= 0, 100.0 * len(name) - np.arange(rows.shape[1]), -np.inf)
    return Proposals(items=rows, scores=scores, source=np.where(rows >= 0, 0, -1), sources=(name,))


def _slowly(rows: list[list[int]], quotas: list[int], n_items: int) -> list[tuple[int, int]]:
    """One row of a merge as one would write it: items with their sources."""
    chosen: dict[int, int] = {}
    for code, (items, quota) in enumerate(zip(rows, quotas, strict=True)):
        fresh = [item for item in items if item >= 0 and item not in chosen]
        chosen |= dict.fromkeys(fresh[: min(quota, n_items - len(chosen))], code)
    width = max((len(items) for items in rows[:-1]), default=0)
    turns = [
        (items[place], code)
        for place in range(width)
        for code, items in enumerate(rows[:-1])
        if place < len(items)
    ]
    turns += [(item, len(rows) - 1) for item in rows[-1]]
    for item, code in turns:
        if item >= 0 and item not in chosen and len(chosen) < n_items:
            chosen[item] = code
    return list(chosen.items())


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    n_items=st.integers(1, 8),
)
def test_it_merges_as_a_loop_over_rows_would(seed: int, widths: list[int], n_items: int) -> None:
    """Few items, so that lists overlap; lists of unlike length, with holes at their ends."""
    rng = np.random.default_rng(seed)
    tables = []
    for width in widths:
        table = np.argsort(rng.random((5, 9)), axis=1)[:, :width]
        table[np.arange(width) >= rng.integers(0, width + 1, (5, 1))] = -1
        tables.append(table)
    quotas = rng.multinomial(n_items, np.ones(len(widths)) / len(widths)).tolist()
    quotas[-1] = 0
    lists = [_listed("x" * (i + 1), table) for i, table in enumerate(tables)]
    short = merge(lists, quotas=quotas, n_items=n_items)
    for row in range(5):
        expected = _slowly([t[row].tolist() for t in tables], quotas, n_items)
        n = len(expected)
        assert list(zip(short.items[row, :n], short.source[row, :n], strict=True)) == expected
        assert (short.items[row, n:] == -1).all()
        assert (short.source[row, n:] == -1).all()
        for item, code, score in zip(
            short.items[row, :n], short.source[row, :n], short.scores[row, :n], strict=True
        ):
            where = tables[code][row].tolist().index(item)
            assert score == lists[code].scores[row, where]


def test_every_source_gets_its_quota_where_it_has_enough() -> None:
    """The same ten items in three lists: none is named twice, and all get theirs."""
    rows = np.tile(np.arange(10), (2, 1))
    lists = [_listed("a", rows), _listed("bb", rows[:, ::-1]), _listed("ccc", rows)]
    short = merge(lists, quotas=[3, 4, 0], n_items=8)
    for row in range(2):
        assert np.bincount(short.source[row], minlength=3).tolist() == [4, 4, 0]
        assert len(set(short.items[row].tolist())) == 8


def test_lists_that_do_not_belong_together_are_refused() -> None:
    one, two = _listed("a", np.zeros((1, 1), np.int64)), _listed("b", np.zeros((2, 1), np.int64))
    for lists, quotas in (([one, two], [1, 0]), ([one, one], [1])):
        with pytest.raises(BadShapeError, match="expected a quota for each list"):
            merge(lists, quotas=quotas, n_items=1)


def _popular(*shares: float, name: str = "popular") -> Retrieval:
    towers = PopularTowers(len(shares))
    towers.name = name  # type: ignore[misc]
    made = Retrieval(towers=towers, interactions=Interactions.none(n_items=len(shares)))
    made.refit()
    towers.vectors[:, 0] = shares
    return made


def test_a_short_list_tells_features_scores_and_source(observed: Observe) -> None:
    """One place for the item that A likes best, one for B's, one filled up."""
    a, b = _popular(0.1, 0.2, 0.7, 0.0, name="a"), _popular(0.0, 0.1, 0.8, 0.1, name="b")
    candidates = Merged(
        parts=(Part(generator=a, quota=1), Part(generator=b, quota=1)),
        filler=_popular(0.4, 0.3, 0.2, 0.1),
        n_items=4,
        item_features=np.arange(4.0)[:, None],
    )
    assert isinstance(candidates, Candidates)
    asked = observed([0, 1])
    listed, short = candidates(asked), candidates.merge(asked)
    np.testing.assert_array_equal(listed.items, [[2, 1, 0, 3]] * 2)
    np.testing.assert_array_equal(short.source, [[0, 1, 0, 1]] * 2)
    np.testing.assert_array_equal(short.scores, [[0.7, 0.1, 0.1, 0.1]] * 2)
    assert short.sources == ("a", "b", "popular")
    np.testing.assert_array_equal(
        listed.features[0], [[2, 0.7, 0.8], [1, 0.2, 0.1], [0, 0.1, 0.0], [3, 0.0, 0.1]]
    )
    assert listed.source == "a:1+b:1+popular"


def test_a_row_that_even_the_filler_cannot_fill_is_refused(observed: Observe) -> None:
    candidates = Merged(
        parts=(), filler=_popular(0.5, 0.5), n_items=3, item_features=np.zeros((2, 0))
    )
    with pytest.raises(BadInputError, match="expected 3 candidates in every row, found 2 in row 0"):
        candidates(observed([0]))


@pytest.mark.parametrize(("quota", "n_items"), [(-1, 2), (3, 2), (0, 0)])
def test_quotas_that_do_not_fit_are_refused(quota: int, n_items: int) -> None:
    with pytest.raises(BadInputError, match="expected quotas of at least 0 that fit into"):
        Merged(
            parts=(Part(generator=_popular(1.0), quota=quota),),
            filler=_popular(1.0),
            n_items=n_items,
            item_features=np.zeros((1, 0)),
        )
