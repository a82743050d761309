from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from bandit.errors import BadInputError, BadShapeError
from bandit.ope.diagnostics import Verdict
from bandit.ope.evaluate import evaluate, tempered, terms_of, uplift_against_hold
from bandit.ope.evidence import Evidence, Weighting
from bandit.ope.intervals import clustered, normal, normal_error

JOINT = Weighting.JOINT


def peer_log() -> Evidence:
    """Two hundred rows by rule, on which a peer's numbers are known (bandit T8)."""
    i = np.arange(200)
    return Evidence(
        reward=np.where(7 * i % 10 < 3, 1.0, 0.0),
        propensity=np.where(i % 4 == 0, 0.1, 0.3),
        target=np.where(i % 3 == 0, 0.6, 0.2),
        cluster=i,
    )


def synthetic(n: int = 4000, *, seed: int = 0, per_user: int = 4, sharp: float = 2.0) -> Evidence:
    """A log over 3 items × 2 slots and hold, with a model that is off by a constant."""
    rng = np.random.default_rng(seed)
    n_actions = 7
    mean = rng.random((n, n_actions)) * 0.3
    logits = rng.normal(size=(n, n_actions))
    logging = np.exp(0.5 * logits)
    logging /= logging.sum(axis=1, keepdims=True)
    target = np.exp(sharp * logits)
    target /= target.sum(axis=1, keepdims=True)
    action = (rng.random(n)[:, None] > np.cumsum(logging, axis=1)).sum(axis=1)
    rows = np.arange(n)
    return Evidence(
        reward=(rng.random(n) < mean[rows, action]).astype(np.float64),
        propensity=logging[rows, action],
        target=target[rows, action],
        cluster=rows // per_user,
        baseline_logged=mean[rows, action] + 0.05,
        baseline_target=(target * mean).sum(axis=1) + 0.05,
    )


def test_a_peers_numbers_on_the_same_log() -> None:
    """IPS, SNIPS and the normal interval (T8, run with the peer)."""
    evidence = peer_log()
    terms = terms_of(evidence)
    assert terms["ips", JOINT].mean() == pytest.approx(0.5666666666666669, rel=1e-12)
    assert terms["snips", JOINT].mean() == pytest.approx(0.33864541832669315, rel=1e-12)
    lower, upper = normal(terms["ips", JOINT])
    assert (float(lower), float(upper)) == pytest.approx((0.394435640899383, 0.7388976924339508))


@pytest.mark.parametrize(
    ("estimator", "n_logs"),
    [("ips", 200), ("dr", 200), pytest.param("snips", 1000, marks=pytest.mark.slow)],
)
def test_intervals_cover_as_often_as_they_say(estimator: str, n_logs: int) -> None:
    """T24 in small: synthetic logs with user effects and skewed weights, truth by the model."""
    covered = 0
    for seed in range(n_logs):
        evidence = synthetic(2000, seed=seed)
        assert evidence.baseline_target is not None
        truth = float(np.mean(evidence.baseline_target - 0.05))
        lower, upper = clustered(terms_of(evidence)[estimator, JOINT], evidence.cluster)
        covered += bool(lower <= truth <= upper)
    low, high = binom.interval(0.99, n_logs, 0.95)
    assert low <= covered <= high


def test_a_right_model_makes_doubly_robust_narrower() -> None:
    """And a wrong constant in the model costs it nothing but width."""
    terms = terms_of(synthetic(20_000))
    assert terms["dr", JOINT].std() < terms["ips", JOINT].std()
    assert terms["dr", JOINT].mean() == pytest.approx(terms["ips", JOINT].mean(), abs=0.02)
    assert terms["dm", JOINT].mean() - terms["dr", JOINT].mean() == pytest.approx(0.05, abs=0.02)


