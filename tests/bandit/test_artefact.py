from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bandit.artefact import read_artefact, write_artefact
from bandit.errors import ForeignFileError

ARRAYS = {"file": np.arange(3), "w": np.array([[np.nan, np.inf]]), "names": np.array(["é", "b"])}


def written(folder: Path) -> Path:
    write_artefact(folder, ARRAYS, kind="thing", version=2, said={"zone": "UTC", "n": [1, None]})
    return folder


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    arrays, said = read_artefact(written(tmp_path / "new"), kind="thing", version=2)
    assert said == {"zone": "UTC", "n": [1, None]}
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_writing_again_replaces_it(tmp_path: Path) -> None:
    write_artefact(written(tmp_path), {"w": np.ones(1)}, kind="thing", version=2, said={})
    arrays, _ = read_artefact(tmp_path, kind="thing", version=2)
    assert list(arrays) == ["w"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.npz", "artefact.json"]


def test_the_same_arrays_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever they are written."""
    first = written(tmp_path / "one")
    monkeypatch.setattr("time.time", lambda: 2e9)
    second = written(tmp_path / "two")
    for name in ("arrays.npz", "artefact.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_objects_are_refused_when_writing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_artefact(tmp_path, {"w": np.array([{}])}, kind="thing", version=1, said={})
    with pytest.raises(ForeignFileError, match=r"artefact\.json"):
        read_artefact(tmp_path, kind="thing", version=1)


@pytest.mark.parametrize(("kind", "version"), [("other", 2), ("thing", 3)])
def test_another_kind_or_version_is_refused(tmp_path: Path, kind: str, version: int) -> None:
    with pytest.raises(ForeignFileError, match="got thing of version 2"):
        read_artefact(written(tmp_path), kind=kind, version=version)


def test_changed_missing_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    arrays = written(tmp_path) / "arrays.npz"
    whole = arrays.read_bytes()
    for broken in (whole[:-20], whole[:-1] + b"!", b""):
        arrays.write_bytes(broken)
        with pytest.raises(ForeignFileError, match=r"arrays\.npz"):
            read_artefact(tmp_path, kind="thing", version=2)
    arrays.unlink()
    with pytest.raises(ForeignFileError, match=r"arrays\.npz"):
        read_artefact(tmp_path, kind="thing", version=2)
    for text in ("", "[]", "{", json.dumps({"kind": "thing"})):
        (tmp_path / "artefact.json").write_text(text)
        with pytest.raises(ForeignFileError, match=r"artefact\.json"):
            read_artefact(tmp_path, kind="thing", version=2)
