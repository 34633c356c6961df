"""The training square and the cache of features."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.roi import dataset, tables
from q1net_msroi.utils import tasks
from q1net_msroi.utils.errors import UserError

SHAPE = (2, 2, 3)


@pytest.fixture
def table(tmp_path: Path) -> tables.Table:
    """Seven pictures of 24x20 pixels with random content in two classes."""
    random = np.random.default_rng(0)
    for n in range(7):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(tmp_path / f"{n}.png")
    files = tuple(tmp_path / f"{n}.png" for n in range(7))
    return tables.Table(tmp_path / "train.csv", files, np.array([0, 0, 0, 0, 0, 1, 1], np.int32))


def extract(pictures: np.ndarray) -> np.ndarray:
    """Stand-in for a network: the four quarters' means."""
    n, side = len(pictures), pictures.shape[1] // 2
    return pictures.reshape(n, 2, side, 2, side, 3).mean(axis=(2, 4)) / 255


def test_square_is_the_centre_unresized_where_it_fits() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 26, 3), np.uint8)
    np.testing.assert_array_equal(dataset.square(pixels, 16), pixels[:, 5:21])
    np.testing.assert_array_equal(
        dataset.square(pixels[:, :16].transpose(1, 0, 2), 16), pixels[:, :16].transpose(1, 0, 2)
    )


def test_drawn_squares_lie_inside_and_half_are_mirrored() -> None:
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 4, (48, 64, 3))
    random = np.random.default_rng(0)
    drawn = [dataset.square(np.ascontiguousarray(ramp), 32, random).astype(int) for _ in range(200)]
    falling = sum(bool(d[0, 0, 0] > d[0, -1, 0]) for d in drawn)
    assert 70 < falling < 130
    spans = [abs(d[0, 0, 0] - d[0, -1, 0]) / 4 for d in drawn]  # columns that a square covers, nearly
    assert 0.65 * 48 < min(spans) < 0.8 * 48
    assert 0.9 * 48 < max(spans) <= 48


def test_pictures_are_drawn_only_in_training(table: tables.Table) -> None:
    rows = np.arange(7)
    plain = dataset.Pictures(table, 16, augment=True).values(rows, None)
    again = dataset.Pictures(table, 16, augment=False).values(rows, np.random.default_rng(0))
    drawn = dataset.Pictures(table, 16, augment=True).values(rows, np.random.default_rng(0))
    assert plain.shape == (7, 16, 16, 3)
    assert plain.dtype == np.float32
    np.testing.assert_array_equal(plain, again)
    assert (plain != drawn).any(axis=(1, 2, 3)).all()


def test_cached_features_are_those_of_the_picture_and_its_mirror_image(
    table: tables.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "PART", 3)
    monkeypatch.setattr(dataset, "EXTRACT_BATCH", 2)
    cached = dataset.CachedFeatures(table, tmp_path / "cache", "k", SHAPE, mirrored=True)
    cached.make(extract, 16, 2)
    pictures = dataset.Pictures(table, 16, False).values(np.arange(7), None)
    rows = np.array([6, 0, 3, 5])
    np.testing.assert_allclose(cached.values(rows, None), extract(pictures)[rows], atol=1e-3)
    drawn = np.stack([cached.values(rows, np.random.default_rng(n)) for n in range(20)])
    mirrored = extract(pictures[:, :, ::-1])[rows]
    is_plain = np.abs(drawn - extract(pictures)[rows]).max(axis=(2, 3, 4)) < 2e-3
    is_mirrored = np.abs(drawn - mirrored).max(axis=(2, 3, 4)) < 2e-3
    assert (is_plain | is_mirrored).all()
    assert 20 < is_plain.sum() < 60
    assert cached.labels.tolist() == table.labels.tolist()


def test_a_broken_cache_goes_on_where_it_stopped(
    table: tables.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "PART", 2)
    calls = []

    def breaking(pictures: np.ndarray) -> np.ndarray:
        calls.append(len(pictures))
        if len(calls) == 3:
            raise ConnectionAbortedError
        return extract(pictures)

    def make(function) -> dataset.CachedFeatures:
        cached = dataset.CachedFeatures(table, tmp_path / "cache", "k", SHAPE, mirrored=False)
        cached.make(function, 16, 1)
        return cached

    with pytest.raises(ConnectionAbortedError):
        make(breaking)
    folder = next((tmp_path / "cache").iterdir())
    assert sorted(path.name for path in folder.iterdir()) == ["part_00000.npy", "part_00001.npy"]
    broken = make(breaking)
    assert calls == [2, 2, 2, 2, 1]
    whole = dataset.CachedFeatures(table, tmp_path / "other", "k", SHAPE, mirrored=False)
    whole.make(extract, 16, 1)
    np.testing.assert_array_equal(broken.values(np.arange(7), None), whole.values(np.arange(7), None))


def test_changed_pictures_and_other_networks_have_another_cache(table: tables.Table, tmp_path: Path) -> None:
    first = dataset.CachedFeatures(table, tmp_path, "k", SHAPE, mirrored=True).folder
    assert dataset.CachedFeatures(table, tmp_path, "k", SHAPE, mirrored=True).folder == first
    others = [
        dataset.CachedFeatures(table, tmp_path, "other", SHAPE, mirrored=True).folder,
        dataset.CachedFeatures(table, tmp_path, "k", SHAPE, mirrored=False).folder,
    ]
    Image.new("RGB", (30, 30)).save(table.files[2])
    others.append(dataset.CachedFeatures(table, tmp_path, "k", SHAPE, mirrored=True).folder)
    assert len({first, *others}) == 4


def test_unreadable_pictures_are_named_and_left_out(
    table: tables.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.files[1].write_text("not a picture")
    table.files[5].unlink()
    cached = dataset.CachedFeatures(table, tmp_path / "cache", "k", SHAPE, mirrored=True)
    cached.make(extract, 16, tasks.worker_count())
    assert cached.labels.tolist() == [0, 0, 0, 0, 1]
    assert np.isfinite(cached.values(np.arange(5), np.random.default_rng(0))).all()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "1.png" in said[0]
    assert "5.png" in said[1]


def test_cache_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    table = tables.Table(tmp_path / "train.csv", (tmp_path / "a.png",), np.array([0], np.int32))
    cached = dataset.CachedFeatures(table, tmp_path / "cache", "k", SHAPE, mirrored=False)
    with pytest.raises(UserError, match="no picture"):
        cached.make(extract, 16, 1)


def test_balance_weights_make_classes_equal() -> None:
    labels = np.array([0, 0, 0, 3, 3, 1], np.int32)
    weights = dataset.balance_weights(labels)
    sums = [weights[labels == label].sum() for label in (0, 1, 3)]
    np.testing.assert_allclose(sums, [2, 2, 2], rtol=1e-6)
    assert weights.mean() == pytest.approx(1)
