"""Losses as pure functions: softmax over items, sampled softmax, and the hazard's likelihood.

Logits, hazards and targets enter; mean losses leave. Sampled softmax with the logQ correction
after Bengio and Senécal (2008) and Yi et al. (2019); negatives that are targets of the same row
are masked. The hazard likelihood is that of a piecewise-constant rate (Friedman 1982).
"""

from __future__ import annotations

import torch

__all__ = ["activity_nll", "full_softmax", "hazard_nll", "sampled_softmax"]


def full_softmax(
    logits: torch.Tensor,
    *,
    target_row: torch.Tensor,
    target_item: torch.Tensor,
    target_weight: torch.Tensor,
    rows_at_once: int = 8192,
) -> torch.Tensor:
    """Weighted mean of −ln softmax(logits)[row, item] over the targets.

    Parameters
    ----------
    logits : Tensor, (Q, V)
    target_row, target_item : Tensor of int64, (P,)
        Targets, several a row allowed; rows ascending.
    target_weight : Tensor, (P,)
        Weights; an empty set of targets gives zero.
    rows_at_once : int
        Rows normalised at a time, which bounds the memory of the temporaries.
    """
    total = logits.new_zeros(())
    for begin in range(0, logits.shape[0], rows_at_once):
        chunk = torch.log_softmax(logits[begin : begin + rows_at_once], dim=1)
        mine = (target_row >= begin) & (target_row < begin + rows_at_once)
        picked = chunk[target_row[mine] - begin, target_item[mine]]
        total = total - (picked * target_weight[mine]).sum()
    return total / target_weight.sum().clamp(min=torch.finfo(logits.dtype).tiny)


def sampled_softmax(
    target_logit: torch.Tensor,
    negative_logit: torch.Tensor,
    *,
    negative_log_q: torch.Tensor,
    is_collision: torch.Tensor,
    target_weight: torch.Tensor,
) -> torch.Tensor:
    """Softmax of each target against negatives shared by the whole batch.

    Parameters
    ----------
    target_logit : Tensor, (P,)
    negative_logit : Tensor, (P, N)
    negative_log_q : Tensor, (N,)
        Log of how often a negative is expected among the N; subtracted from its logit, so that
        the sampled sum estimates the sum over all items without bias.
    is_collision : Tensor of bool, (P, N)
        True where a negative is an item of the target's own basket.
    target_weight : Tensor, (P,)
    """
    corrected = (negative_logit - negative_log_q).masked_fill(is_collision, -torch.inf)
    everything = torch.cat([target_logit[:, None], corrected], dim=1)
    loss = torch.logsumexp(everything, dim=1) - target_logit
    tiny = torch.finfo(loss.dtype).tiny
    return (loss * target_weight).sum() / target_weight.sum().clamp(min=tiny)


def activity_nll(
    hazard: torch.Tensor,
    edges_h: torch.Tensor,
    *,
    is_active: torch.Tensor,
    is_observed: torch.Tensor,
) -> torch.Tensor:
    """Mean over queries of −Σ_k ln P(active or not in piece k), P(active) = 1 − exp(−λ_k Δ_k).

    Each piece answers for itself, whether or not an event came before it (a composite
    likelihood, Varin, Reid and Firth 2011): λ is then the rate at which a slot is active as seen
    from the query, which is what a send later in the day needs. The rate of the *first* event
    overstates it, since a visit today makes a second one unlikely.

    Parameters
    ----------
    hazard : Tensor, (Q, K)
        Per hour.
    edges_h : Tensor, (K + 1,)
    is_active, is_observed : Tensor of bool, (Q, K)
        Whether an event lies in the piece, and whether the whole piece was observed.
    """
    passed = hazard * torch.diff(edges_h).to(hazard.dtype)
    tiny = torch.finfo(hazard.dtype).tiny
    active = -torch.log(-torch.expm1(-passed) + tiny)
    loss = torch.where(is_active, active, passed) * is_observed
    return loss.sum() / max(len(loss), 1)


def hazard_nll(
    hazard: torch.Tensor,
    edges_h: torch.Tensor,
    *,
    wait_h: torch.Tensor,
    is_event: torch.Tensor,
) -> torch.Tensor:
    """Mean of ∫₀^wait λ − 1[event]·ln λ(wait).

    Parameters
    ----------
    hazard : Tensor, (Q, K)
        Per hour.
    edges_h : Tensor, (K + 1,)
        From 0 to the horizon.
    wait_h : Tensor, (Q,)
        Hours to the event, or to where observation ended; waits beyond the horizon are
        censored there.
    is_event : Tensor of bool, (Q,)
        False where censored.
    """
    edges = edges_h.to(hazard.dtype)
    wait = wait_h.to(hazard.dtype)
    is_event = is_event & (wait < edges[-1])
    lower, length = edges[:-1], torch.diff(edges)
    exposed = torch.minimum((wait[:, None] - lower).clamp(min=0), length)
    piece = (torch.searchsorted(edges, wait.contiguous(), right=True) - 1).clamp(
        0, hazard.shape[1] - 1
    )
    at_event = hazard.gather(1, piece[:, None])[:, 0].log()
    loss = (hazard * exposed).sum(dim=1) - torch.where(is_event, at_event, 0.0)
    return loss.mean() if len(loss) else hazard.sum()
