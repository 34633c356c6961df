"""The training run: epochs and steps, history, best weights, stopping, and going on after any end."""

import math
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, cast

from q1net_msroi.utils import figures, files, results, tasks, training
from q1net_msroi.utils.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, UserError, note, show
from q1net_msroi.utils.optimizers import make_optimizer
from q1net_msroi.utils.training import is_chief, tf
from q1net_msroi.utils.training_options import TrainingSettings

STOP_FILE = "stop_training"
COUNTERS = ("epoch", "step", "loss_sum", "best")
# None: a stop file.
SIGNAL_CODES: dict[int | None, int] = {None: EXIT_OK, signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}


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
        """Restore an unfinished run with the same parameters and return True; False when there is none."""
        found = files.read_json(self.record) if self.record.exists() and not restart else None
        if found and not found["finished"]:
            pairs = {name: (found["parameters"].get(name), asked) for name, asked in sorted(self.parameters.items())}
            changed = [f"{name} {old} instead of {new}" for name, (old, new) in pairs.items() if old != new]
            if changed:
                said = f"holds an unfinished run with other parameters ({', '.join(changed)})"
                remedy = "go on with the same ones, or give --restart to forget it"
                raise UserError(f"{show(self._source)} {said}; {remedy}")
            if latest := tf.train.latest_checkpoint(str(self._source)):
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


class Task:
    """What a run trains: data and hooks that a family writes. `build` and `loss` take part in compiled functions.

    `state` is the folder of the run's state, `history` the CSV with a row an epoch; a plot and TensorBoard's logs go
    beside it. `signature` says what `batches` yields; `ahead` is how many of them wait for the step.
    """

    network: Any
    signature: Any
    ahead = 8

    def __init__(self, settings: TrainingSettings, steps: int, state: Path, history: Path) -> None:
        self.settings, self.steps, self.state, self.history = settings, steps, state, history

    def build(self) -> dict[str, Any]:
        """Make `network`, under the run's strategy; return by name what belongs to the saved state."""
        raise NotImplementedError

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss of every example."""
        raise NotImplementedError

    def predict(self, inputs: Any) -> Any:
        """Return what the network answers outside training."""
        return self.network(inputs, training=False)

    def batches(self, epoch: int, first: int) -> Iterator[tuple[Any, Any]]:
        """Yield (inputs, targets) of the steps `first`.. of an epoch: the same ones whenever it is asked."""
        raise NotImplementedError

    def statistics(self) -> Iterator[Any]:
        """Yield inputs from which BatchNorm's statistics are gathered, none that an epoch has."""
        return iter(())

    def begin(self, predict: Callable[[Any], Any], restart: bool, overwrite: bool) -> float:
        """Return the score to beat when a run starts afresh; raise `UserError` where its results would replace some."""
        return math.inf

    def validate(self, predict: Callable[[Any], Any]) -> dict[str, float]:
        """Return what the history tells of the network as it is: `val_loss` and more."""
        raise NotImplementedError

    def score(self, measured: dict[str, float]) -> float:
        """Return the number by which the best epoch is chosen, the lowest."""
        return measured["val_loss"]

    def keep(self, epoch: int, better: bool, measured: dict[str, float]) -> None:
        """Write what an epoch (from 1) is worth keeping; on every worker, for reading may be a collective operation."""

    def draw(self, rows: list[dict[str, Any]]) -> None:
        """Draw more of the history than the losses."""

    def finish(self, predict: Callable[[Any], Any]) -> None:
        """Write what is made of the last weights, before the run counts as finished."""


