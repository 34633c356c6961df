"""What any training needs of TensorFlow, which is imported here: strategy, schedule, averaged weights, one step."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from q1net_msroi.utils import litert
from q1net_msroi.utils.errors import UserError

# Keras 2 (tf-keras), and oneDNN's convolutions also on processors where TensorFlow would leave them off (1.7 times the
# training speed without AVX-512). What goes wrong comes as a Python exception; the log says at every start that there
# is no GPU, as if that were wrong. All three must be set before the first import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Function = TypeVar("Function", bound=Callable[..., Any])


def _import_tensorflow() -> tuple[Any, Any]:
    with litert.quiet_stderr():  # before its log is set up, it writes whatever its level is
        import tensorflow
        import tf_keras
    return tensorflow, tf_keras


tf, keras = _import_tensorflow()


def compiled(function: Function) -> Function:
    """Return `function` of tensors as a graph, made once for tensors that differ in size alone."""
    return cast(Function, tf.function(function, reduce_retracing=True))


def make_strategy(name: str) -> Any:
    """Return the `tf.distribute` strategy: none (one device), mirrored (all devices), multi_worker (TF_CONFIG)."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        try:
            cluster = json.loads(os.environ["TF_CONFIG"])
            cluster["cluster"]["worker"], cluster["task"]["index"]
        except (KeyError, ValueError, TypeError):
            example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
            said = f"--strategy multi_worker needs TF_CONFIG in the environment, e.g. {example}"
            raise UserError(said) from None
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
    decay_steps, share_left = max(1, steps - warmup_steps), 1.0 if kind == "constant" else 0.01
    warmup = {"warmup_target": learning_rate, "warmup_steps": warmup_steps} if warmup_steps else {}
    first = 0.0 if warmup_steps else learning_rate
    return keras.optimizers.schedules.CosineDecay(first, decay_steps, alpha=share_left, **warmup)


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
        self.update = compiled(self._update)

    def _update(self) -> None:
        """Take the model's present weights into the average; the first steps count more (no bias to the start)."""
        self.count.assign_add(1.0)
        keep = tf.minimum(self.momentum, self.count / (self.count + 9.0))
        for average, variable in zip(self.averages, self.model.trainable_variables, strict=True):
            average.assign(keep * average + (1.0 - keep) * variable)

    def swap_in(self, batches: Iterable[Any]) -> list[Any]:
        """Put the average into the model, gather BatchNorm statistics over `batches`; return the weights to restore."""
        kept: list[Any] = self.model.get_weights()
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


def pipeline(batches: Callable[[], Iterable[Any]], signature: Any, ahead: int) -> Any:
    """Return batches (nested tuples of arrays) as a `tf.data` pipeline, `ahead` of the steps; uint8 becomes float32."""

    def as_float(value: Any) -> Any:
        return tf.cast(value, tf.float32) if value.dtype == tf.uint8 else value

    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.map(lambda *batch: tf.nest.map_structure(as_float, batch)).prefetch(ahead)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


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

    @compiled
    def distributed_step(inputs: Any, targets: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(step, args=(inputs, targets)), axis=None)

    return distributed_step
