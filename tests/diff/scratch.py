"""A small clone of the platform's repository for changes: the current program, and three tenants."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.template import SETTINGS_FILE
from usine.diff.cache import PlanCache
from usine.diff.change import Comparison, find
from usine.diff.repository import WORKTREE
from usine.program import PROGRAM
from usine.report.model import Report
from usine.rules import check

ROOT = Path(__file__).resolve().parents[2]
TENANTS = ("teleservice", "petitions", "annuaire-2019")
SETTINGS = PurePosixPath("Pulumi.lab.yaml")
#: The date of all changes, so that no date in an example expires.
TODAY = datetime.date(2026, 11, 25)
_WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
_BYTECODE = shutil.ignore_patterns("__pycache__")


class Scratch:
    """A repository in a folder; `main` is its first commit."""

    def __init__(self, folder: Path, caches: Path | None = None) -> None:
        """Create it. `caches` is the cache folder of the user who runs the command line here; None: a new one."""
        self.root = folder / "usine"
        self.root.mkdir(parents=True)
        self.caches = caches or folder / "caches"
        self.cache = PlanCache(self.caches / "usine" / "plans")
        shutil.copy(SETTINGS_FILE, self.root)
        for name in (*PROGRAM, "waivers.yaml"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.root / name, ignore=_BYTECODE)
            else:
                shutil.copy(ROOT / name, self.root)
        (self.root / "projects.d").mkdir()
        for slug in TENANTS:
            shutil.copy(self.seed(slug), self.root / "projects.d")
        shutil.copy(ROOT / ".gitignore", self.root)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Start")

    def seed(self, slug: str) -> Path:
        return ROOT / "projects.d" / f"{slug}.yaml"

    def git(self, *arguments: str) -> str:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(["git", *_WHO, *arguments], cwd=self.root, env=clean, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def clean(self) -> None:
        """Go back to `main`, without all changes."""
        self.git("checkout", "--quiet", "--force", "main")
        self.git("clean", "--quiet", "-d", "--force")

    def tenant(self, slug: str) -> Path:
        return self.root / "projects.d" / f"{slug}.yaml"

    def edit(self, path: str, *replacements: tuple[str, str]) -> None:
        """Replace texts in a file, which must contain each of them."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, (path, old)
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def compare(self, base: str = "main", head: str = WORKTREE) -> Comparison:
        return find(self.root, base, head, SETTINGS, self.cache)

    def report(self, author: str | None, base: str = "main", head: str = WORKTREE) -> Report:
        comparison = self.compare(base, head)
        return comparison.with_notices(check(comparison.change(author, TODAY)))

    def usine(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of the scratch repository in a new process."""
        return subprocess.run(
            [sys.executable, "-m", "usine", *arguments],
            cwd=self.root,
            env={**os.environ, "COLUMNS": "160", "XDG_CACHE_HOME": str(self.caches), **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )


def snapshot(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a folder with its bytes, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()
