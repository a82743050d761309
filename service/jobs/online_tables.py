"""What the walks say: values with intervals, curves, gains, and when things were sent.

Walks enter; plain tables leave. One household's days are not independent, and seeds share
households, so every interval resamples whole households with all their days and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, generator, key_of
from bandit.metrics import measure
from service.jobs.contenders import COUNT_BASELINES, Contender
from service.jobs.walk import Walk

__all__ = ["AGAINST_ANY", "AGAINST_COUNTS", "HouseholdWalks", "summary"]

Array = NDArray[np.float64]
HouseholdWalks = Mapping[str, Sequence[tuple[NDArray[np.int64], Walk]]]
"""Walks of each contender: (household codes, walk) for every seed."""

AGAINST_COUNTS = "best warm-started bandit less best count baseline"
AGAINST_ANY = "best warm-started bandit less best baseline of any kind"
"""The first is the main job's question; the second adds what is neither count nor bandit."""

_N_RESAMPLES = 1000


def summary(walks: HouseholdWalks, *, contenders: Sequence[Contender], key: int) -> dict[str, Any]:
    """Tables of the online step for ``metrics.json``."""
    named = {contender.name: contender for contender in contenders}
    present = [name for name in walks if name in named]
    n_equal = _equal_sends(walks)
    rows = [_row(name, named[name], walks[name], key, n_equal) for name in present]
    return {
        "table": sorted(rows, key=lambda row: -row["value"]),
        "equal_sends_share": n_equal,
        "curves": {name: _curve(walks[name], key) for name in present},
        "send_slots": {name: _send_slots(walks[name]) for name in present},
        "gains": _gains(walks, named, key),
        "interval": "95 %, whole households resampled with all their days and seeds, 1,000 times",
    }


def _gains(walks: HouseholdWalks, named: Mapping[str, Contender], key: int) -> list[dict[str, Any]]:
    """Paired differences: best against best, with and without time, warm and cold."""
    found = []
    warm = [n for n in walks if n in named and named[n].start == "warm" and named[n].is_time_aware]
    fixed = [n for n in walks if n in named and named[n].start in {"fixed", "counts"}]
    counts = [name for name in fixed if name in COUNT_BASELINES]
    for what, others in ((AGAINST_COUNTS, counts), (AGAINST_ANY, fixed)):
        if warm and others:
            one, other = (
                max(names, key=lambda name: _mean(walks[name])) for names in (warm, others)
            )
            found.append(_difference(what, one, other, walks, key))
    for name in warm:
        for other, what in (
            (f"{name}, time-blind", "knowing the time"),
            (name.replace("warm", "cold"), "the warm start"),
        ):
            if other in walks:
                found.append(_difference(what, name, other, walks, key))
    return found


def _difference(what: str, one: str, other: str, walks: HouseholdWalks, key: int) -> dict[str, Any]:
    row: dict[str, Any] = {"what": what, "one": one, "other": other}
    for what_of in ("value", "expected"):
        users, a = _by_household(walks[one], what_of)
        _, b = _by_household(walks[other], what_of)
        low, high = _interval(users, a - b, key_of(key, one, other, what_of))
        row[what_of] = float((a - b).mean())
        row[f"{what_of}_lower"], row[f"{what_of}_upper"] = low, high
    row["excludes_zero"] = row["value_lower"] > 0 or row["value_upper"] < 0
    return row


def _row(
    name: str,
    contender: Contender,
    seeds: Sequence[tuple[NDArray[np.int64], Walk]],
    key: int,
    equal_share: float,
) -> dict[str, Any]:
    users, value = _by_household(seeds, "value")
    low, high = _interval(users, value, key_of(key, name, "value"))
    _, expected = _by_household(seeds, "expected")
    e_low, e_high = _interval(users, expected, key_of(key, name, "expected"))
    _, unfloored = _by_household(seeds, "unfloored")
    decided = {
        "is_send": np.concatenate([walk.slot.ravel() >= 0 for _, walk in seeds]),
        "is_hit": np.concatenate([walk.is_hit.ravel() for _, walk in seeds]),
    }
    return {
        "policy": name,
        "start": contender.start,
        "is_time_aware": contender.is_time_aware,
        "n": len(decided["is_send"]),
        "seeds": len(seeds),
        "value": float(value.mean()),
        "lower": low,
        "upper": high,
        "expected": float(expected.mean()),
        "expected_lower": e_low,
        "expected_upper": e_high,
        "unfloored": float(unfloored.mean()),
        "send_share": measure("send_share", decided),
        "hits": int(decided["is_hit"].sum()),
        "hits_per_send": measure("hits_per_send", decided) if decided["is_send"].any() else None,
        "hits_per_send_at_equal_sends": _hits_at(seeds, equal_share),
    }


