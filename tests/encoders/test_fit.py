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
from encoders.fit import Fit
from encoders.tokens import tokens_of
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


def test_one_step_over_all_batches_owes_what_validation_says(random_histories: Make) -> None:
    """However batches are cut, each question weighs the same: item + .3 hazard, without dropout."""
    histories = random_histories([25, 3, 14, 0, 30, 8, 12, 20, 1, 16], seed=11)
    tokens = tokens_of(histories, pool_ties=True, n_items=7)
    fit = Fit.of(
        tokens,
        histories.user,
        zone="UTC",
        until_ms=int(tokens.at_ms.max()) + 1,
        config=EncoderConfig(n_items=7, dropout=0.0, **SMALL),
        how=TrainingConfig(batch_tokens=64),
        key=1,
    )
    asked = fit.validation
    assert sorted({*asked.row.tolist(), *fit.training_rows.tolist()}) == list(range(10))
    assert not np.isin(asked.row, fit.training_rows).any()
    batches = list(fit._batches(asked, rng=None))
    assert len(batches) == 2
    expected = fit.validated()["total"]
    scale = 1 / fit._owed(asked)
    assert fit._step(batches, asked, share=0.0, scale=scale) == pytest.approx(expected, rel=1e-5)


def test_an_untrained_head_knows_how_often_each_item_is_bought(make_histories: Make) -> None:
    """Three baskets with item 0, one with item 2, one more of each: shares 4, 1 and 2 of 7."""
    rows = [(0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 3, 2)]
    fit = Fit.of(
        tokens_of(make_histories(rows, 1), pool_ties=True, n_items=3),
        np.zeros(1, np.int64),
        zone=None,
        until_ms=4,
        config=EncoderConfig(n_items=3, **SMALL),
        how=TrainingConfig(),
        key=1,
    )
    shares = fit.network.next_item.popularity.detach().exp()
    assert shares.tolist() == pytest.approx([4 / 7, 1 / 7, 2 / 7])


def test_embeddings_and_biases_do_not_decay_and_matrices_do(random_histories: Make) -> None:
    histories = random_histories([5])
    fit = Fit.of(
        tokens_of(histories, pool_ties=True, n_items=7),
        histories.user,
        zone=None,
        until_ms=int(histories.events.at_ms.max()) + 1,
        config=EncoderConfig(n_items=7, **SMALL),
        how=TrainingConfig(),
        key=1,
    )
    named = {id(weight): name for name, weight in fit.network.named_parameters()}
    decayed, free = (
        {named[id(weight)] for weight in group["params"]} for group in fit.optimiser.param_groups
    )
    assert [group["weight_decay"] for group in fit.optimiser.param_groups] == [0.01, 0.0]
    assert {"stream.blocks.0.mix.weight", "stream.to_context.weight"} <= decayed
    assert {"stream.item.weight", "stream.blocks.0.bias.time", "next_item.vector"} <= free
    assert not any(name.endswith("bias") for name in decayed)


def test_the_averaged_weights_are_what_is_kept(random_histories: Make) -> None:
    histories = random_histories([25, 3, 14], seed=11)
    tokens = tokens_of(histories, pool_ties=True, n_items=7)
    fit = Fit.of(
        tokens,
        histories.user,
        zone=None,
        until_ms=int(tokens.at_ms.max()) + 1,
        config=EncoderConfig(n_items=7, **SMALL),
        how=TrainingConfig(epochs=1, warmup_steps=1),
        key=1,
    )
    fit.run(lambda share, text: None)
    best, slow, fast = (n.state_dict() for n in (fit.best, fit.averaged, fit.network))
    assert all(torch.equal(best[name], slow[name]) for name in best)
    assert any(not torch.equal(best[name], fast[name]) for name in best)


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
