"""Train the network: from an HDF5 file or from photographs (paper, section 4.1)."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.architecture import build, losses
from q1net_msroi.classifier.q1net.configs import PATCH, QUALITIES, get_config
from q1net_msroi.classifier.q1net.folding import folded_model, unfold
from q1net_msroi.classifier.q1net.patches import to_channel_order
from q1net_msroi.classifier.q1net.settings import NETWORK
from q1net_msroi.classifier.q1net.widening import settle_statistics, widened_model
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, note, show
from q1net_msroi.utils.loop import Task
from q1net_msroi.utils.training import is_chief, tf
from q1net_msroi.utils.training_options import TrainingSettings

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Validation = Callable[[], Iterable[Batch]]

STATISTICS_EPOCHS = 4  # from which BatchNorm statistics are gathered, because those of one come from few photographs
STATISTICS_BATCHES = 24  # of all together, for averaged and for widened weights where nothing else is asked for
STATISTICS_EPOCH = 1 << 20  # a number no training epoch reaches, so that these batches are not training batches
CHANNEL_ORDER = "BGR"  # as the original's weights


class Source(Protocol):
    """Where training batches come from; which ones depends on (epoch, number) alone."""

    batch_size: int

    def batches(self, epoch: int, start: int, stop: int) -> Iterator[Batch]:
        """Yield batches `start`..`stop`-1 of an epoch, RGB."""
        ...


@dataclass(frozen=True, kw_only=True)
class Settings(TrainingSettings):
    """Of the network: `aligned_share` None: patches of a file; `frozen_statistics`: BatchNorm as in prediction."""

    comp_type: str
    steps_per_epoch: int
    aligned_share: float | None = None
    frozen_statistics: bool = False


def patch_signature(size: int) -> Any:
    """Return the tensors of a batch of `size` patches and their qualities."""
    return tf.TensorSpec((size, PATCH, PATCH, 3), tf.uint8), tf.TensorSpec((size,), tf.uint8)


def loss(truth: Any, predicted: Any) -> Any:
    """Return the loss of every patch; `architecture.losses` in TensorFlow."""
    return losses(truth, predicted, tf.stop_gradient)[0]


def validate(predict: Any, batches: Validation) -> tuple[float, float]:
    """Return the mean loss and the mean quality error over all validation patches."""
    total = np.zeros(3)
    for patches, qualities in batches():
        values = to_channel_order(patches, CHANNEL_ORDER).astype(np.float32)
        found = losses(tf.constant(qualities, tf.float32), predict(tf.constant(values)), tf.stop_gradient)
        total += [*(float(tf.reduce_sum(each)) for each in found), len(qualities)]
    return total[0] / total[2], total[1] / total[2]


def constant_error(batches: Validation) -> float:
    """Return the mean quality error of the best answer that is the same for all validation patches."""
    counts = np.zeros(len(QUALITIES) + 1)
    for _, qualities in batches():
        counts += np.bincount(qualities, minlength=len(counts))
    middle = int(np.searchsorted(counts.cumsum(), counts.sum() / 2))
    return float((np.abs(np.arange(len(counts)) - middle) * counts).sum() / counts.sum())


class PatchTask(Task):
    """The network, its patches, and `save_path`/<comp_type>/best for the weights of the lowest validation loss."""

    settings: Settings

    def __init__(
        self, settings: Settings, source: Source, validation: Validation, save_path: Path, out_path: Path
    ) -> None:
        super().__init__(settings, settings.steps_per_epoch, save_path / "last", out_path / "history_cls.csv")
        self.config, self.source, self.validation = get_config(settings.comp_type), source, validation
        self.folder = files.output_folder(weights.model_folder(self.config, save_path))
        weights.recover(self.folder)
        self.signature = patch_signature(source.batch_size)
        self.least_error = math.inf

    def build(self) -> dict[str, Any]:
        """Make the network from the base weights, or what a narrower network's weights compute, or untrained."""
        base, width = self.settings.base_weights, self.config.width
        narrow = weights.saved_config(base) if base else self.config
        if base and narrow.width < width:
            note(f"starting from what the weights of {narrow.comp_type} compute, widened")
            model = widened_model(weights.load_model(narrow, base), width, self.settings.seed)
            if not self.settings.frozen_statistics:
                settle_statistics(model, self.statistics())
        else:
            model = build(width)
            if base:
                weights.load(model, base)
        self.unfolded = model
        self.network = folded_model(model, width) if self.settings.frozen_statistics else model
        return {"model": self.network}

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss of every patch."""
        return loss(targets, outputs)

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield patches and qualities."""
        for patches, qualities in self.source.batches(epoch, first, self.steps):
            yield to_channel_order(patches, CHANNEL_ORDER), qualities

    def statistics(self) -> Iterator[NDArray[np.float32]]:
        """Yield patches of epochs that no training has."""
        if self.settings.frozen_statistics:
            return
        count = max(1, (self.settings.statistics_batches or STATISTICS_BATCHES) // STATISTICS_EPOCHS)
        for epoch in range(STATISTICS_EPOCH, STATISTICS_EPOCH + STATISTICS_EPOCHS):
            for patches, _ in self.source.batches(epoch, 0, count):
                yield to_channel_order(patches, CHANNEL_ORDER).astype(np.float32)

    def begin(self, predict: Callable[[Any], Any], restart: bool, overwrite: bool) -> float:
        """Return the validation loss of the base weights, when they are those that would be replaced."""
        best, base = self.folder / "best", self.settings.base_weights
        if not best.exists() or overwrite:
            return math.inf
        if not base or Path(weights.checkpoint_prefix(base)).resolve() != best.resolve():
            remedy = f"train on from them with --base_weights {show(self.folder)}, choose another --save_path"
            raise UserError(f"{show(best)} already holds weights; {remedy}, or give --overwrite")
        bar, _ = validate(predict, self.validation)
        note(f"base weights: validation loss {bar:.4f}; replaced only by better ones")
        return bar

    def validate(self, predict: Callable[[Any], Any]) -> dict[str, float]:
        """Return the validation loss and the mean quality error."""
        loss, error = validate(predict, self.validation)
        self.least_error = min(self.least_error, error)
        return {"val_loss": loss, "val_mae": error}

    def learnt_nothing(self) -> str:
        """Return in a line that no epoch was better than one answer for all patches; empty where one was."""
        constant = constant_error(self.validation)
        if math.isinf(self.least_error) or not constant or self.least_error < NETWORK.learnt * constant:
            return ""
        same = f"an error of {self.least_error:.1f} on average, as the same answer for all patches ({constant:.1f})"
        return f"nothing was learnt: {same}; train longer, on more photographs or with another --learning_rate"

    def keep(self, epoch: int, better: bool, measured: dict[str, float]) -> None:
        """Save the best weights with their record."""
        if not better:
            return
        if self.settings.frozen_statistics:
            unfold(self.network, self.unfolded)
        values = self.unfolded.get_weights()
        trained = {**asdict(self.settings), "data": Path(self.settings.data).name, "epoch": epoch}
        if self.settings.base_weights:
            trained["base_weights"] = Path(self.settings.base_weights).name
        if is_chief():
            record = {"comp_type": trained.pop("comp_type"), "channel_order": CHANNEL_ORDER}
            record |= {"val_loss": round(measured["val_loss"], 5), "trained": trained}
            weights.save(self.config, values, self.folder, **record)

    def load_best(self) -> None:
        """Put the best weights that were saved into the network."""
        weights.load(self.network, self.folder)
