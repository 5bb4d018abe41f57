"""A fleet whose `usine up` and `usine drift` answer from a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from model.reading.settings_load import load_settings
from tests.guard.samples import program_files
from tests.spec.helpers import LAB, ROOT
from usine import cli
from usine.report import as_json
from usine.report.model import Report

SLUGS = ("alpha", "beta", "delta", "gamma")
#: Writes the report that `answers.json` has for its stack, and notes the call. `signal`: interrupts the fleet first.
USINE = """\
import json, os, signal, sys, time
command, words = sys.argv[1], sys.argv[2:]
named = dict(zip(words[::2], words[1::2]))
answer = json.load(open("answers.json")).get(named["--stack"], {})
with open("calls", "a") as calls:
    repair = words[words.index("--repair"):] if "--repair" in words else []
    calls.write(" ".join([named["--stack"], command, *repair]) + "\\n")
print("said by usine " + command + " of " + named["--stack"])
if int(named.get("--run", 0)) < answer.get("later", 0):
    sys.exit(5)
if answer.get("signal"):
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(30)
if "entries" in answer or "exit" not in answer:
    kind = "drift" if command == "drift" else answer.get("kind", "run")
    report = {"format": "usine-report/1", "kind": kind, "title": "t",
              "verdict": answer.get("verdict", "No changes."), "facts": [], "entries": answer.get("entries", []),
              "notices": answer.get("notices", [])}
    json.dump(report, open(named["--json"], "w"))
else:
    print("usine up: the system does not answer")
sys.exit(answer.get("exit", 0))
"""
PULUMI = """#!/bin/sh
echo "pulumi $@" >> {root}/calls
[ "$2" = export ] || exit 0
case "$*" in *"prod."*) cat {root}/tenant.json ;; *) cat {root}/state.json ;; esac
"""

TENANT = """\
apiVersion: usine/v1
kind: Project
slug: {slug}
name: Projet {slug}
owner: alice.martin
contact: team@example.fr
repositories:
  api: {{}}
"""


def write_platform(root: Path, usine: str, **keys: object) -> Path:
    """Write what a platform has beside tenant files, with `usine` as the command; return its settings file."""
    document = yaml.safe_load(LAB.read_text(encoding="utf-8"))
    document["config"] |= {"usine:projects": "projects.d", **keys}
    settings = root / "Pulumi.prod.yaml"
    settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    shutil.copytree(ROOT / "catalogue", root / "catalogue")
    program_files(root)
    (root / "usine" / "__init__.py").touch()
    (root / "usine" / "__main__.py").write_text(usine, encoding="utf-8")
    for path in load_settings(settings).authorities:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("certificate", encoding="ascii")
    return settings


class Fake:
    """A fleet in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "projects.d").mkdir()
        for slug in SLUGS:
            self.tenant(slug)
        self.settings = write_platform(root, USINE)
        self.state("1")
        (root / "tenant.json").write_text('{"version": 3, "deployment": {"resources": []}}', encoding="utf-8")
        self.answers()

    def tenant(self, slug: str, more: str = "") -> None:
        (self.root / "projects.d" / f"{slug}.yaml").write_text(TENANT.format(slug=slug) + more, encoding="utf-8")

    def settle(self, **keys: object) -> None:
        """Set keys of the settings."""
        document = yaml.safe_load(self.settings.read_text(encoding="utf-8"))
        document["config"].update(keys)
        self.settings.write_text(yaml.safe_dump(document), encoding="utf-8")

    def unsettle(self, key: str) -> None:
        """Remove a key of the settings."""
        document = yaml.safe_load(self.settings.read_text(encoding="utf-8"))
        del document["config"][key]
        self.settings.write_text(yaml.safe_dump(document), encoding="utf-8")

    def state(self, realm: str) -> None:
        """Set the id of an object of the foundation."""
        urn = "urn:pulumi:prod::usine::usine:usine:Foundation$keycloak:index/realm:Realm::foundation/keycloak/realm"
        resource = {"urn": urn, "type": "keycloak:index/realm:Realm", "id": realm, "custom": True}
        state = {"version": 3, "deployment": {"resources": [resource]}}
        (self.root / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def answers(self, **answers: dict[str, Any]) -> None:
        """Set what the runs of these tenants report; `foundation` stands for the foundation."""
        stacks = {"prod" if slug == "foundation" else f"prod.{slug}": answer for slug, answer in answers.items()}
        (self.root / "answers.json").write_text(json.dumps(stacks), encoding="utf-8")

    def calls(self) -> list[str]:
        """Return the calls since the last time."""
        path = self.root / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if "export" not in line]

    def run(self, action: str, *arguments: str) -> int:
        return cli.main(["fleet", action, "--stack", "prod", "--settings", str(self.settings), *arguments])

    def report(self, action: str, *arguments: str) -> tuple[int, Report]:
        path = self.root / "report.json"
        code = self.run(action, "--json", str(path), *arguments)
        return code, as_json.load(path.read_text(encoding="utf-8"))


def destroyed(slug: str, name: str = "x") -> dict[str, Any]:
    return {
        "action": "destroyed",
        "tenant": slug,
        "system": "vault",
        "type": "vault:index/policy:Policy",
        "name": f"{slug}/vault/{name}",
    }
