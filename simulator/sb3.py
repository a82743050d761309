"""The vector environment as one of Stable-Baselines3's.

A :class:`~simulator.vector_env.PushVectorEnv` under SAME_STEP enters; a ``VecEnv`` leaves, with a
list of infos, ``terminal_observation`` and ``TimeLimit.truncated`` where a life ended, and
``action_masks`` for sb3-contrib's MaskablePPO. Reference: Raffin et al. (2021), Stable-Baselines3,
``common/vec_env/dummy_vec_env.py``, whose order of reset and last observation this keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from bandit.errors import BadInputError, StateError
from simulator.vector_env import PushVectorEnv

__all__ = ["SB3VecEnv"]

Info = dict[str, Any]


class SB3VecEnv(VecEnv):  # type: ignore[misc]
    """N users for a learner of Stable-Baselines3.

    Parameters
    ----------
    env : PushVectorEnv
        Made with ``autoreset_mode="SameStep"``; the row's user, step and end are in its infos, the
        columns of ``action_mask`` in :meth:`action_masks`.

    Examples
    --------
    >>> env = SB3VecEnv(PushVectorEnv(4, preset="identity", autoreset_mode="SameStep"))
    >>> env.reset().shape
    (4, 44)
    """

    def __init__(self, env: PushVectorEnv) -> None:
        mode = env.metadata["autoreset_mode"]
        if mode is not AutoresetMode.SAME_STEP:
            raise BadInputError(
                f"expected autoreset_mode 'SameStep', as Stable-Baselines3 resets, got {mode}: "
                "make the environment with autoreset_mode='SameStep'"
            )
        self.env = env
        self._actions: NDArray[Any] | None = None
        self._seed: int | None = None
        self.render_mode = env.render_mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Keep a seed for the next reset; row i gets ``seed + i``."""
        self._seed = seed
        return [None if seed is None else seed + row for row in range(self.num_envs)]

    def set_options(self, options: Any = None) -> None:
        """Refuse: a reset begins a new life in every row, and there is nothing to choose."""
        given = options if isinstance(options, (list, tuple)) else [options]
        if any(given):
            raise BadInputError(
                f"expected no options of a reset, got {options!r}: options are those of "
                "PushVectorEnv, when it is made"
            )

    def reset(self) -> Any:
        """Begin lives: of the seed kept, or each row's next one."""
        seen, info = self.env.reset(seed=self._seed)
        self._seed = None
        self.reset_infos = self._rows_of(info)
        return seen

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions of the step that is waited for."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[Info]]:
        """Let the step pass."""
        if self._actions is None:
            raise StateError("expected step_async before step_wait, got none: call step(actions)")
        seen, reward, left, ended, info = self.env.step(self._actions)
        self._actions = None
        over = left | ended
        infos = self._rows_of(info)
        for row in np.flatnonzero(over):
            infos[row]["terminal_observation"] = info["final_obs"][row]
            infos[row]["TimeLimit.truncated"] = bool(ended[row])
        return seen, reward.astype(np.float32), over, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Return what may be chosen now, (N, A)."""
        return self.env.action_masks()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Draw each row's week."""
        frames = self.env.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the environment, once a row."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: rows have no attributes of their own."""
        raise BadInputError(
            f"expected no attributes to be set, got {attr_name!r}: rows of one environment share "
            "them; make another environment"
        )

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the environment and hand each row its part.

        Notes
        -----
        Only methods that answer with an array of N rows make sense, such as ``action_masks``.
        """
        answer = getattr(self.env, method_name)(*args, **kwargs)
        if not isinstance(answer, np.ndarray) or len(answer) != self.num_envs:
            raise BadInputError(
                f"expected a method that answers with {self.num_envs} rows, such as action_masks, "
                f"got {method_name}: call it on .env"
            )
        return [answer[row] for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return that no row is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def _rows_of(self, info: Info) -> list[Info]:
        """User, step and suppression of each row: arrays of many columns stay where they are."""
        columns = [info[name].tolist() for name in ("user_id", "t", "suppressed")]
        return [
            {"user_id": user, "t": t, "suppressed": suppressed}
            for user, t, suppressed in zip(*columns, strict=True)
        ]
