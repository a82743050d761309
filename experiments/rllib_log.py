"""A decision log as RLlib reads it offline: one row a decision, with everything that was on offer.

A run of a logging policy enters and leaves its decision log, what was heard, and *what was shown*:
the decision log keeps the features of the action that was planned, and who learns from it what
else to do needs those of all. Log, outcomes and what was shown enter again; a table of
observations, actions and joined rewards leaves. Format: ``ray/rllib/offline/offline_prelearner.py``
of Ray 2.60, columns of single rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.actions import Observation
from bandit.decide import Decisions
from bandit.draws import key_of
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.join import Emission, Joiner
from bandit.log import LogWriter, read_log
from bandit.loop import Loop
from bandit.outcome_log import OutcomeWriter, read_outcomes
from bandit.outcomes import UPLIFT, Outcomes, RewardScheme
from bandit.parquet_files import NumberedFiles
from bandit.protocols import Policy
from bandit.slots import DAY_MS
from simulator.config import WorldConfig
from simulator.guard import WorldGuard
from simulator.offers import Slates
from simulator.request_features import Features, RequestColumns
from simulator.world import World

__all__ = ["episodes_of", "keep_log"]

Float = NDArray[np.float64]

_SHOWN = pa.schema(
    [
        pa.field("decision_id", pa.int64(), nullable=False),
        pa.field("observation", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={b"kind": b"opportune what was shown", b"version": b"1"},
)
_FILES = NumberedFiles(stem="shown", what="record of what was shown", schema=_SHOWN)
_REST_DAYS = 8  # until the last window of the scheme has passed


@dataclass(slots=True)
class ShownStore:
    """A decision log and what was shown; implements :class:`bandit.protocols.Store`."""

    folder: Path
    log: LogWriter = field(init=False)

    def __post_init__(self) -> None:
        self.log = LogWriter(self.folder, keeps_pmf=False)

    def append(self, decisions: Decisions) -> None:
        """Keep both, what was shown first: a logged decision then always has it."""
        asked = decisions.request
        features = Features(asked.context, asked.item_features, asked.slot_features)
        rows = RequestColumns.of(features).flat(features)
        n, width = rows.shape
        offsets = pa.array(np.arange(n + 1, dtype=np.int32) * width)
        lists = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
        table = pa.Table.from_arrays([pa.array(decisions.decision_id), lists], schema=_SHOWN)
        _FILES.write_new(self.folder, _FILES.next_number(self.folder), table)
        self.log.append(decisions)


@dataclass(slots=True)
class Listener:
    """A world whose outcomes are kept; implements :class:`bandit.protocols.World`."""

    world: World
    kept: OutcomeWriter

    @property
    def now_ms(self) -> int:
        """The world's clock."""
        return self.world.now_ms

    def observe(self) -> Observation | None:
        """What the world shows."""
        return self.world.observe()

    def step(self, decisions: Decisions) -> None:
        """Let the world carry them out."""
        self.world.step(decisions)

    def arrived(self) -> Outcomes:
        """What the world tells, kept."""
        told = self.world.arrived()
        self.kept.append(told)
        return told

    def expected(self) -> tuple[Float, Float]:
        """The world's truth."""
        return self.world.expected()


