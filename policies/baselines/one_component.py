"""What policies that read one component of a scheme, and no features, have in common.

Such a policy learns the first component that is not a cost of sending: conversions, sessions or
clicks, as the scheme orders them. Weights, and costs of the send itself, apply when asked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate
from policies.checks import check_feedback, check_request, check_scheme
from policies.parts import estimate_of
from policies.shape import PolicyShape

__all__ = [
    "expect_feedback",
    "expect_request",
    "first_learned",
    "tell",
    "uplift_of_pairs",
]

Array = NDArray[np.float64]


def first_learned(scheme: RewardScheme) -> int:
    """Position of the first component that is not a cost of sending.

    Raises
    ------
    BadInputError
        If there is none.
    """
    for position, component in enumerate(scheme.components):
        if component.measure != "send":
            return position
    raise BadInputError(
        f"expected a component of scheme {scheme.name!r} that can be learned, got costs of sending "
        "only"
    )


def tell(feedback: Feedback, scheme: RewardScheme) -> tuple[Array, NDArray[np.bool_]]:
    """Value × weight and weight of each row, (N, 2), and which rows are not yet final, (N,).

    Values are cut to [0, 1]; the weight is their maturity.

    Raises
    ------
    BadInputError
        For another scheme, values that are not finite, or maturity outside [0, 1].
    """
    check_scheme(feedback.scheme, scheme)
    component = first_learned(scheme)
    value, maturity = feedback.components[:, component], feedback.maturity
    if not np.isfinite(value).all():
        raise BadInputError("expected finite components in feedback, got NaN or infinity")
    if not ((maturity >= 0) & (maturity <= 1)).all():
        raise BadInputError(f"expected maturity in [0, 1], got {maturity.min()}, {maturity.max()}")
    weight = maturity[:, component]
    told = np.stack([weight * np.clip(value, 0.0, 1.0), weight], axis=1)
    return told, np.asarray((maturity < 1).any(axis=1))


def expect_feedback(feedback: Feedback, shape: PolicyShape) -> None:
    """Raise :class:`BadInputError` unless features fit and codes are those of the shape."""
    check_feedback(feedback, _lengths(shape))
    is_send = feedback.is_send
    for name, codes, limit in (
        ("user codes", feedback.user, shape.n_users),
        ("item ids", feedback.item[is_send], shape.n_items),
        ("slots", feedback.slot[is_send], shape.n_slots),
    ):
        _expect_range(name, codes, limit)


def expect_request(request: Request, shape: PolicyShape) -> None:
    """Raise :class:`BadInputError` unless a request is one of the shape, with finite features."""
    check_request(request, _lengths(shape))
    if request.n_slots != shape.n_slots:
        raise BadInputError(f"expected requests of {shape.n_slots} slots, got {request.n_slots}")
    _expect_range("user codes", request.user, shape.n_users)
    _expect_range("item ids", request.items, shape.n_items)


def _lengths(shape: PolicyShape) -> tuple[int, int, int]:
    return shape.n_context, shape.n_item_features, shape.n_slot_features


def _expect_range(name: str, codes: NDArray[np.int64], limit: int) -> None:
    if codes.size and (codes.min() < 0 or codes.max() >= limit):
        raise BadInputError(f"expected {name} in [0, {limit}), got {codes.min()} to {codes.max()}")


def uplift_of_pairs(
    request: Request,
    scheme: RewardScheme,
    *,
    base: tuple[Array, Array],
    uplift: tuple[Array, Array],
) -> Estimate:
    """Estimate of the learned component alone, beside the known costs.

    Parameters
    ----------
    request : Request
        N rows.
    scheme : RewardScheme
        R components.
    base : pair of ndarray, (N,)
        Mean and standard deviation without a push.
    uplift : pair of ndarray, (N, K, S)
        Mean and standard deviation of what a send adds.
    """
    n, n_components, component = request.n_rows, len(scheme), first_learned(scheme)
    of_base = np.zeros((2, n, n_components))
    of_uplift = np.zeros((2, n, request.n_actions, n_components))
    for which in (0, 1):
        of_base[which, :, component] = base[which]
        of_uplift[which, :, 1:, component] = uplift[which].reshape(n, request.n_actions - 1)
    return estimate_of(scheme, of_base, of_uplift)
