"""A world fitted to the log of a known world: ``python -m experiments.calibration_round_trip``.

Populations with known constants live under a logger that sends at random, each user's frequency
drawn anew every week; decisions and outcomes are written as logs, late and twice as the world tells
them, read back and fitted from a preset whose constants are others. For every parameter a row
leaves: its truth, what was found, and in how many of the seeds the 95 % interval held the truth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Reason, Request, assemble
from bandit.decide import Stamp, decide, decision_ids
from bandit.draws import Stream, key_of, uniforms
from bandit.floor import Floor
from bandit.log import LogWriter, read_log
from bandit.outcome_log import OutcomeWriter, read_outcomes
from bandit.slots import DAY_MS
from experiments.record import RESULTS, half_width, record
from simulator.calibrate import Calibration, FitSettings, calibrate
from simulator.config import WorldConfig, load
from simulator.fidelity import fidelity
from simulator.logged import LOG_COLUMNS, logged_of
from simulator.offers import Slates
from simulator.parameters import PARAMETERS
from simulator.world import World

__all__ = ["main", "measured", "start", "truth", "write_log"]

_FREQUENCIES = (0.1, 0.3, 0.5, 0.75)  # chances of a push a day
_SETTLES_DAYS = 3
_SIZES: Mapping[str, Mapping[str, Any]] = {
    "items": {"n_items": 30, "popularity_sd": 0.1},
    "clock": {"n_candidates": 10},
}


def truth(days: int) -> WorldConfig:
    """The population that is to be found: the shop with other constants."""
    return load(
        "ecommerce",
        items={**_SIZES["items"], "price_mu": 3.2, "price_sd": 0.6},
        clock={**_SIZES["clock"], "horizon_days": days},
        activity={"sessions_per_day": 0.45, "spread": 1.0, "excitation": 0.4},
        hours={"night_floor": 0.4, "peak_shares": [0.2, 0.2, 0.6], "weekend_shift_h": -2.0},
        click={"rate": 0.12, "spread": 0.8, "activity_slope": 0.35, "dismiss_chance": 0.06},
        opt_out={"hazard": 8e-3, "uninstall_share": 0.4, "frequency_slope": 0.35},
        delivery={"success": 0.88, "fast_median_min": 4.0, "slow_median_min": 50.0},
        orders={"per_click": 0.06, "per_session": 0.03},
    )


def start() -> WorldConfig:
    """Where the fit starts: the shop as it is, of the same sizes."""
    return load("ecommerce", **_SIZES)


def write_log(config: WorldConfig, folder: Path, *, n_users: int, seed: int) -> None:
    """Let a population live under a random logger, and write what was decided and heard."""
    world = World(config, n_users, seed)
    slates, n_decided = Slates(world=world), 0
    outcomes = OutcomeWriter(folder)
    with LogWriter(folder, keeps_pmf=False, batches_a_file=7) as decisions:
        while (observation := world.observe()) is not None:
            items = slates(observation)
            request = assemble(observation, items, reasons=_reasons(world, items.items.shape[1]))
            drawn = decide(
                _pmf(request, seed=seed, start_ms=world.ground.calendar.start_ms),
                request,
                key=key_of("calibration", seed),
                stamp=Stamp(policy="random", state_seq=0, floor=Floor(hold=0.05)),
                decision_id=decision_ids(request.at_ms, first=n_decided),
            )
            n_decided += request.n_rows
            decisions.append(drawn)
            world.step(drawn)
            outcomes.append(world.arrived())
        for _ in range(_SETTLES_DAYS):
            world.rest()
            outcomes.append(world.arrived())


def measured(seed: int, *, n_users: int, days: int) -> Calibration:
    """Write a log of one seed, read it back, and fit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(truth(days), folder, n_users=n_users, seed=seed)
        logged = logged_of(read_log(folder, list(LOG_COLUMNS)), read_outcomes(folder))
    return calibrate(logged, start(), settings=FitSettings(seed=seed, replicas=1))


