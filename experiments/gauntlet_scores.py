"""Scores of the gauntlet by task, policy and seed, kept between runs.

Single scores enter as they are made; the lists of ``gauntlet.json`` leave, each with the commit
that its last score was made at. What was kept under another number of decisions is not used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.jobs.provenance import provenance

__all__ = ["Scores"]


@dataclass(slots=True)
class Scores:
    """What has been scored.

    Parameters
    ----------
    decisions : int or "all"
        Decisions of each run.
    scores : dict
        Task → policy → seed → score.
    commits : dict
        Task → policy → commit of the last of them.
    """

    decisions: int | str
    scores: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    commits: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, *, decisions: int | str) -> Scores:
        """What an earlier run left at a path, if it made as many decisions."""
        told = json.loads(path.read_text()) if path.exists() else {}
        if told.get("decisions") != decisions:
            return cls(decisions)
        scores = {
            name: {
                policy_id: {seed: one for seed, one in enumerate(told[name][policy_id]) if one}
                for policy_id in by_policy
            }
            for name, by_policy in told["commits"].items()
        }
        return cls(decisions, scores, told["commits"])

    def has(self, name: str, policy_id: str, seed: int) -> bool:
        """Whether this one is there."""
        return seed in self.scores.get(name, {}).get(policy_id, {})

    def put(self, name: str, policy_id: str, seed: int, score: float) -> None:
        """Keep a score of the code as it is now."""
        self.scores.setdefault(name, {}).setdefault(policy_id, {})[seed] = score
        self.commits.setdefault(name, {})[policy_id] = provenance()["commit"]

    def known(self, name: str, policy_id: str) -> list[float]:
        """Scores of a policy, by seed, those that are there."""
        by_seed = self.scores[name][policy_id]
        return [by_seed[seed] for seed in sorted(by_seed)]

    def told(self) -> dict[str, Any]:
        """Lists of scores up to a policy's last seed, ``null`` where one is missing."""
        lists = {
            name: {
                policy_id: [by_seed.get(seed) for seed in range(1 + max(by_seed))]
                for policy_id, by_seed in by_policy.items()
            }
            for name, by_policy in self.scores.items()
        }
        return lists | {"commits": self.commits, "decisions": self.decisions}
