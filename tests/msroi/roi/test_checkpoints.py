from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.msroi.roi import architectures, checkpoints, generate, maps, network
from q1net_msroi.msroi.roi.settings import MAPS
from q1net_msroi.utils.errors import UserError


def random_arrays(name, classes, seed=0):
    rng = np.random.default_rng(seed)
    architecture = architectures.ARCHITECTURES[name]
    features = architectures.vgg16_layers() if name == "vgg16" else []
    arrays = {}
    for layer in [*features, *architectures.head_layers(architecture.channels)]:
        fan_in = layer.kernel**2 * (1 if layer.depthwise else layer.inputs)
        arrays[f"{layer.name}/W"] = rng.normal(0, (2 / fan_in) ** 0.5, layer.kernel_shape).astype(np.float32)
        arrays[f"{layer.name}/b"] = rng.normal(0, 0.1, layer.outputs).astype(np.float32)
    arrays["GAP/W"] = rng.normal(0, 0.05, (1024, classes)).astype(np.float32)
    return arrays


def write_tf1(folder, arrays, version):
    """Write the arrays as the original did: a graph's variables through tf.train.Saver."""
    from q1net_msroi.utils.training import tf

    v1 = tf.compat.v1
    kind = v1.train.SaverDef.V1 if version == 1 else v1.train.SaverDef.V2
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.get_variable(name, initializer=tf.constant(values)) for name, values in arrays.items()]
        v1.get_variable("conv1_1/W/Adam", shape=(2, 2))  # what an optimizer leaves behind
        session.run(v1.global_variables_initializer())
        return v1.train.Saver(write_version=kind).save(session, str(folder / "model"), global_step=50), len(variables)


def convolve(values, kernel, bias, depthwise=False):
    """A SAME convolution with stride 1, one kernel tap at a time."""
    height, width, _ = values.shape
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    total = 0
    for row in range(3):
        for column in range(3):
            window = padded[row : row + height, column : column + width]
            if depthwise:
                total = total + (window[..., None] * kernel[row, column]).reshape(height, width, -1)
            else:
                total = total + window @ kernel[row, column]
    return total + bias


def numpy_vgg16(pixels, arrays):
    """The paper's network in NumPy: the maps before the class matrix."""
    x = pixels[..., ::-1].astype(np.float64) - np.array([103.939, 116.779, 123.68])
    for stage, count in enumerate((2, 2, 3, 3, 3), 1):
        if stage > 1:
            height, width, channels = x.shape
            x = x.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
        for index in range(1, count + 1):
            name = f"conv{stage}_{index}"
            x = np.maximum(convolve(x, arrays[f"{name}/W"], arrays[f"{name}/b"]), 0)
    for name in ("conv6_1", "depth", "conv6"):
        x = convolve(x, arrays[f"{name}/W"], arrays[f"{name}/b"], depthwise=name == "depth")
    return x


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
def test_an_original_checkpoint_gives_the_map_that_numpy_computes(tmp_path, monkeypatch, version):
    arrays = random_arrays("vgg16", 7)
    path, _ = write_tf1(tmp_path, arrays, version)
    assert (tmp_path / "model-50").is_file() == (version == 1)
    loaded = network.load_tensorflow(path)
    assert loaded.architecture.name == "vgg16"
    assert loaded.names[3] == "class 3"
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    expected = numpy_vgg16(pixels, arrays)
    seen = network.analyse(loaded, pixels, 64)
    assert seen.features == pytest.approx(expected, abs=1e-3 * np.abs(expected).max())

    monkeypatch.setattr(generate, "MAPS", replace(MAPS, class_side=64))
    scores = expected.mean(axis=(0, 1)) @ arrays["GAP/W"]
    best = np.argsort(-scores)[:5]
    class_maps = [maps.place(expected @ arrays["GAP/W"][:, k], (48, 64), (48, 64), 16, 7.5) for k in best]
    wanted = np.rint(maps.topk(class_maps) * 255).astype(int)
    result = generate.generate(loaded, pixels, generate.Settings("topk"))
    assert np.abs(result.values.astype(int) - wanted).max() <= 1
    assert [name for name, _ in result.classes] == [f"class {k}" for k in best]


