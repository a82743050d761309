"""Conservative Q-learning: the loss by hand, and what is learned of an action never taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from experiments.discrete_cql import conservative_loss, learn_cql
from policies.baselines.q_network import QNetwork
from simulator.request_features import RequestColumns

COLUMNS = RequestColumns(n_context=1, n_items=2, n_item_features=2, n_slots=1, n_slot_features=1)


def test_the_loss_is_that_of_the_paper() -> None:
    """Row 1: Q 1 of (1, 2, 3), reward 0: ½ + log(e + e² + e³) − 1. Row 2: the third is masked."""
    values = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    got = conservative_loss(values, mask, torch.tensor([0, 1]), torch.tensor([0.0, 2.0]), alpha=0.5)
    gaps = [np.log(np.exp([1, 2, 3]).sum()) - 1.0, np.log(np.exp([1, 2]).sum()) - 2.0]
    assert float(got) == pytest.approx(0.5 * (1.0 + 0.0) / 2 + 0.5 * sum(gaps) / 2, rel=1e-6)


def _rows() -> pa.Table:
    """Hold brings 0 and the first item 1, in turns; the second item was open and never sent."""
    n = 400
    obs = np.tile(np.array([0.5, 1, 0, 0, 1, 1, 1, 1, 1], np.float32), (n, 1))
    action = np.arange(n) % 2
    return pa.table(
        {
            "obs": pa.FixedSizeListArray.from_arrays(pa.array(obs.ravel()), 9),
            "actions": action,
            "rewards": action.astype(np.float32),
        }
    )


def _values(network: QNetwork) -> Any:
    towers = network.towers
    context, slot = np.full((2, 1), 0.5), np.ones((2, 1))
    sends = towers.features(context, np.eye(2), slot, is_send=np.ones(2, np.bool_))
    return np.append(
        towers.base_features(context[:1]) @ network.theta[: towers.n_base], sends @ network.theta
    )


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_what_was_never_done_is_valued_below_what_was(alpha: float) -> None:
    """With the penalty; without it what was done has its mean, in standard deviations: 0 and 2."""
    network = learn_cql(
        _rows(),
        COLUMNS,
        passes=60,
        batch_rows=50,
        learning_rate=0.01,
        alpha=alpha,
        hidden=8,
        width=4,
        seed=1,
    )
    hold, first, second = _values(network)
    assert first > hold + 0.5
    if alpha:
        assert second < hold - 1.0
    else:
        assert (hold, first) == pytest.approx((0.0, 2.0), abs=0.05)
