from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from bandit.errors import BadInputError
from encoders.config import EncoderConfig, TrainingConfig, config_of


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"n_items": 0}, "n_items above zero, got 0"),
        ({"n_heads": 0}, "n_heads"),
        ({"width": 15}, "heads divide, got 15"),
        ({"window": 0}, "window"),
        ({"n_layers": 0}, "n_layers"),
        ({"context_width": 0}, "context_width"),
        ({"n_leading": 33}, "1 to 32, got 33"),
        ({"n_leading": 0}, "got 0"),
        ({"time_knots": 1}, "two knots"),
        ({"time_step": float("nan")}, "time_step"),
        ({"amount_scale": 0.0}, "amount_scale"),
        ({"dropout": 1.0}, "dropout"),
        ({"repeat_kernels": -1}, "no negative"),
        ({"hazard_edges_h": (0.0,)}, "two hazard edges"),
        ({"hazard_edges_h": ()}, "two hazard edges"),
        ({"hazard_edges_h": (0.0, 2.0, 2.0)}, "rising"),
        ({"hazard_edges_h": (1.0, 2.0)}, "from 0"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        EncoderConfig(**({"n_items": 3} | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_tokens": 0},
        {"n_negatives": 0},
        {"patience": 0},
        {"query_every_days": 0.0},
        {"learning_rate": float("nan")},
        {"item_loss": "softmax"},
        {"activity": "all"},
    ],
)
def test_a_training_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=f"expected {next(iter(settings))}"):
        TrainingConfig(**settings)


def test_the_receptive_field_by_hand() -> None:
    """L(W − 1) + 1: two layers of 64 reach 127 tokens."""
    assert EncoderConfig(n_items=1).receptive_field == 127
    assert EncoderConfig(n_items=1, window=1, n_layers=5).receptive_field == 1


def test_a_config_comes_back_from_what_was_stored_of_it() -> None:
    config = EncoderConfig(n_items=3, hazard_edges_h=(0.0, 0.5, 9.0), yearly=True)
    assert config_of(asdict(config)) == config
