"""Numbers of any size to numbers near one, by what the training range alone has shown.

Named columns enter; a matrix whose columns have median 0 and robust spread 1 on the training
range leaves. Fitted once, on rows before an instant, and stored with the artefact that was
trained on it: what comes later is measured by the same stick. Long-tailed columns (counts,
money, ages) are read on a signed log scale first. Median and interquartile range, because a
handful of huge baskets would set a mean and a standard deviation. Reference: Huber (1981),
"Robust Statistics", ch. 5, on scale estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.artefact import read_artefact, write_artefact
from bandit.errors import BadInputError, ForeignFileError, expect_shape

__all__ = ["Normaliser"]

Array = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, NDArray[Any]] | pa.Table

_KIND, _VERSION = "opportune normaliser", 1
_IQR_OF_NORMAL = 1.3489795003921634  # so that a normal column comes out with a deviation of 1
_LEAST = 1e-30
_MUTED = np.inf  # dividing by it leaves 0, whatever comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Normaliser:
    """Centre and spread of D columns, and where they were learned.

    A column that is constant or missing all over the training range says nothing and comes out
    as 0 for ever. A missing value comes out as 0, that is, as the training median.

    Parameters
    ----------
    names : tuple of str
        Columns, in the order of the matrix.
    is_logged : ndarray of bool, (D,)
        Read as sign(x)·log(1 + abs(x)) first.
    centre, spread : ndarray, (D,)
        Median and robust deviation, after the logarithm; an infinite spread mutes a column.
    n_rows : int
        Rows it was fitted on.
    from_ms, before_ms : int or None
        The training range [from, before); None where the columns carry no time.

    Examples
    --------
    >>> columns = {"spent": np.array([0.0, 10.0, 20.0, 1e9])}
    >>> fitted = Normaliser.fit(columns, at_ms=np.array([1, 2, 3, 99]), before_ms=50)
    >>> fitted.apply({"spent": np.array([10.0, np.nan])}).ravel()
    array([0., 0.])
    """

    names: tuple[str, ...]
    is_logged: NDArray[np.bool_]  # (D,)
    centre: Array  # (D,)
    spread: Array  # (D,)
    n_rows: int
    from_ms: int | None = None
    before_ms: int | None = None

    def __post_init__(self) -> None:
        for name in ("is_logged", "centre", "spread"):
            expect_shape(name, getattr(self, name), (len(self.names),), "one entry a column")
        if not np.isfinite(self.centre).all() or not (self.spread > 0).all():
            raise BadInputError("expected finite centres and spreads above 0")

    @classmethod
    def fit(
        cls,
        columns: Columns,
        *,
        at_ms: NDArray[np.int64] | None = None,
        before_ms: int | None = None,
        logged: tuple[str, ...] = (),
    ) -> Normaliser:
        """Learn centre and spread from the rows before an instant.

        Parameters
        ----------
        columns : mapping or pyarrow.Table
            Columns of numbers, (M,) each; NaN and null are missing.
        at_ms : ndarray, (M,), optional
            When each row was known. Given with ``before_ms``; without both, every row is of the
            training range.
        before_ms : int, optional
            End of the training range; rows at it or later are not looked at.
        logged : tuple of str
            Long-tailed columns, read on a log scale.

        Raises
        ------
        BadInputError
            For infinite values, unknown names in ``logged``, or no row in the training range.
        """
        named = _columns_of(columns)
        names = tuple(named)
        unknown = sorted(set(logged) - set(names))
        if unknown or not names:
            raise BadInputError(f"expected logged columns out of {list(names)}, got {unknown}")
        matrix = _matrix(named, names)
        rows = _training_rows(len(matrix), at_ms, before_ms)
        is_logged = np.isin(np.array(names), np.array(logged, dtype=object).astype(str))
        centre, spread = _centre_and_spread(_scaled(matrix[rows], is_logged))
        return cls(
            names=names,
            is_logged=is_logged,
            centre=centre,
            spread=spread,
            n_rows=int(rows.sum()),
            from_ms=None if at_ms is None else int(at_ms[rows].min()),
            before_ms=before_ms,
        )

    @property
    def fill(self) -> Array:
        """What stands in for a missing value, in the column's own unit, (D,)."""
        back = np.sign(self.centre) * np.expm1(np.abs(self.centre))
        return np.where(self.is_logged, back, self.centre)

    @property
    def is_muted(self) -> NDArray[np.bool_]:
        """True where the training range was constant or empty, (D,)."""
        return np.isinf(self.spread)

    def apply(self, columns: Columns) -> Array:
        """Normalise M rows, (M, D), columns in the order of ``names``.

        Raises
        ------
        BadInputError
            For other columns than it was fitted on, or infinite values.
        """
        named = _columns_of(columns)
        if set(named) != set(self.names):
            missing = sorted(set(self.names) - set(named))
            extra = sorted(set(named) - set(self.names))
            raise BadInputError(
                f"expected the columns this was fitted on, missing: {missing}, unknown: {extra}: "
                "give the same columns, or fit again"
            )
        scaled = _scaled(_matrix(named, self.names), self.is_logged)
        return np.asarray(np.where(np.isnan(scaled), 0.0, (scaled - self.centre) / self.spread))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, as named arrays."""
        return {
            "is_logged": self.is_logged.copy(),
            "centre": self.centre.copy(),
            "spread": self.spread.copy(),
        }

    def said(self) -> dict[str, Any]:
        """Return what JSON can say of it: columns, rows and the range it was fitted on."""
        return {
            "names": list(self.names),
            "n_rows": self.n_rows,
            "from_ms": self.from_ms,
            "before_ms": self.before_ms,
        }

    @classmethod
    def load(cls, state: Mapping[str, NDArray[Any]], said: Mapping[str, Any]) -> Normaliser:
        """Restore what :meth:`state` and :meth:`said` returned, bit by bit."""
        try:
            return cls(
                names=tuple(str(name) for name in said["names"]),
                is_logged=np.array(state["is_logged"], np.bool_),
                centre=np.array(state["centre"], np.float64),
                spread=np.array(state["spread"], np.float64),
                n_rows=int(said["n_rows"]),
                from_ms=said["from_ms"],
                before_ms=said["before_ms"],
            )
        except (KeyError, TypeError, BadInputError) as error:
            raise ForeignFileError(f"expected a whole normaliser, got: {error!r}") from error

    def save(self, folder: Path) -> None:
        """Write it beside what was trained on it."""
        write_artefact(folder, self.state(), kind=_KIND, version=_VERSION, said=self.said())

    @classmethod
    def open(cls, folder: Path) -> Normaliser:
        """Read what :meth:`save` wrote, or refuse it by name."""
        return cls.load(*read_artefact(folder, kind=_KIND, version=_VERSION))


def _columns_of(columns: Columns) -> dict[str, NDArray[Any]]:
    if isinstance(columns, pa.Table):
        # Nulls of an integer column become NaN on the way.
        return {n: columns[n].to_numpy(zero_copy_only=False) for n in columns.column_names}
    return dict(columns)


def _matrix(columns: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> Array:
    """Columns side by side, (M, D), missing as NaN."""
    n_rows = len(columns[names[0]])
    matrix = np.empty((n_rows, len(names)))
    for position, name in enumerate(names):
        column = np.asarray(columns[name])
        expect_shape(name, column, (n_rows,), "columns of one length")
        if column.dtype.kind not in "biuf":
            raise BadInputError(f"expected column {name!r} to hold numbers, got {column.dtype}")
        matrix[:, position] = column
    if np.isinf(matrix).any():
        row, position = np.argwhere(np.isinf(matrix))[0]
        raise BadInputError(
            f"expected finite or missing numbers, got infinity in column {names[position]!r} at "
            f"row {row}: mend the feature, or leave it missing"
        )
    return matrix


def _training_rows(
    n_rows: int, at_ms: NDArray[np.int64] | None, before_ms: int | None
) -> NDArray[np.bool_]:
    if (at_ms is None) != (before_ms is None):
        raise BadInputError("expected at_ms and before_ms together, got one of them")
    rows = np.ones(n_rows, np.bool_)
    if at_ms is not None and before_ms is not None:
        expect_shape("at_ms", at_ms, (n_rows,), "one instant a row")
        rows = at_ms < before_ms
    if not rows.any():
        raise BadInputError(
            f"expected rows of the training range, got none of {n_rows} before {before_ms} ms"
        )
    return rows


def _scaled(matrix: Array, is_logged: NDArray[np.bool_]) -> Array:
    return np.where(is_logged, np.sign(matrix) * np.log1p(np.abs(matrix)), matrix)


def _centre_and_spread(scaled: Array) -> tuple[Array, Array]:
    """Median and robust deviation of each column; the plain deviation where half are equal."""
    d = scaled.shape[1]
    centre, spread = np.zeros(d), np.full(d, _MUTED)
    for column in range(d):
        known = scaled[~np.isnan(scaled[:, column]), column]
        if not len(known):
            continue
        low, centre[column], high = np.quantile(known, [0.25, 0.5, 0.75])
        # Most rows of a count are often 0: then the range of the middle half says nothing.
        robust = (high - low) / _IQR_OF_NORMAL
        width = robust if robust > 0 else float(known.std())
        # Rounding must not make a spread of a constant.
        if width > max(1e-12 * abs(centre[column]), _LEAST):
            spread[column] = width
    return centre, spread
