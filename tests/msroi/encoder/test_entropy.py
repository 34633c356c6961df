"""Huffman lengths and symbol counts against slow loops and the sizes of real files."""

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import blocks, entropy, jpeg_file, trellis
from q1net_msroi.utils import jpeg


def slow_symbols(levels: np.ndarray) -> np.ndarray:
    counts = np.zeros(256, int)
    for block in levels.T:
        run = 0
        last = max((i for i in range(1, 64) if block[i]), default=0)
        for value in block[1 : last + 1]:
            if value == 0:
                run += 1
                continue
            while run > 15:
                counts[0xF0] += 1
                run -= 16
            counts[16 * run + int(abs(value)).bit_length()] += 1
            run = 0
        if last < 63:
            counts[0] += 1
    return counts


@pytest.mark.parametrize("density", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_symbols_are_a_slow_loops(density: float) -> None:
    random = np.random.default_rng(1)
    levels = random.integers(-40, 41, (64, 200)) * (random.random((64, 200)) < density)
    assert (entropy.ac_symbols(levels) == slow_symbols(levels)).all()


def test_code_lengths_are_optimal_and_decodable() -> None:
    random = np.random.default_rng(2)
    counts = (random.pareto(0.5, 256) * (random.random(256) < 0.6)).astype(np.int64)
    lengths = entropy.code_lengths(counts)[counts > 0]
    assert lengths.max() <= 16
    assert np.sum(2.0**-lengths) < 1  # Kraft, with room for the code of all ones
    share = counts[counts > 0] / counts.sum()
    ideal = -(share * np.log2(share)).sum()
    assert ideal <= (share * lengths).sum() <= ideal + 1


def test_code_lengths_stay_within_16_bits() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    counts = np.zeros(256, np.int64)
    counts[:40] = fibonacci
    lengths = entropy.code_lengths(counts)
    assert lengths[:40].max() == 16
    # Complete but for one code of 16 bits, the one of all ones.
    assert np.sum(2.0 ** -lengths[:40]) == 1 - 2.0**-16
    assert (np.diff(lengths[:40]) <= 0).all()


def test_symbols_that_do_not_occur_have_a_price() -> None:
    assert np.isfinite(entropy.code_lengths(np.zeros(256, np.int64))).all()
    assert (entropy.code_lengths(np.bincount([3], minlength=256)) >= 1).all()


@pytest.mark.parametrize("doublings", range(1, 14))
def test_a_symbol_that_does_not_occur_costs_what_its_first_use_would(doublings: int) -> None:
    counts = np.zeros(256, np.int64)
    counts[: doublings + 1] = [1, *(1 << np.arange(doublings))]  # the code is exactly that of the counts' logarithms
    unused = counts.copy()
    unused[0] = 0
    assert entropy.code_lengths(unused)[0] == entropy.code_lengths(counts)[0] == doublings + 1


def test_bits_are_a_real_files(photograph: np.ndarray) -> None:
    """The bits counted are those of a baseline file with optimised codes, but for its header and byte stuffing."""
    pixels = np.ascontiguousarray(photograph[:203, :277])
    components = blocks.components_of(blocks.planes_of(pixels, "4:2:0"), "4:2:0")
    tables = jpeg_file.zigzag_tables(jpeg.standard_tables())[74]
    ac = np.zeros((2, 256), np.int64)
    dc = np.zeros((2, 256), np.int64)
    levels = []
    for index, component in enumerate(components):
        which = min(index, 1)
        levels.append(np.rint(component.spectrum / tables[which][:, None]).astype(np.int16))
        ac[which] += entropy.ac_symbols(levels[-1])
        order, _ = trellis.scan_order(component)
        dc[which] += trellis.dc_symbols(levels[-1][0], order)
        # Blocks that only fill up the last units hold no AC values: an end of block each.
        ac[which, 0] += order.size - component.rows * component.columns
    bits = sum(entropy.total_bits(each, entropy.code_lengths(each)) for each in (*ac, *dc))
    content = jpeg_file.write(levels, components, tables, 203, 277, progressive=False)
    scan = content.index(b"\xff\xda")
    data = content[scan + 2 + int.from_bytes(content[scan + 2 : scan + 4], "big") : -2].replace(b"\xff\x00", b"\xff")
    assert len(data) == int(np.ceil(bits / 8))
