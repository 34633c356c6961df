"""The dynamic programme against trying everything, and against what must not get worse."""

import importlib.util
import itertools

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import blocks, entropy, trellis


def distortion_for(count: int, random: np.random.Generator, masked: bool = True) -> trellis.Distortion:
    def some(*shape: int) -> np.ndarray:
        return random.uniform(0.2, 2, shape).astype(np.float32)

    hidden = some(64) if masked else np.zeros(64, np.float32)
    return trellis.Distortion(some(3, count), some(3, 64), hidden, some(count), some(64) * 3)


def lengths_like_a_files(random: np.random.Generator) -> np.ndarray:
    return entropy.code_lengths((1000 * random.pareto(1, 256)).astype(np.int64) + 1)


def cost_of(
    levels: np.ndarray, spectrum: np.ndarray, table: np.ndarray, distortion: trellis.Distortion, lambda_: float,
    lengths: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The whole cost of each block, counted symbol by symbol."""
    error = np.abs(spectrum - levels * table[:, None]).astype(np.float32)
    lost = distortion.of_all(error)[1:].sum(axis=0)
    bits = [entropy.total_bits(entropy.ac_symbols(levels[:, [i]]), lengths) for i in range(levels.shape[1])]
    return lost + lambda_ * np.array(bits)


MISSING = pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="needs numba")
WAYS = ["arrays", pytest.param("compiled", marks=MISSING)]


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test here goes through numpy's arrays and, where numba is there, through what it compiles."""
    if request.param == "arrays":
        monkeypatch.setattr(trellis, "_load", lambda: None)
    monkeypatch.setattr(trellis, "WORTH_LOADING", 0)
    return str(request.param)


@pytest.mark.parametrize("lambda_", [0.01, 1.0, 20.0, 500.0])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_cheaper(lambda_: float, seed: int) -> None:
    """Every combination of all smaller values at up to five places, some of them more than 16 zeros apart."""
    random = np.random.default_rng(seed)
    spectrum = np.zeros((64, 6), np.float32)
    for block in range(6):
        places = random.choice(np.arange(1, 64), random.integers(0, 6), replace=False)
        spectrum[places, block] = random.normal(0, 25, len(places))
    spectrum += random.uniform(-0.4, 0.4, spectrum.shape).astype(np.float32)
    spectrum[63, 0] = 30  # no end-of-block code
    table = random.uniform(6, 12, 64).round().astype(np.float32)
    lengths = lengths_like_a_files(random)
    distortion = distortion_for(6, random)
    levels, counts = trellis.quantise_ac(spectrum, table, distortion, lambda_, lengths)
    found = cost_of(levels, spectrum, table, distortion, lambda_, lengths)
    assert (counts == entropy.ac_symbols(levels)).all()
    for block in range(6):
        rounded = np.rint(spectrum[:, block] / table).astype(int)
        places = np.flatnonzero(rounded[1:]) + 1
        choices = [np.sign(rounded[p]) * np.arange(abs(rounded[p]) + 1) for p in places]
        combinations = list(itertools.product(*choices))  # one, the empty one, where nothing is non-zero
        alternatives = np.array(combinations, np.int16).reshape(len(combinations), len(places))
        tried = np.zeros((64, len(alternatives)), np.int16)
        tried[places] = alternatives.T
        one = distortion.take(np.full(len(alternatives), block))
        same = np.repeat(spectrum[:, [block]], len(alternatives), axis=1)
        least = cost_of(tried, same, table, one, lambda_, lengths).min()
        assert found[block] == pytest.approx(least, rel=2e-5)


@pytest.mark.parametrize("place", [62, 63])
def test_the_last_place_needs_no_end_of_block(place: int) -> None:
    """A single value from half a step to two: it is kept, lowered or dropped where that is cheapest, code by code."""
    random = np.random.default_rng(7)
    count = 80
    spectrum, table = np.zeros((64, count), np.float32), np.full(64, 8, np.float32)
    spectrum[place] = np.linspace(4.1, 20, count)
    nothing, nowhere = np.zeros(64, np.float32), np.zeros(count, np.float32)
    distortion = trellis.Distortion(nowhere[None] + 1, nothing[None] + 1, nothing, nowhere, nothing)
    lengths = lengths_like_a_files(random)
    lengths[entropy.END_OF_BLOCK] = 9
    levels, _ = trellis.quantise_ac(spectrum, table, distortion, 6.0, lengths)
    tried = []
    for value in range(4):
        other = np.zeros((64, count), np.int16)
        other[place] = value
        tried.append(cost_of(other, spectrum, table, distortion, 6.0, lengths))
    assert cost_of(levels, spectrum, table, distortion, 6.0, lengths) == pytest.approx(np.min(tried, axis=0), rel=1e-5)
    assert len(set(np.argmin(tried, axis=0))) > 1


def test_many_blocks_are_each_what_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    spectrum = (random.laplace(0, 8, (64, 300)) * np.linspace(3, 0, 64)[:, None]).astype(np.float32)
    spectrum[:, :20] = 0
    table, lengths, distortion = np.full(64, 9, np.float32), lengths_like_a_files(random), distortion_for(300, random)
    monkeypatch.setattr(trellis, "CHUNK", 64)
    together, counts = trellis.quantise_ac(spectrum, table, distortion, 4.0, lengths)
    assert (counts == entropy.ac_symbols(together)).all()
    for block in (0, 19, 20, 123, 299):
        alone, _ = trellis.quantise_ac(spectrum[:, [block]], table, distortion.take(np.array([block])), 4.0, lengths)
        assert (alone[:, 0] == together[:, block]).all()


@pytest.mark.parametrize(("lambda_", "masked"), [(0.5, True), (5.0, True), (50.0, False)])
def test_compiled_and_in_arrays_the_levels_are_the_same(
    lambda_: float, masked: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "arrays":
        pytest.skip("compares both")
    random = np.random.default_rng(11)
    spectrum = (random.laplace(0, 14, (64, 600)) * np.linspace(3, 0.2, 64)[:, None]).astype(np.float32)
    spectrum[0] += 200
    table = random.uniform(4, 12, 64).round().astype(np.float32)
    lengths, distortion = lengths_like_a_files(random), distortion_for(600, random, masked)
    component = blocks.Component(spectrum, 20, 30, 2)

    def both() -> list[np.ndarray]:
        ac = trellis.quantise_ac(spectrum, table, distortion, lambda_, lengths)
        return [*ac, *trellis.quantise_dc(spectrum, component, 6.0, distortion, lambda_, lengths)]

    fast = both()
    monkeypatch.setattr(trellis, "_load", lambda: None)
    for ours, arrays in zip(fast, both(), strict=True):
        assert (ours == arrays).all()
    assert np.count_nonzero(fast[0]) > 1000


def test_a_free_bit_leaves_plain_rounding() -> None:
    random = np.random.default_rng(6)
    spectrum = random.laplace(0, 20, (64, 50)).astype(np.float32)
    table, lengths = np.full(64, 7, np.float32), lengths_like_a_files(random)
    levels, _ = trellis.quantise_ac(spectrum, table, distortion_for(50, random, masked=False), 0.0, lengths)
    assert (levels[1:] == np.rint(spectrum / 7).astype(int)[1:]).all()
    levels, _ = trellis.quantise_ac(spectrum, table, distortion_for(50, random), 1e9, lengths)
    assert not levels.any()


def test_larger_values_than_a_file_holds_are_cut() -> None:
    spectrum = np.zeros((64, 1), np.float32)
    spectrum[1] = -5000
    levels, _ = trellis.quantise_ac(
        spectrum, np.ones(64, np.float32), distortion_for(1, np.random.default_rng(0)), 0.0, np.ones(256, np.float32)
    )
    assert levels[1, 0] == -1023


@pytest.mark.parametrize(("rows", "columns", "sampling"), [(1, 5, 1), (3, 4, 1), (3, 3, 2), (4, 5, 2), (1, 1, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_dc_is_the_best_of_all_choices_a_row(rows: int, columns: int, sampling: int, seed: int) -> None:
    random = np.random.default_rng(rows * columns + 100 * seed)
    spectrum = np.zeros((64, rows * columns), np.float32)
    spectrum[0] = random.normal(300, 40, rows * columns)
    component = blocks.Component(spectrum, rows, columns, sampling)
    distortion, lengths = distortion_for(rows * columns, random), lengths_like_a_files(random)
    levels, counts = trellis.quantise_dc(spectrum, component, 16.0, distortion, 40.0, lengths)
    order, real = trellis.scan_order(component)
    assert sorted(order[real]) == list(range(rows * columns))
    assert counts.sum() == order.size
    below = np.floor(spectrum[0] / 16).astype(int)
    assert np.isin(levels - below, (0, 1)).all()
    # A row begins after the plainly rounded value that ends the row before it, the first one after 0.
    start = [0, *np.rint(spectrum[0, order[:-1, -1]] / 16).astype(int).tolist()]

    def cost(row: int, values: dict[int, int]) -> float:
        total, before = 0.0, start[row]
        for block, there in zip(order[row], real[row], strict=True):
            size = abs(values[block] - before).bit_length()
            total += 40.0 * (lengths[size] + size)
            before = values[block]
            if there:
                error = np.abs(spectrum[0, [block]] - 16 * values[block])
                total += float(distortion.of(error, np.zeros(1, int), np.array([block]))[0])
        return total

    for row in range(len(order)):
        here = list(dict.fromkeys(order[row][real[row]]))
        if len(here) <= 8:
            choices = itertools.product(*[(below[b], below[b] + 1) for b in here])
            least = min(cost(row, {b: int(v) for b, v in zip(here, choice, strict=True)}) for choice in choices)
            assert cost(row, {b: int(levels[b]) for b in here}) == pytest.approx(least, rel=1e-5)


def test_lower_candidates() -> None:
    assert trellis.lower_candidate(np.array([1, 2, 3, 4, 7, 8, 1023])).tolist() == [0, 1, 1, 3, 3, 7, 511]


def test_numba_is_loaded_where_there_is_much_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trellis, "_load", lambda: trellis)
    monkeypatch.setattr(trellis, "WORTH_LOADING", 1000)
    monkeypatch.setattr(trellis, "_quantised", [0])
    assert [trellis.compiled(blocks) for blocks in (400, 0, 500, 100, 0)] == [None, None, None, trellis, trellis]
