from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.streams import Draw, exponentials, life_keys, normals, uniforms

N_USERS, N_STEPS = 2048, 256
BYTE_DF = 255


def _block(*, seed: int = 1, draw: Draw = Draw.RESPONSE, lane: int = 0) -> NDArray[np.float64]:
    """Uniforms of 2,048 users over 256 steps, (N, T)."""
    keys = life_keys(seed, np.arange(N_USERS))
    return uniforms(keys[:, None], np.arange(N_STEPS)[None, :], draw, lane=lane)


def _chi_square(cells: NDArray[np.int64]) -> float:
    counts = np.bincount(cells.ravel(), minlength=BYTE_DF + 1)
    expected = cells.size / (BYTE_DF + 1)
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("byte", [0, 1, 2])
@pytest.mark.parametrize("draw", [Draw.TRAIT, Draw.SESSION_COUNT, Draw.UNINSTALL])
def test_bytes_of_uniforms_are_equally_likely(draw: Draw, byte: int) -> None:
    """χ² of 256 cells over half a million draws: 255 degrees, four standard deviations wide."""
    cells = np.floor(_block(draw=draw) * 256.0 ** (byte + 1)).astype(np.int64) % 256
    assert abs(_chi_square(cells) - BYTE_DF) < 4.0 * np.sqrt(2.0 * BYTE_DF)


def _z_of(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Correlation of two blocks in standard deviations of none."""
    product = 12.0 * (left - 0.5) * (right - 0.5)  # variance 1 where they are independent
    return float(product.mean() * np.sqrt(product.size))


@pytest.mark.parametrize("draw", [Draw.TRAIT, Draw.RESPONSE, Draw.TASTE])
def test_neighbours_in_time_user_stream_and_lane_are_uncorrelated(draw: Draw) -> None:
    """At lag 1 along each axis and along the diagonal of user and time, |z| < 4."""
    block = _block(draw=draw)
    pairs = {
        "time": (block[:, 1:], block[:, :-1]),
        "user": (block[1:], block[:-1]),
        "diagonal": (block[1:, 1:], block[:-1, :-1]),
        "stream": (block, _block(draw=Draw(draw + 1))),
        "lane": (block, _block(draw=draw, lane=1)),
        "seed": (block, _block(draw=draw, seed=2)),
    }
    z = {name: _z_of(*pair) for name, pair in pairs.items()}
    assert max(map(abs, z.values())) < 4.0, z


@pytest.mark.parametrize("lane", [1, 2, 500, 1001])
def test_lanes_and_streams_of_one_step_share_no_number(lane: int) -> None:
    """The offsets of stream and lane are added; no two of them may meet."""
    block = _block()
    assert not np.isin(block, _block(lane=lane)).any()
    assert not np.isin(block, _block(draw=Draw.OPT_OUT, lane=lane)).any()


def test_the_worlds_seeds_share_no_life_and_gyms_share_all_but_one() -> None:
    """Seeds 5 and 6 of a world are two populations; gym's rule seed + i makes them nearly one."""
    users = np.arange(N_USERS)
    five, six = life_keys(5, users), life_keys(6, users)
    assert len(np.intersect1d(five, six)) == 0
    assert len(np.intersect1d(life_keys(5 + users, 0), life_keys(6 + users, 0))) == N_USERS - 1


def test_lives_and_keys_are_one_to_one() -> None:
    """Users and episodes never meet."""
    keys = life_keys(3, np.arange(400)[:, None], episode=np.arange(250)[None, :])
    assert len(np.unique(keys)) == 100_000


def test_a_draw_does_not_depend_on_its_batch_or_order() -> None:
    """One row alone, or all of them backwards: the same number."""
    keys, step = life_keys(1, np.arange(50)), np.arange(50)
    together = uniforms(keys, step, Draw.EVENT, lane=7)
    assert np.array_equal(together[::-1], uniforms(keys[::-1], step[::-1], Draw.EVENT, lane=7))
    alone = [uniforms(keys[[i]], step[[i]], Draw.EVENT, lane=7)[0] for i in range(50)]
    assert np.array_equal(together, alone)


def test_uniforms_stay_below_one_and_fill_the_unit_interval() -> None:
    """Half a million of them have the mean, variance and range of uniforms."""
    block = _block()
    assert block.min() >= 0.0
    assert block.max() < 1.0
    assert abs(block.mean() - 0.5) < 4.0 * np.sqrt(1 / 12 / block.size)
    assert abs(block.var() - 1 / 12) < 4.0 * np.sqrt(1 / 180 / block.size)


@pytest.mark.parametrize("n_lanes", [1, 2, 3, 16])
def test_normals_are_standard_and_their_lanes_independent(n_lanes: int) -> None:
    """Mean, variance and fourth moment within four standard errors; lanes uncorrelated."""
    z = normals(
        life_keys(1, np.arange(50_000)), np.zeros(50_000, np.int64), Draw.TASTE, n_lanes=n_lanes
    )
    assert z.shape == (50_000, n_lanes)
    error = 4.0 / np.sqrt(len(z))
    assert np.abs(z.mean(axis=0)).max() < error
    assert np.abs(z.var(axis=0) - 1.0).max() < error * np.sqrt(2.0)
    assert np.abs((z**4).mean(axis=0) - 3.0).max() < error * np.sqrt(96.0)
    apart = np.corrcoef(z.T).reshape(n_lanes, n_lanes) - np.eye(n_lanes)
    assert np.abs(apart).max() < error * 1.5


def test_fewer_normals_are_not_other_normals_where_the_pairs_are_the_same() -> None:
    """An odd number leaves the last of its pair away."""
    keys, step = life_keys(1, np.arange(5)), np.zeros(5, np.int64)
    assert np.array_equal(
        normals(keys, step, Draw.TASTE, n_lanes=3),
        normals(keys, step, Draw.TASTE, n_lanes=4)[:, :3],
    )


def test_exponentials_have_mean_one_and_are_finite() -> None:
    """By inversion, up to the largest uniform there is."""
    block = _block()
    drawn = exponentials(block)
    assert abs(drawn.mean() - 1.0) < 4.0 / np.sqrt(block.size)
    assert np.isfinite(exponentials(np.array([0.0, 1.0 - 2.0**-53]))).all()


def test_every_purpose_has_its_own_number() -> None:
    """Two purposes of one number would be one draw; enumerations hide the second as an alias."""
    assert len(Draw.__members__) == len(set(Draw))
    assert min(Draw) > 0
