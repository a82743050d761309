"""The outcome log: every raw outcome that was heard, beside the decision log.

Outcomes enter as they are told, late, twice and in disorder; one Parquet file a batch leaves,
durable when :meth:`OutcomeWriter.append` returns; the same table comes back in the order of
telling. What is heard twice is written twice: :mod:`bandit.heard_outcomes` keeps each once. Same
rules as :mod:`bandit.log`; format: Apache Parquet with a versioned schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.errors import BadInputError, ForeignFileError
from bandit.outcomes import Outcomes
from bandit.parquet_files import NumberedFiles

__all__ = ["OUTCOME_SCHEMA", "OutcomeWriter", "read_outcomes"]

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("outcome_id", pa.int64(), nullable=False),
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("user", pa.int64(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("received_ms", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("decision_id", pa.int64(), nullable=False),
        pa.field("corrects", pa.int64(), nullable=False),
        pa.field("currency", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ],
    metadata={b"kind": b"opportune outcome log", b"version": b"1"},
)

_FILES = NumberedFiles(stem="outcomes", what="outcome log", schema=OUTCOME_SCHEMA)


@dataclass(slots=True)
class OutcomeWriter:
    """Appends outcomes to a folder of Parquet files, which may be that of the decision log.

    Parameters
    ----------
    folder : Path
        Where the files go; made if absent. Files of earlier writers stay, numbers go on.
    """

    folder: Path
    _number: int = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._number = _FILES.next_number(self.folder)

    def append(self, outcomes: Outcomes) -> None:
        """Make one batch durable; a batch without rows says nothing and has no file.

        Raises
        ------
        StateError
            If another writer has appended to the folder; nothing of its log is touched.
        """
        if not outcomes.n_rows:
            return
        columns = [_column(getattr(outcomes, column.name), column) for column in OUTCOME_SCHEMA]
        table = pa.Table.from_arrays(columns, schema=OUTCOME_SCHEMA)
        _FILES.write_new(self.folder, self._number, table)
        self._number += 1


def read_outcomes(path: Path) -> Outcomes:
    """Read an outcome file, or a folder of them, in the order of telling.

    Raises
    ------
    ForeignFileError
        For a truncated or foreign file, one of another version, one that is missing between
        others, or one whose rows are no outcomes, by name.
    """
    table = _FILES.read_all(path)
    columns = {name: np.asarray(table[name]) for name in OUTCOME_SCHEMA.names}
    columns["currency"] = columns["currency"].astype(np.str_)
    try:
        return Outcomes(**columns)
    except BadInputError as error:
        raise ForeignFileError(f"expected outcomes in {path}: {error}") from error


def _column(values: NDArray[Any], field: pa.Field) -> pa.Array:
    if not pa.types.is_dictionary(field.type):
        return pa.array(values, field.type)
    words, where = np.unique(values, return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(where.astype(np.int32)), pa.array(words.astype(object), pa.string())
    )
