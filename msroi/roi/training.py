"""Train the MSROI head, alone on cached features or with its network, resumable at any step (paper, section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.roi import checkpoints, dataset, tables
from q1net_msroi.msroi.roi.head import (
    Network,
    Scores,
    Source,
    class_loss,
    features_key,
    make_features,
    score,
    write_model,
)
from q1net_msroi.utils import figures, files, results, tasks
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.loop import Loop, show_epoch
from q1net_msroi.utils.training import StopRequest, is_chief, keras, make_schedule, make_step, make_strategy, tf

BEST = "model-best"


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run computes."""

    arch: str
    data: str
    labels: int
    loss: str
    frozen_backbone: bool
    image_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    epsilon: float
    weight_decay: float
    dropout: float
    schedule: str
    warmup_steps: int
    batch_size: int
    n_epochs: int
    top_k: int
    augmentation: bool
    class_balance: bool
    vgg_weights: str | None
    base_weights: str | None
    seed: int
    strategy: str


# Settings that are command-line options as they stand.
OPTIONS = tuple(field.name for field in fields(Settings) if field.name not in ("data", "labels", "frozen_backbone"))


class Batches:
    """Training batches of one size; which pictures, in which order and how augmented depends on (seed, epoch, step)."""

    def __init__(self, source: Source, batch_size: int, seed: int, class_balance: bool) -> None:
        self.source, self.batch_size, self.seed = source, batch_size, seed
        self.steps = math.ceil(len(source.labels) / batch_size)
        plain = np.ones(len(source.labels), np.float32)
        self.weights = dataset.balance_weights(source.labels) if class_balance else plain
        self.failure: UserError | None = None

    def make(self, epoch: int, step: int, order: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return ((values, seeds), (labels, weights)) of one step."""
        rows = order[step * self.batch_size : (step + 1) * self.batch_size]
        values = self.source.values(rows, np.random.default_rng((self.seed, epoch, step)))
        number = np.arange(len(rows)) + step * self.batch_size
        seeds = np.stack([np.full(len(rows), self.seed * 65536 + epoch), number], axis=1).astype(np.int32)
        return (values, seeds), (self.source.labels[rows], self.weights[rows])

    def epoch(self, epoch: int, start: int, workers: int | None) -> Any:
        """Return the batches of an epoch from `start` on as a `tf.data` pipeline, made by threads ahead of the steps.

        A `UserError` on the way ends the pipeline and waits in `failure`: TensorFlow would wrap it in its own.
        """
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.source.labels))
        order = np.resize(order, self.steps * self.batch_size)  # the last batch is filled up from the beginning

        def generate() -> Iterator[tuple[Any, Any]]:
            try:
                yield from tasks.ordered_map(
                    lambda step: self.make(epoch, step, order), range(start, self.steps), workers
                )
            except UserError as error:
                self.failure = error

        size = self.batch_size
        signature = (
            (tf.TensorSpec((size, *self.source.shape), tf.float32), tf.TensorSpec((size, 2), tf.int32)),
            (tf.TensorSpec((size,), tf.int32), tf.TensorSpec((size,), tf.float32)),
        )
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2).with_options(options)


class Run:
    """One training run: the network and everything that has to be saved so that it can go on."""

    def __init__(
        self,
        settings: Settings,
        strategy: Any,
        features: Any,
        train: Source,
        test: Source,
        names: tuple[str, ...],
        model_path: Path,
        out_path: Path,
        workers: int | None = None,
    ) -> None:
        """Build head and optimizer; `features` is the feature half, `train` and `test` give its inputs or outputs.

        A feature half that is trained must have been built under `settings.strategy` (as `open_run` does).
        """
        self.settings, self.test, self.names, self.workers = settings, test, names, workers
        self.models, self.out = files.output_folder(model_path), files.output_folder(out_path)
        self.batches = Batches(train, settings.batch_size, settings.seed, settings.class_balance)
        self.strategy = strategy
        keras.utils.set_random_seed(settings.seed)
        with self.strategy.scope():
            self.network = Network(settings.arch, settings.labels, features, settings.frozen_backbone, settings.dropout)
            if settings.base_weights:
                self.network.load(checkpoints.load(settings.base_weights), show(settings.base_weights))
            epochs, steps = settings.n_epochs, self.batches.steps
            rate = make_schedule(settings.schedule, settings.learning_rate, epochs * steps, settings.warmup_steps)
            if settings.optimizer == "adam":
                optimizer = keras.optimizers.Adam(rate, beta_1=settings.momentum, epsilon=settings.epsilon)
            else:
                optimizer = keras.optimizers.SGD(rate, momentum=settings.momentum)
            optimizer.build(self.network.trainable_variables)
            tracked = {"head": self.network.head}
            if self.network.features is not None:
                tracked["features"] = self.network.features
            last = files.output_folder(model_path / "last")
            self.loop = Loop(last, asdict(settings), epochs, steps, optimizer, **tracked)
        self._loss = class_loss(settings.loss)
        self._take_step = make_step(self.strategy, self.network, optimizer, self._training_loss)
        self._predict = self.network.predictor()

    def _training_loss(self, targets: Any, logits: Any) -> Any:
        """Return the weighted loss of each picture, with half the squared norm of the kernels times the decay."""
        labels, weights = targets
        kernels = [variable for variable in self.network.trainable_variables if len(variable.shape) > 1]
        decay = tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
        return self._loss(labels, logits) * weights + self.settings.weight_decay * decay

    def train(self, save_every: int, checkpoint_steps: int, restart: bool, overwrite: bool) -> int:
        """Train to the end or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        self.loop.start(restart, lambda: self._begin(overwrite or restart))
        if is_chief():
            lines = [*self.names, *(f"class {label}" for label in range(len(self.names), self.settings.labels))]
            files.write_bytes(
                self.models / "classes.txt", "".join(f"{n}\n" for n in lines).encode("utf-8", "surrogateescape")
            )
        return self.loop.run(
            stop,
            self._batches,
            self._take_step,
            lambda epoch: self._finish_epoch(epoch, save_every),
            self.out / "history_msroi.csv",
            checkpoint_steps,
            self._show,
        )

    def _begin(self, overwrite: bool) -> None:
        if not overwrite and any(self.models.glob("model-*")):
            raise UserError(
                f"{show(self.models)} already holds models; choose another --model_path, or give --overwrite"
            )
        self.loop.resume.save()  # from here on the models in the folder are this run's, also when it is killed

    def _batches(self, epoch: int, first: int) -> Iterator[Any]:
        yield from self.strategy.experimental_distribute_dataset(self.batches.epoch(epoch, first, self.workers))
        if self.batches.failure:
            raise self.batches.failure

    def _finish_epoch(self, epoch: int, save_every: int) -> dict[str, str]:
        """Score on the test split, write the models that are due; return the scores for the history."""
        scores = score(self._predict, self.settings.loss, self.test, self.settings.top_k, self.workers)
        arrays = self.network.arrays()  # on every worker: reading may be a collective operation
        better = scores.top_1 > self.loop.get("best") or epoch == 0
        if is_chief() and better:
            write_model(self.models / BEST, arrays)
        if is_chief() and ((epoch + 1) % save_every == 0 or epoch + 1 == self.settings.n_epochs):
            write_model(self.models / f"model-{epoch + 1}", arrays)
        if better:
            self.loop.state["best"].assign(scores.top_1)
        return {"val_loss": f"{scores.loss:.5f}", "top_1": f"{scores.top_1:.5f}", "top_k": f"{scores.top_k:.5f}"}

    def _show(self, history: results.History) -> None:
        show_epoch(history)
        accuracy_curves(history.rows, self.settings.top_k, self.out / "accuracy_msroi.png")


def accuracy_curves(rows: list[dict[str, Any]], top_k: int, path: Path) -> None:
    """Draw the accuracy on the test split by epoch, in percent."""
    with figures.figure(path, 7, 4.5) as drawing:
        axes = drawing.add_subplot()
        for name, label in (("top_1", "top 1"), ("top_k", f"top {top_k}")):
            axes.plot([int(r["epoch"]) for r in rows], [100 * float(r[name]) for r in rows], marker=".", label=label)
        axes.set(xlabel="epoch", ylabel="test pictures right, %", ylim=(0, 100))
        axes.grid(True, alpha=0.3)
        axes.legend()


def open_run(
    settings: Settings, in_path: Path, model_path: Path, out_path: Path, cache_path: Path, workers: Any
) -> Run:
    """Open the tables of `in_path`, compute the features that a frozen backbone needs, and build the run."""
    names = tables.read_classes(in_path)
    strategy = make_strategy(settings.strategy)
    with strategy.scope():
        features = make_features(settings.arch, settings.vgg_weights)
    size, sources = settings.image_size, list[Source]()
    for name, augment in zip(tables.TABLES, (settings.augmentation, False), strict=True):
        table = tables.read_table(in_path / name, len(names))
        if settings.frozen_backbone:
            shape = tuple(features.compute_output_shape((1, size, size, 3)))[1:]
            key = features_key(settings.arch, settings.vgg_weights, size)
            cached = dataset.CachedFeatures(table, cache_path, key, shape, augment)
            extract = tf.function(lambda pictures: features(pictures, training=False), reduce_retracing=True)
            cached.make(lambda pictures: extract(tf.constant(pictures)).numpy(), size, workers)  # noqa: B023
            sources.append(cached)
        else:
            sources.append(dataset.Pictures(table, size, augment))
    return Run(settings, strategy, features, sources[0], sources[1], names, model_path, out_path, workers)


def evaluate(checkpoint: str, in_path: Path, loss: str, top_k: int, image_size: int, workers: int | None) -> Scores:
    """Score a checkpoint on the test split of `in_path`, from the pictures."""
    arrays, source = checkpoints.load(checkpoint), show(checkpoint)
    arch = checkpoints.architecture_of(arrays, source).name
    names = tables.read_classes(in_path)
    labels = arrays[checkpoints.MATRIX].shape[1]
    if labels < len(names):
        raise UserError(
            f"{source} knows {labels} classes, {show(in_path)} has {len(names)}; they do not belong together"
        )
    if arch == "vgg16" and "conv1_1/W" not in arrays:
        raise UserError(f"{source} holds a VGG16 head without its features; give a checkpoint with both")
    network = Network(arch, labels, make_features(arch, None), frozen=False)
    network.load(arrays, source)
    pictures = dataset.Pictures(tables.read_table(in_path / "test.csv", len(names)), image_size, False)
    return score(network.predictor(), loss, pictures, top_k, workers)
