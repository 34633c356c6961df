"""Make a set of patches from photographs: every quality, every perturbation, in HDF5 (paper, section 4.1).

The file is laid out once with its full size and then filled in place, group by group of windows, so that memory does
not grow with it, all cores write at once, and a killed run goes on where it stopped. Its final name appears at the end.
"""

import fcntl
import functools
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.configs import AREA, PATCH, PERTURBATION, QUALITIES
from q1net_msroi.classifier.q1net.dataset import PATCHES_NAME, QUALITIES_NAME
from q1net_msroi.classifier.q1net.mosaic import WINDOW
from q1net_msroi.classifier.q1net.photographs import cut_windows
from q1net_msroi.utils import files, images, tasks
from q1net_msroi.utils.codecs import CODECS, JPEG
from q1net_msroi.utils.errors import UserError, note, show

PATCH_BYTES = PATCH * PATCH * 3
HEADER_BYTES = 64 * 1024
REMEMBER_EVERY = 4  # groups between two notes of how far the run is


@dataclass(frozen=True)
class Request:
    """What to generate: about `num_samples` places a quality, `perturb` x `perturb` offsets around each.

    With `quality_division` d every photograph is compressed at its own random 1/d of the qualities, with
    `perturb_division` d every place gets its own random 1/d of the offsets: more photographs in the same space.
    """

    comp_type: str
    num_samples: int
    perturb: int = PERTURBATION
    quality_division: int = 1
    perturb_division: int = 1
    seed: int = 0
    codec: str = JPEG.name

    def __post_init__(self) -> None:
        """Raise `UserError` for numbers that make no set."""
        if self.seed < 0:
            raise UserError(f"--seed {self.seed}: a number from 0 up is needed")
        if self.num_samples < 1:
            raise UserError("--num_samples must be at least 1")
        if not 1 <= self.perturb <= PERTURBATION:
            why = "a larger offset would leave the place's 24x24 pixels"
            raise UserError(f"--perturb must lie in 1..{PERTURBATION}: {why}")
        if not 1 <= self.quality_division <= len(QUALITIES):
            raise UserError(f"--quality_division must lie in 1..{len(QUALITIES)}")
        if not 1 <= self.perturb_division <= self.perturb**2:
            raise UserError(f"--perturb_division must lie in 1..{self.perturb**2}")
        if not set(QUALITIES) <= set(CODECS[self.codec].qualities):
            raise UserError(f"--codec {self.codec} has not all qualities {QUALITIES[0]}..{QUALITIES[-1]}")

    @property
    def qualities_each(self) -> int:
        """How many qualities a photograph is compressed at."""
        return len(QUALITIES) // self.quality_division

    @property
    def offsets(self) -> NDArray[np.intp]:
        """All offsets around a place, (perturb^2, 2), from -perturb//2 on; `--perturb 1` is the aligned one alone."""
        side = np.arange(self.perturb) - self.perturb // 2
        return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)

    @property
    def offsets_each(self) -> int:
        """How many offsets a place gets at a quality."""
        return self.perturb**2 // self.perturb_division


