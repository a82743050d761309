"""Examples that are made once and filled again: dense features without a word of text.

Vectors enter; examples that a workspace learns or predicts leave. Text has to be written, split
and hashed for every action of every decision; here only numbers are put where they belong. Each
refilled example is set up again (``setup_example``): one that is not is silently wrong, because
its features lie where those of other models do. A test holds all of it to what the text gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import pylibvw
from vowpalwabbit import Example, Workspace

__all__ = ["Blanks", "Examples"]

_PUT, _ERASE = pylibvw.example.push_feature_list, pylibvw.example.erase_namespace
_SET_UP, _UNSET = pylibvw.vw.setup_example, pylibvw.vw.unsetup_example
_LEARN, _PREDICT = pylibvw.vw.learn_multi, pylibvw.vw.predict_multi
_SEND = "|i 0:1 |s 0:1"

Vector = Sequence[float]


class Blanks:
    """Examples of one workspace, made by text and filled by numbers.

    Parameters
    ----------
    workspace : Workspace
        Whose examples they are.
    lengths : three ints
        D, Di and Ds.
    """

    def __init__(self, workspace: Workspace, lengths: tuple[int, int, int]) -> None:
        self.workspace = workspace
        self._label_type = workspace.get_label_type()
        # As its parser has them: random targets are drawn by the whole index, not by its place.
        mask = workspace.num_weights() - 1
        self._indices = {
            name: [(workspace.hash_space(name) + i) & mask for i in range(n)]
            for name, n in zip("cis", lengths, strict=True)
        }

    def made(self, text: str) -> Example:
        """Return a new example; a label can be given here only: set again, it is added to."""
        return Example(self.workspace, text, self._label_type)

    def fill(self, example: Example, **features: Vector) -> None:
        """Replace the features of namespaces that the example has: c, i or s."""
        _UNSET(self.workspace, example)
        for name, values in features.items():
            namespace = ord(name)
            _ERASE(example, namespace)
            pairs = list(zip(self._indices[name], values, strict=True))
            _PUT(example, self.workspace, namespace, 0, pairs)
        _SET_UP(self.workspace, example)


class Examples:
    """Decisions over actions with features (``--cb_explore_adf``), in reused examples.

    Parameters
    ----------
    workspace : Workspace
        Of ``--cb_explore_adf`` or ``--cb_adf``.
    lengths : three ints
        D, Di and Ds.
    """

    def __init__(self, workspace: Workspace, lengths: tuple[int, int, int]) -> None:
        self.workspace = workspace
        self._blanks = Blanks(workspace, lengths)
        self._shared = self._blanks.made("shared |c 0:1")
        self._hold = self._blanks.made("|h 0:1")
        self._sends: list[Example] = []
        self._filled: list[tuple[Vector, Vector] | None] = []

    def learn(self, context: Vector, send: tuple[Vector, Vector] | None, label: str) -> None:
        """Learn one decision from the action that was taken.

        Parameters
        ----------
        context : sequence of D floats
            The shared features.
        send : two sequences, of Di and Ds floats, or ``None``
            Features of item and slot; ``None`` for hold.
        label : str
            ``"0:cost:propensity"``.
        """
        self._blanks.fill(self._shared, c=context)
        taken = self._blanks.made(f"{label} |h 0:1" if send is None else f"{label} {_SEND}")
        if send is not None:
            self._blanks.fill(taken, i=send[0], s=send[1])
        _LEARN(self.workspace, [self._shared, taken])

    def probabilities(
        self,
        context: Vector,
        sends: Sequence[tuple[Vector, Vector]],
        *,
        may_hold: bool,
    ) -> list[float]:
        """Vowpal Wabbit's probabilities of hold, if it is allowed, and of the sends, in order."""
        while len(self._sends) < len(sends):
            self._sends.append(self._blanks.made(_SEND))
            self._filled.append(None)
        self._blanks.fill(self._shared, c=context)
        for place, send in enumerate(sends):
            if send != self._filled[place]:  # the same catalogue again is not filled again
                self._blanks.fill(self._sends[place], i=send[0], s=send[1])
                self._filled[place] = send
        actions = [self._hold] * may_hold + self._sends[: len(sends)]
        _PREDICT(self.workspace, [self._shared, *actions])
        return list(self._shared.get_action_scores())
