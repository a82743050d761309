"""The one default policy, named where naming it loads nothing."""

from __future__ import annotations

__all__ = ["DEFAULT"]

DEFAULT = "hybrid_ts"
"""The policy for whoever asks for none, with its own defaults: chosen by the gauntlets."""
