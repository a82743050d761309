"""What a gym face shows and pays: the options that the single and the vector environment share.

Keywords enter, as ``gymnasium.make`` and RLlib's ``env_config`` pass them; a checked :class:`Face`
leaves, with the configuration of its population. A face's users have all opted in: those who have
not can only be held, and being opted in is drawn apart from everything else about a user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args

import numpy as np

from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT, UPLIFT, RewardScheme, uplift_scheme
from simulator.config import WorldConfig, config_from, load
from simulator.kernel import Ground, ground_of
from simulator.observation import Observe
from simulator.organic import mean_order_value

__all__ = ["Clock", "Face", "Options", "RewardTiming"]

Clock = Literal["daily", "hourly"]
RewardTiming = Literal["arrival", "decision"]
SchemeName = Literal["uplift", "uplift_value", "engagement"]


class Options(TypedDict, total=False):
    """Keywords of an environment, see :class:`Face`."""

    clock: Clock
    preset: str | Path | WorldConfig
    changes: Mapping[str, Any] | None
    n_candidates: int | None
    horizon_days: int | None
    observe: Observe
    scheme: SchemeName | RewardScheme
    reward_timing: RewardTiming
    pays_rest: bool
    truth: bool
    mask_in_obs: bool
    strict: bool
    disjoint_seeds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Options of a face.

    Parameters
    ----------
    clock : {"daily", "hourly"}
        A decision a day: an item at a slot, or none; or a decision an hour: an item now, or none.
    preset : str, Path or WorldConfig
        A preset's name, a TOML file, or a configuration.
    changes : mapping, optional
        Sections with keys to replace, such as ``{"fatigue": {"slope": 0.2}}``, or other values
        of what stands outside them, such as ``{"reward_window_h": 2.0}``.
    n_candidates, horizon_days : int, optional
        Shorthands for ``clock.n_candidates`` and ``clock.horizon_days``.
    observe : {"history", "full", "minimal", "request"}
        See :mod:`simulator.observation`.
    scheme : str or RewardScheme
        What outcomes are worth: ``"uplift"``, ``"uplift_value"`` (orders by their money),
        ``"engagement"`` (less what it attributes), or a scheme.
    reward_timing : {"arrival", "decision"}
        Reward what arrives in a step, or at once what the step decides: for debugging, and for
        learners that cannot wait.
    pays_rest : bool
        When a life ends, pay what is still to come; otherwise it expires. A learner that goes on
        from the last observation of a life that was truncated counts what was paid there twice.
    truth : bool
        Add true means, outcomes of every action and the myopic regret to ``info``: it costs time.
    mask_in_obs : bool
        Observe ``{"observations", "action_mask"}``, as RLlib's masking module expects.
    strict : bool
        Raise where a masked action is chosen; otherwise it is suppressed: nothing is sent.
    disjoint_seeds : bool
        Hash a seed before counting rows from it, so that neighbouring seeds share no users; the
        vector environment then differs from single ones that are seeded one by one.
    """

    clock: Clock = "daily"
    preset: str | Path | WorldConfig = "ecommerce"
    changes: Mapping[str, Any] | None = None
    n_candidates: int | None = None
    horizon_days: int | None = None
    observe: Observe = "history"
    scheme: SchemeName | RewardScheme = "uplift"
    reward_timing: RewardTiming = "arrival"
    pays_rest: bool = True
    truth: bool = False
    mask_in_obs: bool = False
    strict: bool = False
    disjoint_seeds: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("clock", Clock), ("reward_timing", RewardTiming)):
            if getattr(self, name) not in get_args(choices):
                raise BadInputError(
                    f"expected {name} to be one of {', '.join(get_args(choices))}, got "
                    f"{getattr(self, name)!r}"
                )
        for name in ("pays_rest", "truth", "mask_in_obs", "strict", "disjoint_seeds"):
            if not isinstance(getattr(self, name), bool):
                raise BadInputError(f"expected {name} to be a bool, got {getattr(self, name)!r}")

    @property
    def hours(self) -> int:
        """Length of a step."""
        return 24 if self.clock == "daily" else 1

    def ground(self) -> Ground:
        """Return the population's shared tables; environments of one configuration share them."""
        return _ground_of(self._config())

    def reward_scheme(self, config: WorldConfig) -> RewardScheme:
        """Return the scheme that weighs outcomes."""
        if isinstance(self.scheme, RewardScheme):
            return self.scheme
        if self.scheme == "uplift":
            return UPLIFT
        if self.scheme == "uplift_value":
            return uplift_scheme(mean_order_value=mean_order_value(config))
        if self.scheme == "engagement":
            return ENGAGEMENT.without_attribution()
        raise BadInputError(
            f"expected scheme to be a RewardScheme or one of {', '.join(get_args(SchemeName))}, "
            f"got {self.scheme!r}"
        )

    def _config(self) -> WorldConfig:
        given = {"n_candidates": self.n_candidates, "horizon_days": self.horizon_days}
        # Samplers of hyperparameters hand out numpy's numbers.
        clock = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in given.items()
            if value is not None
        }
        if isinstance(self.preset, WorldConfig):
            config = self.preset
        elif isinstance(self.preset, (str, Path)):
            config = load(self.preset)
        else:
            raise BadInputError(
                f"expected preset to be a name, a path or a WorldConfig, got {self.preset!r}"
            )
        changes = {} if self.changes is None else self.changes
        if not isinstance(changes, Mapping):
            raise BadInputError(
                "expected changes to be sections with keys to replace, such as "
                f"{{'fatigue': {{'slope': 0.2}}}}, got {changes!r}"
            )
        table = _laid_over(config.to_dict(), changes)
        if isinstance(table["clock"], Mapping):
            table["clock"] = {**table["clock"], **clock}
        config = config_from(table)
        return replace(config, opt_out=replace(config.opt_out, opt_in_share=1.0))


def _laid_over(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Replace keys of sections, and values that stand outside them."""
    laid = dict(table)
    for name, value in changes.items():
        below = table.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        laid[name] = {**cast(Mapping[str, Any], below), **value} if both else value
    return laid


@lru_cache(maxsize=16)
def _ground_of(config: WorldConfig) -> Ground:
    return ground_of(config)
