"""The flags of every training: defaults, what is refused, and the settings that are made of them."""

import argparse
from dataclasses import fields

import pytest

from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.training_options import FLAGS, TrainingSettings, add_flags, add_restart, check_flags


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser, epochs=3, steps_per_epoch=None, batch_size=8, learning_rate=0.5, warmup_steps=2, seed=1)
    add_flags(parser, average_weights=0.0, aligned_share=0.5, schedule="cosine")
    add_restart(parser, "last")
    return parser.parse_args(words)


def test_settings_are_made_of_flags_and_of_what_is_given() -> None:
    settings = flags.settings(TrainingSettings, parse("--batch_size", "4"), data="x", epochs=7)
    assert (settings.data, settings.epochs, settings.batch_size, settings.warmup_steps) == ("x", 7, 4, 2)
    assert (settings.optimizer, settings.strategy) == ("adam", "none")  # flags that this parser does not have


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "--epochs must be positive"),
        (("--steps_per_epoch", "-3"), "--steps_per_epoch must be positive"),
        (("--learning_rate", "nan"), "--learning_rate must be positive"),
        (("--warmup_steps", "-1"), "--warmup_steps must not be negative"),
        (("--average_weights", "1"), r"--average_weights lies in 0\.\.1 \(below 1\)"),
        (("--aligned_share", "1.5"), r"--aligned_share lies in 0\.\.1$"),
        (("--aligned_share", "nan"), r"--aligned_share lies in 0\.\.1$"),
    ],
)
def test_values_that_make_no_sense_are_refused(words: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_flags(parse(*words))


def test_what_makes_sense_is_not() -> None:
    check_flags(parse("--average_weights", "0.999", "--aligned_share", "1", "--seed", "0", "--warmup_steps", "0"))


def test_every_number_of_the_settings_is_checked() -> None:
    numbers = {field.name for field in fields(TrainingSettings) if field.type in ("int", "float")}
    assert numbers <= {name for name, flag in FLAGS.items() if flag.sense}


def test_unknown_choices_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--schedule", "steps")
    with pytest.raises(SystemExit):
        parse("--help")
    said = capsys.readouterr().out
    assert "steps of an epoch (default: all there are)" in " ".join(said.split())
    assert "forget an unfinished run in last" in said
