"""A small made-up shop, as a file and as a :class:`Purchases`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from service.cli import main
from service.jobs.purchases import Purchases
from service.jobs.shop_data import load_shop

N_USERS, N_DAYS, N_CATEGORIES = 40, 60, 12
ZONE = "America/New_York"
# Midnight of 1 October 2024 there; the clock goes back on 3 November.
FIRST_MS = 1_727_755_200_000
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def purchases_table(*, seed: int = 5, n_days: int = N_DAYS) -> pa.Table:
    """Everyone has two favourite categories and one favourite hour, and shops 2 days in 3."""
    rng = np.random.default_rng(seed)
    favourite = rng.integers(N_CATEGORIES, size=(N_USERS, 2))
    hour = rng.choice([9, 14, 18, 21], N_USERS)
    day, user = np.nonzero(rng.random((n_days, N_USERS)) < 2 / 3)
    twice = np.repeat(np.arange(len(user)), 2)
    user, day = user[twice], day[twice]
    own = favourite[user, np.tile([0, 1], len(user) // 2)]
    category = np.where(
        rng.random(len(user)) < 0.8, own, rng.integers(N_CATEGORIES, size=len(user))
    )
    at_ms = FIRST_MS + day * DAY_MS + hour[user] * HOUR_MS + rng.integers(HOUR_MS, size=len(user))
    return pa.table(
        {
            "user": pa.array([f"u{u:02}" for u in user]),
            "category": pa.array([f"c{c:02}" for c in category]),
            "time": at_ms,
            "action": pa.array(["purchase"] * len(user)),
            "amount": rng.gamma(2.0, 5.0, len(user)).round(2),
        }
    )


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop as a CSV file."""
    path = tmp_path_factory.mktemp("shop") / "events.csv"
    pa_csv.write_csv(purchases_table(), path)
    return path


@pytest.fixture(scope="session")
def small_shop(shop_file: Path) -> Purchases:
    """The shop, read, cleaned and cut into days."""
    return load_shop(shop_file, zone=ZONE, columns=()).shop


@pytest.fixture(scope="session")
def finished_run(shop_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The main job, run by its command on the small shop's file."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["run", "--data", str(shop_file), "--zone", ZONE, "--out", str(root)]) == 0
    (folder,) = root.iterdir()
    return folder
