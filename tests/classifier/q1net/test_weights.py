"""Weights on disk: an independently written model of the same topology loads exactly; damage is said."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import mosaic, weights
from q1net_msroi.classifier.q1net.configs import CONFIGS, get_config
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError

SHIPPED = weights.model_folder(get_config("jpeg_paper"))


def from_the_papers_table(width: int) -> Any:
    """The network written down from the paper's table, apart from the project's own code."""
    from q1net_msroi.utils.training import keras

    k = keras.layers
    image = keras.Input((16, 16, 3))

    def bn(t: Any) -> Any:
        return k.BatchNormalization(momentum=0.9, epsilon=1e-5)(t)

    t = image
    for channels in [width, 2 * width, 4 * width, 8 * width, 4 * width, 2 * width]:
        t = k.Activation("relu")(bn(k.Conv2D(channels, (3, 3), use_bias=False)(t)))
        shortcut = t
        t = k.Activation("relu")(bn(k.Conv2D(channels, (1, 1), use_bias=False)(t)))
        t = k.Activation("relu")(bn(k.Conv2D(channels, (3, 3), padding="same", use_bias=False)(t)))
        t = bn(k.Conv2D(channels, (1, 1), use_bias=False)(t))
        t = k.Activation("relu")(k.add([t, shortcut]))
    t = k.Activation("relu")(k.Conv2D(width, (3, 3))(t))
    t = k.Dense(2, activation="sigmoid")(k.GlobalAveragePooling2D()(t))
    return keras.Model(image, 100.0 * t)


def shuffled(model: Any, seed: int) -> None:
    """Give every variable other values, also the statistics, so that nothing matches by chance."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        noise = random.normal(0, 0.1, variable.shape)
        variable.assign(variable + np.abs(noise) if "variance" in variable.name else variable + noise)
    # Large sums would saturate the sigmoid, and then any weights would give the same answers.
    pooled, dense = (next(x for x in model.layers if x.name.startswith(n)) for n in ("global_average", "dense"))
    size = np.abs(type(model)(model.input, pooled.output)(random.uniform(0, 255, (64, 16, 16, 3)))).max()
    dense.kernel.assign(dense.kernel / max(float(size), 1.0))


