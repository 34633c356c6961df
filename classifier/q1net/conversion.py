"""From the checkpoint to `.tflite`: float32, float16, int8 with raw pixels in; compared with the Keras model."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import fusion, mosaic, patches, weights
from q1net_msroi.classifier.q1net.configs import AREA, PATCH, Config
from q1net_msroi.classifier.q1net.folding import fold, folded_model
from q1net_msroi.classifier.q1net.photographs import PatchSource, load_photographs
from q1net_msroi.classifier.q1net.quantization import QuantizedNetwork, adapt, choose_limits
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.litert import LiteModel
from q1net_msroi.utils.training import tf

SIGNATURE = "estimate_quality"
OUTPUT = "confidence_quality"
RANGE_QUALITIES = (5, 40, 70, 95)
ADAPTING_STEPS, ADAPTING_BATCH = 1500, 256
RANGE_PERCENT = 99.99  # of the activations lie inside the 8-bit ranges; tried 99 to 100 on validation photographs
COMPARED_QUALITIES = (5, 20, 35, 50, 65, 80, 90, 95)


class Limits(NamedTuple):
    """What a converted model may differ by: quality and confidence of a patch, quality of a whole picture (mean)."""

    patch: float
    picture: float


# In 8 bits single patches are rough, the median of many is not.
LIMITS = {"float32": Limits(0.01, 0.01), "float16": Limits(2.0, 0.1), "int8": Limits(100.0, 0.5)}


@dataclass(frozen=True)
class Comparison:
    """How a `.tflite` differs from the Keras model on real patches and whole pictures, its size and its speed."""

    kind: str
    bytes: int
    largest_patch_difference: float
    mean_patch_difference: float
    mean_picture_difference: float
    pictures_compared: int
    answered_by_one_only: int
    milliseconds_per_batch_1_thread: float
    milliseconds_per_batch_2_threads: float
    batch: int

    @property
    def within_limits(self) -> bool:
        """Whether the stated limits hold."""
        limits = LIMITS[self.kind]
        return self.largest_patch_difference <= limits.patch and self.mean_picture_difference <= limits.picture

    def record(self) -> dict[str, Any]:
        """Return the comparison with numbers rounded for reading."""
        return results.rounded(asdict(self), 4)


def picture_patches(paths: Sequence[Path], qualities: Sequence[int], order: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the grid patches of every picture at every quality, in the network's channel order."""
    for path in paths:
        grid = mosaic.picture_mosaic(images.read_rgb(path, minimum_side=AREA).pixels)
        for quality in qualities:
            yield patches.to_channel_order(grid.compressed_patches(quality), order)


def convert(
    network: Any, kind: str, batch: int, shape: tuple[int, ...] = (PATCH, PATCH, 3), output: str = OUTPUT
) -> bytes:
    """Return a network (inputs of `shape` to outputs) as a `.tflite` of fixed batch size: `input_1`, a named signature.

    `kind` is float32, float16 (weights) or int8: `network` is then a `QuantizedNetwork`, whose simulated rounding
    becomes real; the input is uint8 of scale 1, so that raw pixels go straight in, and the output stays float.
    """

    def estimate(input_1: Any) -> dict[str, Any]:
        return {output: network(input_1)}

    traced = tf.function(estimate, input_signature=[tf.TensorSpec((batch, *shape), tf.float32, name="input_1")])
    module = tf.Module()
    module.network = network
    with tempfile.TemporaryDirectory() as folder:
        # Only a saved model carries a signature's name into the file.
        tf.saved_model.save(module, folder, signatures={SIGNATURE: traced})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "int8":
            converter.inference_input_type = tf.uint8
        return bytes(converter.convert())


