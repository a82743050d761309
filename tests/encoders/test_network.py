from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from encoders.encoder import TwoStreamEncoder

HOUR_MS = 3_600_000
START_MS = 1_700_006_400_000

MakeEncoder = Callable[..., TwoStreamEncoder]


def test_hazards_follow_the_clock_of_their_own_piece(make_encoder: MakeEncoder) -> None:
    """Without terms of their own, piece k asked now is piece k − 1 asked an hour later."""
    network = make_encoder().network
    with torch.no_grad():
        network.hazard.piece.weight.zero_()
        network.hazard.piece.bias.zero_()
    context = torch.randn(1, 8, dtype=torch.float64).repeat(2, 1)
    at = np.array([START_MS, START_MS + HOUR_MS])
    edges = network.config.hazard_edges_h
    hourly = np.flatnonzero(np.diff(edges) == 1.0)
    with torch.inference_mode():
        found = network.hazards(context, at, "America/New_York").numpy()[:, hourly]
    assert len(hourly) == 23
    np.testing.assert_allclose(found[0, 1:], found[1, :-1], atol=1e-6)
    assert np.abs(np.diff(found[0])).max() > 1e-2


def test_hazards_of_many_questions_equal_those_of_each_alone(make_encoder: MakeEncoder) -> None:
    """Instants that repeat, in any order, share their clock and nothing else."""
    network = make_encoder().network
    rng = np.random.default_rng(2)
    at = START_MS + rng.integers(0, 4, 12) * 31 * HOUR_MS
    context = torch.from_numpy(rng.normal(size=(12, 8)))
    with torch.inference_mode():
        together = network.hazards(context, at, "Asia/Tokyo")
        for k in range(12):
            alone = network.hazards(context[k : k + 1], at[k : k + 1], "Asia/Tokyo")
            assert together[k].tolist() == pytest.approx(alone[0].tolist(), abs=1e-12)
