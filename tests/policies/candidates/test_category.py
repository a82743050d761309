from __future__ import annotations

import doctest
import math
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import HOLD, Observation, SlotGrid, assemble
from bandit.artefact import read_artefact, write_artefact
from bandit.behaviour_rows import Behaviour, read_behaviour
from bandit.decide import Stamp, decide, decision_ids
from bandit.errors import BadInputError, ForeignFileError
from bandit.floor import Floor
from policies.candidates import category as module
from policies.candidates.category import CategoryModel
from policies.exploration import best_action

NAMES = ("books", "coffee", "dinner", "gadgets")


def true_chances(time: np.ndarray, freq: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Chance that each category is taken up, (N, 4), outside the model's own family.

    Coffee in the morning, dinner at seven in the evening, gadgets for big spenders, books
    late and for those who come often; between two and five at night hardly anything at all.
    """
    awake = np.where((time > 2 / 24) & (time < 5 / 24), 0.002, 0.5)
    wish = np.column_stack(
        [
            0.2 + 1.5 * (time > 0.85) + 0.05 * np.minimum(freq, 20),
            0.1 + 4.0 * np.exp(-(((time - 0.33) / 0.08) ** 2)),
            0.1 + 4.0 * np.exp(-(((time - 0.79) / 0.06) ** 2)),
            0.1 + 0.02 * amount,
        ]
    )
    return awake[:, None] * wish / wish.sum(axis=1, keepdims=True)


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, frequencies and amounts, and what was taken up: −1 for nothing."""
    rng = np.random.default_rng(seed)
    time, freq = rng.random(n), rng.poisson(4, n).astype(float)
    amount = np.round(rng.lognormal(3, 1, n), 2)
    edges = true_chances(time, freq, amount).cumsum(axis=1)
    taken = (edges < rng.random((n, 1))).sum(axis=1)
    return time, freq, amount, np.where(taken == 4, -1, taken)


def write_csv(path: Path, n: int = 20_000, seed: int = 1) -> Path:
    time, freq, amount, taken = sample(n, seed)
    rng = np.random.default_rng(seed + 1)
    seen = np.where(taken < 0, rng.integers(0, 4, n), taken)
    actions = np.where(taken < 0, "view", rng.choice(["purchase", "click"], n))
    lines = [
        f"{t:.5f},{f:.0f},{a},{NAMES[c]},{action}"
        for t, f, a, c, action in zip(time, freq, amount, seen, actions, strict=True)
    ]
    path.write_text("\n".join(["time,freq,amount,category,action", *lines]))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CategoryModel:
    """The model, trained on twenty thousand rows of a file."""
    path = write_csv(tmp_path_factory.mktemp("shape") / "user_behavior.csv")
    return CategoryModel.fit(read_behaviour(path))


def test_the_five_lines_of_the_docstring_run_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "user_behavior.csv", n=4_000)
    monkeypatch.chdir(tmp_path)
    example = doctest.DocTestParser().get_doctest(str(module.__doc__), {}, "example", None, None)
    assert len(example.examples) == 5
    said: list[str] = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


def test_predictions_come_close_to_the_best_that_is_possible(model: CategoryModel) -> None:
    """On new rows that took something up, and in the value of what is pushed."""
    time, freq, amount, taken = sample(40_000, seed=7)
    truth = true_chances(time, freq, amount)
    worth = model.worths(time, freq, amount)
    found = taken >= 0
    accuracy = (worth[found].argmax(axis=1) == taken[found]).mean()
    best = (truth[found].argmax(axis=1) == taken[found]).mean()
    popular = (taken[found] == np.bincount(taken[found]).argmax()).mean()
    assert best - accuracy < 0.01, (accuracy, best)
    assert accuracy > popular + 0.15, (accuracy, popular)
    ours = np.where(worth.max(axis=1) > 0.01, truth[np.arange(40_000), worth.argmax(1)] - 0.01, 0)
    oracle = np.maximum(truth.max(axis=1) - 0.01, 0)
    assert ours.mean() > 0.97 * oracle.mean()
    assert np.abs(worth.sum(axis=1).mean() - truth.sum(axis=1).mean()) < 0.01


def test_nothing_is_pushed_where_the_best_is_not_worth_a_send(model: CategoryModel) -> None:
    """At half past three at night hardly anything is taken up; a send that costs more holds."""
    day, night = model.worths([0.33, 3.5 / 24], [4, 4], [20, 20]).max(axis=1)
    assert night < 0.05 < day
    dear = CategoryModel(
        categories=model.categories,
        weights=model.weights,
        normaliser=model.normaliser,
        send_cost=0.06,
        n_rows=model.n_rows,
    )
    held = dear.predict_category(3.5 / 24, 4, 20)
    assert (held.action, held.is_send) == (HOLD, False)
    assert str(held).startswith("hold: the best category")
    pushed = dear.predict_category(0.33, 4, 20)
    assert (pushed.category, pushed.is_send) == ("coffee", True)
    assert str(pushed).startswith("push 'coffee' now")
    assert pushed.action == 1 + model.categories.index("coffee")
    assert pushed.ranking[0] == ("coffee", pushed.probability)
    assert sum(p for _, p in pushed.ranking) < 1


def test_a_file_of_successes_only_gives_shares_among_them() -> None:
    rows = behaviour(category=[0] * 30 + [1] * 10, worth=[1.0] * 40)
    model = CategoryModel.fit(rows)
    push = model.predict_category(0.5, 1, 1)
    assert push.category == "a"
    assert push.probability == pytest.approx(0.75, abs=1e-6)
    assert sum(p for _, p in push.ranking) == pytest.approx(1.0)


