"""The table of `usine plan` on a terminal of eighty columns, the width of a pipeline's log."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from model.settings import System
from model.tenant import State
from usine.commands.plan import table
from usine.plan import Plan
from usine.plan.model import PlannedResource

LONGEST = "a-slug-of-thirty-two-characters-"
STATES = {"teleservice": State.ACTIVE, "petitions": State.ARCHIVED, LONGEST: State.ACTIVE}


def test_no_heading_and_no_number_is_cut() -> None:
    resources = [
        PlannedResource("a:b:C", f"{tenant}/{system.value}/{n}", None, tenant, system.value, {}, False)
        for tenant in (None, *STATES)
        for system in System
        for n in range(11)
    ]
    console = Console(width=80, file=StringIO(), record=True)
    console.print(table(Plan.of(resources), STATES))
    lines = console.export_text().splitlines()
    head = next(line.split() for line in lines if "tenant" in line.split())
    on_two_lines = {System.KEYCLOAK: "cloak", System.KUBERNETES: "netes", System.OBSERVABILITY: "ability"}
    assert head == ["tenant", *(on_two_lines.get(system, system.value) for system in System), "total"]
    assert [line.split() for line in lines if "total" in line][-1][-1] == str(4 * len(System) * 11)
    assert "…" not in "".join(lines)
    assert {"(foundation)", "teleservice", "petitions", "(archived)"} <= {
        line.split()[0] for line in lines if line.strip()
    }
    assert "(active)" not in "".join(lines)
