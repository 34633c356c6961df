"""Train the network: from an HDF5 file or from photographs, resumable at any step (paper, section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.architecture import build, loss, quality_error
from q1net_msroi.classifier.q1net.configs import Config
from q1net_msroi.classifier.q1net.folding import folded_model, unfold
from q1net_msroi.classifier.q1net.patches import to_channel_order
from q1net_msroi.classifier.q1net.widening import settle_statistics, widened_model
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, note, show
from q1net_msroi.utils.loop import Loop
from q1net_msroi.utils.optimizers import make_optimizer
from q1net_msroi.utils.training import (
    AveragedWeights,
    StopRequest,
    is_chief,
    keras,
    make_schedule,
    make_step,
    make_strategy,
    recompute_statistics,
    tf,
)

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


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run computes."""

    data: str
    aligned_share: float | None  # of patches made fresh from photographs; None: patches of a file
    epochs: int
    steps_per_epoch: int
    batch_size: int
    optimizer: str  # a name of `optimizers.OPTIMIZERS`
    learning_rate: float
    schedule: str
    warmup_steps: int
    average_weights: float
    statistics_batches: int  # batches from which BatchNorm's statistics are gathered before each validation; 0: moving
    frozen_statistics: bool  # BatchNorm as in prediction
    base_weights: str | None
    seed: int
    strategy: str


def dataset(source: Source, epoch: int, start: int, stop: int) -> Any:
    """Return batches as a `tf.data` pipeline, made ahead of the training step."""

    def generate() -> Iterator[Batch]:
        for patches, qualities in source.batches(epoch, start, stop):
            yield to_channel_order(patches, CHANNEL_ORDER), qualities

    signature = (
        tf.TensorSpec((source.batch_size, 16, 16, 3), tf.uint8),
        tf.TensorSpec((source.batch_size,), tf.uint8),
    )
    data = tf.data.Dataset.from_generator(generate, output_signature=signature)
    data = data.map(lambda x, y: (tf.cast(x, tf.float32), tf.cast(y, tf.float32))).prefetch(8)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def validate(predict: Any, batches: Validation) -> tuple[float, float]:
    """Return the mean loss and the mean quality error over all validation patches."""
    total = np.zeros(3)
    for patches, qualities in batches():
        values = to_channel_order(patches, CHANNEL_ORDER).astype(np.float32)
        predicted = predict(tf.constant(values))
        truth = tf.constant(qualities, tf.float32)
        total += [
            float(tf.reduce_sum(loss(truth, predicted))),
            float(tf.reduce_sum(quality_error(truth, predicted))),
            len(qualities),
        ]
    return total[0] / total[2], total[1] / total[2]


