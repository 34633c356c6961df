"""Train the MSROI head, alone on cached features or with its network, resumable at any step (paper, section 3)."""

from __future__ import annotations

import csv
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from msroi.roi import checkpoints, dataset
from msroi.roi.architectures import build_features, build_head, get_architecture
from utils import figures, files, tasks
from utils.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, UserError, note, show
from utils.training import Resume, StopRequest, is_chief, keras, make_schedule, make_step, make_strategy, tf

BEST = "model-best"
TEST_BATCH = 32
SHOWN = ("train_loss", "val_loss", "top_1", "top_k", "learning_rate")


class Source(Protocol):
    """Training or test inputs by row."""

    labels: NDArray[np.int32]
    shape: tuple[int, int, int]

    def values(self, rows: NDArray[np.int64], draw: np.random.Generator | None) -> NDArray[np.float32]:
        """Return inputs (n, *shape), augmented when there is something to draw with."""
        ...


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


class Scores(NamedTuple):
    """What a network scores on a split: mean loss, and the share 0..1 of pictures whose class is among the best."""

    loss: float
    top_1: float
    top_k: float


def pooled_maps(head: Any, features: Any) -> Any:
    """Return the mean over space of the head's maps, (n, 1024), without computing `conv6` at every place.

    A linear convolution commutes with the mean: each of the nine taps sees the sum of its input over the places that
    it reaches inside the picture (SAME padding: the rest is zero). 49 times less arithmetic on 7x7 maps, same result.
    """
    maps = head.get_layer("depth")(head.get_layer("conv6_1")(features))
    height, width = tf.shape(maps)[1], tf.shape(maps)[2]

    def reach(side: Any) -> Any:
        places = tf.range(side)
        return tf.cast(tf.stack([places < side - 1, places >= 0, places > 0]), maps.dtype)

    sums = tf.einsum("nhwc,ah,bw->nabc", maps, reach(height), reach(width))
    conv6 = head.get_layer("conv6")
    kernel = tf.reshape(conv6.kernel, (-1, conv6.filters))
    flat = tf.reshape(sums, (tf.shape(sums)[0], kernel.shape[0]))
    return flat @ kernel / tf.cast(height * width, maps.dtype) + conv6.bias


def class_loss(name: str) -> Any:
    """Return the loss (labels (n,), logits (n, classes)) -> (n,): `softmax`, or `sigmoid`, summed over classes."""

    def sigmoid(labels: Any, logits: Any) -> Any:
        truth = tf.one_hot(labels, tf.shape(logits)[1])
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits), axis=1)

    return sigmoid if name == "sigmoid" else tf.nn.sparse_softmax_cross_entropy_with_logits


