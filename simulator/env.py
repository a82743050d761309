"""The population as a single Gymnasium environment: one user a time, one row of the vector one.

Options and a seed enter; what :class:`~simulator.vector_env.PushVectorEnv` says of its only row
leaves. Use the vector environment for speed; this one is for libraries that step one user, and for
reading along.
"""

from __future__ import annotations

from typing import Any, Unpack

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator.face import Options
from simulator.vector_env import PushVectorEnv, Snapshot

__all__ = ["PushEnv"]

Seen = Any  # (C,) float32, or a dictionary of such
Info = dict[str, Any]


class PushEnv(gymnasium.Env[Seen, Any]):
    """One user; an action is hold (0) or item k at slot s (1 + k·S + s).

    Parameters
    ----------
    render_mode : {None, "rgb_array"}
        ``"rgb_array"`` keeps a diary of the last week, for :meth:`render`.
    **options
        See :class:`~simulator.face.Face`; info keys are those of the vector environment.

    Examples
    --------
    >>> env = PushEnv(clock="daily", preset="tiny")
    >>> seen, info = env.reset(seed=1)
    >>> seen, reward, terminated, truncated, info = env.step(0)
    >>> info["t"], terminated, truncated
    (1, False, False)
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, *, render_mode: str | None = None, **options: Unpack[Options]) -> None:
        self._row = PushVectorEnv(
            1, autoreset_mode=AutoresetMode.DISABLED, render_mode=render_mode, **options
        )
        self._has_begun = False
        self.render_mode = render_mode
        self.observation_space = self._row.single_observation_space
        self.action_space = self._row.single_action_space

    @property
    def obs_names(self) -> tuple[str, ...]:
        """Name of each column of the observation."""
        return self._row.obs_names

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, Info]:
        """Begin the first life of ``seed``, or the next one without a seed."""
        seed = int(seed) if isinstance(seed, np.integer) else seed
        super().reset(seed=seed)
        # The first life without a seed is that of the generator's own, as in Gymnasium.
        chosen = int(self.np_random_seed) if seed is None and not self._has_begun else seed
        seen, info = self._row.reset(seed=chosen, options=options)
        self._has_begun = True
        return _only_row(seen), _only_info(info)

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, Info]:
        """Send what was chosen, if it may be, and let a step pass."""
        chosen = np.asarray(action)
        if chosen.shape not in ((), (1,)):
            raise BadInputError(f"expected one action, got shape {chosen.shape}: choose one number")
        seen, reward, has_left, is_at_end, info = self._row.step(chosen.reshape(1))
        return (
            _only_row(seen),
            float(reward[0]),
            bool(has_left[0]),
            bool(is_at_end[0]),
            _only_info(info),
        )

    def truth(self) -> dict[str, NDArray[np.float32]]:
        """True mean of every action now, and what each would pay, (A,)."""
        return {name: column[0] for name, column in self._row.truth().items()}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return what may be chosen now, (A,); the name is MaskablePPO's."""
        return np.asarray(self._row.action_masks()[0])

    def snapshot(self) -> Snapshot:
        """Return this moment, to come back to with :meth:`restore`."""
        return self._row.snapshot()

    def restore(self, snapshot: Snapshot) -> tuple[Seen, Info]:
        """Return to a moment, bit for bit, and show it."""
        seen, info = self._row.restore(snapshot)
        return _only_row(seen), _only_info(info)

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """Draw the user's week, ``(height, width, 3)``; None without ``render_mode``."""
        frames = self._row.render()
        return None if frames is None else frames[0]


def _only_row(seen: Seen) -> Seen:
    if isinstance(seen, dict):
        return {name: column[0] for name, column in seen.items()}
    return seen[0]


def _only_info(info: Info) -> Info:
    """One row's values: Python's own whole numbers and flags, arrays where there are columns."""
    return {name: _plain(column[0]) for name, column in info.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, (np.bool_, np.int64)) else value
