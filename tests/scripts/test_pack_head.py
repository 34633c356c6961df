"""pack_head.py: the head of a checkpoint, smaller, with its class names."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.msroi.roi import architectures, checkpoints
from scripts import pack_head


def head(monkeypatch: pytest.MonkeyPatch, folder: Path) -> checkpoints.Arrays:
    """Write a packed checkpoint of a small head with features, and its names."""
    monkeypatch.setattr(architectures, "HEAD_CHANNELS", 64)
    random = np.random.default_rng(0)
    layers = architectures.head_layers(1280)
    arrays = {f"{layer.name}/W": random.normal(0, 1, layer.kernel_shape).astype(np.float32) for layer in layers}
    arrays |= {f"{layer.name}/b": random.normal(0, 1, layer.outputs).astype(np.float32) for layer in layers}
    arrays |= {"GAP/W": np.ones((64, 3), np.float32), "Conv/W": np.ones((3, 3, 3, 32), np.float32)}
    checkpoints.pack(arrays, folder / "model.npz")
    (folder / "classes.txt").write_text("cat\ndog\nboat\n")
    return arrays


def test_the_head_alone_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = head(monkeypatch, tmp_path)
    assert pack_head.main([str(tmp_path / "model.npz"), str(tmp_path / "out")]) == 0
    packed = checkpoints.load(tmp_path / "out" / "head.npz")
    assert set(packed) == set(arrays) - {"Conv/W"}
    np.testing.assert_allclose(packed["conv6/W"], arrays["conv6/W"], atol=0.03)
    np.testing.assert_array_equal(packed["depth/b"], arrays["depth/b"])
    assert (tmp_path / "out" / "classes.txt").read_text() == "cat\ndog\nboat\n"


def test_wrong_use_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head(monkeypatch, tmp_path)
    with pytest.raises(SystemExit, match="2"):
        pack_head.main([])
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(OSError, match=r"classes\.txt"):
        pack_head.main([str(tmp_path / "model.npz"), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
