from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from bandit.events import Histories
from encoders.clock import N_CALENDAR
from encoders.config import HAZARD_EDGES_H, EncoderConfig
from encoders.encoder import TwoStreamEncoder
from encoders.heads import Hazard, cumulative_hazard, slot_chance

F64 = torch.float64
EDGES = torch.tensor(HAZARD_EDGES_H, dtype=F64)

Make = Callable[..., Histories]
MakeEncoder = Callable[..., TwoStreamEncoder]


def some_hazards(n_rows: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).gamma(1.0, 0.1, (n_rows, len(EDGES) - 1)))


def test_the_integral_is_exact_against_quadrature() -> None:
    """O15: the mean of 64 midpoints on each stretch between edges."""
    hazard = some_hazards()
    until = torch.tensor([[0.1, 0.25, 3.7, 24.0, 100.3, 168.0, 200.0]]).expand(3, -1).to(F64)
    found = cumulative_hazard(hazard, EDGES, until)
    for row in range(3):
        for column, end in enumerate(until[0].tolist()):
            cuts = np.unique(np.append(EDGES.numpy()[EDGES.numpy() < end], end))
            total = 0.0
            for low, high in pairwise(cuts.tolist()):
                middle = low + (np.arange(64) + 0.5) * (high - low) / 64
                piece = np.searchsorted(EDGES.numpy(), middle, side="right") - 1
                rate = hazard[row].numpy()[np.minimum(piece, hazard.shape[1] - 1)]
                total += float(rate.mean() * (high - low))
            assert float(found[row, column]) == pytest.approx(total, rel=1e-12)


def test_slots_over_the_week_chain_to_the_whole() -> None:
    """O15: ∏(1 − P_k) = 1 − P(whole week), for slots that cut pieces in two."""
    hazard = some_hazards()
    cuts = torch.linspace(0, 168, 39, dtype=F64).expand(3, -1)
    parts = slot_chance(hazard, EDGES, start_h=cuts[:, :-1], end_h=cuts[:, 1:])
    whole = slot_chance(hazard, EDGES, start_h=cuts[:, :1], end_h=cuts[:, -1:])
    torch.testing.assert_close(torch.prod(1 - parts, 1), 1 - whole[:, 0], rtol=0, atol=1e-12)


def test_a_longer_slot_is_never_less_likely() -> None:
    ends = torch.linspace(-2, 400, 300, dtype=F64).expand(3, -1)
    chance = slot_chance(some_hazards(), EDGES, start_h=torch.zeros_like(ends), end_h=ends)
    assert (torch.diff(chance) >= 0).all()
    assert (chance >= 0).all()
    assert (chance <= 1).all()
    assert not chance[ends <= 0].any()


def test_an_untrained_hazard_starts_near_one_event_a_week() -> None:
    head = Hazard(EncoderConfig(n_items=2))
    n_pieces = len(HAZARD_EDGES_H) - 1
    found = head(torch.zeros(1, 32), torch.randn(1, n_pieces, N_CALENDAR))
    assert torch.allclose(found, torch.full_like(found, 0.006), atol=1e-6)


def test_hazards_are_positive_whatever_the_context() -> None:
    head = Hazard(EncoderConfig(n_items=2))
    context = torch.randn(20, 32) * 100
    found = head(context, torch.randn(20, len(HAZARD_EDGES_H) - 1, N_CALENDAR))
    assert (found >= 0).all()
    assert torch.isfinite(found).all()


def test_a_candidates_logit_does_not_depend_on_the_other_candidates(
    random_histories: Make, make_encoder: MakeEncoder
) -> None:
    """The repeat channel counts each item alone: candidates read the full logits' columns."""
    encoder = make_encoder()
    histories = random_histories([6, 0, 15])
    at = np.full((3, 1), 1_700_000_000_000 + 500 * 24 * 3_600_000)
    every = encoder.item_scores(histories, at)
    chosen = np.array([5, 2])
    np.testing.assert_allclose(
        encoder.item_scores(histories, at, items=chosen), every[:, :, chosen], atol=1e-12
    )


def test_buying_an_item_raises_it_and_the_rest_of_the_window_fades(
    make_histories: Make, make_encoder: MakeEncoder
) -> None:
    """With positive strengths the repeat channel lifts what the window holds, by its recency."""
    encoder = make_encoder()
    head = encoder.network.next_item
    with torch.no_grad():
        head.vector.zero_()
        head.popularity.zero_()
        head.strength.weight.zero_()
        head.strength.bias.fill_(1.0)
        head.kernel.copy_(torch.linspace(0, -8, head.kernel.shape[1]).expand_as(head.kernel))
    start = 1_700_006_400_000
    day = 24 * 3_600_000
    histories = make_histories([(0, start, 1), (0, start + 9 * day, 2)], 1)
    scores = encoder.item_scores(histories, np.array([[start + 10 * day]]))[0, 0]
    assert scores[2] > scores[1] > scores[0]
    np.testing.assert_allclose(scores[[3, 4, 5, 6]], scores[0], atol=1e-12)
