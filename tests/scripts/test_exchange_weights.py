"""Weights that leave as .npz come back the same, and only when TensorFlow finds them better."""

import json
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.utils.errors import UserError
from scripts import exchange_weights


@pytest.fixture
def photographs(tmp_path: Path) -> str:
    """Return a folder with one noisy photograph."""
    from PIL import Image

    folder = tmp_path / "photographs"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return str(folder)


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the shipped weights as train_torch.py would write them, without a claim about their loss."""
    monkeypatch.setattr(exchange_weights, "VALIDATION_PATCHES", 2100)
    plain = tmp_path / "plain.npz"
    exchange_weights.main(["pack", str(plain)])
    return _with_record(plain, tmp_path / "packed.npz", {"minutes": 1})


def _with_record(source: Path, path: Path, record: dict[str, object]) -> Path:
    with np.load(source) as stored:
        arrays = {name: stored[name] for name in stored.files if name.isdigit()}
    np.savez(path, record=np.array(json.dumps(record)), **arrays)
    return path


@pytest.mark.slow
def test_there_and_back_is_the_same(packed: Path, photographs: str, tmp_path: Path) -> None:
    folder = tmp_path / "save"
    assert exchange_weights.main(["unpack", str(packed), "--weights", str(folder), "--val_path", photographs]) == 0
    config = get_config("jpeg_paper")
    expected = weights.load_model(config, weights.model_folder(config)).get_weights()
    got = weights.load_model(config, folder).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(expected, got, strict=True))
    card = weights.read_card(folder)
    assert card["trained"] == {"minutes": 1}
    assert card["val_loss"] > 0
    # What is there already is only replaced by better weights.
    with pytest.raises(UserError, match="were kept"):
        exchange_weights.main(["unpack", str(packed), "--weights", str(folder), "--val_path", photographs])


@pytest.mark.slow
def test_a_loss_that_tensorflow_does_not_find_is_refused(packed: Path, photographs: str, tmp_path: Path) -> None:
    claims = _with_record(packed, tmp_path / "claims.npz", {"val_loss": 0.1})
    with pytest.raises(UserError, match="one of the two frameworks is wrong"):
        exchange_weights.main(["unpack", str(claims), "--weights", str(tmp_path / "s"), "--val_path", photographs])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unpack", "missing.npz", "--val_path", "."], "is missing or not what"),
        (["unpack", "missing.npz"], "give --val_path"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], message: str, photographs: str) -> None:
    arguments = [photographs if part == "." else part for part in arguments]
    with pytest.raises(UserError, match=message):
        exchange_weights.main(arguments)


def test_a_damaged_archive_is_said(photographs: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match="is missing or not what"):
        exchange_weights.main(["unpack", str(damaged), "--val_path", photographs])


def test_weights_of_the_other_width_are_refused(packed: Path, photographs: str, tmp_path: Path) -> None:
    wrong = ["unpack", str(packed), "--comp_type", "jpeg_paper_k12", "--val_path", photographs]
    with pytest.raises(UserError, match="another network"):
        exchange_weights.main([*wrong, "--weights", str(tmp_path / "s")])
