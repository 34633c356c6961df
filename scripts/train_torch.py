#!/usr/bin/env python3
"""Train the network with PyTorch on an accelerator: patches, layers, loss and optimizer of `train.py --optimizer muon`.

PyTorch is not among the project's dependencies: `pip install torch`, for a GPU as https://pytorch.org says. TensorFlow
is not needed: `exchange_weights.py` brings the weights here and back, where it validates them.

All processor cores make fresh patches from photographs; they gather in the accelerator's memory, and every batch is
drawn from what is there. A run lasts --minutes, and its learning rate falls to nothing by then.
"""

import argparse
import collections
import importlib
import json
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import mosaic, weights
from q1net_msroi.classifier.q1net.architecture import convolutions, losses
from q1net_msroi.classifier.q1net.configs import CONFIGS, PATCH, QUALITIES, get_config
from q1net_msroi.classifier.q1net.photographs import Batch, PatchSource, load_photographs, validation_batches
from q1net_msroi.utils import images, muon, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, note, run_command, show
from q1net_msroi.utils.training_options import add_flags, check_flags

try:
    torch: Any = importlib.import_module("torch")
except ImportError:  # said by `main`, after --help
    torch = None

ROUND = mosaic.WINDOWS * len(QUALITIES)  # patches that a process makes at a time
VALIDATION_PATCHES = 20_000  # as train.py and exchange_weights.py
BATCHNORM_MOMENTUM = 0.02  # of the newest batch; batches are large
LOSS_SCALE = 256.0  # lifts gradients into the range of float16
WARMUP = 0.02  # share of the run in which the learning rate rises
REPORT_SECONDS = 15.0
RECORDED = ("aligned_share", "minutes", "batch_size", "learning_rate", "precision", "seed")


class Network:
    """The layers of `classifier/q1net/architecture.py`: (n, 3, 16, 16) BGR 0..255 to (n, 2) confidence, quality."""

    def __init__(self, width: int) -> None:
        nn = torch.nn
        self.layers = convolutions(width)
        made = [nn.Conv2d(each.inputs, each.outputs, each.size, padding=each.padding, bias=False)
                for each in self.layers]  # fmt: skip
        self.norms = [nn.BatchNorm2d(each.outputs, momentum=BATCHNORM_MOMENTUM) for each in self.layers]
        self.convolutions, self.last = made, nn.Conv2d(self.layers[-1].outputs, width, 3)
        self.dense = nn.Linear(width, 2)
        self.all = nn.ModuleList([*self.convolutions, *self.norms, self.last, self.dense])

    def __call__(self, x: Any) -> Any:
        """Return (confidence, quality) of patches."""
        skip = x
        for layer, convolution, norm in zip(self.layers, self.convolutions, self.norms, strict=True):
            skip = x if layer.opens else skip
            x = norm(convolution(x))
            x = torch.relu(x + skip if layer.closes else x)
        x = torch.relu(self.last(x)).mean((2, 3))
        return 100.0 * torch.sigmoid(self.dense(x).float())

    def variables(self) -> list[Any]:
        """Return views of all weights, in the order and the shapes of Keras' `get_weights()`."""
        found = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            found += [convolution.weight.permute(2, 3, 1, 0), norm.weight, norm.bias, norm.running_mean,
                      norm.running_var]  # fmt: skip
        found += [self.last.weight.permute(2, 3, 1, 0), self.last.bias, self.dense.weight.T, self.dense.bias]
        return [each.detach() for each in found]

    def load_arrays(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        """Take over weights in that order; raise `UserError` where they are of another network."""
        found = self.variables()
        if [each.shape for each in arrays] != [tuple(each.shape) for each in found]:
            raise UserError("the base weights are of another network; check --comp_type")
        for variable, values in zip(found, arrays, strict=True):
            variable.copy_(torch.from_numpy(values))


_source: PatchSource  # of the processes that make patches, which are forked from this one


def _make(index: int) -> Batch:
    return _source.round(0, index)


def _ignore_parent() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has inherited the parent's handler
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends them


class Pool:
    """Patches in the accelerator's memory, filled by processes while the training draws from them."""

    def __init__(self, source: PatchSource, capacity: int, workers: int) -> None:
        """Start the processes; call this before anything touches the accelerator."""
        global _source  # noqa: PLW0603  (photographs are handed down by the fork, not sent)
        _source = source
        self.makers = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _ignore_parent)
        self.capacity, self.count, self.asked = capacity // ROUND * ROUND, 0, 0
        self.pending = collections.deque[Future[Batch]]()
        for _ in range(2 * workers):
            self._ask()

    def _ask(self) -> None:
        self.pending.append(self.makers.submit(_make, self.asked))
        self.asked += 1

    def place(self, device: Any) -> None:
        """Take the memory."""
        self.patches = torch.empty((self.capacity, PATCH, PATCH, 3), dtype=torch.uint8, device=device)
        self.qualities = torch.empty(self.capacity, dtype=torch.uint8, device=device)
        self.filled = torch.zeros((), dtype=torch.float64, device=device)
        self.stream = torch.cuda.Stream() if device.type == "cuda" else None

    def take(self, wait: bool = False) -> None:
        """Take over what is ready, in order; with `wait` at least one round. A full pool stays as it is."""
        while self.count < self.capacity and (wait or self.pending[0].done()):
            try:
                made = self.pending.popleft().result()
            except BrokenProcessPool:
                raise UserError("a process that makes patches was ended; try fewer --workers") from None
            self._ask()
            wait, part = False, slice(self.count, self.count + ROUND)
            with torch.cuda.stream(self.stream):  # beside the steps that are under way
                for kept, values in zip((self.patches, self.qualities), made, strict=True):
                    kept[part].copy_(torch.from_numpy(values))
            if self.stream:
                self.stream.synchronize()
            self.count += ROUND
            self.filled.fill_(self.count)
            if self.count == self.capacity:
                self.makers.shutdown(wait=False, cancel_futures=True)

    def draw(self, batch_size: int) -> tuple[Any, Any]:
        """Return a random batch: (n, 3, 16, 16) BGR float32, (n,) float32."""
        index = (torch.rand(batch_size, dtype=torch.float64, device=self.filled.device) * self.filled).long()
        return inputs(self.patches[index]), self.qualities[index].float()