@dataclass(frozen=True)
class Plan:
    """Where everything goes: `places_each` places of every photograph, in groups that fit one mosaic."""

    request: Request
    photographs: tuple[Path, ...]

    @property
    def places_each(self) -> int:
        """How many places every photograph gives."""
        return -(-self.request.num_samples // len(self.photographs))

    @property
    def places(self) -> int:
        """How many places there are in all."""
        return self.places_each * len(self.photographs)

    @property
    def rows_each(self) -> int:
        """How many patches a place gives."""
        return self.request.qualities_each * self.request.offsets_each

    @property
    def rows(self) -> int:
        """How many patches the set holds."""
        return self.places * self.rows_each

    @property
    def group(self) -> int:
        """How many places are worked on together: enough for a full mosaic at every quality."""
        return mosaic.WINDOWS * min(self.request.quality_division, 10)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return -(-self.places // self.group)


def usable_photographs(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Decode every picture once and return those that can be used; name the others, and the gray ones, on stderr."""

    def check(path: Path) -> tuple[Path, str | None, bool]:
        try:
            return path, None, images.is_gray(images.read_rgb(path, minimum_side=mosaic.WINDOW).pixels)
        except UserError as error:
            return path, str(error), False

    usable = []
    checked = tasks.ordered_map(check, paths)
    for path, error, gray in tasks.progress(checked, total=len(paths), desc="checking photographs", unit="picture"):
        if error:
            note(f"left out: {error}")
            continue
        if gray:
            note(f"{show(path)} is gray; its patches say nothing about chroma")
        usable.append(path)
    if not usable:
        raise UserError(f"none of the {len(paths)} pictures in {show(paths[0].parent)} can be used")
    return tuple(usable)


def generate(plan: Plan, path: Path, workers: int | None = None) -> None:
    """Write the set of `plan` to `path`; an unfinished run with the same plan is resumed."""
    if path.is_dir():
        raise UserError(f"{show(path)} is a folder; give the name of a file with --hdf5_name")
    if path.exists() and any(path.samefile(photograph) for photograph in plan.photographs):
        raise UserError(f"{show(path)} is one of the photographs; choose another --hdf5_name or --out_path")
    partial = path.with_name(f".{path.name}.partial")
    record = path.with_name(f".{path.name}.partial.json")
    identity = {
        **asdict(plan.request),
        "codec": CODECS[plan.request.codec].identity(),
        "photographs": [[os.fsencode(p.name).hex(), p.stat().st_size] for p in plan.photographs],
    }
    needed = plan.rows * (PATCH_BYTES + 1) + HEADER_BYTES
    held = partial.stat().st_blocks * 512 if partial.exists() else 0
    files.require_space(path.parent, needed - held, f"{show(path.name)} ({plan.rows:,} patches)")
    with partial.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another run is writing {show(path)}; wait for it or choose another --hdf5_name") from None
        previous = files.read_json(record) if record.exists() else {}
        done = previous.get("groups_done", 0) if previous.get("identity") == identity else 0
        try:
            if done:
                note(f"resuming: {done} of {plan.groups} groups are there already")
            else:
                record.unlink(missing_ok=True)
                _lay_out(plan, partial)
            _fill(plan, partial, record, identity, done, workers)
        except OSError:
            if not done:
                partial.unlink(missing_ok=True)
            raise
        partial.replace(path)
        record.unlink(missing_ok=True)


def _lay_out(plan: Plan, partial: Path) -> None:
    """Create the HDF5 file with both datasets at full size, contiguous, and the attributes that describe them."""
    import h5py

    # Truncated in place: the lock is held on this very file.
    os.truncate(partial, 0)
    with h5py.File(partial, "r+" if partial.stat().st_size else "w", locking=False) as file:
        for name, shape in ((PATCHES_NAME, (plan.rows, PATCH, PATCH, 3)), (QUALITIES_NAME, (plan.rows,))):
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_layout(h5py.h5d.CONTIGUOUS)
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            properties.set_obj_track_times(False)  # the same seed gives the same bytes, today and tomorrow
            space = h5py.h5s.create_simple(shape)
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, properties)
        made_of = {**asdict(plan.request), "channel_order": "BGR", "subsampling": "4:2:0"}
        made_of["codec"] = CODECS[plan.request.codec].identity()
        file.attrs.update(made_of, photographs=len(plan.photographs), places_per_photograph=plan.places_each)
    with partial.open("r+b") as opened:  # the disk says now, not later, that it is full
        os.posix_fallocate(opened.fileno(), 0, partial.stat().st_size)


def _fill(plan: Plan, partial: Path, record: Path, identity: dict[str, Any], done: int, workers: int | None) -> None:
    import h5py

    with h5py.File(partial, "r", locking=False) as file:
        start_patches, start_qualities = (file[name].id.get_offset() for name in (PATCHES_NAME, QUALITIES_NAME))
    read = functools.lru_cache(maxsize=8)(lambda index: images.read_rgb(plan.photographs[index]).pixels)

    with partial.open("r+b", buffering=0) as opened:

        def fill_group(group: int) -> int:
            row = group * plan.group * plan.rows_each
            for quality, patches in _group_patches(plan, group, read):
                _write_all(opened.fileno(), patches, start_patches + row * PATCH_BYTES)
                _write_all(opened.fileno(), np.full(len(patches), quality, np.uint8), start_qualities + row)
                row += len(patches)
            return group

        bar = tasks.progress(total=plan.rows, initial=done * plan.group * plan.rows_each, unit="patch", unit_scale=True)
        for group in tasks.ordered_map(fill_group, range(done, plan.groups), workers, ahead=0):
            bar.update(min(plan.group, plan.places - group * plan.group) * plan.rows_each)
            if (group + 1) % REMEMBER_EVERY == 0:
                files.write_json(record, {"identity": identity, "groups_done": group + 1})
        bar.close()
        os.fsync(opened.fileno())


def _write_all(descriptor: int, values: NDArray[np.uint8], offset: int) -> None:
    view = np.ascontiguousarray(values).reshape(-1).data
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _photograph_qualities(plan: Plan, photograph: int) -> NDArray[np.intp]:
    """Return the qualities that a photograph is compressed at, a random part of all when there is a division."""
    random = np.random.default_rng([plan.request.seed, 1, photograph])
    return np.sort(random.permutation(np.array(QUALITIES))[: plan.request.qualities_each])


def _group_patches(plan: Plan, group: int, read: Any) -> Any:
    """Yield (quality, patches BGR) of one group; what they are depends on (seed, group) alone."""
    request = plan.request
    random = np.random.default_rng([request.seed, 0, group])
    places = np.arange(group * plan.group, min((group + 1) * plan.group, plan.places))
    photographs, chosen = np.unique(places // plan.places_each, return_inverse=True)
    windows, areas, corners = cut_windows([read(int(index)) for index in photographs], chosen, random)
    taken = np.zeros((len(photographs), len(QUALITIES) + 1), bool)
    np.put_along_axis(taken, np.stack([_photograph_qualities(plan, int(each)) for each in photographs]), True, axis=1)
    codec = CODECS[request.codec]
    together = mosaic.compressor(windows, codec)
    # Places come in the order of their photographs: one of them, compressed, is in memory at a time.
    whole = functools.lru_cache(maxsize=1)(lambda quality, index: codec.compress(read(index), quality))
    for quality in QUALITIES:
        members = np.flatnonzero(taken[chosen, quality])
        if not len(members):
            continue
        if codec.margin is None:
            corner = zip(photographs[chosen[members]], corners[members], strict=True)
            compressed = np.stack([whole(quality, int(p))[y : y + WINDOW, x : x + WINDOW] for p, (y, x) in corner])
        else:
            everyone = len(members) == len(windows)
            compressed = (together if everyone else mosaic.compressor(windows[members], codec))(quality)
        offsets = request.offsets
        if request.perturb_division > 1:
            order = random.random((len(members), len(offsets))).argsort(axis=1)[:, : request.offsets_each]
            offsets = offsets[order]
        yield quality, mosaic.area_patches(compressed[..., ::-1], areas[members], offsets)


def save_sheets(path: Path, folder: Path, across: int = 16) -> None:
    """Write one picture a quality with up to 256 of a set's patches, `quality_050.png`, for looking at them."""
    from q1net_msroi.classifier.q1net.dataset import PatchFile

    files.output_folder(folder)
    patches = PatchFile(path)
    for quality in QUALITIES:
        rows = np.flatnonzero(patches.qualities == quality)
        if not len(rows):
            continue
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), across * across)).astype(int)]
        sheet = np.full((across, across, AREA, AREA, 3), 255, np.uint8)
        for number, row in enumerate(chosen):
            sheet[number // across, number % across, 4:-4, 4:-4] = patches.patches(int(row), int(row) + 1)[0]
        sheet = sheet.transpose(0, 2, 1, 3, 4).reshape(across * AREA, across * AREA, 3)
        labelled = Image.new("RGB", (across * AREA, across * AREA + AREA), "white")
        labelled.paste(Image.fromarray(sheet), (0, AREA))
        label = f"{path.name}: quality {quality}, {len(chosen)} of {len(rows):,} patches of {PATCH}x{PATCH}"
        ImageDraw.Draw(labelled).text((4, 6), label.encode("ascii", "replace"), fill="black")
        with files.atomic_path(folder / f"quality_{quality:03d}.png") as temporary:
            labelled.save(temporary, "PNG")
