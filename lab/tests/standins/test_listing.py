"""The page on the stand-ins says what is there, and what proves it is there too."""

from __future__ import annotations

import re

import pytest

from lab.standins.listing import PAGE, PROOFS, fill_in, parts


def test_the_page_lists_the_endpoints_there_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert fill_in(page) == page, "run: python -m lab.standins.listing"


@pytest.mark.parametrize("name", PROOFS)
def test_every_part_has_its_proof_and_every_proof_is_there(name: str) -> None:
    assert set(PROOFS[name]) == set(parts(name))
    root = PAGE.parents[1]
    for proof in PROOFS[name].values():
        for file in re.findall(r"lab/tests/\S+\.py", proof):
            assert (root / file).is_file(), file
