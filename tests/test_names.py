"""A class name means one thing in the whole product, so that a search for it finds one place."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("usine", "model", "pulumi_facts", "components", "stacks", "policy")

#: Names that stand for more than one class, each with the reason.
SHARED = {
    "Tenant": "the component package's class gives its public Pulumi token its name: stacks/package/tenant.py",
}


def classes(source: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def product() -> dict[str, set[str]]:
    places: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name in classes(path.read_text(encoding="utf-8")):
                places[name].add(str(path.relative_to(ROOT)))
    return places


def test_a_class_name_is_used_once() -> None:
    shared = {name: sorted(files) for name, files in product().items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in SHARED} == {}
    assert SHARED.keys() - shared.keys() == set(), "these names are used once by now: take them out of SHARED"


@pytest.mark.parametrize("source", ["class A: ...", "def f():\n    class A: ...", "class B:\n    class A: ..."])
def test_every_class_counts(source: str) -> None:
    assert "A" in classes(source)
