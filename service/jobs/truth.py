"""Step 4 of the main job: frozen policies, valued from another policy's log, against truth.

Policies frozen half-way through the walk enter; for two loggers, each redrawn 200 times, every
estimator × weighting is asked what each policy was worth on the remaining days. The truth is
known, because every action's hit is. Bias, spread, width and coverage of every cell leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, assemble
from bandit.draws import key_of
from bandit.errors import StateError
from bandit.floor import apply_floor
from bandit.protocols import Policy
from service.jobs.contenders import CONTENDERS, Contender, WarmStart, ready
from service.jobs.loggers import FactoredLogger, Logged, broad_logger, random_logger
from service.jobs.online import Prepared, frozen_after, frozen_path
from service.jobs.progress import Progress
from service.jobs.purchase_features import DayFeatures
from service.jobs.purchase_world import SEND_COST, AllCategories, PurchaseWorld
from service.jobs.purchases import Purchases
from service.jobs.truth_cells import Cells, Target
from service.jobs.walk import FLOOR, load_state

__all__ = ["N_REDRAWS", "TARGETS", "evaluate_against_truth", "frozen_targets"]

Array = NDArray[np.float64]

N_REDRAWS = 200
TARGETS = (
    "random",
    "popular item, popular hour",
    "counts static",
    "counts updated, fading",
    "best hour + ranker",
    "linucb warm",
    "lints warm",
    "igw warm",
)
_N_FOLDS = 2
_THREADS = 2
_RIDGE = 10.0
_ROWS_AT_ONCE = 10_000


def evaluate_against_truth(
    prepared: Prepared,
    states: Path,
    *,
    targets: Sequence[str] = TARGETS,
    n_redraws: int = N_REDRAWS,
) -> dict[str, Any]:
    """Estimate every frozen policy from every redrawn log; compare with the truth.

    Parameters
    ----------
    prepared : Prepared
        The shop with the features of its online days after the freeze.
    states : Path
        Folder of frozen states, as the online step left it.
    targets : sequence of str
        Names of contenders to evaluate.
    n_redraws : int
        How many logs each logger draws.

    Returns
    -------
    dict
        ``cells`` (one row a logger × policy × estimator × weighting), and a summary of the
        acceptance lines.
    """
    shop, start = prepared.shop, frozen_after(prepared.shop)
    days = prepared.days
    if days[0].day != shop.online_days[start]:
        raise StateError(
            f"expected features from online day {start} on, when policies were frozen, got day "
            f"{days[0].day - shop.train_days}: prepare with skip={start}"
        )
    bench = _Bench.of(shop, days)
    loggers = (random_logger(shop), broad_logger(shop))
    rows: list[dict[str, Any]] = []
    with (
        Progress(len(loggers) * (1 + len(targets)), "evaluation") as progress,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        logs = []
        for logger in loggers:
            logs.append(_Redraws.of(bench, logger, n_redraws, pool))
            progress.step()
        for name, pmf in frozen_targets(prepared, states, targets):
            target = bench.target(name, pmf)
            for redraws in logs:
                rows += _cells(bench, target, redraws, pool)
                progress.step()
    return {
        "cells": rows,
        "n_redraws": n_redraws,
        "rows_a_log": bench.n_rows,
        "days": len(days),
        "frozen_after_days": start,
        "loggers": {logger.name: f"P(hold) = {logger.hold:.4f}" for logger in loggers},
    }


def _cells(
    bench: _Bench, target: Target, redraws: _Redraws, pool: ThreadPoolExecutor
) -> list[dict[str, Any]]:
    """One target from one logger's logs; arithmetic on long columns runs beside itself."""
    cells = Cells(logger=redraws.logger.name, target=target)
    numbers = range(len(redraws.action))
    for figures in pool.map(lambda n: cells.figures(bench.evidence(target, redraws, n)), numbers):
        cells.add(figures)
    return cells.rows()


