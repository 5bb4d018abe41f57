"""docs/stand-ins.md lists the current operations, and tests that exist."""

from __future__ import annotations

import re

import pytest

from lab.standins.listing import PAGE, PROOFS, fill_in, parts


def test_the_page_lists_the_current_endpoints() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert fill_in(page) == page, "run: python -m lab.standins.listing"


@pytest.mark.parametrize("name", PROOFS)
def test_every_part_has_tests_and_every_listed_test_exists(name: str) -> None:
    assert set(PROOFS[name]) == set(parts(name))
    root = PAGE.parents[1]
    for proof in PROOFS[name].values():
        for file in re.findall(r"lab/tests/\S+\.py", proof):
            assert (root / file).is_file(), file
