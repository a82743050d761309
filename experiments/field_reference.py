"""What the field is held against: the same features with all there is to learn, and full knowledge.

The Bayes reference fits the default's own model (responses over every cross, rewards by way of
them) to the true means of uniformly drawn actions, level 1 in closed form, on worlds of other
seeds: what infinitely many outcomes of the same decisions would teach. Full knowledge reads the
true mean of every action. Both are greedy, at a price if one is asked, and go through the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Observation, Request
from bandit.outcomes import UPLIFT, Feedback
from experiments.field_walk import taken, world_of
from policies.exploration import best_action
from policies.models.blocks import Blocks
from policies.models.glm_math import sigmoid
from policies.models.hybrid_math import drawn, uplift_of
from policies.shape import PolicyShape
from simulator.guard import WorldGuard
from simulator.offers import Slates
from simulator.truth import mean_reward
from simulator.world import World
from simulator.worth import Worth

__all__ = ["Fitted", "FullKnowledge", "Reference", "fitted_on", "read_reference"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_RIDGE = 1.0
_CLICKS = replace(
    UPLIFT,
    name="clicks",
    objective="engagement",
    components=tuple(replace(c, weight=float(c.name == "click")) for c in UPLIFT.components),
)
_ROUNDS = 6
_A_STATE = 8  # actions drawn of each state


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Coefficients of the fitted model, and how many decisions they are of."""

    click: Float  # (P,) log-odds of an answer, over the hybrid features of sends
    items: Float  # (I,) of each item
    worth: Float  # (P',) of [1, c, p·(1, c, item)]
    n_decisions: int

    def save(self, path: Path) -> None:
        """Write it as ``.npz``."""
        n = np.array(self.n_decisions)
        np.savez_compressed(path, click=self.click, items=self.items, worth=self.worth, n=n)


def read_reference(path: Path) -> Reference:
    """Read what :meth:`Reference.save` wrote."""
    with np.load(path, allow_pickle=False) as told:
        return Reference(
            click=told["click"],
            items=told["items"],
            worth=told["worth"],
            n_decisions=int(told["n"]),
        )


