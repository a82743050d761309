"""Step 2 of the main job: walk the online days with every contender and seed.

A shop and, if there is one, an encoder's vectors enter; tables with household-bootstrap
intervals, the decision log of the first seed and policies frozen half-way leave. Seed 1
walks all households, further seeds a keyed choice of 600 (all of them on a full run).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bandit.draws import Stream, key_of, uniforms
from bandit.log import logged_hash, read_log
from bandit.protocols import Policy
from service.jobs.contenders import CONTENDERS, Contender, WarmStart, ready
from service.jobs.online_tables import summary
from service.jobs.plain_rates import plain_rates
from service.jobs.progress import Progress
from service.jobs.purchase_features import DayFeatures, EncodedDays, fit_scale, walk_features
from service.jobs.purchases import Purchases
from service.jobs.timing_models import TimingModels, fit_timing
from service.jobs.walk import Walk, save_state, walk
from service.jobs.warm_start import PairMoments
from service.jobs.workers import CONTEXT, workers

__all__ = [
    "OnlineSettings",
    "Prepared",
    "frozen_after",
    "frozen_path",
    "prepare",
    "timing_of",
    "walk_online",
    "warm_from",
]

_THREADS = 2
_WARM_SHARE = 4 / 9  # of the training days: the last 120 of 270


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineSettings:
    """How much to walk.

    Parameters
    ----------
    seeds : tuple of int
        The first walks all households and is logged.
    n_users_more : int, optional
        Households of the further seeds; ``None`` for all.
    workers : int
        Processes.
    """

    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    n_users_more: int | None = 600
    workers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything the walks share: features of the online days and the warm start."""

    shop: Purchases
    days: list[DayFeatures]
    warm: WarmStart


def frozen_after(shop: Purchases) -> int:
    """Online days after which policies are frozen for evaluation: 48 of 95."""
    return round(len(shop.online_days) * 48 / 95)


def warm_from(shop: Purchases) -> int:
    """First day whose purchases fill the warm start and fit the timing models."""
    return shop.train_days - round(shop.train_days * _WARM_SHARE)


def frozen_path(folder: Path, contender: Contender) -> Path:
    """Where the online step leaves a contender's frozen state."""
    return folder / "frozen" / f"{_slug(contender)}.npz"


def timing_of(shop: Purchases) -> TimingModels:
    """Fit the timing models on the end of the training range, with a progress bar."""
    with Progress(shop.train_days, "timing models") as progress:
        return fit_timing(
            shop,
            first_day=warm_from(shop),
            until_day=shop.train_days,
            key=key_of("timing"),
            advance=progress.step,
        )


