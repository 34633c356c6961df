"""Train the network: from an HDF5 file or from photographs, resumable at any step (paper, section 4.1)."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.q1net import weights
from classifier.q1net.architecture import build, loss, quality_error
from classifier.q1net.configs import Config
from classifier.q1net.patches import to_channel_order
from utils import figures, files, results, tasks
from utils.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, UserError, note, show
from utils.training import (
    AveragedWeights,
    Resume,
    StopRequest,
    is_chief,
    keras,
    make_schedule,
    make_step,
    make_strategy,
    tf,
)

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Validation = Callable[[], Iterable[Batch]]

STATISTICS_EPOCHS = 4  # to gather BatchNorm statistics for averaged weights
STATISTICS_BATCHES = 6  # of each
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
    learning_rate: float
    schedule: str
    warmup_steps: int
    average_weights: float
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


def _validate(predict: Any, batches: Validation) -> tuple[float, float]:
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
        self.last = files.output_folder(save_path / "last")
        self.out = files.output_folder(out_path)
        weights.recover(self.folder)
        keras.utils.set_random_seed(settings.seed)
        self.strategy = make_strategy(settings.strategy)
        with self.strategy.scope():
            self.model = build(config.width)
            if settings.base_weights:
                weights.load(self.model, settings.base_weights)
            schedule = make_schedule(
                settings.schedule,
                settings.learning_rate,
                settings.epochs * settings.steps_per_epoch,
                settings.warmup_steps,
            )
            self.optimizer = keras.optimizers.Adam(schedule)
            self.optimizer.build(self.model.trainable_variables)
            self.average = AveragedWeights(self.model, settings.average_weights) if settings.average_weights else None
            # Counters live in the checkpoint, so that weights and position can never disagree.
            self.state = {
                name: tf.Variable(value, trainable=False, dtype=tf.float64)
                for name, value in {"epoch": 0.0, "step": 0.0, "loss_sum": 0.0, "best": math.inf}.items()
            }
        tracked = {"average": self.average.averages, "average_count": self.average.count} if self.average else {}
        parameters = {"comp_type": config.comp_type, **asdict(settings)}
        self.resume = Resume(self.last, parameters, model=self.model, optimizer=self.optimizer, **self.state, **tracked)
        self._take_step = make_step(
            self.strategy, self.model, self.optimizer, loss, training=not settings.frozen_statistics
        )
        self._predict = tf.function(lambda inputs: self.model(inputs, training=False), reduce_retracing=True)

    def get(self, name: str) -> float:
        """Return a counter: epoch, step, loss_sum, best."""
        return float(self.state[name].numpy())

    def train(self, checkpoint_steps: int, restart: bool, overwrite: bool) -> int:
        """Train to the end or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        if self.resume.start(restart):
            note(f"resuming at epoch {int(self.get('epoch')) + 1}, step {int(self.get('step'))}")
        else:
            self.state["best"].assign(self._bar(overwrite))
        history = results.History(self.out / "history_cls.csv", int(self.get("epoch")))
        for epoch in range(int(self.get("epoch")), self.settings.epochs):
            started = time.perf_counter()
            if not self._train_epoch(epoch, checkpoint_steps, stop):
                note("stopped; the same command goes on from here")
                return EXIT_INTERRUPTED if stop.signal == signal.SIGINT else EXIT_TERMINATED
            row = self._finish_epoch(epoch)
            if is_chief():
                history.add({**row, "seconds": f"{time.perf_counter() - started:.1f}"})
                self._show(history)
            if stop.after_epoch():
                note("stopped after this epoch; the same command goes on from here")
                break
        if int(self.get("epoch")) == self.settings.epochs:
            self.resume.mark(finished=True)
        return EXIT_OK

    def _train_epoch(self, epoch: int, checkpoint_steps: int, stop: StopRequest) -> bool:
        """Take the epoch's remaining steps; return False when a signal stopped it (the state is saved then)."""
        steps, first, total = self.settings.steps_per_epoch, int(self.get("step")), self.get("loss_sum")
        data = self.strategy.experimental_distribute_dataset(dataset(self.source, epoch, first, steps))
        bar = tasks.progress(total=steps, initial=first, desc=f"epoch {epoch + 1}/{self.settings.epochs}", unit="step")
        for step, (patches, qualities) in enumerate(data, first + 1):
            total += float(self._take_step(patches, qualities))
            if not math.isfinite(total):
                raise UserError("the loss is not a number any more; give a smaller --learning_rate")
            if self.average:
                self.average.update()
            bar.update()
            bar.set_postfix(loss=f"{total / step:.3f}", refresh=False)
            self.state["step"].assign(step)
            self.state["loss_sum"].assign(total)
            if stop.signal is not None or (step % checkpoint_steps == 0 and step < steps):
                self.resume.save()
            if stop.signal is not None:
                return False
        bar.close()
        return True

    def _finish_epoch(self, epoch: int) -> dict[str, str]:
        """Validate, keep the weights when they are the best so far, save the state; return the row for the history."""
        kept = self.average.swap_in(self._statistics_batches()) if self.average else None
        val_loss, val_mae = _validate(self._predict, self.validation)
        if val_loss < self.get("best"):
            self.state["best"].assign(val_loss)
            self._save_best(epoch, val_loss)
        if kept is not None:
            self.model.set_weights(kept)
        train_loss = self.get("loss_sum") / self.settings.steps_per_epoch
        self.state["epoch"].assign(epoch + 1)
        self.state["step"].assign(0)
        self.state["loss_sum"].assign(0)
        self.resume.save()
        return {
            "epoch": str(epoch + 1),
            "train_loss": f"{train_loss:.5f}",
            "val_loss": f"{val_loss:.5f}",
            "val_mae": f"{val_mae:.5f}",
            "learning_rate": f"{float(self.optimizer.learning_rate):.3e}",
        }

    def _statistics_batches(self) -> list[NDArray[np.float32]]:
        """Return batches of several epochs, because those of one are made of few photographs' windows."""
        if self.settings.frozen_statistics:
            return []
        epochs = range(STATISTICS_EPOCH, STATISTICS_EPOCH + STATISTICS_EPOCHS)
        batches = (batch for epoch in epochs for batch in self.source.batches(epoch, 0, STATISTICS_BATCHES))
        return [to_channel_order(patches, CHANNEL_ORDER).astype(np.float32) for patches, _ in batches]

    def _show(self, history: results.History) -> None:
        row = history.rows[-1]
        figures.loss_curves(history.rows, self.out / "history_cls.png")
        with tf.summary.create_file_writer(str(self.out / "tensorboard")).as_default(step=int(row["epoch"])):
            for name in ("train_loss", "val_loss", "val_mae", "learning_rate"):
                tf.summary.scalar(name, float(row[name]))
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)

    def _bar(self, overwrite: bool) -> float:
        """Return the validation loss to beat: that of the base weights, when they are those that would be replaced."""
        best = self.folder / "best"
        if not best.exists() or overwrite:
            return math.inf
        base = self.settings.base_weights
        if base and Path(weights.checkpoint_prefix(base)).resolve() == best.resolve():
            val_loss, _ = _validate(self._predict, self.validation)
            note(f"base weights: validation loss {val_loss:.4f}; replaced only by better ones")
            return val_loss
        raise UserError(
            f"{show(best)} already holds weights; train on from them with --base_weights {show(self.folder)}, "
            "choose another --save_path, or give --overwrite"
        )

    def _save_best(self, epoch: int, val_loss: float) -> None:
        # Every worker reads its variables (which may be a collective operation); only the chief's files are the result.
        values = self.model.get_weights()
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
