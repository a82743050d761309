"""Explorers beside Vowpal Wabbit's, over the scores of its own regressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from policies.explorers.epsilon_greedy import EpsilonGreedy
from policies.explorers.first import ExploreFirst
from policies.explorers.softmax import Softmax
from policies.explorers.square_cb import SquareCB

PEERS = {
    "squarecb": SquareCB(),
    "squarecb_tuned": SquareCB(gamma_scale=3.0, gamma_exponent=0.25),
    "softmax": Softmax(inverse_temperature=2.0),
    "epsilon": EpsilonGreedy(epsilon=0.1),
    "first": ExploreFirst(n_first=2),
}


@pytest.mark.parametrize("name", PEERS)
def test_probabilities_are_those_of_vowpal_wabbit(
    name: str,
    golden: Callable[..., Any],
    known: Callable[..., Any],
    ask: Callable[..., Any],
) -> None:
    """Before, between and after five events; its single precision is what the tolerance is for."""
    peer = golden("policies_vw_explorers")
    for n_learned, cost in enumerate(peer["cost"]):
        model = known([-c for c in cost])
        pmf = PEERS[name].pmf(model, ask(3), key=0, n_learned=n_learned)
        np.testing.assert_allclose(pmf[0], peer["pmf"][name][n_learned], atol=2e-6)
