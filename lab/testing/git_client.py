"""The git program, as a user of the stand-in GitLab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from lab.testing.gitlab_server import GitLabClient


class Git:
    """A work folder of the git program."""

    def __init__(self, folder: Path) -> None:
        """Store the folder, which is empty."""
        self.folder = folder

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run git and return its output. It must succeed, or with `fails` it must fail."""
        done = subprocess.run(
            ["git", "-c", "user.name=Tess", "-c", "user.email=tess@example.com", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_TERMINAL_PROMPT": "0",
                "no_proxy": "*",
                "LC_ALL": "C",
            },
        )
        assert (done.returncode != 0) is fails, f"git {' '.join(arguments[:1])}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, message: str, **files: str) -> str:
        """Commit these files (`__` replaces a dot) and return the commit."""
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
        self.run("add", "--all")
        self.run("commit", "--allow-empty", "--message", message)
        return self.run("rev-parse", "HEAD").strip()


def address(live: GitLabClient, project: Any, user: str = "oauth2", password: str = "") -> str:
    """Return a project's URL with a log-in in it."""
    path = project.path_with_namespace if hasattr(project, "path_with_namespace") else project
    login = f"{user}:{password}@" if password else ""
    return live.url.replace("://", f"://{login}") + f"/{path}.git"


def clone(live: GitLabClient, project: Any, folder: Path, password: str, user: str = "oauth2", *options: str) -> Git:
    """Clone a project."""
    folder.mkdir(parents=True, exist_ok=True)
    git = Git(folder)
    git.run("clone", *options, address(live, project, user, password), ".")
    return git
