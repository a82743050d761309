"""Every size and switch of the two-stream encoder and of its training, frozen.

Numbers enter; :class:`EncoderConfig` (what the module is, stored with the artefact) and
:class:`TrainingConfig` (how it is fitted) leave. Defaults: d = 64, two layers, two heads and a
window of 64 tokens. Reference: XLNet (Yang et al. 2019) for the two streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal

from bandit.errors import BadInputError
from bandit.events import ACTIONS

__all__ = ["HAZARD_EDGES_H", "EncoderConfig", "TrainingConfig", "config_of"]

HAZARD_EDGES_H: tuple[float, ...] = (
    0.0,
    0.25,
    0.5,
    *(float(hour) for hour in range(1, 25)),
    *(float(hour) for hour in range(30, 169, 6)),
)
"""Edges of the hazard's pieces: fine near now, hourly to a day, six-hourly to a week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """What a two-stream encoder is; two encoders with equal configs have equal parameters.

    Parameters
    ----------
    n_items : int
        Vocabulary V; codes outside 0 … V − 1 are read as unknown.
    n_categories : int
        Categories embedded beside the item; 0 where the item is the category.
    window : int
        W, how many of the latest tokens a token or a query may read in one layer.
    time_knots, time_step : int, float
        Knots of the log-time bias, at ln(1 + seconds) = 0, step, 2·step, …
    pool_ties : bool
        Events of one user at one instant (a basket) become one token.
    repeat_kernels : int
        Learned recency kernels that count each item in the window for the item head; 0 turns
        the repeat channel off.
    context_width, n_leading : int
        d_c, and how many of its rotated leading coordinates a bandit takes.
    amount_scale : float
        Divides amounts before the logarithm; fitted on the training range.
    yearly : bool
        Adds the yearly harmonic; off, since less than a year of data cannot teach it.
    """

    n_items: int
    n_categories: int = 0
    n_actions: int = len(ACTIONS)
    width: int = 64
    n_layers: int = 2
    n_heads: int = 2
    window: int = 64
    feedforward_ratio: int = 2
    time_knots: int = 32
    time_step: float = 0.6
    value_knots: int = 12
    dropout: float = 0.1
    pool_ties: bool = True
    repeat_kernels: int = 2
    context_width: int = 32
    n_leading: int = 16
    amount_scale: float = 1.0
    yearly: bool = False
    calendar: bool = True
    hazard_edges_h: tuple[float, ...] = HAZARD_EDGES_H

    def __post_init__(self) -> None:
        counts = ("n_items", "n_actions", "width", "n_layers", "n_heads", "window")
        _expect_positive(self, *counts, "feedforward_ratio", "context_width", "time_step")
        _expect_positive(self, "amount_scale")
        if self.width % self.n_heads:
            raise BadInputError(
                f"expected a width that the heads divide, got {self.width} for {self.n_heads} heads"
            )
        if self.time_knots < 2 or self.value_knots < 2:
            raise BadInputError(
                f"expected two knots at least, got {self.time_knots} of time and "
                f"{self.value_knots} of values"
            )
        if not 0 <= self.dropout < 1 or self.repeat_kernels < 0 or self.n_categories < 0:
            raise BadInputError(
                f"expected dropout in [0, 1) and no negative number of kernels or categories, got "
                f"{self.dropout}, {self.repeat_kernels} and {self.n_categories}"
            )
        if not 0 < self.n_leading <= self.context_width:
            raise BadInputError(
                f"expected n_leading of 1 to {self.context_width}, got {self.n_leading}"
            )
        edges = self.hazard_edges_h
        if len(edges) < 2 or edges[0] != 0 or any(b <= a for a, b in pairwise(edges)):
            raise BadInputError(f"expected two hazard edges or more, rising from 0, got {edges}")

    @property
    def receptive_field(self) -> int:
        """R = L(W − 1) + 1: how many of the latest tokens a query can depend on."""
        return self.n_layers * (self.window - 1) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a two-stream encoder is fitted.

    Parameters
    ----------
    batch_tokens, batches_a_step : int
        Padded tokens and queries of one batch, about, and how many batches one step averages.
    query_every_days : float
        One hazard query is drawn in each stretch of this length, inside gaps and in the
        censored tail alike.
    item_loss : {"full", "sampled"}
        Softmax over all items, or over targets and ``n_negatives`` shared ones.
    gap_item_weight : float
        Weight of predicting the next basket from a query inside the gap before it.
    hazard_weight : float
        Weight of the hazard's negative log-likelihood.
    activity : {"every", "first"}
        What the hazard answers for: activity in every piece after the query, or the first event
        only.
    patience : int
        Epochs without a better validation loss before training stops. Where there is nobody to
        hold out (fewer than five users, or ``validation_users`` of 0), all epochs are trained
        and the last is kept.

    Notes
    -----
    Steps, not passes, were short: of the settings tried on the first 270 days of the Complete
    Journey (simulated by its authors' account), by the loss of the 256 users held out of
    training, one key, CPU seconds of one thread on a shared machine (in brackets: scaled from
    the row below, as that fit ran on two threads):

    ======  =============  ==============  ======  ===========
    epochs  learning rate  batches a step  loss    CPU seconds
    ======  =============  ==============  ======  ===========
    12      .002           3               5.6170  (213)
    8       .002           3               5.6342  142
    6       .003           3               5.6348  111
    8       .005           2               5.5978  148
    6       .006           2               5.6044  114
    ======  =============  ==============  ======  ===========

    The last is the default: better than twelve slow passes in about half their time. Who can
    wait takes the row above it.
    """

    epochs: int = 6
    batch_tokens: int = 2048
    batches_a_step: int = 2
    learning_rate: float = 6e-3
    final_learning_rate: float = 2e-5
    warmup_steps: int = 100
    beta2: float = 0.98
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    query_every_days: float = 8.0
    item_loss: Literal["full", "sampled"] = "full"
    n_negatives: int = 512
    gap_item_weight: float = 0.2
    hazard_weight: float = 0.3
    activity: Literal["every", "first"] = "every"
    validation_users: int = 256
    patience: int = 3

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_tokens", "batches_a_step", "n_negatives", "patience")
        _expect_positive(self, *counts, "learning_rate", "query_every_days", "clip_norm")
        for name, known in (("item_loss", ("full", "sampled")), ("activity", ("every", "first"))):
            if getattr(self, name) not in known:
                raise BadInputError(
                    f"expected {name} to be one of {known}, got {getattr(self, name)!r}"
                )


def config_of(stored: Mapping[str, Any]) -> EncoderConfig:
    """Rebuild a config from what :func:`dataclasses.asdict` stored; unknown keys are refused."""
    known = {field.name for field in fields(EncoderConfig)}
    if set(stored) != known:
        raise BadInputError(
            f"expected the encoder settings {sorted(known)}, got {sorted(stored)}: the artefact "
            "was written by another version"
        )
    values: dict[str, Any] = dict(stored)
    values["hazard_edges_h"] = tuple(stored["hazard_edges_h"])
    return EncoderConfig(**values)


def _expect_positive(settings: Any, *names: str) -> None:
    """Raise :class:`BadInputError` for the first named setting that is not above zero."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise BadInputError(f"expected {name} above zero, got {getattr(settings, name)}")
