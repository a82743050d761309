"""A category model for the small classic shape: which category to push now, or none.

Rows of ``time,freq,amount,category,action`` enter; a :class:`CategoryPush` leaves. One softmax
over {nothing, category 1 … K} says how likely an observation at this time, frequency and
amount ends with the user taking a category up; rows that were only seen teach *nothing*. The
push is the likeliest category at the one slot *now*, action ``1 + k`` of DESIGN §4; it is held,
action 0, when its worth is not above the cost of a send. Reference: Bishop (2006), §4.3.4.

>>> from bandit.behaviour_rows import read_behaviour
>>> from policies.candidates.category import CategoryModel
>>> model = CategoryModel.fit(read_behaviour("user_behavior.csv"))
>>> push = model.predict_category(time=0.8, freq=3, amount=25.0)
>>> print(push)  # doctest: +ELLIPSIS
push 'dinner' now: taken up with probability 0...

What it cannot say: such a file has no users and no propensities, so a probability is that of
taking the category up *as things were*, not what a push adds. Like the hits of the main job it
is never uplift; that takes decisions through ``bandit.loop``, for which :meth:`short_list`
makes candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit.actions import HOLD, ItemSet, action_of
from bandit.artefact import read_artefact, write_artefact
from bandit.behaviour_rows import Behaviour
from bandit.errors import BadInputError, ForeignFileError
from bandit.normalise import Normaliser
from policies.candidates.softmax_fit import fit_softmax, softmax

__all__ = ["CategoryModel", "CategoryPush"]

Array = NDArray[np.float64]

_KIND, _VERSION = "opportune category model", 1
_HARMONICS = 3
_FARTHEST = 4.0  # robust deviations; beyond, a square would be extrapolation


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryPush:
    """What to push now, or to hold.

    Parameters
    ----------
    category : str
        The likeliest category, also when it is held.
    probability : float
        Chance that it is taken up; with worths between 0 and 1, its expected worth.
    action : int
        0 to hold, ``1 + k`` to send category k of the model at the only slot, now.
    ranking : tuple of (str, float)
        All categories with their probabilities, best first.
    send_cost : float
        What the probability had to exceed.
    """

    category: str
    probability: float
    action: int
    ranking: tuple[tuple[str, float], ...]
    send_cost: float

    @property
    def is_send(self) -> bool:
        """True to push, false to hold."""
        return self.action != HOLD

    def __str__(self) -> str:
        if self.is_send:
            said = f"taken up with probability {self.probability:.3f}"
            return f"push {self.category!r} now: {said}"
        return (
            f"hold: the best category, {self.category!r}, is worth {self.probability:.3g}, "
            f"a send costs {self.send_cost:g}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryModel:
    """Chances of K categories given time, frequency and amount.

    Parameters
    ----------
    categories : tuple of str
        Categories that were taken up at least once, in order of their names.
    weights : ndarray, (F, 1 + K) or (F, K)
        Of the softmax; the first of 1 + K classes is *nothing*, which is absent where every
        row of the file was a success.
    normaliser : Normaliser
        Of frequency and amount.
    send_cost : float
        Worth of silence: a push must promise more than this.
    n_rows : int
        Rows it was fitted on.
    """

    categories: tuple[str, ...]
    weights: Array
    normaliser: Normaliser
    send_cost: float
    n_rows: int

    @classmethod
    def fit(
        cls, behaviour: Behaviour, *, send_cost: float = 0.01, ridge: float = 1.0
    ) -> CategoryModel:
        """Learn from observations.

        Parameters
        ----------
        behaviour : Behaviour
            As :func:`bandit.behaviour_rows.read_behaviour` returns it. A row of worth w counts
            w for its category and 1 − w for *nothing*.
        send_cost : float
            In units of worth; .01 is the cost of a send in the main job (assumed).
        ridge : float
            Penalty on the weights; few rows need it, many do not feel it.

        Raises
        ------
        BadInputError
            If no row was worth anything.
        """
        taken = np.bincount(behaviour.category, behaviour.worth, len(behaviour.categories))
        kept = np.flatnonzero(taken > 0)
        if not len(kept):
            raise BadInputError(
                f"expected some rows with a positive action, such as a purchase or a click, got "
                f"none of {behaviour.n_rows}: say with worth= which of your actions are positive"
            )
        if not (0 <= send_cost < np.inf and 0 < ridge < np.inf):
            raise BadInputError(f"expected a cost ≥ 0 and a ridge > 0, got {send_cost}, {ridge}")
        columns = {"freq": behaviour.freq, "amount": behaviour.amount}
        normaliser = Normaliser.fit(columns, logged=("freq", "amount"))
        label = np.zeros((behaviour.n_rows, 1 + len(kept)))
        label[:, 0] = 1 - behaviour.worth
        column = np.minimum(np.searchsorted(kept, behaviour.category), len(kept) - 1)
        # A category that was never taken up has no class; its rows are all worth nothing.
        label[np.arange(behaviour.n_rows), 1 + column] += behaviour.worth
        has_nothing = label[:, 0].any()
        features = _features(behaviour.time, normaliser.apply(columns))
        return cls(
            categories=tuple(behaviour.categories[code] for code in kept),
            weights=fit_softmax(features, label if has_nothing else label[:, 1:], ridge=ridge),
            normaliser=normaliser,
            send_cost=float(send_cost),
            n_rows=behaviour.n_rows,
        )

    def worths(self, time: ArrayLike, freq: ArrayLike, amount: ArrayLike) -> Array:
        """Chance that each category is taken up, (N, K), for N rows.

        Raises
        ------
        BadInputError
            For what is no number, times outside [0, 1] or columns of unlike length.
        """
        try:
            rows = [np.atleast_1d(np.asarray(c, np.float64)) for c in (time, freq, amount)]
        except (TypeError, ValueError) as error:
            raise BadInputError(f"expected numbers as time, freq and amount: {error}") from error
        if len({row.shape for row in rows}) != 1:
            raise BadInputError(
                f"expected time, freq and amount of one length, got {[len(row) for row in rows]}"
            )
        outside = ~((rows[0] >= 0) & (rows[0] <= 1))
        if outside.any():
            raise BadInputError(
                f"expected time from 0 to 1, as in the training file, got {rows[0][outside][0]}: "
                "divide hours of the day by 24"
            )
        sizes = self.normaliser.apply({"freq": rows[1], "amount": rows[2]})
        p = softmax(_features(rows[0], sizes) @ self.weights)
        return p[:, -len(self.categories) :]

    def predict_category(self, time: float, freq: float, amount: float) -> CategoryPush:
        """Decide for one user and moment what to push, or to hold.

        Parameters
        ----------
        time : float
            In [0, 1], normalised as in the training file.
        freq, amount : float
            In the file's units; NaN where unknown.
        """
        worth = self.worths(time, freq, amount)[0]
        order = np.argsort(-worth, kind="stable")
        best = int(order[0])
        is_send = bool(worth[best] > self.send_cost)
        return CategoryPush(
            category=self.categories[best],
            probability=float(worth[best]),
            action=int(action_of(best, 0, n_slots=1)) if is_send else HOLD,
            ranking=tuple((self.categories[k], float(worth[k])) for k in order),
            send_cost=self.send_cost,
        )

    def short_list(
        self, time: ArrayLike, freq: ArrayLike, amount: ArrayLike, *, n_items: int
    ) -> ItemSet:
        """Name the likeliest categories of N rows as candidates for a policy.

        Returns
        -------
        ItemSet
            Positions in ``categories``, (N, n_items), best first; the feature is the worth.
        """
        if not 1 <= n_items <= len(self.categories):
            raise BadInputError(
                f"expected 1 to {len(self.categories)} items a row, got {n_items}: the model "
                "knows no more categories"
            )
        worth = self.worths(time, freq, amount)
        items = np.argsort(-worth, axis=1, kind="stable")[:, :n_items]
        scores = np.take_along_axis(worth, items, axis=1)
        return ItemSet(items=items, features=scores[:, :, None], source="category")

    def save(self, folder: Path | str) -> None:
        """Write the model as named arrays and JSON into ``folder``."""
        state = self.normaliser.state()
        write_artefact(
            Path(folder),
            {"weights": self.weights} | {f"normaliser.{name}": a for name, a in state.items()},
            kind=_KIND,
            version=_VERSION,
            said={
                "categories": list(self.categories),
                "send_cost": self.send_cost,
                "n_rows": self.n_rows,
                "normaliser": self.normaliser.said(),
            },
        )

    @classmethod
    def load(cls, folder: Path | str) -> CategoryModel:
        """Read what :meth:`save` wrote, or refuse it by name."""
        arrays, said = read_artefact(Path(folder), kind=_KIND, version=_VERSION)
        try:
            state = {name.removeprefix("normaliser."): array for name, array in arrays.items()}
            model = cls(
                categories=tuple(str(name) for name in said["categories"]),
                weights=np.array(arrays["weights"], np.float64),
                normaliser=Normaliser.load(state, said["normaliser"]),
                send_cost=float(said["send_cost"]),
                n_rows=int(said["n_rows"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ForeignFileError(
                f"expected a whole model in {folder}, reading it failed: {error!r}"
            ) from error
        n_categories = len(model.categories)
        if model.weights.ndim != 2 or model.weights.shape[1] - n_categories not in (0, 1):
            raise ForeignFileError(
                f"expected weights of {n_categories} categories in {folder}, got "
                f"{model.weights.shape}"
            )
        return model


def _features(time: Array, sizes: Array) -> Array:
    """Smooth features of N rows, (N, F): harmonics and a trend of time, sizes, and both.

    Harmonics make 0 and 1 neighbours, as hours of a day are; the trend lets them differ where
    time runs through a whole period.
    """
    freq, amount = np.clip(sizes, -_FARTHEST, _FARTHEST).T
    turns = 2 * np.pi * time[:, None] * np.arange(1, _HARMONICS + 1)
    waves = np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    middle = 2 * time - 1
    first = waves[:, [0, _HARMONICS]]
    return np.column_stack(
        [
            np.ones(len(time)),
            waves,
            middle,
            middle**2,
            freq,
            amount,
            freq**2,
            amount**2,
            freq * amount,
            first * freq[:, None],
            first * amount[:, None],
        ]
    )
