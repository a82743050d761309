from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bandit.errors import BadInputError, StateError
from bandit.events import Histories
from encoders.config import EncoderConfig, TrainingConfig
from encoders.encoder import TwoStreamEncoder
from encoders.training import train

Make = Callable[..., Histories]

SMALL: dict[str, Any] = {"width": 16, "window": 8, "context_width": 8, "n_leading": 4}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(
    random_histories: Make, *, key: int = 1, progress: Any = None, **settings: Any
) -> TwoStreamEncoder:
    histories = random_histories([25, 3, 14, 0, 30, 8, 12, 20, 1, 16], seed=11)
    fast: dict[str, Any] = {"epochs": 3, "warmup_steps": 5, "batch_tokens": 256}
    return train(
        histories,
        zone="UTC",
        until_ms=int(histories.events.at_ms.max()) + 1,
        config=EncoderConfig(n_items=7, **SMALL),
        key=key,
        training=TrainingConfig(**(fast | settings)),
        progress=progress,
    )


def test_the_same_key_gives_the_same_weights_and_losses(random_histories: Make) -> None:
    """O26, on one thread."""
    first, second = trained(random_histories), trained(random_histories)
    mine, theirs = first.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert first.notes["validation"] == second.notes["validation"]
    assert trained(random_histories, key=2).encoder_id != first.encoder_id


@pytest.mark.parametrize("settings", [{"validation_users": 0}, {"n_users": 4}])
def test_with_nobody_held_out_every_epoch_is_trained_and_the_last_is_kept(
    random_histories: Make, settings: dict[str, int]
) -> None:
    """A loss of zero in every epoch would otherwise keep the first one."""
    histories = random_histories([25, 3, 14, 8, 12, 20][: settings.get("n_users", 6)], seed=11)
    how: dict[str, Any] = {"validation_users": settings.get("validation_users", 256)}

    def fitted(epochs: int) -> TwoStreamEncoder:
        return train(
            histories,
            zone="UTC",
            until_ms=int(histories.events.at_ms.max()) + 1,
            config=EncoderConfig(n_items=7, **SMALL),
            key=1,
            training=TrainingConfig(epochs=epochs, patience=2, warmup_steps=5, **how),
        )

    notes = fitted(5).notes
    assert (notes["n_epochs"], notes["best_epoch"]) == (5, 4)
    assert fitted(5).encoder_id != fitted(1).encoder_id


def test_a_fit_whose_loss_is_no_number_is_refused(random_histories: Make) -> None:
    for validation_users in (0, 256):
        with pytest.raises(StateError, match="lower the learning rate"):
            trained(random_histories, learning_rate=1e30, validation_users=validation_users)


def test_a_zone_that_does_not_exist_is_refused_before_anything_is_fitted(
    make_histories: Make,
) -> None:
    with pytest.raises(BadInputError, match="IANA"):
        train(
            make_histories([(0, 1, 1)], 1),
            zone="Mars/Olympus",
            until_ms=2,
            config=EncoderConfig(n_items=2),
            key=1,
        )


def test_a_context_of_one_number_can_be_fitted(random_histories: Make) -> None:
    histories = random_histories([12, 9, 7])
    encoder = train(
        histories,
        zone=None,
        until_ms=int(histories.events.at_ms.max()) + 1,
        config=EncoderConfig(n_items=7, **(SMALL | {"context_width": 1, "n_leading": 1})),
        key=1,
        training=TrainingConfig(epochs=1, warmup_steps=5),
    )
    assert np.abs(encoder.rotation).tolist() == [[1.0]]


def test_progress_rises_to_one_and_does_not_change_the_fit(random_histories: Make) -> None:
    told: list[tuple[float, str]] = []
    told_about = trained(random_histories, progress=lambda share, text: told.append((share, text)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert told[-1] == (1.0, "fitted")
    assert any("epoch 3/3" in text for _, text in told)
    assert told_about.encoder_id == trained(random_histories).encoder_id


def test_training_stops_when_validation_no_longer_improves(random_histories: Make) -> None:
    """A step too large to improve anything: the best epoch is kept, the rest is not run."""
    encoder = trained(
        random_histories, epochs=30, patience=2, learning_rate=1.0, ema_decay=0.0, warmup_steps=1
    )
    notes = encoder.notes
    assert notes["n_epochs"] < 30
    assert notes["n_epochs"] == notes["best_epoch"] + 1 + 2
    totals = [losses["total"] for losses in notes["validation"]]
    assert notes["best_epoch"] == int(np.argmin(totals))


def test_training_lowers_the_loss_of_users_held_out(random_histories: Make) -> None:
    totals = [losses["total"] for losses in trained(random_histories, epochs=6).notes["validation"]]
    assert totals[-1] < totals[0]


def test_the_rotation_is_orthogonal_and_orders_variances(random_histories: Make) -> None:
    encoder = trained(random_histories)
    np.testing.assert_allclose(encoder.rotation @ encoder.rotation.T, np.eye(8), atol=1e-9)
