"""Row by row one pmf or the other; bad policies stay small, good ones grow, and bad settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback
from bandit.slots import DAY_MS
from policies.baselines.fixed import NeverSend, RandomEligible
from policies.conformance import answers, learning, replays
from policies.conformance.case import Case
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.suite import Law
from policies.conformance.world import HITS
from policies.conservative.conservative import Conservative
from policies.conservative.evidence import POLICY
from policies.registry import build, entry
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=3, n_item_features=4, n_slot_features=3, n_users=3000, n_items=5, n_slots=4
)


def asked(n: int = 3000) -> Request:
    return replace(request_of(SHAPE, n), user=np.arange(n))


def taught(gain: float, *, days: int = 40, n: int = 3000) -> Conservative:
    """Held to silence, which is worth .2; the inner policy adds ``gain``."""
    held = Conservative(RandomEligible(SHAPE, HITS), NeverSend(SHAPE, HITS))
    rng = np.random.default_rng(3)
    for day in range(days):
        told = feedback_of(SHAPE, n, seed=day, first_id=n * day)
        at_ms, user = np.full(n, (20_000 + day) * DAY_MS), np.arange(n)
        is_policys = held.evidence.groups(user, at_ms) == POLICY
        hits = np.zeros_like(told.components)
        hits[:, 0] = rng.random(n) < 0.2 + gain * is_policys
        held.update(replace(told, user=user, at_ms=at_ms, components=hits))
    return held


def test_each_row_has_the_pmf_of_the_one_or_the_other() -> None:
    inner, baseline = RandomEligible(SHAPE, HITS), NeverSend(SHAPE, HITS)
    held, request = Conservative(inner, baseline), asked()
    pmf = held.pmf(request, 1)
    is_inner = held.evidence.groups(request.user, request.at_ms) == POLICY
    np.testing.assert_array_equal(pmf[is_inner], inner.pmf(request, 1)[is_inner])
    np.testing.assert_array_equal(pmf[~is_inner], baseline.pmf(request, 1)[~is_inner])
    assert is_inner.mean() == pytest.approx(0.02, abs=0.01)


def test_a_policy_that_adds_gets_all_but_the_baselines_share() -> None:
    assert taught(0.05).share == 0.95


def test_a_policy_that_takes_away_stays_small_enough() -> None:
    """It loses half of what the baseline is worth: four hundredths of decisions cost .02 of it."""
    assert 0.02 <= taught(-0.1).share <= 0.04


def test_where_tastes_may_have_drifted_less_is_trusted() -> None:
    """A good policy adds .05 to a baseline of .2: half of that may not have drifted away."""
    held = taught(0.05)
    assert held.allowed() == 0.95
    held.params = replace(held.params, drift=0.5)
    assert held.allowed() < 0.2
    held.params = replace(held.params, drift=0.01)
    assert held.allowed() == 0.95


def test_an_equal_policy_is_trusted_bit_by_bit() -> None:
    """Nobody can tell it from one that loses what the bound is wide."""
    few, many = taught(0.0, days=10).share, taught(0.0, days=40).share
    assert 0.02 < few < many < 0.95


def test_weights_that_change_are_asked_of_the_same_measurements() -> None:
    """Where hits are worth nothing, nothing is lost by the policy that has fewer of them."""
    held = taught(-0.1)
    hit, message, click = HITS.components
    held.scheme = replace(HITS, components=(replace(hit, weight=0.0), message, click))
    assert held.allowed() == 0.95
    held.scheme = HITS
    assert held.allowed() <= 0.04


@pytest.mark.parametrize(
    "law",
    [
        *(law for law in answers.LAWS if "slot" not in law.__name__),
        learning.a_saved_policy_resumes_as_if_never_stopped,
        learning.a_state_is_a_snapshot,
        learning.revised_rows_equal_rows_learned_once,
        *replays.LAWS,
    ],
    ids=lambda law: law.__name__,
)
def test_laws_hold_around_other_policies(law: Law) -> None:
    options = {"policy": "squarecb", "baseline": "lin_greedy", "params": {"worst_loss": 0.05}}
    law(Case(entry=entry("conservative"), options=options))


def test_two_baselines_turn_with_the_encoder_where_they_can() -> None:
    for baseline in ("lin_greedy", "random"):
        held = build("conservative", SHAPE, scheme=HITS, options={"baseline": baseline})
        held.update(feedback_of(SHAPE, 50))
        held.rotate(np.eye(3)[::-1], 0.9)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "conservative"}, "two other policies"),
        ({"baseline": "best_hour"}, "has to be shown behaviour"),
        ({"params": {"slack": 0.5, "worst_loss": 0.4}}, "slack below worst_loss"),
        ({"params": {"drift": -0.1}}, "drift of at least 0"),
        ({"params": {"alpha": 0.0}}, "alpha and baseline_share"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        build("conservative", SHAPE, scheme=HITS, options=options)


def test_rows_of_many_days_in_one_batch_are_learned() -> None:
    held = Conservative(RandomEligible(SHAPE, HITS), NeverSend(SHAPE, HITS))
    told = feedback_of(SHAPE, 300)
    days: Feedback = replace(told, at_ms=(20_000 + np.arange(300) % 7) * DAY_MS)
    held.update(days)
    policy, baseline = held.evidence.samples(HITS)
    assert len(held.evidence.day) == 7
    assert policy.n + baseline.n == pytest.approx(300.0, rel=0.1)
