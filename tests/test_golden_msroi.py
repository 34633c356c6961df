"""Maps, level rules, encoder, metrics and size search still give the golden results; see scripts/renew_golden.py."""

import pytest

from tests.golden import answers


@pytest.mark.parametrize("family", [name for name in answers.FAMILIES if not name.startswith("estimators")])
def test_family(family: str) -> None:
    changed = answers.check([family])
    assert not changed, "\n".join(["", *changed])
