"""Is a change noticed, and does it help? ``python -m experiments.change``: two shops, 20 seeds.

Policies enter: a learner, the same with forgetting, and under watch. Their true rates after the
middle of twenty weeks leave, where all tastes are other ones from one night to the next and where
nothing ever changes, with false alarms and days to the first right one. The shop is that of
``experiments.conservative``; item and slot floors are the same for all. Reference: Page (1954).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.floor import Floor
from bandit.ope.paired import difference
from experiments.conservative import BySegment, Shop
from experiments.gauntlet_run import turns
from experiments.gauntlet_tasks import CLICKS
from experiments.record import RESULTS, record
from policies.registry import build

__all__ = ["main", "walked"]

Array = NDArray[np.float64]

_FLOOR = Floor(hold=0.0, send=0.0)
_POLICIES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "lints": ("lints", {}),
    "lints, forgetting 2 % a day": ("lints", {"model": {"forget": 0.98}}),
    "lints_watch": ("lints_watch", {}),
}
_PLAIN = "lints"


def walked(shop: Shop, policy_id: str, options: Mapping[str, Any]) -> tuple[Array, list[int]]:
    """Mean true rate of each day, and the days on which a watched policy was alarmed."""
    policy: Any = BySegment(build(policy_id, shop.shape, scheme=CLICKS, options=options))
    rates: list[float] = []
    alarms: list[int] = []
    known = 0
    for _, batch, decisions in turns(shop.batches(), policy, seed=shop.seed, floor=_FLOOR):
        n_alarms = getattr(policy.model, "n_alarms", 0)
        if n_alarms > known:
            alarms.append(len(rates) - 1)  # by what was learned of the day before
            known = n_alarms
        rates.append(float((decisions.pmf * batch.rates).sum(axis=1).mean()))
    return np.array(rates), alarms


def main(argv: Sequence[str] | None = None) -> None:
    """Walk every policy through both shops, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--weeks", type=int, default=20)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    for name, break_week in (("a break", chosen.weeks // 2), ("no change", -1)):
        found: dict[str, list[tuple[Array, list[int]]]] = {policy: [] for policy in _POLICIES}
        for seed in range(chosen.seeds):
            shop = Shop(
                seed=seed,
                n_users=chosen.users,
                n_weeks=chosen.weeks,
                half_life_weeks=np.inf,
                break_week=break_week,
            )
            for policy, (policy_id, options) in _POLICIES.items():
                found[policy].append(walked(shop, policy_id, options))
            print(name, "seed", seed, found["lints_watch"][-1][1], flush=True)
        rows += _rows(name, found, from_day=7 * (chosen.weeks // 2), is_broken=break_week >= 0)
    settings = {"users a day": chosen.users, "weeks": chosen.weeks, "seeds": chosen.seeds}
    notes = (
        "Simulated. True click rate of the second half, where `a break` has other tastes, and its "
        "difference to `lints`, paired by seed. False alarms: in all days without a change, or "
        "before it; a step is 500 rows, and one alarm in 1,000 steps is stated. Found after: days "
        "from the break to the first alarm, of seeds that had one.",
    )
    print(record("change", rows, settings=settings, notes=notes, folder=chosen.out).read_text())


def _rows(
    name: str,
    found: Mapping[str, Sequence[tuple[Array, list[int]]]],
    *,
    from_day: int,
    is_broken: bool,
) -> Iterator[dict[str, Any]]:
    late = {
        policy: np.array([rates[from_day:].mean() for rates, _ in seeds])
        for policy, seeds in found.items()
    }
    for policy, seeds in found.items():
        more = difference(late[policy], late[_PLAIN])
        days = [[day for day in alarms if not is_broken or day < from_day] for _, alarms in seeds]
        right = [
            min(day for day in alarms if day >= from_day) - from_day + 1
            for _, alarms in seeds
            if is_broken and any(day >= from_day for day in alarms)
        ]
        yield {
            "shop": name,
            "policy": policy,
            "rate": float(late[policy].mean()),
            "less lints": more.mean,
            "95 %": f"[{more.lower:.5f}, {more.upper:.5f}]",
            "false alarms": sum(map(len, days)),
            "in days": len(seeds) * (from_day if is_broken else len(seeds[0][0])),
            "found in": f"{len(right)} of {len(seeds)}" if is_broken else "",
            "found after": float(np.mean(right)) if right else "",
        }


if __name__ == "__main__":
    main()
