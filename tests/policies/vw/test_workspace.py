"""One workspace a thread; models go to bytes and back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from vowpalwabbit import Workspace

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.shape import PolicyShape
from policies.vw import explorations as vw
from policies.vw.adf import VowpalWabbit
from policies.vw.params import VWParams
from policies.vw.workspace import Workspaces, open_workspace


@dataclass
class Kept:
    workspace: Workspace


def _in_thread(call: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(BadInputError, match="expected a model saved by Vowpal Wabbit, got 4 bytes"):
        open_workspace("", b"junk")


def test_every_thread_asks_a_workspace_of_its_own() -> None:
    """Its own again when nothing was learned, a new one when something was."""
    workspaces = Workspaces("--cb_explore_adf -b 10 --quiet", Kept)

    def mine() -> Kept:
        with workspaces.asking() as kept:
            return kept

    def twice() -> tuple[Kept, Kept, Kept]:
        first, second = mine(), mine()
        with workspaces.learning() as learner:
            learner.workspace.learn(["shared |c 0:1", "0:1:0.5 |i 0:1"])
        return first, second, mine()

    home = mine()
    first, second, third = _in_thread(twice)
    assert mine() is home
    assert first is second
    assert len({id(home), id(first), id(third)}) == 3
    question = ["shared |c 0:1", "|i 0:1", "|i 1:1"]
    assert third.workspace.predict(question) == home.workspace.predict(question)


@pytest.mark.parametrize("explorer", [vw.RegCB(), vw.Bag(), vw.Distillation()], ids=repr)
def test_threads_that_ask_while_one_learns_get_what_was_learned(
    explorer: Any,
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Four threads and ten batches: every answer is that of some batch, the last that of all."""
    policy = VowpalWabbit(small_shape, hits, model=VWParams(bits=14), explorer=explorer)
    apart = VowpalWabbit(small_shape, hits, model=VWParams(bits=14), explorer=explorer)
    asked = request_of(small_shape, 4)
    batches = [feedback_of(small_shape, 20, hits, seed=n, first_id=100 * n) for n in range(10)]
    known = [apart.pmf(asked, 0).tobytes()]
    for batch in batches:
        apart.update(batch)
        known.append(apart.pmf(asked, 0).tobytes())
    answers: list[bytes] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(policy.pmf(asked, 0).tobytes())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for batch in batches:
        policy.update(batch)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answers) <= set(known)
    assert _in_thread(lambda: policy.pmf(asked, 0)).tobytes() == known[-1]
    assert np.array_equal(policy.pmf(asked, 0), apart.pmf(asked, 0))
