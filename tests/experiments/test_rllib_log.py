"""A decision log as RLlib reads it: what was shown, what was done, and what it brought."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.log import read_log
from bandit.outcome_log import read_outcomes
from bandit.outcomes import UPLIFT
from bandit.slots import DAY_MS
from experiments.rllib_log import episodes_of, keep_log
from policies.registry import build
from policies.shape import PolicyShape
from simulator.config import load
from simulator.face import Face
from simulator.request_features import RequestColumns

COLUMNS = RequestColumns.in_world(Face(preset="ecommerce").ground(), hours=24)


def _kept(folder: Path, seed: int, users: int = 60) -> Path:
    shape = PolicyShape(
        n_context=COLUMNS.n_context,
        n_item_features=COLUMNS.n_item_features,
        n_slot_features=COLUMNS.n_slot_features,
        n_users=users,
        n_items=COLUMNS.n_items,
        n_slots=COLUMNS.n_slots,
    )
    keep_log(
        build("random", shape, scheme=UPLIFT),
        load("ecommerce", clock={"horizon_days": 5}),
        users=users,
        seed=seed,
        hours=24,
        floor=Floor(),
        folder=folder,
    )
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of sixty users over five days."""
    return _kept(tmp_path_factory.mktemp("log"), seed=1)


def _matrix(rows: pa.Table) -> Any:
    return np.asarray(rows["obs"].combine_chunks().flatten()).reshape(rows.num_rows, -1)


def test_a_row_holds_what_was_shown_what_might_be_done_and_what_was(kept: Path) -> None:
    """Context and planned features are those of the log; the planned action was open."""
    log, rows = read_log(kept), episodes_of(kept, COLUMNS)
    assert rows.num_rows == log.num_rows > 200
    seen = _matrix(rows)
    features, mask = COLUMNS.split(seen[:, : COLUMNS.width]), seen[:, COLUMNS.width :]
    np.testing.assert_array_equal(rows["actions"], log["planned"])
    assert mask.shape == (rows.num_rows, 481)
    for row in range(0, rows.num_rows, 7):
        logged = {name: log[name][row].as_py() for name in ("context", "planned", "masked_actions")}
        np.testing.assert_array_equal(features.context[row], np.float32(logged["context"]))
        closed = np.flatnonzero(mask[row] == 0.0)
        assert closed.tolist() == logged["masked_actions"]
        assert mask[row, logged["planned"]] == 1.0
        if logged["planned"]:
            item, slot = divmod(logged["planned"] - 1, COLUMNS.n_slots)
            shown = features.items[row, item], features.slots[row, slot]
            for got, name in zip(shown, ("item_features", "slot_features"), strict=True):
                np.testing.assert_array_equal(got, np.float32(log[name][row].as_py()))
    assert np.asarray(rows["terminateds"]).all() and not np.asarray(rows["truncateds"]).any()


def test_a_reward_is_the_weighted_sum_of_what_the_interval_held(kept: Path) -> None:
    """Decision by decision, component by component, from the raw outcomes."""
    log, rows, outcomes = read_log(kept), episodes_of(kept, COLUMNS), read_outcomes(kept)
    _, once = np.unique(outcomes.outcome_id, return_index=True)
    kind, user, at_ms = (getattr(outcomes, n)[once] for n in ("kind", "user", "at_ms"))
    rewards = np.asarray(rows["rewards"])
    assert len(np.unique(rewards)) > 5
    for row in range(rows.num_rows):
        start_ms, whose = log["at_ms"][row].as_py(), log["user"][row].as_py()
        total = 0.0
        for component in UPLIFT.components:
            end_ms = start_ms + DAY_MS + component.window_ms
            held = (user == whose) & (at_ms >= start_ms) & (at_ms < end_ms)
            n = int((held & np.isin(kind, component.kinds)).sum())
            if component.measure == "send":
                n = int(log["planned"][row].as_py() > 0)
            total += component.weight * (min(n, 1) if component.measure == "any" else n)
        assert rewards[row] == pytest.approx(total, abs=1e-5), row


def test_what_was_shown_in_another_run_is_refused(kept: Path, tmp_path: Path) -> None:
    """It would teach what somebody else was offered."""
    other = _kept(tmp_path / "other", seed=2)
    mixed = tmp_path / "mixed"
    shutil.copytree(other, mixed)
    for path in kept.glob("shown-*.parquet"):
        shutil.copy(path, mixed)
    with pytest.raises(BadInputError, match="that were shown to be those that were logged"):
        episodes_of(mixed, COLUMNS)
    fewer = _kept(tmp_path / "fewer", seed=1, users=50)
    for path in fewer.glob("shown-*.parquet"):
        shutil.copy(path, mixed)
    with pytest.raises(BadInputError, match="what was shown for each of"):
        episodes_of(mixed, COLUMNS)
