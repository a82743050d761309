"""Every exploration of ``--cb_explore_adf``: its command line, and its probabilities.

Costs of the policies of an ensemble enter, (M, N, A), with a mask; a pmf leaves, in float64 and
with exact ties shared, so that it does not depend on the order of actions. Where the probability
needs more of Vowpal Wabbit than costs (``is_asked``), its own is taken. The formulas are those of
Vowpal Wabbit 9.11, ``reductions/cb/cb_explore_adf_*.cc``, and a test holds them to its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import RewardScheme
from policies.exploration import best_action, epsilon_greedy, inverse_gap, softmax, uniform
from policies.reward_range import reward_range
from policies.vw.exploration import OneModel
from policies.vw.params import expect_between
from policies.vw.pmf import at_least, synthetic_cover

__all__ = [
    "Bag",
    "Cover",
    "Distillation",
    "EpsilonGreedy",
    "First",
    "RegCB",
    "Softmax",
    "SquareCB",
    "SynthCover",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonGreedy(OneModel):
    """The least cost, and any action alike at probability ``epsilon``."""

    epsilon: float = 0.05

    def __post_init__(self) -> None:
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        return f"--epsilon {self.epsilon!r}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        return epsilon_greedy(-costs[0], mask, epsilon=self.epsilon)


@dataclass(frozen=True, slots=True, kw_only=True)
class First(OneModel):
    """Any action alike for ``n_rows`` rows, then the least cost with least probabilities."""

    n_rows: int = 1000
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("n_rows", self.n_rows, 0, 2**31)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        return f"--first {self.n_rows} --epsilon {self.epsilon!r}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        if n_learned < self.n_rows:
            return uniform(mask)
        return at_least(best_action(-costs[0], mask), mask, total=self.epsilon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(OneModel):
    """Probabilities proportional to ``exp(−inverse_temperature · cost)``."""

    inverse_temperature: float = 10.0
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("inverse_temperature", self.inverse_temperature, 0.0, 1e6)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        return f"--softmax --lambda {self.inverse_temperature!r} --epsilon {self.epsilon!r}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        drawn = softmax(-costs[0], mask, inverse_temperature=self.inverse_temperature)
        return at_least(drawn, mask, total=self.epsilon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag(OneModel):
    """Votes of policies learned on bootstrapped rows (Poisson weights)."""

    n_policies: int = 5
    is_greedified: bool = False
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("n_policies", self.n_policies, 1, 100)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    @property
    def models(self) -> tuple[int, ...]:
        """One a policy."""
        return tuple(range(self.n_policies))

    @property
    def n_models(self) -> int:
        """One a policy."""
        return self.n_policies

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        first = " --greedify" if self.is_greedified else ""
        return f"--bag {self.n_policies}{first} --epsilon {self.epsilon!r}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        votes = np.mean([best_action(-one, mask) for one in costs], axis=0)
        return at_least(votes, mask, total=self.epsilon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover(OneModel):
    """Votes of policies, each penalised where those before it would go.

    Parameters
    ----------
    n_policies : int
        The first by regression, the others by doubly robust costs less the penalty.
    psi : float
        Weight of the penalty.
    is_even : bool
        Whether actions without a vote get the least probability too.
    epsilon : float
        Its total; 0 lets it decay as 1/√(n·A), Vowpal Wabbit's own default.

    Notes
    -----
    The penalty compares actions, and feedback has the action taken only: here it is the same
    for all that is learned, and policies differ by the noise of their costs alone.
    """

    n_policies: int = 4
    psi: float = 1.0
    cannot: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("learns_identity", "beats_uniform_on_tiny"),
        "its penalty compares actions, and feedback has the one taken only",
    )
    is_even: bool = True
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("n_policies", self.n_policies, 1, 100)
        expect_between("psi", self.psi, 0.0, 1e6)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    @property
    def models(self) -> tuple[int, ...]:
        """The second place is that of the doubly robust scorer."""
        return (0, *range(2, self.n_policies + 1))

    @property
    def n_models(self) -> int:
        """Twice one a policy and one for the scorer: the first is regressed without them."""
        return 2 * (self.n_policies + 1)

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        spread = "" if self.is_even else " --nounif"
        fixed = f" --epsilon {self.epsilon!r}" if self.epsilon else ""
        return f"--cover {self.n_policies} --psi {self.psi!r}{spread}{fixed}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        votes = np.mean([best_action(-one, mask) for one in costs], axis=0)
        n_actions = mask.sum(axis=1)
        total = np.full(len(mask), self.epsilon)
        if not self.epsilon:
            total = np.minimum(1.0, np.sqrt(n_actions / max(n_learned, 1e-300)))
        return at_least(votes, mask, total=total, is_even=self.is_even)


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareCB(OneModel):
    """Inverse-gap weighting with γ = scale · n^exponent (Foster and Rakhlin 2020).

    ``is_eliminating`` leaves out actions whose cost is surely not the least, by :class:`RegCB`'s
    ranges of costs.
    """

    is_weighted: ClassVar[bool] = False
    gamma_scale: float = 10.0
    gamma_exponent: float = 0.5
    is_eliminating: bool = False
    mellowness: float = 0.001
    largest: float = 1.0

    def __post_init__(self) -> None:
        expect_between("gamma_scale", self.gamma_scale, 0.0, 1e9)
        expect_between("gamma_exponent", self.gamma_exponent, 0.0, 1.0)
        expect_between("mellowness", self.mellowness, 0.0, 1e6)
        expect_between("largest", self.largest, 1e-6, 1e6)

    @property
    def is_asked(self) -> bool:
        """Ranges of costs are known to Vowpal Wabbit only."""
        return self.is_eliminating

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        elim = " --elim" if self.is_eliminating else ""
        costs = _costs(self.mellowness, scheme, self.largest)
        gamma = f"--gamma_scale {self.gamma_scale!r} --gamma_exponent {self.gamma_exponent!r}"
        return f"--squarecb{elim} {gamma} {costs}"

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        gamma = self.gamma_scale * float(n_learned) ** self.gamma_exponent
        return inverse_gap(-costs[0], mask, gamma=gamma)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegCB(OneModel):
    """Confidence ranges of costs (Foster et al. 2018): the least lower bound, or all in question.

    Parameters
    ----------
    is_optimistic : bool
        All mass on the least lower bound; otherwise any action alike that may be the best.
    mellowness : float
        Width of the ranges.
    largest : float
        The most that a count or a value can reach: with the scheme's weights it makes the range of
        rewards, and costs are their negatives. Vowpal Wabbit's own default is costs in [0, 1],
        under which costs that are negative rewards are never told apart.
    """

    is_weighted: ClassVar[bool] = False
    is_optimistic: bool = True
    mellowness: float = 0.001
    largest: float = 1.0

    def __post_init__(self) -> None:
        expect_between("mellowness", self.mellowness, 0.0, 1e6)
        expect_between("largest", self.largest, 1e-6, 1e6)

    @property
    def is_asked(self) -> bool:
        """It needs more of Vowpal Wabbit than costs."""
        return True

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        bound = " --regcbopt" if self.is_optimistic else ""
        return f"--regcb{bound} {_costs(self.mellowness, scheme, self.largest)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation(OneModel):
    """Random network distillation (``--rnd``): a softmax with bonuses of how well noise is fitted.

    Parameters
    ----------
    n_targets : int
        Random targets whose squared errors make the bonus.
    alpha : float
        Noise of a target: larger explores features that repeat for longer.
    inverse_lambda : float
        Larger explores new features more.
    epsilon : float
        Total of the least probabilities.
    """

    cannot: ClassVar[Mapping[str, str]] = {
        "beats_uniform_on_tiny": "one random target misses directions: from -.3 to .8 of the way"
    }
    n_targets: int = 1
    alpha: float = 0.1
    inverse_lambda: float = 0.1
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("n_targets", self.n_targets, 1, 100)
        expect_between("alpha", self.alpha, 1e-9, 1e9)
        expect_between("inverse_lambda", self.inverse_lambda, 1e-9, 1e9)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    @property
    def is_asked(self) -> bool:
        """It needs more of Vowpal Wabbit than costs."""
        return True

    @property
    def n_models(self) -> int:
        """The regressor and one a target."""
        return 1 + self.n_targets

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        return (
            f"--rnd {self.n_targets} --rnd_alpha {self.alpha!r} "
            f"--rnd_invlambda {self.inverse_lambda!r} --epsilon {self.epsilon!r}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthCover(OneModel):
    """Votes of a made-up cover: each goes to the least cost, which a vote raises by psi/size."""

    cannot: ClassVar[Mapping[str, str]] = {
        "beats_uniform_on_tiny": "psi .1 spreads votes over near costs: .50 to .69 of the way"
    }
    psi: float = 0.1
    n_policies: int = 100
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        expect_between("psi", self.psi, 1e-9, 1e9)
        expect_between("n_policies", self.n_policies, 1, 10_000)
        expect_between("epsilon", self.epsilon, 0.0, 1.0)

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        return (
            f"--synthcover --synthcoverpsi {self.psi!r} --synthcoversize {self.n_policies} "
            f"--epsilon {self.epsilon!r}"
        )

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """See :class:`policies.vw.exploration.Exploration`."""
        clipped = np.clip(costs[0], *cost_range)
        votes = synthetic_cover(clipped, mask, psi=self.psi, n_votes=self.n_policies)
        return at_least(votes, mask, total=self.epsilon)


def _costs(mellowness: float, scheme: RewardScheme, largest: float) -> str:
    least, most = reward_range(scheme, largest=largest)
    # "=" because a value that starts with a minus would be read as an option.
    return f"--mellowness {mellowness!r} --cb_min_cost={-most!r} --cb_max_cost={-least!r}"
