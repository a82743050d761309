from __future__ import annotations

import math

import pytest
import torch

from encoders.heads import cumulative_hazard, slot_chance
from encoders.losses import activity_nll, full_softmax, hazard_nll, sampled_softmax

F64 = torch.float64


def rates(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=F64)


def nll(hazard: torch.Tensor, edges: list[float], wait: float, is_event: bool) -> float:
    return float(
        hazard_nll(
            hazard,
            torch.tensor(edges, dtype=F64),
            wait_h=torch.tensor([wait], dtype=F64),
            is_event=torch.tensor([is_event]),
        )
    )


def test_a_constant_hazard_gives_the_exponential() -> None:
    """O15: NLL of one event at τ = 2 with λ = .5 is λτ − ln λ = 1 + ln 2; S(t) = e^{−λt}."""
    hazard, edges = rates(0.5, 0.5, 0.5), [0.0, 1.0, 4.0, 9.0]
    assert nll(hazard, edges, 2.0, True) == pytest.approx(1 + math.log(2), abs=1e-12)
    hours = torch.tensor([[0.0, 0.7, 3.0, 20.0]], dtype=F64)
    passed = cumulative_hazard(hazard, torch.tensor(edges, dtype=F64), hours)
    torch.testing.assert_close(passed, 0.5 * hours)


def test_a_censored_wait_costs_its_integral_only() -> None:
    """O15: −ln S."""
    hazard = rates(0.5, 0.2)
    assert nll(hazard, [0.0, 1.0, 4.0], 3.0, False) == pytest.approx(0.5 + 0.4, abs=1e-12)
    assert nll(hazard, [0.0, 1.0, 4.0], 9.0, True) == pytest.approx(0.5 + 0.6, abs=1e-12)


def test_two_slots_by_hand() -> None:
    """O15: slots [0, 1) at rate .5 and [1, 3) at rate .2; chances 1 − e^{−.5}, 1 − e^{−.4}."""
    edges = torch.tensor([0.0, 1.0, 3.0], dtype=F64)
    found = slot_chance(
        rates(0.5, 0.2),
        edges,
        start_h=torch.tensor([[0.0, 1.0, 0.5]], dtype=F64),
        end_h=torch.tensor([[1.0, 3.0, 2.0]], dtype=F64),
    )
    expected = [1 - math.exp(-0.5), 1 - math.exp(-0.4), 1 - math.exp(-0.45)]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-12)
    assert nll(rates(0.5, 0.2), [0.0, 1.0, 3.0], 2.0, True) == pytest.approx(
        0.5 + 0.2 - math.log(0.2), abs=1e-12
    )


def test_first_event_chances_and_survival_sum_to_one() -> None:
    """O15: Σ_k P_k + S_K = 1 with P_k = S_{k−1} − S_k."""
    edges = torch.tensor([0.0, 0.5, 2.0, 7.0], dtype=F64)
    hazard = rates(0.3, 0.9, 0.01)
    conditional = slot_chance(hazard, edges, start_h=edges[None, :-1], end_h=edges[None, 1:])[0]
    survival = torch.cat([torch.ones(1, dtype=F64), torch.cumprod(1 - conditional, 0)])
    first = survival[:-1] * conditional
    assert float(first.sum() + survival[-1]) == pytest.approx(1, abs=1e-12)
    whole = torch.exp(-(hazard[0] * torch.diff(edges)).sum())
    assert float(survival[-1]) == pytest.approx(float(whole), abs=1e-12)


def test_splitting_a_slot_of_equal_rate_changes_nothing() -> None:
    """O15."""
    for wait, is_event in ((0.4, True), (1.7, True), (2.9, False), (5.0, False)):
        one = nll(rates(0.3, 0.8), [0.0, 1.0, 3.0], wait, is_event)
        split = nll(rates(0.3, 0.8, 0.8), [0.0, 1.0, 1.5, 3.0], wait, is_event)
        assert one == pytest.approx(split, abs=1e-12)


