from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.holdout import Holdout
from bandit.permissions import Consent, Stock
from bandit.rules import Cap, Rules, rules_from


def test_defaults_are_cautious() -> None:
    """Quiet at night, a gap, caps, and closed where something is unknown."""
    rules = rules_from({})
    assert rules == Rules()
    assert not rules.consents_where_unknown
    assert rules.zone_where_unknown == ""
    assert rules.caps


def test_every_key_is_read() -> None:
    """As a TOML table would give them."""
    rules = rules_from(
        {
            "quiet_hours": ["21:30", "07:00"],
            "min_gap_h": 1.5,
            "caps": [{"sends": 2, "days": 1}, {"sends": 5, "hours": 100}],
            "consents_where_unknown": True,
            "zone_where_unknown": "Europe/Berlin",
            "one_open_plan": False,
            "may_hold": False,
        }
    )
    assert (rules.quiet_start_min, rules.quiet_end_min) == (1290, 420)
    assert rules.min_gap_ms == 5_400_000
    assert rules.caps[1] == Cap(n_sends=5, window_ms=360_000_000)
    assert rules_from({"quiet_hours": []}).quiet_start_min == 0


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"quiet_hour": []}, "quiet_hour"),
        ({"quiet_hours": ["22:00"]}, "quiet_hours"),
        ({"quiet_hours": ["10 pm", "08:00"]}, "10 pm"),
        ({"quiet_hours": ["25:00", "08:00"]}, "25:00"),
        ({"caps": [{"sends": 1}]}, "hours or days"),
        ({"caps": [{"sends": 1, "hours": 1, "days": 1}]}, "hours or days"),
        ({"caps": [{"sends": 1.5, "hours": 1}]}, "whole number"),
        ({"caps": [{"sends": 1, "weeks": 1}]}, "weeks"),
        ({"caps": [3]}, "cap"),
        ({"caps": 3}, "list of caps"),
        ({"caps": {"sends": 1, "days": 1}}, "list of caps"),
        ({"caps": [{"sends": float("inf"), "days": 1}]}, "finite"),
        ({"caps": [{"sends": 1, "days": float("nan")}]}, "finite"),
        ({"caps": [{"sends": 1, "days": 0}]}, "above 0 ms"),
        ({"quiet_hours": ["²2:00", "08:00"]}, "²2:00"),
        ({"min_gap_h": float("inf")}, "finite"),
        ({"min_gap_h": "4"}, "number"),
        ({"min_gap_h": -1}, "gap"),
        ({"may_hold": "yes"}, "may_hold"),
        ({"zone_where_unknown": "Here"}, "Here"),
    ],
)
def test_a_guardrail_that_is_misspelt_is_refused(table: dict[str, Any], says: str) -> None:
    """Because one that is not understood is not held."""
    with pytest.raises(BadInputError, match=says):
        rules_from(table)


def test_consent_answers_are_kept_by_user_and_topic() -> None:
    """The last answer counts; topics do not mix; state comes back."""
    consent = Consent(("offers", "news"))
    consent.answer(np.array([5, 3]), "offers", granted=np.array([True, False]))
    consent.answer(np.array([3]), "news", granted=True)
    users = np.array([3, 5, 9])
    assert consent.allows(users, "offers", where_unknown=False).tolist() == [False, True, False]
    assert consent.allows(users, "news", where_unknown=False).tolist() == [True, False, False]
    consent.answer(np.array([3]), "offers", granted=True)
    copy = Consent(("other",))
    copy.load(consent.state())
    assert copy.allows(users, "offers", where_unknown=True).tolist() == [True, True, True]


def test_stock_that_contradicts_itself_is_refused() -> None:
    """Repeated items, or facts of another length."""
    ok = {"expires_ms": np.array([1, 2]), "is_available": np.array([True, True])}
    with pytest.raises(BadInputError, match="once"):
        Stock(item=np.array([4, 4]), **ok)
    with pytest.raises(BadInputError):
        Stock(item=np.array([4]), **ok)


def test_a_stock_of_nothing_is_refused() -> None:
    """It would say of every item that it can be had, which is what no stock says."""
    nothing = np.zeros(0, np.int64)
    with pytest.raises(BadInputError, match="got none: leave the stock out"):
        Stock(item=nothing, expires_ms=nothing, is_available=nothing == 1)


@pytest.mark.parametrize(("start_min", "end_min"), [(-1, 480), (1320, 1441)])
def test_quiet_hours_are_of_one_day(start_min: int, end_min: int) -> None:
    """Minutes beyond it are a mistake of units."""
    with pytest.raises(BadInputError, match="0 … 1440 minutes of the day, got"):
        Rules(quiet_start_min=start_min, quiet_end_min=end_min)


def test_a_holdout_has_its_share_keeps_it_and_only_grows() -> None:
    """Drawn by key: stable, unbiased, and a larger share holds out everyone it held before."""
    users = np.arange(100_000)
    small, large = (Holdout(share=share, key=3).holds_out(users) for share in (0.1, 0.2))
    assert small.mean() == pytest.approx(0.1, abs=0.004)
    assert (large[small]).all()
    np.testing.assert_array_equal(
        small[500:600], Holdout(share=0.1, key=3).holds_out(users[500:600])
    )
    assert (Holdout(share=0.1, key=4).holds_out(users) != small).any()
    with pytest.raises(BadInputError, match="share"):
        Holdout(share=1.2, key=1)
