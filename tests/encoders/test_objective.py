"""What the heads owe the questions of a batch, against plain loops and the full softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bandit.events import Histories
from encoders.batches import Batches, Tensorised
from encoders.config import TrainingConfig
from encoders.encoder import TwoStreamEncoder
from encoders.losses import activity_nll
from encoders.network import Network, Reading
from encoders.objective import hazard_objective, item_objective
from encoders.targets import Questions, activity_after, event_questions, gap_questions, joined
from encoders.tokens import TokenTable, tokens_of

DAY_MS = 24 * 3_600_000

Make = Callable[..., Histories]
Asked = tuple[Network, Reading, Questions, TokenTable, int]


@pytest.fixture
def asked(random_histories: Make, make_encoder: Callable[..., TwoStreamEncoder]) -> Asked:
    """One batch of event and gap questions over three histories."""
    network = make_encoder(zone="UTC").network
    histories = random_histories([9, 4, 7], seed=2)
    tokens = tokens_of(histories, pool_ties=True, n_items=7)
    rows, until_ms = np.arange(3), int(tokens.at_ms.max()) + DAY_MS
    from_ms = int(tokens.at_ms.min())
    gaps = gap_questions(
        tokens,
        rows,
        from_ms=from_ms,
        until_ms=until_ms,
        every_days=(until_ms - from_ms) / DAY_MS / 6,
        rng=np.random.default_rng(3),
    )
    questions = joined(event_questions(tokens, rows), gaps)
    made = Tensorised.of(tokens, questions.queries(tokens), zone="UTC", config=network.config)
    (batch,) = Batches.of(made, config=network.config, batch_tokens=10**6)
    with torch.inference_mode():
        return network, network(batch), questions, tokens, until_ms


def item_loss(asked: Asked, seed: int | None, **settings: Any) -> tuple[float, float]:
    network, reading, questions, tokens, _ = asked
    with torch.inference_mode():
        weight, loss = item_objective(
            network,
            reading,
            questions=questions,
            tokens=tokens,
            how=TrainingConfig(**settings),
            rng=None if seed is None else np.random.default_rng(seed),
        )
    return weight, float(loss)


def test_each_question_weighs_the_same_however_full_its_basket(asked: Asked) -> None:
    """Events weigh 1 and gaps .2, split over their baskets; against a plain loop."""
    network, reading, questions, tokens, _ = asked
    weight, loss = item_loss(asked, None)
    with torch.inference_mode():
        log_p = torch.log_softmax(network.item_logits(reading), dim=1).numpy()
    total = owed = 0.0
    for row, query in enumerate(reading.query.tolist()):
        basket = tokens.basket_item[questions.basket_from[query] : questions.basket_to[query]]
        if len(basket):
            mine = 0.2 if questions.is_gap[query] else 1.0
            owed += mine
            total -= mine * log_p[row, basket].mean()
    assert questions.is_gap[questions.basket_to > questions.basket_from].any()
    assert (questions.basket_to - questions.basket_from).max() > 1
    assert weight == pytest.approx(owed)
    assert loss == pytest.approx(total / owed)


def test_a_sampled_softmax_of_many_negatives_is_the_full_one(asked: Asked) -> None:
    """O16, as the objective uses it: what is drawn, its log q and the collisions fit together.

    Without others of the same basket among the negatives, each target's sum is over itself and
    the items that are not in its basket.
    """
    network, reading, questions, tokens, _ = asked
    _, sampled = item_loss(asked, 5, item_loss="sampled", n_negatives=60_000)
    with torch.inference_mode():
        logits = network.item_logits(reading).numpy()
    total = owed = 0.0
    for row, query in enumerate(reading.query.tolist()):
        basket = tokens.basket_item[questions.basket_from[query] : questions.basket_to[query]]
        rest = np.exp(np.delete(logits[row], basket)).sum()
        for item in basket:
            mine = (0.2 if questions.is_gap[query] else 1.0) / len(basket)
            owed += mine
            total -= mine * (logits[row, item] - np.log(np.exp(logits[row, item]) + rest))
    assert sampled == pytest.approx(total / owed, rel=0.01)


def test_the_hazard_answers_questions_drawn_in_time_and_no_others(asked: Asked) -> None:
    network, reading, questions, tokens, until_ms = asked
    with torch.inference_mode():
        weight, loss = hazard_objective(
            network,
            reading,
            questions=questions,
            tokens=tokens,
            how=TrainingConfig(),
            zone="UTC",
            until_ms=until_ms,
        )
        query = reading.query.numpy()
        place = np.flatnonzero(questions.is_gap[query])
        mine = query[place]
        hazard = network.hazards(reading.context[place], questions.at_ms[mine], "UTC")
        is_active, is_observed = activity_after(
            tokens,
            row=questions.row[mine],
            at_ms=questions.at_ms[mine],
            edges_h=network.hazard.edges_h.numpy(),
            until_ms=until_ms,
        )
        expected = activity_nll(
            hazard,
            network.hazard.edges_h,
            is_active=torch.from_numpy(is_active),
            is_observed=torch.from_numpy(is_observed),
        )
    assert weight == questions.is_gap.sum() == 18
    assert float(loss) == pytest.approx(float(expected))
