"""The laws of a policy (``policies.conformance``), run on every registered one.

A law that a policy declares it cannot meet is run all the same: it must really fail, or be
without meaning there, and the declared reason is printed.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.conformance.answers import expect_distribution
from policies.conformance.case import Case
from policies.conformance.suite import LAWS, Law, name_of
from policies.conformance.world import HITS, tiny_world


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_policy_obeys_every_law(case: Case, law: Law) -> None:
    reason = law(case)
    if reason is not None:
        print(f"{case.entry.policy_id}: {name_of(law)}: declared that it cannot, {reason}")


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n=st.integers(1, 6),
    k=st.integers(1, 5),
    s=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1e-12, 1.0, 1e12]),
    seed=st.integers(0, 2**32 - 1),
    p_open=st.sampled_from([0.05, 0.5, 1.0]),
)
def test_a_pmf_sums_to_one_and_respects_any_mask(
    case: Case, *, n: int, k: int, s: int, scale: float, seed: int, p_open: float
) -> None:
    """Any shape, any mask that leaves an action, features from nothing to enormous."""
    expect_distribution(case, n=n, k=k, s=s, scale=scale, seed=seed, p_open=p_open)


def test_tiny_is_solved_by_hand() -> None:
    """Optimum .195, best fixed pair .14, uniform .022, silence 0, before any floor."""
    worth = HITS.reward(tiny_world().expected()[1])
    assert worth.max(axis=1).mean() == pytest.approx(0.195)
    assert worth[:, 1].mean() == pytest.approx(0.14)
    assert worth.mean(axis=0).max() == pytest.approx(0.14)
    assert worth.mean() == pytest.approx(0.022)
    assert worth[:, 0].mean() == 0.0