def inputs(patches: Any) -> Any:
    """Return (n, 16, 16, 3) uint8 RGB patches as the network takes them, channels last in memory."""
    return patches.flip(-1).float().permute(0, 3, 1, 2)


class Muon:
    """`q1net_msroi.utils.optimizers.Muon` for kernels, all of them as one batch of zero-padded matrices."""

    def __init__(self, kernels: list[Any], rate: Any) -> None:
        self.kernels, self.rate = kernels, rate
        self.momenta = [torch.zeros_like(kernel) for kernel in kernels]
        shapes = [(kernel.shape[0], kernel[0].numel()) for kernel in kernels]
        self.rows, self.columns = (max(shape[axis] for shape in shapes) for axis in (0, 1))

    def step(self) -> None:
        """Move every kernel by its orthogonalised momentum."""
        gradients = [kernel.grad for kernel in self.kernels]
        torch._foreach_lerp_(self.momenta, gradients, 1 - muon.MOMENTUM)
        ahead = torch._foreach_lerp(self.momenta, gradients, 1 - muon.MOMENTUM)
        flat = [each.reshape(each.shape[0], -1) for each in ahead]
        pad = torch.nn.functional.pad
        x = torch.stack([pad(each, (0, self.columns - each.shape[1], 0, self.rows - each.shape[0])) for each in flat])
        x = muon.equalised(x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7), lambda matrices: matrices.mT)
        x = x * (-muon.RATIO * self.rate)
        for kernel, matrix, move in zip(self.kernels, flat, x, strict=True):
            kernel.detach().add_(move[: matrix.shape[0], : matrix.shape[1]].reshape(kernel.shape))


class Training:
    """Network, optimizers and one step of them, recorded once and replayed on an accelerator."""

    def __init__(self, network: Network, pool: Pool, batch_size: int, precision: str, compiled: bool) -> None:
        self.network, self.pool, self.batch_size = network, pool, batch_size
        self.device, self.half = pool.filled.device, precision == "float16"
        self.forward = torch.compile(network.__call__) if compiled else network
        self.rate, self.sums = torch.zeros((), device=self.device), torch.zeros(2, device=self.device)
        self.parameters = list(network.all.parameters())
        inner = [p.dim() == 4 and p.shape[1] > muon.IMAGE_CHANNELS for p in self.parameters]
        kernels, others = ([p for p, is_inner in zip(self.parameters, inner, strict=True) if is_inner == kind]
                           for kind in (True, False))  # fmt: skip
        self.muon = Muon(kernels, self.rate)
        self.adam = torch.optim.Adam(others, lr=self.rate, eps=1e-7, capturable=self.device.type == "cuda")
        self.replay = self.step

    def step(self) -> None:
        """Draw a batch and take one step."""
        patches, truth = self.pool.draw(self.batch_size)
        with torch.autocast(self.device.type, torch.float16, enabled=self.half, cache_enabled=False):
            predicted = self.forward(patches)
        loss, error = (each.mean() for each in losses(truth, predicted, torch.Tensor.detach))
        scale = LOSS_SCALE if self.half else 1.0
        for parameter in self.parameters:
            parameter.grad = None
        (scale * loss).backward()
        gradients = [parameter.grad for parameter in self.parameters]
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
        with torch.cuda.stream(torch.cuda.Stream()):
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
                reported, last = self._report(history, steps, last, reported), steps
        if steps > last:
            self._report(history, steps, last, reported)
        return {"steps": steps, "fresh_patches": self.pool.count}

    def _report(self, history: results.History, steps: int, last: int, since: float) -> float:
        """Tell of the steps after `last`, which began at the time `since`; return the time."""
        loss, error = (self.sums / (steps - last)).tolist()
        self.sums.zero_()
        now = time.perf_counter()
        pace = (steps - last) * self.batch_size / (now - since)
        seen = f"{pace:,.0f} patches/s, {self.pool.count:,} patches made"
        note(f"step {steps}, loss {loss:.4f}, error {error:.4f}, {seen}, learning rate {float(self.rate):.2e}")
        said = {"epoch": str(len(history.rows) + 1), "train_loss": f"{loss:.5f}", "val_loss": "", "val_mae": ""}
        history.add({**said, "learning_rate": f"{float(self.rate):.3e}", "seconds": f"{now - since:.1f}"})
        return now


