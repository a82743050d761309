"""Behaviour's heads where clicks carry what a push does: few features, priors in natural units.

Rows with how likely their push was answered enter; posteriors leave, seen from a context: what an
answer to each item brings, and what a send does of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Component, Kind
from policies.checks import part_of
from policies.models.glm_head import GlmHead, GlmParams
from policies.models.glm_math import sigmoid
from policies.models.linear_math import row_chunks
from policies.models.reach import Reach

__all__ = ["SurrogateHead", "SurrogateHeads"]

Array = NDArray[np.float64]
Columns = Mapping[str, Array]

_NEVER = 10**12
_BASE_RATE = 1e-3
_VISITS = 0.5  # of clicks bring a visit that would not have come: somewhere between none and all
_CHUNK_ROWS = 512


class SurrogateHead:
    """One component.

    Parameters
    ----------
    component : Component
        What is learned; sessions are taken to come with half of the answers beforehand, because
        a click is a visit and some of the visitors would have come.
    reach : Reach
        Layout of its features.
    """

    def __init__(self, component: Component, reach: Reach) -> None:
        link: Any = "logistic" if component.measure == "any" else "identity"
        self.reach = reach
        self.visits = _VISITS if Kind.SESSION in component.kinds else 0.0
        params = GlmParams(base_rate=_BASE_RATE, least_rows=_NEVER)
        self.head = GlmHead(reach, 0, link, params)
        spreads = reach.spreads(is_rare=link == "logistic")
        self.head.scale = np.append(self.head.noise / spreads**2, 1.0)

    @property
    def is_rare(self) -> bool:
        """Whether it comes or not, and hangs on the user alone: answers are no part of it."""
        return bool(self.head.link == "logistic")

    def features(self, columns: Columns) -> Array:
        """φ of rows, (N, P)."""
        answer = columns["answer"][:, 0]
        return self.reach.features(
            columns["context"],
            columns["item"],
            np.zeros_like(answer) if self.is_rare else answer,
            is_send=columns["is_send"][:, 0] != 0,
            p_send=columns["p_send"][:, 0],
        )

    def usual(self, columns: Columns) -> Array:
        """What is expected of answers beforehand, (N,)."""
        return self.visits * columns["answer"][:, 0]

    def seen_from(self, context: Array, item: Array, theta: Array) -> tuple[Array, Array]:
        """What an answer to each item brings, (n, M, K), and what a send does of itself, (n, M)."""
        reach = self.reach
        seen = np.concatenate([np.ones((len(context), 1)), context], axis=1)
        of_itself = seen @ theta[:, reach.both("send", "context")].T
        if self.is_rare:
            base = seen @ theta[:, reach.both("one", "c")].T
            nothing = np.zeros((*of_itself.shape, item.shape[1]))
            return nothing, sigmoid(base + of_itself) - sigmoid(base)
        per_user = seen @ theta[:, reach.both("answer", "context_answer")].T + self.visits
        per_item = item @ theta[:, reach.at("item_answer")].T  # (n, K, M)
        return per_user[:, :, None] + per_item.transpose(0, 2, 1), of_itself

    def believed(self, request: Request, likely: Array, surely: Array) -> tuple[Array, Array]:
        """Base (2, N) and uplift (2, N, K·S), means and standard deviations.

        Parameters
        ----------
        request : Request
            N rows.
        likely, surely : ndarray, (N, K·S)
            Chance that each send is answered, and its standard deviation.
        """
        base, uplift = np.zeros((2, request.n_rows)), np.zeros((2, *likely.shape))
        width = 64 * max(likely.shape[1], 1) * self.reach.n_features
        for rows in row_chunks(request.n_rows, width):
            base[:, rows], uplift[:, rows] = self._believed(
                request.context[rows], request.item_features[rows], likely[rows], surely[rows]
            )
        return base, uplift

    def _believed(
        self, context: Array, item: Array, likely: Array, surely: Array
    ) -> tuple[Array, Array]:
        (n, n_pairs), n_items = likely.shape, item.shape[1]
        n_slots = n_pairs // max(n_items, 1)
        wide = np.repeat(item, n_slots, axis=1).reshape(n * n_pairs, self.reach.n_item_features)
        quiet = self.features(_asked(context, np.zeros((n, wide.shape[1])), np.zeros(n), sent=0.0))
        before = np.repeat(quiet, n_pairs, axis=0)
        contexts = np.repeat(context, n_pairs, axis=0)
        after = self.features(_asked(contexts, wide, likely.ravel(), sent=1.0))
        belief = self.head.posterior()
        eta, slope = quiet @ belief.mean, np.zeros(n * n_pairs)
        if self.is_rare:
            chance, sent = sigmoid(eta), sigmoid(after @ belief.mean)
            held = np.repeat(chance, n_pairs)
            bent = chance * (1.0 - chance)
            tangent = (sent * (1.0 - sent))[:, None] * after
            tangent -= (held * (1.0 - held))[:, None] * before
            base = np.stack([chance, bent * belief.spread(quiet, np.zeros(n))])
            mean = sent - held
        else:
            more = self.features(_asked(contexts, wide, likely.ravel() + 1.0, sent=1.0)) - after
            slope = more @ belief.mean + self.visits
            tangent = after - before
            base = np.stack([eta, belief.spread(quiet, np.zeros(n))])
            mean = tangent @ belief.mean + self.visits * likely.ravel()
        spread = np.hypot(belief.spread(tangent, np.zeros(n * n_pairs)), slope * surely.ravel())
        return base, np.stack([mean, spread]).reshape(2, n, n_pairs)


class SurrogateHeads:
    """All of them.

    Parameters
    ----------
    components : sequence of Component
        B of them.
    reach : Reach
        Layout of their features.
    """

    def __init__(self, components: Sequence[Component], reach: Reach) -> None:
        self.reach = reach
        self.parts = [SurrogateHead(component, reach) for component in components]

    def means(self) -> list[Array]:
        """Mean coefficients as one draw, (1, P) each."""
        return [part.head.posterior().mean[None] for part in self.parts]

    def drawn(self, rng: np.random.Generator, *, n_draws: int, scale: float) -> list[Array]:
        """M draws of coefficients, (M, P) each."""
        drawn = []
        for part in self.parts:
            belief = part.head.posterior()
            normal = rng.standard_normal((n_draws, self.reach.n_features))
            away, _ = belief.away(normal, np.zeros((n_draws, 0)))
            drawn.append(belief.mean + scale * away)
        return drawn

    def learn(self, columns: Columns) -> Array:
        """Take N rows, and return where each was linearised, (N, B)."""
        at = np.zeros_like(columns["target"])
        for b, part in enumerate(self.parts):
            features, aim = part.features(columns), columns["target"][:, b] - part.usual(columns)
            for start in range(0, len(at), _CHUNK_ROWS):
                rows = slice(start, start + _CHUNK_ROWS)
                at[rows, b] = part.head.learn(
                    features[rows],
                    _no_item(aim[rows]),
                    target=aim[rows],
                    weight=columns["weight"][rows, b],
                )
        return at

    def revise(self, columns: Columns, *, target: Array, weight: Array) -> None:
        """Replace what rows taught by new values and precisions, (N, B) each."""
        for b, part in enumerate(self.parts):
            usual = part.usual(columns)
            new, known = target[:, b] - usual, weight[:, b]
            old, knew = columns["target"][:, b] - usual, columns["weight"][:, b]
            part.head.add(
                part.features(columns),
                _no_item(new),
                at=columns["at"][:, b],
                weighted=known * new - knew * old,
                weight=known - knew,
            )
            square = float((known * new**2 - knew * old**2).sum())
            part.head.note(square=square, rows=float((known - knew).sum()))

    def turn(self, basis: Array) -> None:
        """Follow contexts that turn to ``basis``·c."""
        for part in self.parts:
            part.head.turn(self.reach.turned(basis))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return every head, as named arrays."""
        return {
            f"{b}.{name}": array
            for b, part in enumerate(self.parts)
            for name, array in part.head.state().items()
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        for b, part in enumerate(self.parts):
            part.head.load(part_of(state, f"{b}."))


def _asked(context: Array, item: Array, answer: Array, *, sent: float) -> Columns:
    """Columns of actions of which nothing is known of the chance that they are taken."""
    n = len(context)
    return {
        "context": context,
        "item": item,
        "answer": answer[:, None],
        "is_send": np.full((n, 1), sent),
        "p_send": np.zeros((n, 1)),
    }


def _no_item(like: Array) -> NDArray[np.int64]:
    return np.full(len(like), -1)
