"""A table entry by entry: the mixture of tables against a loop, what the prior expects, what is told."""

from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import known, likelihood, steps
from q1net_msroi.classifier.lattice.noise import BINS, RESOLUTION, STEPS
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

STANDARD = jpeg.standard_tables().reshape(100, 2, 64)
FEW = (0, 2, 40)  # known pairs of a small prior


@pytest.fixture(scope="module")
def small() -> steps.Prior:
    tables = known.tables(0)[list(FEW)]
    exact = np.concatenate([STANDARD[:, 0], tables])
    return steps.Prior(exact, np.arange(100, 100 + len(FEW)), np.concatenate([STANDARD[[49], 0], tables[:1]]))


def seen(table: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Return nats (64, STEPS) that speak for a table, less for its steps' neighbours."""
    apart = np.abs(np.log(np.arange(1, STEPS + 1) / table[:, None]))
    return strength * np.exp(-apart / 0.1) + np.random.default_rng(seed).normal(0, 0.3, (64, STEPS))


def kernel_row(kinds: tuple[float, ...], own: int) -> np.ndarray:
    """Return the chances of a step where a relative's is `own`."""
    row = np.zeros(STEPS)
    parts = np.zeros((4, STEPS))
    for step in range(1, STEPS + 1):
        parts[0, step - 1] = step == own
        parts[1, step - 1] = abs(step - own) == 1
        parts[2, step - 1] = np.exp(-abs(np.log(step / own)) / LATTICE.relative_spread) / step
        parts[3, step - 1] = 1 / step
    for weight, part in zip(kinds, parts, strict=True):
        row += weight * part / part.sum()
    return row


def slow(nats: np.ndarray, expected: steps.Prior, level: float | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the chances of steps, those of exact tables and the evidence: a sum over every table, entry by entry."""
    kinds = LATTICE.table_kinds

    def coarse(table: np.ndarray) -> float:
        return 0.0 if level is None else -np.log1p(((np.log(table).mean() - level) / LATTICE.chroma_level) ** 2)

    likely = np.exp(nats)
    point = np.eye(STEPS)
    stories: list[tuple[float, np.ndarray, np.ndarray]] = []  # a logarithm, a table, and what its steps may be instead
    for number, table in enumerate(expected.exact):
        share = kinds.standard / 100 if number < 100 else kinds.known / (len(expected.exact) - 100)
        total = sum(nats[e, table[e] - 1] for e in range(64))
        stories.append((np.log(share) + coarse(table) + total, table, point))
    for weight, shares in zip(kinds.related, LATTICE.relative_kinds, strict=True):
        rows = np.stack([kernel_row(shares, own) for own in range(1, STEPS + 1)])

        def story(table: np.ndarray, rows: np.ndarray = rows) -> float:
            return coarse(table) + sum(np.log(rows[table[e] - 1] @ likely[e]) for e in range(64))

        every = [(story(table), table) for table in expected.relatives]
        prior = np.log(weight / len(every))
        stories += [(prior + total, table, rows) for total, table in every]
        closest = sorted(every, key=lambda one: -one[0])[: LATTICE.closest_relatives]
        reach = LATTICE.relative_scale ** (2 / (LATTICE.relative_scales - 1))
        for _, table in closest:
            for scale in np.geomspace(1 / reach, reach, LATTICE.finer_scales):
                finer = np.clip(np.rint(table * scale), 1, STEPS).astype(int)
                stories.append((prior - np.log(LATTICE.finer_scales) + story(finer), finer, rows))
    anything = np.tile(1 / np.arange(1, STEPS + 1), (STEPS, 1)) / (1 / np.arange(1, STEPS + 1)).sum()
    free = sum(np.log(anything[0] @ likely[e]) for e in range(64))
    stories.append((free + np.log(kinds.any), np.ones(64, int), anything))
    logs = np.array([log for log, _, _ in stories])
    evidence = logs.max() + np.log(np.exp(logs - logs.max()).sum())
    chances = np.zeros((64, STEPS))
    for log, table, rows in stories:
        if log > evidence - 30:
            each = rows[table - 1] * likely
            chances += np.exp(log - evidence) * each / each.sum(1, keepdims=True)
    return chances, np.exp(logs[: len(expected.exact)] - evidence), evidence


def altered(table: np.ndarray, entries: int) -> np.ndarray:
    changed = table.copy()
    changed[-entries:] += 1
    return changed


@pytest.mark.parametrize(
    ("table", "strength", "level"),
    [
        pytest.param(STANDARD[59, 0], 1.0, None, marks=pytest.mark.slow),
        (STANDARD[59, 0], 0.3, 3.0),
        pytest.param(known.tables(0)[2], 0.5, None, marks=pytest.mark.slow),
        (altered(known.tables(0)[0], 9), 2.0, None),  # a close relative
        (altered(known.tables(0)[0], 60), 3.0, 2.0),  # a far one
        pytest.param(np.random.default_rng(5).integers(2, 90, 64), 6.0, None, marks=pytest.mark.slow),  # anything
    ],
)
def test_the_mixture_of_tables(small: steps.Prior, table: np.ndarray, strength: float, level: float | None) -> None:
    nats = seen(table, strength)
    chances, exact, evidence = slow(nats, small, level)
    found = steps.posterior(nats, small, level)
    np.testing.assert_allclose(found.chances, chances, atol=2e-5)
    np.testing.assert_allclose(found.standard, exact[:100], atol=1e-6)
    np.testing.assert_allclose(found.known, exact[100:], atol=1e-6)
    assert found.exact == pytest.approx(exact.sum(), abs=1e-6)
    assert found.evidence == pytest.approx(evidence, abs=1e-4)


def test_chances_sum_to_one_and_follow_the_entries(small: steps.Prior) -> None:
    nats, order = seen(altered(STANDARD[70, 0], 5), 1.5), np.random.default_rng(1).permutation(64)
    found = steps.posterior(nats, small)
    np.testing.assert_allclose(found.chances.sum(1), 1)
    assert (found.chances >= 0).all()
    moved = replace(small, exact=small.exact[:, order], bases=small.bases[:, order])
    np.testing.assert_allclose(steps.posterior(nats[order], moved).chances, found.chances[order], atol=1e-9)
    assert found.mean == pytest.approx([sum((s + 1) * p for s, p in enumerate(row)) for row in found.chances])


@pytest.mark.parametrize("channel", [0, 1])
def test_the_prior_holds_every_table_once(channel: int) -> None:
    expected, tables = steps.prior(channel), known.tables(channel)
    np.testing.assert_array_equal(expected.exact[:100], STANDARD[:, channel])
    np.testing.assert_array_equal(expected.exact[expected.names], tables)
    assert len(np.unique(expected.exact[100:], axis=0)) == len(expected.exact) - 100
    assert not (expected.exact[100:, None] == STANDARD[:, channel]).all(2).any()
    assert (expected.bases[0] == STANDARD[49, channel]).all()


@pytest.mark.parametrize("place", [0, 7, 100])
def test_a_table_left_out_is_not_expected(place: int) -> None:
    table = known.tables(0)[place]
    assert (steps.prior(0).exact == table).all(1).any()
    for expected in (steps.prior(0, place).exact, steps.prior(0, place).bases, steps.prior(0, place).relatives):
        assert not (expected == table).all(1).any()


def test_relatives_are_scaled_and_cover_the_range() -> None:
    table = known.tables(0)[:1]
    np.testing.assert_array_equal(steps.scaled(table, np.array([1.0, 0.001, 1000.0])), [table[0], [1] * 64, [255] * 64])
    np.testing.assert_array_equal(steps.scaled(table, np.array([0.5]))[0], np.maximum(np.rint(table[0] * 0.5), 1))
    for scale in (1 / LATTICE.relative_scale, LATTICE.relative_scale):
        nearest = np.abs(np.log(steps.prior(0).relatives / np.maximum(table[0] * scale, 1))).mean(1).min()
        assert nearest < 0.2


def test_how_coarse_a_table_is_expected(small: steps.Prior) -> None:
    level = 3.0
    found = steps.posterior(np.zeros((64, STEPS)), small, level).standard
    apart = (np.log(STANDARD[:, 0]).mean(1) - level) / LATTICE.chroma_level
    np.testing.assert_allclose(found / found[49], (1 + apart[49] ** 2) / (1 + apart**2))
    assert np.ptp(steps.posterior(np.zeros((64, STEPS)), small).standard) == pytest.approx(0)


def test_the_table_beside_is_expected(small: steps.Prior) -> None:
    beside = np.zeros(len(small.exact))
    beside[[29, 101]] = 0.75, 0.25
    found = steps.posterior(np.zeros((64, STEPS)), small, None, beside)
    assert found.standard[29] == pytest.approx(0.75 * LATTICE.pair_chance, abs=0.02)
    assert found.known[1] == pytest.approx(0.25 * LATTICE.pair_chance, abs=0.02)
    other = steps.posterior(seen(STANDARD[79, 0], 3.0), small, None, beside)
    assert other.standard[79] > 0.99  # what is seen says more


def test_pairs_that_share_lumas_table_share_its_chance() -> None:
    """Libjpeg's pair is likelier than each of those who take its luma table and another for chroma."""
    expected = steps.prior(1)
    luma = steps.posterior(seen(STANDARD[74, 0], 30.0), steps.prior(0))
    beside = steps._beside(luma, expected)
    assert beside.sum() == pytest.approx(luma.exact)
    gray = np.array([pair.gray for pair in known.pairs()])
    assert (gray & (luma.known > 0.5)).any()  # and gray files have no chroma
    others = [place for place in np.unique(expected.names[(luma.known > 0.5) & ~gray]) if place != 74]
    assert others
    kinds = LATTICE.table_kinds
    ratio = (kinds.standard / 100) / (kinds.known / (len(expected.exact) - 100))
    for place in others:
        assert beside[74] == pytest.approx(beside[place] * ratio, rel=0.01)


def test_entries_that_show() -> None:
    nats = np.zeros((64, STEPS))
    nats[1, 4] = 30  # step 5, and the coarser ones are denied
    nats[2, :8], nats[2, 8:] = 1, -30  # nothing coarser than 8
    nats[3, 4:] = 9  # 5 or coarser: all coefficients are zero
    nats[4, 4:], nats[4, 40:] = 9, 0  # finer than 10 is not told apart from up to 40
    nats[5, 254] = 30  # the coarsest: nothing is beyond
    nats[6], nats[6, 4], nats[6, 5:9] = 9, 9.5, 0  # next ones are denied, twice as coarse ones are not
    assert steps.shown(nats).nonzero()[0].tolist() == [1, 2, 4]
    nats[1, 4] = LATTICE.step_shown * 0.9
    assert not steps.shown(nats)[1]


def test_what_does_not_show_is_told_with_a_whole_table_alone() -> None:
    chances = np.full((64, STEPS), 1e-6)
    chances[:, 6] = 1 - 254e-6
    chances[9] = 1 / STEPS
    shown = np.arange(64) < 20
    told = steps.Steps(chances, np.zeros(100), np.zeros(3), 0.5, shown, 0.0)
    assert told.determined.tolist() == [7 * (n < 20 and n != 9) for n in range(64)]
    assert replace(told, exact=0.999).determined.tolist() == [7 * (n != 9) for n in range(64)]


def test_few_entries_of_chroma_tell_no_whole_table_alone() -> None:
    pair = 0
    nats = np.zeros((64, STEPS))
    nats[:6] = seen(known.tables(1)[pair], 60.0)[:6]
    luma = steps.posterior(seen(known.tables(0)[pair], 30.0), steps.prior(0))
    assert luma.known[pair] > 0.99
    assert (steps.read(nats, luma).determined == known.tables(1)[pair]).sum() > 50
    other = steps.posterior(seen(np.random.default_rng(5).integers(2, 90, 64), 30.0), steps.prior(0))
    assert (steps.read(nats, other).determined > 0).sum() <= 6


def test_smooth_pictures_have_no_small_steps() -> None:
    small = LATTICE.small_luma
    counts = np.zeros((64, 6000), np.float32)
    counts[:, 0] = 500
    found = np.zeros((64, STEPS))
    found[:, 0] = 50
    nats = steps.or_smooth(counts, found, "smooth", small)
    assert (nats[1:, : small.steps] <= nats[1:, -1:]).all()
    assert nats[0, 0] >= 50  # DC may have them


def test_few_coefficients_do_not_deny_the_step_they_lie_on() -> None:
    """Fewer coefficients than a sign of small steps needs leave a small step no less likely than the next ones."""
    small = LATTICE.small_luma
    counts = np.zeros((64, BINS), np.float32)
    counts[:, 0], counts[5, 3 * RESOLUTION] = 30, LATTICE.small_step_coefficients - 1
    counts[9, :8] = 20, 18, 14, 10, 8, 9, 11, 9
    found = likelihood.ratios(counts, "exact", np.arange(64) == 0)
    assert found[5, 2] > found[5, 3:20].max() + 20  # 3 explains what larger steps do not
    nats = steps.or_smooth(counts, found, "smooth", small)
    assert nats[5, 2] == pytest.approx(nats[5, small.steps :].max())
    assert np.maximum(found[9], likelihood.ratios(counts[9:10], "smooth")[0]).max() < -1
    assert nats[9].max() == pytest.approx(0, abs=1e-4)  # what lies around zero alone denies no lattice
