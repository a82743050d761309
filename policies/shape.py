"""Lengths that a policy is made for: how many features, users, items and slots will come."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PolicyShape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyShape:
    """Lengths of what requests will carry.

    Parameters
    ----------
    n_context, n_item_features, n_slot_features : int
        D, Di and Ds.
    n_users, n_items, n_slots : int
        Ranges of user codes, item ids and slots, for policies that keep counts.
    """

    n_context: int
    n_item_features: int
    n_slot_features: int
    n_users: int
    n_items: int
    n_slots: int