def validate(network: Network, folder: str, device: Any) -> float:
    """Return the mean loss over 20,000 patches of the photographs in `folder`, as `train.py` does."""
    network.all.eval()
    total = count = 0.0
    with torch.no_grad():
        for patches, qualities in validation_batches(folder, VALIDATION_PATCHES)():
            truth = torch.from_numpy(qualities).to(device).float()
            predicted = network(inputs(torch.from_numpy(patches).to(device)))
            total += float(losses(truth, predicted, torch.Tensor.detach)[0].sum())
            count += len(truth)
    return total / count


def build_parser() -> argparse.ArgumentParser:
    """Return the script's parser."""
    parser = argparse.ArgumentParser(prog="train_torch.py", description=__doc__)
    parser.add_argument("--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="default: %(default)s")
    flags.in_path(parser, "folder of never-compressed photographs to train on")
    parser.add_argument("--val_path", help="folder of others to validate on at the end")
    parser.add_argument("--base_weights", type=Path, help="start from this .npz (exchange_weights.py pack)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write, a .csv of the losses beside it")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the training (default: %(default)s)")
    add_flags(parser, batch_size=4096, learning_rate=1.5e-3, aligned_share=0.25, seed=0)
    parser.add_argument("--pool", type=int, default=40_000_000, help="most patches kept (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float16", help="default: %(default)s")
    parser.add_argument("--compile", action="store_true", help="let torch.compile fuse the layers")
    parser.add_argument("--workers", type=int, help="processes that make patches (default: all cores but one)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    options = build_parser().parse_args(arguments)
    check_flags(options)
    if torch is None:
        raise UserError("PyTorch is missing; install it with `pip install torch`")
    if options.minutes <= 0 or options.pool < ROUND:
        raise UserError(f"--minutes must be positive, --pool at least {ROUND}")
    photographs = load_photographs(images.find_images(options.in_path))
    source = PatchSource(photographs, ROUND, options.seed, options.aligned_share)
    workers = max(1, tasks.worker_count() - 1) if options.workers is None else tasks.worker_count(options.workers)
    base = weights.read_archive(options.base_weights)[0] if options.base_weights else None
    pool = Pool(source, options.pool, workers)
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = Network(get_config(options.comp_type).width)
    if base:
        network.load_arrays(base)
    network.all.to(device, memory_format=torch.channels_last).train()
    pool.place(device)
    pool.take(wait=True)
    training = Training(network, pool, options.batch_size, options.precision, options.compile)
    training.record()
    history = results.History(options.out.with_suffix(".csv"), 0)
    done = training.run(60 * options.minutes, options.learning_rate, history)
    pool.makers.shutdown(wait=False, cancel_futures=True)
    record = {
        "data": Path(options.in_path).name, "framework": f"PyTorch {torch.__version__}",
        "machine": torch.cuda.get_device_name() if device.type == "cuda" else "processor",
        "optimizer": "muon", "schedule": "cosine", **{name: getattr(options, name) for name in RECORDED},
        "base_weights": options.comp_type if options.base_weights else None, **done,
    }  # fmt: skip
    if options.val_path:
        record["val_loss"] = validate(network, options.val_path, device)
        note(f"validation loss {record['val_loss']:.4f}")
    arrays = [each.contiguous().cpu().numpy() for each in network.variables()]
    weights.write_archive(options.out, arrays, record)
    print(f"{show(options.out)}: {json.dumps(record)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("train_torch.py", main))
