from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.vocabulary import codes_of, is_missing, last_known


@pytest.mark.parametrize(
    ("column", "missing"),
    [
        (pa.array(["a", "", "  ", None]), [False, True, True, True]),
        (pa.array([1.0, float("nan"), None]), [False, True, True]),
        (pa.array([0, None]), [False, True]),
        (pa.array(["a", "", None]).dictionary_encode(), [False, True, True]),
        (pa.chunked_array([["a"], [""]]), [False, True]),
        (pa.nulls(2), [True, True]),
        (pa.chunked_array([], pa.string()), []),
    ],
)
def test_what_says_nothing_is_missing(column: pa.Array, missing: list[bool]) -> None:
    """Whatever the kind of column."""
    assert is_missing(column).tolist() == missing


@given(st.lists(st.one_of(st.none(), st.sampled_from(["", "b", "a", "c"])), max_size=12))
def test_codes_lead_back_to_the_originals(words: list[str | None]) -> None:
    """Sorted, dense, and none for what is missing."""
    codes, originals = codes_of(pa.chunked_array([words], pa.string()))
    assert originals.to_pylist() == sorted({word for word in words if word})
    back = [None if code < 0 else originals[code].as_py() for code in codes]
    assert back == [word or None for word in words]


rows = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(0, 4), st.sampled_from(["x", "y", "", None])),
    max_size=15,
)


@given(rows)
def test_the_last_word_that_is_known_stays(table: list[tuple[int, int, str | None]]) -> None:
    """One row at a time, in order of time and, at one time, of words."""
    said: dict[int, str] = {}
    for code, _, word in sorted(table, key=lambda row: (row[1], row[2] or "")):
        if word and code >= 0:
            said[code] = word
    code, at_ms, word = (list(c) for c in zip(*table, strict=True)) if table else ([], [], [])
    found = last_known(
        pa.chunked_array([word], pa.string()),
        np.array(code, np.int64),
        at_ms=np.array(at_ms, np.int64),
        n_codes=4,
    )
    assert found.to_pylist() == [said.get(n) for n in range(4)]
