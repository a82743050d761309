"""Two devices, one user: the whole way through the loop, the log, the join and the reports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bandit.actions import HOLD, ItemSet, Observation, SlotGrid
from bandit.classic import classic_table
from bandit.currencies import no_currency
from bandit.decide import Decisions, Mode
from bandit.events import ACTIONS, NO_ITEM, Events, canonical_order, histories_of
from bandit.floor import Floor
from bandit.holdout import Holdout
from bandit.identity import Links, comparable, merge_events
from bandit.join import Emission, Joiner
from bandit.log import LogWriter, logged_hash, read_log
from bandit.loop import Loop
from bandit.ope.evaluate import uplift_against_hold
from bandit.ope.evidence import Evidence
from bandit.ope.group_uplift import uplift_against_holdout
from bandit.outcomes import Component, Feedback, Kind, Outcomes, RewardScheme
from policies.registry import build
from policies.shape import PolicyShape

DAY_MS, T0 = 86_400_000, 1_700_006_400_000
N_IDS, N_DAYS, LINK_DAY = 60, 12, 5
BOUGHT = RewardScheme(
    name="bought",
    objective="uplift",
    components=(
        Component(
            name="bought", kinds=(Kind.CONVERTED,), measure="count", weight=1.0, window_ms=DAY_MS
        ),
        Component(name="message", kinds=(), measure="send", weight=-0.01),
    ),
)
HOLDOUT = Holdout(share=0.4, key=3)


def purchases() -> Events:
    """Every device buys now and then, by itself."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(N_IDS), 20)
    at_ms = T0 + rng.integers(0, N_DAYS * DAY_MS, len(user))
    action = np.full(len(user), ACTIONS.index("purchase"), np.int16)
    none = np.full(len(user), NO_ITEM, np.int64)
    nan = np.full(len(user), np.nan)
    order = canonical_order(user=user, at_ms=at_ms, action=action, item=none)
    return Events(
        user=user, at_ms=at_ms, action=action, item=none, category=none, amount=nan, rating=nan
    ).take(order)


def all_links() -> Links:
    """The upper ids of the first forty turn out to be the users of the lower ones, on day 5."""
    device, user = np.arange(20), np.arange(20, 40)
    return Links.of(device, user, at_ms=np.full(20, T0 + LINK_DAY * DAY_MS))


@dataclass(slots=True, kw_only=True)
class DeviceWorld:
    """Devices that buy; whom to decide for, and what is known of them, follows the links."""

    events: Events = field(default_factory=purchases)
    links: Links = field(default_factory=all_links)
    day: int = 0

    @property
    def now_ms(self) -> int:
        return T0 + self.day * DAY_MS

    def known(self) -> Links:
        return self.links.until(self.now_ms)

    def observe(self) -> Observation | None:
        if self.day == N_DAYS:
            return None
        users = np.unique(self.known().resolve(np.arange(N_IDS)))
        histories = histories_of(merge_events(self.events, self.known()), users)
        at_ms = np.full(len(users), self.now_ms)
        features = classic_table(histories, at_ms[:, None], windows_days=(7,))
        return Observation(
            user=users,
            at_ms=at_ms,
            zone=np.full(len(users), "UTC"),
            context=features["n_purchase_7d"].to_numpy()[:, None].astype(np.float64),
            slot_features=np.ones((len(users), 1, 1)),
            grid=SlotGrid(start_ms=at_ms[:, None], end_ms=at_ms[:, None] + DAY_MS),
        )

    def candidates(self, observation: Observation) -> ItemSet:
        n = len(observation.user)
        return ItemSet(items=np.tile(np.arange(2), (n, 1)), features=np.ones((n, 2, 1)))

    def step(self, decisions: Decisions) -> None:
        self.day += 1

    def arrived(self) -> Outcomes:
        """Yesterday's purchases, by the device they were made on."""
        rows = np.flatnonzero(
            (self.events.at_ms >= self.now_ms - DAY_MS) & (self.events.at_ms < self.now_ms)
        )
        none = np.full(len(rows), -1)
        return Outcomes(
            outcome_id=rows,
            kind=np.full(len(rows), Kind.CONVERTED, np.uint8),
            user=self.events.user[rows],
            at_ms=self.events.at_ms[rows],
            received_ms=self.events.at_ms[rows],
            value=np.ones(len(rows)),
            decision_id=none,
            corrects=none,
            currency=no_currency(len(rows)),
        )

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk left behind."""

    early: pa.Table  # the log as it stood when the links arrived
    log: pa.Table
    feedback: list[Feedback]
    world: DeviceWorld


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Twelve days of the loop, with the links arriving on day 5."""
    folder: Path = tmp_path_factory.mktemp("log")
    world = DeviceWorld()
    shape = PolicyShape(
        n_context=1, n_item_features=1, n_slot_features=1, n_users=N_IDS, n_items=2, n_slots=1
    )
    join = Joiner(BOUGHT, horizon_ms=DAY_MS, emission=Emission.WHEN_FINAL)
    loop = Loop(
        world=world,
        policy=build("random", shape, scheme=BOUGHT),
        candidates=world.candidates,
        join=join,
        floor=Floor(),
        key=5,
        store=LogWriter(folder),
    )
    early, feedback = None, []
    for day in range(N_DAYS):
        if day == LINK_DAY:
            early = read_log(folder)
        known = world.known()
        loop.modes, join.links = replace(HOLDOUT, links=known), known
        step = loop.turn()
        assert step is not None
        feedback.append(step.fresh)
    assert early is not None
    return Walked(early=early, log=read_log(folder), feedback=feedback, world=world)


