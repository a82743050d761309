"""Users that are shrunk to their like and to everybody."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.thompson import Thompson
from policies.models.glm_head import GlmParams
from policies.models.user_pooled import UserPooled

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="pooled_ts",
        factory=explored(UserPooled),
        options={"model": GlmParams(), "explorer": Thompson(scale=0.8, deflates=True)},
        reference="Robinson (1991), shrunken user offsets, over Chapelle and Li (2011)",
        cost="N·A·M + R·(P³ + U·P²)",
    ),
)