def half_precision(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a kernel (height, width, in, out) rounded to what float16 holds, its sums over the taps kept.

    Each tap's rounding error is carried to the next: where a patch is smooth all taps see the same value, up to 255,
    and the answer lies in what differs by one.
    """
    taps = kernel.reshape(-1, *kernel.shape[2:]).astype(np.float64)
    rounded, carried = np.empty(taps.shape, np.float16), np.zeros(taps.shape[1:])
    for number, tap in enumerate(taps):
        rounded[number] = (tap + carried).astype(np.float16)
        carried += tap - rounded[number].astype(np.float64)
    return rounded.astype(np.float32).reshape(kernel.shape)


def halved(model: Any, config: Config) -> Any:
    """Return the network, BatchNorm folded in, with kernels that a float16 `.tflite` holds as they are."""
    folded = folded_model(model, config.width)
    folded.set_weights([half_precision(each) if each.ndim == 4 else each for each in folded.get_weights()])
    return folded


def quantized(model: Any, photographs: Sequence[Path], order: str) -> QuantizedNetwork:
    """Return the network in simulated 8 bits, ranges chosen and weights adapted on the patches of `photographs`."""
    pairs = fold(model)
    grids = picture_patches(photographs, RANGE_QUALITIES, order)
    limits = choose_limits(pairs, [grid[::4].astype(np.float32) for grid in grids], RANGE_PERCENT)
    network = QuantizedNetwork(pairs, limits)
    fresh = PatchSource(load_photographs(photographs), ADAPTING_BATCH).batches(0, 0, ADAPTING_STEPS)
    batches = (patches.to_channel_order(values, order).astype(np.float32) for values, _ in fresh)
    adapt(network, model, tasks.progress(batches, total=ADAPTING_STEPS, unit="step"), ADAPTING_STEPS)
    return network


def compare(model: Any, path: Path, kind: str, threshold: float, sets: Sequence[NDArray[np.uint8]]) -> Comparison:
    """Return how the `.tflite` at `path` differs from the Keras model on `sets`, the patches of one answer each."""
    lite = LiteModel(path, 2)
    patch_differences, picture_differences, one_only = [], [], 0
    for values in sets:
        expected = np.asarray(model(values.astype(np.float32), training=False))
        got = lite(values)
        patch_differences.append(np.abs(got - expected).max(axis=1))
        answers = [fusion.fuse(predictions, threshold).quality for predictions in (expected, got)]
        if None not in answers:
            picture_differences.append(abs(answers[0] - answers[1]))  # type: ignore[operator]
        elif answers != [None, None]:
            one_only += 1
    differences = np.concatenate(patch_differences)
    return Comparison(
        kind,
        path.stat().st_size,
        float(differences.max()),
        float(differences.mean()),
        float(np.mean(picture_differences)) if picture_differences else 0.0,
        len(picture_differences),
        one_only,
        milliseconds(path, 1, sets[0]),
        milliseconds(path, 2, sets[0]),
        lite.batch,
    )


def milliseconds(path: Path, threads: int, values: NDArray[np.uint8], runs: int = 15) -> float:
    """Return the median time of one batch in milliseconds, after two runs to warm up."""
    lite = LiteModel(path, threads)
    full = np.resize(values, (lite.batch, *values.shape[1:]))
    times = []
    for _ in range(runs + 2):
        started = time.perf_counter()
        lite(full)
        times.append(time.perf_counter() - started)
    return float(np.median(times[2:]) * 1e3)


def write_model(
    config: Config,
    folder: Path,
    out: Path,
    kind: str,
    batch: int,
    photographs: Sequence[Path],
    compared: Sequence[Path],
) -> Comparison:
    """Convert the weights of `folder`, compare, and write the `.tflite` to `out` when it is within the limits."""
    model = weights.load_model(config, folder)
    order = weights.channel_order(folder)
    if kind == "int8" and not photographs:
        raise UserError("--quantize int8 needs --in_path, a folder of photographs to choose the 8-bit ranges on")
    network = halved(model, config) if kind == "float16" else model
    if kind == "int8":
        network = quantized(model, photographs, order)
    sets = list(picture_patches(compared, COMPARED_QUALITIES, order))
    path = out / weights.TFLITE_NAMES[kind]
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(convert(network, kind, batch))
        # At float32's threshold for every kind: the kind's own is calibrated with this very file, afterwards.
        comparison = compare(model, temporary, kind, weights.threshold(config, folder), sets)
        if not comparison.within_limits:
            patch, picture = comparison.largest_patch_difference, comparison.mean_picture_difference
            limits = f"limits {LIMITS[kind].patch:g} and {LIMITS[kind].picture:g}"
            said = f"{patch:.4f} at a patch, {picture:.4f} at a picture ({limits})"
            raise UserError(f"the {kind} model differs too much: {said}; {path.name} was not written")
    made_from = {"sha256": files.sha256(path), "weights_sha256": weights.weights_hash(folder)}
    recorded = weights.read_card(out).get("tflite", {})
    recorded[path.name] = {**made_from, "batch": batch, "signature": SIGNATURE, "comparison": comparison.record()}
    weights.update_card(out, tflite=dict(sorted(recorded.items())))
    return comparison
