from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.ope.evidence import Evidence, Weighting


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"propensity": np.array([0.0, 0.5])}, "propensity"),
        ({"target": np.array([1.2, 0.5])}, "target"),
        ({"reward": np.array([np.nan, 1.0])}, "finite reward"),
        ({"logged_item": np.array([0.5, 0.5])}, "together"),
        ({"cluster": np.array([1])}, "user a row"),
        ({"propensity": np.array([0.5])}, "one entry a logged decision"),
        ({"target": np.full((3, 1), 0.5)}, "one entry a logged decision"),
        (
            {"baseline_logged": np.array([0.0, np.nan]), "baseline_target": np.zeros(2)},
            "finite baseline_logged",
        ),
        (
            {"baseline_logged": np.zeros(2), "baseline_target": np.array([np.inf, 0.0])},
            "finite baseline_target",
        ),
    ],
)
def test_evidence_that_cannot_be_is_refused(change: dict[str, Any], says: str) -> None:
    """A logged action always had a positive probability; pairs come together."""
    fine: dict[str, Any] = {
        "reward": np.array([0.0, 1.0]),
        "propensity": np.array([0.5, 0.5]),
        "target": np.array([0.5, 0.5]),
        "cluster": np.array([0, 1]),
    }
    with pytest.raises(BadInputError, match=says):
        Evidence(**(fine | change))
    with pytest.raises(BadInputError, match="logged_slot"):
        Evidence(**fine).weight(Weighting.SLOT)


def made(**more: Any) -> Evidence:
    fine: dict[str, Any] = {
        "reward": np.array([0.0, 1.0, 2.0]),
        "propensity": np.array([0.5, 0.25, 1.0]),
        "target": np.array([0.25, 0.5, 0.0]),
        "cluster": np.array([0, 1, 1]),
    }
    return Evidence(**(fine | more))


def test_weights_are_ratios_of_the_same_pair() -> None:
    """By hand; a target of zero is a weight of zero, not an error."""
    half, third = np.full(3, 0.5), np.full(3, 1 / 3)
    evidence = made(
        logged_item=half,
        target_item=third,
        logged_slot=third,
        target_slot=half,
        logged_send=half,
        target_send=half,
    )
    assert evidence.weight(Weighting.JOINT).tolist() == [0.5, 2.0, 0.0]
    np.testing.assert_allclose(evidence.weight(Weighting.ITEM), 2 / 3)
    np.testing.assert_allclose(evidence.weight(Weighting.SLOT), 1.5)
    np.testing.assert_allclose(evidence.weight(Weighting.SEND), 1.0)
    assert evidence.weightings == tuple(Weighting)
    assert made().weightings == (Weighting.JOINT,)


def test_some_rows_of_an_evidence_are_an_evidence() -> None:
    """Every column that is given, by index or by mask, also on redraws."""
    whole = made(baseline_logged=np.arange(3.0), baseline_target=np.arange(3.0) + 1)
    for rows in (np.array([2, 0]), np.array([True, False, True])):
        part = whole.take(rows)
        assert part.reward.tolist() == whole.reward[rows].tolist()
        assert part.cluster.tolist() == whole.cluster[rows].tolist()
        assert part.has_baseline
        assert part.logged_item is None
    redrawn = made(
        **{n: np.stack([getattr(whole, n)] * 4) for n in ("reward", "propensity", "target")}
    )
    assert redrawn.take(np.array([0, 2])).reward.shape == (4, 2)


def test_one_decision_is_no_evidence() -> None:
    with pytest.raises(BadInputError, match="at least two"):
        made().take(np.array([1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1.1])
@pytest.mark.parametrize("name", ["propensity", "target"])
def test_a_probability_that_is_none_is_named_with_its_row(name: str, bad: float) -> None:
    with pytest.raises(BadInputError, match=rf"{name} in .* at row 2"):
        made(**{name: np.array([0.5, 0.5, bad])})