def frozen_targets(
    prepared: Prepared, states: Path, names: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield each frozen policy's pmf after the floor, (H, T, A), one policy at a time."""
    by_name = {contender.name: contender for contender in CONTENDERS}
    for name in names:
        policy = _thawed(by_name[name], prepared, frozen_path(states, by_name[name]))
        yield name, _pmfs(policy, by_name[name], prepared.shop, prepared.days)


def _thawed(contender: Contender, prepared: Prepared, path: Path) -> Policy:
    warm: WarmStart = prepared.warm
    policy = ready(contender, prepared.shop, sample=prepared.days[0], warm=warm)
    load_state(path, policy)
    return policy


def _pmfs(
    policy: Policy, contender: Contender, shop: Purchases, days: Sequence[DayFeatures]
) -> NDArray[np.float32]:
    found = np.empty((shop.n_users, len(days), 1 + shop.n_items * shop.n_slots), np.float32)
    for t, day in enumerate(days):
        world = PurchaseWorld(shop=shop, days=[day], is_time_aware=contender.is_time_aware)
        observation = world.observe()
        if observation is None:
            raise AssertionError("a world of one day observes it")
        request = assemble(observation, AllCategories(world=world)(observation))
        pmf = policy.pmf(request, key_of("frozen", contender.name))
        found[:, t] = apply_floor(pmf, request.mask, n_slots=shop.n_slots, floor=FLOOR)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """The remaining days as rows in (household, day) order, with truth and model features."""

    n_users: int
    n_days: int
    n_slots: int
    hits: NDArray[np.bool_]  # (N, K·S)
    items: Array  # (N, K, Di)
    slots: Array  # (N, S, Ds)

    @classmethod
    def of(cls, shop: Purchases, days: Sequence[DayFeatures]) -> _Bench:
        """Lay the days out household by household."""
        h, t = shop.n_users, len(days)
        hits = np.stack([shop.hits(day.day).reshape(h, -1) for day in days], axis=1)
        items = np.stack([day.items for day in days], axis=1)
        slots = np.stack([day.slots for day in days], axis=1)
        return cls(
            n_users=h,
            n_days=t,
            n_slots=shop.n_slots,
            hits=hits.reshape(h * t, -1),
            items=items.reshape(h * t, *items.shape[2:]),
            slots=slots.reshape(h * t, *slots.shape[2:]),
        )

    @property
    def n_rows(self) -> int:
        """N = households × days."""
        return self.n_users * self.n_days

    @property
    def cluster(self) -> NDArray[np.int64]:
        """Household of each row."""
        return np.arange(self.n_rows) // self.n_days

    def target(self, name: str, pmf: NDArray[np.float32]) -> Target:
        """What evaluation needs of a target policy with pmf (H, T, A)."""
        rows = pmf.reshape(self.n_rows, -1)
        sends = rows[:, 1:].reshape(self.n_rows, -1, self.n_slots)
        expected = np.empty((self.n_rows, self.items.shape[2], self.slots.shape[2]))
        # Σ_a π(a)·ζ(a): a linear model's value of the policy is this times its coefficients.
        for begin in range(0, self.n_rows, _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            by_slot = np.einsum("nks,nsj->nkj", sends[some], self.slots[some], optimize=True)
            expected[some] = np.einsum("nki,nkj->nij", self.items[some], by_slot, optimize=True)
        hit = np.einsum("na,na->n", rows[:, 1:], self.hits, optimize=True)
        cost = SEND_COST * (1.0 - rows[:, HOLD].astype(np.float64))
        return Target(
            name=name,
            truth=float((hit - cost).mean()),
            pmf=rows,
            item=sends.sum(axis=2),
            slot=sends.sum(axis=1),
            features=expected.reshape(self.n_rows, -1),
        )

    def logged_features(self, action: NDArray[np.int64]) -> Array:
        """ζ of logged actions, zeros for hold, (N, Di·Ds)."""
        rows = np.arange(self.n_rows)
        item, slot = divmod(np.maximum(action - 1, 0), self.n_slots)
        pair = self.items[rows, item][:, :, None] * self.slots[rows, slot][:, None, :]
        return np.asarray(pair.reshape(self.n_rows, -1) * (action > 0)[:, None])

    def reward(self, action: NDArray[np.int64]) -> Array:
        """Hit less the cost of a send, (N,)."""
        is_send = action > 0
        hit = self.hits[np.arange(self.n_rows), np.maximum(action - 1, 0)] & is_send
        return hit - SEND_COST * is_send

    def evidence(self, target: Target, redraws: _Redraws, number: int) -> dict[str, Any]:
        """Columns of :class:`~bandit.ope.evidence.Evidence` for one redraw."""
        fold = self.cluster % _N_FOLDS
        model = redraws.model[number]  # (folds, Di·Ds)
        value = target.features @ model.T  # (N, folds)
        p_send = 1.0 - target.pmf[:, HOLD].astype(np.float64)
        baseline = value[np.arange(self.n_rows), fold] - SEND_COST * p_send
        return {
            "reward": redraws.reward[number].astype(np.float64),
            "logged": redraws.logged(number, n_days=self.n_days),
            "cluster": self.cluster,
            "baseline_logged": redraws.baseline[number].astype(np.float64),
            "baseline_target": baseline,
            "n_slots": self.n_slots,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Redraws:
    """All logs of one logger, and a reward model cross-fitted by household on each."""

    logger: FactoredLogger
    action: NDArray[np.int16]  # (B, N)
    reward: NDArray[np.float32]  # (B, N)
    baseline: NDArray[np.float32]  # (B, N) q̂ of the logged action
    model: Array  # (B, folds, Di·Ds): coefficients used for the households of each fold

    @classmethod
    def of(
        cls, bench: _Bench, logger: FactoredLogger, n_redraws: int, pool: ThreadPoolExecutor
    ) -> _Redraws:
        """Draw the logs and fit the models."""
        n, fold = bench.n_rows, bench.cluster % _N_FOLDS
        width = bench.items.shape[2] * bench.slots.shape[2]
        found = cls(
            logger=logger,
            action=np.empty((n_redraws, n), np.int16),
            reward=np.empty((n_redraws, n), np.float32),
            baseline=np.empty((n_redraws, n), np.float32),
            model=np.empty((n_redraws, _N_FOLDS, width)),
        )

        def draw(number: int) -> None:
            action = logger.redraw(number, n_days=bench.n_days)
            features, reward = bench.logged_features(action), bench.reward(action)
            model = _cross_fitted(features, reward > 0, fold)
            predicted = np.einsum("np,np->n", features, model[fold])
            found.action[number], found.reward[number] = action, reward
            found.baseline[number] = predicted - SEND_COST * (action > 0)
            found.model[number] = model

        for _ in pool.map(draw, range(n_redraws)):
            pass
        return found

    def logged(self, number: int, *, n_days: int) -> Logged:
        """One redraw with its propensities; 200 of them at once would fill the memory."""
        return self.logger.logged(self.action[number].astype(np.int64), n_days=n_days)


def _cross_fitted(features: Array, hit: NDArray[np.bool_], fold: NDArray[np.int64]) -> Array:
    """Ridge coefficients for each fold's households, fitted on the other folds' rows."""
    second, first = [], []
    for part in range(_N_FOLDS):
        rows = features[fold == part]
        second.append(rows.T @ rows)
        first.append(rows[hit[fold == part]].sum(axis=0))
    ridge = _RIDGE * np.eye(features.shape[1])
    total_second, total_first = sum(second), sum(first)
    return np.stack(
        [
            np.linalg.solve(total_second - second[part] + ridge, total_first - first[part])
            for part in range(_N_FOLDS)
        ]
    )
