from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.attention import RelativeBias, attend, geometry, interpolate
from encoders.config import EncoderConfig
from encoders.time_features import log_time


def one_head(n_keys: int, *, biases: list[float], sink_score: float, values: list[float]) -> float:
    zeros = torch.zeros(1, 1, n_keys, 1, dtype=torch.float64)
    mixed = attend(
        zeros[:, :, :1],
        zeros,
        torch.tensor(values, dtype=torch.float64).view(1, 1, n_keys, 1),
        bias=torch.tensor(biases, dtype=torch.float64).view(1, 1, 1, n_keys),
        sink_score=torch.tensor([sink_score], dtype=torch.float64),
        sink_value=torch.zeros(1, 1, dtype=torch.float64),
    )
    return float(mixed)


def test_one_key_with_bias_ln_3_and_an_empty_sink_gives_three_quarters() -> None:
    """O11: weights 3/4 and 1/4, value 2, so 1.5."""
    found = one_head(1, biases=[np.log(3)], sink_score=0.0, values=[2.0])
    assert found == pytest.approx(1.5, abs=1e-15)


def test_two_keys_without_a_sink_share_one_to_three() -> None:
    """O11: weights 1/4 and 3/4."""
    assert one_head(
        2, biases=[0.0, np.log(3)], sink_score=-np.inf, values=[1.0, 0.0]
    ) == pytest.approx(0.25, abs=1e-15)
    assert one_head(
        2, biases=[0.0, np.log(3)], sink_score=-np.inf, values=[0.0, 1.0]
    ) == pytest.approx(0.75, abs=1e-15)


def test_the_sink_gives_its_value_for_the_weight_that_no_key_takes() -> None:
    """Weights 3/4 of value 2 and 1/4 of the sink's value 6: 3; without any key, 6."""
    ones = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    for bias, expected in ((np.log(3), 3.0), (-np.inf, 6.0)):
        mixed = attend(
            0 * ones,
            ones,
            2 * ones,
            bias=bias * ones,
            sink_score=torch.zeros(1, dtype=torch.float64),
            sink_value=6 * torch.ones(1, 1, dtype=torch.float64),
        )
        assert float(mixed) == pytest.approx(expected, abs=1e-15)


def test_the_bias_adds_time_and_distance_and_hides_what_is_not_seen() -> None:
    """One reader at the third of three tokens a second apart, window 2: by hand."""
    bias = RelativeBias(EncoderConfig(n_items=2, n_heads=1, window=2, time_step=float(np.log(2))))
    with torch.no_grad():
        bias.time.copy_(torch.arange(32.0)[None] * 10)
        bias.distance.copy_(torch.tensor([[1.0, 2.0]]))
    at = torch.tensor([[0, 1000, 2000]])
    places = geometry(
        reader_ms=at[:, 2:],
        reader_ordinal=torch.tensor([[2]]),
        key_ms=at,
        key_ordinal=torch.arange(3)[None],
        is_key=torch.ones(1, 3, dtype=torch.bool),
        config=EncoderConfig(n_items=2, n_heads=1, window=2, time_step=float(np.log(2))),
        dtype=torch.float32,
    )
    # ln(1 + 1 s) / ln 2 = 1: the second knot, 10, and one token ago, 2.
    assert bias(places)[0, 0, 0].tolist() == pytest.approx([-np.inf, 12.0, 1.0], abs=1e-5)


def bias_at(delta_ms: list[int], table: torch.Tensor) -> torch.Tensor:
    delta = torch.tensor(delta_ms).view(1, 1, -1)
    knot, fraction = log_time(delta, step=0.6, n_knots=table.shape[1], dtype=torch.float64)
    return interpolate(table, knot, fraction)[0, :, 0]


def test_the_bias_at_a_knot_is_the_knot_and_midway_is_the_mean() -> None:
    """O12, with log times made exact: the axis is checked apart from rounding to whole ms."""
    table = torch.linspace(-3, 5, 8, dtype=torch.float64).square()[None]
    knot = torch.tensor([[[2, 2, 6]]])
    fraction = torch.tensor([[[0.0, 0.5, 1.0]]], dtype=torch.float64)
    found = interpolate(table, knot, fraction)[0, 0, 0]
    expected = torch.stack([table[0, 2], (table[0, 2] + table[0, 3]) / 2, table[0, 7]])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-15)
    for k in range(1, 7):
        delta_ms = round(1000 * np.expm1(0.6 * k))
        assert float(bias_at([delta_ms], table)[0, 0]) == pytest.approx(float(table[0, k]), abs=0.1)


def test_differences_below_zero_and_beyond_the_last_knot_are_clamped() -> None:
    """O12: Δ < 0 counts as 0, Δ > 4 years as the last knot; zero gap gives B[0] (O8)."""
    table = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = bias_at([-5000, 0, 5 * 365 * 86_400_000], table)
    torch.testing.assert_close(found[:, 0], table[:, 0])
    torch.testing.assert_close(found[:, 1], table[:, 0])
    torch.testing.assert_close(found[:, 2], table[:, -1])


def test_a_midway_reading_splits_its_gradient_in_halves() -> None:
    """O12: gradient 1/2 and 1/2."""
    table = torch.zeros(1, 5, dtype=torch.float64, requires_grad=True)
    half = torch.tensor([[[0.5]]], dtype=torch.float64)
    interpolate(table, torch.tensor([[[2]]]), half).sum().backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None
    assert table.grad[0].tolist() == [0, 0, 0.5, 0.5, 0]


def test_the_table_gradient_equals_that_of_plain_indexing() -> None:
    """O12: the bincount backward against autograd's own."""
    rng = torch.Generator().manual_seed(2)
    shape = (3, 6, 9)
    knot = torch.randint(0, 31, shape, generator=rng)
    fraction = torch.rand(shape, generator=rng, dtype=torch.float64)
    ours = torch.randn(2, 32, generator=rng, dtype=torch.float64).requires_grad_()
    plain = ours.detach().clone().requires_grad_()
    upstream = torch.randn(3, 2, 6, 9, generator=rng, dtype=torch.float64)
    read = interpolate(ours, knot, fraction)
    reference = plain[:, knot] * (1 - fraction) + plain[:, knot + 1] * fraction
    torch.testing.assert_close(read, reference.transpose(0, 1))
    (read * upstream).sum().backward()  # type: ignore[no-untyped-call]
    (reference.transpose(0, 1) * upstream).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours.grad, plain.grad)


def test_nobody_sees_pads_the_future_or_beyond_the_window() -> None:
    config = EncoderConfig(n_items=2, window=3)
    ordinal = torch.arange(6)[None]
    is_key = torch.tensor([[True] * 5 + [False]])
    seen = geometry(
        reader_ms=ordinal * 1000,
        reader_ordinal=ordinal,
        key_ms=ordinal * 1000,
        key_ordinal=ordinal,
        is_key=is_key,
        config=config,
        dtype=torch.float32,
    ).visible[0]
    for i in range(6):
        assert seen[i].tolist() == [i - 2 <= j <= i and j < 5 for j in range(6)]


def test_log_time_keeps_second_gaps_apart_at_todays_instants() -> None:
    """O6: subtracted as integers, a one-second gap is one second at any date."""
    base = 1_700_000_000_000
    table = torch.randn(1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    early = bias_at([1000 - 0], table)
    late = bias_at([(base + 1000) - base], table)
    assert torch.equal(early, late)
