"""A stand-in GitLab with this checkout as the platform's repository, and people who open merge requests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import project_runner
from lab.testing.git_client import Git
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.job_runner import Done, JobRunner
from lab.testing.names import name
from tests.ci.checkout import ROOT, as_checked_out

#: The value of a masked variable of the project. No job of a merge request may show it.
PLANTED = "planted-marker-of-a-secret-7f3a"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab"), edition="premium") as server:
        yield server


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current work tree as the first commit of a new repository."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    )
    for path in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    git = Git(folder)
    git.run("init", "--quiet", "--initial-branch=main")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "The platform")
    return folder


def push(live: LiveGitLab, project: Any, folder: Path, refspec: str, token: str = ROOT_TOKEN, *options: str) -> None:
    """Push with this token."""
    url = f"{live.url.replace('http://', f'http://any:{token}@')}/{project.path_with_namespace}.git"
    Git(folder).run("push", "--quiet", *options, url, refspec)


@dataclass(frozen=True)
class Person:
    """A GitLab account with a client and its token."""

    id: int
    client: gitlab.Gitlab
    token: str


def person(live: LiveGitLab, login: str) -> Person:
    """Return this person's account, created if necessary, with a new token."""
    known = live.root.users.list(username=login)
    content = {"username": login, "name": login, "email": f"{login}@example.com", "force_random_password": True}
    user = known[0] if known else live.root.users.create(content)
    token = live.root.users.get(user.id).personal_access_tokens.create({"name": "t", "scopes": ["api"]}).token
    return Person(user.id, live.client(token), token)


@dataclass
class Repository:
    """The platform's repository on the stand-in. `owner` is a developer there and the owner of the tenant petitions."""

    live: LiveGitLab
    project: Any
    folder: Path
    bot: str
    owner: Person
    home: Path

    def change(self, branch: str, edit: Callable[[Path], None], project: Any = None, who: Person | None = None) -> str:
        """Commit an edit to a branch, push it (to `project`, if given), and return the commit."""
        git = Git(self.folder)
        known = subprocess.run(
            ["git", "-C", str(self.folder), "rev-parse", "--quiet", "--verify", branch],
            capture_output=True,
            check=False,
        )
        git.run("checkout", "--quiet", *([branch] if known.returncode == 0 else ["-b", branch, "main"]))
        try:
            edit(self.folder)
            git.run("add", "--all")
            git.run("commit", "--quiet", "--message", f"Change of {branch}")
            push(self.live, project or self.project, self.folder, f"{branch}:{branch}", (who or self.owner).token)
            return git.run("rev-parse", "HEAD").strip()
        finally:
            git.run("checkout", "--quiet", "--force", "main")

    def open(self, branch: str, project: Any = None, who: Person | None = None) -> Any:
        """Open a merge request for a branch (of `project`, if given) and return the administrator's view of it."""
        source = (who or self.owner).client.projects.get((project or self.project).id)
        content = {"source_branch": branch, "target_branch": "main", "title": f"Change of {branch}"}
        made = source.mergerequests.create({**content, "target_project_id": self.project.id})
        return self.project.mergerequests.get(made.iid)

    def run(
        self,
        folder: Path,
        project: Any = None,
        image: dict[str, str] | None = None,
        only: tuple[str, ...] | None = None,
    ) -> dict[str, Done]:
        """Run the pending jobs with a new runner."""
        runner = project_runner(self.live, project or self.project)
        return JobRunner(runner, folder, self.home, image, as_checked_out).run(only=only)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner's home, shared by all jobs, so that later jobs reuse the plans that `usine diff` caches there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def repository(live: LiveGitLab, checkout: Path, home: Path, tmp_path: Path) -> Repository:
    """The platform's repository with the variables of docs/ci.md and without pending jobs."""
    group = live.root.groups.create({"name": name("platform"), "path": name("platform"), "visibility": "internal"})
    project = live.root.projects.create({"name": "usine", "namespace_id": group.id, "visibility": "internal"})
    folder = tmp_path / "work"
    subprocess.run(["git", "clone", "--quiet", "--local", str(checkout), str(folder)], check=True)
    push(live, project, folder, "main:main", ROOT_TOKEN, "--push-option=ci.no_pipeline")
    owner = person(live, "helene.faure")
    project.members.create({"user_id": owner.id, "access_level": 30})
    token = project.access_tokens.create(
        {"name": "usine", "scopes": ["api"], "access_level": 20, "expires_at": "2027-01-31"}
    )
    secret = {"key": "USINE_GITLAB_TOKEN", "value": token.token, "masked": True, "environment_scope": "comment"}
    project.variables.create(secret)
    project.variables.create({"key": "PLANTED", "value": PLANTED, "masked": True})
    return Repository(live, live.root.projects.get(project.id), folder, token.token, owner, home)


def no_secret_in(done: dict[str, Done]) -> None:
    """Assert that no masked value of any job is in a log or an artifact."""
    for job in done.values():
        assert job.secrets, f"{job.name} has no secret, so the test proves nothing"
        for secret in {*job.secrets, PLANTED}:
            assert job.holds(secret) == "", f"{job.name} shows a secret"
