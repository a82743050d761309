"""Differences of time and amounts as numbers a network can use: soft knots, the log-time axis.

Integer differences and non-negative values enter; weights over knots leave. Pure functions of
tensors. Absolute times are subtracted as integers first and converted afterwards, because a
float32 second of today is off by up to 64 s. Knots: the soft one-hot encoding of de Souza
Pereira Moreira et al. (2021), made piecewise linear.
"""

from __future__ import annotations

import torch

__all__ = ["log_time", "piecewise_weights"]


def log_time(
    delta_ms: torch.Tensor, *, step: float, n_knots: int, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Place of a time difference between two knots: the lower knot and the fraction.

    x = ln(1 + seconds) / step; negative differences count as zero and those beyond the last
    knot as the last knot, so that x = n_knots − 1 is (n_knots − 2, 1).

    Parameters
    ----------
    delta_ms : Tensor of int64, any shape
        Already subtracted.

    Returns
    -------
    (Tensor of int64, Tensor of ``dtype``)
        Lower knot k in 0 … n_knots − 2 and fraction f in [0, 1].
    """
    place = torch.log1p(delta_ms.clamp(min=0).to(dtype) / 1000.0) / step
    place = place.clamp(max=n_knots - 1)
    lower = place.floor().clamp(max=n_knots - 2)
    return lower.long(), place - lower


def piecewise_weights(values: torch.Tensor, *, step: float, n_knots: int) -> torch.Tensor:
    """Soft one-hot of non-negative values over equally spaced knots, plus a column for NaN.

    Returns
    -------
    Tensor, (…, n_knots + 1)
        The two neighbouring knots share a weight of 1; a missing value is (0, …, 0, 1), an
        embedding of its own.
    """
    missing = values.isnan()
    place = (values.nan_to_num(0.0) / step).clamp(min=0, max=n_knots - 1)
    knots = torch.arange(n_knots, dtype=values.dtype, device=values.device)
    hats = (1 - (place[..., None] - knots).abs()).clamp(min=0)
    hats = hats * (~missing)[..., None]
    return torch.cat([hats, missing[..., None].to(hats.dtype)], dim=-1)
