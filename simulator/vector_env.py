"""The population as a Gymnasium vector environment: N users a step, in every autoreset mode.

Options and a seed enter; observations, rewards as they arrive, ends of lives and columnar infos
leave, in arrays of their own. Row i of ``reset(seed=s)`` lives the life of seed s + i, so this
environment and :class:`gymnasium.vector.SyncVectorEnv` over single ones agree to the last bit.
Reference: Gymnasium's vector API, https://farama.org/Vector-Autoreset-Mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit.actions import item_position, slot_position
from bandit.errors import BadInputError, StateError
from simulator.checks import (
    checked_actions,
    checked_mode,
    checked_render_mode,
    checked_row_count,
    row_seeds,
    rows_to_reset,
)
from simulator.face import Face, Options
from simulator.lives import Lives
from simulator.observation import observer_of
from simulator.render import Diary
from simulator.rules_mask import Reasons, names_of, reasons_of
from simulator.truth import mean_reward, outcome_of
from simulator.worth import Worth

__all__ = ["PushVectorEnv", "Snapshot"]

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]
Float = NDArray[np.float64]
Seen = Any  # (N, C) float32, or a dictionary of such
Info = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An environment at a moment; see :meth:`PushVectorEnv.snapshot`."""

    lives: Lives
    is_over: Flags  # (N,)
    diary: Diary | None  # of an environment that renders


