"""Train the network: from an HDF5 file or from photographs, resumable at any step (paper, section 4.1)."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.q1net import weights
from classifier.q1net.architecture import build, loss, quality_error
from classifier.q1net.configs import Config
from classifier.q1net.patches import to_channel_order
from utils import figures, files, tasks
from utils.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, UserError, note
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

STATISTICS_BATCHES = 24  # to gather BatchNorm statistics for averaged weights
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
    epochs: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    schedule: str
    warmup_steps: int
    average_weights: float
    base_weights: str | None
    seed: int
    strategy: str


def _dataset(source: Source, epoch: int, start: int, stop: int) -> Any:
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


def _validate(predict: Any, batches: Any) -> tuple[float, float]:
    """Return the mean loss and mean quality error over validation batches (any iterable that can be read again)."""
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


class History:
    """One row an epoch, kept in a CSV file that is rewritten whole."""

    def __init__(self, path: Path, done: int) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        if done and path.exists():
            with path.open(newline="") as handle:
                self.rows = [row for row in csv.DictReader(handle) if int(row["epoch"]) <= done]

    def add(self, row: dict[str, Any]) -> None:
        """Append a row and write the file."""
        self.rows.append(row)
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(row))
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self.path, buffer.getvalue())


def train(
    config: Config,
    settings: Settings,
    source: Source,
    validation: Any,
    save_path: Path,
    out_path: Path,
    checkpoint_steps: int = 500,
    restart: bool = False,
    overwrite: bool = False,
) -> int:
    """Train, keep the best and the last weights, and return an exit code (130 or 143 when a signal ended the run).

    `validation()` yields batches, RGB. Best weights go to `save_path/<comp_type>/best/`, the whole state every
    `checkpoint_steps` steps to `save_path/last/`, history and curves to `out_path`.
    """
    folder = weights.model_folder(config, save_path)
    last = files.output_folder(save_path / "last")
    files.output_folder(folder)
    files.output_folder(out_path)
    weights.recover(folder)
    stop = StopRequest(Path.cwd())
    tf.keras.utils.set_random_seed(settings.seed)
    strategy = make_strategy(settings.strategy)
    with strategy.scope():
        model = build(config.width)
        if settings.base_weights:
            weights.load(model, settings.base_weights)
        optimizer = keras.optimizers.Adam(
            make_schedule(
                settings.schedule,
                settings.learning_rate,
                settings.epochs * settings.steps_per_epoch,
                settings.warmup_steps,
            )
        )
        optimizer.build(model.trainable_variables)
        average = AveragedWeights(model, settings.average_weights) if settings.average_weights else None
        # Counters live in the checkpoint, so that weights and position can never disagree.
        state = {
            name: tf.Variable(value, trainable=False, dtype=tf.float64)
            for name, value in {"epoch": 0.0, "step": 0.0, "loss_sum": 0.0, "best": math.inf}.items()
        }
    tracked = {"average": average.averages, "average_count": average.count} if average else {}
    predict = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    resume = Resume(
        last, {"comp_type": config.comp_type, **asdict(settings)}, model=model, optimizer=optimizer, **state, **tracked
    )
    resumed = resume.start(restart)
    if resumed:
        note(f"resuming at epoch {int(state['epoch'].numpy()) + 1}, step {int(state['step'].numpy())}")
    else:
        state["best"].assign(_bar(predict, folder, settings, validation, overwrite))

    take_step = make_step(strategy, model, optimizer, loss)
    history = History(out_path / "history_cls.csv", int(state["epoch"].numpy()))
    writer = tf.summary.create_file_writer(str(out_path / "tensorboard")) if is_chief() else None
    for epoch in range(int(state["epoch"].numpy()), settings.epochs):
        started = time.perf_counter()
        first, total = int(state["step"].numpy()), float(state["loss_sum"].numpy())
        bar = tasks.progress(
            total=settings.steps_per_epoch, initial=first, desc=f"epoch {epoch + 1}/{settings.epochs}", unit="step"
        )

        data = _dataset(source, epoch, first, settings.steps_per_epoch)
        for step, (patches, qualities) in enumerate(strategy.experimental_distribute_dataset(data), first + 1):
            total += float(take_step(patches, qualities))
            if not math.isfinite(total):
                raise UserError("the loss is not a number any more; give a smaller --learning_rate")
            if average:
                average.update()
            bar.update()
            bar.set_postfix(loss=f"{total / step:.3f}", refresh=False)
            if stop.signal is not None or step % checkpoint_steps == 0:
                state["step"].assign(step)
                state["loss_sum"].assign(total)
                resume.save()
            if stop.signal is not None:
                break
        bar.close()
        if stop.signal is not None:
            break  # in the middle of an epoch; the state was saved
        kept = None
        if average:
            kept = average.swap_in(
                [
                    to_channel_order(patches, CHANNEL_ORDER).astype(np.float32)
                    for patches, _ in source.batches(STATISTICS_EPOCH, 0, STATISTICS_BATCHES)
                ]
            )
        val_loss, val_mae = _validate(predict, validation)
        if val_loss < float(state["best"].numpy()):
            state["best"].assign(val_loss)
            _save_best(model, folder, config, settings, epoch, val_loss)
        if kept is not None:
            model.set_weights(kept)
        state["epoch"].assign(epoch + 1)
        state["step"].assign(0)
        state["loss_sum"].assign(0)
        if is_chief():
            row = {
                "epoch": str(epoch + 1),
                "train_loss": f"{total / settings.steps_per_epoch:.5f}",
                "val_loss": f"{val_loss:.5f}",
                "val_mae": f"{val_mae:.5f}",
                "learning_rate": f"{float(optimizer.learning_rate):.3e}",
                "seconds": f"{time.perf_counter() - started:.1f}",
            }
            history.add(row)
            figures.loss_curves(history.rows, out_path / "history_cls.png")
            with writer.as_default(step=epoch + 1):
                for name in ("train_loss", "val_loss", "val_mae", "learning_rate"):
                    tf.summary.scalar(name, float(row[name]))
            print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        resume.save()
        if stop.after_epoch():
            note("stopped after this epoch; the same command goes on from here")
            break
    else:
        resume.mark(finished=True)
    if stop.signal is not None:
        note("stopped; the same command goes on from here")
        return EXIT_INTERRUPTED if stop.signal == 2 else EXIT_TERMINATED
    return EXIT_OK


def _bar(predict: Any, folder: Path, settings: Settings, validation: Any, overwrite: bool) -> float:
    """Return the validation loss that new weights must beat: that of the base weights, when they lie in `folder`."""
    if not (folder / "best").exists() or overwrite:
        return math.inf
    if settings.base_weights and Path(weights.checkpoint_prefix(settings.base_weights)) == folder / "best":
        val_loss, _ = _validate(predict, validation)
        note(f"base weights: validation loss {val_loss:.4f}; replaced only by better ones")
        return val_loss
    raise UserError(
        f"{folder / 'best'} already holds weights; train on from them with --base_weights {folder}, "
        "choose another --save_path, or give --overwrite"
    )


def _save_best(model: Any, folder: Path, config: Config, settings: Settings, epoch: int, val_loss: float) -> None:
    record = {
        "comp_type": config.comp_type,
        "channel_order": CHANNEL_ORDER,
        "val_loss": round(val_loss, 5),
        "trained": {**asdict(settings), "data": Path(settings.data).name, "epoch": epoch + 1},
    }
    # Every worker reads its variables (which may be a collective operation); only the chief's files are the result.
    values = model.get_weights()
    if is_chief():
        weights.save(config, values, folder, **record)
