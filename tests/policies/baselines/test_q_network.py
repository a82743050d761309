"""A Q-network asked, turned, saved and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.baselines.q_network import QNetwork, read_network
from policies.shape import PolicyShape

LENGTHS = (3, 4, 3)


@pytest.fixture
def network() -> QNetwork:
    """With a last layer that values something."""
    rng = np.random.default_rng(1)
    blank = QNetwork.blank(LENGTHS, hidden=8, width=5, rng=rng)
    return replace(blank, theta=rng.normal(size=len(blank.theta)))


def test_values_are_those_of_features_written_out(
    network: QNetwork, request_of: Callable[..., Request], small_shape: PolicyShape
) -> None:
    asked = request_of(small_shape, 6)
    values = network.values(asked)
    for row, item, slot in np.ndindex(6, 5, 4):
        one = asked.context[row, None], asked.item_features[row, item, None]
        features = network.towers.features(
            *one, asked.slot_features[row, slot, None], is_send=np.ones(1, np.bool_)
        )
        np.testing.assert_allclose(
            values[row, 1 + 4 * item + slot], features[0] @ network.theta, rtol=1e-10
        )
    quiet = network.towers.base_features(asked.context)
    np.testing.assert_allclose(values[:, 0], quiet @ network.theta[: quiet.shape[1]], rtol=1e-12)


def test_it_turns_with_the_encoder(
    network: QNetwork, request_of: Callable[..., Request], small_shape: PolicyShape
) -> None:
    asked = request_of(small_shape, 6)
    basis, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turned = replace(asked, context=asked.context @ basis.T)
    np.testing.assert_allclose(
        network.turned(basis).values(turned), network.values(asked), rtol=1e-9, atol=1e-12
    )


def test_it_is_read_as_it_was_saved(network: QNetwork, tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    np.savez(path, **network.state())
    back = read_network(path, LENGTHS).state()
    for name, array in network.state().items():
        assert back[name].tobytes() == array.tobytes()


def test_what_is_no_network_for_these_features_is_refused(
    network: QNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "network.npz"
    with pytest.raises(BadInputError, match=r"expected a saved Q-network at .*absent"):
        read_network(tmp_path / "absent.npz", LENGTHS)
    path.write_bytes(b"no archive")
    with pytest.raises(BadInputError, match="expected a saved Q-network"):
        read_network(path, LENGTHS)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(BadInputError, match=r"tower\.item\.out"):
        read_network(path, LENGTHS)
    np.savez(path, **network.state())
    with pytest.raises(BadInputError, match=r"tower\.item\.context|theta"):
        read_network(path, (4, 4, 3))
