"""Writes the table of rights in docs/guide-equipes.md: `python -m tests.isolation.guide`."""

from __future__ import annotations

import re
from pathlib import Path

from model.rights import MEANINGS, RIGHTS
from model.tenant import Right, Role

PAGE = Path(__file__).parents[2] / "docs" / "guide-equipes.md"
_BEGIN, _END = "<!-- droits : écrit par python -m tests.isolation.guide -->", "<!-- fin des droits -->"
_SYSTEMS = {
    "vault": "Vault",
    "kubernetes": "Kubernetes",
    "argocd": "Argo CD",
    "gitlab": "GitLab",
    "harbor": "Harbor",
    "sonarqube": "SonarQube",
}


def table() -> str:
    """Return the table as Markdown, with one line per right and one column per role."""
    lines = [
        f"| droit | ce qu'il permet | {' | '.join(f'`{role}`' for role in Role)} |",
        f"|---|---|{'---|' * len(Role)}",
    ]
    for right in Right:
        has = " | ".join("oui" if right in RIGHTS[role] else "" for role in Role)
        lines.append(f"| `{right}` | {_SYSTEMS[right.system]} : {MEANINGS[right].french} | {has} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with the current table."""
    begin, end = re.escape(_BEGIN), re.escape(_END)
    found, count = re.subn(f"(?s){begin}.*?{end}", f"{_BEGIN}\n{table()}\n{_END}", text)
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} tables of rights")
    return found


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
