"""`usine drift` on real servers: no finding on a clean platform; every manual change is found and repaired by name.

The tests of this module share one platform, in this order. `docs/drift.md` holds the table that the second one makes:
USINE_WRITE_TABLE=1 writes it.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import platform, process
from lab.secrets import Secrets
from lab.testing.platforms import TestLab
from model.settings import System
from tests.engine import live
from tests.engine.fleet import Fleet
from tests.engine.hand_made import CHANGES, HandMade, remove_the_label
from tests.engine.harness import ROOT, Stack
from usine.drift.findings import DriftFinding, Means
from usine.drift.history import read_past
from usine.engine.sources import state_digest
from usine.report import as_json
from usine.report.model import Action, Report

pytestmark = [pytest.mark.servers, pytest.mark.random_order(disabled=True)]

TABLE = ROOT / "docs" / "drift.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclasses.dataclass
class Drift:
    """The command on one stack, with its own files."""

    stack: Stack
    #: The objects of the systems before the manual changes.
    clean: dict[str, Any]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run it; return exit code and output. Without `--repair` the state must not change."""
        before = state_digest(self.stack.engine.export_state())
        done = self.stack.usine(
            "drift", "--history", str(self.history), "--ignore", str(self.ignores), "--json", str(self.file("json")),
            "--markdown", str(self.file("md")), "--html", str(self.file("html")), "--junit", str(self.file("xml")),
            *arguments,
        )  # fmt: skip
        if "--repair" not in arguments:
            assert state_digest(self.stack.engine.export_state()) == before, "a drift scan wrote the state"
        return done.exit_code, done.output

    @property
    def history(self) -> Path:
        return self.stack.folder / "history"

    @property
    def ignores(self) -> Path:
        return self.stack.folder / "drift-ignore.yaml"

    def file(self, suffix: str) -> Path:
        return self.stack.folder / f"drift.{suffix}"

    @property
    def report(self) -> Report:
        return as_json.load(self.file("json").read_text(encoding="utf-8"))

    @property
    def findings(self) -> list[DriftFinding]:
        """The findings of the last scan, from its history."""
        return list(read_past(self.history).findings.values())


#: The end of a name that distinguishes objects with equal names.
_NUMBER = re.compile(r" \((#\d+|[0-9a-f-]{36})\)\Z")


def named(finding: DriftFinding) -> tuple[str, str, str]:
    return finding.kind.value, _NUMBER.sub("", finding.name), finding.path


def said(findings: list[DriftFinding]) -> set[tuple[str, str, str]]:
    return {named(finding) for finding in findings}


@pytest.fixture(scope="module")
def drift(fleet: Fleet) -> Iterator[Drift]:
    yield Drift(fleet.stack, live.snapshot(fleet.lab))
    platform.up(fleet.lab.home)


def test_a_clean_platform_is_clean(drift: Drift) -> None:
    code, output = drift()
    assert code == 0, output
    assert (drift.report.entries, drift.report.notices) == ((), ())
    assert "nothing differs" in output


def make(change: HandMade, lab: TestLab) -> None:
    try:
        change.do(lab)
    finally:
        lab.keycloak.connection.realm_name = "master"


def test_all_manual_changes_are_found_and_nothing_else(drift: Drift) -> None:
    for change in CHANGES:
        make(change, drift.stack.lab)
    before = live.snapshot(drift.stack.lab)
    # The engine alone reports exactly the changes that it can see.
    seen = {name: op for change in CHANGES for name, op in change.steps.items()}
    assert drift.stack.drift().must().ops() == seen
    code, output = drift()
    assert live.snapshot(drift.stack.lab) == before, "a drift scan changed something"
    expected = {what for change in CHANGES for what in change.said}
    found = said(drift.findings)
    assert (found - expected, expected - found) == (set(), set())
    assert code == 2, output
    assert len(CHANGES) >= 20
    assert {change.system for change in CHANGES} == {system.value for system in System}
    assert {entry.tenant for entry in drift.report.entries} == {None, "alpha"}
    _hold_the_table(drift.findings)
    _no_secret(drift)


def _hold_the_table(findings: list[DriftFinding]) -> None:
    """The table of docs/drift.md equals the findings on this platform."""
    means = {named(f): f.means for f in findings}
    rows = ["| system | changed by hand | found as | put right by |", "|---|---|---|---|"]
    for change in CHANGES:
        kinds = " and ".join(f"{n} {kind}" for kind, n in Counter(kind for kind, _, _ in change.said).items())
        ways = {"by hand" if change.by_hand else WAYS[means[what]] for what in change.said}
        rows.append(f"| {change.system} | {change.what} | {kinds} | {', '.join(sorted(ways))} |")
    counts = Counter(kind for change in CHANGES for kind, _, _ in change.said)
    total = ", ".join(f"{counts[action.value]} {action.value}" for action in (
        Action.CHANGED, Action.MISSING, Action.UNMANAGED))  # fmt: skip
    rows.append(
        f"\n{len(CHANGES)} kinds of change, {sum(counts.values())} findings ({total}); none on a clean platform."
    )
    table = f"{_BEGIN}\n" + "\n".join(rows) + f"\n{_END}"
    text = TABLE.read_text(encoding="utf-8")
    head, rest = text.split(_BEGIN)
    kept = f"{_BEGIN}{rest.split(_END)[0]}{_END}"
    if os.environ.get("USINE_WRITE_TABLE"):
        TABLE.write_text(text.replace(kept, table), encoding="utf-8")
    else:
        assert kept == table, "docs/drift.md: USINE_WRITE_TABLE=1 writes the table"
    assert head.startswith("# ")