class PushVectorEnv(VectorEnv[Seen, NDArray[Any], NDArray[Any]]):
    """N users; an action is hold (0) or item k of the row's short list at slot s (1 + k·S + s).

    Parameters
    ----------
    num_envs : int
        Number of rows N.
    autoreset_mode : AutoresetMode or str
        When a row whose life is over begins the next one.
    render_mode : {None, "rgb_array"}
        ``"rgb_array"`` keeps a diary of the last week, for :meth:`render`.
    **options
        See :class:`~simulator.face.Face`.

    Notes
    -----
    ``info`` holds arrays of N rows: ``user_id`` and ``t`` (together the id of a decision; of the
    state that is returned), ``action_mask``, ``suppressed`` (a masked action was chosen and nothing
    was sent), ``is_reset`` (the row shows the start of a life; a dead row of NEXT_STEP, which
    loggers drop). With ``truth``, of the state before the action: ``mean_reward``, ``outcome`` and
    ``regret_myopic``, all zero in rows without one.

    Examples
    --------
    >>> env = PushVectorEnv(3, clock="hourly", preset="tiny")
    >>> seen, info = env.reset(seed=1)
    >>> seen.shape, info["action_mask"].shape
    ((3, 30), (3, 3))
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium reads it as the class's
        "render_modes": ["rgb_array"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        self.num_envs = checked_row_count(num_envs)
        self.metadata = {**self.metadata, "autoreset_mode": checked_mode(autoreset_mode)}
        self.render_mode = checked_render_mode(render_mode, modes=self.metadata["render_modes"])
        self.face = Face(**options)
        self._ground = self.face.ground()
        config = self._ground.config
        self._worth = Worth(self.face.reward_scheme(config), config.orders.refund_share)
        self._observer = observer_of(self._ground, observe=self.face.observe, hours=self.face.hours)
        clock = config.clock
        self._n_slots = -(-self.face.hours // clock.slot_hours)
        self._n_actions = 1 + clock.n_candidates * self._n_slots
        self._lives: Lives | None = None
        self._reasons: Reasons | None = None
        self._diary: Diary | None = None
        self._is_over = np.zeros(self.num_envs, np.bool_)
        self._make_spaces()

    @property
    def obs_names(self) -> tuple[str, ...]:
        """Name of each column of the observation."""
        return self._observer.names

    @property
    def lives(self) -> Lives:
        """The rows' population and ledger; they exist from the first reset on."""
        if self._lives is None:
            raise StateError(
                "expected a reset before anything else, got none: call reset(seed=...)"
            )
        return self._lives

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, Info]:
        """Begin lives: of ``seed + i`` in row i, or each row's next one without a seed.

        Parameters
        ----------
        seed : int or sequence of int, optional
            Of row 0, or of each row.
        options : dict, optional
            ``{"reset_mask": (N,) bool}`` begins new lives in some rows only.
        """
        rows = rows_to_reset(options, n_rows=self.num_envs)
        if self._lives is None and len(rows) < self.num_envs:
            raise StateError("expected a whole reset first, got reset_mask: call reset() without")
        super().reset(seed=seed if isinstance(seed, int) else None)
        if seed is None and self._lives is not None:
            self._lives.renew(rows)
        else:
            # The generator's own seed where none is given, as in Gymnasium's environments.
            seeds = row_seeds(
                int(self.np_random_seed or 0) if seed is None else seed,
                n_rows=self.num_envs,
                is_disjoint=self.face.disjoint_seeds,
            )
            if self._lives is None:
                self._lives = Lives.begin(self.face, self._ground, seeds, worth=self._worth)
            else:
                self._lives.reseed(rows, seeds[rows])
        self._is_over[rows] = False
        is_reset = np.zeros(self.num_envs, np.bool_)
        is_reset[rows] = True
        if self.render_mode is not None:
            self._diary = Diary(self.num_envs) if self._diary is None else self._diary
            self._diary.turn_page(rows)
        return self._look(suppressed=np.zeros_like(is_reset), is_reset=is_reset, truth=None)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Seen, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Send what was chosen, where it may be, and let a step pass.

        Parameters
        ----------
        actions : ndarray of int, (N,)
            0 to hold, or 1 + k·S + s. Rows that only restart in this step ignore theirs.
        """
        lives, is_idle = self.lives, self._idle()
        chosen, suppressed = self._allowed(
            checked_actions(actions, is_idle=is_idle, n_actions=self._n_actions), is_idle=is_idle
        )
        truth = self._truth(chosen, is_idle=is_idle) if self.face.truth else None
        position = item_position(chosen, n_slots=self._n_slots)
        slot = slot_position(chosen, n_slots=self._n_slots)
        if self._diary is not None:
            self._diary.note(lives.population, position, slot)
        passed = lives.step(position, slot, is_idle=is_idle)
        if self._diary is not None:
            self._diary.note_outcomes(passed.decided)
            self._diary.turn_page(np.flatnonzero(is_idle))
        lives.renew(np.flatnonzero(is_idle))
        self._is_over = passed.has_left | passed.is_at_end
        seen, info = self._look(suppressed=suppressed, is_reset=is_idle, truth=truth)
        if self._mode is AutoresetMode.SAME_STEP and self._is_over.any():
            info = self._restart(seen, info)
        return seen, passed.reward, passed.has_left, passed.is_at_end, info

    def truth(self) -> dict[str, NDArray[np.float32]]:
        """True mean of every action now, and what each would pay, (N, A); nothing passes.

        Notes
        -----
        Means are level 1, ``outcome`` is level 2: only its marginals are identified by any
        experiment, its coupling between actions is a convention. See :mod:`simulator.truth`.
        """
        population = self.lives.population
        return {
            "mean_reward": mean_reward(population, self._worth).astype(np.float32),
            "outcome": outcome_of(population, self._worth).astype(np.float32),
        }

    def action_masks(self) -> Flags:
        """Return what may be chosen now, (N, A)."""
        return self._held_reasons().mask()

    def reasons(self) -> NDArray[np.uint16]:
        """Why each action may not be chosen now: bits of :class:`bandit.actions.Reason`, (N, A)."""
        return self._held_reasons().whole()

    def snapshot(self) -> Snapshot:
        """Return this moment, to come back to with :meth:`restore` as often as wanted."""
        return Snapshot(
            lives=self.lives.copy(),
            is_over=self._is_over.copy(),
            diary=None if self._diary is None else self._diary.copy(),
        )

    def restore(self, snapshot: Snapshot) -> tuple[Seen, Info]:
        """Return to a moment, bit for bit, and show it."""
        if len(snapshot.is_over) != self.num_envs or snapshot.lives.face != self.face:
            raise BadInputError(
                f"expected a snapshot of {self.num_envs} rows of {self.face}, got one of "
                f"{len(snapshot.is_over)} rows of {snapshot.lives.face}: restore it where it was"
            )
        if self._mode is AutoresetMode.SAME_STEP and snapshot.is_over.any():
            raise BadInputError(
                f"expected lives that go on, as under {self._mode}, got "
                f"{np.count_nonzero(snapshot.is_over)} that are over: restore it in an environment "
                "of the mode that it was taken in"
            )
        self._lives, self._is_over = snapshot.lives.copy(), snapshot.is_over.copy()
        if self.render_mode is not None:
            self._diary = (snapshot.diary or Diary(self.num_envs)).copy()
        no = np.zeros(self.num_envs, np.bool_)
        return self._look(suppressed=no, is_reset=no.copy(), truth=None)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:  # type: ignore[override]
        """Draw each row's week, ``(height, width, 3)``; None without ``render_mode``."""
        if self._diary is None:
            return None
        return tuple(self._diary.picture(row) for row in range(self.num_envs))

    @property
    def _mode(self) -> AutoresetMode:
        mode: AutoresetMode = self.metadata["autoreset_mode"]
        return mode

    def _make_spaces(self) -> None:
        bound = self._observer.bound
        seen = Box(-bound, bound, (len(self.obs_names),), np.float32)
        mask = Box(0.0, 1.0, (self._n_actions,), np.float32)
        is_dict = self.face.mask_in_obs
        self.single_observation_space = (
            Dict({"observations": seen, "action_mask": mask}) if is_dict else seen
        )
        self.single_action_space = Discrete(self._n_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _idle(self) -> Flags:
        """Rows that only restart in this step; with DISABLED there may be none."""
        if self._mode is AutoresetMode.DISABLED and self._is_over.any():
            rows = np.flatnonzero(self._is_over)
            raise StateError(
                f"expected no step for users whose life is over, got {len(rows)}, the first in row "
                f"{rows[0]}: call reset(options={{'reset_mask': terminated | truncated}})"
            )
        if self._mode is AutoresetMode.SAME_STEP:
            return np.zeros(self.num_envs, np.bool_)
        return self._is_over

    def _allowed(self, action: Whole, *, is_idle: Flags) -> tuple[Whole, Flags]:
        """Hold where a masked action was chosen, or raise if strict."""
        bits = self._held_reasons().of_actions(action)
        suppressed = (bits != 0) & ~is_idle
        if self.face.strict and suppressed.any():
            row = int(np.argmax(suppressed))
            raise BadInputError(
                f"expected unmasked actions, got {action[row]} in row {row}, masked by "
                f"{names_of(int(bits[row]))}: choose where info['action_mask'] is true, or make "
                "the environment with strict=False, which holds instead"
            )
        return np.where(suppressed, 0, action), suppressed

    def _truth(self, chosen: Whole, *, is_idle: Flags) -> Info:
        """Truth of the state before the action, and the regret by its myopic oracle."""
        truth = self.truth()
        mean, mask = truth["mean_reward"], self._held_reasons().mask()
        best = np.where(mask, mean, -np.inf).max(axis=1)
        regret = (best - mean[np.arange(len(mean)), chosen]).astype(np.float32)
        told = {**truth, "regret_myopic": regret}
        for column in told.values():
            column[is_idle] = 0.0
        return told

    def _look(self, *, suppressed: Flags, is_reset: Flags, truth: Info | None) -> tuple[Seen, Info]:
        """Observation and info of this moment."""
        lives = self.lives
        self._reasons = reasons_of(lives.population)
        mask = self._reasons.mask()
        seen = self._with_mask(self._observer(lives.population, lives.known), mask)
        info = {
            "user_id": _user_ids(lives.population.traits.key),
            "t": lives.step_of_life,
            "action_mask": mask,
            "suppressed": suppressed,
            "is_reset": is_reset.copy(),
        }
        if self.face.truth:
            info |= truth if truth is not None else self._no_truth()
        return seen, info

    def _restart(self, seen: Seen, info: Info) -> Info:
        """Begin the next lives within the step: ``seen`` shows them, info keeps the last moment."""
        rows = np.flatnonzero(self._is_over)
        last = {name: column.copy() for name, column in info.items()}
        final = np.full(self.num_envs, None, dtype=object)
        for row in rows:
            final[row] = _row_of(seen, int(row))
        self.lives.renew(rows)
        if self._diary is not None:
            self._diary.turn_page(rows)
        population, known = self.lives.some(rows)
        reasons = reasons_of(population)
        self._held_reasons().put(rows, reasons)
        mask = reasons.mask()
        _put_rows(seen, rows, self._with_mask(self._observer(population, known), mask))
        info["user_id"][rows] = _user_ids(population.traits.key)
        info["action_mask"][rows] = mask
        for name in info.keys() - {"user_id", "action_mask"}:
            info[name][rows] = 0
        info["is_reset"][rows] = True
        was_over, self._is_over = self._is_over, np.zeros(self.num_envs, np.bool_)
        return info | {
            "final_obs": final,
            "_final_obs": was_over.copy(),
            "final_info": last,
            "_final_info": was_over.copy(),
        }

    def _with_mask(self, seen: NDArray[np.float32], mask: Flags) -> Seen:
        if not self.face.mask_in_obs:
            return seen
        return {"observations": seen, "action_mask": mask.astype(np.float32)}

    def _no_truth(self) -> Info:
        shape = (self.num_envs, self._n_actions)
        return {
            "mean_reward": np.zeros(shape, np.float32),
            "outcome": np.zeros(shape, np.float32),
            "regret_myopic": np.zeros(self.num_envs, np.float32),
        }

    def _held_reasons(self) -> Reasons:
        if self._reasons is None:
            self._reasons = reasons_of(self.lives.population)
        return self._reasons


def _user_ids(key: NDArray[np.uint64]) -> Whole:
    """A number of each life, the same in any batch; not negative."""
    return (key >> np.uint64(1)).astype(np.int64)


def _row_of(seen: Seen, row: int) -> Seen:
    """One row, on its own."""
    if isinstance(seen, dict):
        return {name: column[row].copy() for name, column in seen.items()}
    return seen[row].copy()


def _put_rows(seen: Seen, rows: Whole, other: Seen) -> None:
    if isinstance(seen, dict):
        for name, column in seen.items():
            column[rows] = other[name]
    else:
        seen[rows] = other