def test_marginal_weights_are_right_where_the_reward_needs_the_item_alone() -> None:
    """Narrower than the joint ones, and unbiased then; biased where the slot matters too."""
    rng = np.random.default_rng(6)
    n, k, s = 40_000, 4, 5
    log_item, log_slot = np.full(k, 1 / k), np.full(s, 1 / s)
    to_item = np.array([0.7, 0.1, 0.1, 0.1])
    to_slot = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    item, slot = rng.integers(k, size=n), rng.integers(s, size=n)
    for needs_slot in (False, True):
        chance = np.where(item == 0, 0.5, 0.1) * (
            np.where(slot == 0, 1.0, 0.2) if needs_slot else 1
        )
        evidence = Evidence(
            reward=(rng.random(n) < chance).astype(np.float64),
            propensity=log_item[item] * log_slot[slot],
            target=to_item[item] * to_slot[slot],
            cluster=np.arange(n),
            logged_item=log_item[item],
            target_item=to_item[item],
        )
        truth = 0.7 * 0.5 + 0.3 * 0.1
        truth *= (0.6 + 0.4 * 0.2) if needs_slot else 1.0
        terms = terms_of(evidence)
        joint, marginal = terms["ips", JOINT], terms["ips", Weighting.ITEM]
        assert marginal.std() < joint.std()
        assert abs(joint.mean() - truth) < 4 * normal_error(joint)
        is_off = abs(marginal.mean() - truth) > 4 * normal_error(marginal)
        assert is_off == needs_slot


def test_what_overlap_cannot_vouch_for_is_never_usable() -> None:
    """The direct method and marginal weights are weak at best; a worse verdict stays."""
    usable = {"estimator": "dm", "weighting": JOINT}
    assert tempered(Verdict.USABLE, "", **usable)[0] is Verdict.WEAK  # type: ignore[arg-type]
    by_item = tempered(Verdict.USABLE, "", estimator="dr", weighting=Weighting.ITEM)
    assert by_item[0] is Verdict.WEAK
    assert "item alone" in by_item[1]
    worse = tempered(Verdict.DO_NOT_USE, "few", estimator="dm", weighting=JOINT)
    assert worse == (Verdict.DO_NOT_USE, "few")


def test_a_biased_log_is_said_to_be_unreliable() -> None:
    """T23's shape: the log took what pays, the target takes the rest; nothing agrees."""
    rng = np.random.default_rng(7)
    n = 3000
    chose_best = rng.random(n) < 0.97
    evidence = Evidence(
        reward=np.where(chose_best, 1.0, rng.random(n) < 0.1),
        propensity=np.where(chose_best, 0.97, 0.001),
        target=np.where(chose_best, 0.05, 0.03),
        cluster=np.arange(n),
    )
    verdicts = evaluate(evidence, key=1, n_bootstrap=50)["verdict"].to_pylist()
    assert set(verdicts) == {"do not use"}


def test_the_table_has_every_estimate_with_its_interval_and_verdict() -> None:
    """One row an estimator × weighting; the same key, the same table."""
    evidence = synthetic(1000)
    table = evaluate(evidence, key=3, n_bootstrap=100)
    assert table["estimator"].to_pylist() == ["ips", "snips", "dr", "dm"]
    for row in table.to_pylist():
        assert row["normal_lower"] <= row["value"] <= row["normal_upper"]
        assert row["clustered_lower"] <= row["value"] <= row["clustered_upper"]
    assert table.equals(evaluate(evidence, key=3, n_bootstrap=100))


def test_uplift_against_hold_is_a_difference_of_the_same_rows() -> None:
    """A known uplift is inside its interval; its verdict is the worse of both sides."""
    rng = np.random.default_rng(8)
    n = 30_000
    is_hold = rng.random(n) < 0.3
    reward = (rng.random(n) < np.where(is_hold, 0.10, 0.14)).astype(np.float64)
    evidence = Evidence(
        reward=reward,
        propensity=np.where(is_hold, 0.3, 0.7),
        target=np.where(is_hold, 0.05, 0.95),
        cluster=np.arange(n) // 3,
    )
    found = uplift_against_hold(evidence, is_hold=is_hold, key=1, n_bootstrap=100)
    assert found["clustered_lower"] <= 0.95 * 0.04 <= found["clustered_upper"]
    assert found["clustered_lower"] > 0
    assert found["verdict"] == "usable"
    rarely = rng.random(n) < 0.002
    few = Evidence(
        reward=reward,
        propensity=np.where(rarely, 0.002, 0.998),
        target=np.where(rarely, 0.0, 1.0),
        cluster=np.arange(n) // 3,
    )
    thin = uplift_against_hold(few, is_hold=rarely, key=1, n_bootstrap=100)
    assert thin["verdict"] == "do not use"
    assert thin["why"].startswith("hold")


