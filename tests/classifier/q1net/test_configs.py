"""The two variants of the paper."""

import pytest

from q1net_msroi.classifier.q1net import configs
from q1net_msroi.utils.errors import UserError


def test_the_variants() -> None:
    paper, wide = configs.get_config("jpeg_paper"), configs.get_config("jpeg_paper_k12")
    assert (paper.width, paper.threshold, paper.parameters) == (8, 96.0, 125_234)
    assert (wide.width, wide.threshold, wide.parameters) == (12, 97.0, 279_578)
    assert tuple(range(1, 101)) == configs.QUALITIES


def test_an_unknown_one_lists_the_known() -> None:
    with pytest.raises(UserError, match="unknown --comp_type webp; known are jpeg_paper, jpeg_paper_k12"):
        configs.get_config("webp")