def rank(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many classes score at least as much as the true one, (n,); ties and NaN count against it."""
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    return np.asarray((~(logits < own)).sum(axis=1) - 1)


def score(predict: Any, loss: str, source: Source, top_k: int, workers: int | None = None) -> Scores:
    """Score `predict` (inputs -> logits) on a split, every picture once, not augmented."""
    total, labels = np.zeros(3), source.labels
    rows = [np.arange(n, min(n + TEST_BATCH, len(labels))) for n in range(0, len(labels), TEST_BATCH)]
    values = tasks.ordered_map(lambda chosen: source.values(chosen, None), rows, workers)
    for chosen, inputs in zip(rows, values, strict=True):
        truth = labels[chosen]
        logits = predict(tf.constant(inputs))
        place = rank(logits.numpy(), truth)
        losses = class_loss(loss)(tf.constant(truth), logits).numpy()
        total += [losses.sum(), (place == 0).sum(), (place < top_k).sum()]
    return Scores(*(total / len(labels)).tolist())


def load_arrays(path: str) -> checkpoints.Arrays:
    """Read a checkpoint of train.py or of the original, or a packed .npz."""
    return checkpoints.unpack(path) if path.endswith(".npz") else checkpoints.read(path)


def load_vgg(features: Any, source: str) -> None:
    """Fill VGG16 features from the Keras no-top file `source`; `imagenet` lets Keras download it."""
    if source != "imagenet" and not Path(source).is_file():
        raise UserError(f"{show(source)} does not exist; give the Keras no-top VGG16 file, or imagenet to download it")
    try:
        filled = keras.applications.VGG16(include_top=False, weights=source)
    except Exception as error:  # h5py, Keras and the network each raise their own
        reason = show((str(error) or type(error).__name__).splitlines()[0][:150])
        raise UserError(f"{show(source)} does not give VGG16's no-top weights ({reason})") from None
    features.set_weights(filled.get_weights())


def make_features(arch: str, vgg_weights: str | None) -> Any:
    """Build the feature half with its ImageNet weights (for vgg16: those of `vgg_weights`, else random ones)."""
    features = build_features(arch)
    if arch == "mobilenet_v2":
        checkpoints.load_features(features)
    elif vgg_weights:
        load_vgg(features, vgg_weights)
    return features


def features_key(arch: str, vgg_weights: str | None, size: int) -> str:
    """Return what decides the features of a picture, as the cache's key."""
    source = vgg_weights if arch == "vgg16" else str(checkpoints.SHIPPED_WEIGHTS)
    content = files.sha256(source) if source and Path(source).is_file() else source
    return f"{arch} {content} {size}"


class Network:
    """The head, with the features before it unless these are frozen; called with (inputs, seeds) it gives logits."""

    def __init__(self, arch: str, labels: int, features: Any, frozen: bool, dropout: float = 0.0) -> None:
        """`features` is the feature half; when it is `frozen`, inputs are its outputs instead of pictures."""
        self.backbone, self.features = features, None if frozen else features
        self.head = build_head(get_architecture(arch).channels, labels)
        self.dropout, self._arch = dropout, arch
        halves = [self.head] if frozen else [features, self.head]
        self.trainable_variables = [variable for half in halves for variable in half.trainable_variables]

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Return logits (n, labels); in training a share of the pooled maps, drawn from the first seed, is left out."""
        values, seeds = inputs
        maps = values if self.features is None else self.features(values, training=training)
        pooled = pooled_maps(self.head, maps)
        if training and self.dropout:
            pooled = tf.nn.experimental.stateless_dropout(pooled, self.dropout, seed=seeds[0])
        return self.head.get_layer("GAP")(pooled)

    def predictor(self) -> Any:
        """Return a compiled function inputs -> logits."""
        return tf.function(lambda values: self((values, None)), reduce_retracing=True)

    def load(self, arrays: checkpoints.Arrays, source: str) -> None:
        """Take the weights of a checkpoint; those of the features only where it has them and they are not frozen."""
        checkpoints.fill(self.head, arrays, source)
        if self.features is not None and any(name.startswith(("Conv/", "conv1_1/")) for name in arrays):
            checkpoints.fill(self.features, arrays, source)

    def arrays(self) -> checkpoints.Arrays:
        """Return all weights by name; shipped features are left out where they were not trained."""
        head = checkpoints.named(self.head)
        if self.features is None and self._arch == "mobilenet_v2":
            return head
        return {**checkpoints.named(self.backbone), **head}


def write_model(path: Path, arrays: checkpoints.Arrays) -> None:
    """Write a checkpoint in the original's one-file format (V1), whole or not at all."""
    names = sorted(arrays)
    with files.atomic_path(path) as temporary:
        tf.raw_ops.Save(filename=str(temporary), tensor_names=names, data=[tf.constant(arrays[n]) for n in names])


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
        dataset.write_csv(self.path, list(row), [list(r.values()) for r in self.rows])


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
        self.last = files.output_folder(model_path / "last")
        self.batches = Batches(train, settings.batch_size, settings.seed, settings.class_balance)
        self.strategy = strategy
        keras.utils.set_random_seed(settings.seed)
        with self.strategy.scope():
            self.network = Network(settings.arch, settings.labels, features, settings.frozen_backbone, settings.dropout)
            if settings.base_weights:
                self.network.load(load_arrays(settings.base_weights), show(settings.base_weights))
            total = settings.n_epochs * self.batches.steps
            rate = make_schedule(settings.schedule, settings.learning_rate, total, settings.warmup_steps)
            if settings.optimizer == "adam":
                self.optimizer = keras.optimizers.Adam(rate, beta_1=settings.momentum, epsilon=settings.epsilon)
            else:
                self.optimizer = keras.optimizers.SGD(rate, momentum=settings.momentum)
            self.optimizer.build(self.network.trainable_variables)
            # Counters live in the checkpoint, so that weights and position can never disagree.
            self.state = {
                name: tf.Variable(0.0, trainable=False, dtype=tf.float64)
                for name in ("epoch", "step", "loss_sum", "best")
            }
        models = {"head": self.network.head, "optimizer": self.optimizer}
        if self.network.features is not None:
            models["features"] = self.network.features
        self.resume = Resume(self.last, asdict(settings), **models, **self.state)
        self._loss = class_loss(settings.loss)
        self._take_step = make_step(self.strategy, self.network, self.optimizer, self._training_loss)
        self._predict = self.network.predictor()

    def get(self, name: str) -> float:
        """Return a counter: epoch, step, loss_sum, best (top-1 so far)."""
        return float(self.state[name].numpy())

    def _training_loss(self, targets: Any, logits: Any) -> Any:
        """Return the weighted loss of each picture, with half the squared norm of the kernels times the decay."""
        labels, weights = targets
        kernels = [variable for variable in self.network.trainable_variables if len(variable.shape) > 1]
        decay = tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
        return self._loss(labels, logits) * weights + self.settings.weight_decay * decay

    def train(self, save_every: int, checkpoint_steps: int, restart: bool, overwrite: bool) -> int:
        """Train to the end or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        if self.resume.start(restart):
            note(f"resuming at epoch {int(self.get('epoch')) + 1}, step {int(self.get('step'))}")
        elif not (overwrite or restart) and any(self.models.glob("model-*")):
            self.resume.mark(finished=True)
            raise UserError(
                f"{show(self.models)} already holds models; choose another --model_path, or give --overwrite"
            )
        else:
            self.resume.save()  # from here on the models in the folder are this run's, also when it is killed
        if is_chief():
            lines = [*self.names, *(f"class {label}" for label in range(len(self.names), self.settings.labels))]
            files.write_bytes(
                self.models / "classes.txt", "".join(f"{n}\n" for n in lines).encode("utf-8", "surrogateescape")
            )
        history = History(self.out / "history_msroi.csv", int(self.get("epoch")))
        for epoch in range(int(self.get("epoch")), self.settings.n_epochs):
            started = time.perf_counter()
            if not self._train_epoch(epoch, checkpoint_steps, stop):
                note("stopped; the same command goes on from here")
                return EXIT_INTERRUPTED if stop.signal == signal.SIGINT else EXIT_TERMINATED
            row = self._finish_epoch(epoch, save_every)
            if is_chief():
                history.add({**row, "seconds": f"{time.perf_counter() - started:.1f}"})
                self._show(history)
            if stop.after_epoch():
                note("stopped after this epoch; the same command goes on from here")
                break
        if int(self.get("epoch")) == self.settings.n_epochs:
            self.resume.mark(finished=True)
        return EXIT_OK

    def _train_epoch(self, epoch: int, checkpoint_steps: int, stop: StopRequest) -> bool:
        """Take the epoch's remaining steps; return False when a signal stopped it (the state is saved then)."""
        steps, first, total = self.batches.steps, int(self.get("step")), self.get("loss_sum")
        data = self.strategy.experimental_distribute_dataset(self.batches.epoch(epoch, first, self.workers))
        description = f"epoch {epoch + 1}/{self.settings.n_epochs}"
        with tasks.progress(total=steps, initial=first, desc=description, unit="step") as bar:
            for step, (inputs, targets) in enumerate(data, first + 1):
                total += float(self._take_step(inputs, targets))
                if not math.isfinite(total):
                    raise UserError("the loss is not a number any more; give a smaller --learning_rate")
                bar.update()
                self.state["step"].assign(step)
                self.state["loss_sum"].assign(total)
                if stop.signal is not None or (step % checkpoint_steps == 0 and step < steps):
                    self.resume.save()
                if stop.signal is not None:
                    return False
        if self.batches.failure:
            raise self.batches.failure
        return True

    def _finish_epoch(self, epoch: int, save_every: int) -> dict[str, str]:
        """Score on the test split, write the models that are due, save the state; return the row for the history."""
        scores = score(self._predict, self.settings.loss, self.test, self.settings.top_k, self.workers)
        arrays = self.network.arrays()  # on every worker: reading may be a collective operation
        better = scores.top_1 > self.get("best") or epoch == 0
        if is_chief() and better:
            write_model(self.models / BEST, arrays)
        if is_chief() and ((epoch + 1) % save_every == 0 or epoch + 1 == self.settings.n_epochs):
            write_model(self.models / f"model-{epoch + 1}", arrays)
        if better:
            self.state["best"].assign(scores.top_1)
        train_loss = self.get("loss_sum") / self.batches.steps
        self.state["epoch"].assign(epoch + 1)
        self.state["step"].assign(0)
        self.state["loss_sum"].assign(0)
        self.resume.save()
        rate = float(self.optimizer.learning_rate)
        values = (train_loss, scores.loss, scores.top_1, scores.top_k)
        row = {"epoch": str(epoch + 1), **{n: f"{v:.5f}" for n, v in zip(SHOWN, values, strict=False)}}
        return {**row, "learning_rate": f"{rate:.3e}"}

    def _show(self, history: History) -> None:
        row = history.rows[-1]
        figures.loss_curves(history.rows, self.out / "history_msroi.png")
        accuracy_curves(history.rows, self.settings.top_k, self.out / "accuracy_msroi.png")
        with tf.summary.create_file_writer(str(self.out / "tensorboard")).as_default(step=int(row["epoch"])):
            for name in SHOWN:
                tf.summary.scalar(name, float(row[name]))
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)


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
    names = dataset.read_classes(in_path)
    tables = [dataset.read_table(in_path / name, len(names)) for name in dataset.TABLES]
    strategy = make_strategy(settings.strategy)
    with strategy.scope():
        features = make_features(settings.arch, settings.vgg_weights)
    size, sources = settings.image_size, list[Source]()
    for table, augment in zip(tables, (settings.augmentation, False), strict=True):
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
    arrays, source = load_arrays(checkpoint), show(checkpoint)
    arch = checkpoints.architecture_of(arrays, source).name
    names = dataset.read_classes(in_path)
    labels = arrays[checkpoints.MATRIX].shape[1]
    if labels < len(names):
        raise UserError(
            f"{source} knows {labels} classes, {show(in_path)} has {len(names)}; they do not belong together"
        )
    if arch == "vgg16" and "conv1_1/W" not in arrays:
        raise UserError(f"{source} holds a VGG16 head without its features; give a checkpoint with both")
    network = Network(arch, labels, make_features(arch, None), frozen=False)
    network.load(arrays, source)
    pictures = dataset.Pictures(dataset.read_table(in_path / "test.csv", len(names)), image_size, False)
    return score(network.predictor(), loss, pictures, top_k, workers)
