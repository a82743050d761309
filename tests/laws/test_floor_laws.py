"""Laws of the exploration floor, for pmfs of any skew, any mask and any floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bandit.decide import draw_actions
from bandit.floor import Floor, apply_floor, check_pmf

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One row: q over hold and K × S sends, what is eligible, and a floor."""

    pmf: Array  # (A,)
    mask: NDArray[np.bool_]  # (A,)
    n_slots: int
    floor: Floor

    def floored(self, pmf: Array | None = None) -> Array:
        q = self.pmf if pmf is None else pmf
        check_pmf(q[None], self.mask[None])
        return apply_floor(q[None], self.mask[None], n_slots=self.n_slots, floor=self.floor)[0]

    def pairs(self, row: NDArray[np.generic]) -> NDArray[np.generic]:
        return row[1:].reshape(-1, self.n_slots)


@st.composite
def cases(draw: st.DrawFn, *, is_full: bool = False) -> Case:
    """Probabilities between 1e-300 and one; at least one action that may be taken."""
    n_items, n_slots = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    n_actions = 1 + n_items * n_slots
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = np.ones(n_actions, np.bool_)
    if not is_full:
        mask = rng.random(n_actions) < draw(st.sampled_from([0.1, 0.5, 0.9]))
        mask[draw(st.integers(0, n_actions - 1))] = True
    weights = 10.0 ** (-draw(st.sampled_from([0.0, 3.0, 300.0])) * rng.random(n_actions)) * mask
    share = st.floats(0.0, 1.0)
    hold = draw(share)
    send = (1.0 - hold) * draw(share)
    floor = Floor(hold=hold, send=min(send, 1.0 - hold), item=draw(share), slot=draw(share))
    return Case(pmf=weights / weights.sum(), mask=mask, n_slots=n_slots, floor=floor)


@settings(deadline=None)
@given(cases())
def test_what_leaves_is_a_distribution_over_what_may_be_taken(case: Case) -> None:
    found = case.floored()
    check_pmf(found[None], case.mask[None])
    np.testing.assert_allclose(found.sum(), 1.0, atol=1e-14)


@settings(deadline=None)
@given(cases())
def test_hold_and_send_keep_their_least_probabilities(case: Case) -> None:
    """Where both are possible; where only one is, it is certain."""
    hold = case.floored()[0]
    if case.mask[0] and case.mask[1:].any():
        assert case.floor.hold - 1e-15 <= hold <= 1.0 - case.floor.send + 1e-15
    else:
        assert hold == float(case.mask[0])


@settings(deadline=None)
@given(cases())
def test_a_pair_has_at_least_each_part_of_the_mixture(case: Case) -> None:
    """The policy's pair, its item at any slot, its slot with any item, and any pair."""
    eligible = case.pairs(case.mask)
    sends, total = case.pairs(case.pmf), case.pmf[1:].sum()
    if not eligible.any() or total == 0.0:
        return
    given_send, floor = sends / total, case.floor
    found = case.floored()
    by_item = given_send.sum(axis=1) / np.maximum(eligible.sum(axis=1), 1)
    by_slot = given_send.sum(axis=0) / np.maximum(eligible.sum(axis=0), 1)
    parts = (
        (1 - floor.item) * (1 - floor.slot) * given_send,
        (1 - floor.item) * floor.slot * by_item[:, None],
        floor.item * (1 - floor.slot) * by_slot[None, :],
        floor.item * floor.slot / eligible.sum(),
    )
    for part in parts:
        least = (1 - found[0]) * np.broadcast_to(part, eligible.shape)[eligible]
        assert (case.pairs(found)[eligible] >= least * (1 - 1e-12)).all()


@settings(deadline=None)
@given(cases(is_full=True))
def test_items_and_slots_are_moved_towards_the_uniform_by_their_own_share(case: Case) -> None:
    """Where all may be taken P(k | send) = (1−ε_i)·r_K(k) + ε_i / K, and slots alike."""
    total = case.pmf[1:].sum()
    found, floor = case.floored(), case.floor
    if total == 0.0 or found[0] == 1.0:
        return
    given_send, moved = case.pairs(case.pmf) / total, case.pairs(found) / (1 - found[0])
    for axis, share in ((1, floor.item), (0, floor.slot)):
        of_policy = given_send.sum(axis=axis)
        wanted = (1 - share) * of_policy + share / len(of_policy)
        np.testing.assert_allclose(moved.sum(axis=axis), wanted, rtol=1e-9, atol=1e-15)


@settings(deadline=None)
@given(cases(), st.floats(0.0, 1.0))
def test_a_policy_that_holds_more_never_holds_less(case: Case, more: float) -> None:
    """And what it sends, given that it sends, stays what it was."""
    if not case.mask[0] or case.pmf[1:].sum() == 0.0 or more == 1.0:
        return
    moved = case.pmf * (1 - more)
    moved[0] += more
    before, after = case.floored(), case.floored(moved)
    assert after[0] >= before[0] - 1e-15
    if moved[1:].sum() > 1e-9 and before[0] < 1.0 and after[0] < 1.0:
        given_before, given_after = before[1:] / (1 - before[0]), after[1:] / (1 - after[0])
        np.testing.assert_allclose(given_after, given_before, rtol=1e-6, atol=1e-15)


@settings(deadline=None)
@given(cases(is_full=True))
def test_an_item_that_is_preferred_at_every_slot_stays_preferred(case: Case) -> None:
    sends, found = case.pairs(case.pmf), case.pairs(case.floored())
    for better in range(len(sends)):
        for worse in range(len(sends)):
            if (sends[better] >= sends[worse]).all():
                assert (found[better] >= found[worse] * (1 - 1e-12)).all()


@settings(deadline=None)
@given(cases(), st.integers(0, 2**32 - 1))
def test_the_order_of_items_and_slots_does_not_matter(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    actions = case.pairs(np.arange(len(case.pmf)))
    turned = rng.permutation(rng.permutation(actions), axis=1)
    order = np.concatenate([[0], turned.ravel()])
    moved = Case(pmf=case.pmf[order], mask=case.mask[order], n_slots=case.n_slots, floor=case.floor)
    np.testing.assert_allclose(moved.floored(), case.floored()[order], rtol=1e-9, atol=1e-15)


@settings(deadline=None)
@given(cases(), st.integers(0, 2**63 - 1))
def test_what_is_drawn_has_a_propensity_above_zero(case: Case, key: int) -> None:
    """However small the others are; a stored pmf draws the same again."""
    pmf = np.tile(case.floored(), (50, 1))
    drawn = draw_actions(pmf, np.arange(50), key=key)
    assert (pmf[np.arange(50), drawn] > 0).all()
    np.testing.assert_array_equal(draw_actions(pmf.copy(), np.arange(50), key=key), drawn)