def column(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy()


def test_past_decisions_stay_as_logged(walked: Walked) -> None:
    """Byte for byte, under the ids they were made for."""
    assert walked.early.num_rows == N_IDS * LINK_DAY
    same = walked.log.slice(0, walked.early.num_rows)
    assert logged_hash(same) == logged_hash(walked.early)
    assert set(column(walked.early, "user")) == set(range(N_IDS))


def test_future_decisions_are_one_a_user(walked: Walked) -> None:
    later = walked.log.slice(walked.early.num_rows)
    per_day = np.split(column(later, "user"), N_DAYS - LINK_DAY)
    for users in per_day:
        assert users.tolist() == list(range(20, N_IDS))


def test_features_come_from_the_merged_history(walked: Walked) -> None:
    """Counted one event at a time."""
    events, links = walked.world.events, walked.world.links
    context = np.array(walked.log["context"].to_pylist())[:, 0]
    for row in range(0, walked.log.num_rows, 7):
        user, at_ms = column(walked.log, "user")[row], column(walked.log, "at_ms")[row]
        mine = links.resolve(events.user, at_ms=at_ms) == user
        recent = (events.at_ms >= at_ms - 7 * DAY_MS) & (events.at_ms < at_ms)
        assert context[row] == (mine & recent).sum()


def test_a_user_merged_across_groups_is_silent_from_the_link_on(walked: Walked) -> None:
    user, mode = column(walked.log, "user"), column(walked.log, "mode")
    held = HOLDOUT.draws(np.arange(N_IDS))
    either = held.copy()
    either[20:40] |= held[:20]
    is_early = np.arange(len(user)) < walked.early.num_rows
    expected = np.where(is_early, held[user], either[user])
    np.testing.assert_array_equal(mode == Mode.HOLDOUT, expected)
    silent = mode == Mode.HOLDOUT
    assert (column(walked.log, "executed")[silent] == HOLD).all()
    assert (column(walked.log, "planned")[silent & ~is_early] != HOLD).any()
    assert (either & ~held)[20:40].sum() >= 2


def test_behaviour_counts_for_the_user_as_known_when_deciding(walked: Walked) -> None:
    """Past decisions keep the feedback of their own device; later ones get all devices'."""
    events, links = walked.world.events, walked.world.links
    checked = np.zeros(2, np.int64)
    for feedback in walked.feedback:
        for row in range(feedback.n_rows):
            at_ms = feedback.at_ms[row]
            mine = links.resolve(events.user, at_ms=int(at_ms)) == feedback.user[row]
            inside = (events.at_ms >= at_ms) & (events.at_ms < at_ms + 2 * DAY_MS)
            assert feedback.components[row, 0] == (mine & inside).sum()
            checked[int(at_ms >= T0 + LINK_DAY * DAY_MS)] += 1
    assert (checked > 50).all()


def test_reports_leave_merged_users_out_and_count_them(walked: Walked) -> None:
    links, log = walked.world.links, walked.log
    held = HOLDOUT.draws(np.arange(N_IDS))
    crossing = set(np.flatnonzero(held[:20] != held[20:40]) + 20)
    assert len(crossing) >= 3
    ids = np.arange(N_IDS)
    bought = np.bincount(walked.world.events.user, minlength=N_IDS).astype(np.float64)
    report = uplift_against_holdout(
        bought, ids, is_holdout=held, compared=comparable(ids, links, HOLDOUT.draws)
    )
    assert report["n_users_left_out"] == len(crossing)
    assert report["n_rows_left_out"] == 2 * len(crossing)
    assert report["n_users_live"] + report["n_users_holdout"] == 40 - len(crossing)
    assert report["uplift"] == 0.0
    live = np.flatnonzero(column(log, "mode") == Mode.LIVE)
    user = column(log, "user")[live]
    evidence = Evidence(
        reward=np.random.default_rng(1).random(len(live)),
        propensity=column(log, "propensity")[live],
        target=column(log, "propensity")[live],
        cluster=user,
    )
    compared = comparable(user, links, HOLDOUT.draws)
    is_hold = column(log, "planned")[live] == HOLD
    said = uplift_against_hold(evidence, is_hold=is_hold, key=1, compared=compared)
    assert said["n_users_left_out"] == len(crossing)
    assert said["n_rows_left_out"] == int(np.isin(links.resolve(user), list(crossing)).sum())
    kept = compared.rows
    alone = uplift_against_hold(
        replace(evidence, cluster=links.resolve(user)).take(kept), is_hold=is_hold[kept], key=1
    )
    assert alone["n_users_left_out"] == 0
    assert {k: v for k, v in said.items() if "left_out" not in k} == {
        k: v for k, v in alone.items() if "left_out" not in k
    }
