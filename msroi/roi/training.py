"""Train the MSROI head, alone on cached features or with its network (paper, section 3)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.msroi.roi import checkpoints, dataset, tables
from q1net_msroi.msroi.roi.head import Network, Source, class_loss, features_key, make_features, score, write_model
from q1net_msroi.utils import figures, files, tasks
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.loop import Run, Task
from q1net_msroi.utils.training import compiled, is_chief, make_strategy, tf
from q1net_msroi.utils.training_options import TrainingSettings

BEST = "model-best"


@dataclass(frozen=True, kw_only=True)
class Settings(TrainingSettings):
    """Of the head: flags of train.py by their names; `data` are the hashes of the tables."""

    arch: str
    labels: int
    loss: str
    frozen_backbone: bool
    image_size: int
    weight_decay: float
    dropout: float
    top_k: int
    augmentation: bool
    class_balance: bool
    vgg_weights: str | None


@dataclass(frozen=True)
class Output:
    """Where a run writes, how often, and with how many threads: nothing that decides its result."""

    model_path: Path
    out_path: Path
    cache_path: Path
    save_every: int = 10
    workers: int | None = None


class HeadTask(Task):
    """The head, with the features before it unless they are frozen; models go to `model_path`, plots to `out_path`.

    Which pictures a batch holds, in which order and how augmented, depends on (seed, epoch, step) alone.
    """

    settings: Settings
    ahead = 2

    def __init__(
        self, settings: Settings, features: Any, splits: Sequence[Source], names: tuple[str, ...], output: Output
    ) -> None:
        """`features` is the feature half; `splits`, training and test, give its inputs, or its outputs if frozen."""
        train, test = splits
        steps = math.ceil(len(train.labels) / settings.batch_size)
        super().__init__(settings, steps, output.model_path / "last", output.out_path / "history_msroi.csv")
        self.features, self.train, self.test, self.names = features, train, test, names
        self.models = files.output_folder(output.model_path)
        self.save_every, self.workers = output.save_every, output.workers
        plain = np.ones(len(train.labels), np.float32)
        self.weights = dataset.balance_weights(train.labels) if settings.class_balance else plain
        size = settings.batch_size
        self.signature = (
            (tf.TensorSpec((size, *train.shape), tf.float32), tf.TensorSpec((size, 2), tf.int32)),
            (tf.TensorSpec((size,), tf.int32), tf.TensorSpec((size,), tf.float32)),
        )

    def build(self) -> dict[str, Any]:
        """Make the head, with base weights if any."""
        chosen = self.settings
        self.network = Network(chosen.arch, chosen.labels, self.features, chosen.frozen_backbone, chosen.dropout)
        if chosen.base_weights:
            self.network.load(checkpoints.load(chosen.base_weights), show(chosen.base_weights))
        tracked = {"head": self.network.head, "features": self.network.features}
        return {name: model for name, model in tracked.items() if model is not None}

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the weighted loss of each picture, with half the squared norm of the kernels times the decay."""
        labels, weights = targets
        kernels = [variable for variable in self.network.trainable_variables if len(variable.shape) > 1]
        decay = tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
        return class_loss(self.settings.loss)(labels, outputs) * weights + self.settings.weight_decay * decay

    def predict(self, inputs: Any) -> Any:
        """Return logits."""
        return self.network((inputs, None))

    def batches(self, epoch: int, first: int) -> Iterator[tuple[Any, Any]]:
        """Yield ((values, seeds), (labels, weights)), made by threads."""
        seed, size, labels = self.settings.seed, self.settings.batch_size, self.train.labels
        order = np.random.default_rng((seed, epoch)).permutation(len(labels))
        order = np.resize(order, self.steps * size)  # the last batch is filled up from the beginning

        def make(step: int) -> tuple[Any, Any]:
            rows = order[step * size : (step + 1) * size]
            values = self.train.values(rows, np.random.default_rng((seed, epoch, step)))
            number = np.arange(len(rows)) + step * size
            seeds = np.stack([np.full(len(rows), seed * 65536 + epoch), number], axis=1).astype(np.int32)
            return (values, seeds), (labels[rows], self.weights[rows])

        return tasks.ordered_map(make, range(first, self.steps), self.workers)

    def begin(self, predict: Callable[[Any], Any], restart: bool, overwrite: bool) -> float:
        """Write the classes' names, unless there are models already."""
        if not (overwrite or restart) and any(self.models.glob("model-*")):
            advice = "choose another --model_path, or give --overwrite"
            raise UserError(f"{show(self.models)} already holds models; {advice}")
        if is_chief():
            lines = [*self.names, *(f"class {label}" for label in range(len(self.names), self.settings.labels))]
            text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            files.write_bytes(self.models / "classes.txt", text)
        return math.inf

    def validate(self, predict: Callable[[Any], Any]) -> dict[str, float]:
        """Return the scores on the test split."""
        found = score(predict, self.settings.loss, self.test, self.settings.top_k, self.workers)
        return {"val_loss": found.loss, "top_1": found.top_1, "top_k": found.top_k}

    def score(self, measured: dict[str, float]) -> float:
        """Return what falls as the first class is right more often."""
        return -measured["top_1"]

    def keep(self, epoch: int, better: bool, measured: dict[str, float]) -> None:
        """Write the models that are due."""
        arrays = self.network.arrays()
        if not is_chief():
            return
        if better:
            write_model(self.models / BEST, arrays)
        if epoch % self.save_every == 0 or epoch == self.settings.epochs:
            write_model(self.models / f"model-{epoch}", arrays)

    def draw(self, rows: list[dict[str, Any]]) -> None:
        """Draw the accuracy."""
        accuracy_curves(rows, self.settings.top_k, self.history.with_name("accuracy_msroi.png"))


