"""What the pixels at block corners and edges tell, against those inside the blocks: 35 numbers a crop (JQE's manner).

Differences of luma between neighbours come in two kinds, inside an 8x8 block and across its edge; mixed differences of
2x2 pixels, a - b - c + d, in three: inside, across an edge, and at the corner where four blocks meet. Quantisation
flattens the inside and leaves steps at edges and corners. Of each kind the vector holds the logarithm of the mean size
and the shares that are at most 0, 1, 2, 4, 8 and 16: shares, so that a few strong contours of the picture do not count
for more than they are.
"""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import BLOCK

LIMITS = (0, 1, 2, 4, 8, 16)
KINDS = ("inside", "across an edge", "mixed, inside", "mixed, across an edge", "mixed, at a corner")
LENGTH = len(KINDS) * (1 + len(LIMITS))
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def differences(crops: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """Return the absolute differences of luma of every kind, in the order of `KINDS`: (n, how many) each.

    `crops` (n, height, width, 3) uint8 RGB begin on the block grid.
    """
    luma = np.rint(crops @ LUMA).astype(np.int16)
    down, across = np.diff(luma, axis=1), np.diff(luma, axis=2)
    mixed = np.abs(np.diff(down, axis=2))
    rows, columns = (np.arange(1, length) % BLOCK == 0 for length in luma.shape[1:])
    edges = rows[:, None].astype(int) + columns  # of how many grid lines a 2x2 square lies across
    down, across = np.abs(down), np.abs(across)

    def joined(*parts: NDArray[np.int16]) -> NDArray[np.int16]:
        return np.concatenate([part.reshape(len(crops), -1) for part in parts], axis=1)

    return [
        joined(down[:, ~rows], across[:, :, ~columns]),
        joined(down[:, rows], across[:, :, columns]),
        *(mixed[:, edges == lines] for lines in range(3)),
    ]


def features(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, 35) features of crops (n, height, width, 3) uint8 RGB that begin on the block grid."""
    columns = []
    for sizes in differences(crops):
        columns.append(np.log2(1 / 16 + sizes.mean(axis=1)))
        columns += [(sizes <= limit).mean(axis=1) for limit in LIMITS]
    return np.stack(columns, axis=1).astype(np.float32)
