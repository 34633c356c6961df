"""Every estimator still says of the golden pictures what it said; scripts/renew_golden.py renews the record."""

import pytest

from tests.golden import answers

FAST_PARTS = 1  # the others are asked with the slow tests: each part holds pictures of every kind


@pytest.mark.parametrize(
    "part", [pytest.param(n, marks=[pytest.mark.slow] * (n >= FAST_PARTS)) for n in range(answers.PARTS)]
)
def test_estimators(part: int) -> None:
    changed = answers.check([f"estimators_{part}"])
    assert not changed, "\n".join(["", *changed])


@pytest.mark.slow
def test_estimators_on_slow_pictures() -> None:
    changed = answers.check(["estimators_slow"])
    assert not changed, "\n".join(["", *changed])


def test_nothing_heavy_was_loaded() -> None:
    """The golden pictures are made and judged without TensorFlow."""
    import subprocess
    import sys

    code = "import sys; from tests.golden import answers; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=answers.files.REPOSITORY, check=False).returncode == 0
