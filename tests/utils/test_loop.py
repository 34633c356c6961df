"""The training loop: counting, stopping, going on; with steps that only count."""

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.training_options import TrainingSettings

training = pytest.importorskip("q1net_msroi.utils.training")
from q1net_msroi.utils import loop  # noqa: E402


@pytest.fixture(autouse=True)
def _keep_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    monkeypatch.chdir(tmp_path)  # where a stop file is looked for
    if request.node.name != "test_every_step_is_taken_once_and_told":
        monkeypatch.setattr(loop.figures, "loss_curves", lambda rows, path: None)  # slower than all the rest
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Counting(loop.Task):
    """A "model" of one number that every step raises by its input, and what the run did with it."""

    signature = (training.tf.TensorSpec((), training.tf.float32),) * 2

    def __init__(self, folder: Path, epochs: int = 3, steps: int = 4, seed: int = 0) -> None:
        settings = TrainingSettings(
            data="numbers", epochs=epochs, batch_size=1, learning_rate=0.5, schedule="constant", seed=seed
        )
        super().__init__(settings, steps, folder / "last", folder / "history.csv")
        self.seen: list[tuple[int, int]] = []
        self.hook = lambda epoch, step: None
        self.refused: str | None = None
        self.run = loop.Run(self)
        self.run._batches = self.batches
        self.run._take_step = self.step

    def build(self) -> dict[str, Any]:
        self.network = training.keras.Sequential([training.keras.layers.Dense(1, input_shape=(1,))])
        self.total = training.tf.Variable(0.0)
        return {"total": self.total}

    def batches(self, epoch: int, first: int):
        for step in range(first, self.steps):
            self.seen.append((epoch, step))
            self.hook(epoch, step)
            yield float(epoch), float(step)

    def step(self, epoch: float, step: float) -> float:
        self.total.assign_add(10 * epoch + step)
        return step

    def begin(self, predict, restart: bool, overwrite: bool) -> float:
        if self.refused:
            raise UserError(self.refused)
        return 5.0

    def validate(self, predict) -> dict[str, float]:
        return {"val_loss": 1.0 + self.run.get("epoch")}

    def train(self, checkpoint_steps: int = 1) -> int:
        return self.run.train(checkpoint_steps)

    def rows(self) -> list[dict[str, str]]:
        with self.history.open(newline="") as handle:
            return list(csv.DictReader(handle))


def test_every_step_is_taken_once_and_told(tmp_path: Path) -> None:
    whole = Counting(tmp_path)
    assert whole.train() == 0
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
        first.train(checkpoint_steps=checkpoint_steps)
    again = Counting(tmp_path)
    assert again.train(checkpoint_steps=checkpoint_steps) == 0
    assert again.seen[0] == ((1, 2) if checkpoint_steps == 1 else (1, 0))
    assert float(again.total) == sum(10 * epoch + step for epoch in range(3) for step in range(4))
    assert [row["train_loss"] for row in again.rows()] == ["1.50000"] * 3


def test_a_run_that_was_killed_while_it_first_saved_starts_again(tmp_path: Path) -> None:
    first = Counting(tmp_path)
    first.run._start(False, False)
    for path in (tmp_path / "last").glob("ckpt-*"):
        path.unlink()
    (tmp_path / "last" / "checkpoint").unlink()
    (tmp_path / "last" / "ckpt-1_temp").mkdir()
    (tmp_path / "last" / "ckpt-1_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    again = Counting(tmp_path)
    assert again.train() == 0
    assert again.seen[0] == (0, 0)
    assert not (tmp_path / "last" / "ckpt-1_temp").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_after_the_step(tmp_path: Path, number: int, code: int) -> None:
    first = Counting(tmp_path)
    first.hook = lambda epoch, step: signal.raise_signal(number) if (epoch, step) == (0, 1) else None
    assert first.train(checkpoint_steps=100) == code
    again = Counting(tmp_path)
    assert again.train() == 0
    assert again.seen[0] == (0, 2)


def test_a_signal_while_an_epoch_is_finished_says_so_too(tmp_path: Path) -> None:
    first = Counting(tmp_path)
    plain = first.validate
    first.validate = lambda predict: signal.raise_signal(signal.SIGTERM) or plain(predict)
    assert first.train() == 143
    assert Counting(tmp_path).train() == 0
    assert len(first.rows()) == 3


def test_stop_file_ends_after_the_epoch(tmp_path: Path) -> None:
    (tmp_path / "stop_training").touch()
    assert Counting(tmp_path).train() == 0
    assert not (tmp_path / "stop_training").exists()
    again = Counting(tmp_path)
    assert len(again.rows()) == 1
    assert again.train() == 0
    assert again.seen[0] == (1, 0)


def test_a_run_that_may_not_begin_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    first = Counting(tmp_path, seed=1)
    first.refused = "there are models already"
    with pytest.raises(UserError, match="models already"):
        first.train()
    assert Counting(tmp_path, seed=2).train() == 0


def test_another_unfinished_run_is_named(tmp_path: Path) -> None:
    first = Counting(tmp_path, seed=1)
    first.hook = lambda epoch, step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    assert first.train() == 130
    with pytest.raises(UserError, match="seed 1 instead of 2"):
        Counting(tmp_path, seed=2).train()


def test_the_best_epoch_is_kept_and_what_is_made_of_the_last_comes_before_the_end(tmp_path: Path) -> None:
    run = Counting(tmp_path)
    losses, kept, ended = iter([4.0, 6.0, 2.0]), [], []
    run.validate = lambda predict: {"val_loss": next(losses)}
    run.keep = lambda epoch, better, measured: kept.append((epoch, better, measured["val_loss"]))
    run.finish = lambda predict: ended.append((tmp_path / "last" / "run.json").read_text())
    assert run.train() == 0
    assert kept == [(1, True, 4.0), (2, False, 6.0), (3, True, 2.0)]
    assert [json.loads(text)["finished"] for text in ended] == [False]
    assert json.loads((tmp_path / "last" / "run.json").read_text())["finished"]


def test_what_a_source_says_is_not_wrapped_by_the_pipeline(tmp_path: Path) -> None:
    run = Counting(tmp_path)
    del run.run._batches

    def refuse(epoch: int, step: int) -> None:
        raise UserError("a.hdf5 is damaged")

    run.hook = refuse
    with pytest.raises(UserError, match=r"a\.hdf5 is damaged"):
        run.train()


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    run = Counting(tmp_path)
    run.run._take_step = lambda epoch, step: float("nan")
    with pytest.raises(UserError, match="learning_rate"):
        run.train()