@pytest.fixture(scope="module", params=["jpeg_paper", pytest.param("jpeg_paper_k12", marks=pytest.mark.slow)])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A variant, a plain Keras model, and the folder where Keras saved it under the prefix best/."""
    config = CONFIGS[request.param]
    folder = tmp_path_factory.mktemp(config.comp_type)
    model = from_the_papers_table(config.width)
    shuffled(model, 1)
    (folder / "best").mkdir()
    model.save_weights(f"{folder}/best/", save_format="tf")
    assert (folder / "best" / ".index").exists()
    assert (folder / "best" / ".data-00000-of-00001").exists()
    return config, model, folder


def test_parameter_counts(original: tuple[Any, Any, Path]) -> None:
    from q1net_msroi.classifier.q1net.architecture import build

    config, model, _ = original
    assert build(config.width).count_params() == config.parameters == model.count_params()


def test_keras_weights_load_exactly(original: tuple[Any, Any, Path], photograph: np.ndarray) -> None:
    config, model, folder = original
    patches = mosaic.picture_mosaic(photograph).compressed_patches(40)[:32].astype(np.float32)
    expected = np.asarray(model(patches, training=False))
    for path in (folder, f"{folder}/", folder / "best", f"{folder}/best/"):
        loaded = weights.load_model(config, path)
        np.testing.assert_allclose(np.asarray(loaded(patches, training=False)), expected, atol=1e-4)
    assert expected.std() > 0
    assert weights.channel_order(folder) == "BGR"
    assert weights.threshold(config, folder) == config.threshold


@pytest.mark.slow
def test_optimizer_state_in_the_checkpoint_is_no_obstacle(tmp_path: Path) -> None:
    from q1net_msroi.utils.training import keras

    model = from_the_papers_table(8)
    model.compile(keras.optimizers.Adam(), "mse")
    model.train_on_batch(np.zeros((2, 16, 16, 3)), np.zeros((2, 2)))
    model.save_weights(f"{tmp_path}/best/", save_format="tf")
    loaded = weights.load_model(get_config("jpeg_paper"), tmp_path)
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_save_and_load_again(tmp_path: Path) -> None:
    config = get_config("jpeg_paper")
    model = from_the_papers_table(8)
    for seed in (1, 2):  # the second replaces the first
        shuffled(model, seed)
        weights.save(config, model.get_weights(), tmp_path, val_loss=4.5, channel_order="BGR")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "model.json"]
        assert (tmp_path / "best" / "val_loss.txt").read_text() == "4.500000\n"
        assert str(tmp_path) not in (tmp_path / "best" / "checkpoint").read_text()
    for mine, theirs in zip(weights.load_model(config, tmp_path).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    card = weights.read_card(tmp_path)
    assert set(card.pop("made_by")) == set(card)
    assert card == {"val_loss": 4.5, "channel_order": "BGR"}


def test_recover_after_a_kill_between_the_renames(tmp_path: Path) -> None:
    (tmp_path / "best.previous").mkdir()
    (tmp_path / "best.previous" / ".index").write_text("old")
    weights.recover(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["best"]
    (tmp_path / "best.previous").mkdir()
    weights.recover(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["best"]
    assert (tmp_path / "best" / ".index").read_text() == "old"


def test_weights_of_another_width(original: tuple[Any, Any, Path]) -> None:
    config, _, folder = original
    other = next(c for c in CONFIGS.values() if c != config)
    with pytest.raises(UserError, match=rf"of another network \(width {config.width}, {config.comp_type}\); check"):
        weights.load_model(other, folder)


def test_weights_of_another_model(built: Any, tmp_path: Path) -> None:
    from q1net_msroi.utils.training import keras

    keras.Sequential([keras.layers.Dense(3, input_shape=(4,))]).save_weights(f"{tmp_path}/best/", save_format="tf")
    with pytest.raises(UserError, match="of another network; check --comp_type"):
        weights.load(built, tmp_path)


@pytest.fixture(scope="module")
def built() -> Any:
    """The network with random weights."""
    from q1net_msroi.classifier.q1net.architecture import build
    from q1net_msroi.utils import training  # noqa: F401  (sets the environment before tf-keras is imported)

    return build(8)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (".index", lambda content: content[: len(content) // 2], "are damaged; restore them"),
        (".index", lambda content: b"", "are damaged; restore them"),
        (".index", lambda content: os.urandom(len(content)), "are damaged; restore them"),
        (".data-00000-of-00001", lambda content: content[: len(content) // 2], "are damaged; restore them"),
        (".data-00000-of-00001", lambda content: b"", "are damaged; restore them"),
        (".data-00000-of-00001", lambda content: bytes(99) + content[99:], "are damaged; restore them"),
        (".data-00000-of-00001", None, r"has no data file \(\.data-00000-of-00001\) beside it"),
        (".index", None, r"no weights at .*jpeg_paper \(looked for best/\.index"),
        (".index", lambda _: b"version https://git-lfs.github.com/spec/v1\n", r"\.index is a Git LFS pointer"),
        (".data-00000-of-00001", lambda _: b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
    ],
)
def test_damage_is_said(
    built: Any, save_path: Path, part: str, change: Callable[[bytes], bytes] | None, message: str
) -> None:
    path = save_path / "jpeg_paper" / "best" / part
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=message) as caught:
        weights.load(built, save_path / "jpeg_paper")
    assert len(str(caught.value).splitlines()) == 1


def test_threshold_and_channel_order_come_from_the_card(tmp_path: Path) -> None:
    config = get_config("jpeg_paper")
    assert weights.threshold(config, tmp_path) == 96.0
    weights.update_card(tmp_path, channel_order="RGB", calibration={"float32": {"threshold": 94.5}})
    assert weights.channel_order(tmp_path) == "RGB"
    assert weights.threshold(config, tmp_path) == weights.threshold(config, tmp_path, "int8") == 94.5
    weights.update_card(tmp_path, calibration={"float32": {"threshold": 94.5}, "int8": {"threshold": 93.0}})
    made_by = weights.read_card(tmp_path)["made_by"]
    assert set(made_by) == {"channel_order", "calibration"}
    assert all({"code", "command", "machine", "codecs"} <= set(made) for made in made_by.values())
    assert weights.threshold(config, tmp_path, "int8") == 93.0
    assert weights.channel_order(tmp_path) == "RGB"


@pytest.mark.parametrize("content", ["[1, 2]", "3", "null", "{"])
def test_a_card_of_another_kind_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(UserError, match=r"model\.json is damaged"):
        weights.threshold(get_config("jpeg_paper"), tmp_path)


def test_what_is_shipped_belongs_together() -> None:
    """Each shipped `.tflite` is the file that its record describes, and was made from the weights beside it."""
    recorded = weights.read_card(SHIPPED).get("tflite", {})
    found = {name for name in weights.TFLITE_NAMES.values() if (SHIPPED / name).exists()}
    if not found:
        pytest.skip("no .tflite is shipped in save/jpeg_paper")
    assert set(recorded) == found
    for name in found:
        assert recorded[name]["sha256"] == files.sha256(SHIPPED / name)
        assert recorded[name]["weights_sha256"] == weights.weights_hash(SHIPPED)


def predictions(kind: str, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What LiteRT and TensorFlow say of the same patches, with the shipped weights."""
    from q1net_msroi.classifier.estimators.network import NetworkEstimator
    from q1net_msroi.classifier.estimators.options import Asked

    path = SHIPPED / weights.TFLITE_NAMES[kind]
    if not path.exists():
        pytest.skip(f"{path.name} is not shipped")
    if weights.read_card(SHIPPED)["tflite"][path.name]["weights_sha256"] != weights.weights_hash(SHIPPED):
        pytest.skip("the weights are newer than the .tflite; run to_tflite.py")
    return tuple(NetworkEstimator(Asked(backend=b)).predict_patches(patches) for b in (kind, "tf"))


def test_litert_float32_is_tensorflow(photograph: np.ndarray) -> None:
    grid = mosaic.picture_mosaic(photograph)
    patches = np.concatenate([grid.compressed_patches(quality)[::3] for quality in (10, 50, 90)])
    lite, full = predictions("float32", patches)
    np.testing.assert_allclose(lite, full, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "limit"), [("float16", 0.5), ("int8", 10.0)])
def test_smaller_models_are_close_on_the_whole(photograph: np.ndarray, kind: str, limit: float) -> None:
    lite, full = predictions(kind, mosaic.picture_mosaic(photograph).compressed_patches(50))
    assert np.median(np.abs(lite - full)) < limit
