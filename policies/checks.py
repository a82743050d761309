"""What comes to a learning policy is looked at here, before anything is changed.

Requests, feedback, schemes and saved states enter; nothing leaves, or an error that says what
was expected, what came and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError, BadShapeError, expect_shape
from bandit.outcomes import Feedback, RewardScheme
from policies.parts import learned_of

__all__ = [
    "check_feedback",
    "check_request",
    "check_scheme",
    "check_state",
    "check_turn",
    "final_row",
    "is_modest",
    "learned_rows",
    "part_of",
]

Lengths = tuple[int, int, int]
_NAMES = ("context", "item_features", "slot_features")
# A row of that size weighs 1e12: beside it what other rows taught is known to 1e-4.
_LARGEST = 1e6
_LARGEST_VALUE = 1e12


def check_request(request: Request, lengths: Lengths) -> None:
    """Raise :class:`BadInputError` unless features have these lengths and are finite.

    Parameters
    ----------
    request : Request
        What is asked.
    lengths : three ints
        D, Di and Ds that the policy was made for.
    """
    got = tuple(getattr(request, name).shape[-1] for name in _NAMES)
    if got != lengths:
        raise BadShapeError(
            f"expected {lengths} context, item and slot features, got {got}: was the policy "
            "made for another encoder or another candidate generator?"
        )
    for name in _NAMES:
        if not np.isfinite(getattr(request, name)).all():
            raise BadInputError(f"expected finite {name}, got NaN or infinity")


def check_feedback(feedback: Feedback, lengths: Lengths) -> None:
    """Raise :class:`BadInputError` unless features fit and no row could drown the others.

    Parameters
    ----------
    feedback : Feedback
        What is to be learned for the first time.
    lengths : three ints
        D, Di and Ds that the policy was made for.
    """
    if _is_modest(feedback, lengths):
        return
    sizes = []
    for name, length in zip(_NAMES, lengths, strict=True):
        features = getattr(feedback, name)
        if features.shape[1] != length:
            raise BadShapeError(
                f"expected feedback with {length} {name}, got {features.shape[1]}: was it "
                "logged under another encoder?"
            )
        size = np.abs(features).max(axis=1, initial=0.0)  # (N,), NaN where one is NaN
        if not np.isfinite(size).all():
            raise BadInputError(f"expected finite {name} in feedback, got NaN or infinity")
        sizes.append(size)
    context, item, slot = sizes
    largest = max(context.max(initial=0.0), (item * slot).max(initial=0.0))
    if largest > _LARGEST:
        raise BadInputError(
            f"expected features (context, and item by slot) of at most {_LARGEST:g} in size, "
            f"got {largest:g}: such a row drowns what others taught; scale features to about 1"
        )


def _is_modest(feedback: Feedback, lengths: Lengths) -> bool:
    """Whether features fit and are plainly small: by sums of squares, which NaN fails as well."""
    squares = []
    for name, length in zip(_NAMES, lengths, strict=True):
        features = getattr(feedback, name)
        if features.shape[1] != length:
            return False
        flat = features.ravel()
        squares.append(float(flat @ flat))
    context, item, slot = squares
    return all(size <= _LARGEST**2 for size in (context, item, slot, item * slot))


def learned_rows(
    feedback: Feedback, scheme: RewardScheme
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and precisions of the learned components, checked, (N, R') each.

    Parameters
    ----------
    feedback : Feedback
        N rows.
    scheme : RewardScheme
        The policy's own, which feedback may differ from by its weights only.
    """
    check_scheme(feedback.scheme, scheme)
    learned = learned_of(scheme)
    target, weight = feedback.components[:, learned], feedback.maturity[:, learned]
    if not (np.abs(target) <= _LARGEST_VALUE).all():
        raise BadInputError(
            f"expected finite components of at most {_LARGEST_VALUE:g} in size in feedback, "
            f"got {np.abs(target).max()}"
        )
    if not ((weight >= 0) & (weight <= 1)).all():
        raise BadInputError(f"expected maturity in [0, 1], got {weight.min()}, {weight.max()}")
    return target, weight


def final_row(
    feedback: Feedback, scheme: RewardScheme, *, learned: Sequence[int]
) -> list[float] | None:
    """What one final row brought, component by component; ``None`` where that needs a closer look.

    The quick way through :func:`learned_rows` for the usual row: final, in range, of our scheme.
    """
    if feedback.scheme is not scheme:
        return None
    told, known = feedback.components[0].tolist(), feedback.maturity[0].tolist()
    target = [told[r] for r in learned]
    is_usual = all(known[r] == 1.0 for r in learned)
    return target if is_usual and all(abs(y) <= _LARGEST_VALUE for y in target) else None


def is_modest(features: NDArray[np.float64]) -> bool:
    """Whether a vector is finite and no larger than a feature may be, by its length alone."""
    return float(features @ features) <= _LARGEST**2


def check_turn(basis: NDArray[np.float64], kept: float, *, n_context: int) -> None:
    """Raise :class:`BadInputError` unless contexts of this length may turn to ``basis``·c.

    Parameters
    ----------
    basis : ndarray, (D, D)
        Q, orthogonal.
    kept : float
        ρ in (0, 1]: share of the old context that Q explains.
    n_context : int
        D.
    """
    expect_shape("basis", basis, (n_context, n_context), "a row a new coordinate")
    if not np.allclose(basis @ basis.T, np.eye(n_context), rtol=0.0, atol=1e-6):
        raise BadInputError("expected an orthogonal basis, got one whose Q·Qᵀ is not 1")
    if not 0 < kept <= 1:
        raise BadInputError(f"expected kept in (0, 1], got {kept}")


def check_scheme(scheme: RewardScheme, ours: RewardScheme) -> None:
    """Raise :class:`BadInputError` unless two schemes differ by their weights only."""
    if scheme is ours:
        return
    one, other = ([replace(c, weight=0.0) for c in s.components] for s in (scheme, ours))
    if one != other:
        raise BadInputError(
            f"expected the components of scheme {ours.name!r}, at any weights, got those of "
            f"{scheme.name!r}: other components need a policy of their own"
        )


def part_of(state: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Arrays of a saved state whose names begin with a prefix, by the rest of their names."""
    return {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}


def check_state(state: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`BadInputError` unless a saved state has these arrays, in these shapes.

    Parameters
    ----------
    state : mapping
        What ``Policy.state()`` once returned.
    shapes : mapping
        The expected shape of each array by its name; −1 matches any length.
    """
    missing = sorted(set(shapes) - set(state))
    if missing:
        raise BadInputError(
            f"expected a saved state with {sorted(shapes)}, got none called {missing}: was it "
            "saved by another policy or another version?"
        )
    for name, shape in shapes.items():
        expect_shape(f"saved {name}", state[name], shape, "was it saved by another policy?")
