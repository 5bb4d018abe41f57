"""The real engine on one stack of the test lab: the test writes tenant files, and reads each run's events."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.testing.platforms import TestLab
from pulumi_facts.urns import address_of
from tests import vault_policies
from usine.engine.cli import Engine

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of the engine: operation, logical name, and the paths of the properties that differ."""

    op: str
    name: str
    paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: exit code, steps of objects other than `same`, and its output."""

    exit_code: int
    steps: tuple[Step, ...]
    output: str
    events: tuple[Mapping[str, Any], ...]

    def ops(self) -> dict[str, str]:
        return {step.name: step.op for step in self.steps}

    def must(self) -> Run:
        assert self.exit_code == 0, self.output
        return self


@dataclasses.dataclass(frozen=True)
class Ended:
    """A `usine` command that ended: exit code, and standard output and error together."""

    exit_code: int
    output: str

    def must(self) -> Ended:
        assert self.exit_code == 0, self.output
        return self


@dataclasses.dataclass
class Stack:
    """One stack with its own folder of tenants and its own settings file."""

    lab: TestLab
    name: str
    folder: Path
    overrides: dict[str, object] = dataclasses.field(default_factory=dict)
    #: Variables that replace the platform's own, such as a token with fewer rights.
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Keys of the settings file that configure the encryption by a key of Vault. Then the engine has no passphrase.
    encryption: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Whether the engine writes the state after each step, as without this harness. Only a test that interrupts a run
    #: needs that; for all others it writes the state once, at the end, which saves a third of the engine's time.
    checkpoints: bool = False
    #: The requests to Vault of the runs with a policy, by policy.
    requests: dict[str, set[vault_policies.Request]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.projects.mkdir(parents=True, exist_ok=True)
        self._write_settings()
        self.engine.ensure_stack()

    @property
    def projects(self) -> Path:
        return self.folder / "projects.d"

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.yaml"

    @property
    def engine(self) -> Engine:
        return Engine(ROOT, self.name, self.environment, self.settings_file)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the engine and of the `usine` command."""
        once = {} if self.checkpoints else {"PULUMI_SKIP_CHECKPOINTS": "true"}
        variables = {**self.lab.environment(), **once, **self.variables}
        if self.encryption:
            del variables["PULUMI_CONFIG_PASSPHRASE"]
        return variables

    def _write_settings(self) -> None:
        settings = yaml.safe_load(self.lab.settings_text())
        settings["config"]["usine:projects"] = str(self.projects)
        settings["config"] |= self.overrides
        settings |= self.encryption
        # The engine's own line. Without it, the next run derives two more keys, and encrypts the whole state again.
        if self.settings_file.exists() and (salt := self._document().get("encryptionsalt")):
            settings["encryptionsalt"] = salt
        self.settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def configure(self, **keys: object) -> None:
        """Set keys of the `usine:` namespace for the next runs; None removes a key."""
        for key, value in keys.items():
            if value is None:
                self.overrides.pop(f"usine:{key}", None)
            else:
                self.overrides[f"usine:{key}"] = value
        self._write_settings()

    def settings(self) -> dict[str, Any]:
        """Return the current settings by key."""
        found: dict[str, Any] = self._document()["config"]
        return found

    def _document(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.settings_file.read_text(encoding="utf-8"))
        return found

    def tenant(self, slug: str, text: str) -> Path:
        """Write a tenant's file; `text` is the YAML below slug and name."""
        path = self.projects / f"{slug}.yaml"
        head = f"apiVersion: usine/v1\nkind: Project\nslug: {slug}\nname: Projet {slug}\n"
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")
        return path

    def remove(self, slug: str) -> None:
        (self.projects / f"{slug}.yaml").unlink()

    @contextmanager
    def with_policy(self, policy: str) -> Iterator[None]:
        """Run the engine with a policy of docs/ci.md in Vault."""
        try:
            used = self.requests.setdefault(policy, set())
            with vault_policies.variables(self.lab.vault, policy, used) as self.variables:
                yield
        finally:
            self.variables = {}

    # The `usine` command ------------------------------------------------------------------------------------------

    def start(self, command: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `usine COMMAND` on this stack, in a process group of its own. A command may have an action."""
        variables = {**self.environment, **environment}
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "usine", *command.split()),
                *("--stack", self.name, "--settings", str(self.settings_file)),
                *arguments,
            ],
            cwd=ROOT,
            env={"USINE_LAB_HOME": str(self.lab.home.root), "COLUMNS": "200", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def usine(self, command: str, *arguments: str, **environment: str) -> Ended:
        """Run `usine COMMAND` on this stack to its end. It never shows a traceback."""
        return ended(self.start(command, *arguments, **environment))

    # Runs of the engine itself ------------------------------------------------------------------------------------

    def run(self, *arguments: str) -> Run:
        events = self.folder / "events.json"
        events.unlink(missing_ok=True)
        done = subprocess.run(
            self.engine.command(*arguments, "--color=never", "--event-log", str(events)),
            cwd=ROOT,
            env=self.engine.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        parsed = (
            tuple(json.loads(line) for line in events.read_text(encoding="utf-8").splitlines())
            if events.exists()
            else ()
        )
        return Run(done.returncode, tuple(_steps(parsed)), done.stdout + done.stderr, parsed)

    def up(self, *extra: str) -> Run:
        return self.run("up", "--yes", "--skip-preview", *extra)

    def guarded_up(self, *extra: str) -> Run:
        """Run `pulumi up` with its own preview."""
        return self.run("up", "--yes", *extra)

    def preview(self, *extra: str) -> Run:
        return self.run("preview", *extra)

    def drift(self) -> Run:
        """Return what differs between the servers and the state; nothing is written."""
        return self.run("preview", "--refresh")

    def destroy(self) -> Run:
        """Destroy everything, also protected objects, so that no test disturbs the next one."""
        self.engine.capture("state", "unprotect", "--all", "--yes")
        self._let_keys_go()
        return self.run("destroy", "--yes", "--skip-preview")

    def _let_keys_go(self) -> None:
        """Let the keys that sign images be deleted: Vault refuses it while their tenants are not archived."""
        for resource in self.state().get("resources", []):
            if resource["type"] == "vault:transit/secretBackendKey:SecretBackendKey":
                self.lab.vault.write(f"{resource['id']}/config", deletion_allowed=True)

    def close(self) -> None:
        """Destroy and remove the stack, and delete its files."""
        self.destroy().must()
        self.engine.capture("stack", "rm", "--yes", "--preserve-config")
        shutil.rmtree(self.folder)

    def state(self) -> dict[str, Any]:
        deployment: dict[str, Any] = self.engine.export_state()["deployment"]  # type: ignore[assignment]  # JSON
        return deployment

    def checkpoint(self) -> dict[str, Any]:
        """Return the backend's newest checkpoint, also during a run; empty when there is none or it is incomplete."""
        try:
            latest: dict[str, Any] | None = json.loads(self.checkpoint_text())["checkpoint"]["latest"]
        except (json.JSONDecodeError, KeyError):
            latest = None
        return latest or {}

    def checkpoint_text(self) -> str:
        """Return the text of the backend's state file; empty while there is none."""
        try:
            return (self.lab.home.state / ".pulumi" / "stacks" / "usine" / f"{self.name}.json").read_text(
                encoding="utf-8"
            )
        except FileNotFoundError:
            return ""


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a `usine` command that was started."""
    output, _ = process.communicate(timeout=600)
    assert "Traceback" not in output, output
    return Ended(process.returncode, output)


def _steps(events: Iterable[Mapping[str, Any]]) -> Iterable[Step]:
    """Steps of the last phase (an `up` with preview has two), objects only, without `same` and reads."""
    planned: list[Step] = []
    applied: list[Step] = []
    for event in events:
        pre = event.get("resourcePreEvent")
        if not pre:
            continue
        metadata = pre["metadata"]
        address = address_of(metadata["urn"])
        if not address.is_object or metadata["op"] in {"same", "refresh", "read"}:
            continue
        step = Step(metadata["op"], address.name, tuple(sorted(metadata.get("detailedDiff") or ())))
        (planned if pre.get("planning") else applied).append(step)
    return applied or planned
