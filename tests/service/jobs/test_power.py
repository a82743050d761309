from __future__ import annotations

from typing import Any

import pytest

from bandit.errors import BadInputError
from service.cli import main
from service.jobs.power import PowerQuestion, power_lines, power_rows

ASKED: dict[str, Any] = {"holdout_percent": 5.0, "effect_percent": 10.0, "rate": 0.03}


def test_more_weeks_need_fewer_users_and_more_user_weeks() -> None:
    """Weeks of one user repeat each other."""
    rows = power_rows(PowerQuestion(**ASKED))
    users, weeks = [r["users"] for r in rows], [r["user_weeks"] for r in rows]
    assert users == sorted(users, reverse=True)
    assert weeks == sorted(weeks)
    assert rows[0]["design_effect"] == 1.0
    assert rows[0]["held_out"] == round(rows[0]["users"] * 0.05)


def test_a_mean_with_its_spread_asks_the_same_as_its_rate() -> None:
    """A rate is a mean whose spread is known."""
    by_mean = {**ASKED, "rate": None, "mean": 0.03, "sd": (0.03 * 0.97) ** 0.5}
    assert power_rows(PowerQuestion(**by_mean)) == power_rows(PowerQuestion(**ASKED))


def test_users_there_are_see_the_effect_where_they_are_as_many_as_needed() -> None:
    """Their power is the one asked for, and the least effect they see the one looked for."""
    needed = power_rows(PowerQuestion(**ASKED, weeks=(4,)))[0]["users"]
    row = power_rows(PowerQuestion(**ASKED, weeks=(4,), users=needed))[0]
    assert row["power"] == pytest.approx(0.8, abs=1e-4)
    assert row["detectable_percent"] == pytest.approx(10.0, rel=1e-4)


def test_there_are_two_people_at_least_in_each_group() -> None:
    """However large the effect: one alone shows no spread, and none shows nothing."""
    huge = {**ASKED, "rate": None, "mean": 1.0, "sd": 0.5, "effect_percent": 10_000.0}
    for row in power_rows(PowerQuestion(**huge)):
        assert (row["users"], row["held_out"]) == (40, 2)
    assert PowerQuestion(**{**ASKED, "users": 40}).users == 40


def test_the_lines_say_what_they_rest_on() -> None:
    """Correlation, level and power stand beside the numbers."""
    said = "\n".join(power_lines(PowerQuestion(**ASKED, users=200_000, weeks=(1, 8))))
    assert "10 %" in said
    assert "200,000 users" in said
    assert "correlate by 0.2" in said
    assert len(power_lines(PowerQuestion(**ASKED, weeks=(1,)))) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"holdout_percent": 500.0}, "--holdout between 0 and 100"),
        ({"power_percent": 100.0}, "--power between 0 and 100"),
        ({"level_percent": 0.0}, "--level between 0 and 100"),
        ({"rate": None}, "--rate, or --mean together with --sd"),
        ({"mean": 1.0}, "--mean together with --sd"),
        ({"mean": 1.0, "sd": 1.0}, "--rate, or --mean"),
        ({"rate": None, "mean": -1.0, "sd": 1.0}, "a mean above 0"),
        ({"weeks": ()}, "at least one number of weeks"),
        ({"users": 0}, "--users of 40 or more"),
        ({"users": 39}, "two at least are in each group"),
        ({"holdout_percent": 99.0, "users": 199}, "--users of 200 or more"),
        ({"effect_percent": 0.0}, "--effect in percent, not 0"),
        ({"effect_percent": float("nan")}, "--effect in percent"),
        ({"effect_percent": float("inf")}, "--effect in percent"),
        ({"effect_percent": 4000.0}, "leaves a rate from 0 to below 1"),
        ({"effect_percent": -101.0}, "-101 % of 0.03"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(changes: dict[str, Any], words: str) -> None:
    """By the option that is to change."""
    with pytest.raises(BadInputError, match=words):
        PowerQuestion(**(ASKED | changes))


def test_the_command_prints_the_table_and_refuses_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 0 with a table, 2 with what was expected."""
    arguments = ["power", "--holdout", "5", "--effect", "10"]
    assert main([*arguments, "--rate", "0.03", "--weeks", "2", "4"]) == 0
    assert "320,565" in capsys.readouterr().out
    assert main([*arguments, "--rate", "3"]) == 2
    said = capsys.readouterr()
    assert "a rate strictly between 0 and 1, got 3" in said.err
    assert said.out == ""