def accuracy_curves(rows: list[dict[str, Any]], top_k: int, path: Path) -> None:
    """Draw the accuracy on the test split by epoch, in percent."""
    with figures.figure(path, 7, 4.5) as drawing:
        axes = drawing.add_subplot()
        for name, label in (("top_1", "top 1"), ("top_k", f"top {top_k}")):
            axes.plot([int(r["epoch"]) for r in rows], [100 * float(r[name]) for r in rows], marker=".", label=label)
        axes.set(xlabel="epoch", ylabel="test pictures right, %", ylim=(0, 100))
        axes.grid(True)
        axes.legend()


def open_run(settings: Settings, in_path: Path, output: Output) -> Run:
    """Open the tables of `in_path`, compute the features that a frozen backbone needs, and build the run."""
    names = tables.read_classes(in_path)
    strategy = make_strategy(settings.strategy)
    with strategy.scope():  # a feature half that is trained must be made under the run's strategy
        features = make_features(settings.arch, settings.vgg_weights)

    @compiled
    def extract(pictures: Any) -> Any:
        return features(pictures, training=False)

    size, sources = settings.image_size, list[Source]()
    for name, augment in zip(tables.TABLES, (settings.augmentation, False), strict=True):
        table = tables.read_table(in_path / name, len(names))
        if settings.frozen_backbone:
            shape = tuple(features.compute_output_shape((1, size, size, 3)))[1:]
            key = features_key(settings.arch, settings.vgg_weights, size)
            cached = dataset.CachedFeatures(table, output.cache_path, key, shape, augment)
            cached.make(lambda pictures: extract(tf.constant(pictures)).numpy(), size, output.workers)
            sources.append(cached)
        else:
            sources.append(dataset.Pictures(table, size, augment))
    return Run(HeadTask(settings, features, sources, names, output), strategy)


def load_predictor(checkpoint: str, classes: int) -> Callable[[Any], Any]:
    """Return what answers logits for pictures with a checkpoint, which must know `classes` classes or more."""
    arrays, source = checkpoints.load(checkpoint), show(checkpoint)
    arch = checkpoints.architecture_of(arrays, source).name
    labels = arrays[checkpoints.MATRIX].shape[1]
    if labels < classes:
        raise UserError(f"{source} knows {labels} classes, the tables have {classes}; they do not belong together")
    if arch == "vgg16" and "conv1_1/W" not in arrays:
        raise UserError(f"{source} holds a VGG16 head without its features; give a checkpoint with both")
    network = Network(arch, labels, make_features(arch, None), frozen=False)
    network.load(arrays, source)
    return compiled(lambda values: network((values, None)))
