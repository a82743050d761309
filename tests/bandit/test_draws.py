from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from bandit.draws import Stream, generator, key_of, mix64, uniforms

# First outputs of splitmix64 from the seed 0, as its reference implementation prints them.
SPLITMIX_FROM_0 = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC)
GOLDEN = 0x9E3779B97F4A7C15


def test_the_mixer_is_splitmix64() -> None:
    """Output i of the reference is the finaliser of i golden steps from the seed."""
    states = [(step * GOLDEN) % 2**64 for step in range(4)]
    found = mix64(np.array(states, np.uint64))
    assert [int(value) for value in found] == list(SPLITMIX_FROM_0)


def test_streams_and_keys_keep_their_numbers_for_ever() -> None:
    """Logged draws must be drawn again years later: these are golden."""
    assert [int(stream) for stream in Stream] == list(range(1, 10))
    assert key_of("lints", 3) == 0xBB1EFA8F5536CB19
    drawn = uniforms(7, [0, 1, 2**40], stream=Stream.DECIDE).tolist()
    assert drawn == [0.8041434097863348, 0.5832254056422638, 0.9627359641769679]
    assert key_of("a", "b") != key_of("ab")
    assert key_of(1) != key_of("1")


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**62), min_size=1, max_size=30))
def test_a_draw_does_not_depend_on_its_batch(key: int, counters: list[int]) -> None:
    """One by one, in any order, or all at once."""
    together = uniforms(key, np.array(counters), stream=Stream.DECIDE)
    alone = [float(uniforms(key, np.array([c]), stream=Stream.DECIDE)[0]) for c in counters]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_uniforms_are_uniform_and_streams_unrelated() -> None:
    """Kolmogorov-Smirnov over consecutive counters, correlation over streams, keys and lags."""
    n = 200_000
    counters = np.arange(n)
    one = uniforms(1, counters, stream=Stream.DECIDE)
    assert kstest(one, "uniform").pvalue > 1e-4
    for other in (
        uniforms(1, counters, stream=Stream.WORLD),
        uniforms(2, counters, stream=Stream.DECIDE),
        uniforms(1, counters + 1, stream=Stream.DECIDE),
    ):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(n)


@pytest.mark.parametrize("stream", list(Stream))
def test_generators_repeat_by_key_and_stream(stream: Stream) -> None:
    """Block draws of the same key and stream are the same block."""
    first = generator(5, stream=stream).standard_normal(4)
    np.testing.assert_array_equal(first, generator(5, stream=stream).standard_normal(4))
    assert not np.array_equal(first, generator(6, stream=stream).standard_normal(4))