class Run:
    """One training run: the model and everything that has to be saved so that it can go on."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        source: Source,
        validation: Validation,
        save_path: Path,
        out_path: Path,
    ) -> None:
        """Build the model under the strategy, with the base weights if any; raise `UserError` when these do not fit."""
        self.config, self.settings, self.source, self.validation = config, settings, source, validation
        self.folder = files.output_folder(weights.model_folder(config, save_path))
        files.output_folder(save_path / "last")
        self.out = files.output_folder(out_path)
        weights.recover(self.folder)
        keras.utils.set_random_seed(settings.seed)
        self.strategy = make_strategy(settings.strategy)
        with self.strategy.scope():
            self.model = self._base_model()
            self.unfolded = self.model
            if settings.frozen_statistics:
                self.model = folded_model(self.model, config.width)
            epochs, steps = settings.epochs, settings.steps_per_epoch
            schedule = make_schedule(settings.schedule, settings.learning_rate, epochs * steps, settings.warmup_steps)
            optimizer = make_optimizer(settings.optimizer, schedule)
            optimizer.build(self.model.trainable_variables)
            self.average = AveragedWeights(self.model, settings.average_weights) if settings.average_weights else None
            tracked = {"average": self.average.averages, "average_count": self.average.count} if self.average else {}
            parameters = {"comp_type": config.comp_type, **asdict(settings)}
            self.loop = Loop(save_path / "last", parameters, epochs, steps, optimizer, model=self.model, **tracked)
        self._take_step = make_step(self.strategy, self.model, optimizer, loss)
        self._predict = tf.function(lambda inputs: self.model(inputs, training=False), reduce_retracing=True)

    def _base_model(self) -> Any:
        """Return the network with the base weights, or what a narrower network's weights compute, or untrained."""
        base = self.settings.base_weights
        narrow = weights.saved_config(base) if base else self.config
        if base and narrow.width < self.config.width:
            note(f"starting from what the weights of {narrow.comp_type} compute, widened")
            model = widened_model(weights.load_model(narrow, base), self.config.width, self.settings.seed)
            if not self.settings.frozen_statistics:
                settle_statistics(model, self._statistics_batches())
            return model
        model = build(self.config.width)
        if base:
            weights.load(model, base)
        return model

    def train(self, checkpoint_steps: int, restart: bool, overwrite: bool) -> int:
        """Train to the end or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        self.loop.start(restart, lambda: self._begin(overwrite))
        history = self.out / "history_cls.csv"
        return self.loop.run(stop, self._batches, self._step, self._finish_epoch, history, checkpoint_steps)

    def predict_best(self) -> Any:
        """Return what predicts from a tensor of patches with the best weights that were saved."""
        weights.load(self.model, self.folder)
        return self._predict

    def _batches(self, epoch: int, first: int) -> Any:
        data = dataset(self.source, epoch, first, self.settings.steps_per_epoch)
        return self.strategy.experimental_distribute_dataset(data)

    def _step(self, patches: Any, qualities: Any) -> Any:
        """Take one step, also of the average; return the mean loss."""
        value = self._take_step(patches, qualities)
        if self.average:
            self.average.update()
        return value

    def _finish_epoch(self, epoch: int) -> dict[str, str]:
        """Validate, keep the weights when they are the best so far; return the losses for the history."""
        kept = self._settled() if self.average or self.settings.statistics_batches else None
        val_loss, val_mae = validate(self._predict, self.validation)
        if val_loss < self.loop.get("best"):
            self.loop.state["best"].assign(val_loss)
            self._save_best(epoch, val_loss)
        if kept is not None:
            self.model.set_weights(kept)
        return {"val_loss": f"{val_loss:.5f}", "val_mae": f"{val_mae:.5f}"}

    def _settled(self) -> list[Any]:
        """Put averaged weights, if any, and settled statistics into the model; return the weights to restore."""
        batches = self._statistics_batches()
        if self.average:
            return self.average.swap_in(batches)
        kept: list[Any] = self.model.get_weights()
        recompute_statistics(self.model, batches)
        return kept

    def _statistics_batches(self) -> Iterator[NDArray[np.float32]]:
        """Yield batches that no training epoch has."""
        if self.settings.frozen_statistics:
            return
        count = max(1, (self.settings.statistics_batches or STATISTICS_BATCHES) // STATISTICS_EPOCHS)
        for epoch in range(STATISTICS_EPOCH, STATISTICS_EPOCH + STATISTICS_EPOCHS):
            for patches, _ in self.source.batches(epoch, 0, count):
                yield to_channel_order(patches, CHANNEL_ORDER).astype(np.float32)

    def _begin(self, overwrite: bool) -> None:
        """Set the validation loss to beat: that of the base weights, when they are those that would be replaced."""
        best = self.folder / "best"
        base = self.settings.base_weights
        bar = math.inf
        if best.exists() and not overwrite:
            if not base or Path(weights.checkpoint_prefix(base)).resolve() != best.resolve():
                raise UserError(
                    f"{show(best)} already holds weights; train on from them with --base_weights {show(self.folder)}, "
                    "choose another --save_path, or give --overwrite"
                )
            bar, _ = validate(self._predict, self.validation)
            note(f"base weights: validation loss {bar:.4f}; replaced only by better ones")
        self.loop.state["best"].assign(bar)

    def _save_best(self, epoch: int, val_loss: float) -> None:
        # Every worker reads its variables (which may be a collective operation); only the chief's files are the result.
        if self.settings.frozen_statistics:
            unfold(self.model, self.unfolded)
        values = self.unfolded.get_weights()
        trained = {**asdict(self.settings), "data": Path(self.settings.data).name, "epoch": epoch + 1}
        if self.settings.base_weights:
            trained["base_weights"] = Path(self.settings.base_weights).name
        if is_chief():
            weights.save(
                self.config,
                values,
                self.folder,
                comp_type=self.config.comp_type,
                channel_order=CHANNEL_ORDER,
                val_loss=round(val_loss, 5),
                trained=trained,
            )