def test_a_category_that_was_never_taken_up_is_no_candidate() -> None:
    rows = behaviour(category=[0, 1, 2, 2] * 10, worth=[1.0, 0.0, 1.0, 0.0] * 10)
    model = CategoryModel.fit(rows)
    assert model.categories == ("a", "c")
    np.testing.assert_allclose(model.worths(0.5, 1, 1), [[0.25, 0.25]], atol=1e-6)


def test_worths_between_0_and_1_give_expected_worth() -> None:
    """Half the rows are worth .2 to one category: on average .1."""
    rows = behaviour(category=[0, 0] * 50, worth=[0.2, 0.0] * 50)
    assert CategoryModel.fit(rows).predict_category(0.5, 1, 1).probability == pytest.approx(0.1)


def test_a_single_row_and_missing_sizes_are_enough_to_answer() -> None:
    model = CategoryModel.fit(behaviour(category=[0], worth=[1.0]))
    push = model.predict_category(0.0, math.nan, math.nan)
    assert (push.category, push.probability) == ("a", 1.0)


def test_trends_and_cycles_of_time_are_both_learned() -> None:
    """What differs at the two ends of a period is not smoothed into one."""
    time = np.linspace(0, 1, 2000)
    early = CategoryModel.fit(behaviour(category=(time > 0.5) * 1, worth=time * 0 + 1, time=time))
    assert early.predict_category(0.01, 1, 1).category == "a"
    assert early.predict_category(0.99, 1, 1).category == "b"


def behaviour(category: object, worth: object, time: object = None) -> Behaviour:
    codes = np.asarray(category, np.int64)
    ones = np.ones(len(codes))
    return Behaviour(
        time=0.5 * ones if time is None else np.asarray(time),
        freq=ones,
        amount=ones,
        category=codes,
        worth=np.asarray(worth, np.float64),
        categories=("a", "b", "c")[: codes.max() + 1],
        report=None,  # type: ignore[arg-type]
    )


def test_rubbish_is_refused_with_what_to_do(model: CategoryModel) -> None:
    with pytest.raises(BadInputError, match="divide hours of the day by 24"):
        model.predict_category(13.5, 3, 10)
    with pytest.raises(BadInputError, match=r"from 0 to 1.*got nan"):
        model.predict_category(math.nan, 3, 10)
    with pytest.raises(BadInputError, match="infinity in column 'amount'"):
        model.predict_category(0.5, 3, math.inf)
    with pytest.raises(BadInputError, match="of one length"):
        model.worths([0.1, 0.2], [1.0], [1.0])
    with pytest.raises(BadInputError, match="1 to 4 items"):
        model.short_list(0.5, 1, 1, n_items=5)
    with pytest.raises(BadInputError, match="positive action"):
        CategoryModel.fit(behaviour(category=[0, 1], worth=[0.0, 0.0]))
    rows = behaviour(category=[0, 1], worth=[1.0, 0.0])
    for wrong in ({"ridge": 0.0}, {"ridge": math.nan}, {"send_cost": -1}, {"send_cost": math.nan}):
        with pytest.raises(BadInputError, match="ridge > 0"):
            CategoryModel.fit(rows, **wrong)
    with pytest.raises(BadInputError, match="expected numbers as time"):
        model.predict_category("noon", 3, 10)  # type: ignore[arg-type]


def test_it_is_stored_and_found_again_to_the_bit(model: CategoryModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = CategoryModel.load(tmp_path)
    time, freq, amount, _ = sample(50, seed=3)
    np.testing.assert_array_equal(
        again.worths(time, freq, amount), model.worths(time, freq, amount)
    )
    assert again.predict_category(0.3, 2, 5) == model.predict_category(0.3, 2, 5)
    (tmp_path / "arrays.npz").write_bytes(b"")
    with pytest.raises(ForeignFileError, match=r"arrays\.npz"):
        CategoryModel.load(tmp_path)


def test_a_foreign_model_is_refused(model: CategoryModel, tmp_path: Path) -> None:
    """One category too many for its weights, or one that is no number."""
    model.save(tmp_path)
    arrays, said = read_artefact(tmp_path, kind="opportune category model", version=1)
    for wrong in ({"categories": ["a"]}, {"send_cost": None}, {"n_rows": "many"}):
        write_artefact(
            tmp_path, arrays, kind="opportune category model", version=1, said=said | wrong
        )
        with pytest.raises(ForeignFileError, match="expected"):
            CategoryModel.load(tmp_path)


def test_its_short_list_goes_through_decide_as_item_times_now(model: CategoryModel) -> None:
    """One slot, the likeliest three categories: the greedy choice is what it would push."""
    time, freq, amount, _ = sample(20, seed=4)
    short = model.short_list(time, freq, amount, n_items=3)
    assert (np.diff(short.features[:, :, 0], axis=1) <= 0).all()
    at_ms = np.full(20, 1_700_000_000_000)
    observation = Observation(
        user=np.arange(20),
        at_ms=at_ms,
        zone=np.full(20, "UTC"),
        context=np.column_stack([time, freq, amount]),
        slot_features=np.ones((20, 1, 1)),
        grid=SlotGrid(start_ms=at_ms[:, None], end_ms=at_ms[:, None] + 1),
    )
    request = assemble(observation, short)
    scores = np.column_stack([np.full(20, model.send_cost), short.features[:, :, 0]])
    decisions = decide(
        best_action(scores, request.mask),
        request,
        key=1,
        stamp=Stamp(policy="greedy", state_seq=0, floor=Floor(hold=0, send=0, item=0, slot=0)),
        decision_id=decision_ids(at_ms),
    )
    pushes = [model.predict_category(t, f, a) for t, f, a in zip(time, freq, amount, strict=True)]
    planned = np.where(decisions.item < 0, HOLD, 1 + decisions.item)
    assert planned.tolist() == [push.action for push in pushes]
