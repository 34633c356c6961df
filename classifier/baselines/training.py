"""Train a baseline from photographs, resumable at any step; the last weights become its `.tflite`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.classifier.baselines.configs import MODEL_NAME, Baseline
from q1net_msroi.classifier.baselines.crops import CropSource
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.conversion import SIGNATURE, convert
from q1net_msroi.classifier.q1net.photographs import Batch
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, UserError, show
from q1net_msroi.utils.litert import LiteModel
from q1net_msroi.utils.loop import Loop
from q1net_msroi.utils.training import StopRequest, keras, make_schedule, make_step, make_strategy, tf

PREDICTED_CROPS = 64  # batch of the `.tflite`: all crops of a picture
LARGEST_DIFFERENCE = 0.05  # in quality, of the `.tflite` from the Keras model
Validation = Callable[[], Iterable[Batch]]


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run computes."""

    data: str
    epochs: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    seed: int


def absolute_error(truth: Any, predicted: Any) -> Any:
    """Return |q* - q| a crop: `truth` (n,), `predicted` (n, 1)."""
    return tf.abs(truth - predicted[:, 0])


class Run:
    """One training run: the model and everything that has to be saved so that it can go on."""

    def __init__(
        self,
        baseline: Baseline,
        settings: Settings,
        source: CropSource,
        validation: Validation,
        folder: Path,
        out_path: Path,
    ) -> None:
        """Build the model; `folder` gets the `.tflite` and its record, `out_path` history and state."""
        self.baseline, self.settings, self.source = baseline, settings, source
        self.folder, self.out = files.output_folder(folder), files.output_folder(out_path)
        self.validation = [(baseline.inputs(crops), qualities) for crops, qualities in validation()]
        keras.utils.set_random_seed(settings.seed)
        self.model = baseline.build()
        steps = settings.epochs * settings.steps_per_epoch
        optimizer = keras.optimizers.Adam(make_schedule("cosine", settings.learning_rate, steps, settings.warmup_steps))
        optimizer.build(self.model.trainable_variables)
        parameters = {"comp_type": baseline.comp_type, **asdict(settings)}
        state = files.output_folder(self.out / "last")
        self.loop = Loop(state, parameters, settings.epochs, settings.steps_per_epoch, optimizer, model=self.model)
        self._take_step = make_step(make_strategy("none"), self.model, optimizer, absolute_error)
        self._predict = tf.function(lambda inputs: self.model(inputs, training=False), reduce_retracing=True)

    def train(self, checkpoint_steps: int, restart: bool) -> int:
        """Train to the end or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        self.loop.start(restart, lambda: self.loop.state["best"].assign(math.inf))
        history = self.out / "history_cls.csv"
        code = self.loop.run(stop, self._batches, self._take_step, self._finish_epoch, history, checkpoint_steps)
        if code == EXIT_OK:
            self._write(int(self.loop.get("epoch")), self.loop.get("best"))
        return code

    def _batches(self, epoch: int, first: int) -> Any:
        def generate() -> Iterator[Batch]:
            for crops, qualities in self.source.batches(epoch, first, self.settings.steps_per_epoch):
                yield self.baseline.inputs(crops).astype(np.float32), qualities.astype(np.float32)

        shape = (self.settings.batch_size, *self.baseline.input_shape)
        signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape[:1], tf.float32))
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)

    def _finish_epoch(self, epoch: int) -> dict[str, str]:
        """Validate, keep the error as the state's `best` (the last weights are the result); return the history's."""
        errors = [
            np.abs(np.asarray(self._predict(tf.constant(inputs, tf.float32)))[:, 0] - qualities)
            for inputs, qualities in self.validation
        ]
        val_loss = float(np.concatenate(errors).mean())
        self.loop.state["best"].assign(val_loss)
        return {"val_loss": f"{val_loss:.5f}"}

    def _write(self, epoch: int, val_loss: float) -> None:
        path = self.folder / MODEL_NAME
        inputs = self.validation[0][0]
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(convert(self.model, "float32", PREDICTED_CROPS, self.baseline.input_shape, "quality"))
            expected = np.asarray(self._predict(tf.constant(inputs, tf.float32)))
            difference = float(np.abs(LiteModel(temporary, 1)(inputs) - expected).max())
            if difference > LARGEST_DIFFERENCE:
                raise UserError(f"the .tflite differs by {difference:.3f} from its model; {show(path)} was not written")
        trained = {**asdict(self.settings), "data": Path(self.settings.data).name, "epoch": epoch}
        weights.update_card(
            self.folder,
            comp_type=self.baseline.comp_type,
            parameters=int(self.model.count_params()),
            channel_order="RGB",
            val_mae_a_crop=round(val_loss, 4),
            trained={**trained, "aligned_share": self.baseline.aligned_share},
            tflite={path.name: {"sha256": files.sha256(path), "batch": PREDICTED_CROPS, "signature": SIGNATURE}},
        )
