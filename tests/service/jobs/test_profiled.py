from __future__ import annotations

from pathlib import Path

import numpy as np

from service.jobs.entrants import Entrant
from service.jobs.simulated_walk import Cell, walk_cell


def test_the_deep_strategy_ranks_by_what_users_looked_at(tmp_path: Path) -> None:
    """Its sends are worth more, in true means, than those of the popular item at the same hours."""
    worth = {}
    for name in ("deep_score", "popular"):
        entrant = Entrant(name=name, policy_id=name)
        cell = Cell(preset="ecommerce", entrant=entrant, seed=3, users=200, days=10)
        by_day = walk_cell(cell, tmp_path / name)["by_day"]
        gap = np.sum(by_day["worth"]) - np.sum(by_day["silence"])
        worth[name] = gap / np.sum(by_day["sends"])
    assert worth["deep_score"] > worth["popular"] + 0.0005
