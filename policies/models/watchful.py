"""A reward model that notices when its forecasts are off, and then forgets most of what it knew.

Any model that can discount enters; the same beliefs leave. What is kept beside it: how the rewards
of rows that became final differed from what was believed just before, a few hundred rows at a
time, as two cumulative sums (:mod:`policies.models.change_math`). The sums hang on how feedback
came in batches, as the log keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from bandit.slots import HOUR_MS
from policies.checks import check_state
from policies.models.change_math import stepped, threshold
from policies.turning import turn

__all__ = ["WatchParams", "Watchful"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams:
    """What is a change, and what is left after one.

    Parameters
    ----------
    step_rows : int
        Final rows that are looked at together.
    allowance : float
        Half of the shift that is to be found soonest, in standard errors of so many rows.
    steps_between : float
        Mean number of such steps between two false alarms.
    first_steps : int
        Steps at the start and after an alarm in which the model learns and nothing is an alarm.
    kept : float
        Weight that is left to what was learned before an alarm.
    """

    step_rows: int = 500
    first_steps: int = 10
    allowance: float = 0.5
    steps_between: float = 1000.0
    kept: float = 0.05

    def __post_init__(self) -> None:
        is_sound = 0 < self.allowance < 5 and 2 <= self.steps_between < np.inf
        is_whole = self.step_rows >= 1 and self.first_steps >= 1
        if not (is_sound and is_whole and 0 < self.kept <= 1):
            raise BadInputError(
                "expected step_rows and first_steps of at least 1, allowance in (0, 5), "
                f"steps_between of at least 2 and kept in (0, 1], got {self.step_rows}, "
                f"{self.first_steps}, {self.allowance}, {self.steps_between}, {self.kept}"
            )


class Watchful:
    """A model under watch.

    Parameters
    ----------
    model : RewardModel
        What learns and believes; one with ``rotate``, which discounts.
    n_context : int
        D of the requests.
    params : WatchParams, optional
        What is a change.

    Notes
    -----
    Errors of forecasts that follow from a posterior have mean zero whatever was chosen, as long as
    nothing changes. Their spread is that of the rows, or that of earlier steps where it is larger:
    rows of a step err together while the model knows little.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.models.linear import LinearModel
    >>> from policies.shape import PolicyShape
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> Watchful(LinearModel(shape, ENGAGEMENT), 2).n_alarms
    0
    """

    def __init__(self, model: Any, n_context: int, params: WatchParams | None = None) -> None:
        if not hasattr(model, "rotate"):
            raise BadInputError(
                f"expected a model that can discount (`rotate`), got {type(model).__name__}"
            )
        self.model = model
        self.n_context = n_context
        self.params = params or WatchParams()
        self.height = threshold(self.params.steps_between, allowance=self.params.allowance)
        r = len(model.scheme)
        self.sums = np.zeros(2)  # (2,) for rewards above and below what was forecast
        self.step = np.zeros(r)  # (R,) errors of this step
        self.n_step = 0
        self.of_rows = np.zeros((r, r))  # (R, R) squares of errors, of all rows
        self.of_steps = np.zeros((r, r))  # (R, R) and of all steps that were looked at, a row
        self.n_rows = self.n_steps = 0
        self.n_since = 0  # steps since the start or an alarm
        self.n_alarms = 0

    def __getattr__(self, name: str) -> Any:
        """Whatever else the model can say, such as spreads of contrasts."""
        if name == "model":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        scheme: RewardScheme = self.model.scheme
        return scheme

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the model inside cannot meet, and one that the watch cannot."""
        why = "how far off a forecast was hangs on when it is compared; what is believed does not"
        return {**self.model.cannot, "revises_exactly": why}

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components, of errors as well."""
        self.model.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        self.model.check(request)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A)."""
        return np.asarray(self.model.values(request))

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A)."""
        return np.asarray(self.model.spreads(request))

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under posterior draws, in chunks of rows."""
        drawn: Iterator[tuple[slice, Array]] = self.model.draws(
            request, key, n_draws=n_draws, scale=scale
        )
        return drawn

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of draws under which each unmasked action is best, (N, A)."""
        return np.asarray(self.model.best_shares(request, key, n_draws=n_draws, scale=scale))

    def estimate(self, request: Request) -> Estimate:
        """Return what the model inside believes: watching changes none of it."""
        guess: Estimate = self.model.estimate(request)
        return guess

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time, after comparing those that are final already."""
        found = self._compared(feedback)
        self.model.update(feedback)
        self._note(found)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught, after comparing those that are final now."""
        found = self._compared(feedback)
        self.model.revise(feedback)
        self._note(found)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis; forecasts stay."""
        turn(self.model, basis, kept)

    def state(self) -> State:
        """Return the model's state and the watch."""
        watch = {f"watch.{name}": np.array(getattr(self, name)) for name in _KEPT}
        return dict(self.model.state()) | watch

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {f"watch.{name}": np.shape(getattr(self, name)) for name in _KEPT})
        self.model.load(state)
        for name in _ARRAYS:
            setattr(self, name, np.array(state[f"watch.{name}"], np.float64))
        for name in _NUMBERS:
            setattr(self, name, int(state[f"watch.{name}"]))

    def _compared(self, feedback: Feedback) -> Array:
        """How far off forecasts of what is final were, (n, R)."""
        rows = np.flatnonzero((feedback.maturity >= 1).all(axis=1))
        guess = self.model.estimate(_asked(feedback, rows))
        is_send = feedback.is_send[rows, None]
        forecast = guess.base_mean + np.where(is_send, guess.uplift_mean[:, 1], 0.0)
        return np.asarray(feedback.components[rows] - forecast)

    def _note(self, error: Array) -> None:
        """Add rows to the step; look at it once it is full."""
        self.step += error.sum(axis=0)
        self.n_step += len(error)
        self.of_rows += error.T @ error
        self.n_rows += len(error)
        if self.n_step >= self.params.step_rows:
            self._look()

    def _look(self) -> None:
        weights, is_first = self.scheme.weights, self.n_since < self.params.first_steps
        variance = float(weights @ self.of_rows @ weights) / self.n_rows
        if self.n_steps:
            variance = max(variance, float(weights @ self.of_steps @ weights) / self.n_steps)
        if not is_first:
            z = float(weights @ self.step) / np.sqrt(max(variance * self.n_step, 1e-300))
            up, down = (float(x) for x in self.sums)
            self.sums = np.array(stepped(up, down, z, allowance=self.params.allowance))
            self.of_steps += np.outer(self.step, self.step) / self.n_step
            self.n_steps += 1
        self.step, self.n_step = np.zeros_like(self.step), 0
        self.n_since += 1
        if self.sums.max() > self.height:
            self.n_alarms += 1
            self.n_since, self.sums = 0, np.zeros(2)
            turn(self.model, np.eye(self.n_context), self.params.kept)


_ARRAYS = ("sums", "step", "of_rows", "of_steps")
_NUMBERS = ("n_step", "n_rows", "n_steps", "n_since", "n_alarms")
_KEPT = (*_ARRAYS, *_NUMBERS)


def _asked(feedback: Feedback, rows: NDArray[np.int64]) -> Request:
    """A request of each row's own item at its own slot; holds ask for features of zero."""
    n, at_ms = len(rows), feedback.at_ms[rows]
    return Request(
        user=feedback.user[rows],
        at_ms=at_ms,
        zone=np.full(n, ""),
        context=feedback.context[rows],
        items=np.maximum(feedback.item[rows], 0)[:, None],
        item_features=feedback.item_features[rows, None],
        slot_features=feedback.slot_features[rows, None],
        grid=SlotGrid(start_ms=at_ms[:, None], end_ms=at_ms[:, None] + HOUR_MS),
        reasons=np.zeros((n, 2), np.uint16),
    )
