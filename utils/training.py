"""What any training run needs: strategy, schedule, averaged weights, resume, stopping. TensorFlow is imported here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

# Keras 2 (tf-keras), and oneDNN's convolutions also on processors where TensorFlow would leave them off (1.7 times the
# training speed without AVX-512). Both must be set before the first import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# What goes wrong comes as a Python exception; the log says at every start that there is no GPU, as if that were wrong.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from q1net_msroi.utils import files, litert
from q1net_msroi.utils.errors import UserError, show

with litert.quiet_stderr():  # before its log is set up, it writes whatever its level is
    import tensorflow as tf
    import tf_keras as keras

STOP_FILE = "stop_training"


def make_strategy(name: str) -> Any:
    """Return the `tf.distribute` strategy: none (one device), mirrored (all devices), multi_worker (TF_CONFIG)."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        try:
            cluster = json.loads(os.environ["TF_CONFIG"])
            cluster["cluster"]["worker"], cluster["task"]["index"]
        except (KeyError, ValueError, TypeError):
            raise UserError(
                "--strategy multi_worker needs TF_CONFIG in the environment, e.g. "
                '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
            ) from None
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief() -> bool:
    """Return whether this process writes the results: the only one, or worker 0 of TF_CONFIG."""
    task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {})
    return int(task.get("index", 0)) == 0


def make_schedule(kind: str, learning_rate: float, steps: int, warmup_steps: int) -> Any:
    """Return the learning rate by step: `constant` or `cosine` (to 1 %), rising from 0 during `warmup_steps`."""
    if kind == "constant" and not warmup_steps:
        return learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=max(1, steps - warmup_steps),
        alpha=1.0 if kind == "constant" else 0.01,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


class AveragedWeights:
    """An exponential moving average of a model's trained weights, for evaluation and saving.

    `momentum` is the share of the old average kept a step. The statistics of BatchNorm layers belong to the weights
    they were gathered with, so they are gathered again for the average.
    """

    def __init__(self, model: Any, momentum: float) -> None:
        self.model = model
        self.momentum = momentum
        self.averages = [tf.Variable(v, trainable=False) for v in model.trainable_variables]
        self.count = tf.Variable(0.0, trainable=False)

    @tf.function
    def update(self) -> None:
        """Take the model's present weights into the average; the first steps count more (no bias to the start)."""
        self.count.assign_add(1.0)
        keep = tf.minimum(self.momentum, self.count / (self.count + 9.0))
        for average, variable in zip(self.averages, self.model.trainable_variables, strict=True):
            average.assign(keep * average + (1.0 - keep) * variable)

    def swap_in(self, batches: Iterable[Any]) -> list[Any]:
        """Put the average into the model, gather BatchNorm statistics over `batches`; return the weights to restore."""
        kept = self.model.get_weights()
        for average, variable in zip(self.averages, self.model.trainable_variables, strict=True):
            variable.assign(average)
        recompute_statistics(self.model, batches)
        return kept


def recompute_statistics(model: Any, batches: Iterable[Any]) -> None:
    """Set every BatchNorm layer's moving statistics to the plain mean over `batches`."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for index, batch in enumerate(batches):
        for layer in layers:
            layer.momentum = index / (index + 1)
        model(batch, training=True)  # eager, so that the changed momentum counts
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


class Resume:
    """A run's whole state (weights, optimizer, counters) under `folder`, always whole on disk, and back again."""

    def __init__(self, folder: Path, parameters: dict[str, Any], **state: Any) -> None:
        self.parameters = parameters
        self.record = folder / "run.json"
        self.folder = folder if is_chief() else Path(tempfile.mkdtemp(prefix="worker-"))
        self.checkpoint = tf.train.Checkpoint(**state)
        # The chief's folder is read by all, written by the chief; others must take part in saving, but elsewhere.
        self._source = folder
        self._manager = tf.train.CheckpointManager(self.checkpoint, str(self.folder), max_to_keep=2)

    def start(self, restart: bool) -> bool:
        """Restore an unfinished run with the same parameters and return True; False when there is none.

        Raises `UserError` when an unfinished run with other parameters is in the way.
        """
        found = files.read_json(self.record) if self.record.exists() and not restart else None
        if found and not found["finished"]:
            changed = {k for k in self.parameters if self.parameters[k] != found["parameters"].get(k)}
            if changed:
                listed = ", ".join(
                    f"{k} {found['parameters'].get(k)} instead of {self.parameters[k]}" for k in sorted(changed)
                )
                raise UserError(
                    f"{show(self._source)} holds an unfinished run with other parameters ({listed}); "
                    "go on with the same ones, or give --restart to forget it"
                )
            latest = tf.train.latest_checkpoint(str(self._source))
            if latest:
                self.checkpoint.restore(latest).assert_existing_objects_matched()
                return True
        if is_chief():
            for old in self._source.glob("ckpt-*"):
                # A killed process leaves a folder ckpt-1_temp.
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            (self._source / "checkpoint").unlink(missing_ok=True)
            self.mark(finished=False)
        return False

    def save(self) -> None:
        """Write the state; the previous one stays until the new one is whole."""
        self._manager.save()

    def mark(self, finished: bool) -> None:
        """Record whether the run is done, so that the next one starts afresh."""
        if is_chief():
            files.write_json(self.record, {"parameters": self.parameters, "finished": finished})


class StopRequest:
    """Turns SIGINT, SIGTERM and a file named `stop_training` into a wish that the loop reads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / STOP_FILE
        self.signal: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number

    def after_epoch(self) -> bool:
        """Return whether the stop file is there (and take it away, so that the next run is not stopped by it)."""
        if self.file.exists():
            if is_chief():
                self.file.unlink(missing_ok=True)
            return True
        return self.signal is not None


def make_step(strategy: Any, model: Any, optimizer: Any, loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a compiled function (inputs, targets) -> mean loss that takes one training step on all replicas.

    One plain function call a step: Keras' own `fit` took 1.5 times as long for the same step on two cores.
    """
    replicas = strategy.num_replicas_in_sync

    def step(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss(targets, model(inputs, training=True))) / replicas
        gradients = tape.gradient(mean, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return mean

    @tf.function
    def distributed_step(inputs: Any, targets: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(step, args=(inputs, targets)), axis=None)

    return distributed_step
