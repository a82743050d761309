from __future__ import annotations

from experiments.simulator_speed import measure


def test_every_face_is_timed_beside_the_bare_kernel() -> None:
    """A small version of the study: no bound on a time, only that each is there."""
    rows = measure(repeats=1, steps=2, sweeps=False)
    told = {row["what"]: row for row in rows}
    assert told["bare kernel"]["of the bare kernel"] == 1.0
    assert {"PushHourly", "PushHourly, shared slate", "PushDaily, 24 slots"} <= set(told)
    assert all(row["user-steps a second"] > 0 for row in rows)
    assert all(row["met"] in ("", "yes", "no") for row in rows)
