"""Standard, mozjpeg's and unknown tables, told from made log-likelihood ratios of single steps."""

from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import score, tables
from q1net_msroi.utils import jpeg
from tests.golden import pictures


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


def reading(steps: np.ndarray, nats: float = 200.0, others: np.ndarray | None = None, share: float = 0.0,
            misfit: float = 0.0) -> score.Reading:  # fmt: skip
    """A reading whose steps are `nats` ahead; those of another table have a share of that."""
    ratios = np.full((64, 255), -5.0)
    if others is not None:
        ratios[np.arange(64), others - 1] = share * nats
    ratios[np.arange(64), steps - 1] = nats
    any_reading = score.read(pictures.photographs()["rocket"][:16, :16], (0, 0))
    excess = np.zeros((64, 255))
    excess[1, steps[1] - 1] = misfit
    return replace(any_reading, scores=replace(any_reading.scores, ratios=ratios, excess=excess))


def mixed(quality: int, spread: int = 10, seed: int = 3) -> np.ndarray:
    """Tables whose every step is of another quality, up to `spread` from the one given: no standard table has many."""
    qualities = np.random.default_rng(seed).integers(quality - spread, quality + spread + 1, 64)
    return jpeg.standard_tables()[:, 0].reshape(100, 64)[qualities - 1, np.arange(64)]


def test_what_standard_tables_miss_against_a_loop() -> None:
    ratios = np.random.default_rng(2).normal(0, 30, (64, 255))
    best = max(range(1, 101), key=lambda q: sum(ratios[f, standard(q)[f] - 1] for f in range(1, 64)))
    free = [ratios[f].max() for f in range(1, 64)]
    missed = sum(max(free[f - 1] - ratios[f, standard(best)[f] - 1] - np.log(255), 0) for f in range(1, 64))
    assert tables.missed_by_standard(ratios) == pytest.approx((missed, missed / sum(free)))


@pytest.mark.parametrize("quality", [30, 60, 85])
def test_standard_tables_are_not_other_ones(quality: int) -> None:
    assert tables.other_tables(reading(standard(quality))) is None


@pytest.mark.parametrize(("share", "other"), [(0.0, True), (0.15, False), (0.35, False)])
def test_standard_tables_must_miss_nearly_all(share: float, other: bool) -> None:
    """Two compressions miss up to three quarters: that does not make a table unknown."""
    found = tables.other_tables(reading(mixed(60), others=standard(60), share=share))
    assert (found is not None) is other


@pytest.mark.parametrize(("misfit", "other"), [(0.04, True), (0.06, False)])
def test_pixels_off_every_lattice_show_no_tables(misfit: float, other: bool) -> None:
    assert (tables.other_tables(reading(mixed(60), misfit=misfit)) is not None) is other


def test_two_compressions_that_explain_as_much_are_the_better_reason() -> None:
    said = reading(mixed(60))
    total = 200.0 * 64
    assert tables.other_tables(said, 0.79 * total) is not None
    assert tables.other_tables(said, 0.81 * total) is None
    assert tables.other_tables(replace(said, noise="blurred")) is None


@pytest.mark.parametrize(("share", "family"), [(1.0, "mozjpeg"), (0.85, "mozjpeg"), (0.7, "unknown")])
def test_tables_of_a_known_encoder_may_miss_a_fifth(share: float, family: str) -> None:
    mozjpeg = np.minimum(tables.mozjpeg_tables()[59], 255)
    steps = np.where(np.arange(64) % 2, mozjpeg, mozjpeg + 5) if share < 1 else mozjpeg
    found = tables.other_tables(reading(steps, others=mozjpeg, share=2 * share - 1))
    assert found is not None
    assert found.family == family
    if family == "mozjpeg":
        expected = ((jpeg.standard_tables() - tables.mozjpeg_tables()[59].reshape(8, 8)) ** 2).sum(
            (1, 2, 3)
        ).argmin() + 1
        assert found.nearest == expected


def test_the_nearest_quality_of_unknown_tables_and_its_interval() -> None:
    steps = mixed(60)
    found = tables.other_tables(reading(steps))
    assert found is not None
    distance = [((standard(q)[1:] - steps[1:]) ** 2).sum() for q in range(1, 101)]
    single = sorted(min(range(1, 101), key=lambda q: abs(standard(q)[f] - steps[f])) for f in range(1, 64))
    assert found.nearest == int(np.argmin(distance)) + 1
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(single[6], abs=1)
    assert found.interval[1] == pytest.approx(single[56], abs=1)
    assert found.determined == 63


@pytest.mark.parametrize(("spread", "named"), [(10, True), (16, False)])
def test_steps_that_disagree_name_no_quality(spread: int, named: bool) -> None:
    """An interval of more than 20 qualities is none."""
    found = tables.other_tables(reading(mixed(60, spread)))
    assert found is not None
    assert (found.family, found.nearest is not None) == ("unknown", named)


def test_steps_are_read_off_where_they_are_ten_nats_ahead() -> None:
    ratios = np.full((64, 255), -3.0)
    for frequency, (best, second) in enumerate([(99, 0), (11, 0), (9, -40), (30, 25), (30, 19)]):
        ratios[frequency, 9], ratios[frequency, 40] = best, second
    assert (tables.step_margins(ratios) > 10).nonzero()[0].tolist() == [1, 4]  # never DC


def test_ten_steps_name_a_quality() -> None:
    for number, named in ((9, False), (10, True)):
        few = reading(mixed(60))
        few.scores.ratios[number + 1 :, 150] = 199.0  # another step is as likely
        found = tables.other_tables(few)
        assert found is not None
        assert (found.determined, found.nearest is not None) == (number, named)
