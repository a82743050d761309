"""A fitted encoder on disk: weights as safetensors, everything else as JSON, never pickle.

An encoder of the house and a folder enter; two files leave, or an encoder comes back with
identical vectors: the network, or the tabular one that stands in for it. A file of another
kind, version, schema or content is refused by name. Format:
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bandit.errors import BadInputError, ForeignFileError
from bandit.events import ACTIONS
from encoders.config import EncoderConfig, config_of
from encoders.encoder import TwoStreamEncoder
from encoders.network import Network
from encoders.tabular import TabularParameters, TabularRecencyEncoder

__all__ = ["FORMAT", "TABULAR_FORMAT", "VERSION", "load_encoder", "save_encoder", "schema_hash"]

FORMAT = "opportune.two-stream-encoder"
TABULAR_FORMAT = "opportune.tabular-recency-encoder"
VERSION = 1

_WEIGHTS = "encoder.safetensors"
_DESCRIPTION = "encoder.json"
_ROTATION = "rotation"
_FIELDS = {"weights_sha256", "encoder_id", "zone", "notes"}

Arrays = dict[str, NDArray[Any]]


def save_encoder(encoder: TwoStreamEncoder | TabularRecencyEncoder, folder: Path) -> None:
    """Write ``encoder.safetensors`` and ``encoder.json`` into ``folder``; JSON comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(encoder, TabularRecencyEncoder):
        kind, (arrays, config) = TABULAR_FORMAT, _parts(encoder.parameters)
    else:
        kind, config = FORMAT, asdict(encoder.network.config)
        arrays = {name: w.contiguous().numpy() for name, w in encoder.network.state_dict().items()}
        arrays[_ROTATION] = np.ascontiguousarray(encoder.rotation)
    aside = folder / f".{_WEIGHTS}.partial"
    save_file(arrays, aside)
    description = {
        "format": kind,
        "version": VERSION,
        "schema": _schema(config),
        "weights_sha256": _sha256(aside),
        "encoder_id": encoder.encoder_id,
        "zone": encoder.zone,
        "config": config,
        "notes": encoder.notes,
    }
    text = json.dumps(description, indent=1, sort_keys=True)
    aside.replace(folder / _WEIGHTS)
    aside = folder / f".{_DESCRIPTION}.partial"
    aside.write_text(text, encoding="utf-8")
    aside.replace(folder / _DESCRIPTION)


def load_encoder(folder: Path) -> TwoStreamEncoder | TabularRecencyEncoder:
    """Read an encoder that :func:`save_encoder` wrote, of the kind that it was.

    Raises
    ------
    ForeignFileError
        If a file is missing, truncated, changed, or of another format, version or schema.
    """
    description = _description(folder / _DESCRIPTION)
    path = folder / _WEIGHTS
    if not path.is_file() or _sha256(path) != description["weights_sha256"]:
        raise ForeignFileError(
            f"expected {path} with the contents that {_DESCRIPTION} names, found it missing or "
            "changed: copy both files of the artefact together"
        )
    build = _network if description["format"] == FORMAT else _tabular
    try:
        encoder = build(load_file(path), description)
    except (BadInputError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ForeignFileError(f"expected a whole encoder in {folder}, got: {error}") from error
    if encoder.encoder_id != description["encoder_id"]:
        raise ForeignFileError(
            f"expected encoder {description['encoder_id']} in {folder}, got {encoder.encoder_id}: "
            "its description was changed, or it was written by another version"
        )
    return encoder


def schema_hash(config: EncoderConfig) -> str:
    """Hash of what inputs mean: the action vocabulary, the config, and the format's version."""
    return _schema(asdict(config))


def _schema(config: Mapping[str, Any]) -> str:
    meaning = json.dumps([VERSION, ACTIONS, config], sort_keys=True)
    return hashlib.blake2b(meaning.encode(), digest_size=8).hexdigest()


def _parts(parameters: TabularParameters) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and plain numbers of the tabular encoder's parameters, by name."""
    named = {field.name: getattr(parameters, field.name) for field in fields(parameters)}
    arrays = {
        name: np.ascontiguousarray(value)
        for name, value in named.items()
        if isinstance(value, np.ndarray)
    }
    return arrays, {name: value for name, value in named.items() if name not in arrays}


def _tabular(arrays: Arrays, description: Mapping[str, Any]) -> TabularRecencyEncoder:
    named: dict[str, Any] = arrays | description["config"]
    return TabularRecencyEncoder(
        TabularParameters(**named), zone=description["zone"], notes=description["notes"]
    )


def _network(arrays: Arrays, description: Mapping[str, Any]) -> TwoStreamEncoder:
    rotation = arrays.pop(_ROTATION)
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network = Network(config_of(description["config"]))
    # Weights keep the precision they were stored in: a copy into others would change vectors.
    network.to(next(iter(weights.values())).dtype)
    network.load_state_dict(weights)
    return TwoStreamEncoder(
        network, zone=description["zone"], rotation=rotation, notes=description["notes"]
    )


def _description(path: Path) -> Mapping[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ForeignFileError(f"expected an encoder's {path}, got: {error}") from error
    if not isinstance(description, dict):
        raise ForeignFileError(
            f"expected {path} to hold a JSON object, got {str(description)[:40]}"
        )
    kind, version = description.get("format"), description.get("version")
    if kind not in (FORMAT, TABULAR_FORMAT) or version != VERSION:
        raise ForeignFileError(
            f"expected {path} of format {FORMAT} or {TABULAR_FORMAT} version {VERSION}, got "
            f"{kind} version {version}: train the encoder again with this version"
        )
    try:
        config = dict(description["config"])
        expected = schema_hash(config_of(config)) if kind == FORMAT else _schema(config)
    except (BadInputError, KeyError, TypeError, ValueError) as error:
        raise ForeignFileError(f"expected a whole description in {path}: {error}") from error
    if description.get("schema") != expected:
        raise ForeignFileError(
            f"expected schema {expected} in {path}, got {description.get('schema')}: the action "
            "vocabulary or the settings changed since it was written"
        )
    missing = sorted(_FIELDS - description.keys())
    if missing:
        raise ForeignFileError(f"expected {path} to tell {missing} too: write the artefact again")
    return description


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
