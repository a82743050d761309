"""Examples that are filled again are what the text gives, to the bit."""

from __future__ import annotations

import numpy as np
import pylibvw
import pytest
from vowpalwabbit import Example, Workspace

from policies.vw.examples import Examples

LENGTHS = 3, 4, 2
ARGUMENTS = (
    "--cb_explore_adf --softmax --lambda 3 --interactions is --interactions cis -b 14 --quiet"
)


def _words(name: str, values: list[float]) -> str:
    return f"|{name} " + " ".join(f"{i}:{value!r}" for i, value in enumerate(values))


def _rows(
    n: int, *, seed: int, is_whole: bool
) -> list[tuple[list[float], list[tuple[list[float], list[float]]]]]:
    """Contexts with one to five sends each; a third of all features are zero."""
    rng = np.random.default_rng(seed)

    def vector(length: int) -> list[float]:
        drawn = rng.normal(scale=2.0 if is_whole else 1.0, size=length) * (
            rng.random(length) > 1 / 3
        )
        return list((drawn.round() if is_whole else drawn).tolist())

    return [
        (vector(3), [(vector(4), vector(2)) for _ in range(rng.integers(1, 6))]) for _ in range(n)
    ]


@pytest.mark.parametrize("more", ["", "--bag 3 --random_seed 5", "--cover 3", "--rnd 2"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_they_learn_and_predict_what_the_text_does(more: str, *, is_whole: bool) -> None:
    """To the bit; where the text has long decimals, as near as its parser reads them."""
    arguments = ARGUMENTS.replace("--softmax --lambda 3", more) if more else ARGUMENTS
    fast, text = Workspace(arguments), Workspace(arguments)
    examples = Examples(fast, LENGTHS)
    near = 0.0 if is_whole else 1e-4
    for number, (context, sends) in enumerate(_rows(150, seed=1, is_whole=is_whole)):
        lines = [f"shared {_words('c', context)}", "|h 0:1"]
        lines += [f"{_words('i', item)} {_words('s', slot)}" for item, slot in sends]
        for may_hold, asked in ((True, lines), (False, [lines[0], *lines[2:]])):
            got = examples.probabilities(context, sends, may_hold=may_hold)
            np.testing.assert_allclose(got, text.predict(asked), rtol=0, atol=near)
        label = f"0:{-(number % 3)}:{0.25 * (1 + number % 4)}"
        is_send = number % 4 > 0
        examples.learn(context, sends[0] if is_send else None, label)
        text.learn([lines[0], f"{label} {lines[2 if is_send else 1]}"])
    wanted = [text.get_weight(index) for index in range(text.num_weights())]
    found = [fast.get_weight(index) for index in range(fast.num_weights())]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=near)
    assert any(wanted)


def test_an_example_that_is_not_set_up_is_silently_wrong() -> None:
    """Why every refilled example is: the same numbers, at indices that are not theirs."""
    workspace = Workspace(ARGUMENTS)
    examples = Examples(workspace, LENGTHS)
    for context, sends in _rows(50, seed=2, is_whole=True):
        examples.learn(context, sends[0], "0:-1:0.5")
    context, sends = [1.0, 0.5, -1.0], [([1.0, 2.0, 0.5, -1.0], [0.5, 1.0])] * 2
    right = examples.probabilities(context, [sends[0], ([0.0] * 4, [1.0, 1.0])], may_hold=True)
    kind = workspace.get_label_type()
    raw = [Example(workspace, "shared |c 0:1", kind), Example(workspace, "|h 0:1", kind)]
    for item, slot in (sends[0], ([0.0] * 4, [1.0, 1.0])):
        raw.append(Example(workspace, None, kind))
        for name, values in (("i", item), ("s", slot)):
            raw[-1].push_features(
                name, [(workspace.hash_space(name) + i, v) for i, v in enumerate(values)]
            )
    pylibvw.vw.predict_multi(workspace, raw)
    assert np.abs(np.array(raw[0].get_action_scores()) - right).max() > 0.01
