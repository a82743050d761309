"""One fit in progress: epochs of steps, averaged weights, validation and early stopping.

Tokens of the training range and both configs enter; fitted networks and what happened leave.
AdamW (Loshchilov and Hutter 2019) with warm-up and a cosine; the exponential moving average of
the weights is what is validated and kept.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandit.draws import Stream, generator, uniforms
from bandit.errors import StateError
from encoders.batches import Batch, Batches, Tensorised
from encoders.config import EncoderConfig, TrainingConfig
from encoders.network import Network, Reading
from encoders.objective import hazard_objective, item_objective
from encoders.targets import Questions, event_questions, gap_questions, joined
from encoders.tokens import TokenTable

__all__ = ["Fit", "Progress"]

Progress = Callable[[float, str], None]
"""Takes the share of the work done, 0 to 1, and a line of text."""


@dataclass(slots=True, kw_only=True)
class Fit:
    """The state of a fit: networks as trained, averaged and best; questions; what happened."""

    network: Network
    averaged: Network
    best: Network
    tokens: TokenTable
    zone: str | None
    from_ms: int
    until_ms: int
    config: EncoderConfig
    how: TrainingConfig
    rng: np.random.Generator
    training_rows: NDArray[np.int64]
    validation: Questions
    optimiser: torch.optim.Optimizer
    n_steps: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        tokens: TokenTable,
        user: NDArray[np.int64],
        *,
        zone: str | None,
        until_ms: int,
        config: EncoderConfig,
        how: TrainingConfig,
        key: int,
    ) -> Fit:
        """Build the network and hold out validation users, both by ``key``."""
        network = Network(config)
        _start_from_counts(network, tokens)
        rng = generator(key, stream=Stream.INITIAL)
        ranked = np.argsort(uniforms(key, user, stream=Stream.FOLD), kind="stable")
        n_held = min(how.validation_users, len(user) // 5)
        from_ms = int(tokens.at_ms.min())
        held = np.sort(ranked[:n_held])
        return cls(
            network=network,
            averaged=copy.deepcopy(network).eval(),
            best=copy.deepcopy(network).eval(),
            tokens=tokens,
            zone=zone,
            from_ms=from_ms,
            until_ms=until_ms,
            config=config,
            how=how,
            rng=rng,
            training_rows=np.sort(ranked[n_held:]),
            validation=_questions(
                tokens, held, from_ms=from_ms, until_ms=until_ms, how=how, rng=rng
            ),
            optimiser=_optimiser(network, how),
        )

    def run(self, progress: Progress) -> dict[str, Any]:
        """Train until the epochs are over or validation stops improving; what happened."""
        started, best_loss, best_epoch = time.monotonic(), math.inf, -1
        is_held_out = len(self.validation.row) > 0
        for epoch in range(self.how.epochs):
            self._epoch(epoch, progress)
            self.losses.append(self.validated())
            loss = self.losses[-1]["total"]
            if loss < best_loss or not is_held_out:
                best_loss, best_epoch = loss, epoch
                self.best.load_state_dict(self.averaged.state_dict())
            if epoch - best_epoch >= self.how.patience:
                break
        if best_epoch < 0 or not _is_finite(self.best):
            raise StateError(
                f"expected a loss that is a number, got {self.losses[-1]['total']} after "
                f"{len(self.losses)} epochs: lower the learning rate of {self.how.learning_rate}"
            )
        progress(1.0, "fitted")
        seconds = time.monotonic() - started
        return {
            "training": asdict(self.how),
            "n_steps": self.n_steps,
            "n_epochs": len(self.losses),
            "best_epoch": best_epoch,
            "validation": self.losses,
            "seconds_per_epoch": seconds / len(self.losses),
        }

    def validated(self) -> dict[str, float]:
        """Losses of the averaged weights on the users held out; zero where there are none."""
        sums, counts = np.zeros(2), np.zeros(2)
        with torch.inference_mode():
            for batch in self._batches(self.validation, rng=None):
                reading = self.averaged(batch)
                (n_item, item), (n_wait, wait) = self._objectives(
                    self.averaged, reading, self.validation, rng=None
                )
                sums += n_item * item.item(), n_wait * wait.item()
                counts += n_item, n_wait
        item_mean, hazard_mean = sums / np.maximum(counts, 1e-9)
        total = item_mean + self.how.hazard_weight * hazard_mean
        return {"item": float(item_mean), "hazard": float(hazard_mean), "total": float(total)}

    def _epoch(self, epoch: int, progress: Progress) -> None:
        questions = _questions(
            self.tokens,
            self.training_rows,
            from_ms=self.from_ms,
            until_ms=self.until_ms,
            how=self.how,
            rng=self.rng,
        )
        batches = self._batches(questions, rng=self.rng)
        owed = self._owed(questions)
        n_done = 0
        for step in batches.steps(self.how.batches_a_step, self.rng):
            n_done += len(step)
            share = (epoch + n_done / len(batches)) / self.how.epochs
            loss = self._step(step, questions, share=share, scale=len(batches) / len(step) / owed)
            progress(share, f"epoch {epoch + 1}/{self.how.epochs}, loss {loss:.3f}")

    def _owed(self, questions: Questions) -> NDArray[np.float64]:
        """Total weight of item and of hazard questions in an epoch."""
        has_items = questions.basket_to > questions.basket_from
        weight = np.where(questions.is_gap, self.how.gap_item_weight, 1.0) * has_items
        return np.maximum([weight.sum(), float(questions.is_gap.sum())], 1.0)

    def _step(
        self,
        batches: list[Batch],
        questions: Questions,
        *,
        share: float,
        scale: NDArray[np.float64],
    ) -> float:
        """One step of the optimiser on the sum of the batches' losses, each question alike."""
        for group in self.optimiser.param_groups:
            group["lr"] = _learning_rate(self.how, step=self.n_steps, share=share)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for batch in batches:
            (n_item, item), (n_wait, wait) = self._objectives(
                self.network, self.network(batch), questions, rng=self.rng
            )
            item_part = item * (n_item * scale[0])
            loss = item_part + self.how.hazard_weight * wait * (n_wait * scale[1])
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.how.clip_norm)
        self.optimiser.step()
        self.n_steps += 1
        self._average()
        return total

    def _average(self) -> None:
        decay = min(self.how.ema_decay, self.n_steps / (self.n_steps + 10))
        with torch.no_grad():
            pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - decay)

    def _objectives(
        self,
        network: Network,
        reading: Reading,
        questions: Questions,
        *,
        rng: np.random.Generator | None,
    ) -> tuple[tuple[float, torch.Tensor], tuple[float, torch.Tensor]]:
        item = item_objective(
            network, reading, questions=questions, tokens=self.tokens, how=self.how, rng=rng
        )
        wait = hazard_objective(
            network,
            reading,
            questions=questions,
            tokens=self.tokens,
            how=self.how,
            zone=self.zone,
            until_ms=self.until_ms,
        )
        return item, wait

    def _batches(self, questions: Questions, rng: np.random.Generator | None) -> Batches:
        tensorised = Tensorised.of(
            self.tokens, questions.queries(self.tokens), zone=self.zone, config=self.config
        )
        return Batches.of(
            tensorised, config=self.config, batch_tokens=self.how.batch_tokens, rng=rng
        )