def test_sends_that_change_nothing_have_no_uplift() -> None:
    """The zero-effect law of DESIGN §4, in the report: zero within the interval."""
    rng = np.random.default_rng(9)
    n = 30_000
    base = rng.random(n) * 0.3
    is_hold = rng.random(n) < 0.2
    evidence = Evidence(
        reward=(rng.random(n) < base).astype(np.float64),
        propensity=np.where(is_hold, 0.2, 0.8),
        target=np.where(is_hold, 0.05, 0.95),
        cluster=np.arange(n) // 5,
    )
    found = uplift_against_hold(evidence, is_hold=is_hold, key=1, n_bootstrap=100)
    assert found["clustered_lower"] <= 0 <= found["clustered_upper"]


DATA = Path(os.environ.get("OPPORTUNE_DATA", "../shared/data")) / "open_bandit_small.parquet"


@pytest.mark.skipif(not DATA.exists(), reason=f"the Open Bandit sample is not at {DATA}")
@pytest.mark.parametrize(
    ("campaign", "value", "normalised", "ess", "verdict"),
    [
        ("all", 0.0023596, 0.0023337, 340, "do not use"),
        ("men", 0.0030086, 0.0031894, 656, "weak"),
        ("women", 0.0074376, 0.0023730, 2.1, "do not use"),
    ],
)
def test_overlap_alarm_on_real_logs(
    campaign: str, value: float, normalised: float, ess: float, verdict: str
) -> None:
    """T11: Thompson sampling's log asked about a uniform policy; estimates, ESS and verdict."""
    table = pq.read_table(DATA)
    is_mine = np.asarray(table["campaign"].to_pylist()) == campaign
    is_mine &= np.asarray(table["policy"].to_pylist()) == "bts"
    table = table.filter(is_mine)
    n_items = {"all": 80, "men": 34, "women": 46}[campaign]
    n = table.num_rows
    evidence = Evidence(
        reward=np.asarray(table["click"], np.float64),
        propensity=np.asarray(table["propensity_score"], np.float64),
        target=np.full(n, 1.0 / n_items),
        cluster=np.arange(n),
    )
    rows = {r["estimator"]: r for r in evaluate(evidence, key=1, n_bootstrap=50).to_pylist()}
    assert rows["ips"]["value"] == pytest.approx(value, abs=1e-6)
    assert rows["snips"]["value"] == pytest.approx(normalised, abs=1e-6)
    assert rows["ips"]["ess"] == pytest.approx(ess, rel=0.02)
    assert rows["ips"]["verdict"] == verdict


def test_a_peers_simulator_is_inside_its_bounds() -> None:
    """T7: two actions drawn alike, one always pays; the target takes it four times in five."""
    rng = np.random.default_rng(0)
    pays = rng.random(10_000) < 0.5
    evidence = Evidence(
        reward=pays * 1.0,
        propensity=np.full(10_000, 0.5),
        target=np.where(pays, 0.8, 0.2),
        cluster=np.arange(10_000),
    )
    for terms in terms_of(evidence).values():
        lower, upper = normal(terms)
        assert 0.75 < lower < upper < 0.85


def test_a_reward_that_never_varies_is_known() -> None:
    """T7: .751 whatever was done; the interval of the self-normalised estimate is that point."""
    rng = np.random.default_rng(1)
    evidence = Evidence(
        reward=np.full(2000, 0.751),
        propensity=np.full(2000, 0.5),
        target=np.where(rng.random(2000) < 0.5, 0.8, 0.2),
        cluster=np.arange(2000),
    )
    terms = terms_of(evidence)
    assert normal(terms["snips", JOINT]) == (pytest.approx(0.751), pytest.approx(0.751))
    lower, upper = normal(terms["ips", JOINT])
    assert 0.70 < lower < 0.751 < upper < 0.80


def test_one_slot_makes_the_item_all_there_is() -> None:
    """T7: with nothing but one slot, marginal weights of the item are the joint ones."""
    evidence = synthetic(500)
    alone = replace(evidence, logged_item=evidence.propensity, target_item=evidence.target)
    terms = terms_of(alone)
    for name in ("ips", "snips", "dr"):
        np.testing.assert_array_equal(terms[name, Weighting.ITEM], terms[name, JOINT])


