from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bandit.errors import ForeignFileError
from bandit.events import Histories
from encoders.artefact import load_encoder, save_encoder, schema_hash
from encoders.config import EncoderConfig, config_of
from encoders.encoder import TwoStreamEncoder

MakeEncoder = Callable[..., TwoStreamEncoder]


@pytest.fixture
def stored(make_encoder: MakeEncoder, tmp_path: Path) -> Path:
    encoder = make_encoder()
    encoder.network.float()
    encoder.notes = {"n_steps": 3}
    save_encoder(encoder, tmp_path / "kept")
    return tmp_path / "kept"


def changed(folder: Path, **values: Any) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_every_weight_comes_back_bit_by_bit(make_encoder: MakeEncoder, tmp_path: Path) -> None:
    """O27."""
    encoder = make_encoder()
    encoder.network.float()
    encoder.rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))[0]
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    assert isinstance(again, TwoStreamEncoder)
    mine, theirs = encoder.network.state_dict(), again.network.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    np.testing.assert_array_equal(again.rotation, encoder.rotation)
    assert again.network.config == encoder.network.config


def test_a_loaded_encoder_answers_as_the_one_stored(
    make_encoder: MakeEncoder, random_histories: Callable[..., Histories], tmp_path: Path
) -> None:
    """O27: scores and slot chances too."""
    encoder = make_encoder()
    encoder.network.float()
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    histories = random_histories([9, 0])
    at = np.full((2, 1), 1_760_000_000_000)
    slots = {"start_ms": at[:, :, None] + 3_600_000, "end_ms": at[:, :, None] + 9_000_000}
    items = np.arange(7)
    mine = encoder.answer(histories, at, items=items, **slots)
    theirs = again.answer(histories, at, items=items, **slots)
    for name in ("context", "item_scores", "slot_probabilities"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def test_weights_come_back_in_the_precision_they_were_stored_in(
    make_encoder: MakeEncoder, random_histories: Callable[..., Histories], tmp_path: Path
) -> None:
    encoder = make_encoder()
    save_encoder(encoder, tmp_path)
    histories, at = random_histories([9]), np.full((1, 1), 1_760_000_000_000)
    np.testing.assert_array_equal(
        load_encoder(tmp_path).encode(histories, at), encoder.encode(histories, at)
    )


def test_an_artefact_that_is_there_is_replaced_whole(
    make_encoder: MakeEncoder, stored: Path
) -> None:
    other = make_encoder(width=8)
    save_encoder(other, stored)
    assert load_encoder(stored).encoder_id == other.encoder_id
    assert len(list(stored.iterdir())) == 2


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Mars/Olympus", 5])
def test_a_description_that_was_changed_is_refused(stored: Path, zone: Any) -> None:
    """The zone is in no weight and no schema; the encoder's name has it."""
    changed(stored, zone=zone)
    with pytest.raises(ForeignFileError, match="expected"):
        load_encoder(stored)


def test_settings_that_cannot_be_are_refused_by_name(stored: Path) -> None:
    whole = json.loads((stored / "encoder.json").read_text())
    for name, value in (("n_heads", 0), ("width", "wide"), ("hazard_edges_h", [])):
        changed(stored, config=whole["config"] | {name: value})
        with pytest.raises(ForeignFileError, match="whole description"):
            load_encoder(stored)


def test_the_folder_holds_two_files_and_neither_is_a_pickle(stored: Path) -> None:
    assert sorted(path.name for path in stored.iterdir()) == ["encoder.json", "encoder.safetensors"]
    for path in stored.iterdir():
        content = path.read_bytes()
        assert content[:1] != pickle.PROTO
        assert not zipfile.is_zipfile(path)


def test_a_pickle_in_the_place_of_weights_is_not_opened(stored: Path) -> None:
    with (stored / "encoder.safetensors").open("wb") as file:
        torch.save({"item": torch.zeros(2)}, file)
    with pytest.raises(ForeignFileError, match=r"encoder\.safetensors"):
        load_encoder(stored)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "another.kind"}, r"another\.kind"),
        ({"schema": "00"}, "got 00"),
        ({"config": {}}, "whole description"),
        ({"weights_sha256": "00"}, "missing or changed"),
    ],
)
def test_another_version_kind_schema_or_content_is_refused_by_name(
    stored: Path, values: dict[str, Any], why: str
) -> None:
    changed(stored, **values)
    with pytest.raises(ForeignFileError, match=why):
        load_encoder(stored)


@pytest.mark.parametrize("text", ["", "[]", "3", "not json", "{}"])
def test_a_description_of_another_shape_is_refused_by_name(stored: Path, text: str) -> None:
    (stored / "encoder.json").write_text(text)
    with pytest.raises(ForeignFileError, match=r"encoder\.json"):
        load_encoder(stored)


@pytest.mark.parametrize("name", ["encoder.json", "encoder.safetensors"])
def test_a_missing_file_is_named(stored: Path, name: str) -> None:
    (stored / name).unlink()
    with pytest.raises(ForeignFileError, match=name):
        load_encoder(stored)


def test_a_description_without_a_field_is_refused_by_name(stored: Path) -> None:
    whole = json.loads((stored / "encoder.json").read_text())
    for name in ("weights_sha256", "encoder_id", "zone", "notes", "config", "schema"):
        lacking = {key: value for key, value in whole.items() if key != name}
        (stored / "encoder.json").write_text(json.dumps(lacking))
        with pytest.raises(ForeignFileError, match=name):
            load_encoder(stored)


def test_weights_of_other_sizes_are_refused(
    stored: Path, make_encoder: MakeEncoder, tmp_path: Path
) -> None:
    other = make_encoder(width=8)
    other.network.float()
    save_encoder(other, tmp_path / "other")
    described = json.loads((tmp_path / "other" / "encoder.json").read_text())
    shutil.copy(tmp_path / "other" / "encoder.safetensors", stored)
    changed(stored, weights_sha256=described["weights_sha256"])
    with pytest.raises(ForeignFileError, match="whole encoder"):
        load_encoder(stored)


def test_the_schema_follows_what_inputs_mean() -> None:
    config = EncoderConfig(n_items=3)
    assert schema_hash(config) == schema_hash(EncoderConfig(n_items=3))
    assert schema_hash(config) != schema_hash(EncoderConfig(n_items=4))


def test_settings_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        config_of({"n_items": 3, "colour": "red"})
