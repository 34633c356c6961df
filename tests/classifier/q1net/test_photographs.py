"""Fresh patches: reproducible, balanced, resumable, and true to the whole photograph's JPEG."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.photographs import PatchSource, cut_windows, load_photographs, validation_batches
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

Source = Callable[..., PatchSource]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less noise and fewer rescaled photographs than in a real run, for speed."""
    monkeypatch.setattr("q1net_msroi.classifier.q1net.photographs.NOISE_SAMPLES", 1 << 15)
    monkeypatch.setattr("q1net_msroi.classifier.q1net.photographs.RESCALED_PHOTOGRAPHS", 2)


@pytest.fixture
def source(photograph: np.ndarray, textured: Callable[..., np.ndarray]) -> Source:
    def make(**options: object) -> PatchSource:
        return PatchSource([photograph, textured(120, 90)], **{"batch_size": 50, "windows_per_quality": 2, **options})

    return make


def same(one: list[tuple[np.ndarray, ...]], other: list[tuple[np.ndarray, ...]]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("augment", [False, True])
def test_a_round_is_balanced(source: Source, augment: bool) -> None:
    patches, qualities = source(augment=augment).round(0, 0)
    assert patches.shape == (200, 16, 16, 3)
    assert patches.dtype == qualities.dtype == np.uint8
    assert Counter(qualities.tolist()) == dict.fromkeys(range(1, 101), 2)
    assert qualities.tolist() != sorted(qualities.tolist())


def test_the_same_seed_gives_the_same_batches(source: Source) -> None:
    batches = list(source(seed=4).batches(0, 0, 6))
    assert [len(p) for p, _ in batches] == [50] * 6
    assert same(batches, list(source(seed=4).batches(0, 0, 6)))
    assert not same(batches, list(source(seed=5).batches(0, 0, 6)))
    assert not same(batches, list(source(seed=4).batches(1, 0, 6)))


@pytest.mark.parametrize("middle", [1, 3, 4, 5, 7])
def test_resuming_in_the_middle_goes_on_as_without(source: Source, middle: int) -> None:
    whole = list(source().batches(3, 0, 8))
    assert same(whole, [*source().batches(3, 0, middle), *source().batches(3, middle, 8)])


def test_a_batch_larger_than_a_round_is_refused_or_served(source: Source) -> None:
    try:
        made = source(batch_size=201)
    except UserError as error:
        refused = str(error)
        made = None
    if made is None:
        assert "batch" in refused
    else:
        assert [len(p) for p, _ in made.batches(0, 0, 2)] == [201, 201]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_patches_are_those_of_the_whole_photographs_jpeg(photograph: np.ndarray, share: float) -> None:
    """Without augmentation every patch is found in the photograph's JPEG, at a place of the kind asked for."""
    picture = np.ascontiguousarray(photograph[:96, :96])
    source = PatchSource([picture], 300, aligned_share=share, augment=False, windows_per_quality=3)
    patches, qualities = source.round(0, 0)
    aligned = 0
    for quality in range(1, 101, 7):
        compressed = jpeg.compress(picture, quality)
        views = np.lib.stride_tricks.sliding_window_view(compressed, (16, 16), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
        for patch in patches[qualities == quality]:
            found = np.argwhere((views == patch).all(axis=(2, 3, 4)))
            assert len(found), f"a patch at quality {quality} is nowhere in the photograph's JPEG"
            aligned += any((place % 8 == 4).all() for place in found)
    if share == 1.0:
        assert aligned == 45
    elif share == 0.0:
        assert aligned < 20
    else:
        assert 10 < aligned < 40


def test_cut_windows_takes_places_of_the_photograph_chosen(photograph: np.ndarray) -> None:
    other = 255 - photograph[:100, :130]
    chosen = np.array([0, 1, 1, 0, 0])
    windows, areas, _ = cut_windows([photograph, other], chosen, np.random.default_rng(0))
    for window, area, index in zip(windows, areas, chosen, strict=True):
        picture = (photograph, other)[index]
        places = [
            (top, left)
            for top in range(0, picture.shape[0] - 47, 16)
            for left in range(0, picture.shape[1] - 47, 16)
            if np.array_equal(picture[top : top + 48, left : left + 48], window)
        ]
        assert len(places) == 1
        assert set(area.tolist()) <= {8, 16}


def test_every_place_can_be_drawn() -> None:
    y, x = np.mgrid[:64, :80].astype(np.uint8)
    picture = np.dstack([y, x, y])
    windows, areas, _ = cut_windows([picture], np.zeros(600, int), np.random.default_rng(0))
    drawn = {tuple(int(v) for v in w[0, 0, :2] + a) for w, a in zip(windows, areas, strict=True)}
    expected = {
        (8 * (k + 1), 8 * (m + 1)) for k in range(mosaic.place_count(64)) for m in range(mosaic.place_count(80))
    }
    assert drawn == expected


def test_flat_places_are_drawn_again() -> None:
    picture = np.zeros((48 * 6, 48, 3), np.uint8)
    picture[144:] = np.random.default_rng(0).integers(0, 256, (144, 48, 3))
    windows, areas, _ = cut_windows([picture], np.zeros(400, int), np.random.default_rng(1))
    flat = 0
    for window, (y, x) in zip(windows, areas, strict=True):
        patch = window[y + 4 : y + 20, x + 4 : x + 20]
        flat += bool((patch == patch[0, 0]).all())
    assert 0 < flat / 400 < 0.25  # half of the places, drawn up to three times: one in eight

    all_flat, *_ = cut_windows([np.full((60, 60, 3), 7, np.uint8)], np.zeros(3, int), np.random.default_rng(0))
    assert (all_flat == 7).all()


def test_load_photographs_names_what_it_leaves_out(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (47, 90)).save(photographs / "small.png")
    (photographs / "broken.png").write_bytes(b"broken")
    loaded = load_photographs(sorted(photographs.iterdir()))
    assert [p.shape for p in loaded] == [(150, 201, 3), (160, 251, 3), (97, 131, 3)]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "broken.png is not a picture" in said[0]
    assert "small.png is 47x90 pixels; at least 48x48" in said[1]
    with pytest.raises(UserError, match=r"none of the 1 pictures in .*photographs can be used"):
        load_photographs([photographs / "broken.png"])


def test_validation_is_the_same_every_time(photographs: Path) -> None:
    batches = validation_batches(str(photographs), 250, batch_size=64)
    first = list(batches())
    assert same(first, list(batches()))
    assert same(first, list(validation_batches(str(photographs), 250, batch_size=64)()))
    qualities = np.concatenate([q for _, q in first])
    assert Counter(qualities.tolist()) == dict.fromkeys(range(1, 101), len(qualities) // 100)
    assert len(qualities) in (200, 300)
