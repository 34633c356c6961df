"""Patch files: what is wrong is said; every epoch is a permutation and can be resumed."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from q1net_msroi.classifier.q1net.dataset import FileSource, PatchFile
from q1net_msroi.utils.errors import UserError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a patch file from the given datasets (None leaves one out)."""

    def make(patches: object = "good", qualities: object = "good", count: int = 40, **attributes: object) -> Path:
        path = tmp_path / "a.hdf5"
        random = np.random.default_rng(0)
        if isinstance(patches, str):
            patches = random.integers(0, 256, (count, 16, 16, 3), np.uint8)
        if isinstance(qualities, str):
            qualities = random.integers(1, 101, count).astype(np.uint8)
        with h5py.File(path, "w") as file:
            for name, values in (("x_noise", patches), ("y_quality", qualities)):
                if values is not None:
                    file[name] = values
            file.attrs.update(attributes)
        return path

    return make


def stored(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(path) as file:
        return file["x_noise"][:], file["y_quality"][:]


def test_patches_come_out_as_rgb(write: Write) -> None:
    for attributes, reverse in (({}, True), ({"channel_order": "BGR"}, True), ({"channel_order": "RGB"}, False)):
        path = write(**attributes)
        patches, qualities = stored(path)
        file = PatchFile(path)
        assert len(file) == 40
        np.testing.assert_array_equal(file.patches(3, 9), patches[3:9, ..., ::-1] if reverse else patches[3:9])
        np.testing.assert_array_equal(file.qualities, qualities)
        del file  # HDF5 holds a lock on it


def test_in_order_yields_everything_once(write: Write) -> None:
    file = PatchFile(write())
    batches = list(file.in_order(15))
    assert [len(b) for b, _ in batches] == [15, 15, 10]
    np.testing.assert_array_equal(np.concatenate([b for b, _ in batches]), file.patches(0, 40))
    np.testing.assert_array_equal(np.concatenate([q for _, q in batches]), file.qualities)


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
def test_qualities_may_be_any_numbers_in_one_column(write: Write, kind: type) -> None:
    file = PatchFile(write(qualities=(np.arange(40) + 1).astype(kind)[:, None]))
    np.testing.assert_array_equal(file.qualities, np.arange(1, 41))


GOOD = np.full(40, 50.0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"patches": None}, "has no dataset x_noise"),
        ({"qualities": None}, "has no dataset y_quality"),
        ({"patches": np.zeros((40, 16, 16, 3), np.float32)}, r"x_noise is float32 \(40, 16, 16, 3\); uint8"),
        ({"patches": np.zeros((40, 8, 8, 3), np.uint8)}, r"x_noise is uint8 \(40, 8, 8, 3\)"),
        ({"patches": np.zeros((40, 16, 16), np.uint8)}, r"x_noise is uint8 \(40, 16, 16\)"),
        ({"patches": np.uint8(3)}, r"x_noise is uint8 \(\)"),
        ({"qualities": GOOD[:39]}, r"y_quality is float64 \(39,\); 40 numbers"),
        ({"qualities": np.ones((40, 2))}, r"y_quality is float64 \(40, 2\)"),
        ({"qualities": np.array([b"x"] * 40)}, "y_quality is "),
        ({"qualities": np.where(np.arange(40) == 7, np.nan, GOOD)}, "y_quality holds NaN"),
        ({"qualities": np.where(np.arange(40) == 7, np.inf, GOOD)}, "y_quality reaches"),
        ({"qualities": np.arange(40)}, "y_quality reaches from 0 to 39; 1..100"),
        ({"qualities": np.arange(40) + 62}, "y_quality reaches from 62 to 101"),
        ({"qualities": -GOOD}, "y_quality reaches"),
        ({"patches": np.zeros((0, 16, 16, 3), np.uint8), "qualities": np.zeros(0, np.uint8)}, "holds no patches"),
    ],
)
def test_what_is_wrong_is_said(write: Write, broken: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=r"a\.hdf5.*" + message):
        PatchFile(write(**broken))


def test_a_group_in_place_of_a_dataset(write: Write) -> None:
    path = write(patches=None)
    with h5py.File(path, "a") as file:
        file.create_group("x_noise")
    with pytest.raises(UserError, match="has no dataset x_noise"):
        PatchFile(path)


@pytest.mark.parametrize("keep", [0, 100, 0.3, 0.999])
def test_a_truncated_file(write: Write, keep: float) -> None:
    path = write()
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(UserError, match=r"a\.hdf5 is not a whole HDF5 file"):
        PatchFile(path)