def _is_finite(network: Network) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


def _questions(
    tokens: TokenTable,
    rows: NDArray[np.int64],
    *,
    from_ms: int,
    until_ms: int,
    how: TrainingConfig,
    rng: np.random.Generator,
) -> Questions:
    gaps = gap_questions(
        tokens, rows, from_ms=from_ms, until_ms=until_ms, every_days=how.query_every_days, rng=rng
    )
    return joined(event_questions(tokens, rows), gaps)


def _learning_rate(how: TrainingConfig, *, step: int, share: float) -> float:
    warm = min(1.0, (step + 1) / max(how.warmup_steps, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return warm * (how.final_learning_rate + (how.learning_rate - how.final_learning_rate) * cosine)


def _optimiser(network: Network, how: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW; only matrices that multiply states decay, never embeddings, biases or tables."""
    decayed: list[torch.nn.Parameter] = []
    free: list[torch.nn.Parameter] = []
    for name, parameter in network.named_parameters():
        is_matrix = name.endswith("weight") and parameter.ndim == 2
        is_table = name.startswith(("stream.item", "stream.category", "stream.action"))
        (decayed if is_matrix and not is_table else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": how.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=how.learning_rate, betas=(0.9, how.beta2))


def _start_from_counts(network: Network, tokens: TokenTable) -> None:
    """Begin the popularity of the item head at the log share of baskets of each item."""
    counts = np.bincount(tokens.basket_item, minlength=network.config.n_items) + 1.0
    with torch.no_grad():
        network.next_item.popularity.copy_(torch.from_numpy(np.log(counts / counts.sum())))
