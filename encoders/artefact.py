"""A fitted encoder on disk: weights as safetensors, everything else as JSON, never pickle.

An encoder and a folder enter; two files leave, or an encoder comes back with identical
vectors. A file of another kind, version, schema or content is refused by name. Format:
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from bandit.errors import BadInputError, ForeignFileError
from bandit.events import ACTIONS
from encoders.config import EncoderConfig, config_of
from encoders.encoder import TwoStreamEncoder
from encoders.network import Network

__all__ = ["FORMAT", "VERSION", "load_encoder", "save_encoder", "schema_hash"]

FORMAT = "opportune.two-stream-encoder"
VERSION = 1

_WEIGHTS = "encoder.safetensors"
_DESCRIPTION = "encoder.json"
_ROTATION = "rotation"
_FIELDS = {"weights_sha256", "zone", "notes"}


def save_encoder(encoder: TwoStreamEncoder, folder: Path) -> None:
    """Write ``encoder.safetensors`` and ``encoder.json`` into ``folder``; JSON comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: w.contiguous() for name, w in encoder.network.state_dict().items()}
    weights[_ROTATION] = torch.from_numpy(np.ascontiguousarray(encoder.rotation))
    save_file(weights, folder / _WEIGHTS)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "schema": schema_hash(encoder.network.config),
        "weights_sha256": _sha256(folder / _WEIGHTS),
        "encoder_id": encoder.encoder_id,
        "zone": encoder.zone,
        "config": asdict(encoder.network.config),
        "notes": encoder.notes,
    }
    aside = folder / f".{_DESCRIPTION}.partial"
    aside.write_text(json.dumps(description, indent=1, sort_keys=True))
    aside.replace(folder / _DESCRIPTION)


def load_encoder(folder: Path) -> TwoStreamEncoder:
    """Read an encoder that :func:`save_encoder` wrote.

    Raises
    ------
    ForeignFileError
        If a file is missing, truncated, changed, or of another format, version or schema.
    """
    description = _description(folder / _DESCRIPTION)
    path = folder / _WEIGHTS
    if not path.exists() or _sha256(path) != description["weights_sha256"]:
        raise ForeignFileError(
            f"expected {path} with the contents that {_DESCRIPTION} names, found it missing or "
            "changed: copy both files of the artefact together"
        )
    try:
        config = config_of(description["config"])
        weights = load_file(path)
        rotation = weights.pop(_ROTATION).numpy()
        network = Network(config)
        network.load_state_dict(weights)
    except (BadInputError, SafetensorError, KeyError, RuntimeError) as error:
        raise ForeignFileError(f"expected a whole encoder in {folder}, got: {error}") from error
    return TwoStreamEncoder(
        network, zone=description["zone"], rotation=rotation, notes=description["notes"]
    )


def schema_hash(config: EncoderConfig) -> str:
    """Hash of what inputs mean: the action vocabulary, the config, and the format's version."""
    meaning = json.dumps([VERSION, ACTIONS, asdict(config)], sort_keys=True)
    return hashlib.blake2b(meaning.encode(), digest_size=8).hexdigest()


def _description(path: Path) -> Mapping[str, Any]:
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ForeignFileError(f"expected an encoder's {path}, got: {error}") from error
    if not isinstance(description, dict):
        raise ForeignFileError(
            f"expected {path} to hold a JSON object, got {str(description)[:40]}"
        )
    found = (description.get("format"), description.get("version"))
    if found != (FORMAT, VERSION):
        raise ForeignFileError(
            f"expected {path} of format {FORMAT} version {VERSION}, got {found[0]} version "
            f"{found[1]}: train the encoder again with this version"
        )
    try:
        expected = schema_hash(config_of(description["config"]))
    except (BadInputError, KeyError, TypeError) as error:
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
