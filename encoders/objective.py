"""The training objective: what the heads owe the questions of a batch.

A network's reading of a batch and the questions behind it enter; a total weight and a mean
loss for each head leave. Each question weighs the same however full its next basket is. Batches
hold histories of similar length, so a step must weigh each batch by its questions: plain means
would let the few long histories set everybody's rates (+17 % activity, measured).
"""

from __future__ import annotations

import numpy as np
import torch

from encoders.config import TrainingConfig
from encoders.losses import activity_nll, full_softmax, hazard_nll, sampled_softmax
from encoders.network import Network, Reading
from encoders.ragged import spans
from encoders.targets import Questions, activity_after
from encoders.tokens import TokenTable

__all__ = ["hazard_objective", "item_objective"]


def item_objective(
    network: Network,
    reading: Reading,
    *,
    questions: Questions,
    tokens: TokenTable,
    how: TrainingConfig,
    rng: np.random.Generator | None,
) -> tuple[float, torch.Tensor]:
    """Weight and mean loss of the next basket's items; without ``rng`` always the full softmax."""
    query = reading.query.numpy()
    begin, end = questions.basket_from[query], questions.basket_to[query]
    place, owner = spans(begin, end)
    weight = np.where(questions.is_gap[query], how.gap_item_weight, 1.0)
    weight = (weight / np.maximum(end - begin, 1))[owner]
    row, item = torch.from_numpy(owner), torch.from_numpy(tokens.basket_item[place])
    owed = torch.from_numpy(weight).to(reading.context.dtype)
    if rng is not None and how.item_loss == "sampled" and len(item):
        loss = _sampled(network, reading, row=row, item=item, weight=owed, how=how, rng=rng)
    else:
        logits = network.item_logits(reading)
        loss = full_softmax(logits, target_row=row, target_item=item, target_weight=owed)
    return float(weight.sum()), loss


def hazard_objective(
    network: Network,
    reading: Reading,
    *,
    questions: Questions,
    tokens: TokenTable,
    how: TrainingConfig,
    zone: str | None,
    until_ms: int,
) -> tuple[float, torch.Tensor]:
    """Weight and mean negative log-likelihood of what follows instants drawn in time."""
    query = reading.query.numpy()
    asked = questions.is_gap[query]
    mine = query[asked]
    context = reading.context[torch.from_numpy(asked)]
    hazard, edges_h = network.hazards(context, questions.at_ms[mine], zone), network.hazard.edges_h
    if how.activity == "first":
        loss = hazard_nll(
            hazard,
            edges_h,
            wait_h=torch.from_numpy(questions.wait_h[mine]),
            is_event=torch.from_numpy(questions.is_event[mine]),
        )
    else:
        is_active, is_observed = activity_after(
            tokens,
            row=questions.row[mine],
            at_ms=questions.at_ms[mine],
            edges_h=edges_h.numpy(),
            until_ms=until_ms,
        )
        loss = activity_nll(
            hazard,
            edges_h,
            is_active=torch.from_numpy(is_active),
            is_observed=torch.from_numpy(is_observed),
        )
    return float(len(mine)), loss


def _sampled(
    network: Network,
    reading: Reading,
    *,
    row: torch.Tensor,
    item: torch.Tensor,
    weight: torch.Tensor,
    how: TrainingConfig,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Softmax against shared negatives: half uniform over items, half drawn from the targets."""
    n_items, n_negatives = network.config.n_items, how.n_negatives
    share = np.bincount(item.numpy(), minlength=n_items) / max(len(item), 1)
    uniform = rng.integers(n_items, size=n_negatives - n_negatives // 2)
    others = rng.choice(item.numpy(), size=n_negatives // 2) if len(item) else uniform[:0]
    negative = torch.from_numpy(np.concatenate([uniform, others]))
    expected = len(uniform) / n_items + len(others) * share  # times each item is drawn
    candidates, place = torch.unique(torch.cat([item, negative]), return_inverse=True)
    logits = network.item_logits(reading, candidates)
    target_place, negative_place = place[: len(item)], place[len(item) :]
    is_mine = torch.zeros(logits.shape, dtype=torch.bool)
    is_mine[row, target_place] = True
    log_q = torch.from_numpy(np.log(expected)).to(logits.dtype)[negative]
    return sampled_softmax(
        logits[row, target_place],
        logits[row][:, negative_place],
        negative_log_q=log_q,
        is_collision=is_mine[row][:, negative_place],
        target_weight=weight,
    )
