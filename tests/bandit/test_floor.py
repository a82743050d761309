from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.errors import BadInputError, BadPmfError, BadShapeError
from bandit.floor import NO_FLOOR, Floor, apply_floor, check_pmf

N_ITEMS, N_SLOTS = 4, 3


def by_the_book(pmf: np.ndarray, mask: np.ndarray, floor: Floor) -> np.ndarray:
    """DESIGN §4, one row, entry by entry."""
    r = pmf[1:].reshape(N_ITEMS, N_SLOTS)
    eligible = mask[1:].reshape(N_ITEMS, N_SLOTS)
    if mask[0] and eligible.any():
        hold = min(max(pmf[0], floor.hold), 1 - floor.send)
    else:
        hold = 1.0 if mask[0] else 0.0
    out = np.zeros(1 + N_ITEMS * N_SLOTS)
    out[0] = hold
    r = r / (1 - pmf[0]) if pmf[0] < 1 else eligible / max(eligible.sum(), 1)
    for k in range(N_ITEMS):
        for s in range(N_SLOTS):
            if not eligible[k, s]:
                continue
            p = (1 - floor.item) * (1 - floor.slot) * r[k, s]
            p += (1 - floor.item) * floor.slot * r[k].sum() / eligible[k].sum()
            p += floor.item * (1 - floor.slot) * r[:, s].sum() / eligible[:, s].sum()
            p += floor.item * floor.slot / eligible.sum()
            out[1 + k * N_SLOTS + s] = (1 - hold) * p
    return out


def drawn_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random mask with something allowed, and a random pmf over it, sometimes never sending."""
    rng = np.random.default_rng(seed)
    mask = rng.random(1 + N_ITEMS * N_SLOTS) < rng.choice([0.3, 0.7, 1.0])
    if not mask.any():
        mask[rng.integers(len(mask))] = True
    weights = rng.random(len(mask)) ** 3 * mask
    if mask[0] and rng.random() < 0.2:
        weights[1:] = 0
    if not weights.any():
        weights = mask * 1.0
    return weights / weights.sum(), mask


shares = st.floats(0.0, 0.5)
floors = st.builds(Floor, hold=shares, send=shares, item=shares, slot=shares)


@settings(max_examples=300)
@given(st.integers(0, 10_000), floors)
def test_the_floor_is_the_formula(seed: int, floor: Floor) -> None:
    """Against the definition, entry by entry, for any mask, pmf and floor."""
    pmf, mask = drawn_case(seed)
    found = apply_floor(pmf[None], mask[None], n_slots=N_SLOTS, floor=floor)[0]
    np.testing.assert_allclose(found, by_the_book(pmf, mask, floor), atol=1e-12)


@settings(max_examples=300)
@given(st.integers(0, 10_000), floors)
def test_what_leaves_is_a_distribution_over_what_may_be_taken(seed: int, floor: Floor) -> None:
    """Sums to one, nothing on masked actions, holds and sends as often as the floor asks."""
    pmf, mask = drawn_case(seed)
    found = apply_floor(pmf[None], mask[None], n_slots=N_SLOTS, floor=floor)[0]
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found[~mask] == 0).all()
    if mask[0] and mask[1:].any():
        assert floor.hold - 1e-12 <= found[0] <= 1 - floor.send + 1e-12


@given(st.integers(0, 10_000))
def test_every_eligible_pair_keeps_its_share(seed: int) -> None:
    """At least ε_i·ε_s of the sends over the eligible pairs: full support, by law."""
    pmf, mask = drawn_case(seed)
    floor = Floor()
    found = apply_floor(pmf[None], mask[None], n_slots=N_SLOTS, floor=floor)[0]
    pairs = mask[1:]
    if pairs.any():
        least = (1 - found[0]) * floor.item * floor.slot / pairs.sum()
        assert (found[1:][pairs] >= least - 1e-15).all()


@given(st.integers(0, 10_000))
def test_no_floor_leaves_a_pmf_as_it_is(seed: int) -> None:
    """Up to rounding."""
    pmf, mask = drawn_case(seed)
    found = apply_floor(pmf[None], mask[None], n_slots=N_SLOTS, floor=NO_FLOOR)[0]
    np.testing.assert_allclose(found, pmf, atol=1e-14)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6))
def test_a_row_does_not_depend_on_its_batch(seeds: list[int]) -> None:
    """Rows together are the rows alone."""
    cases = [drawn_case(seed) for seed in seeds]
    pmf, mask = (np.stack(part) for part in zip(*cases, strict=True))
    together = apply_floor(pmf, mask, n_slots=N_SLOTS, floor=Floor())
    for row in range(len(seeds)):
        alone = apply_floor(pmf[[row]], mask[[row]], n_slots=N_SLOTS, floor=Floor())[0]
        np.testing.assert_allclose(together[row], alone, rtol=1e-12)


def test_many_rows_are_each_the_formula() -> None:
    """More rows than are worked on at once, the last of them alone."""
    pmf, mask = (np.stack(part) for part in zip(*map(drawn_case, range(129)), strict=True))
    found = apply_floor(pmf, mask, n_slots=N_SLOTS, floor=Floor())
    for row in range(129):
        np.testing.assert_allclose(
            found[row], by_the_book(pmf[row], mask[row], Floor()), atol=1e-12
        )


def test_a_perfect_policy_keeps_about_nine_tenths_of_its_sends() -> None:
    """DESIGN §4: the floor's price; with 60 items and 6 windows .95·(.95 + .05/60)·(…) ≈ .86."""
    pmf = np.zeros((1, 361))
    pmf[0, 7] = 1.0
    found = apply_floor(pmf, np.ones((1, 361), np.bool_), n_slots=6, floor=Floor())
    assert found[0, 7] == pytest.approx(0.95 * (0.95 + 0.05 / 60) * (0.95 + 0.05 / 6), rel=1e-9)


@pytest.mark.parametrize(
    ("pmf", "mask", "says"),
    [
        ([0.5, 0.4], [True, True], "sum to 1 within 1e-09, got 0.9 in row 0: normalise"),
        ([0.5, 0.5], [True, False], "masked"),
        ([1.5, -0.5], [True, True], "at least 0"),
        ([np.nan, 1.0], [True, True], "finite"),
        ([0.0, 0.0], [False, False], "every action of that row masked"),
    ],
)
def test_what_is_no_distribution_is_refused(pmf: list[float], mask: list[bool], says: str) -> None:
    """Each fault by name, with where it is."""
    with pytest.raises(BadPmfError, match=says):
        check_pmf(np.array([pmf]), np.array([mask]))


def test_a_pmf_without_its_hold_column_is_refused() -> None:
    """The commonest mistake gets its own hint."""
    with pytest.raises(BadShapeError, match="hold column"):
        check_pmf(np.ones((1, 6)) / 6, np.ones((1, 7), np.bool_))


@pytest.mark.parametrize("bad", [{"hold": -0.1}, {"item": 1.1}, {"hold": 0.6, "send": 0.6}])
def test_an_impossible_floor_is_refused(bad: dict[str, float]) -> None:
    """Shares are probabilities and leave room for each other."""
    with pytest.raises(BadInputError, match="floor"):
        Floor(**bad)
