"""What phones and browsers get: the record is today's, and whoever follows the Kotlin class reaches its answers."""

import bisect
import hashlib
import itertools
import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files
from q1net_msroi.utils.litert import LiteModel
from scripts import make_phone

TOLERANCE = 0.05  # qualities: runtimes add in different orders
NAMES = ("jpeg_paper", "jpeg_paper_k12")
RECORDS = {name: json.loads((weights.SAVE / name / "phone.json").read_text()) for name in NAMES}


def mirror(
    record: dict[str, Any], kind: str, pixels: np.ndarray, run: Callable[[np.ndarray], np.ndarray]
) -> tuple[float | None, list[float] | None, str | None, int, bytes]:
    """Follow docs/phone/Q1Net.kt step by step; return quality, interval, reason, confident patches, the input."""
    model, block, size = record["models"][kind], record["block"], record["patch"]
    channels = ["RGB".index(channel) for channel in record["channel_order"]]

    def starts(length: int) -> list[int]:
        blocks = length // block - 2
        places = [block * (i * blocks // (record["grid"] + 1)) + block // 2 for i in range(1, record["grid"] + 1)]
        return list(dict.fromkeys(places))

    def quantile(ordered: list[float], share: float) -> float:
        place = share * (len(ordered) - 1)
        first = int(place)
        second = min(first + 1, len(ordered) - 1)
        return ordered[first] + (place - first) * (ordered[second] - ordered[first])

    def correct(x: float) -> float:
        knots, values = model["correction"]["knots"], model["correction"]["values"]
        i = 1
        while i < len(knots) - 1 and knots[i] < x:
            i += 1
        share = min(max((x - knots[i - 1]) / (knots[i] - knots[i - 1]), 0), 1)
        return float(values[i - 1] + share * (values[i] - values[i - 1]))

    given, flat = bytearray(), []
    for row, column in itertools.product(starts(pixels.shape[0]), starts(pixels.shape[1])):
        patch = pixels[row : row + size, column : column + size]
        flat.append(len({tuple(pixel) for pixel in patch.reshape(-1, 3).tolist()}) == 1)
        for pixel in patch.reshape(-1, 3).tolist():
            given += bytes(pixel[channel] for channel in channels)
    said = run(np.frombuffer(bytes(given), np.uint8).reshape(-1, size, size, 3)).tolist()
    counted = [row for row, empty in zip(said, flat, strict=True) if not empty and row[0] > model["threshold"]]
    if all(flat):
        return None, None, "the picture is flat all over", 0, bytes(given)
    if not counted:
        return None, None, f"none of {len(said)} patches is confident", 0, bytes(given)
    if len(counted) < record["least_share"] * flat.count(False):
        reason = f"too few confident patches to rely on: {len(counted)} of {len(said)}"
        return None, None, reason, len(counted), bytes(given)
    ordered = sorted(quality for _, quality in counted)
    quality = correct(quantile(ordered, 0.5))
    spread = quantile(ordered, 0.75) - quantile(ordered, 0.25)
    if spread > model["interval"]["most_spread"]:
        reason = "the confident patches differ, as with tables that are not standard"
        return None, None, reason, len(counted), bytes(given)
    expected = 100 - sum(confidence for confidence, _ in counted) / len(counted)
    error = (expected + spread) / math.sqrt(len(counted))
    offsets = model["interval"]["offsets"][bisect.bisect_right(model["interval"]["edges"], error)]
    interval = [round(min(max(quality + offset, 1), 100), 2) for offset in offsets]
    return quality, interval, None, len(counted), bytes(given)


def lite(name: str, kind: str) -> LiteModel:
    return LiteModel(weights.SAVE / name / RECORDS[name]["models"][kind]["file"], 1)


@pytest.mark.fast(1)
@pytest.mark.parametrize("kind", weights.TFLITE_NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_the_mirror_reaches_the_expected_answers(name: str, kind: str) -> None:
    record = RECORDS[name]
    assert len(record["vectors"]) == 3
    for vector, given in zip(record["vectors"], make_phone.VECTORS, strict=True):
        quality, interval, reason, confident, bytes_in = mirror(record, kind, given.pixels(), lite(name, kind))
        expected = vector["answers"][kind]
        assert hashlib.sha256(bytes_in).hexdigest() == vector["input_sha256"]
        assert reason is None
        assert quality == pytest.approx(expected["quality"], abs=TOLERANCE)
        assert interval == pytest.approx(expected["interval"], abs=2 * TOLERANCE)
        assert abs(confident - expected["confident_patches"]) <= 2


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_the_mirror_is_the_estimator_where_there_is_no_answer(kind: str, photograph: np.ndarray) -> None:
    record, estimator, model = RECORDS["jpeg_paper"], NetworkEstimator(Asked(backend=kind)), lite("jpeg_paper", kind)
    framed = np.full((200, 200, 3), 90, np.uint8)
    framed[60:90, 60:90] = photograph[60:90, 60:90]
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for pixels in (np.full((40, 40, 3), 7, np.uint8), framed, noise, photograph[:24, :200]):
        quality, interval, reason, confident, _ = mirror(record, kind, pixels, model)
        expected = estimator.estimate(pixels)
        assert (quality is None) == (expected.quality is None)
        assert (reason or "") in (expected.reason or "")
        assert confident == expected.evidence.used
        if expected.quality is not None:
            assert quality == pytest.approx(expected.quality, abs=1e-3)
            assert interval == pytest.approx(expected.interval, abs=0.011)


@pytest.mark.parametrize("name", NAMES)
def test_the_record_is_todays(name: str) -> None:
    fresh = json.loads(make_phone.as_text(make_phone.phone_record(name, None)))
    kept = RECORDS[name]
    assert {**fresh, "vectors": None} == {**kept, "vectors": None}
    for new, old in zip(fresh["vectors"], kept["vectors"], strict=True):
        assert {**new, "answers": None} == {**old, "answers": None}


def test_the_class_holds_the_record() -> None:
    text = make_phone.KOTLIN.read_text(encoding="utf-8")
    record = RECORDS[make_phone.OF_KOTLIN]
    assert make_phone.with_numbers(text, record) == text
    other = {**record, "least_share": 0.25}
    assert "LEAST_SHARE = 0.25" in make_phone.with_numbers(text, other)


def test_own_weights(call: Callable[..., Any], save_path: Path) -> None:
    before = make_phone.KOTLIN.read_bytes()
    done = call("scripts.make_phone", "--save_path", save_path, "--comp_type", "jpeg_paper")
    assert done.code == 0, done.err
    assert (save_path / "jpeg_paper" / "phone.json").exists()
    assert make_phone.KOTLIN.read_bytes() == before
    card = save_path / "jpeg_paper" / "model.json"
    files.write_json(card, {**json.loads(card.read_text()), "fusion": {}})
    call("scripts.make_phone", "--save_path", save_path, "--comp_type", "jpeg_paper").fails(2, "calibrate_cls.py")


HARNESS = """
import java.io.File
import java.nio.ByteBuffer
import q1net.Q1Net

fun main(words: Array<String>) {
    for (i in words.indices step 5) {
        val model = if (words[i] == "int8") Q1Net.INT8 else Q1Net.FLOAT32
        val ints = ByteBuffer.wrap(File(words[i + 1]).readBytes()).asIntBuffer()
        val pixels = IntArray(ints.remaining()).also { ints.get(it) }
        val floats = ByteBuffer.wrap(File(words[i + 1] + ".said").readBytes()).asFloatBuffer()
        val estimator = Q1Net(model) { buffer, said ->
            val seen = ByteArray(buffer.remaining())
            buffer.get(seen)
            File(words[i + 4]).writeBytes(seen)
            for (row in said) if (floats.hasRemaining()) floats.get(row)
        }
        val answer = estimator.estimate(pixels, words[i + 2].toInt(), words[i + 3].toInt())
        println("${answer.quality} ${answer.low} ${answer.high} ${answer.confident}")
    }
}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kotlinc") is None, reason="no Kotlin compiler is installed (Debian: kotlin)")
def test_the_class_itself(tmp_path: Path) -> None:
    """Compiled, and given the patches' answers by the Python runtime: the same input, the same answers."""
    (tmp_path / "Harness.kt").write_text(HARNESS)
    sources = [make_phone.KOTLIN, tmp_path / "Harness.kt"]
    build = ["kotlinc", *sources, "-include-runtime", "-d", tmp_path / "q1net.jar"]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    record = RECORDS["jpeg_paper"]
    words, expected = [], []
    for number, given in enumerate(make_phone.VECTORS):
        pixels = given.pixels().astype(np.uint32)
        path = tmp_path / f"{number}.pixels"
        path.write_bytes((0xFF000000 + (pixels << np.array([16, 8, 0], np.uint32)).sum(axis=2)).astype(">u4").tobytes())
        for kind in ("int8", "float32"):
            quality, interval, _, confident, bytes_in = mirror(record, kind, given.pixels(), lite("jpeg_paper", kind))
            batch = np.frombuffer(bytes_in, np.uint8)
            said = lite("jpeg_paper", kind)(batch.reshape(-1, 16, 16, 3))
            source = tmp_path / f"{number}.{kind}"
            source.write_bytes(path.read_bytes())
            Path(f"{source}.said").write_bytes(said.astype(">f4").tobytes())
            height, width = pixels.shape[:2]
            words += [kind, source, width, height, f"{source}.seen"]
            expected.append((f"{source}.seen", batch, kind, quality, interval, confident))
    run = ["java", "-cp", tmp_path / "q1net.jar", "HarnessKt", *map(str, words)]
    done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=120)
    for line, (seen, batch, kind, quality, interval, confident) in zip(done.stdout.splitlines(), expected, strict=True):
        got = np.fromfile(seen, np.uint8 if kind == "int8" else np.float32)
        assert len(got) == 256 * 16 * 16 * 3
        assert np.array_equal(got[: len(batch)], batch)
        assert not got[len(batch) :].any()
        assert [float(word) for word in line.split()] == pytest.approx([quality, *interval, confident], abs=0.011)
