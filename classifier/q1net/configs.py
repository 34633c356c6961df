"""The variants of the network as data (paper, section 3)."""

from dataclasses import dataclass

from q1net_msroi.utils.errors import UserError

PATCH = 16  # side of a patch in pixels
BLOCK = 8  # side of a JPEG block
AREA = 24  # a block with its neighbours: every patch of a place lies inside it
GRID = 16  # a picture is judged by at most GRID x GRID patches
PERTURBATION = 8  # offsets -4..3 around a place, in both directions
QUALITIES = tuple(range(1, 101))
MULTIPLIERS = (1, 2, 4, 8, 4, 2)  # channels of the six stages, in units of the width K


@dataclass(frozen=True)
class Config:
    """One variant: `width` is the paper's K, `threshold` the confidence (0..100) a patch must exceed to be counted."""

    comp_type: str
    width: int
    threshold: float
    parameters: int


CONFIGS = {
    "jpeg_paper": Config("jpeg_paper", 8, 96.0, 125_234),
    "jpeg_paper_k12": Config("jpeg_paper_k12", 12, 97.0, 279_578),
}


def get_config(comp_type: str) -> Config:
    """Return the variant named `comp_type`; raise `UserError` that lists the known ones."""
    if comp_type not in CONFIGS:
        raise UserError(f"unknown --comp_type {comp_type}; known are {', '.join(CONFIGS)}")
    return CONFIGS[comp_type]