@dataclass(slots=True)
class FullKnowledge:
    """Greedy over the true worth of every action, level 1; a message costs ``price`` more."""

    world: World
    price: float = 0.0
    policy_id: str = "full_knowledge"

    def pmf(self, request: Request, key: int) -> Float:
        """All mass on the action worth most, (N, A)."""
        rows = np.searchsorted(self.world.users, request.user)
        worth = mean_reward(taken(self.world, rows), Worth(UPLIFT)).astype(np.float64)
        worth[:, 1:] -= self.price
        return best_action(worth, request.mask)

    def update(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing."""


@dataclass(slots=True)
class Fitted:
    """Greedy over a fitted reference; a message costs ``price`` more."""

    reference: Reference
    price: float = 0.0
    policy_id: str = "bayes_reference"

    def pmf(self, request: Request, key: int) -> Float:
        """All mass on the action worth most, (N, A)."""
        values = np.zeros((request.n_rows, request.n_actions))
        for start in range(0, request.n_rows, 256):
            rows = slice(start, start + 256)
            values[rows, 1:] = self._values(request, rows) - self.price
        return best_action(values, request.mask)

    def update(self, feedback: Feedback) -> None:
        """Learn nothing more."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing more."""

    def _values(self, request: Request, rows: slice) -> Float:
        """Worth of every send over holding, (n, K·S)."""
        context, item = request.context[rows], request.item_features[rows]
        slot, ids = request.slot_features[rows], request.items[rows]
        n, k, _ = item.shape
        blocks = Blocks(_shape(context, item, slot, len(self.reference.items)))
        theta = np.concatenate([np.zeros(blocks.n_base), self.reference.click])
        one = drawn(blocks, theta[None], self.reference.items[None])
        odds = uplift_of(one, context, ids, item, slot)  # (n, 1, S·K)
        answer = sigmoid(odds.astype(np.float64)).reshape(n, slot.shape[1], k)
        seen = np.concatenate([np.ones((n, 1)), context], axis=1)
        fixed, per_user, per_item = np.split(
            self.reference.worth, [seen.shape[1], 2 * seen.shape[1]]
        )
        slope = (seen @ per_user)[:, None] + item @ per_item  # (n, K)
        worth = answer * slope[:, None, :] + (seen @ fixed)[:, None, None]
        return np.asarray(worth.transpose(0, 2, 1).reshape(n, -1))


def fitted_on(
    seeds: Sequence[int], *, users: int, days: int, preset: str = "ecommerce"
) -> Reference:
    """Fit to uniformly drawn actions of worlds in which about two sends a week are random.

    Parameters
    ----------
    seeds : sequence of int
        Of worlds that no table uses.
    users, days : int
        Size of each world.
    preset : str
        Of the world.
    """
    parts = [_drawn(world_of(preset, seed=seed, users=users, days=days), seed) for seed in seeds]
    context, item, slot, ids, click, worth = (np.concatenate(of) for of in zip(*parts, strict=True))
    n_items = 1 + int(ids.max())
    blocks = Blocks(_shape(context, item[:, None], slot[:, None], n_items))
    theta, items = _logistic(blocks, context, item, slot, ids, click)
    predicted = np.concatenate(
        [
            sigmoid(_sends(blocks, context[r], item[r], slot[r]) @ theta + items[ids[r]])
            for r in _slices(len(ids))
        ]
    )
    seen = _answers(context, item, predicted)
    ridge = _RIDGE * 1e-6 * np.eye(seen.shape[1]) * len(ids) / 1e6
    value = np.linalg.solve(seen.T @ seen + ridge, seen.T @ worth)
    return Reference(click=theta, items=items, worth=value, n_decisions=len(ids))


def _drawn(world: World, seed: int) -> tuple[NDArray[np.floating] | Whole, ...]:
    """Context, item, slot, id, chance of a click and worth over holding of uniform actions."""
    rng, candidates, guard = np.random.default_rng(seed), Slates(world=world), WorldGuard(world)
    of_clicks, of_reward = Worth(_CLICKS), Worth(UPLIFT)
    kept: list[list[NDArray[np.floating] | Whole]] = []
    while (seen := world.observe()) is not None:
        items, open_ = candidates(seen), guard.plan(seen, candidates(seen)) == 0
        rows = np.flatnonzero(open_[:, 1:].any(axis=1))
        population = taken(world, world.observed[rows])
        truth = mean_reward(population, of_reward).astype(np.float64)
        clicks = mean_reward(population, of_clicks).astype(np.float64)
        scores = rng.random((len(rows), open_.shape[1] - 1)) * open_[rows, 1:]
        chosen = np.argpartition(-scores, _A_STATE, axis=1)[:, :_A_STATE]
        at, pair = np.repeat(rows, _A_STATE), chosen.ravel()
        row, n_slots = np.repeat(np.arange(len(rows)), _A_STATE), seen.grid.n_slots
        place, slot = np.divmod(pair, n_slots)
        kept.append(
            [
                seen.context[at],
                items.features[at, place],
                seen.slot_features[at, slot],
                items.items[at, place],
                clicks[row, 1 + pair],
                truth[row, 1 + pair] - truth[row, 0],
            ]
        )
        _live(world, rows, chosen[:, 0], rng, seen)
    return tuple(np.concatenate(of) for of in zip(*kept, strict=True))


def _live(
    world: World, rows: Whole, pair: Whole, rng: np.random.Generator, seen: Observation
) -> None:
    """Send what was drawn first to about a third of those who can be sent, and let a day pass."""
    sent = rng.random(len(rows)) < 1 / 3
    place, slot = np.divmod(pair[sent], seen.grid.n_slots)
    position, at = np.full((2, len(world.users)), -1, np.int64)
    who = world.observed[rows[sent]]
    position[who], at[who] = place, slot
    world._pass(position, np.maximum(at, 0), np.full_like(position, -1))


def _logistic(  # noqa: PLR0917
    blocks: Blocks, context: Float, item: Float, slot: Float, ids: Whole, click: Float
) -> tuple[Float, Float]:
    """Log-odds of a click by Newton's steps, an intercept of each item after each step."""
    n_features = blocks.n_features - blocks.n_base
    theta, items = np.zeros(n_features), np.zeros(1 + int(ids.max()))
    theta[0] = np.log(click.mean() / (1 - click.mean()))
    for _ in range(_ROUNDS):
        hessian, gradient = _RIDGE * np.eye(n_features), -_RIDGE * theta
        off, heavy = np.zeros((2, len(items)))
        for rows in _slices(len(ids)):
            features = _sends(blocks, context[rows], item[rows], slot[rows])
            chance = sigmoid(features @ theta + items[ids[rows]])
            weight, left = chance * (1 - chance), click[rows] - chance
            hessian += (features * weight[:, None]).T @ features
            gradient += features.T @ left
            np.add.at(off, ids[rows], left)
            np.add.at(heavy, ids[rows], weight)
        theta = theta + np.linalg.solve(hessian, gradient)
        items = items + off / (heavy + 16.0)  # a deviation of .25 before any row
        items -= items.mean()
    return theta, items


def _sends(blocks: Blocks, context: Float, item: Float, slot: Float) -> Float:
    """The hybrid features that a send has beyond the base, (n, P)."""
    is_send = np.ones(len(context), np.bool_)
    return blocks.features(context, item, slot, is_send=is_send)[:, blocks.n_base :]


def _answers(context: Float, item: Float, chance: Float) -> Float:
    """[1, c, p, p·c, p·item], (n, P')."""
    seen = np.concatenate([np.ones((len(context), 1)), context], axis=1)
    return np.concatenate([seen, chance[:, None] * seen, chance[:, None] * item], axis=1)


def _shape(context: Float, item: Float, slot: Float, n_items: int) -> PolicyShape:
    return PolicyShape(
        n_context=context.shape[-1],
        n_item_features=item.shape[-1],
        n_slot_features=slot.shape[-1],
        n_users=1,
        n_items=n_items,
        n_slots=1,
    )


def _slices(n_rows: int) -> list[slice]:
    return [slice(start, start + 65_536) for start in range(0, n_rows, 65_536)]
