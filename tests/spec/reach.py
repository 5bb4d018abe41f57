"""Writes which objects each key of a tenant file reaches to docs/fields.md: `python -m tests.spec.reach`.

The objects are those that another value of the key changes in the offline plan (`tests.spec.test_every_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.spec.key_changes import CHANGES, NOT_IN_THE_PLAN

PAGE: Final = Path(__file__).parents[2] / "docs" / "fields.md"
_BEGIN: Final = "<!-- keys: written by python -m tests.spec.reach -->"
_END: Final = "<!-- end of keys -->"
_HEAD: Final = "| key | objects | tested on |\n|---|---|---|\n"
#: What the type tokens of a system begin with -> the server of the tests that has objects of these types. The first
#: match counts.
_SERVERS: Final = {
    "gitlab:": "GitLab (stand-in)",
    "harbor:": "Harbor (stand-in)",
    "keycloak:": "Keycloak",
    "pulumi-python:dynamic/sonarqube:": "SonarQube",
    "vault:": "OpenBao",
    "kubernetes:argoproj.io/": "kube-apiserver with the types of Argo CD",
    "kubernetes:external-secrets.io/": "kube-apiserver with the types of External Secrets",
    "kubernetes:monitoring.coreos.com/": "kube-apiserver with the types of the Prometheus operator",
    "kubernetes:policies.kyverno.io/": "kube-apiserver with the types of Kyverno",
    "kubernetes:velero.io/": "kube-apiserver with the types of Velero",
    "kubernetes:": "kube-apiserver",
}
#: With more types than this, a row has the systems only.
_MOST: Final = 8


def shown(path: Sequence[str]) -> str:
    """Return a key as the page shows it, such as ``environments.*.egress[].host``."""
    return ".".join(path).replace(".[]", "[]")


def server(type_: str) -> str:
    """Return the server of the tests that has objects of a type."""
    return next(name for begin, name in _SERVERS.items() if type_.startswith(begin))


def row(path: Sequence[str], types: Iterable[str]) -> str:
    """Return the row of a key that changes resources of these types."""
    found = sorted(types)
    servers = "; ".join(sorted({server(type_) for type_ in found}, key=str.casefold))
    names = ", ".join(sorted({f"`{type_.rpartition(':')[2]}`" for type_ in found}))
    return f"| `{shown(path)}` | {names if len(found) <= _MOST else 'most objects in these systems'} | {servers} |"


def row_elsewhere(path: Sequence[str], reader: str, test: str) -> str:
    """Return the row of a key that no resource depends on."""
    module, _, name = test.rpartition(".")
    return f"| `{shown(path)}` | none: {reader} | `{module.replace('.', '/')}.py`: `{name}` |"


def rows(page: str) -> list[str]:
    """Return the rows of the page's table."""
    table = page.partition(_BEGIN)[2].partition(_END)[0]
    return [line for line in table.splitlines() if line.startswith("| `")]


def types_of(line: str) -> list[str]:
    """Return the types in a row; none if it has the systems only."""
    return re.findall(r"`(\w+)`", line.split("|")[2])


def filled(page: str, table: Iterable[str]) -> str:
    """Return the page with these rows."""
    text = "\n".join(table)
    found, count = re.subn(
        f"(?s){re.escape(_BEGIN)}.*?{re.escape(_END)}", lambda _: f"{_BEGIN}\n{_HEAD}{text}\n{_END}", page
    )
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} tables of keys")
    return found


def main() -> None:
    """Write the table to the page."""
    from tests.spec import test_every_key as every  # noqa: PLC0415 - that module imports this one

    table = [
        row_elsewhere(every.path_of(key), stated.reader, stated.test)
        if (stated := NOT_IN_THE_PLAN.get(key))
        else row(every.path_of(key), every.types_changed(key))
        for key in CHANGES
    ]
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
