"""What JPEG's Huffman coding costs: code lengths from counts of symbols, symbols from coefficients (T.81, F.1.2, K.2).

An AC symbol is 16 * run + size: `run` zeros, then a value of `size` magnitude bits; 0 ends a block, 240 is sixteen
zeros. Values are handled in zigzag order, (64, blocks).
"""

import heapq

import numpy as np
from numpy.typing import NDArray

SYMBOLS = 256
END_OF_BLOCK, SIXTEEN_ZEROS = 0x00, 0xF0
LONGEST = 16  # bits of a Huffman code in a JPEG
SIZES = 12  # magnitude categories 0..11 of 8-bit samples
RUNS = 63
LARGEST = 1023  # AC magnitude of baseline JPEG with 8-bit samples

_SIZE_OF = np.frompyfunc(int.bit_length, 1, 1)(np.arange(1 << 16).astype(object)).astype(np.uint8)


def size_of(magnitudes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the magnitude category (number of bits) of values 0..65535."""
    return np.take(_SIZE_OF, magnitudes)


def code_lengths(counts: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the Huffman code length in bits of each of 256 symbols that occur as often as `counts` (256,) says.

    As in a JPEG no code is all ones and none longer than 16 bits. A symbol that does not occur gets the length it
    would have had with a count of one: what its first use would cost.
    """
    present = np.flatnonzero(counts)
    lengths = np.zeros(SYMBOLS, np.int64)
    # One reserved symbol of count 0 takes the code of all ones.
    heap: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, (SYMBOLS,))]
    heap += [(int(counts[s]), 1 + int(s), (int(s),)) for s in present]
    depth = np.zeros(SYMBOLS + 1, np.int64)
    heapq.heapify(heap)
    serial = SYMBOLS + 1
    while len(heap) > 1:
        low, next_low = heapq.heappop(heap), heapq.heappop(heap)
        members = low[2] + next_low[2]
        depth[list(members)] += 1
        serial += 1
        heapq.heappush(heap, (low[0] + next_low[0], serial, members))
    lengths[present] = _limited(depth, present)
    total = max(int(counts.sum()), 1)
    lengths[lengths == 0] = min(LONGEST, int(np.ceil(np.log2(total + 1))) + 1)
    return lengths.astype(np.float32)


def _limited(depth: NDArray[np.int64], present: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the depths of `present` with none above 16 (T.81, figure K.3): pairs move up, a shorter code gives way."""
    if depth.max() <= LONGEST:
        return depth[present]
    number = np.bincount(depth[[*present, SYMBOLS]], minlength=LONGEST + 1)
    for length in range(len(number) - 1, LONGEST, -1):
        while number[length] > 0:
            shorter = length - 2
            while number[shorter] == 0:
                shorter -= 1
            number[length] -= 2
            number[length - 1] += 1
            number[shorter + 1] += 2
            number[shorter] -= 1
    number[np.flatnonzero(number)[-1]] -= 1  # the reserved code
    order = np.argsort(depth[present], kind="stable")
    limited = np.empty(len(present), np.int64)
    limited[order] = np.repeat(np.arange(len(number)), number)
    return limited


def ac_symbols(levels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how often each AC symbol occurs, (256,), in quantised coefficients (64, blocks) in zigzag order."""
    block, place = np.nonzero(levels[1:].T)
    magnitude = np.abs(levels[1:][place, block])
    return count_symbols(block, place + 1, size_of(magnitude), levels.shape[1])


def count_symbols(
    block: NDArray[np.integer], place: NDArray[np.integer], size: NDArray[np.integer], blocks: int
) -> NDArray[np.int64]:
    """Return how often each AC symbol occurs, (256,), for non-zero values listed block by block in zigzag order.

    `place` is the zigzag position 1..63, `size` the magnitude category, `blocks` how many blocks there are.
    """
    counts = np.zeros(SYMBOLS, np.int64)
    if len(block) == 0:
        counts[END_OF_BLOCK] = blocks
        return counts
    first = np.append(True, block[1:] != block[:-1])
    before = np.append(0, place[:-1])
    before[first] = 0
    run = place - before - 1
    counts += np.bincount(16 * (run % 16) + size, minlength=SYMBOLS)
    counts[SIXTEEN_ZEROS] += int((run // 16).sum())
    last = np.append(first[1:], True)
    counts[END_OF_BLOCK] = blocks - int((place[last] == RUNS).sum())
    return counts


def ac_costs(lengths: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the bits of a value after a run of zeros, (12 sizes, 64 runs): codes and magnitude bits."""
    run, size = np.arange(RUNS + 1), np.arange(SIZES)[:, None]
    return np.asarray(lengths[16 * (run % 16) + size] + lengths[SIXTEEN_ZEROS] * (run // 16) + size)


def total_bits(counts: NDArray[np.integer], lengths: NDArray[np.float32]) -> float:
    """Return the bits of the symbols counted, magnitude bits included (for AC and, with run 0, for DC symbols)."""
    return float(counts @ (lengths + np.arange(SYMBOLS) % 16))
