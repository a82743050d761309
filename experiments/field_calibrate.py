"""Prices at which a row sends about as much as asked: ``python -m experiments.field_calibrate``.

Rows enter; a price for each volume leaves, in ``experiments/field_prices.json``. Found on seeds
that no table uses, in the size of the table, as what a learner's score is worth hangs on how much
it has learned. The table reads volumes off as they were reached, so prices need only be near.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.field_prices import N_GROUPS
from experiments.field_rows import ROWS, Row, row_of
from experiments.field_walk import walk
from service.jobs.steps import write_json

__all__ = ["COMMON", "PRICES", "SIZE", "VOLUMES", "main", "next_prices"]

Float = NDArray[np.float64]

PRICES = Path(__file__).parent / "field_prices.json"
VOLUMES = (0.5, 1.0, 1.4, 1.9, 2.6)
"""Sends a user and week, of all users; the third is two and a half a week of those opted in."""
COMMON = 1.4
"""The volume of the comparison, fixed before any walk of the table."""
SIZE = {"users": 1000, "days": 28}

_SEEDS = (1001, 1002, 1003)
_FIRST: dict[str, tuple[float, ...]] = {
    "value": (0.01, 0.004, 0.001, -0.003, -0.01),
    "click": (0.08, 0.06, 0.045, 0.03, 0.015),
    "q": (1.5, 0.8, 0.4, 0.2, 0.0),
    "tau": (0.3, 0.15, 0.05, -0.05, -0.3),
    "week": (1.0, 2.0, 3.0, 4.0, 6.0),
    "keep": (0.14, 0.28, 0.39, 0.52, 0.72),
}
_RISES = ("week", "keep")  # kinds of price that send more where they are higher


def next_prices(prices: Sequence[float], volumes: Sequence[float], *, rises: bool) -> Float:
    """Prices for :data:`VOLUMES` by those tried so far, in order of volume, (5,).

    Between tried volumes linear in the price; beyond them, as far again as they span.
    """
    price, volume = np.asarray(prices, float), np.asarray(volumes, float)
    sign = 1.0 if rises else -1.0
    order = np.argsort(sign * price, kind="stable")
    price, volume = price[order], np.maximum.accumulate(volume[order])
    volume = volume + 1e-6 * np.arange(len(volume))
    found = np.interp(VOLUMES, volume, price)
    span = abs(price[-1] - price[0])
    for at, asked in enumerate(VOLUMES):
        if asked < volume[0]:
            found[at] = price[0] - sign * span * (1 - asked / volume[0])
        elif asked > volume[-1]:
            found[at] = price[-1] + sign * span * min(asked / volume[-1] - 1, 1.0)
    return np.asarray(found)


def _bounded(kind: str, prices: Float) -> Float:
    """Shares stay shares, and volumes of a week above nothing and below a day each."""
    if kind == "keep":
        return np.clip(prices, 0.01, 1.0)
    return np.clip(prices, 0.05, 6.99) if kind == "week" else prices


def calibrated(row: Row, *, rounds: int, users: int, days: int) -> dict[str, Any]:
    """Prices of one row, with the volumes that the last round reached."""
    asked = np.array(_FIRST[row.price])
    prices: list[float] = []
    volumes: list[float] = []
    for seed in _SEEDS[:rounds]:
        # Each group has another price each round, so that no group's users stand for a price.
        turn = np.roll(np.arange(N_GROUPS), seed)
        told = walk(row, asked[turn].tolist(), seed=seed, users=users, days=days)
        reached = np.array(told["sends"]) / np.array(told["users"]) / (days / 7)
        prices += asked[turn].tolist()
        volumes += reached.tolist()
        last = {"asked": asked[turn].tolist(), "reached": reached.tolist()}
        asked = _bounded(row.price, next_prices(prices, volumes, rises=row.price in _RISES))
    return {"prices": asked.tolist(), "last": last}


def main(argv: Sequence[str] | None = None) -> None:
    """Calibrate what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", default=[row.name for row in ROWS])
    parser.add_argument("--rounds", type=int, default=2, choices=(1, 2, 3))
    parser.add_argument("--users", type=int, default=SIZE["users"])
    parser.add_argument("--days", type=int, default=SIZE["days"])
    parser.add_argument("--out", type=Path, default=PRICES)
    chosen = parser.parse_args(argv)
    for name in chosen.rows:
        row = row_of(name)
        found = calibrated(row, rounds=chosen.rounds, users=chosen.users, days=chosen.days)
        known = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
        write_json(chosen.out, known | {name: found})
        print(name, np.round(found["last"]["reached"], 2), np.round(found["prices"], 4), flush=True)


if __name__ == "__main__":
    main()