@pytest.mark.slow
def test_a_head_alone_goes_with_the_shipped_features(tmp_path):
    from q1net_msroi.msroi.roi.head import write_model

    arrays = random_arrays("mobilenet_v2", 3)
    write_model(tmp_path / "model-9", arrays)
    (tmp_path / "classes.txt").write_text("cat\ndog\nboat\n")
    loaded = network.load_tensorflow(tmp_path / "model-9")
    assert loaded.names == ("cat", "dog", "boat")
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    seen = network.analyse(loaded, pixels, 128)
    assert seen.features.shape == (3, 4, 1024)
    lite = network.analyse(network.load_lite(1), pixels, 128)
    assert seen.residual == pytest.approx(lite.residual, abs=0.02 * float(np.abs(lite.residual).max()))
    checkpoints.pack(arrays, tmp_path / "head.npz")
    packed = network.analyse(network.load_tensorflow(tmp_path / "head.npz"), pixels, 128)
    assert packed.features == pytest.approx(seen.features, abs=0.05 * float(np.abs(seen.features).max()))
    (tmp_path / "classes.txt").write_text("cat\n")
    with pytest.raises(UserError, match="has 1 names, but the checkpoint 3 classes"):
        network.load_tensorflow(tmp_path / "model-9")


@pytest.mark.slow
def test_weights_go_round(tmp_path):
    from q1net_msroi.msroi.roi.head import write_model

    arrays = random_arrays("mobilenet_v2", 3)
    head = architectures.build_head(1280, 3)
    checkpoints.fill(head, arrays, "test")
    write_model(tmp_path / "model-1", checkpoints.named(head))
    again = checkpoints.read(tmp_path / "model-1")
    assert set(again) == set(arrays)
    assert all((again[name] == arrays[name]).all() for name in arrays)
    with pytest.raises(UserError, match=r"GAP/W has shape \(1024, 3\) instead of \(1024, 4\)"):
        checkpoints.fill(architectures.build_head(1280, 4), arrays, "test")
    del arrays["depth/b"]
    with pytest.raises(UserError, match="test lacks depth/b"):
        checkpoints.fill(head, arrays, "test")
    write_model(tmp_path / "other", {"a/W": np.zeros((2, 2), np.float32)})
    with pytest.raises(UserError, match="holds no class matrix"):
        checkpoints.read(tmp_path / "other")
    (tmp_path / "broken").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="damaged or not a TensorFlow checkpoint"):
        checkpoints.read(tmp_path / "broken")


def test_a_checkpoint_that_is_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match="does not exist, nor"):
        checkpoints.read(tmp_path / "model-50")
    with pytest.raises(UserError, match="is a folder; give the checkpoint itself"):
        checkpoints.read(tmp_path)
    pointer = tmp_path / "model-50.index"
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="Git LFS pointer"):
        checkpoints.read(tmp_path / "model-50")


def test_pack_gives_quantised_kernels_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    levels = rng.integers(-126, 127, (3, 3, 4, 5)).astype(np.float32)
    levels[0, 0, 0] = 127
    arrays = {"a/W": levels * rng.random(5).astype(np.float32), "a/b": rng.random(5).astype(np.float32)}
    checkpoints.pack(arrays, tmp_path / "weights.npz")
    again = checkpoints.unpack(tmp_path / "weights.npz")
    assert again["a/W"] == pytest.approx(arrays["a/W"], rel=1e-6)
    assert (again["a/b"] == arrays["a/b"]).all()
    assert list(checkpoints.unpack(tmp_path / "weights.npz", ("a/b",))) == ["a/b"]
    assert (checkpoints.unpack(tmp_path / "weights.npz", ("a/W",))["a/W"] == again["a/W"]).all()


def test_damaged_weights_are_said_in_one_line(tmp_path):
    (tmp_path / "weights.npz").write_bytes(checkpoints.SHIPPED_WEIGHTS.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged"):
        checkpoints.unpack(tmp_path / "weights.npz")
    with pytest.raises(UserError, match="is missing"):
        checkpoints.unpack(tmp_path / "none.npz")
