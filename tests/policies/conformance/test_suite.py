"""A suite that nothing fails proves nothing: policies with one fault each, and what is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.outcomes import Feedback
from bandit.protocols import State
from policies.baselines.fixed import NeverSend, RandomEligible
from policies.conformance.case import Case
from policies.conformance.suite import LAWS, Law, Verdict, draw_laws, examine, name_of
from policies.entry import Entry

Array = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[3]


def case_of(cls: type) -> Case:
    return Case(
        entry=Entry(policy_id="mine", factory=cls, options={}, reference="a test", cost="N·A")
    )


def broken(cls: type, laws: tuple[Law, ...] = LAWS) -> dict[str, str]:
    """Broken laws of a policy, with what was said."""
    return {v.law: v.broken for v in examine(case_of(cls), laws) if v.broken}


class Forgets(RandomEligible):
    """Counts its rows, and saves nothing."""

    seen = 0

    def pmf(self, request: Request, key: int) -> Array:
        even = super().pmf(request, key)
        even[:, HOLD] += self.seen
        return even / even.sum(axis=1, keepdims=True)

    def update(self, feedback: Feedback) -> None:
        self.seen += feedback.n_rows


class IgnoresTheMask(RandomEligible):
    def pmf(self, request: Request, key: int) -> Array:
        return np.full((request.n_rows, request.n_actions), 1.0 / request.n_actions)


class LikesTheLast(RandomEligible):
    """All mass on the last action that may be taken."""

    def pmf(self, request: Request, key: int) -> Array:
        last = request.n_actions - 1 - request.mask[:, ::-1].argmax(axis=1)
        return np.asarray(np.eye(request.n_actions)[last])


class Looks(RandomEligible):
    """Learns from being asked."""

    asked = 0

    def pmf(self, request: Request, key: int) -> Array:
        self.asked += 1
        return super().pmf(request, key)

    def state(self) -> State:
        return {"asked": np.array(self.asked)}

    def load(self, state: State) -> None:
        self.asked = int(state["asked"])


class MeansOfABatch(RandomEligible):
    """Sends more where others of the batch may."""

    def pmf(self, request: Request, key: int) -> Array:
        even = super().pmf(request, key)
        even[:, HOLD] += request.context.mean() ** 2 * request.mask[:, HOLD]
        return even / even.sum(axis=1, keepdims=True)


class Overwrites(RandomEligible):
    """Hands out the array that it goes on with."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.total = np.zeros(1)

    def update(self, feedback: Feedback) -> None:
        self.total += feedback.n_rows

    def state(self) -> State:
        return {"total": self.total}

    def load(self, state: State) -> None:
        self.total = np.asarray(state["total"])


class LastRowWins(Overwrites):
    """Keeps the last row of a batch, and the components as they first came."""

    def update(self, feedback: Feedback) -> None:
        if feedback.n_rows:
            self.total = feedback.components[-1, :1].copy()


class Unreasoned(RandomEligible):
    cannot: ClassVar[Mapping[str, str]] = {**RandomEligible.cannot, "a_batch_is_its_rows": "no"}


class Modest(NeverSend):
    """Declares what it can."""

    cannot: ClassVar[Mapping[str, str]] = {**NeverSend.cannot, "permutes_slots": "it says"}


class Unfinished(RandomEligible):
    def pmf(self, request: Request, key: int) -> Array:
        raise NotImplementedError("tomorrow")


def test_a_policy_of_the_house_obeys_or_is_excused() -> None:
    """With the reason that it declares, in the order of the laws."""
    verdicts = list(examine(case_of(RandomEligible)))
    assert [v.law for v in verdicts] == [name_of(law) for law in LAWS]
    assert not [v for v in verdicts if v.broken]
    excused = {v.law: v.excused for v in verdicts if v.excused}
    assert excused["it beats uniform on tiny"] == "nothing is learned by design"
    assert len(excused) == 5


@pytest.mark.parametrize(
    ("cls", "law", "words"),
    [
        (IgnoresTheMask, "a pmf sums to one and respects any mask", "probability 0 on masked"),
        (LikesTheLast, "permuting items permutes the pmf", "Not equal to tolerance"),
        (Looks, "asking changes nothing", "leave the state as it was"),
        (MeansOfABatch, "a batch is its rows", "Not equal to tolerance"),
        (Forgets, "a saved policy resumes as if never stopped", "expected the pmf"),
        (Forgets, "it is rebuilt from the log byte for byte", "expected the pmf"),
        (Overwrites, "a state is a snapshot", "expected `state()` to be a copy"),
        (LastRowWins, "the order of rows in a batch does not matter", "Not equal to tolerance"),
        (LastRowWins, "revised rows equal rows learned once", "`cannot = {'revises_exactly'"),
        (Unreasoned, "what it cannot is known and has a reason", "got ['a_batch_is_its_rows']"),
        (Modest, "permuting slots permutes the pmf", "it is met, drop it there"),
        (Unfinished, "a batch is its rows", "raised NotImplementedError('tomorrow')"),
    ],
)
def test_a_fault_is_found_and_told(cls: type, law: str, words: str) -> None:
    (chosen,) = (one for one in LAWS if name_of(one) == law)
    assert words in broken(cls, (chosen,))[law]


def test_draws_of_a_policy_that_answers_by_the_batch_are_found() -> None:
    """The same draws, whoever asks: these laws are about propensities alone."""
    assert broken(RandomEligible, draw_laws()) == {}
    verdicts = list(examine(case_of(Unfinished), draw_laws()))
    assert verdicts == [
        Verdict(law=name_of(law), broken="raised NotImplementedError('tomorrow')")
        for law in draw_laws()
    ]


def test_the_suite_needs_neither_tests_nor_scipy() -> None:
    """What is installed with numpy and pyarrow alone can run it."""
    code = (
        "import sys, policies.conformance.suite as suite; "
        "print([x for x in ('pytest', 'hypothesis', 'scipy', 'tests') if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
