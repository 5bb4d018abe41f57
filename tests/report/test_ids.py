"""All ids of notices are one set, and each notice has one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from policy.registry import POLICIES
from usine.report.ids import MEANINGS, NoticeId
from usine.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
#: Where a notice gets the id of a rule or of a policy, or is read from a report.
_GIVEN = {"rule.id", "violation.policy.id", "violation.policy", "dict(notice)"}


def test_no_id_has_two_meanings() -> None:
    rules, policies = {rule.id for rule in RULES}, {policy.id for policy in POLICIES}
    others = {notice.value for notice in NoticeId}
    assert rules & policies == set()
    assert policies & others == set()
    assert rules & others == {notice.value for notice, (origin, _) in MEANINGS.items() if origin == "guard and rule"}


def test_each_id_has_a_meaning_and_a_row_in_the_documentation() -> None:
    assert list(MEANINGS) == list(NoticeId)
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    rows = [f"| `{notice}` | {origin} | {meaning} |" for notice, (origin, meaning) in MEANINGS.items()]
    assert [line for line in page.splitlines() if line.startswith("| `")][-len(rows) :] == rows, "\n".join(rows)


def notices() -> Iterator[tuple[str, str]]:
    """Yield the place and the id of each notice that the program makes, both as source text."""
    for file in sorted((ROOT / "usine").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice":
                given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in {"rule", None})]
                yield f"{file.relative_to(ROOT)}:{node.lineno}", ast.unparse(given[0])


def test_each_notice_has_an_id_of_the_set() -> None:
    made = dict(notices())
    used = {id_.removeprefix("NoticeId.") for id_ in made.values()}
    assert {notice.name for notice in NoticeId if not notice.name.startswith("MOVED_")} <= used
    assert {place: id_ for place, id_ in made.items() if not id_.startswith("NoticeId") and id_ not in _GIVEN} == {}
