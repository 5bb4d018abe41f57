"""`usine move` with a `pulumi` that keeps states in files, and a `usine` whose previews answer from a file.

The states are encrypted: `pulumi` shows values only if it is asked to, as the real one does.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import address_of
from tests.fleet.fake import TENANT, write_platform
from tests.move import samples
from usine import cli
from usine.commands import common, drift, engine_stack, fleet_open, fleet_up, move, up
from usine.engine.cli import Engine
from usine.engine.lock import hold

SLUGS = ("alpha", "beta")
#: In clear only in the memory of the stand-ins.
MARKER = "s3cr3t-of-alpha"

PULUMI = """\
#!{python}
import json, pathlib, sys
root = pathlib.Path({root!r})
words = sys.argv[1:]
with open(root / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
stack = words[words.index("--stack") + 1]
file = root / "states" / (stack + ".json")
MARKER = {marker!r}
def walk(value, change):
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return change(value)
        return {{key: walk(one, change) for key, one in value.items()}}
    return [walk(one, change) for one in value] if isinstance(value, list) else value
def show(v):
    return {{k: w for k, w in v.items() if k != "ciphertext"}} | {{"plaintext": json.dumps(MARKER)}}
if words[1] == "init":
    with open(root / "calls", "a") as calls:
        calls.write("settings of " + stack + ": " + pathlib.Path("Pulumi." + stack + ".yaml").read_text() + "\\n")
    if file.exists():
        sys.exit("error: stack already exists")
    file.write_text('{{"version": 3}}')
elif words[1] == "rm":
    file.unlink()
elif not file.exists():
    sys.exit("error: no stack named " + stack)
elif words[1] == "export":
    state = json.loads(file.read_text())
    if "--show-secrets" in words:
        state = walk(state, show)
    print(json.dumps(state))
else:
    state = json.loads(sys.stdin.read())
    key = json.dumps((state["deployment"].get("secrets_providers") or {{}}).get("state"))
    def encrypt(v):
        if "plaintext" not in v:
            return v
        return {{k: w for k, w in v.items() if k != "plaintext"}} | {{"ciphertext": "sealed with " + key}}
    file.write_text(json.dumps(walk(state, encrypt)))
"""
#: Writes the report of a preview, and whether it has changes.
USINE = """\
import json, sys
words = sys.argv[2:]
named = dict(zip(words[::2], words[1::2]))
changed = named["--stack"] in json.load(open("changed.json"))
with open("calls", "a") as calls:
    calls.write("usine " + " ".join(sys.argv[1:]) + "\\n")
report = {"format": "usine-report/1", "kind": "diff", "title": "t", "facts": [], "entries": [], "notices": [],
          "verdict": "1 change would be made." if changed else "Nothing would change."}
json.dump(report, open(named["--json"], "w"))
sys.exit(int(changed))
"""


class Fake:
    """A platform in a folder of its own, as one stack."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("projects.d", "states", "bin", "usine"):
            (root / folder).mkdir()
        for slug in SLUGS:
            (root / "projects.d" / f"{slug}.yaml").write_text(TENANT.format(slug=slug), encoding="utf-8")
        (root / "Pulumi.yaml").write_text("name: usine\nruntime: python\n", encoding="utf-8")
        self.settings = write_platform(root, USINE, **{"usine:systems": ["vault"]})
        pulumi = root / "bin" / "pulumi"
        pulumi.write_text(PULUMI.format(python=sys.executable, root=str(root), marker=MARKER), encoding="utf-8")
        pulumi.chmod(0o755)
        (root / "states" / "prod.json").write_text(json.dumps(samples.whole(SLUGS)), encoding="utf-8")
        self.changed()

    def changed(self, *stacks: str) -> None:
        (self.root / "changed.json").write_text(json.dumps(stacks), encoding="utf-8")

    def states(self) -> dict[str, dict[str, Any]]:
        files = sorted((self.root / "states").glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def objects(self) -> dict[str, list[str]]:
        return {
            stack: [address.name for r in resources_of(state) if (address := address_of(r["urn"])).is_object]
            for stack, state in self.states().items()
        }

    def run(self, *arguments: str, command: str = "move") -> int:
        return cli.main([*command.split(), "--stack", "prod", "--settings", str(self.settings), *arguments])

    def calls(self) -> list[str]:
        return (self.root / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for module in (common, engine_stack, fleet_open, fleet_up, move, up, drift):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return made


TOGETHER = ["foundation/vault/mount", *(f"{slug}/vault/{name}" for slug in SLUGS for name in ("mount", "token"))]
APART = {
    "prod": ["foundation/vault/mount"],
    "prod.alpha": ["alpha/vault/mount", "alpha/vault/token"],
    "prod.beta": ["beta/vault/mount", "beta/vault/token"],
}


def test_there_and_back(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    before = fake.states()["prod"]
    assert fake.run("--to", "fleet") == 0
    assert fake.objects() == APART
    said = capsys.readouterr().out
    assert "  prod.beta: 2 objects\nmoved: 5 objects in 3 stacks, and no stack has changes." in said
    assert fake.run(command="fleet plan") == 0
    assert capsys.readouterr().out == "0 stacks to run, 3 unchanged\n"
    assert fake.run("--to", "one") == 0
    assert fake.objects() == {"prod": TOGETHER}
    assert fake.states()["prod"]["deployment"]["secrets_providers"] == before["deployment"]["secrets_providers"]
    assert "moved: 5 objects in 1 stack" in capsys.readouterr().out


def test_to_shards_and_back(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(fake.settings.read_text(encoding="utf-8"))
    document["config"]["usine:fleet"] = {"shards": 2}
    fake.settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert fake.run("--to", "fleet") == 0
    shard = [*APART["prod.alpha"], *APART["prod.beta"]]
    assert fake.objects() == {"prod": APART["prod"], "prod.1-of-2": shard}
    said = capsys.readouterr().out
    assert "from the stack prod to 1 stack prod.K-of-2\n" in said
    assert "  1-of-2 (alpha, beta): 4 objects\n" in said
    assert fake.run(command="fleet plan") == 0
    assert capsys.readouterr().out == "0 stacks to run, 2 unchanged\n"
    assert fake.run("--to", "one") == 0
    assert fake.objects() == {"prod": TOGETHER}


def test_a_dry_run_shows_where_the_objects_go_and_calls_nothing_but_an_export(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run("--to", "fleet", "--dry-run") == 0
    said = capsys.readouterr().out
    lines = ("from the stack prod to 2 stacks prod.SLUG", "  (foundation): 1 object", "  alpha: 2 objects")
    assert said == "\n".join((*lines, "  beta: 2 objects", ""))
    assert {call.split(" --", 1)[0] for call in fake.calls()} == {"stack export"}
    assert (fake.objects(), (fake.root / ".usine").exists()) == ({"prod": TOGETHER}, False)


def test_secrets_of_another_encryption_are_sealed_again_and_never_written(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run("--to", "fleet") == 0
    path = fake.root / "states" / "prod.alpha.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    state["deployment"]["secrets_providers"]["state"]["salt"] = "another"
    path.write_text(json.dumps(state), encoding="utf-8")
    assert fake.run("--to", "one") == 0
    token = next(r for r in resources_of(fake.states()["prod"]) if r.get("id") == "alpha/token")
    assert token["inputs"]["dataJson"]["ciphertext"] == f'sealed with {{"salt": "{samples.SALT}"}}'
    kept = next(r for r in resources_of(fake.states()["prod"]) if r.get("id") == "beta/token")
    assert kept["inputs"]["dataJson"]["ciphertext"] == "cipher of beta", "never decrypted"
    assert sum("--show-secrets" in call for call in fake.calls()) == 1
    pulumi = fake.root / "bin" / "pulumi"
    files = [file for file in fake.root.rglob("*") if file.is_file() and file != pulumi]
    assert [file for file in files if MARKER in file.read_text(encoding="utf-8", errors="replace")] == []
    output = capsys.readouterr()
    assert MARKER not in output.out + output.err


def test_a_stack_is_created_with_the_key_of_its_settings_file(fake: Fake) -> None:
    """The engine would ask for a passphrase, also if the settings file has another provider."""
    document = yaml.safe_load(fake.settings.read_text(encoding="utf-8"))
    kms = {"secretsprovider": "hashivault://usine", "encryptedkey": "dmF1bHQ6djE6YWJj"}
    fake.settings.write_text(yaml.safe_dump(document | kms), encoding="utf-8")
    Engine(fake.root, "prod.alpha", dict(os.environ), fake.settings).ensure_stack()
    assert (
        "stack init --no-select --stack prod.alpha --non-interactive --secrets-provider hashivault://usine\n"
        f"settings of prod.alpha: {yaml.safe_dump(kms)}\n"
    ) in (fake.root / "calls").read_text(encoding="utf-8")


def test_a_stack_with_changes_is_not_moved(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.changed("prod")
    assert fake.run("--to", "fleet") == 1
    said = capsys.readouterr().err
    assert said.startswith("usine move: apply all changes first. (foundation): 1 change would be made. See ")
    assert fake.objects() == {"prod": TOGETHER}


def test_a_move_is_undone_if_a_tenant_s_stack_would_change(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.changed("prod.beta")
    assert fake.run("--to", "fleet") == 1
    assert "the move was undone, all states are as before: beta: 1 change would be made." in capsys.readouterr().err
    assert fake.objects() == {"prod": TOGETHER}


def test_a_fleet_with_pending_work_is_not_moved(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fake.run("--to", "fleet") == 0
    (fake.root / "projects.d" / "beta.yaml").write_text(TENANT.format(slug="beta") + "  web: {}\n", encoding="utf-8")
    capsys.readouterr()
    assert fake.run("--to", "one") == 1
    assert "1 stack, its file changed: beta" in capsys.readouterr().err
    assert fake.objects() == APART


def test_a_tenant_without_a_file_is_not_moved(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    (fake.root / "projects.d" / "beta.yaml").unlink()
    assert fake.run("--to", "fleet") == 1
    assert "the stack has tenants without a file: beta" in capsys.readouterr().err


@pytest.mark.parametrize("stack", ["prod", "prod.beta"])
def test_a_stack_that_somebody_runs_is_not_moved(fake: Fake, capsys: pytest.CaptureFixture[str], stack: str) -> None:
    with hold(Engine(fake.root, stack, dict(os.environ))):
        assert fake.run("--to", "fleet") == 1
    assert f"stack {stack} is locked by" in capsys.readouterr().err
    assert fake.objects() == {"prod": TOGETHER}


def test_a_platform_with_pinned_tenants_is_not_moved(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(fake.settings.read_text(encoding="utf-8"))
    document["config"]["usine:fleet"] = {"versions": {"v1": "0" * 40}, "longestPin": "30d"}
    fake.settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    until = datetime.datetime.now(datetime.UTC).date()
    pin = f"pin: {{version: v1, until: {until}, reason: The audit is in January.}}\n"
    (fake.root / "projects.d" / "beta.yaml").write_text(TENANT.format(slug="beta") + pin, encoding="utf-8")
    assert fake.run("--to", "fleet") == 1
    assert capsys.readouterr().err == "usine move: tenants are pinned to another version: beta: remove `pin` first\n"
    assert not (fake.root / "calls").exists()


def test_settings_of_a_part_of_the_platform_are_refused(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(fake.settings.read_text(encoding="utf-8"))
    document["config"]["usine:foundation"] = "only"
    fake.settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert fake.run("--to", "fleet") == 1
    assert "name that of the whole platform" in capsys.readouterr().err


def test_one_stack_of_a_fleet_is_not_run(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fake.run("--to", "fleet") == 0
    assert fake.run(command="up") == 1
    said = capsys.readouterr().err
    assert (
        said == "usine up: the tenants of prod have stacks of their own: use `usine fleet`, or `usine move --to one`\n"
    )


def test_a_refused_run_as_a_fleet_does_not_make_one(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.changed("prod")
    assert fake.run(command="fleet up") == 1
    assert "(foundation): failed" in capsys.readouterr().out
    fake.changed()
    fake.run(command="up")
    assert "have stacks of their own" not in capsys.readouterr().err
    assert fake.run("--to", "fleet") == 0


def test_an_interrupted_move_continues(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    script = fake.root / "usine" / "__main__.py"
    script.write_text(
        'import json, os, signal, sys, time\nif "prod.beta" in sys.argv:\n    os.kill(os.getppid(), signal.SIGINT)\n'
        "    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))\n    time.sleep(30)\n" + USINE.split("\n", 1)[1],
        encoding="utf-8",
    )
    assert fake.run("--to", "fleet", "--workers", "1") == 130
    assert "run the same command again to continue" in capsys.readouterr().out
    assert fake.objects() == {**APART, "prod": TOGETHER}
    for command in ("up", "drift", "fleet up"):
        assert fake.run(command=command) == 1
        assert "objects of the stack prod are being moved since" in capsys.readouterr().err
    script.write_text(USINE, encoding="utf-8")
    assert fake.run("--to", "fleet") == 0
    assert "continuing the move that began at" in capsys.readouterr().out
    assert fake.objects() == APART