def test_a_policy_evaluated_on_its_own_log_is_worth_the_mean_reward() -> None:
    """T12: weights of one under every weighting, and overlap that is perfect."""
    drawn = synthetic(4000)
    evidence = Evidence(
        reward=drawn.reward,
        propensity=drawn.target,
        target=drawn.target,
        cluster=drawn.cluster,
        logged_send=drawn.target,
        target_send=drawn.target,
    )
    for row in evaluate(evidence, key=1, n_bootstrap=50).to_pylist():
        assert row["value"] == pytest.approx(evidence.reward.mean())
        assert (row["ess"], row["mean_weight"], row["max_weight"]) == (4000, 1, 1)
        assert row["verdict"] == ("usable" if row["weighting"] == "joint" else "weak")


def test_replay_is_offered_on_a_uniform_log_only() -> None:
    """And a reward model only where both of its columns are given."""
    evidence = synthetic(200)
    assert ("replay", JOINT) not in terms_of(evidence)
    uniform = Evidence(
        reward=evidence.reward,
        propensity=np.full(200, 1 / 7),
        target=evidence.target,
        cluster=evidence.cluster,
    )
    assert {name for name, _ in terms_of(uniform)} == {"ips", "snips", "replay"}


def test_terms_work_on_redraws_at_once() -> None:
    """A leading axis of logs: each is what it is alone."""
    logs = [synthetic(300, seed=seed) for seed in range(3)]
    names = ("reward", "propensity", "target", "baseline_logged", "baseline_target")
    stacked = Evidence(
        cluster=logs[0].cluster,
        **{name: np.stack([getattr(log, name) for log in logs]) for name in names},
    )
    together = terms_of(stacked)
    for n, log in enumerate(logs):
        for name, terms in terms_of(log).items():
            np.testing.assert_allclose(together[name][n], terms, rtol=1e-12)


def test_nothing_is_estimated_from_one_user() -> None:
    """However many rows: the spread between users is not in them."""
    evidence = replace(synthetic(500), cluster=np.zeros(500, np.int64))
    with pytest.raises(BadInputError, match="two users"):
        evaluate(evidence, key=1, n_bootstrap=50)


def test_what_no_logged_action_says_is_left_out_and_the_rest_is_told() -> None:
    """A deterministic target that the log never took: its item it took, and of that it tells."""
    rng = np.random.default_rng(12)
    n = 6000
    took_item = rng.random(n) < 0.25
    evidence = Evidence(
        reward=(rng.random(n) < 0.3).astype(np.float64),
        propensity=np.full(n, 0.25 / 24),
        target=np.zeros(n),
        cluster=np.arange(n),
        logged_item=np.where(took_item, 0.25, 0.75),
        target_item=took_item.astype(np.float64),
        baseline_logged=np.full(n, 0.3),
        baseline_target=np.full(n, 0.3),
    )
    found = {
        (row["estimator"], row["weighting"]): row
        for row in evaluate(evidence, key=1, n_bootstrap=50).to_pylist()
    }
    assert ("snips", "joint") not in found
    assert ("replay", "joint") not in found
    assert found["ips", "joint"]["verdict"] == "do not use"
    assert found["dr", "joint"]["verdict"] == "do not use"
    assert found["snips", "item"]["value"] == pytest.approx(0.3, abs=0.05)
    assert found["snips", "item"]["verdict"] == "weak"


def test_a_claim_of_hold_for_every_row_is_expected() -> None:
    with pytest.raises(BadShapeError, match="is_hold"):
        uplift_against_hold(synthetic(100), is_hold=np.array([True]), key=1)


def test_weights_of_a_million_stay_finite_and_are_told() -> None:
    """Propensities of 1e-6 under a target that is sure: every figure a number, no verdict wrong."""
    rng = np.random.default_rng(13)
    n = 5000
    rare = np.arange(n) < 3
    evidence = Evidence(
        reward=(rng.random(n) < 0.2).astype(np.float64),
        propensity=np.where(rare, 1e-6, 1.0),
        target=np.ones(n),
        cluster=np.arange(n),
    )
    for row in evaluate(evidence, key=1, n_bootstrap=50).to_pylist():
        assert all(np.isfinite(cell) for cell in row.values() if isinstance(cell, float))
        assert row["max_weight"] == pytest.approx(1e6)
        assert row["verdict"] == "do not use"
