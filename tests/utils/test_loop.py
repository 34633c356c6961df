"""The training loop: counting, stopping, going on; with steps that only count."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.utils.errors import UserError

training = pytest.importorskip("q1net_msroi.utils.training")
from q1net_msroi.utils import loop  # noqa: E402


@pytest.fixture(autouse=True)
def _keep_signals(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    if request.node.name != "test_every_step_is_taken_once_and_told":
        monkeypatch.setattr(loop.figures, "loss_curves", lambda rows, path: None)  # slower than all the rest
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Counting:
    """A "model" of one number that every step raises by its input, and what the loop did with it."""

    def __init__(self, folder: Path, epochs: int = 3, steps: int = 4, **parameters: Any) -> None:
        self.folder = folder
        (folder / "last").mkdir(parents=True, exist_ok=True)
        self.total = training.tf.Variable(0.0)
        optimizer = training.keras.optimizers.SGD(0.5)
        optimizer.build([self.total])
        self.loop = loop.Loop(folder / "last", parameters, epochs, steps, optimizer, total=self.total)
        self.stop = training.StopRequest(folder)
        self.seen: list[tuple[int, int]] = []
        self.hook = lambda epoch, step: None

    def batches(self, epoch: int, first: int):
        for step in range(first, self.loop.steps):
            self.seen.append((epoch, step))
            self.hook(epoch, step)
            yield float(epoch), float(step)

    def step(self, epoch: float, step: float) -> float:
        self.total.assign_add(10 * epoch + step)
        return step

    def finish(self, epoch: int) -> dict[str, str]:
        return {"val_loss": f"{1 + epoch:.5f}"}

    def run(self, begin=lambda: None, restart: bool = False, checkpoint_steps: int = 1) -> int:
        self.loop.start(restart, begin)
        return self.loop.run(
            self.stop, self.batches, self.step, self.finish, self.folder / "history.csv", checkpoint_steps
        )

    def rows(self) -> list[dict[str, str]]:
        with (self.folder / "history.csv").open(newline="") as handle:
            return list(csv.DictReader(handle))


def test_every_step_is_taken_once_and_told(tmp_path: Path) -> None:
    whole = Counting(tmp_path)
    assert whole.run() == 0
    assert whole.seen == [(epoch, step) for epoch in range(3) for step in range(4)]
    rows = whole.rows()
    assert list(rows[0]) == ["epoch", "train_loss", "val_loss", "learning_rate", "seconds"]
    assert [(row["epoch"], row["train_loss"], row["val_loss"]) for row in rows] == [
        (str(n), "1.50000", f"{n:.5f}") for n in (1, 2, 3)
    ]
    assert float(rows[0]["learning_rate"]) == 0.5
    assert {"history.png", "tensorboard"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("checkpoint_steps", [1, 3])
def test_a_crash_at_any_step_goes_on_from_the_last_saved_one(tmp_path: Path, checkpoint_steps: int) -> None:
    def crash(epoch: int, step: int) -> None:
        if (epoch, step) == (1, 2):
            raise ConnectionAbortedError

    first = Counting(tmp_path)
    first.hook = crash
    with pytest.raises(ConnectionAbortedError):
        first.run(checkpoint_steps=checkpoint_steps)
    again = Counting(tmp_path)
    assert again.run(checkpoint_steps=checkpoint_steps) == 0
    assert again.seen[0] == ((1, 2) if checkpoint_steps == 1 else (1, 0))
    assert float(again.total) == sum(10 * epoch + step for epoch in range(3) for step in range(4))
    assert [row["train_loss"] for row in again.rows()] == ["1.50000"] * 3


def test_a_run_that_was_killed_while_it_first_saved_starts_again(tmp_path: Path) -> None:
    first = Counting(tmp_path)
    first.loop.start(False, lambda: None)
    (tmp_path / "last" / "ckpt-1_temp").mkdir()
    (tmp_path / "last" / "ckpt-1_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    again = Counting(tmp_path)
    assert again.run() == 0
    assert again.seen[0] == (0, 0)
    assert not (tmp_path / "last" / "ckpt-1_temp").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_after_the_step(tmp_path: Path, number: int, code: int) -> None:
    first = Counting(tmp_path)
    first.hook = lambda epoch, step: signal.raise_signal(number) if (epoch, step) == (0, 1) else None
    assert first.run(checkpoint_steps=100) == code
    again = Counting(tmp_path)
    assert again.run() == 0
    assert again.seen[0] == (0, 2)


def test_a_signal_while_an_epoch_is_finished_says_so_too(tmp_path: Path) -> None:
    first = Counting(tmp_path)
    plain = first.finish
    first.finish = lambda epoch: signal.raise_signal(signal.SIGTERM) or plain(epoch)
    assert first.run() == 143
    assert Counting(tmp_path).run() == 0
    assert len(first.rows()) == 3


def test_stop_file_ends_after_the_epoch(tmp_path: Path) -> None:
    (tmp_path / "stop_training").touch()
    assert Counting(tmp_path).run() == 0
    assert not (tmp_path / "stop_training").exists()
    again = Counting(tmp_path)
    assert len(again.rows()) == 1
    assert again.run() == 0
    assert again.seen[0] == (1, 0)


def test_a_run_that_may_not_begin_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    def refuse() -> None:
        raise UserError("there are models already")

    with pytest.raises(UserError, match="models already"):
        Counting(tmp_path, seed=1).run(refuse)
    assert Counting(tmp_path, seed=2).run() == 0


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    run = Counting(tmp_path)
    run.step = lambda epoch, step: float("nan")
    with pytest.raises(UserError, match="learning_rate"):
        run.run()