def _by_household(
    seeds: Sequence[tuple[NDArray[np.int64], Walk]], measure: str
) -> tuple[NDArray[np.int64], Array]:
    """Household codes and mean over days, one entry a (seed, household)."""
    users = np.concatenate([codes for codes, _ in seeds])
    means = [np.asarray(getattr(walk, measure), np.float64).mean(axis=1) for _, walk in seeds]
    return users, np.concatenate(means)


def _mean(seeds: Sequence[tuple[NDArray[np.int64], Walk]]) -> float:
    return float(_by_household(seeds, "value")[1].mean())


def _interval(users: NDArray[np.int64], means: Array, key: int) -> tuple[float, float]:
    """Percentile interval of the mean; households are resampled whole."""
    low, high = np.quantile(_resampled(users, means[:, None], key)[:, 0], [0.025, 0.975])
    return float(low), float(high)


def _resampled(users: NDArray[np.int64], values: Array, key: int) -> Array:
    """Means of resampled households: (rows,) codes and (rows, T) values → (B, T)."""
    codes, where = np.unique(users, return_inverse=True)
    sums = np.zeros((len(codes), values.shape[1]))
    np.add.at(sums, where, values)
    sizes = np.bincount(where, minlength=len(codes))
    rng = generator(key, stream=Stream.BOOTSTRAP)
    even = np.full(len(codes), 1 / len(codes))
    counts = rng.multinomial(len(codes), even, size=_N_RESAMPLES).astype(np.float64)
    return np.asarray((counts @ sums) / (counts @ sizes)[:, None])


def _curve(seeds: Sequence[tuple[NDArray[np.int64], Walk]], key: int) -> dict[str, Any]:
    """Running mean value by day with an interval."""
    users = np.concatenate([codes for codes, _ in seeds])
    value = np.concatenate([walk.value for _, walk in seeds])
    running = np.cumsum(value, axis=1) / np.arange(1, value.shape[1] + 1)
    low, high = np.quantile(_resampled(users, running, key), [0.025, 0.975], axis=0)
    return {
        "value": running.mean(axis=0).round(6).tolist(),
        "lower": low.round(6).tolist(),
        "upper": high.round(6).tolist(),
    }


def _send_slots(seeds: Sequence[tuple[NDArray[np.int64], Walk]]) -> list[int]:
    slots = np.concatenate([walk.slot[walk.slot >= 0].ravel() for _, walk in seeds])
    return np.bincount(slots, minlength=6).tolist() if len(slots) else [0] * 6


def _equal_sends(walks: HouseholdWalks) -> float:
    """Smallest share of sends of any policy that sends on more than a tenth of decisions."""
    shares = [
        float(np.mean([(walk.slot >= 0).mean() for _, walk in seeds])) for seeds in walks.values()
    ]
    sending = [share for share in shares if share > 0.1]
    return min(sending) if sending else 0.0


def _hits_at(seeds: Sequence[tuple[NDArray[np.int64], Walk]], share: float) -> float | None:
    """Hits a send among the first sends of each walk, up to ``share`` of its decisions."""
    hits = sends = 0.0
    for _, walk in seeds:
        sent_by_day = (walk.slot >= 0).sum(axis=0).cumsum()
        hits_by_day = walk.is_hit.sum(axis=0).cumsum()
        budget = share * walk.slot.size
        if sent_by_day[-1] < budget * 0.999:
            return None
        hits += float(np.interp(budget, sent_by_day, hits_by_day))
        sends += budget
    return hits / sends if sends else None
