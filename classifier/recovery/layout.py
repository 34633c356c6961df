"""Where the blocks of a picture lie: components, sampling factors, sides that are no multiple of a block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import decoder

Coefficients = list[NDArray[np.int16]]  # of Y, or Y, Cb and Cr: each (rows, columns, 8, 8), quantised


@dataclass(frozen=True)
class Layout:
    """A JPEG's frame: its size in pixels, and chroma's `factors` (vertical, horizontal); None for a gray one."""

    height: int
    width: int
    factors: tuple[int, int] | None

    @property
    def unit(self) -> tuple[int, int]:
        """Height and width of a minimum coded unit in pixels."""
        down, across = self.factors or (1, 1)
        return 8 * down, 8 * across

    def padded(self, component: int) -> tuple[int, int]:
        """Return the size in samples of a component's blocks."""
        rows, columns = self.seen(component)
        return rows + -rows % 8, columns + -columns % 8

    def seen(self, component: int) -> tuple[int, int]:
        """Return the size in samples of the part of a component that pixels are made of."""
        down, across = self.factors if component and self.factors else (1, 1)
        return -(-self.height // down), -(-self.width // across)

    @property
    def components(self) -> int:
        """One or three."""
        return 1 if self.factors is None else 3

    def decoded(self, levels: Coefficients, tables: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the pixels (height, width, 3) that libjpeg-turbo decodes; `tables` (2, 8, 8) of luma and chroma."""
        return self.coloured(self.planes(levels, tables))

    def planes(self, levels: Coefficients, tables: NDArray[np.integer]) -> list[NDArray[np.uint8]]:
        """Return the decoded components at the picture's size."""
        return [self.plane(component, each, tables) for component, each in enumerate(levels)]

    def plane(self, component: int, levels: NDArray[np.int16], tables: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return one decoded component at the picture's size."""
        rows, columns = self.seen(component)
        whole = decoder.plane(decoder.samples(levels * tables[min(component, 1)].astype(np.int32)))[:rows, :columns]
        return (
            decoder.upsampled(whole, self.factors, (self.height, self.width)) if component and self.factors else whole
        )

    def coloured(self, planes: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the pixels (height, width, 3) of decoded components."""
        return np.repeat(planes[0][..., None], 3, axis=2) if len(planes) == 1 else decoder.colours(*planes)
