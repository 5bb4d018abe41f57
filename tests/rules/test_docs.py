"""docs/rules.md has the same rules as the code."""

from __future__ import annotations

from tests.spec.helpers import ROOT
from usine.rules import RULES

TEXT = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_table_equals_the_registry() -> None:
    rows = [f"| `{rule.id}` | {rule.severity.value} | {rule.what} | {rule.remedy} |" for rule in RULES]
    found = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert found == rows, "write into docs/rules.md:\n" + "\n".join(rows)


def test_every_waivable_rule_documents_the_object_of_its_waivers() -> None:
    paragraph = next(part for part in TEXT.split("\n\n") if part.startswith("What `object` may name"))
    assert all(f"`{rule.id}`" in paragraph for rule in RULES if rule.waivable)


def test_ids_are_stable_names() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(rule.what.endswith(".") and not rule.remedy.endswith(".") for rule in RULES)
