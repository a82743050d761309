from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bandit.errors import BadInputError, BadShapeError, ForeignFileError
from bandit.normalise import Normaliser

numbers = st.floats(-1e6, 1e6, allow_nan=False)


def columns(n: int = 200, *, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    spent = rng.lognormal(3, 1.5, n)
    spent[rng.random(n) < 0.2] = np.nan
    return {"spent": spent, "rating": rng.normal(3.5, 0.8, n), "visits": rng.poisson(0.3, n) * 1.0}


def test_a_normal_column_comes_out_with_mean_zero_and_deviation_one() -> None:
    x = np.random.default_rng(1).normal(40.0, 7.0, 20_000)
    out = Normaliser.fit({"x": x}).apply({"x": x})[:, 0]
    assert abs(np.median(out)) < 1e-12
    assert out.std() == pytest.approx(1.0, abs=0.03)


def test_median_and_range_worked_by_hand() -> None:
    """Of 0, 1, 2, 3, 4 the median is 2 and the quartiles are 1 and 3."""
    fitted = Normaliser.fit({"x": np.arange(5.0)})
    np.testing.assert_allclose(fitted.spread, [2 / 1.3489795], rtol=1e-6)
    np.testing.assert_allclose(fitted.apply({"x": np.array([4.0])}), [[1.3489795]], rtol=1e-6)


def test_one_huge_basket_moves_nothing() -> None:
    x = columns()["rating"]
    wild = np.append(x, 1e12)
    plain, robust = Normaliser.fit({"x": x}), Normaliser.fit({"x": wild})
    np.testing.assert_allclose(robust.spread, plain.spread, rtol=0.05)
    np.testing.assert_allclose(robust.centre, plain.centre, rtol=0.01)


def test_what_comes_later_does_not_leak_into_the_fit() -> None:
    """Whatever rows at or after the cut hold, the fit is the same to the bit."""
    early, later = columns(seed=1), columns(seed=2)
    at_ms = np.arange(400)
    fits = []
    for factor in (1.0, -1e5, np.nan):
        both = {name: np.append(early[name], factor * later[name]) for name in early}
        fits.append(Normaliser.fit(both, at_ms=at_ms, before_ms=200, logged=("spent",)))
    alone = Normaliser.fit(early, at_ms=at_ms[:200], before_ms=200, logged=("spent",))
    for fitted in fits:
        assert fitted.said() == alone.said()
        for name, array in alone.state().items():
            np.testing.assert_array_equal(fitted.state()[name], array)
    assert alone.n_rows == 200
    assert (alone.from_ms, alone.before_ms) == (0, 200)


def test_missing_values_come_out_as_the_training_median() -> None:
    fitted = Normaliser.fit(columns(), logged=("spent",))
    gone = {name: np.array([np.nan]) for name in fitted.names}
    np.testing.assert_array_equal(fitted.apply(gone), [[0.0, 0.0, 0.0]])
    at_fill = {name: np.array([fill]) for name, fill in zip(fitted.names, fitted.fill, strict=True)}
    np.testing.assert_allclose(fitted.apply(at_fill), [[0.0, 0.0, 0.0]], atol=1e-12)


def test_a_column_without_information_is_muted_for_ever() -> None:
    dull = {"constant": np.full(9, 0.1), "absent": np.full(9, np.nan), "x": np.arange(9.0)}
    fitted = Normaliser.fit(dull)
    assert fitted.is_muted.tolist() == [True, True, False]
    later = {"constant": np.array([7.0]), "absent": np.array([-3.0]), "x": np.array([4.0])}
    np.testing.assert_array_equal(fitted.apply(later), [[0.0, 0.0, 0.0]])


def test_a_count_that_is_mostly_zero_keeps_its_spread() -> None:
    rare = np.zeros(100)
    rare[:10] = 1.0
    fitted = Normaliser.fit({"rare": rare})
    np.testing.assert_allclose(fitted.spread, [0.3])


def test_signs_survive_the_logarithm() -> None:
    x = np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])
    out = Normaliser.fit({"x": x}, logged=("x",)).apply({"x": x})[:, 0]
    np.testing.assert_allclose(out, -out[::-1])
    assert (np.diff(out) > 0).all()


