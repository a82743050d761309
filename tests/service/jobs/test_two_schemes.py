from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bandit.errors import BadInputError
from service.jobs.two_schemes import _ALL, BEHAVIOUR, _row, scheme_lines, two_schemes
from simulator.config import load


def test_in_the_trap_uplift_is_zero_and_engagement_is_not() -> None:
    """Both from one log: whoever is paid by the click is paid for nothing."""
    days: list[int] = []
    table = two_schemes(
        load("trap"), n_users=1500, n_days=10, seed=1, advance=lambda: days.append(1)
    )
    rows = {row["scheme"]: row for row in table.to_pylist()}
    for name, row in rows.items():
        print(f"{name}: {row['difference']:.4f} [{row['low']:.4f}, {row['high']:.4f}]")
    behaviour = rows["uplift less the cost of sending"]
    engagement = rows["engagement"]
    assert behaviour["truth"] == 0.0
    assert rows["uplift"]["truth"] == pytest.approx(-0.0005)
    assert behaviour["low"] < 0.0 < behaviour["high"]
    assert engagement["low"] > 0.0
    assert engagement["low"] < engagement["truth"] < engagement["high"]
    assert behaviour["high"] < engagement["difference"]  # narrow enough to tell them apart
    assert len(days) == 10
    lines = scheme_lines(table)
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert f"{engagement['difference']:.4f}" in lines[3]
    assert table.num_rows == 3


@pytest.mark.parametrize(("n_users", "n_days"), [(1, 5), (10, 0)])
def test_too_little_for_an_interval_is_refused(n_users: int, n_days: int) -> None:
    with pytest.raises(BadInputError, match="expected two users or more and a day or more"):
        two_schemes(load("trap"), n_users=n_users, n_days=n_days, seed=1)


def test_the_difference_is_that_of_the_means_of_sends_and_holds() -> None:
    """By hand: four users, heads and tails alike; who could not be sent to is left out."""
    component = np.zeros((5, len(BEHAVIOUR)))
    component[:, 0] = [4.0, 2.0, 1.0, 3.0, 100.0]
    feedback = SimpleNamespace(
        components=component,
        is_send=np.array([True, True, False, False, False]),
        p_send=np.array([0.5, 0.5, 0.5, 0.5, 0.0]),
        user=np.arange(5),
    )
    joins = SimpleNamespace(
        of={BEHAVIOUR.name: SimpleNamespace(advance=lambda now_ms: (feedback, None))}
    )
    truth = np.zeros((1, len(_ALL)))
    row = _row(BEHAVIOUR.name, joins, truth, now_ms=0)  # type: ignore[arg-type]
    assert row["difference"] == pytest.approx((3.0 - 2.0) * BEHAVIOUR.weights[0])
    assert (row["n_decisions"], row["n_users"], row["truth"]) == (4, 4, 0.0)
