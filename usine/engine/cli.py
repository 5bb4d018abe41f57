"""The `pulumi` command line as a function."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from pulumi_facts.checkpoint import resources_of
from pulumi_facts.credentials import empty_variables
from pulumi_facts.urns import address_of, name_of

#: Commands that have `--config-file`.
_TAKES_CONFIG = {"up", "preview", "refresh", "destroy"}
_OPTION = "PULUMI_OPTION_"
#: The keys of a stack's settings file that configure the encryption of its secrets.
ENCRYPTION_KEYS: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")


class EngineError(Exception):
    """`pulumi` is not installed, or failed; the message is for the user."""


def short_name(stack: str) -> str:
    """Return the last part of a stack's name; a full name is <organisation>/<project>/<stack>."""
    return stack.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Engine:
    """`pulumi` on one stack. `environment` is its whole environment; `root` is the folder of `Pulumi.yaml`.

    `config_file` is the settings file when it is not `Pulumi.<stack>.yaml`.
    """

    root: Path
    stack: str
    environment: Mapping[str, str] = field(repr=False)
    config_file: Path | None = None

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment for `pulumi`: `--event-log` is one of its debugging flags.

        `pulumi` takes every option also from a variable, such as PULUMI_OPTION_TARGET (seen with 3.259). A run of
        `usine` has the options of its command line only.
        """
        kept = {name: value for name, value in self.environment.items() if not name.startswith(_OPTION)}
        return {**kept, **empty_variables(), "PULUMI_DEBUG_COMMANDS": "true"}

    @property
    def executable(self) -> str:
        """Return the `pulumi` on the environment's PATH. Raises EngineError when there is none."""
        found = shutil.which("pulumi", path=self.environment.get("PATH"))
        if found is None:
            raise EngineError(
                "no `pulumi` on the PATH: install it, or start the local platform (`usine lab up`), which builds one"
            )
        return found

    def capture(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `pulumi` and return its standard output. Raises EngineError with its error output when it fails."""
        done = self._pulumi(self.root, *self.command(*arguments)[1:], stdin=stdin)
        if done.returncode != 0:
            raise EngineError(f"pulumi {arguments[0]} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        """Return the full command line for these arguments."""
        command = [self.executable, *arguments, "--non-interactive"]
        if arguments[0] in _TAKES_CONFIG and self.config_file is not None:
            command += ["--config-file", str(self.config_file)]
        return [*command, "--stack", self.stack]

    def _pulumi(self, folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.executable, *arguments],
            cwd=folder,
            env=self.variables,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    # Stack and state ----------------------------------------------------------------------------------------------

    def ensure_stack(self) -> dict[str, object]:
        """Create the stack unless it exists; return its checkpoint, as `export_state` does.

        Nearly always it exists, so that the export is the only command: each one costs 0.4 seconds of processor time.
        """
        try:
            return self.export_state()
        except EngineError as error:
            if "no stack named" not in str(error):
                raise
        own = f"Pulumi.{short_name(self.stack)}.yaml"
        encryption = _encryption_of(self.config_file or self.root / own)
        if self.config_file is None:
            self._create_stack(self.root, encryption)
        else:
            with self._elsewhere() as folder:
                (folder / own).write_text(yaml.safe_dump(encryption), encoding="utf-8")
                self._create_stack(folder, encryption)
        return self.export_state()

    @contextmanager
    def _elsewhere(self) -> Iterator[Path]:
        """Make a folder with a copy of `Pulumi.yaml`, so that no file in Git changes.

        `pulumi stack init` writes the stack's settings file, `stack rm` deletes it, and neither has `--config-file`.
        """
        with tempfile.TemporaryDirectory(prefix="usine-") as folder:
            shutil.copy(self.root / "Pulumi.yaml", folder)
            yield Path(folder)

    def _create_stack(self, folder: Path, encryption: Mapping[str, object]) -> None:
        # Otherwise the engine asks for a passphrase, also if the settings file has another provider. With its name, and
        # the key in the file, it makes no other key (its source, 3.259: `createSecretsManagerForNewStack`).
        provider = encryption.get("secretsprovider")
        named = ("--secrets-provider", str(provider)) if provider else ()
        words = ("stack", "init", "--no-select", "--stack", self.stack, "--non-interactive")
        done = self._pulumi(folder, *words, *named)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise EngineError(f"pulumi stack init failed: {done.stderr.strip()}")

    def remove_stack(self) -> None:
        """Remove a stack without objects, and its history. Raises EngineError, also when it has objects.

        What a run of an empty stack leaves, the stack itself and its providers, is nothing in a system. `pulumi stack
        rm` refuses it without `--force`.
        """
        left = [r["urn"] for r in resources_of(self.export_state()) if address_of(r["urn"]).is_object]
        if left:
            raise EngineError(f"the stack {self.stack} still has {len(left)} objects, such as {name_of(left[0])}")
        with self._elsewhere() as folder:
            done = self._pulumi(folder, "stack", "rm", "--force", "--yes", "--non-interactive", "--stack", self.stack)
        if done.returncode != 0:
            raise EngineError(f"pulumi stack rm failed: {done.stderr.strip()}")

    def export_state(self) -> dict[str, object]:
        """Return the stack's checkpoint, with its secrets encrypted."""
        state: dict[str, object] = json.loads(self.capture("stack", "export"))
        return state

    def encrypt_state(self, secrets: object) -> None:
        """Encrypt the secrets of the state again, in the way that the checkpoint of another stack states.

        The engine encrypts an imported state as the state says, and reads values in clear too. So they pass through the
        memory of this process and through pipes, and never through a file or a command line.
        """
        done = self._pulumi(self.root, *self.command("stack", "export", "--show-secrets")[1:])
        if done.returncode != 0:
            raise EngineError(f"pulumi stack export failed: {done.stderr.strip()}")
        state = json.loads(done.stdout)
        state["deployment"]["secrets_providers"] = secrets
        done = self._pulumi(self.root, *self.command("stack", "import")[1:], stdin=json.dumps(state))
        if done.returncode != 0:
            raise EngineError(f"pulumi stack import failed for the stack {self.stack}")

    def import_state(self, state: Mapping[str, object]) -> None:
        """Replace the stack's checkpoint."""
        self.capture("stack", "import", stdin=json.dumps(state))


def _encryption_of(settings: Path) -> dict[str, object]:
    """Return the keys for the encryption of secrets in a stack's settings file; none without the file."""
    if not settings.exists():
        return {}
    document = yaml.safe_load(settings.read_text(encoding="utf-8"))
    found = document if isinstance(document, dict) else {}
    return {key: found[key] for key in ENCRYPTION_KEYS if key in found}
