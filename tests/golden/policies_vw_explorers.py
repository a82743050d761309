"""Makes ``policies_vw_explorers.json``: scores and probabilities of Vowpal Wabbit's explorers.

Needs ``vowpalwabbit==9.11.9``. Five events of three actions, learned with propensity 1, so that
every exploration stands over the same regressor; its scores are those of ``--cb_adf``.
"""

from __future__ import annotations

from typing import Any

_ACTIONS = ("|a x:1 b:.5", "|a y:1 b:.2", "|a z:1")
_EVENTS = ((0, -1.0), (1, 0.0), (2, -0.5), (0, -0.2), (1, -0.8))
_EXPLORERS = {
    "squarecb": "--squarecb",
    "squarecb_tuned": "--squarecb --gamma_scale 3 --gamma_exponent .25",
    "softmax": "--softmax --lambda 2",
    "epsilon": "--epsilon .1",
    "first": "--first 2",
}


def make() -> dict[str, Any]:
    """Costs that each action is expected to have, and its probability, before every event."""
    return {
        "source": "vowpalwabbit 9.11.9",
        "cost": _walk("--cb_adf --rank_all"),
        "pmf": {name: _walk(f"--cb_explore_adf {args}") for name, args in _EXPLORERS.items()},
    }


def _walk(arguments: str) -> list[list[float]]:
    import vowpalwabbit

    engine = vowpalwabbit.Workspace(f"{arguments} --quiet --noconstant -q ua")
    answers = []
    for chosen, cost in (*_EVENTS, (None, 0.0)):
        answers.append([float(x) for x in engine.predict(_lines())])
        if chosen is not None:
            engine.learn(_lines(chosen, cost))
    engine.finish()
    return answers


def _lines(chosen: int | None = None, cost: float = 0.0) -> list[str]:
    labels = [f"{i}:{cost}:1 " if i == chosen else "" for i in range(len(_ACTIONS))]
    return ["shared |u s:1", *(label + a for label, a in zip(labels, _ACTIONS, strict=True))]
