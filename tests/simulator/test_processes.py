"""A life is a function of its key: other processes, batches and hash seeds change nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from bandit.outcomes import Outcomes
from simulator.config import load
from simulator.world import World

ROOT = Path(__file__).resolve().parents[2]
ASK = (
    "from tests.simulator.test_processes import digest_of;"
    "print(digest_of(first_user={first}, n_users={n}))"
)


def digest_of(*, first_user: int, n_users: int) -> str:
    """Hash of all that is heard of some users in eight silent days, in the order of ids."""
    world = World(load("ecommerce"), n_users, 77, first_user=first_user, events=True)
    for _ in range(8):
        world.rest()
    told, events = world.arrived(), world.events()
    order = np.lexsort((told.received_ms, told.outcome_id))
    digest = hashlib.blake2b(digest_size=16)
    for name in ("outcome_id", "kind", "user", "at_ms", "received_ms", "value", "decision_id"):
        assert name in Outcomes.__slots__
        digest.update(np.ascontiguousarray(getattr(told, name)[order]).tobytes())
    digest.update(events.item.tobytes() + events.at_ms.tobytes())
    assert told.n_rows > 50
    return digest.hexdigest()


def test_another_process_lives_the_same_lives() -> None:
    found = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", ASK.format(first=40, n=60)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(ran.stdout.strip())
    assert found == [digest_of(first_user=40, n_users=60)] * 2
