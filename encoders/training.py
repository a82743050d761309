"""Fitting a two-stream encoder on one range of time, on a CPU, in minutes.

Histories enter, of which nothing at or after ``until_ms`` is read; a fitted
:class:`~encoders.encoder.TwoStreamEncoder` leaves. AdamW with warm-up and a cosine, an
exponential moving average of the weights (which is what is validated and kept), validation on
users held out, early stopping. With one thread the same key gives the same bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.events import Histories
from encoders.answer import expect_zone
from encoders.config import EncoderConfig, TrainingConfig
from encoders.encoder import TwoStreamEncoder
from encoders.fit import Fit, Progress
from encoders.tokens import events_before, tokens_of

__all__ = ["Progress", "train"]

_N_ANCHORS = 8192


def train(
    histories: Histories,
    *,
    zone: str | None,
    until_ms: int,
    config: EncoderConfig,
    key: int,
    training: TrainingConfig | None = None,
    progress: Progress | None = None,
) -> TwoStreamEncoder:
    """Fit an encoder on the events before ``until_ms``.

    Parameters
    ----------
    histories : Histories
        One a user; later events may be present and are cut off first.
    zone : str or None
        IANA zone of the users; ``None`` where it is unknown, and no calendar is used.
    until_ms : int
        End of the training range, exclusive.
    config : EncoderConfig
        What to build; ``amount_scale`` is fitted here.
    key : int
        Seeds initial weights, dropout, queries and batches.
    training : TrainingConfig, optional
        How to fit.
    progress : callable, optional
        Told after each step how far it is.

    Raises
    ------
    BadInputError
        If no event lies before ``until_ms``.
    StateError
        If the loss was no number after every epoch.
    """
    training = training or TrainingConfig()
    past = events_before(histories, until_ms)
    if past.events.n_rows == 0:
        raise BadInputError(f"expected events before {until_ms}, got none: nothing to learn from")
    expect_zone(zone)
    config = replace(config, amount_scale=_amount_scale(past))
    tokens = tokens_of(
        past,
        pool_ties=config.pool_ties,
        amount_scale=config.amount_scale,
        n_items=config.n_items,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key & 0x7FFFFFFFFFFFFFFF)
        fit = Fit.of(
            tokens,
            past.user,
            zone=zone,
            until_ms=until_ms,
            config=config,
            how=training,
            key=key,
        )
        notes = fit.run(progress or (lambda share, text: None))
    encoder = TwoStreamEncoder(fit.best, zone=zone, notes=notes)
    span_ms = (fit.from_ms, until_ms)
    encoder.rotation = _principal_axes(encoder, past, fit.training_rows, span_ms=span_ms)
    return encoder


def _amount_scale(past: Histories) -> float:
    amount = past.events.amount
    known = amount[amount > 0]
    return float(np.median(known)) if len(known) else 1.0


def _principal_axes(
    encoder: TwoStreamEncoder,
    past: Histories,
    rows: NDArray[np.int64],
    *,
    span_ms: tuple[int, int],
) -> NDArray[np.float64]:
    """Return the rotation after which leading coordinates carry most variance over instants."""
    n_times = max(1, _N_ANCHORS // max(len(rows), 1))
    place = (np.arange(n_times) + 0.5) / n_times
    at_ms = (span_ms[0] + place * (span_ms[1] - span_ms[0])).astype(np.int64)
    contexts = encoder.encode(past, np.tile(at_ms, (past.n_users, 1)))[rows]
    contexts = contexts.reshape(-1, encoder.n_features)
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(contexts, rowvar=False)))
    axes = axes[:, ::-1]
    largest = np.abs(axes).argmax(axis=0)
    return np.asarray(axes * np.sign(axes[largest, np.arange(axes.shape[1])]))
