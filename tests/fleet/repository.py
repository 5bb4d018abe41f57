"""The checkout of a fleet whose tenants can be pinned: a temporary repository with an old version of the program."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path

from model.reading.settings_load import load_settings
from model.waves import Pin
from tests.fleet.fake import SLUGS, USINE, Fake
from usine.engine.storage import state_storage
from usine.fleet.layout import Layout
from usine.fleet.records import Records, RunRecord
from usine.fleet.versions import Checkouts, Pinned

VERSION = "2026.11"
#: What a run of the old version notes beside its call: its name for itself, and what its processes would import.
OLD_USINE = USINE.replace("command, *repair]", 'command, "by the old version from", os.environ["PYTHONPATH"]]')
assert OLD_USINE != USINE
IGNORED = "/out/\n.venv\n__pycache__/\n/calls\n/bin/\n/.usine/\n*.json\n"
TODAY = datetime.datetime.now(datetime.UTC).date()


class Repository:
    """The checkout of a fleet, and the commit of its first version."""

    def __init__(self, fleet: Fake) -> None:
        self.fleet = fleet
        (fleet.root / ".gitignore").write_text(IGNORED, encoding="utf-8")
        (fleet.root / "answers.json").write_text("{}", encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch=main")
        main = fleet.root / "usine" / "__main__.py"
        main.write_text(OLD_USINE, encoding="utf-8")
        self.git("add", "--force", "answers.json")
        self.first = self.commit()
        main.write_text(USINE, encoding="utf-8")
        fleet.settle(**{"usine:fleet": {"versions": {VERSION: self.first}, "longestPin": "30d"}})
        self.commit()

    def git(self, *arguments: str) -> str:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.fleet.root, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")
        return self.git("rev-parse", "HEAD")

    @property
    def checkout(self) -> Path:
        return self.fleet.root / "out" / "fleet" / "versions" / self.first

    def pin(self, slug: str = "beta", more: str = "", days: int = 3, version: str = VERSION) -> None:
        until = TODAY + datetime.timedelta(days)
        self.fleet.tenant(
            slug, f'pin: {{version: "{version}", until: {until}, reason: The audit is in January.}}\n{more}'
        )

    def change(self, text: str = "2") -> None:
        """Change the present program."""
        (self.fleet.root / "components" / "a.py").write_text(text, encoding="utf-8")

    def old_calls(self) -> list[str]:
        """Return the runs of the old version since the last time."""
        path = self.checkout / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def up(self, *words: str) -> int:
        """Run the foundation and the tenant that is pinned."""
        return self.fleet.run("up", "--tenant", "beta", *words)

    def problem(self) -> str:
        """Return why the version of beta cannot run it; empty if it can."""
        root, settings = self.fleet.root, self.fleet.settings
        layout = Layout.read("prod", settings, root / "projects.d", root / "out" / "fleet", SLUGS)
        commits = load_settings(settings).fleet.versions
        pins = {"beta": Pin(VERSION, TODAY, "The audit is in January.")}
        checkouts = Checkouts(root, layout.folder / "versions", settings, layout)
        return Pinned.read(pins, commits, checkouts).problems.get("beta", "")

    def record(self, slug: str = "beta") -> RunRecord:
        return Records(state_storage(dict(os.environ)), "prod").runs()[slug]

    def settings(self, slug: str = "beta") -> Path:
        return self.fleet.root / "out" / "fleet" / f"prod.{slug}" / "settings.yaml"


def other_packages(repository: Repository) -> None:
    (repository.fleet.root / "requirements.txt").write_text("pulumi==99\n", encoding="utf-8")
