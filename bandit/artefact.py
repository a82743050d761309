"""Anything fitted, on disk: named arrays in one file, what they mean as JSON in another.

Named arrays and a plain description enter; a folder with ``arrays.npz`` and ``artefact.json``
leaves, and the same comes back or is refused by name. Never pickle. The description is
written last and holds the digest of the arrays, so a half-written pair is never read. The same
arrays are the same bytes. Format: NumPy's ``.npz`` with ``allow_pickle=False``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import ForeignFileError

__all__ = ["read_artefact", "write_artefact"]

_ARRAYS = "arrays.npz"
_DESCRIPTION = "artefact.json"


def write_artefact(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    *,
    kind: str,
    version: int,
    said: Mapping[str, Any],
) -> None:
    """Write named arrays and their description into ``folder``.

    Parameters
    ----------
    folder : Path
        Made if absent; an artefact that is there is replaced.
    arrays : mapping
        Arrays of numbers or text; objects are refused.
    kind, version : str, int
        What it is; :func:`read_artefact` asks for the same.
    said : mapping
        Anything that JSON can say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{_ARRAYS}.partial"
    # One by one, because an array may be called "file" and savez takes names as keywords.
    with zipfile.ZipFile(aside, "w") as archive:
        for name, array in arrays.items():
            # Without a date of its own, the archive would carry the hour it was written at.
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
    aside.replace(folder / _ARRAYS)
    description = {
        "kind": kind,
        "version": version,
        "arrays_sha256": _sha256(folder / _ARRAYS),
        "said": dict(said),
    }
    aside = folder / f".{_DESCRIPTION}.partial"
    aside.write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")
    aside.replace(folder / _DESCRIPTION)


def read_artefact(
    folder: Path, *, kind: str, version: int
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`write_artefact` wrote.

    Returns
    -------
    arrays : dict of ndarray
        By name.
    said : dict
        The description.

    Raises
    ------
    ForeignFileError
        If a file is missing, truncated or changed, or of another kind or version.
    """
    path = folder / _DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = (description["kind"], description["version"])
        digest, said = description["arrays_sha256"], dict(description["said"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForeignFileError(
            f"expected the description of a {kind} at {path}, reading it failed: {error}"
        ) from error
    if found != (kind, version):
        raise ForeignFileError(
            f"expected {path} to describe a {kind} of version {version}, got {found[0]} of "
            f"version {found[1]}: read it with what wrote it, or fit again"
        )
    if not (folder / _ARRAYS).is_file() or _sha256(folder / _ARRAYS) != digest:
        raise ForeignFileError(
            f"expected {folder / _ARRAYS} with the contents that {_DESCRIPTION} names, found it "
            "missing or changed: copy both files of the artefact together"
        )
    with np.load(folder / _ARRAYS, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}, said


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
