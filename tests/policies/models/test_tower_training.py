"""Training: better on rows held out or as before, the same under a seed, the same function."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bandit.errors import BadInputError
from policies.models.lesson import Lesson, Training
from policies.models.tower_training import forward, held_out_loss, tensors_of, trained
from policies.models.towers import Towers, begin

HOW = Training(
    epochs=40,
    patience=10,
    batch_rows=128,
    learning_rate=5e-3,
    weight_decay=1e-3,
    held_share=0.25,
    prior_precision=1.0,
)


@pytest.fixture
def towers() -> Towers:
    """Few units, so that random features alone do not do."""
    return begin((10, 1, 1), hidden=16, width=4, rng=np.random.default_rng(1))


@pytest.fixture
def lesson() -> Lesson:
    """A send is worth +1 where two of ten signs agree and −1 where not: no linear head sees it."""
    rng = np.random.default_rng(2)
    n = 2000
    context = rng.choice([-1.0, 1.0], size=(n, 10))
    is_send = rng.random(n) < 0.8
    told = is_send * context[:, 0] * context[:, 1] + 0.3 * rng.normal(size=n)
    ones = np.ones((n, 1)) * is_send[:, None]
    return Lesson(
        context=context,
        item=ones,
        slot=ones,
        is_send=is_send,
        target=np.stack([told, np.zeros(n)], axis=1),
        weight=np.ones(n),
        is_held=rng.random(n) < HOW.held_share,
        key=5,
        n_turns=0,
        how=HOW,
    )


def test_training_finds_what_random_features_miss(towers: Towers, lesson: Lesson) -> None:
    """Noise is .09 of a variance of .89, so a tenth is the least that any fit leaves."""
    before, after = held_out_loss(towers, lesson), held_out_loss(trained(towers, lesson), lesson)
    assert before > 0.3
    assert after < 0.14


def test_the_same_lesson_gives_the_same_towers(towers: Towers, lesson: Lesson) -> None:
    short = replace(lesson, how=replace(HOW, epochs=2))
    one, two = (trained(towers, short).state() for _ in range(2))
    other = trained(towers, replace(short, key=6)).state()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    assert any(one[name].tobytes() != other[name].tobytes() for name in one)


def test_noise_teaches_nothing(towers: Towers, lesson: Lesson) -> None:
    """What is no better on the rows held out is not taken."""
    rng = np.random.default_rng(3)
    short = replace(HOW, epochs=4)
    noise = replace(lesson, target=rng.normal(size=(2000, 1)), how=short)
    assert held_out_loss(trained(towers, noise), noise) <= held_out_loss(towers, noise)
    nothing = replace(lesson, target=np.zeros((2000, 2)))
    assert trained(towers, nothing) is towers
    assert trained(towers, replace(lesson, is_held=np.zeros(2000, np.bool_))) is towers


def test_what_is_trained_is_what_is_asked(towers: Towers) -> None:
    """The forward pass of the training beside the one in plain arrays."""
    rng = np.random.default_rng(4)
    context, own = rng.normal(size=(9, 10)), rng.normal(size=(9, 3, 1))
    got = forward(tensors_of(towers)["item"], *(torch.tensor(x).float() for x in (context, own)))
    np.testing.assert_allclose(got.detach().numpy(), towers.item(context, own), atol=1e-5)


def test_settings_that_cannot_be_are_refused() -> None:
    for change in ({"epochs": 0}, {"held_share": 1.0}, {"learning_rate": np.inf}):
        with pytest.raises(BadInputError, match="held_share in"):
            replace(HOW, **change)
