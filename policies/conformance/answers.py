"""Laws of answers: a pmf is a distribution, the same under any order, padding and batching.

A case enters each; the reason leaves if the policy declares that it cannot, ``None`` if it obeys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, action_of, take_requests
from bandit.errors import BadInputError
from bandit.floor import check_pmf
from policies.conformance.case import EXCUSABLE, Case, bytes_of, expect
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.world import HITS

__all__ = ["LAWS", "expect_distribution"]

_METHODS = ("pmf", "estimate", "update", "revise", "state", "load")
_SCALES = (0.0, 1e-12, 1.0, 1e12)


def it_has_what_every_policy_has(case: Case) -> None:
    """The methods of :class:`bandit.protocols.Policy`."""
    policy = case.fresh()
    missing = [name for name in _METHODS if not callable(getattr(policy, name, None))]
    expect(not missing, f"expected methods {', '.join(_METHODS)}, got none called {missing}")
    cannot = getattr(policy, "cannot", None)
    expect(isinstance(cannot, Mapping), f"expected `cannot` to be a mapping, got {cannot!r}")


def what_it_cannot_is_known_and_has_a_reason(case: Case) -> None:
    """``cannot`` names laws that may be declared, each with the reason."""
    cannot = case.fresh().cannot
    unknown = sorted(set(cannot) - EXCUSABLE)
    expect(not unknown, f"expected `cannot` to name laws out of {sorted(EXCUSABLE)}, got {unknown}")
    for law, reason in cannot.items():
        expect(bool(reason.strip()), f"expected the reason why {law} cannot be met, got none")


def a_pmf_sums_to_one_and_respects_any_mask(case: Case) -> None:
    """Any shape, any mask that leaves an action, features from nothing to enormous."""
    rng = np.random.default_rng(1)
    for scale in _SCALES:
        for p_open in (0.05, 0.5, 1.0):
            n, k, s = (int(rng.integers(1, most + 1)) for most in (6, 5, 4))
            seed = int(rng.integers(2**32))
            expect_distribution(case, n=n, k=k, s=s, scale=scale, seed=seed, p_open=p_open)


def expect_distribution(
    case: Case, *, n: int, k: int, s: int, scale: float, seed: int, p_open: float
) -> None:
    """Raise unless the pmf of one random request is a distribution over its unmasked actions.

    Parameters
    ----------
    case : Case
        The policy, asked fresh and taught.
    n, k, s : int
        Rows, items of the short list and slots.
    scale : float
        Of features.
    seed : int
        Of features and mask.
    p_open : float
        Share of actions that may be taken; at least one a row is.
    """
    shape = replace(case.shape, n_slots=s)
    rng = np.random.default_rng(seed)
    mask = rng.random((n, 1 + k * s)) < p_open
    mask[np.arange(n), rng.integers(0, 1 + k * s, n)] = True
    asked = request_of(shape, n, seed=seed, n_items=k, scale=scale, mask=mask)
    for policy in (case.fresh(shape), case.taught(shape)):
        check_pmf(policy.pmf(asked, seed), mask)


def permuting_items_permutes_the_pmf(case: Case) -> None:
    """No item is favoured by its place in the short list."""
    policy, asked = case.taught(), _asked(case, seed=1)
    order = np.random.default_rng(1).permutation(case.shape.n_items)
    columns = _columns(order[:, None], np.arange(case.shape.n_slots)[None, :], asked)
    turned = replace(
        asked,
        items=asked.items[:, order],
        item_features=asked.item_features[:, order],
        reasons=asked.reasons[:, columns],
    )
    np.testing.assert_allclose(policy.pmf(turned, 9), policy.pmf(asked, 9)[:, columns], atol=1e-6)


def permuting_slots_permutes_the_pmf(case: Case) -> str | None:
    """No slot is favoured by its place in the grid."""
    policy, asked = case.taught(), _asked(case, seed=2)
    order = np.random.default_rng(2).permutation(case.shape.n_slots)
    columns = _columns(np.arange(case.shape.n_items)[:, None], order[None, :], asked)
    grid = replace(
        asked.grid, start_ms=asked.grid.start_ms[:, order], end_ms=asked.grid.end_ms[:, order]
    )
    turned = replace(
        asked,
        slot_features=asked.slot_features[:, order],
        grid=grid,
        reasons=asked.reasons[:, columns],
    )
    gap = np.abs(policy.pmf(turned, 9) - policy.pmf(asked, 9)[:, columns]).max()
    words = f"expected the pmf to be permuted with the slots, to 1e-6, got it apart by {gap:.2g}"
    return case.obeys("permutes_slots", is_met=gap <= 1e-6, words=words)


def masked_padding_changes_nothing(case: Case) -> None:
    """A short list of two, and the same two among five of which three are masked."""
    policy = case.taught()
    n_open = 1 + 2 * case.shape.n_slots
    mask = np.arange(_n_actions(case))[None, :] < n_open
    padded = request_of(case.shape, 30, mask=np.repeat(mask, 30, axis=0))
    short = replace(
        padded,
        items=padded.items[:, :2],
        item_features=padded.item_features[:, :2],
        reasons=padded.reasons[:, :n_open],
    )
    np.testing.assert_allclose(policy.pmf(padded, 9)[:, :n_open], policy.pmf(short, 9), atol=1e-6)


def an_empty_short_list_is_held(case: Case) -> None:
    """Where there is nothing to send, holding is certain."""
    asked = request_of(case.shape, 3)
    nothing = replace(
        asked,
        items=asked.items[:, :0],
        item_features=asked.item_features[:, :0],
        reasons=asked.reasons[:, :1],
    )
    policy = case.taught()
    np.testing.assert_array_equal(policy.pmf(nothing, 9), np.ones((3, 1)))
    shape = policy.estimate(nothing).uplift_mean.shape
    expect(shape == (3, 1, len(HITS)), f"expected uplifts of shape (3, 1, R), got {shape}")


def twin_items_get_the_same_probability(case: Case) -> None:
    """Two items that no feature tells apart must not be told apart by their position."""
    policy, asked = case.taught(), request_of(case.shape, 30)
    asked.item_features[:, 3] = asked.item_features[:, 1]
    asked.items[:, 3] = asked.items[:, 1]
    sends = policy.pmf(asked, 9)[:, 1:].reshape(30, case.shape.n_items, case.shape.n_slots)
    np.testing.assert_allclose(sends[:, 1], sends[:, 3], atol=1e-6)


def a_batch_is_its_rows(case: Case) -> None:
    """Asked together or one by one, users get the same pmf."""
    policy, asked = case.taught(), request_of(case.shape, 40)
    single = [policy.pmf(take_requests(asked, np.array([row])), 9) for row in range(40)]
    np.testing.assert_allclose(np.concatenate(single), policy.pmf(asked, 9), atol=1e-6)


def asking_changes_nothing(case: Case) -> None:
    """Neither the policy nor the request: the same question has the same answer, in bytes."""
    policy, asked = case.taught(), request_of(case.shape, 10)
    before, features = bytes_of(policy.state()), asked.item_features.copy()
    first = policy.pmf(asked, 9)
    policy.estimate(asked)
    is_same = policy.pmf(asked, 9).tobytes() == first.tobytes()
    expect(is_same, "expected the same pmf, in bytes, when asked again with the same key")
    expect(bytes_of(policy.state()) == before, "expected asking to leave the state as it was")
    np.testing.assert_array_equal(asked.item_features, features)


def estimates_keep_base_and_uplift_apart(case: Case) -> None:
    """A mean and a standard deviation of either; holding has no uplift."""
    asked = request_of(case.shape, 6)
    guess = case.taught().estimate(asked)
    for name, shape in (("base", (6, len(HITS))), ("uplift", (6, asked.n_actions, len(HITS)))):
        mean, sd = getattr(guess, f"{name}_mean"), getattr(guess, f"{name}_sd")
        expect(
            mean.shape == sd.shape == shape,
            f"expected {name}_mean and {name}_sd of shape {shape}, got {mean.shape}, {sd.shape}",
        )
        expect((sd >= 0).all(), f"expected {name}_sd of at least 0, got {sd.min()}")
    np.testing.assert_array_equal(guess.uplift_mean[:, 0], 0.0)
    np.testing.assert_array_equal(guess.uplift_sd[:, 0], 0.0)


def nan_is_refused_with_a_clear_error(case: Case) -> str | None:
    """NaN or infinity in a feature: refused by name, and nothing is learned."""
    for name in ("context", "item_features", "slot_features"):
        for bad in (np.nan, np.inf):
            _expect_refusal(case, name, bad)
    return case.cannot("refuses_nan")


def _expect_refusal(case: Case, name: str, bad: float) -> None:
    policy = case.taught()
    asked, feedback = request_of(case.shape, 5), feedback_of(case.shape, 5, first_id=90)
    clean_pmf, clean_state = policy.pmf(asked, 9), bytes_of(policy.state())
    getattr(asked, name)[2, ..., 0] = bad
    getattr(feedback, name)[2, 0] = bad
    if case.cannot("refuses_nan") is None:
        _expect_words(f"pmf of {bad} in", name, lambda: policy.pmf(asked, 9))
        _expect_words(f"update with {bad} in", name, lambda: policy.update(feedback))
    else:
        policy.update(feedback)
        is_same = policy.pmf(asked, 9).tobytes() == clean_pmf.tobytes()
        expect(is_same, f"expected {name} not to be read, as `cannot` declares: it is")
    is_same = bytes_of(policy.state()) == clean_state
    expect(is_same, f"expected the state as it was after {bad} in {name}, got another")


def _expect_words(what: str, name: str, ask: Callable[[], object]) -> None:
    wanted, got = f"expected finite {name}", "no error"
    try:
        ask()
    except BadInputError as error:
        got = str(error)
    except Exception as error:  # whatever it is, it is told
        got = repr(error)
    expect(wanted in got, f"expected {what} {name} to raise BadInputError({wanted!r} …), got {got}")


def _asked(case: Case, *, seed: int) -> Request:
    """Thirty rows of which seven actions in ten may be taken, and holding always."""
    mask = np.random.default_rng(seed).random((30, _n_actions(case))) < 0.7
    mask[:, 0] = True
    return request_of(case.shape, 30, mask=mask)


def _n_actions(case: Case) -> int:
    return 1 + case.shape.n_items * case.shape.n_slots


def _columns(item: NDArray[Any], slot: NDArray[Any], asked: Request) -> NDArray[np.int64]:
    """Where the columns of a turned request come from, (A,)."""
    sends = action_of(item, slot, n_slots=asked.n_slots).ravel()
    return np.concatenate([np.zeros(1, np.int64), sends])


LAWS = (
    it_has_what_every_policy_has,
    what_it_cannot_is_known_and_has_a_reason,
    a_pmf_sums_to_one_and_respects_any_mask,
    permuting_items_permutes_the_pmf,
    permuting_slots_permutes_the_pmf,
    masked_padding_changes_nothing,
    an_empty_short_list_is_held,
    twin_items_get_the_same_probability,
    a_batch_is_its_rows,
    asking_changes_nothing,
    estimates_keep_base_and_uplift_apart,
    nan_is_refused_with_a_clear_error,
)
