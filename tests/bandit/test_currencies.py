from __future__ import annotations

import numpy as np
import pytest

from bandit.currencies import is_currency, no_currency


@pytest.mark.parametrize(
    ("code", "is_one"),
    [("EUR", True), ("XAU", True), ("", True), ("eur", False), ("EU", False), ("EURO", False)],
)
def test_a_currency_is_three_capital_letters_or_none(code: str, is_one: bool) -> None:
    """Whether there is such money is not looked up: the list changes."""
    assert is_currency(np.array([code])).tolist() == [is_one]


def test_numbers_are_no_currencies() -> None:
    """978 is the euro's number in the same standard, and would be taken for an amount."""
    assert is_currency(np.array([978, 840])).tolist() == [False, False]


def test_rows_without_a_currency_have_room_for_one() -> None:
    """A column of empty words would cut what is written into it later."""
    codes = no_currency(2)
    codes[1] = "EUR"
    assert codes.tolist() == ["", "EUR"]
