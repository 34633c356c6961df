"""The loop of any training run: epochs, steps, history, stopping and going on."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from q1net_msroi.utils import figures, results, tasks
from q1net_msroi.utils.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, UserError, note
from q1net_msroi.utils.training import Resume, StopRequest, is_chief, tf

SIGNAL_CODES: dict[int | None, int] = {  # None: a stop file
    None: EXIT_OK,
    signal.SIGINT: EXIT_INTERRUPTED,
    signal.SIGTERM: EXIT_TERMINATED,
}


def show_epoch(history: results.History) -> None:
    """Draw the losses so far beside the history, tell TensorBoard, and print the last epoch's row."""
    row = history.rows[-1]
    figures.loss_curves(history.rows, history.path.with_suffix(".png"))
    folder = history.path.parent / "tensorboard"
    with tf.summary.create_file_writer(str(folder)).as_default(step=int(row["epoch"])):
        for name in row.keys() - {"epoch", "seconds"}:
            tf.summary.scalar(name, float(row[name]))
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)


class Loop:
    """The epochs and steps of a run: counted in its checkpoint, shown, stopped, and taken up again at any step.

    Counters (epoch, step, loss_sum, best) live in the checkpoint, so that weights and position can never disagree.
    """

    def __init__(
        self, folder: Path, parameters: dict[str, Any], epochs: int, steps: int, optimizer: Any, **tracked: Any
    ) -> None:
        """`steps` are those of an epoch, `tracked` the models that belong to the state. Build it under the scope."""
        self.epochs, self.steps, self.optimizer = epochs, steps, optimizer
        self.state = {
            name: tf.Variable(0.0, trainable=False, dtype=tf.float64) for name in ("epoch", "step", "loss_sum", "best")
        }
        self.resume = Resume(folder, parameters, optimizer=optimizer, **self.state, **tracked)

    def get(self, name: str) -> float:
        """Return a counter: epoch, step, loss_sum, best."""
        return float(self.state[name].numpy())

    def start(self, restart: bool, begin: Callable[[], None]) -> None:
        """Take up an unfinished run, or `begin` a new one; a `UserError` there leaves no unfinished run behind."""
        if self.resume.start(restart):
            note(f"resuming at epoch {int(self.get('epoch')) + 1}, step {int(self.get('step'))}")
            return
        try:
            begin()
        except UserError:
            self.resume.mark(finished=True)
            raise

    def run(
        self,
        stop: StopRequest,
        batches: Callable[[int, int], Iterable[tuple[Any, Any]]],
        take_step: Callable[[Any, Any], Any],
        finish_epoch: Callable[[int], dict[str, str]],
        history_path: Path,
        checkpoint_steps: int,
        show: Callable[[results.History], None] = show_epoch,
    ) -> int:
        """Go on to the last epoch or until stopped; return an exit code (130 or 143 when a signal ended the run).

        `batches(epoch, first)` gives (inputs, targets) of steps `first`.. of an epoch, `take_step` returns the mean
        loss. `finish_epoch(epoch)` validates, keeps what is worth keeping and returns what the history tells. That
        is written to `history_path` (CSV) and shown by `show`.
        """
        history = results.History(history_path, int(self.get("epoch")))
        for epoch in range(int(self.get("epoch")), self.epochs):
            started = time.perf_counter()
            if not self._train_epoch(epoch, batches(epoch, int(self.get("step"))), take_step, checkpoint_steps, stop):
                note("stopped; the same command goes on from here")
                return SIGNAL_CODES[stop.signal]
            train_loss = self.get("loss_sum") / self.steps
            row = {"epoch": str(epoch + 1), "train_loss": f"{train_loss:.5f}", **finish_epoch(epoch)}
            for name, value in (("epoch", epoch + 1), ("step", 0), ("loss_sum", 0)):
                self.state[name].assign(value)
            self.resume.save()
            row["learning_rate"] = f"{float(tf.convert_to_tensor(self.optimizer.learning_rate)):.3e}"
            if is_chief():
                history.add({**row, "seconds": f"{time.perf_counter() - started:.1f}"})
                show(history)
            if stop.after_epoch() and epoch + 1 < self.epochs:
                note("stopped after this epoch; the same command goes on from here")
                return SIGNAL_CODES[stop.signal]
        self.resume.mark(finished=True)
        return EXIT_OK

    def _train_epoch(
        self,
        epoch: int,
        batches: Iterable[tuple[Any, Any]],
        take_step: Callable[[Any, Any], Any],
        checkpoint_steps: int,
        stop: StopRequest,
    ) -> bool:
        """Take the epoch's remaining steps; return False when a signal stopped it (the state is saved then)."""
        first, total = int(self.get("step")), self.get("loss_sum")
        description = f"epoch {epoch + 1}/{self.epochs}"
        with tasks.progress(total=self.steps, initial=first, desc=description, unit="step") as bar:
            for step, (inputs, targets) in enumerate(batches, first + 1):
                total += float(take_step(inputs, targets))
                if not math.isfinite(total):
                    raise UserError("the loss is not a number any more; give a smaller --learning_rate")
                bar.update()
                bar.set_postfix(loss=f"{total / step:.3f}", refresh=False)
                self.state["step"].assign(step)
                self.state["loss_sum"].assign(total)
                if stop.signal is not None or (step % checkpoint_steps == 0 and step < self.steps):
                    self.resume.save()
                if stop.signal is not None:
                    return False
        return True