def prepare(
    shop: Purchases,
    timing: TimingModels,
    encoded: EncodedDays | None,
    *,
    skip: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> Prepared:
    """Compute moments over the end of the training range, and features of the online days.

    Parameters
    ----------
    shop : Purchases
        The shop.
    timing : TimingModels
        See :func:`timing_of`.
    encoded : EncodedDays, optional
        The encoder's vectors.
    skip : int
        Online days to leave out at the beginning.
    advance : callable
        Told of each day from :func:`warm_from` on, for a progress bar.
    """
    first = warm_from(shop)
    moments: tuple[PairMoments, PairMoments] | None = None
    sample: list[DayFeatures] = []
    online: list[DayFeatures] = []
    every = max(1, (shop.train_days - first) // 8)
    for features in walk_features(
        shop, timing, first_day=first, until_day=shop.n_days, encoded=encoded
    ):
        advance()
        if features.day >= shop.train_days:
            if features.day >= shop.train_days + skip:
                online.append(features)
            continue
        if moments is None:
            moments = _empty_moments(features)
        hit = shop.bought(features.day)
        moments[0].add(features.items, features.slots, hit=hit)
        moments[1].add(features.blind_items, features.blind_slots, hit=hit)
        if (features.day - first) % every == 0:
            sample.append(features)
    if moments is None:
        raise AssertionError("a shop has training days")
    scale = fit_scale(sample)
    warm = WarmStart(aware=moments[0], blind=moments[1], scale=scale)
    return Prepared(shop=shop, days=[scale.apply(day) for day in online], warm=warm)


def walk_online(
    shop: Purchases,
    folder: Path,
    *,
    settings: OnlineSettings,
    encoded: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
) -> dict[str, Any]:
    """Walk every contender and seed; write the log and frozen states; return the tables.

    Parameters
    ----------
    shop : Purchases
        The shop.
    folder : Path
        Gets ``log/<contender>/``, ``frozen/<contender>.npz`` and ``walks.parquet``.
    settings : OnlineSettings
        Seeds, sizes, processes.
    encoded : Path, optional
        File of the encoder's vectors; each process reads it by itself.
    contenders : sequence of Contender
        Who walks.
    """
    timing = timing_of(shop)
    tasks = [
        _Task(
            shop=shop,
            timing=timing,
            encoded=encoded,
            folder=folder,
            seed=seed,
            users=_households(shop, settings, seed),
            contenders=contenders,
            is_logged=seed == settings.seeds[0],
        )
        for seed in settings.seeds
    ]
    walks: dict[str, list[tuple[NDArray[np.int64], Walk]]] = {c.name: [] for c in contenders}
    for task, found in zip(tasks, _run(tasks, settings.workers), strict=True):
        for one in found:
            walks[one.name].append((task.users, one))
    _write_walks(folder / "walks.parquet", walks)
    tables = summary(walks, contenders=contenders, key=key_of("online tables"))
    shopping = np.bincount(shop.active_slot[shop.active_day >= shop.train_days], minlength=6)
    return tables | {
        "seeds": list(settings.seeds),
        "households": [len(task.users) for task in tasks],
        "days": len(shop.online_days),
        "plain_rates": plain_rates(shop),
        "shopping_slots": shopping.tolist(),
        "edges_h": [0, 4, 8, 12, 16, 20, 24],
        "log_hash": _hashes(folder, contenders),
        "source_of_vectors": "none" if encoded is None else "encoder",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    shop: Purchases
    timing: TimingModels
    encoded: Path | None
    folder: Path
    seed: int
    users: NDArray[np.int64]
    contenders: Sequence[Contender]
    is_logged: bool  # writes the decision log and the frozen states


def _run(tasks: list[_Task], n_workers: int) -> list[list[Walk]]:
    n_walks = sum(1 + len(task.contenders) for task in tasks)
    if n_workers == 1 or len(tasks) == 1:
        with Progress(n_walks, "walks") as progress:
            return [_walk_task(task, progress.step) for task in tasks]
    with (
        Progress(n_walks, "walks", context=CONTEXT) as progress,
        workers(n_workers, begin=_tell, given=(progress.queue,)) as pool,
    ):
        return list(pool.map(_walk_told, tasks))


_QUEUE: list[Any] = []


def _tell(queue: Any) -> None:
    """Remember in a worker where progress is reported."""
    _QUEUE.append(queue)


def _walk_told(task: _Task) -> list[Walk]:
    return _walk_task(task, lambda: _QUEUE[-1].put(1))


def _walk_task(task: _Task, done: Any) -> list[Walk]:
    """All contenders of one seed."""
    prepared = _prepared(task)
    done()
    shop, found = prepared.shop, []
    for contender in task.contenders:
        policy = ready(contender, shop, sample=prepared.days[0], warm=prepared.warm)
        is_logged = task.is_logged
        keep = _keeper(task.folder, contender, frozen_after(shop)) if is_logged else None
        found.append(
            walk(
                contender,
                policy,
                shop=shop,
                days=prepared.days,
                seed=task.seed,
                log_folder=_log_folder(task.folder, contender) if is_logged else None,
                after_day=keep,
            )
        )
        done()
    return found


def _prepared(task: _Task) -> Prepared:
    shop = task.shop
    encoded = None if task.encoded is None else EncodedDays.load(task.encoded)
    if len(task.users) < shop.n_users:
        shop = shop.restricted_to(task.users)
        encoded = None if encoded is None else encoded.restricted_to(task.users)
    return prepare(shop, task.timing, encoded)


def _keeper(folder: Path, contender: Contender, day: int) -> Any:
    def keep(days_walked: int, policy: Policy) -> None:
        if days_walked == day:
            save_state(frozen_path(folder, contender), policy)

    return keep


def _households(shop: Purchases, settings: OnlineSettings, seed: int) -> NDArray[np.int64]:
    """All households for the first seed, a keyed choice for the others."""
    n = settings.n_users_more
    if seed == settings.seeds[0] or n is None or n >= shop.n_users:
        return np.arange(shop.n_users)
    order = np.argsort(
        uniforms(key_of("households", seed), np.arange(shop.n_users), stream=Stream.FOLD)
    )
    return np.sort(order[:n])


def _empty_moments(features: DayFeatures) -> tuple[PairMoments, PairMoments]:
    return (
        PairMoments(features.items.shape[2], features.slots.shape[2]),
        PairMoments(features.blind_items.shape[2], features.blind_slots.shape[2]),
    )


def _write_walks(path: Path, walks: Mapping[str, Sequence[tuple[NDArray[np.int64], Walk]]]) -> None:
    """One row a (policy, seed, household): sends, hits and value, for anyone's own analysis."""
    tables = [
        pa.table(
            {
                "policy": pa.array([name] * len(users)).dictionary_encode(),
                "seed": np.full(len(users), one.seed),
                "household": users,
                "sends": (one.slot >= 0).sum(axis=1),
                "hits": one.is_hit.sum(axis=1),
                "value": one.value.mean(axis=1),
                "expected": one.expected.mean(axis=1).astype(np.float64),
            }
        )
        for name, seeds in walks.items()
        for users, one in seeds
    ]
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), path)


def _hashes(folder: Path, contenders: Sequence[Contender]) -> dict[str, str]:
    """Hash of each contender's log; reading and hashing let other threads run."""
    with (
        Progress(len(contenders), "hashing the logs") as progress,
        ThreadPoolExecutor(_THREADS) as pool,
    ):

        def of(contender: Contender) -> str:
            digest = logged_hash(read_log(_log_folder(folder, contender)))
            progress.step()
            return digest

        names = (contender.name for contender in contenders)
        return dict(zip(names, pool.map(of, contenders), strict=True))


def _log_folder(folder: Path, contender: Contender) -> Path:
    return folder / "log" / _slug(contender)


def _slug(contender: Contender) -> str:
    return contender.name.replace(",", "").replace("+", "and").replace(" ", "-")
