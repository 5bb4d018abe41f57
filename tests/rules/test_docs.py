"""docs/rules.md says of every rule what the code says of it."""

from __future__ import annotations

from tests.spec.helpers import ROOT
from usine.rules import RULES

TEXT = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_table_is_the_registry() -> None:
    rows = [f"| `{rule.id}` | {rule.severity.value} | {rule.what} | {rule.mend} |" for rule in RULES]
    found = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert found == rows, "write into docs/rules.md:\n" + "\n".join(rows)


def test_every_rule_that_can_be_waived_says_what_a_waiver_names() -> None:
    paragraph = next(part for part in TEXT.split("\n\n") if part.startswith("What `object` may name"))
    assert all(f"`{rule.id}`" in paragraph for rule in RULES if rule.waivable)


def test_ids_are_stable_names() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(rule.what.endswith(".") and not rule.mend.endswith(".") for rule in RULES)
