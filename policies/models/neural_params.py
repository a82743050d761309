"""Settings of neural-linear: towers, their training, and the prior of the last layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.errors import BadInputError
from policies.models.lesson import Training
from policies.models.linear_head import HeadParams

__all__ = ["NeuralParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralParams:
    """Towers, their training, and the prior of the last layer.

    Parameters
    ----------
    hidden, width : int
        Units H of a tower's hidden layer and its outputs E.
    seed : int
        Of the first weights, of the rows held out and of the order of training.
    least_rows : int
        Final rows before towers are trained; 0 leaves that to who calls ``train``.
    grows : float
        They are trained again when final rows have grown by this share.
    most_rows : int
        Final rows that are kept for training and replay, the latest.
    epochs, patience, batch_rows, learning_rate, weight_decay, held_share
        See :class:`policies.models.lesson.Training`.
    prior_precision, noise_sd, noise_rows, forget
        See :class:`policies.models.linear_head.HeadParams`.
    """

    hidden: int = 64
    width: int = 16
    seed: int = 0
    least_rows: int = 1000
    grows: float = 0.5
    most_rows: int = 65_536
    epochs: int = 20
    patience: int = 3
    batch_rows: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    held_share: float = 0.2
    prior_precision: float = 1.0
    noise_sd: float = 1.0
    noise_rows: float = 10.0
    forget: float = 1.0

    def __post_init__(self) -> None:
        counts = (self.hidden, self.width, self.most_rows)
        if min(counts) < 1 or self.least_rows < 0 or not 0 < self.grows < np.inf:
            raise BadInputError(
                "expected hidden, width and most_rows of at least 1, least_rows of at least 0 and "
                f"a finite grows above 0, got {counts}, {self.least_rows}, {self.grows}"
            )
        for part in ("head", "training"):
            getattr(self, part)  # each checks its own

    @property
    def head(self) -> HeadParams:
        """Prior, noise and forgetting of the last layer."""
        return HeadParams(
            prior_precision=self.prior_precision,
            noise_sd=self.noise_sd,
            noise_rows=self.noise_rows,
            forget=self.forget,
        )

    @property
    def training(self) -> Training:
        """How towers are trained."""
        return Training(
            epochs=self.epochs,
            patience=self.patience,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            held_share=self.held_share,
            prior_precision=self.prior_precision,
        )