def test_missing_text_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; make it with gen_data"):
        PatchFile(tmp_path / "missing.hdf5")
    (tmp_path / "text.hdf5").write_text("no HDF5\n" * 50)
    os.mkfifo(tmp_path / "pipe.hdf5")
    for path in (tmp_path / "text.hdf5", tmp_path, tmp_path / "pipe.hdf5"):
        with pytest.raises(UserError, match="is not a whole HDF5 file"):
            PatchFile(path)


def test_damage_inside_a_compressed_dataset(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    values = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x_noise", data=values, chunks=(10, 16, 16, 3), fletcher32=True)
        file["y_quality"] = np.full(40, 50, np.uint8)
        chunk = dataset.id.get_chunk_info(2).byte_offset
    content = bytearray(path.read_bytes())
    content[chunk + 10] ^= 255
    path.write_bytes(content)
    file = PatchFile(path)
    assert len(file.patches(0, 20)) == 20
    with pytest.raises(UserError, match=r"a\.hdf5 is damaged at patch 20"):
        file.patches(20, 30)


def _good(file: h5py.File, *names: str) -> None:
    for name, shape in (("x_noise", (40, 16, 16, 3)), ("y_quality", (40,))):
        if name not in names:
            file[name] = np.full(shape, 7, np.uint8)


def _layout(*sources: str) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((40, 16, 16, 3), np.uint8)
    for source in sources:
        layout[:] = h5py.VirtualSource(source, "x_noise", (40, 16, 16, 3))
    return layout


def _looping(file: h5py.File) -> None:
    file["x_noise"], file["other"] = h5py.SoftLink("/other"), h5py.SoftLink("/x_noise")


def _text(file: h5py.File, length: int, stored: np.ndarray) -> None:
    space, text = h5py.h5s.create(h5py.h5s.SCALAR), h5py.h5t.C_S1.copy()
    text.set_size(length)
    text.set_cset(h5py.h5t.CSET_UTF8)
    h5py.h5a.create(file.id, b"channel_order", text, space).write(stored, text if length == 4 else None)


ATTRIBUTES = {
    "invalid UTF-8": (lambda file: _text(file, 4, np.array(b"\xff\xfeRG", "S4")), "is damaged"),
    "invalid UTF-8 of any length": (
        lambda file: _text(file, h5py.h5t.VARIABLE, np.array(b"\xff\xfeRG", h5py.string_dtype("utf-8"))),
        "not BGR or RGB",
    ),
    "null": (lambda file: file.attrs.__setitem__("channel_order", h5py.Empty("S3")), "channel_order is .*Empty"),
    "a list": (lambda file: file.attrs.__setitem__("channel_order", ["RGB", "BGR"]), "channel_order is .*not BGR or"),
    "other": (lambda file: file.attrs.__setitem__("channel_order", "YCC"), "channel_order is YCC, not BGR or RGB"),
}


OTHER = "b.hdf5"  # a sound set beside the given file
ODD = {
    "null dataspace": (lambda file: file.__setitem__("x_noise", h5py.Empty("u1")), "x_noise is empty"),
    "dangling soft link": (lambda file: file.__setitem__("x_noise", h5py.SoftLink("/none")), "x_noise is a link"),
    "looping soft link": (_looping, "is a link to another place"),
    "external link to a missing file": (
        lambda file: file.__setitem__("x_noise", h5py.ExternalLink("none.hdf5", "x_noise")),
        "x_noise is a link",
    ),
    "external link": (
        lambda file: file.__setitem__("x_noise", h5py.ExternalLink(OTHER, "x_noise")),
        "x_noise is a link",
    ),
    "never written": (
        lambda file: file.create_dataset("x_noise", (40, 16, 16, 3), np.uint8),
        r"x_noise was never \(or not completely\) written",
    ),
    "half written": (
        lambda file: file.create_dataset("x_noise", (40, 16, 16, 3), np.uint8, chunks=(20, 16, 16, 3)).__setitem__(
            slice(0, 20), 7
        ),
        r"x_noise was never \(or not completely\) written",
    ),
    "virtual": (lambda file: file.create_virtual_dataset("x_noise", _layout(OTHER)), "lie in another file"),
    "virtual of a missing file": (
        lambda file: file.create_virtual_dataset("x_noise", _layout("none.hdf5"), fillvalue=9),
        "lie in another file",
    ),
    "external storage": (
        lambda file: file.create_dataset(
            "x_noise", (40, 16, 16, 3), np.uint8, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
        ),
        "lie in another file",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_data_that_are_not_in_the_file_are_refused(tmp_path: Path, kind: str) -> None:
    make, message = ODD[kind]
    with h5py.File(tmp_path / OTHER, "w") as file:
        _good(file)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _good(file, "x_noise")
        make(file)
    with pytest.raises(UserError, match=r"a\.hdf5: .*" + message) as raised:
        PatchFile(tmp_path / "a.hdf5")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_an_attribute_that_says_nothing_is_refused(tmp_path: Path, kind: str) -> None:
    make, message = ATTRIBUTES[kind]
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _good(file)
        make(file)
    with pytest.raises(UserError, match=r"a\.hdf5.*" + message):
        PatchFile(tmp_path / "a.hdf5")


def test_flipped_bytes_of_the_header_are_damage_or_do_no_harm(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _good(file)
    content, random = (tmp_path / "a.hdf5").read_bytes(), np.random.default_rng(0)
    refused: list[str] = []
    for number in range(300):
        flipped = bytearray(content)
        for place in random.integers(0, 2400, random.integers(1, 6)):
            flipped[place] ^= int(random.integers(1, 256))
        path = tmp_path / f"{number}.hdf5"
        path.write_bytes(flipped)
        try:
            list(PatchFile(path).in_order(15))
        except UserError as error:
            refused.append(str(error))
    assert 50 < len(refused) < 300
    assert all(line.isprintable() for line in refused)


def test_a_compressed_set_is_read(write: Write, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _good(file, "x_noise")
        file.create_dataset("x_noise", data=np.full((40, 16, 16, 3), 3, np.uint8), chunks=(7, 16, 16, 3),
                            compression="gzip")  # fmt: skip
    assert (PatchFile(tmp_path / "a.hdf5").patches(0, 40) == 3).all()


class Numbered:
    """Stands for a patch file; a patch is its number, so that every one can be followed."""

    name = "numbered.hdf5"

    def __init__(self, count: int) -> None:
        self.qualities = (np.arange(count) % 100 + 1).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.qualities)

    def patches(self, start: int, stop: int) -> np.ndarray:
        return np.arange(start, min(stop, len(self)))


SIZES = [
    (1, 1),
    (40, 7),
    (256, 256),
    (600, 512),
    (1541, 1541),
    (1541, 256),
    (20_000, 256),
    (50_000, 4096),
    (40_000, 20_000),
]


@pytest.mark.parametrize(("count", "batch"), SIZES)
def test_an_epoch_is_a_permutation(count: int, batch: int) -> None:
    source = FileSource(Numbered(count), batch, seed=3)
    batches = list(source.batches(0, 0, source.batches_per_epoch))
    assert len(batches) == source.batches_per_epoch >= 1
    assert all(len(patches) == len(qualities) == batch for patches, qualities in batches)
    seen = np.concatenate([patches for patches, _ in batches])
    assert max(Counter(seen.tolist()).values()) == 1
    np.testing.assert_array_equal(np.concatenate([q for _, q in batches]), seen % 100 + 1)
    if count >= 10 * batch:
        assert len(seen) > 0.95 * count  # next to nothing is lost
    again = np.concatenate([patches for patches, _ in source.batches(1, 0, source.batches_per_epoch)])
    if count > 1:
        assert not np.array_equal(seen, again)


def test_every_file_of_at_least_one_batch_gives_a_batch() -> None:
    for count in range(1, 2200):
        for batch in {1, max(1, count // 2), count}:
            source = FileSource(Numbered(count), batch)
            assert source.batches_per_epoch >= 1, (count, batch)


def test_less_than_a_batch_is_said() -> None:
    with pytest.raises(UserError, match=r"numbered\.hdf5 holds 9 patches, less than one batch of 10"):
        FileSource(Numbered(9), 10)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        source = FileSource(Numbered(3000), 64, seed)
        return np.concatenate([p for p, _ in source.batches(epoch, 0, source.batches_per_epoch)]).tolist()

    assert order(1, 4) == order(1, 4)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("middle", [1, 63, 64, 65, 150])
def test_resuming_in_the_middle_goes_on_as_without(middle: int) -> None:
    source = FileSource(Numbered(50_000), 256)
    stop = source.batches_per_epoch
    whole = [p.tolist() for p, _ in source.batches(2, 0, stop)]
    parts = [*source.batches(2, 0, middle), *FileSource(Numbered(50_000), 256).batches(2, middle, stop)]
    assert [p.tolist() for p, _ in parts] == whole


def test_neighbours_in_the_file_are_scattered() -> None:
    source = FileSource(Numbered(60_000), 256)
    first = next(iter(source.batches(0, 0, 1)))[0]
    assert first.max() - first.min() > 50_000
    assert np.abs(np.diff(first)).min() >= 1
    assert np.median(np.abs(np.diff(first))) > 5000


def test_batches_from_a_real_file(write: Write) -> None:
    path = write(count=300)
    file = PatchFile(path)
    rows = {patch.tobytes(): int(q) for patch, q in zip(file.patches(0, 300), file.qualities, strict=True)}
    for patches, qualities in FileSource(file, 50).batches(0, 0, 6):
        assert [rows.pop(patch.tobytes()) for patch in patches] == qualities.tolist()
    assert not rows