def test_the_best_constant_hazard_is_events_over_time() -> None:
    """O15: λ̂ = n / Στ, as the gradient's root."""
    wait = torch.distributions.Exponential(torch.tensor(0.4, dtype=F64))
    torch.manual_seed(1)
    waits = wait.sample(torch.Size([500]))
    seen = waits < 6
    cut = waits.clamp(max=6)
    best = seen.sum() / cut.sum()
    rate = best.clone().requires_grad_()
    hazard_nll(
        rate.expand(500, 3),
        torch.tensor([0.0, 1.0, 3.0, 6.0], dtype=F64),
        wait_h=cut,
        is_event=seen,
    ).backward()  # type: ignore[no-untyped-call]
    assert rate.grad is not None
    assert float(rate.grad) == pytest.approx(0, abs=1e-12)


def test_activity_in_two_pieces_by_hand() -> None:
    """−ln(1 − e^{−.5}) for an active piece, .4 for a quiet one, nothing for one not observed."""
    found = activity_nll(
        torch.tensor([[0.5, 0.2, 9.0]], dtype=F64),
        torch.tensor([0.0, 1.0, 3.0, 4.0], dtype=F64),
        is_active=torch.tensor([[True, False, False]]),
        is_observed=torch.tensor([[True, True, False]]),
    )
    assert float(found) == pytest.approx(-math.log(1 - math.exp(-0.5)) + 0.4, abs=1e-12)


def test_full_softmax_weighs_targets_and_does_not_depend_on_its_chunks() -> None:
    logits = torch.randn(7, 5, dtype=F64, generator=torch.Generator().manual_seed(4))
    row, item = torch.tensor([0, 0, 3, 6]), torch.tensor([1, 4, 2, 0])
    weight = torch.tensor([0.5, 0.5, 2.0, 1.0], dtype=F64)
    log_p = torch.log_softmax(logits, 1)
    expected = -(log_p[row, item] * weight).sum() / 4
    for rows_at_once in (2, 100):
        found = full_softmax(
            logits,
            target_row=row,
            target_item=item,
            target_weight=weight,
            rows_at_once=rows_at_once,
        )
        assert float(found) == pytest.approx(float(expected), abs=1e-12)


def test_sampled_softmax_on_all_other_items_is_the_full_softmax() -> None:
    """O16: negatives = every other item once, so q = 1."""
    logits = torch.randn(1, 6, dtype=F64, generator=torch.Generator().manual_seed(5))
    others = torch.tensor([0, 1, 3, 4, 5])
    found = sampled_softmax(
        logits[:, 2],
        logits[:, others],
        negative_log_q=torch.zeros(5, dtype=F64),
        is_collision=torch.zeros(1, 5, dtype=torch.bool),
        target_weight=torch.ones(1, dtype=F64),
    )
    assert float(found) == pytest.approx(-float(torch.log_softmax(logits, 1)[0, 2]), abs=1e-12)


def test_a_negative_equal_to_the_target_changes_nothing() -> None:
    """O16: the collision mask."""
    target, negative = torch.tensor([0.3], dtype=F64), torch.tensor([[1.0, 0.3]], dtype=F64)

    def loss(n: int, *, is_masked: bool) -> float:
        return float(
            sampled_softmax(
                target,
                negative[:, :n],
                negative_log_q=torch.zeros(n, dtype=F64),
                is_collision=torch.tensor([[False, is_masked][:n]]),
                target_weight=torch.ones(1, dtype=F64),
            )
        )

    assert loss(2, is_masked=True) == pytest.approx(loss(1, is_masked=False), abs=1e-12)


def test_the_log_q_correction_makes_the_sampled_sum_unbiased() -> None:
    """O16: N uniform negatives of V items, logits less ln(N / V), averaged over 10⁴ draws."""
    rng = torch.Generator().manual_seed(6)
    logits = torch.randn(20, dtype=F64, generator=rng)
    drawn = torch.randint(0, 20, (10_000, 8), generator=rng)
    sums = torch.exp(logits[drawn] - math.log(8 / 20)).sum(dim=1)
    error = float(sums.mean() - logits.exp().sum())
    assert abs(error) < 4 * float(sums.std()) / 100
