"""The one list of the program's files has all that the program is made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from model.reading.catalogue import FOLDER
from usine.program import PACKAGES, PLANNING, PROGRAM

ROOT = Path(__file__).resolve().parents[2]


def imported(file: Path) -> Iterator[str]:
    """The top-level names that a Python file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_every_top_level_package_that_the_program_imports_is_in_the_list() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    names = {name for file in files for name in imported(file)}
    ours = {name for name in names if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()}
    assert ours == set(PACKAGES)


def test_every_entry_of_the_list_exists_and_the_catalogue_is_one() -> None:
    assert [name for name in PROGRAM if not (ROOT / name).exists()] == []
    assert {FOLDER, *PACKAGES} < set(PROGRAM)
    assert set(PROGRAM) - set(PLANNING) == {"policy"}
