"""The whole suite: every law of a policy, and what one policy makes of them.

A case enters; a verdict a law leaves. A law that the policy declares it cannot meet is run all
the same: it must really fail, or be without meaning there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from bandit.errors import OpportuneError
from policies.conformance import answers, learning, replays, walks
from policies.conformance.case import Case

__all__ = ["LAWS", "Law", "Verdict", "draw_laws", "examine", "name_of"]

Law = Callable[[Case], str | None]

LAWS: tuple[Law, ...] = (*answers.LAWS, *learning.LAWS, *walks.LAWS, *replays.LAWS)
"""All but those of draws, which need SciPy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one law: broken with words, excused with a reason, or obeyed."""

    law: str
    broken: str = ""
    excused: str = ""


def draw_laws() -> tuple[Law, ...]:
    """Laws of what is drawn; they need SciPy, and a second each.

    Raises
    ------
    ModuleNotFoundError
        Where SciPy is not installed.
    """
    laws: tuple[Law, ...] = import_module("policies.conformance.draws").LAWS
    return laws


def name_of(law: Law) -> str:
    """Return the law as a sentence."""
    return law.__name__.replace("_", " ")


def examine(case: Case, laws: tuple[Law, ...] = LAWS) -> Iterator[Verdict]:
    """Run laws on a policy, one verdict each, whatever it raises.

    Parameters
    ----------
    case : Case
        The policy.
    laws : tuple of Law
        Which ones; by default all that need numpy and pyarrow only.
    """
    for law in laws:
        try:
            reason = law(case)
        except AssertionError as error:
            yield Verdict(law=name_of(law), broken=" ".join(str(error).split()))
        except OpportuneError as error:
            yield Verdict(law=name_of(law), broken=str(error))
        except Exception as error:  # anybody's code: whatever it raises is its verdict
            yield Verdict(law=name_of(law), broken=f"raised {error!r}")
        else:
            yield Verdict(law=name_of(law), excused=reason or "")