def main() -> None:
    """Measure all seeds and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=3500)
    parser.add_argument("--days", type=int, default=42)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    work = partial(_told, n_users=chosen.users, days=chosen.days)
    with ProcessPoolExecutor(chosen.workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(work, range(1, chosen.seeds + 1)))
    settings = {"users": chosen.users, "days": chosen.days, "seeds": chosen.seeds, "first seed": 1}
    print(
        record(
            "calibration_round_trip",
            _rows(found, days=chosen.days),
            settings=settings,
            notes=_notes(found, days=chosen.days),
            folder=chosen.out,
        ).read_text()
    )


def _told(seed: int, *, n_users: int, days: int) -> dict[str, Any]:
    """What one seed's fit says, as plain values for the pool."""
    fit = measured(seed, n_users=n_users, days=days)
    lines = fidelity(fit.observed, fit.simulated)
    return {
        "table": [(row.value, row.low, row.high, row.is_fitted) for row in fit.table],
        "is_converged": fit.is_converged,
        "agree": sum(line.verdict == "agrees" for line in lines),
        "judged": sum(line.verdict != "too few" for line in lines),
        "clicks": int(fit.observed.logged.is_clicked.sum()),
    }


def _rows(found: Sequence[Mapping[str, Any]], *, days: int) -> list[dict[str, Any]]:
    config, preset = truth(days), start()
    rows = []
    for place, parameter in enumerate(PARAMETERS):
        told = [each["table"][place] for each in found if each["table"][place][3]]
        true = parameter.value(config)
        values, lows, highs = (np.array([row[i] for row in told]) for i in range(3))
        n = len(told)
        rows.append(
            {
                "parameter": parameter.name,
                "preset": parameter.value(preset),
                "truth": true,
                "mean found": float(values.mean()) if n else "",
                "± (95 %)": half_width(values) if n > 1 else "",
                "mean interval": f"{lows.mean():.4g} … {highs.mean():.4g}" if n else "",
                "fitted in": f"{n} of {len(found)}",
                "held the truth": int(((lows <= true) & (true <= highs)).sum()),
            }
        )
    return rows


def _notes(found: Sequence[Mapping[str, Any]], *, days: int) -> tuple[str, ...]:
    """Coverage over all fitted parameters, with an interval over seeds."""
    config = truth(days)
    held = []
    for each in found:
        pairs = [
            low <= parameter.value(config) <= high
            for parameter, (_, low, high, is_fitted) in zip(PARAMETERS, each["table"], strict=True)
            if is_fitted
        ]
        held.append((sum(pairs), len(pairs)))
    total, n = np.array(held).sum(axis=0)
    share = np.array([a / b for a, b in held])
    spread = half_width(share)
    agree = sum(each["agree"] for each in found)
    judged = sum(each["judged"] for each in found)
    clicks = np.mean([each["clicks"] for each in found])
    return (
        "Simulated users; a logger that sends at random, its frequency drawn anew by user and "
        "week. Constants that are not listed are the same in truth and preset.",
        f"Of {n} intervals of 95 %, {total} held the truth: {total / n:.1%} ± {spread:.1%} over "
        f"seeds; {sum(each['is_converged'] for each in found)} of {len(found)} fits converged; "
        f"{clicks:.0f} clicks a log.",
        f"Fidelity of the fitted worlds: {agree} of {judged} moments agree ({agree / judged:.1%}).",
    )


def _pmf(request: Request, *, seed: int, start_ms: int) -> NDArray[np.float64]:
    """Hold, or any item at any hour, with the user's frequency of the week."""
    week = (request.at_ms - start_ms) // (7 * DAY_MS)
    drawn = uniforms(key_of("frequency", seed), request.user * 10_000 + week, stream=Stream.WORLD)
    p_send = np.array(_FREQUENCIES)[(drawn * len(_FREQUENCIES)).astype(np.int64)]
    pmf = request.mask.astype(np.float64)
    sends = pmf[:, 1:].sum(axis=1)
    pmf[:, 1:] *= (p_send / np.maximum(sends, 1.0))[:, None]
    pmf[:, 0] = 1.0 - pmf[:, 1:].sum(axis=1)
    return pmf


def _reasons(world: World, n_items: int) -> NDArray[np.uint16]:
    """Nobody who cannot be reached is sent to."""
    is_out = ~world.population.state.is_reachable[world.observed]
    n_actions = 1 + n_items * len(world.population.offsets_h)
    reasons = np.zeros((len(is_out), n_actions), np.uint16)
    reasons[is_out, 1:] = Reason.CONSENT
    return reasons


if __name__ == "__main__":
    main()
