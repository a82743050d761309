"""Laws of the linear head, over anything hypothesis can think of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.floor import check_pmf
from policies.models.linear_math import (
    best_shares,
    factor_of_covariance,
    moments_of,
    pair_scores,
    pair_variances,
    posterior_mean,
)
from policies.models.open_rows import OpenRows


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.integers(1, most) for most in (4, 5, 4, 3, 3)]),
)
def test_factored_scores_and_widths_equal_materialised_ones(
    seed: int, lengths: tuple[int, int, int, int, int]
) -> None:
    n, k, s, d_item, d_slot = lengths
    rng = np.random.default_rng(seed)
    item, slot = rng.normal(size=(n, k, d_item)), rng.normal(size=(n, s, d_slot))
    p = d_item * d_slot
    theta, root = rng.normal(size=(3, p)), rng.normal(size=(p, p))
    zeta = np.einsum("nki,nsj->nksij", item, slot).reshape(n, k * s, p)
    scores = pair_scores(item, slot, theta[0])
    np.testing.assert_allclose(scores, zeta @ theta[0], rtol=1e-10, atol=1e-12)
    widths = pair_variances(item, slot, root @ root.T)
    np.testing.assert_allclose(widths, ((zeta @ root) ** 2).sum(axis=2), rtol=1e-8, atol=1e-10)
    mask = np.ones((n, 1 + k * s), np.bool_)
    shares = best_shares(item, slot, theta, send_value=0.0, mask=mask)
    check_pmf(shares, mask)
    np.testing.assert_allclose(shares * 3, np.round(shares * 3), atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 6), st.integers(0, 60))
def test_a_batch_split_anywhere_is_the_same_batch(seed: int, n: int, p: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    phi, y, w = rng.normal(size=(n, p)), rng.normal(size=(n, 2)), rng.random((n, 2))
    whole = moments_of(phi, y, w)
    first, rest = moments_of(phi[:cut], y[:cut], w[:cut]), moments_of(phi[cut:], y[cut:], w[cut:])
    for part, other, together in zip(first, rest, whole, strict=True):
        np.testing.assert_allclose(part + other, together, rtol=1e-10, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6), st.floats(1e-3, 1e3))
def test_posteriors_contract_with_rows_and_solve_their_equations(
    seed: int, n: int, p: int, prior: float
) -> None:
    """Never wider than the prior in any direction of ζ, and exact to rounding."""
    rng = np.random.default_rng(seed)
    phi, y = rng.normal(size=(n, p)), rng.normal(size=(n, 1))
    data, moment = moments_of(phi, y, np.ones((n, 1)))
    precision = data[0] + prior * np.eye(p)
    factor = factor_of_covariance(data[0], prior=prior)
    mean = posterior_mean(factor, moment[0])
    np.testing.assert_allclose(precision @ mean, moment[0], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(precision @ factor @ factor.T, np.eye(p), atol=1e-7)
    # Relative: at 1 / prior = 100 an absolute 1e-12 would be less than one rounding.
    assert np.linalg.norm(factor, 2) ** 2 <= (1 + 1e-9) / prior


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_open_rows_are_a_dictionary_whatever_comes_and_goes(data: st.DataObject) -> None:
    """Adds, overwrites, drops and reloads in any order, beside a plain dictionary."""
    rows, known = OpenRows({"features": 2, "weight": 1}), dict[int, tuple[float, float]]()
    ids = st.lists(st.integers(0, 40), unique=True, max_size=9)
    for _ in range(data.draw(st.integers(1, 12))):
        some = np.array(data.draw(ids), np.int64)
        new, old = some[[i not in known for i in some]], some[[i in known for i in some]]
        if data.draw(st.booleans()):
            value = data.draw(st.floats(-1e6, 1e6))
            features = np.stack([new, new + value], axis=1)
            rows.add(new, {"features": features, "weight": np.full((len(new), 1), value)})
            known |= {int(i): (float(i) + value, value) for i in new}
        elif data.draw(st.booleans()):
            rows.put("weight", rows.positions(old), np.ones((len(old), 1)))
            known |= {int(i): (known[int(i)][0], 1.0) for i in old}
        else:
            rows.drop(rows.positions(old))
            known = {i: row for i, row in known.items() if i not in old}
        if data.draw(st.booleans()):
            state, rows = rows.state(), OpenRows(rows.widths)
            rows.load(state)
        order = np.array(sorted(known), np.int64)
        np.testing.assert_array_equal(rows.decision_id, order)
        asked = data.draw(st.permutations(order.tolist()))
        where = rows.positions(np.array(asked, np.int64))
        wanted = np.array([(i, *known[i]) for i in asked]).reshape(-1, 3)
        got = np.concatenate([rows.take("features", where), rows.take("weight", where)], axis=1)
        np.testing.assert_array_equal(got, wanted)
