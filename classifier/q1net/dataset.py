"""Patches in HDF5: `x_noise` (N, 16, 16, 3) uint8 and `y_quality` (N,) uint8, as the original writes them."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import PATCH, QUALITIES
from q1net_msroi.utils import hdf5
from q1net_msroi.utils.errors import UserError, show

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]

PATCHES_NAME = "x_noise"
QUALITIES_NAME = "y_quality"
REMEDY = "make it with gen_data.py"
RUN = 32  # rows read together: long enough for the disk, short enough to mix
POOL = 512  # runs shuffled together: 16,384 patches, 12 MB


class PatchFile:
    """An HDF5 set of patches, opened for reading and checked; patches come out as RGB."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open `path`; raise `UserError` naming what is wrong with it (missing, truncated, wrong shape, type, NaN)."""
        self.name = show(path)
        self._file = hdf5.open_given(path, REMEDY)
        try:
            self._patches = self._dataset(PATCHES_NAME)
            self.qualities = self._read_qualities(self._dataset(QUALITIES_NAME))
            order = self._file.attrs.get("channel_order", "BGR")
            order = order.decode() if isinstance(order, bytes) else order
        except UserError:
            raise
        except Exception:  # h5py raises whatever the damage makes it meet
            raise UserError(f"{self.name} is damaged; {REMEDY}") from None
        if not isinstance(order, str) or order not in ("BGR", "RGB"):
            raise UserError(f"{self.name}: channel_order is {show(str(order))}, not BGR or RGB; {REMEDY}")
        self._reverse = order == "BGR"

    def _dataset(self, name: str) -> Any:
        """Return a dataset whose values are all in the file."""
        import h5py

        dataset = self._file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise UserError(f"{self.name} has no dataset {name}; {REMEDY}")
        if dataset.shape is None:
            raise UserError(f"{self.name}: {name} is empty; {REMEDY}")
        if dataset.size and dataset.id.get_space_status() != h5py.h5d.SPACE_STATUS_ALLOCATED:
            # HDF5 would answer with fill values, and they would be judged.
            raise UserError(f"{self.name}: {name} was never (or not completely) written; {REMEDY}")
        return dataset

    def _read_qualities(self, qualities: Any) -> NDArray[np.uint8]:
        """Return the qualities of all patches, checked; the patches' shape and type too."""
        shape, found = self._patches.shape, f"{self.name}: {QUALITIES_NAME}"
        if self._patches.dtype != np.uint8 or shape[1:] != (PATCH, PATCH, 3):
            said = f"{self._patches.dtype} {shape}; uint8 (N, {PATCH}, {PATCH}, 3) is needed"
            raise UserError(f"{self.name}: {PATCHES_NAME} is {said}")
        if qualities.shape not in ((shape[0],), (shape[0], 1)) or qualities.dtype.kind not in "uif":
            raise UserError(f"{found} is {qualities.dtype} {qualities.shape}; {shape[0]} numbers are needed")
        values = np.asarray(qualities).reshape(-1)
        if not len(values):
            raise UserError(f"{self.name} holds no patches; {REMEDY}")
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise UserError(f"{found} holds NaN; {REMEDY}")
        if values.min() < QUALITIES[0] or values.max() > QUALITIES[-1]:
            raise UserError(f"{found} reaches from {values.min()} to {values.max()}; 1..100 is needed")
        if (values != values.astype(np.int64)).any():
            raise UserError(f"{found} holds fractions; whole numbers 1..100 are needed")
        return values.astype(np.uint8)

    def __len__(self) -> int:
        return len(self.qualities)

    def patches(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return patches `start`..`stop`-1 as RGB."""
        try:
            rows: NDArray[np.uint8] = self._patches[start:stop]
        except Exception:  # as above
            raise UserError(f"{self.name} is damaged at patch {start}; {REMEDY}") from None
        return rows[..., ::-1] if self._reverse else rows

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield the whole file in order, the last batch as short as it comes."""
        for start in range(0, len(self), batch_size):
            yield self.patches(start, start + batch_size), self.qualities[start : start + batch_size]


class FileSource:
    """Shuffled batches from a patch file: short runs from all over the file are mixed in pools of 16,384 patches.

    The order depends on (seed, epoch) alone, so that a run can resume in the middle of an epoch.
    """

    def __init__(self, file: PatchFile, batch_size: int, seed: int = 0) -> None:
        """Raise `UserError` when the file holds less than one batch."""
        self.file, self.batch_size, self.seed = file, batch_size, seed
        if len(file) < batch_size:
            raise UserError(f"{file.name} holds {len(file)} patches, less than one batch of {batch_size}; make more")
        # Short files are cut into shorter runs, so that they too are mixed and lose next to nothing.
        self._run = max(1, min(RUN, len(file) // POOL))
        if len(file) // self._run * self._run < batch_size:
            self._run = 1
        self._runs = len(file) // self._run
        rows = batch_size * max(1, POOL * RUN // batch_size)  # a pool is made of whole batches
        self._pool = min(-(-rows // self._run), self._runs)
        self.batches_per_pool = self._pool * self._run // batch_size

    @property
    def batches_per_epoch(self) -> int:
        """How many whole batches an epoch over the file gives."""
        whole, rest = divmod(self._runs, self._pool)
        return whole * self.batches_per_pool + rest * self._run // self.batch_size

    def batches(self, epoch: int, start: int, stop: int) -> Iterator[Batch]:
        """Yield batches `start`..`stop`-1 of an epoch: patches (b, 16, 16, 3) uint8 RGB, qualities (b,) uint8."""
        stop = min(stop, self.batches_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(self._runs)
        for pool in range(start // self.batches_per_pool, -(-stop // self.batches_per_pool)):
            runs = order[pool * self._pool : (pool + 1) * self._pool] * self._run
            patches = np.concatenate([self.file.patches(run, run + self._run) for run in runs])
            qualities = self.file.qualities[(runs[:, None] + np.arange(self._run)).ravel()]
            mixed = np.random.default_rng([self.seed, epoch, pool]).permutation(len(patches))
            first = pool * self.batches_per_pool
            for number in range(max(start, first), min(stop, first + self.batches_per_pool)):
                part = mixed[(number - first) * self.batch_size : (number - first + 1) * self.batch_size]
                yield patches[part], qualities[part]
