from __future__ import annotations

import numpy as np
import pytest

from bandit.decide import Decisions
from bandit.floor import Floor
from bandit.join import Joiner
from bandit.loop import Loop
from bandit.outcomes import UPLIFT, Kind
from bandit.slots import DAY_MS
from policies.baselines.fixed import RandomEligible
from policies.shape import PolicyShape
from service.jobs.watched_world import Watched
from simulator.config import load
from simulator.guard import WorldGuard
from simulator.offers import Slates
from simulator.solved import solved
from simulator.tiny_dp import optimum, tiny_problem
from simulator.world import World
from simulator.worth import Worth

N_USERS, N_DAYS = 60, 4


def walked(
    preset: str = "tiny", *, hours: int = 24, **changes: dict[str, float]
) -> tuple[Watched, list[Decisions], list]:
    """Random sends to the end of a short world; beside them the world's own ``expected``."""
    config = load(
        preset, clock={"horizon_days": N_DAYS}, emission={"duplicate_share": 0.5}, **changes
    )
    world = World(config, N_USERS, 3, hours=hours)
    watched = Watched(
        world=world,
        worth=Worth(UPLIFT),
        popularity=np.asarray(world.ground.catalogue.attraction, np.float64),
        solved=solved(config, Worth(UPLIFT), hours=hours),
    )
    shape = PolicyShape(
        n_context=1, n_item_features=1, n_slot_features=1, n_users=1, n_items=1, n_slots=1
    )
    loop = Loop(
        world=watched,
        policy=RandomEligible(shape, UPLIFT),
        candidates=Slates(world=world),
        join=Joiner(UPLIFT),
        floor=Floor(),
        key=1,
        guard=WorldGuard(world),
    )
    seen, truth = [], []
    while (step := loop.turn()) is not None:
        seen.append(step.decisions)
        truth.append(world.expected())
    for _ in range(10 * 24 // hours):
        world.rest()
    watched.arrived()
    return watched, seen, truth


@pytest.mark.parametrize("hours", [24, 6])
def test_decided_sums_are_those_of_the_worlds_own_truth(hours: int) -> None:
    """Of the rows before the step: worth of the pmf, best eligible action, silence."""
    watched, decisions, truth = walked(hours=hours)
    worth = [base @ UPLIFT.weights for base, _ in truth]
    uplift = [up @ UPLIFT.weights for _, up in truth]
    expected = {
        "decisions": sum(d.n_rows for d in decisions),
        "sends": sum(int((d.executed != 0).sum()) for d in decisions),
        "silence": sum(base.sum() for base in worth),
        "worth": sum(
            (base + (up * d.pmf).sum(axis=1)).sum()
            for base, up, d in zip(worth, uplift, decisions, strict=True)
        ),
        "best": sum(
            (base + np.where(d.request.mask, up, -np.inf).max(axis=1)).sum()
            for base, up, d in zip(worth, uplift, decisions, strict=True)
        ),
    }
    for name, value in expected.items():
        assert watched.decided[name].sum() == pytest.approx(value, rel=1e-5), name
    assert watched.sent_at.sum() == expected["sends"]


def test_the_loss_to_the_best_plan_is_that_of_the_first_days_probabilities() -> None:
    """On the first day all are rested: one table of losses, day by day never below 0."""
    watched, decisions, _ = walked()
    problem = tiny_problem(watched.world.config, Worth(UPLIFT))
    after = optimum(problem).value[1]
    worth = problem.reward[0, 0] + problem.moves[:, 0] @ after
    lost = (worth.max() - worth) @ decisions[0].pmf.T
    assert watched.decided["regret_dp"][0] == pytest.approx(lost.sum())
    assert (watched.decided["regret_dp"] > 0.0).all()


@pytest.mark.parametrize(("preset", "hours"), [("ecommerce", 24), ("tiny", 6)])
def test_no_loss_is_told_of_worlds_that_are_not_solved(preset: str, hours: int) -> None:
    """Rather than zeros."""
    watched, _, _ = walked(preset, hours=hours)
    assert "regret_dp" not in watched.decided


def test_static_pushes_lie_between_silence_and_the_best_action() -> None:
    """The first column holds; hours that no slot begins at hold as well."""
    watched, _, _ = walked()
    silence, best = watched.decided["silence"].sum(), watched.decided["best"].sum()
    assert watched.static[0] == pytest.approx(silence)
    assert (watched.static <= best + 1e-9).all()
    begins = np.arange(24) % 6 == 0  # tiny has four slots, in UTC
    assert watched.static[1:][~begins] == pytest.approx(np.full(20, silence))
    assert (watched.static[1:][begins] > silence).all()


def test_every_outcome_is_counted_once_on_its_own_day() -> None:
    """Half of them are told twice; what the server knows in the end says how many there were."""
    watched, decisions, _ = walked("ecommerce")
    came, known = watched.came(), watched.world.known
    assert all(len(days) == N_DAYS for days in came.values())
    assert came["attributed"].sum() <= came["orders"].sum()
    heard = np.concatenate([o.kind for o in watched._heard])
    assert (heard == Kind.SESSION).sum() > 1.2 * came["sessions"].sum()
    # By then it has heard of the clicks of later days too.
    assert 0 < came["clicks"].sum() <= known.n_clicks.sum()
    assert came["sessions"].sum() > 0
    reached = watched.reachable
    assert (np.diff(reached) <= 0).all()
    assert (watched.alive >= reached).all()
    assert sum(d.n_rows for d in decisions) <= N_USERS * N_DAYS


def test_value_is_net_of_refunds() -> None:
    """Of orders and refunds within the days, each counted once."""
    orders = {"per_session": 0.5, "refund_share": 0.5, "refund_mean_days": 0.2}
    watched, _, _ = walked("ecommerce", orders=orders)
    heard, money = watched.heard(), 0.0
    _, once = np.unique(heard.outcome_id, return_index=True)
    start_ms = watched.world.ground.calendar.start_ms
    for kind, sign in ((Kind.CONVERTED, 1.0), (Kind.REFUNDED, -1.0)):
        at = once[heard.kind[once] == kind]
        at = at[heard.at_ms[at] < start_ms + N_DAYS * DAY_MS]
        assert len(at)
        money += sign * heard.value[at].sum()
    assert watched.came()["value"].sum() == pytest.approx(money)
