"""What tables say of numbers."""

from q1net_msroi.utils import results


def test_a_share_is_never_rounded_to_all() -> None:
    assert [results.percent(share) for share in (0.998, 0.99958, 1.0, 0.0)] == ["99.8%", "99.96%", "100.0%", "0.0%"]
