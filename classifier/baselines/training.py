"""Train a baseline from photographs; the last weights become its `.tflite`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.classifier.baselines.configs import MODEL_NAME, get_baseline
from q1net_msroi.classifier.baselines.crops import CropSource
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.conversion import SIGNATURE, convert
from q1net_msroi.classifier.q1net.photographs import Batch
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.litert import LiteModel
from q1net_msroi.utils.loop import Task
from q1net_msroi.utils.training import tf
from q1net_msroi.utils.training_options import TrainingSettings

PREDICTED_CROPS = 64  # batch of the `.tflite`: all crops of a picture
LARGEST_DIFFERENCE = 0.05  # in quality, of the `.tflite` from the Keras model
Validation = Callable[[], Iterable[Batch]]


@dataclass(frozen=True, kw_only=True)
class Settings(TrainingSettings):
    """Of a baseline: which, and the steps of an epoch."""

    comp_type: str
    steps_per_epoch: int


class CropTask(Task):
    """A baseline's network and its crops; `folder` gets the `.tflite` and its record, `out_path` history and state."""

    settings: Settings
    ahead = 4

    def __init__(
        self, settings: Settings, source: CropSource, validation: Validation, folder: Path, out_path: Path
    ) -> None:
        super().__init__(settings, settings.steps_per_epoch, out_path / "last", out_path / "history_cls.csv")
        self.baseline, self.source = get_baseline(settings.comp_type), source
        self.folder = files.output_folder(folder)
        self.validation = [(self.baseline.inputs(crops), qualities) for crops, qualities in validation()]
        shape = (settings.batch_size, *self.baseline.input_shape)
        self.signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape[:1], tf.float32))

    def build(self) -> dict[str, Any]:
        """Make the baseline's network."""
        self.network = self.baseline.build()
        return {"model": self.network}

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return |q* - q| a crop: `targets` (n,), `outputs` (n, 1)."""
        return tf.abs(targets - outputs[:, 0])

    def batches(self, epoch: int, first: int) -> Iterator[tuple[Any, Any]]:
        """Yield the network's inputs for crops, and qualities."""
        for crops, qualities in self.source.batches(epoch, first, self.steps):
            yield self.baseline.inputs(crops).astype(np.float32), qualities.astype(np.float32)

    def validate(self, predict: Callable[[Any], Any]) -> dict[str, float]:
        """Return the mean error of a crop."""
        errors = [
            np.abs(np.asarray(predict(tf.constant(inputs, tf.float32)))[:, 0] - qualities)
            for inputs, qualities in self.validation
        ]
        return {"val_loss": float(np.concatenate(errors).mean())}

    def finish(self, predict: Callable[[Any], Any]) -> None:
        """Write the `.tflite` of the last weights; raise `UserError` where it is not what the network computes."""
        path = self.folder / MODEL_NAME
        inputs = self.validation[0][0]
        with files.atomic_path(path) as temporary:
            shape = self.baseline.input_shape
            temporary.write_bytes(convert(self.network, "float32", PREDICTED_CROPS, shape, "quality"))
            expected = np.asarray(predict(tf.constant(inputs, tf.float32)))
            difference = float(np.abs(LiteModel(temporary, 1)(inputs) - expected).max())
            if difference > LARGEST_DIFFERENCE:
                raise UserError(f"the .tflite differs by {difference:.3f} from its model; {show(path)} was not written")
        trained = {**asdict(self.settings), "data": Path(self.settings.data).name, "epoch": self.settings.epochs}
        weights.update_card(
            self.folder,
            comp_type=trained.pop("comp_type"),
            parameters=int(self.network.count_params()),
            channel_order="RGB",
            val_mae_a_crop=round(self.validate(predict)["val_loss"], 4),
            trained={**trained, "aligned_share": self.baseline.aligned_share},
            tflite={path.name: {"sha256": files.sha256(path), "batch": PREDICTED_CROPS, "signature": SIGNATURE}},
        )