def keep_log(
    policy: Policy,
    config: WorldConfig,
    *,
    users: int,
    seed: int,
    hours: int,
    floor: Floor,
    folder: Path,
    scheme: RewardScheme = UPLIFT,
) -> None:
    """Let a policy that does not learn decide in a world to its end, and keep what it leaves.

    Parameters
    ----------
    policy : Policy
        Who logs.
    config : WorldConfig
        The world.
    users, seed : int
        How many live, and who by which chances.
    hours : int
        Length of a step.
    floor : Floor
        Mixed into what the policy says.
    folder : Path
        Gets decisions, outcomes and what was shown, in Parquet files.
    scheme : RewardScheme
        Which outcomes count.
    """
    world = World(config, users, seed, hours=hours, scheme=scheme)
    listened = Listener(world, OutcomeWriter(folder))
    loop = Loop(
        world=listened,
        policy=policy,
        candidates=Slates(world=world),
        join=Joiner(scheme),
        floor=floor,
        key=key_of("rllib log", seed),
        guard=WorldGuard(world),
        store=ShownStore(folder),
        learns=False,
    )
    for _ in loop.run():
        pass
    for _ in range(_REST_DAYS * 24 // hours):
        world.rest()
    listened.arrived()


def episodes_of(
    folder: Path, columns: RequestColumns, *, scheme: RewardScheme = UPLIFT
) -> pa.Table:
    """Lay a kept log out as RLlib's single rows: an episode a decision, over at once.

    Parameters
    ----------
    folder : Path
        What :func:`keep_log` left, or decisions, outcomes and what was shown by others.
    columns : RequestColumns
        Of the rows that were shown.
    scheme : RewardScheme
        Whose weighted sum of joined components is a decision's reward: of its whole interval,
        which is why an episode ends with its decision.

    Returns
    -------
    pyarrow.Table
        ``eps_id``, ``obs`` (what was shown, then the mask of all actions), ``actions`` (as planned,
        whatever became of it), ``rewards``, ``terminateds``, ``truncateds``.

    Raises
    ------
    BadInputError
        Where a decision lacks what was shown, or that is not what was logged.
    """
    log = read_log(folder)
    shown = _shown_of(log, _FILES.read_all(folder), columns)
    feedback, _ = _final(log, read_outcomes(folder), scheme)
    ids = np.asarray(log["decision_id"])
    rows = np.searchsorted(ids, np.sort(feedback.decision_id))
    reward = scheme.reward(feedback.components)[np.argsort(feedback.decision_id)]
    seen = np.concatenate([shown, _mask_of(log, columns)], axis=1)[rows]
    n, width = seen.shape
    return pa.table(
        {
            "eps_id": pa.array(ids[rows].astype(str)),
            "obs": pa.FixedSizeListArray.from_arrays(pa.array(seen.ravel()), width),
            "actions": np.asarray(log["planned"], np.int64)[rows],
            "rewards": reward.astype(np.float32),
            "terminateds": np.ones(n, np.bool_),
            "truncateds": np.zeros(n, np.bool_),
        }
    )


def _final(log: pa.Table, outcomes: Outcomes, scheme: RewardScheme) -> Any:
    """Feedback of all decisions once nothing more can come."""
    join = Joiner(scheme, emission=Emission.WHEN_FINAL)
    join.add_logged(log)
    join.receive(outcomes)
    return join.advance(int(np.asarray(log["at_ms"]).max(initial=0)) + 60 * DAY_MS)


def _shown_of(log: pa.Table, shown: pa.Table, columns: RequestColumns) -> NDArray[np.float32]:
    """What was shown for each logged decision, (N, C), held to what the log says of the plan."""
    ids, shown_ids = np.asarray(log["decision_id"]), np.asarray(shown["decision_id"])
    where = np.searchsorted(shown_ids, ids)
    if (np.diff(shown_ids) <= 0).any() or not np.array_equal(
        shown_ids[np.minimum(where, len(shown_ids) - 1)], ids
    ):
        raise BadInputError(
            f"expected what was shown for each of {len(ids)} decisions, in the log's order, got "
            f"{len(shown_ids)} rows that are not theirs: keep both with one store"
        )
    rows = np.asarray(shown["observation"].combine_chunks().flatten()).reshape(-1, columns.width)
    features = columns.split(rows[where])
    sends = np.flatnonzero(np.asarray(log["planned"]) > 0)
    at = (np.asarray(log["planned"])[sends] - 1, columns.n_slots)
    _expect_same("context", features.context, log["context"])
    planned = {
        "item_features": features.items[sends, at[0] // at[1]],
        "slot_features": features.slots[sends, at[0] % at[1]],
    }
    for name, got in planned.items():
        _expect_same(name, got, log[name].take(pa.array(sends)))
    return rows[where]


def _expect_same(name: str, got: NDArray[np.float32], logged: pa.ChunkedArray) -> None:
    flat = np.asarray(logged.combine_chunks().flatten()).astype(np.float32)
    if flat.size != got.size or not np.array_equal(flat.reshape(got.shape), got):
        raise BadInputError(
            f"expected {name} that were shown to be those that were logged, got others: was the "
            "log written by another run?"
        )


def _mask_of(log: pa.Table, columns: RequestColumns) -> NDArray[np.float32]:
    """1 where an action might be taken, (N, A)."""
    masked = log["masked_actions"].combine_chunks()
    mask = np.ones((log.num_rows, 1 + columns.n_items * columns.n_slots), np.float32)
    row = np.repeat(np.arange(log.num_rows), np.diff(np.asarray(masked.offsets)))
    mask[row, np.asarray(masked.flatten())] = 0.0
    return mask
