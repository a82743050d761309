"""What has been published or is sold for pushes, a policy each."""

from __future__ import annotations

from bandit.outcomes import RewardScheme
from policies.baselines.behaviour_counts import CountParams
from policies.baselines.click_greedy import ClickGreedy
from policies.baselines.hour_factors import HourFactors
from policies.baselines.lp_planner import LpPlanner
from policies.baselines.recovering_softmax import RecoveringParams, RecoveringSoftmax
from policies.baselines.survival import SurvivalParams, SurvivalThreshold
from policies.baselines.user_beta import BetaParams, UserBeta
from policies.baselines.weekly_budget import BudgetParams, WeeklyBudget
from policies.entry import Entry, explored
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.roles import Explorer
from policies.shape import PolicyShape

__all__ = ["ENTRIES"]


def _weekly_budget(
    shape: PolicyShape,
    scheme: RewardScheme,
    *,
    budget: BudgetParams,
    volume: HeadParams,
    model: HeadParams,
    explorer: Explorer,
) -> WeeklyBudget:
    """Volumes around an explorer over the shared linear model."""
    inner = Explored(LinearModel(shape, scheme, model), explorer)
    return WeeklyBudget(shape, scheme, inner=inner, params=budget, volume=volume)


ENTRIES = (
    Entry(
        policy_id="click_greedy",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": ClickGreedy()},
        reference="the highest click rate, unlimited",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lp_planner",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": LpPlanner()},
        reference="Uber's consumer communication gateway (2022)",
        cost="N·A·P + a program over N·S·cap pairs",
        needs="planner",
    ),
    Entry(
        policy_id="user_beta",
        factory=UserBeta,
        options={"params": BetaParams(), "is_pooled": False},
        reference="Thompson (1933), one agent a user, as Aampe has them",
        cost="N·A·M",
    ),
    Entry(
        policy_id="user_beta_pooled",
        factory=UserBeta,
        options={"params": BetaParams(), "is_pooled": True},
        reference="the same, shrunk to the population by empirical Bayes",
        cost="N·A·M",
    ),
    Entry(
        policy_id="recovering_softmax",
        factory=RecoveringSoftmax,
        options={"params": RecoveringParams()},
        reference="Yancey and Settles (2020), Duolingo",
        cost="N·K + N·S",
    ),
    Entry(
        policy_id="hour_factors",
        factory=HourFactors,
        options={
            "params": CountParams(),
            "always_sends": False,
            "least_active": 4.0,
            "n_factors": 8,
        },
        reference="Salesforce Einstein send-time optimisation; Tipping and Bishop (1999)",
        cost="N·A, and U·(7·S)² a day",
    ),
    Entry(
        policy_id="weekly_budget",
        factory=_weekly_budget,
        options={
            "budget": BudgetParams(),
            "volume": HeadParams(),
            "model": HeadParams(),
            "explorer": Thompson(),
        },
        reference="Zhao et al. (2018), Pinterest",
        cost="that of its inner policy + N·D·k",
    ),
    Entry(
        policy_id="survival",
        factory=SurvivalThreshold,
        options={"params": SurvivalParams()},
        reference="Yuan et al. (2019), LinkedIn",
        cost="N·A, and a fit over the latest rows a day",
        reads_visits=True,
    ),
)
