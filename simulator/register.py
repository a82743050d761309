"""Importing this module registers the environments with Gymnasium.

``gymnasium.make("simulator.register:PushDaily-v0")`` imports it first, in remote workers too. A
version counts up when the same seed and actions no longer give the same lives.
"""

from __future__ import annotations

import gymnasium

__all__ = ["IDS"]

IDS = ("PushDaily-v0", "PushHourly-v0")

for _id, _clock in zip(IDS, ("daily", "hourly"), strict=True):
    gymnasium.register(
        id=_id,
        entry_point="simulator.env:PushEnv",
        vector_entry_point="simulator.vector_env:PushVectorEnv",
        kwargs={"clock": _clock},
    )
