"""Training of towers: gradient steps on final rows, judged by what a last layer makes of them.

Towers and a lesson enter; towers leave, the best on the rows held out, which may be those that
entered. Every component is a task of its own, standardised, so what a reward weighs may change
later. The one file of the models that needs torch. References: Riquelme, Tucker and Snoek (2018);
Loshchilov and Hutter (2019), AdamW.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bandit.draws import Stream, generator
from policies.models.lesson import Lesson
from policies.models.linear_math import factor_of_covariance, posterior_mean
from policies.models.towers import Tower, Towers

__all__ = ["Weights", "arrays_of", "forward", "held_out_loss", "tensors_of", "trained"]

Array = NDArray[np.float64]
Weights = dict[str, dict[str, torch.Tensor]]

_CLIP_NORM = 1.0
_CHUNK_ROWS = 8192
_LEAST_VARIANCE = 1e-12


def trained(towers: Towers, lesson: Lesson) -> Towers:
    """Train on the rows that are not held out; deterministic under the lesson's key."""
    target = _standardised(lesson)
    fitted = np.flatnonzero(~lesson.is_held)
    if not target.shape[1] or not lesson.is_held.any() or not len(fitted):
        return towers
    best, theta = _judged(towers, lesson, target)
    kept, weights = towers, tensors_of(towers)
    head = torch.tensor(theta, dtype=torch.float32, requires_grad=True)
    how = lesson.how
    moving = [head, *(part for tower in weights.values() for part in tower.values())]
    optimiser = torch.optim.AdamW(
        moving, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True
    )
    rng = generator(lesson.key, stream=Stream.INITIAL)
    n_worse = 0
    for _ in range(how.epochs):
        order = rng.permutation(fitted)
        for start in range(0, len(order), how.batch_rows):
            rows = order[start : start + how.batch_rows]
            optimiser.zero_grad(set_to_none=True)
            _loss(weights, head, lesson, target, rows).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(moving, _CLIP_NORM)
            optimiser.step()
        now = arrays_of(weights)
        loss, _ = _judged(now, lesson, target)
        n_worse += 1
        if loss < best:
            best, kept, n_worse = loss, now, 0
        if n_worse >= how.patience:
            break
    return kept


def held_out_loss(towers: Towers, lesson: Lesson) -> float:
    """Mean squared error on held-out rows, in variances of a component, of a ridge last layer."""
    return _judged(towers, lesson, _standardised(lesson))[0]


def _judged(towers: Towers, lesson: Lesson, target: Array) -> tuple[float, Array]:
    """That error, and the last layer fitted on the other rows, (R'', P)."""
    fitted, held = np.flatnonzero(~lesson.is_held), np.flatnonzero(lesson.is_held)
    precision = np.zeros((towers.n_features, towers.n_features))
    moment = np.zeros((target.shape[1], towers.n_features))
    for rows in _chunks(fitted):
        features = _features(towers, lesson, rows)
        weighted = features * lesson.weight[rows, None]
        precision += weighted.T @ features
        moment += target[rows].T @ weighted
    factor = factor_of_covariance(precision, prior=lesson.how.prior_precision)
    theta = np.stack([posterior_mean(factor, one) for one in moment])
    total = 0.0
    for rows in _chunks(held):
        away = target[rows] - _features(towers, lesson, rows) @ theta.T
        total += float(lesson.weight[rows] @ (away**2).mean(axis=1))
    return total / float(lesson.weight[held].sum()), theta


def _loss(
    weights: Weights, head: torch.Tensor, lesson: Lesson, target: Array, rows: NDArray[np.int64]
) -> torch.Tensor:
    context, item, slot, is_send = (
        torch.tensor(part, dtype=torch.float32) for part in lesson.rows(rows)
    )
    one = torch.ones((len(rows), 1))
    u, v, w = (
        forward(weights[name], context, own[:, None])[:, 0]
        for name, own in (("item", item), ("slot", slot), ("base", item[:, :0]))
    )
    pair = torch.cat([one, u, v, u * v], dim=1) * is_send[:, None]
    predicted = torch.cat([one, context, w, pair], dim=1) @ head.T
    wanted = torch.tensor(target[rows], dtype=torch.float32)
    weight = torch.tensor(lesson.weight[rows], dtype=torch.float32)
    return (weight[:, None] * (predicted - wanted) ** 2).mean()


def forward(
    tower: dict[str, torch.Tensor], context: torch.Tensor, own: torch.Tensor
) -> torch.Tensor:
    """Outputs (N, J, E) of contexts (N, D) with features (N, J, F), as a tower in plain arrays."""
    hidden = own @ tower["own"] + (context @ tower["context"] + tower["bias"])[:, None]
    return torch.tanh(functional.relu(hidden) @ tower["out"] + tower["shift"])


def _standardised(lesson: Lesson) -> Array:
    """Components that vary, each at mean 0 and variance 1, (N, R'')."""
    share = lesson.weight / max(float(lesson.weight.sum()), _LEAST_VARIANCE)
    away = lesson.target - share @ lesson.target
    variance = share @ away**2
    varies = variance > _LEAST_VARIANCE
    return np.asarray(away[:, varies] / np.sqrt(variance[varies]))


def _features(towers: Towers, lesson: Lesson, rows: NDArray[np.int64]) -> Array:
    context, item, slot, is_send = lesson.rows(rows)
    return towers.features(context, item, slot, is_send=is_send)


def _chunks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _CHUNK_ROWS] for start in range(0, len(rows), _CHUNK_ROWS)]


def tensors_of(towers: Towers) -> Weights:
    """Weights of towers in single precision, to be trained."""
    return {
        tower.name: {
            part.name: torch.tensor(
                getattr(getattr(towers, tower.name), part.name),
                dtype=torch.float32,
                requires_grad=True,
            )
            for part in fields(Tower)
        }
        for tower in fields(Towers)
    }


def arrays_of(weights: Weights) -> Towers:
    """Towers in plain arrays."""
    return Towers(
        **{
            name: Tower(
                **{part: w.detach().numpy().astype(np.float64) for part, w in tower.items()}
            )
            for name, tower in weights.items()
        }
    )