@given(x=hnp.arrays(np.float64, st.integers(1, 40), elements=numbers), is_logged=st.booleans())
def test_order_is_kept_and_nothing_overflows(x: np.ndarray, is_logged: bool) -> None:
    logged = ("x",) if is_logged else ()
    out = Normaliser.fit({"x": x}, logged=logged).apply({"x": x})[:, 0]
    assert np.isfinite(out).all()
    assert (np.diff(out[np.argsort(x, kind="stable")]) >= 0).all()


def test_other_columns_are_refused_by_name() -> None:
    fitted = Normaliser.fit(columns())
    renamed = {name.upper() if name == "rating" else name: c for name, c in columns().items()}
    with pytest.raises(BadInputError, match=r"missing: \['rating'\], unknown: \['RATING'\]"):
        fitted.apply(renamed)


def test_the_order_of_columns_does_not_matter_when_applying() -> None:
    named = columns()
    fitted = Normaliser.fit(named)
    turned = dict(reversed(named.items()))
    np.testing.assert_array_equal(fitted.apply(turned), fitted.apply(named))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"columns": {}}, "logged columns"),
        ({"columns": {"x": np.ones(2)}, "logged": ("y",)}, r"got \['y'\]"),
        ({"columns": {"x": np.array([1.0, np.inf])}}, "infinity in column 'x' at row 1"),
        ({"columns": {"x": np.array(["a"])}}, "'x' to hold numbers"),
        ({"columns": {"x": np.ones(2)}, "at_ms": np.arange(2)}, "together"),
        ({"columns": {"x": np.ones(2)}, "at_ms": np.arange(2), "before_ms": 0}, "none of 2"),
        ({"columns": {"x": np.ones(0)}}, "none of 0"),
    ],
)
def test_rubbish_is_refused_with_a_reason(arguments: dict, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        Normaliser.fit(**arguments)


def test_columns_of_unlike_length_are_refused() -> None:
    with pytest.raises(BadShapeError, match="columns of one length"):
        Normaliser.fit({"x": np.ones(2), "y": np.ones(3)})
    with pytest.raises(BadShapeError, match="one instant a row"):
        Normaliser.fit({"x": np.ones(2)}, at_ms=np.arange(3), before_ms=2)


def test_an_arrow_table_with_nulls_is_read_like_columns_with_nan() -> None:
    table = pa.table({"n": pa.array([1, None, 3, 5], pa.int64()), "x": [0.5, 1.5, None, 2.5]})
    plain = {"n": np.array([1, np.nan, 3, 5]), "x": np.array([0.5, 1.5, np.nan, 2.5])}
    fitted = Normaliser.fit(table)
    np.testing.assert_array_equal(fitted.apply(table), Normaliser.fit(plain).apply(plain))


def test_it_is_stored_and_found_again_to_the_bit(tmp_path: Path) -> None:
    named = columns() | {"dull": np.ones(200)}
    fitted = Normaliser.fit(named, at_ms=np.arange(200), before_ms=150, logged=("spent",))
    fitted.save(tmp_path)
    again = Normaliser.open(tmp_path)
    assert json.dumps(again.said()) == json.dumps(fitted.said())
    np.testing.assert_array_equal(again.apply(named), fitted.apply(named))


def test_a_foreign_state_is_refused() -> None:
    fitted = Normaliser.fit(columns())
    with pytest.raises(ForeignFileError, match="whole normaliser"):
        Normaliser.load({}, fitted.said())
    short = fitted.state() | {"centre": np.zeros(1)}
    with pytest.raises(ForeignFileError, match="whole normaliser"):
        Normaliser.load(short, fitted.said())
    with pytest.raises(BadInputError, match="spreads above 0"):
        Normaliser(
            names=("x",),
            is_logged=np.zeros(1, bool),
            centre=np.zeros(1),
            spread=np.zeros(1),
            n_rows=1,
        )