class Run:
    """One training: counted in its checkpoint, shown, stopped, and taken up again at any step.

    Counters (epoch, step, loss_sum, best) live in the checkpoint, so that weights and position can never disagree.
    """

    def __init__(self, task: Task, strategy: Any = None) -> None:
        """Build network and optimizer under the settings' strategy (or the one where parts of `task` were made)."""
        self.task, self.settings = task, task.settings
        files.output_folder(task.history.parent)
        self._failure: UserError | None = None
        training.keras.utils.set_random_seed(self.settings.seed)
        self.strategy = strategy or training.make_strategy(self.settings.strategy)
        with self.strategy.scope():
            tracked = task.build()
            self.optimizer = make_optimizer(self.settings, self.settings.epochs * task.steps)
            self.optimizer.build(task.network.trainable_variables)
            self.average = None
            if self.settings.average_weights:
                self.average = training.AveragedWeights(task.network, self.settings.average_weights)
                tracked |= {"average": self.average.averages, "average_count": self.average.count}
            self.state = {name: tf.Variable(0.0, trainable=False, dtype=tf.float64) for name in COUNTERS}
            state = {"optimizer": self.optimizer, **self.state, **tracked}
            self.resume = Resume(files.output_folder(task.state), asdict(self.settings), **state)
        self._take_step = training.make_step(self.strategy, task.network, self.optimizer, task.loss)
        self.predict = training.compiled(task.predict)

    def get(self, name: str) -> float:
        """Return a counter: epoch, step, loss_sum, best."""
        return float(self.state[name].numpy())

    def _set(self, **counters: float) -> None:
        for name, value in counters.items():
            self.state[name].assign(value)

    def train(self, checkpoint_steps: int, restart: bool = False, overwrite: bool = False) -> int:
        """Go on to the last epoch or until stopped; return an exit code (130 or 143 when a signal ended the run)."""
        stop = StopRequest(Path.cwd())
        self._start(restart, overwrite)
        history = results.History(self.task.history, int(self.get("epoch")))
        for epoch in range(int(self.get("epoch")), self.settings.epochs):
            started = time.perf_counter()
            if not self._train_epoch(epoch, checkpoint_steps, stop):
                note("stopped; the same command goes on from here")
                return SIGNAL_CODES[stop.signal]
            train_loss = self.get("loss_sum") / self.task.steps
            row = {"epoch": str(epoch + 1), "train_loss": f"{train_loss:.5f}", **self._finish_epoch(epoch + 1)}
            self._set(epoch=epoch + 1, step=0, loss_sum=0)
            self.resume.save()
            row["learning_rate"] = f"{float(tf.convert_to_tensor(self.optimizer.learning_rate)):.3e}"
            if is_chief():
                history.add({**row, "seconds": f"{time.perf_counter() - started:.1f}"})
                show_epoch(history)
                self.task.draw(history.rows)
            if stop.after_epoch() and epoch + 1 < self.settings.epochs:
                note("stopped after this epoch; the same command goes on from here")
                return SIGNAL_CODES[stop.signal]
        self.task.finish(self.predict)
        self.resume.mark(finished=True)
        return EXIT_OK

    def _start(self, restart: bool, overwrite: bool) -> None:
        """Take up an unfinished run, or begin a new one; a `UserError` there leaves no unfinished run behind."""
        if self.resume.start(restart):
            note(f"resuming at epoch {int(self.get('epoch')) + 1}, step {int(self.get('step'))}")
            return
        try:
            self._set(best=self.task.begin(self.predict, restart, overwrite))
        except UserError:
            self.resume.mark(finished=True)
            raise
        self.resume.save()  # from here on the results in the folder are this run's, also when it is killed

    def _batches(self, epoch: int, first: int) -> Iterable[tuple[Any, Any]]:
        """Return an epoch's batches from `first` on as tensors."""

        def generate() -> Iterator[tuple[Any, Any]]:
            try:
                yield from self.task.batches(epoch, first)
            except UserError as error:
                self._failure = error  # TensorFlow would wrap it in an error of its own

        data = training.pipeline(generate, self.task.signature, self.task.ahead)
        return cast(Iterable[tuple[Any, Any]], self.strategy.experimental_distribute_dataset(data))

    def _train_epoch(self, epoch: int, checkpoint_steps: int, stop: StopRequest) -> bool:
        """Take the epoch's remaining steps; return False when a signal stopped it (the state is saved then)."""
        first, total, steps = int(self.get("step")), self.get("loss_sum"), self.task.steps
        description = f"epoch {epoch + 1}/{self.settings.epochs}"
        with tasks.progress(total=steps, initial=first, desc=description, unit="step") as bar:
            for step, (inputs, targets) in enumerate(self._batches(epoch, first), first + 1):
                total += float(self._take_step(inputs, targets))
                if self.average:
                    self.average.update()
                if not math.isfinite(total):
                    raise UserError("the loss is not a number any more; give a smaller --learning_rate")
                bar.update()
                bar.set_postfix(loss=f"{total / step:.3f}", refresh=False)
                self._set(step=step, loss_sum=total)
                if stop.signal is not None or (step % checkpoint_steps == 0 and step < steps):
                    self.resume.save()
                if stop.signal is not None:
                    return False
        if self._failure:
            raise self._failure
        return True

    def _finish_epoch(self, epoch: int) -> dict[str, str]:
        """Validate with averaged weights and settled statistics, if asked for; return what the history tells."""
        network, kept = self.task.network, None
        if self.average:
            kept = self.average.swap_in(self.task.statistics())
        elif self.settings.statistics_batches:
            kept = network.get_weights()
            training.recompute_statistics(network, self.task.statistics())
        measured = self.task.validate(self.predict)
        score = self.task.score(measured)
        better = score < self.get("best")
        if better:
            self._set(best=score)
        self.task.keep(epoch, better, measured)
        if kept is not None:
            network.set_weights(kept)
        return {name: f"{value:.5f}" for name, value in measured.items()}


def show_epoch(history: results.History) -> None:
    """Draw the losses so far beside the history, tell TensorBoard, and print the last epoch's row."""
    row = history.rows[-1]
    figures.loss_curves(history.rows, history.path.with_suffix(".png"))
    folder = history.path.parent / "tensorboard"
    with tf.summary.create_file_writer(str(folder)).as_default(step=int(row["epoch"])):
        for name in row.keys() - {"epoch", "seconds"}:
            tf.summary.scalar(name, float(row[name]))
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
