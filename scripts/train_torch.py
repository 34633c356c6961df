#!/usr/bin/env python3
"""Train the network with PyTorch on an accelerator: patches, loss and optimizer of `train.py --optimizer muon`.

All processor cores make fresh patches from photographs; they gather in the accelerator's memory, and every batch is
drawn from what is there. A run lasts --minutes, and its learning rate falls to nothing by then. TensorFlow is not
needed: `exchange_weights.py` brings the weights here and back, where it validates them.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import queue
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.configs import CONFIGS, MULTIPLIERS, PATCH, QUALITIES, get_config
from q1net_msroi.classifier.q1net.photographs import PatchSource, load_photographs, validation_batches
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils.errors import UserError, note, run_command, show

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("train_torch.py: PyTorch is missing; install it with `pip install torch`")

ROUND = mosaic.WINDOWS * len(QUALITIES)  # patches that a process makes at a time
MUON_RATIO, MUON_MOMENTUM = 8.0, 0.95  # as utils/optimizers.py
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
BATCHNORM_MOMENTUM = 0.02  # of the newest batch; batches are large
LOSS_SCALE = 256.0  # lifts gradients into the range of float16
WARMUP = 0.02  # share of the run in which the learning rate rises
REPORT_SECONDS = 15.0
PATIENCE = 120.0  # seconds without patches after which their makers are taken for dead


class Network(nn.Module):
    """The network of `classifier/q1net/architecture.py`: (n, 3, 16, 16) BGR 0..255 to (n, 2) confidence, quality."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolutions, channels = [], 3
        for multiplier in MULTIPLIERS:
            out = multiplier * width
            convolutions += [
                nn.Conv2d(channels, out, 3, bias=False),
                nn.Conv2d(out, out, 1, bias=False),
                nn.Conv2d(out, out, 3, padding=1, bias=False),
                nn.Conv2d(out, out, 1, bias=False),
            ]
            channels = out
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(c.out_channels, eps=1e-5, momentum=BATCHNORM_MOMENTUM) for c in convolutions
        )
        self.last = nn.Conv2d(channels, width, 3)
        self.dense = nn.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        """Return (confidence, quality) of patches."""
        layers = list(zip(self.convolutions, self.norms, strict=True))
        for first in range(0, len(layers), 4):
            x, skip = None, functional.relu(layers[first][1](layers[first][0](x)))
            y = skip
            for convolution, norm in layers[first + 1 : first + 3]:
                y = functional.relu(norm(convolution(y)))
            x = functional.relu(layers[first + 3][1](layers[first + 3][0](y)) + skip)
        x = functional.relu(self.last(x)).mean((2, 3))
        return 100.0 * torch.sigmoid(self.dense(x).float())

    def variables(self) -> Iterator[tuple[Any, tuple[int, ...] | None]]:
        """Yield the tensors in the order of Keras' `get_weights()` and the permutation that makes each Keras'."""
        kernel = (2, 3, 1, 0)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            yield convolution.weight, kernel
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                yield tensor, None
        yield self.last.weight, kernel
        yield self.last.bias, None
        yield self.dense.weight, (1, 0)
        yield self.dense.bias, None

    def arrays(self) -> list[NDArray[np.float32]]:
        """Return the weights as Keras' `get_weights()` does."""
        return [
            (tensor.detach().permute(order) if order else tensor.detach()).contiguous().cpu().numpy()
            for tensor, order in self.variables()
        ]

    def load_arrays(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        """Take over weights in that order; raise `UserError` where they are of another network."""
        pairs = list(self.variables())
        if len(arrays) != len(pairs):
            raise UserError(f"{len(arrays)} arrays of weights instead of {len(pairs)}; check --comp_type")
        with torch.no_grad():
            for (tensor, order), values in zip(pairs, arrays, strict=True):
                value = torch.from_numpy(values.transpose(np.argsort(order)) if order else values)
                if value.shape != tensor.shape:
                    raise UserError("the base weights are of another width; check --comp_type")
                tensor.copy_(value)


def read_arrays(path: Path) -> list[NDArray[np.float32]]:
    """Return the weights in an .npz; raise `UserError` for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[str(number)] for number in range(sum(name.isdigit() for name in stored.files))]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{show(path)} is missing or not what exchange_weights.py packs") from None


class Muon:
    """`q1net_msroi.utils.optimizers.Muon` for kernels, all of them as one batch of zero-padded matrices."""

    def __init__(self, kernels: list[Any], rate: Any) -> None:
        self.kernels, self.rate = kernels, rate
        self.momenta = [torch.zeros_like(kernel) for kernel in kernels]
        shapes = [(kernel.shape[0], kernel[0].numel()) for kernel in kernels]
        self.rows, self.columns = (max(shape[axis] for shape in shapes) for axis in (0, 1))

    @torch.no_grad()
    def step(self) -> None:
        """Move every kernel by its orthogonalised momentum."""
        gradients = [kernel.grad for kernel in self.kernels]
        torch._foreach_lerp_(self.momenta, gradients, 1 - MUON_MOMENTUM)
        ahead = torch._foreach_lerp(self.momenta, gradients, 1 - MUON_MOMENTUM)
        flat = [a.reshape(a.shape[0], -1) for a in ahead]
        x = torch.stack([functional.pad(a, (0, self.columns - a.shape[1], 0, self.rows - a.shape[0])) for a in flat])
        x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
        a, b, c = QUINTIC
        for _ in range(ITERATIONS):
            gram = x @ x.mT
            x = a * x + (b * gram + c * gram @ gram) @ x
        x = x * (-MUON_RATIO * self.rate)
        for kernel, matrix, move in zip(self.kernels, flat, x, strict=True):
            kernel.add_(move[: matrix.shape[0], : matrix.shape[1]].reshape(kernel.shape))


def supply(source: PatchSource, worker: int, buffers: tuple[Any, Any], free: Any, ready: Any) -> None:
    """Fill free buffers with rounds of patches until the parent ends."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has inherited the parent's handler
    patches, qualities = _views(*buffers)
    index = 0
    while True:
        slot = free.get()
        patches[slot], qualities[slot] = source.round(worker, index)
        ready.put(slot)
        index += 1


def _views(patches: Any, qualities: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = (-1, ROUND, PATCH, PATCH, 3)
    return np.frombuffer(patches, np.uint8).reshape(shape), np.frombuffer(qualities, np.uint8).reshape(-1, ROUND)


class Pool:
    """Patches in the accelerator's memory, filled by processes while the training draws from them."""

    def __init__(self, source: PatchSource, capacity: int, workers: int) -> None:
        """Start the processes; call this before anything touches the accelerator."""
        context = multiprocessing.get_context("fork")
        slots = 2 * workers
        self.buffers = context.RawArray("B", slots * ROUND * PATCH * PATCH * 3), context.RawArray("B", slots * ROUND)
        self.free, self.ready = context.Queue(), context.Queue()
        self.capacity, self.count = capacity // ROUND * ROUND, 0
        for slot in range(slots):
            self.free.put(slot)
        for worker in range(workers):
            arguments = (source, worker, self.buffers, self.free, self.ready)
            context.Process(target=supply, args=arguments, daemon=True).start()

    def place(self, device: Any) -> None:
        """Take the memory."""
        self.patches = torch.empty((self.capacity, PATCH, PATCH, 3), dtype=torch.uint8, device=device)
        self.qualities = torch.empty(self.capacity, dtype=torch.uint8, device=device)
        self.filled = torch.zeros((), dtype=torch.float64, device=device)
        self.stream = torch.cuda.Stream() if device.type == "cuda" else None

    def take(self, wait: bool = False) -> None:
        """Take over what is ready; with `wait` at least one round. A full pool stays as it is."""
        patches, qualities = _views(*self.buffers)
        while self.count < self.capacity and (wait or not self.ready.empty()):
            try:
                slot = self.ready.get(timeout=PATIENCE)
            except queue.Empty:
                raise UserError(f"no patches came for {PATIENCE:.0f} seconds; try fewer --workers") from None
            wait, part = False, slice(self.count, self.count + ROUND)
            with torch.cuda.stream(self.stream):
                self.patches[part].copy_(torch.from_numpy(patches[slot]))
                self.qualities[part].copy_(torch.from_numpy(qualities[slot]))
            if self.stream:
                self.stream.synchronize()
            self.free.put(slot)
            self.count += ROUND
            self.filled.fill_(self.count)

    def draw(self, batch_size: int) -> tuple[Any, Any]:
        """Return a random batch: (n, 3, 16, 16) BGR float32, (n,) float32."""
        index = (torch.rand(batch_size, dtype=torch.float64, device=self.filled.device) * self.filled).long()
        return inputs(self.patches[index]), self.qualities[index].float()


def inputs(patches: Any) -> Any:
    """Return (n, 16, 16, 3) uint8 RGB patches as the network takes them, channels last in memory."""
    return patches.flip(-1).float().permute(0, 3, 1, 2)


def losses(truth: Any, predicted: Any) -> tuple[Any, Any]:
    """Return the mean of 0.5 |c* - c| + |q* - q| and of |q* - q| (`architecture.loss`)."""
    error = (truth - predicted[:, 1]).abs()
    return (0.5 * (100.0 - error.detach() - predicted[:, 0]).abs() + error).mean(), error.mean()


class Training:
    """Network, optimizers and one step of them, recorded once and replayed on an accelerator."""

    def __init__(self, network: Network, pool: Pool, batch_size: int, precision: str, compiled: bool) -> None:
        self.network, self.pool, self.batch_size = network, pool, batch_size
        self.device, self.half = pool.filled.device, precision == "float16"
        self.forward = torch.compile(network) if compiled else network
        self.rate = torch.zeros((), device=self.device)
        self.sums = torch.zeros(2, device=self.device)
        kernels = [p for p in network.parameters() if p.dim() == 4 and p.shape[1] > 3]
        others = [p for p in network.parameters() if not any(p is kernel for kernel in kernels)]
        self.muon = Muon(kernels, self.rate)
        self.adam = torch.optim.Adam(others, lr=self.rate, eps=1e-7, capturable=self.device.type == "cuda")
        self.replay = self.step

    def step(self) -> None:
        """Draw a batch and take one step."""
        patches, truth = self.pool.draw(self.batch_size)
        with torch.autocast(self.device.type, torch.float16, enabled=self.half, cache_enabled=False):
            predicted = self.forward(patches)
        loss, error = losses(truth, predicted)
        scale = LOSS_SCALE if self.half else 1.0
        for parameter in self.network.parameters():
            parameter.grad = None
        (scale * loss).backward()
        gradients = [parameter.grad for parameter in self.network.parameters()]
        for gradient in gradients:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
        torch._foreach_div_(gradients, scale)
        self.muon.step()
        self.adam.step()
        self.sums += torch.stack([loss.detach(), error.detach()])

    def record(self) -> None:
        """On CUDA, record the step as a graph: hundreds of small kernels are launched as one."""
        if self.device.type != "cuda":
            return
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.step()  # at a learning rate of 0
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        self.replay = graph.replay

    def run(self, seconds: float, learning_rate: float, history: results.History) -> dict[str, Any]:
        """Train for `seconds`, a row of `history` every so often; return what was done."""
        started = reported = time.perf_counter()
        steps = last = 0
        self.sums.zero_()

        def report() -> None:
            nonlocal last, reported
            loss, error = (self.sums / (steps - last)).tolist()
            now = time.perf_counter()
            pace = (steps - last) * self.batch_size / (now - reported)
            note(
                f"{now - started:6.1f} s, step {steps}, loss {loss:.4f}, error {error:.4f}, {pace:,.0f} patches/s, "
                f"{self.pool.count:,} patches made, learning rate {float(self.rate):.2e}"
            )
            said = {"epoch": str(len(history.rows) + 1), "train_loss": f"{loss:.5f}", "val_loss": "", "val_mae": ""}
            history.add({**said, "learning_rate": f"{float(self.rate):.3e}", "seconds": f"{now - reported:.1f}"})
            self.sums.zero_()
            last, reported = steps, now

        while (elapsed := time.perf_counter() - started) < seconds or not steps:
            share = min(elapsed / seconds, 1.0)
            decay = 0.5 * (1 + math.cos(math.pi * max(0.0, share - WARMUP) / (1 - WARMUP)))
            self.rate.fill_(learning_rate * min(1.0, share / WARMUP) * decay)
            self.pool.take()
            self.replay()
            steps += 1
            if steps % 20 == 0 and self.device.type == "cuda":
                torch.cuda.synchronize()  # the clock decides on the learning rate: do not run ahead of it
            if time.perf_counter() - reported > REPORT_SECONDS:
                report()
        if steps > last:
            report()
        return {"steps": steps, "fresh_patches": self.pool.count}


@torch.no_grad()
def validate(network: Network, folder: str, device: Any) -> float:
    """Return the mean loss over 20,000 patches of the photographs in `folder`, as `train.py` does."""
    network.eval()
    total = count = 0.0
    for patches, qualities in validation_batches(folder, 20_000)():
        truth = torch.from_numpy(qualities).to(device).float()
        loss, _ = losses(truth, network(inputs(torch.from_numpy(patches).to(device))))
        total += float(loss) * len(truth)
        count += len(truth)
    network.train()
    return total / count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(prog="train_torch.py", description=__doc__)
    parser.add_argument("--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="default: %(default)s")
    parser.add_argument("--in_path", required=True, help="folder of never-compressed photographs to train on")
    parser.add_argument("--val_path", help="folder of others to validate on at the end")
    parser.add_argument("--base_weights", type=Path, help="start from this .npz (exchange_weights.py pack)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write, a .csv of the losses beside it")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the training (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=4096, help="patches a step (default: %(default)s)")
    parser.add_argument("--learning_rate", type=float, default=1.5e-3, help="at its highest (default: %(default)s)")
    parser.add_argument("--aligned_share", type=float, default=0.25, help="default: %(default)s")
    parser.add_argument("--pool", type=int, default=40_000_000, help="most patches kept (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float16", help="default: %(default)s")
    parser.add_argument("--compile", action="store_true", help="let torch.compile fuse the layers")
    parser.add_argument("--workers", type=int, help="processes that make patches (default: all cores but one)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args(arguments)
    if min(options.minutes, options.batch_size, options.learning_rate) <= 0 or options.pool < ROUND:
        raise UserError(f"--minutes, --batch_size and --learning_rate must be positive, --pool at least {ROUND}")
    photographs = load_photographs(images.find_images(options.in_path))
    source = PatchSource(photographs, ROUND, options.seed, options.aligned_share)
    workers = max(1, tasks.worker_count() - 1) if options.workers is None else tasks.worker_count(options.workers)
    base = read_arrays(options.base_weights) if options.base_weights else None
    pool = Pool(source, options.pool, workers)
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = Network(get_config(options.comp_type).width)
    if base:
        network.load_arrays(base)
    network.to(device, memory_format=torch.channels_last).train()
    pool.place(device)
    pool.take(wait=True)
    training = Training(network, pool, options.batch_size, options.precision, options.compile)
    training.record()
    history = results.History(options.out.with_suffix(".csv"), 0)
    done = training.run(60 * options.minutes, options.learning_rate, history)
    record = {
        "data": Path(options.in_path).name, "framework": f"PyTorch {torch.__version__}",
        "machine": torch.cuda.get_device_name() if device.type == "cuda" else "processor",
        "optimizer": "muon", "schedule": "cosine",
        **{name: getattr(options, name) for name in ("aligned_share", "minutes", "batch_size", "learning_rate",
                                                     "precision", "seed")},
        "base_weights": options.comp_type if options.base_weights else None, **done,
    }  # fmt: skip
    if options.val_path:
        record["val_loss"] = validate(network, options.val_path, device)
        note(f"validation loss {record['val_loss']:.4f}")
    arrays: dict[str, Any] = {str(number): value for number, value in enumerate(network.arrays())}
    with files.atomic_path(options.out) as temporary, temporary.open("wb") as handle:
        np.savez(handle, record=np.array(json.dumps(record)), **arrays)
    print(f"{show(options.out)}: {json.dumps(record)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("train_torch.py", main))