WAYS = {
    Means.ENGINE: "`up`",
    Means.REVEAL: "`up`, made to see it",
    Means.PATCH: "a patch, then `up`",
    Means.ADOPT: "adopted, then `up`",
    Means.HAND: "by hand",
}


def _no_secret(drift: Drift) -> None:
    known = dataclasses.asdict(Secrets.load(drift.stack.lab.home))
    kept = drift.stack.lab.vault.secrets.kv.v2.read_secret_version("ci/registry/push", mount_point="alpha")
    known["the push robot's"] = kept["data"]["data"]["password"]
    written = [path for path in drift.stack.folder.rglob("*") if path.is_file() and path.name != "settings.yaml"]
    assert len(written) > 4
    for path in written:
        text = path.read_text(encoding="utf-8")
        leaked = [name for name, value in known.items() if isinstance(value, str) and len(value) > 7 and value in text]
        assert not [name for name in leaked if not name.endswith("_user")], path


def test_manual_repairs_are_refused_with_the_call_to_make(drift: Drift) -> None:
    keys = [f.object_key for f in drift.findings if f.name in {"mount: alpha-old", "foundation/keycloak/realm"}]
    code, output = drift("--repair", *keys, "*")
    assert code == 1
    assert "it holds data, which no repair destroys; manually: DELETE /v1/sys/mounts/alpha-old" in output
    assert "no file sets resetPasswordAllowed, so no run sets it back" in output
    assert "*: no finding has this key" in output


def test_the_named_findings_are_repaired_and_no_other(drift: Drift) -> None:
    names = {name for change in CHANGES if change.by_hand for _, name, _ in change.said}
    quota = next(f for f in drift.findings if f.name == "alpha/kubernetes/dev/quota")
    left = {named(f) for f in drift.findings if f.name in names} | {named(quota)}
    keys = {finding.object_key for finding in drift.findings if named(finding) not in left}
    assert len(keys) > 20
    code, output = drift("--repair", *sorted(keys))
    assert code == 0, output
    assert "repaired: alpha/vault/policy/env/dev changed" in output
    assert said(drift.findings) == left
    assert "gone since the previous scan" in drift.report.notices[0].text
    assert ("new since then", "0 differences") in drift.report.facts
    assert {entry.note.count("since 20") for entry in drift.report.entries} == {1}
    drift.stack.up("--refresh", "--target", "**alpha/kubernetes/dev/quota").must()
    for change in CHANGES:
        if change.by_hand:
            change.by_hand(drift.stack.lab)
    code, output = drift()
    assert code == 0, output
    assert drift.stack.preview().must().steps == ()
    assert live.snapshot(drift.stack.lab) == drift.clean
    assert not [r["urn"] for r in drift.stack.state()["resources"] if "::drift/" in r["urn"]], (
        "something was left behind"
    )


def test_an_ignore_entry_removes_its_findings(drift: Drift) -> None:
    change = next(c for c in CHANGES if c.what == "a label set on a namespace")
    make(change, drift.stack.lab)
    drift.ignores.write_text(
        'ignores:\n  - type: kubernetes:core/v1:Namespace\n    property: metadata.labels["platform.example/*"]\n'
        "    reason: a tool of the platform marks namespaces\n    owner: alice.martin\n    expires: 2099-01-01\n",
        encoding="utf-8",
    )
    code, output = drift()
    assert code == 1
    assert "drift-ignore.yaml:6:14: ignores[0].expires:" in output
    today = str(datetime.datetime.now(datetime.UTC).date())
    drift.ignores.write_text(drift.ignores.read_text("utf-8").replace("2099-01-01", today), encoding="utf-8")
    code, output = drift()
    assert code == 0, output
    assert [notice.rule for notice in drift.report.notices] == ["ignored"]
    drift.ignores.unlink()


def test_a_system_that_is_down_is_reported_and_the_others_are_scanned(drift: Drift) -> None:
    label = next(c for c in CHANGES if c.what == "a label set on a namespace")
    process.stop(drift.stack.lab.home, "openbao")
    try:
        code, output = drift()
        assert code == 1, output
        blind = {(notice.tenant, notice.text.split(" for ")[0]) for notice in drift.report.notices}
        assert {(None, "could not scan vault"), ("alpha", "could not scan vault"),
                ("beta", "could not scan vault")} <= blind  # fmt: skip
        assert {system for _, system in blind} == {"could not scan vault"}
        assert said(drift.findings) == label.said
    finally:
        platform.up(drift.stack.lab.home)
        remove_the_label(drift.stack.lab)
    # The modules that come after this one share the platform.
    code, output = drift()
    assert code == 0, output
    assert live.snapshot(drift.stack.lab) == drift.clean
