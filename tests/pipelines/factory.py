"""A platform that the program has created, and teams that push code there and run the catalogue's jobs."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.secrets import Secrets
from lab.testing.ci_client import Runner, project_runner
from lab.testing.git_client import Git
from lab.testing.gitlab_server import GitLabClient
from lab.testing.job_runner import Done, JobRunner
from lab.testing.platforms import TestLab
from tests.engine.harness import Stack
from tests.pipelines.images import Images
from tests.pipelines.tenants import DEVELOPER, MAINTAINER, PRESETS, TENANTS

SYSTEMS: Final = ("vault", "gitlab", "harbor")
_ACTIVE: Final = frozenset({"created", "waiting_for_resource", "preparing", "pending", "running", "manual"})
_FILE = ".gitlab-ci.yml"


class Factory:
    """The platform of the pipelines' tests.

    `server` is its GitLab, `lab` all its servers. Jobs run with what `images` returns for the name of their image.
    """

    def __init__(self, lab: TestLab, folder: Path) -> None:
        """Create the foundation and the tenants with the program."""
        self.lab = lab
        self.folder = folder
        self.images = Images(folder)
        self.server = GitLabClient.at(f"http://127.0.0.1:{lab.home.ports.gitlab}", Secrets.load(lab.home).gitlab_token)
        self.stack = Stack(lab, "pipelines", folder / "stack")
        self.stack.configure(systems=list(SYSTEMS), presets=[*PRESETS, "infra"])
        for slug, text in TENANTS.items():
            self.stack.tenant(slug, text)
        self.stack.up().must()
        self._tokens: dict[str, str] = {}
        self._number = itertools.count(1)

    def sonarqube(self) -> None:
        """Switch SonarQube on, unless it is on: start the server and run the program again."""
        if "sonarqube" not in self.stack.settings()["usine:systems"]:
            self.lab.start("sonarqube")
            self.lab.close()
            self.stack.configure(systems=[*SYSTEMS, "sonarqube"])
            self.stack.up().must()

    def token(self, person: str) -> str:
        """Return an access token of a person."""
        if person not in self._tokens:
            (user,) = self.server.root.users.list(username=person, get_all=True)
            made = self.server.root.users.get(user.id).personal_access_tokens.create({"name": "t", "scopes": ["api"]})
            self._tokens[person] = made.token
        return self._tokens[person]

    def project(self, repository: str, tenant: str = "atelier") -> Any:
        """Return a project of a tenant, as the administrator sees it."""
        return self.server.root.projects.get(f"tenants/{tenant}/{repository}")

    def sample(self, repository: str, example: Path | None = None, tenant: str = "atelier") -> Sample:
        """Clone a repository as a member of the tenant.

        With `example`, its files replace those of earlier tests; the first CI file, which the platform has committed,
        stays.
        """
        folder = self.folder / "clones" / f"{next(self._number)}-{repository}"
        sample = Sample(self, tenant, self.project(repository, tenant), folder)
        sample.fetch()
        if example is not None:
            for path in folder.iterdir():
                if path.name not in {".git", _FILE}:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(example, folder, dirs_exist_ok=True, ignore=lambda _, names: {_FILE} & set(names))
        return sample

    @contextmanager
    def runner(self, project: Any) -> Iterator[Runner]:
        """Register a runner of a project, and delete it at the end: it is no object of the platform."""
        runner = project_runner(self.server, project)
        try:
            yield runner
        finally:
            with self.server.http(None) as client:
                client.request("DELETE", "/runners", json={"token": runner.token}).raise_for_status()

    def end(self) -> None:
        """Assert that the pipelines left nothing that the program would change, and that no one manages."""
        second = self.stack.up().must()
        assert second.steps == ()
        drift = self.stack.usine("drift")
        assert drift.exit_code == 0, drift.output


@dataclass
class Sample:
    """A clone of a tenant's repository."""

    factory: Factory
    tenant: str
    project: Any
    folder: Path

    @property
    def git(self) -> Git:
        """The git program in the clone."""
        return Git(self.folder)

    def address(self, person: str) -> str:
        """Return the URL with a person's token."""
        url = self.factory.server.url.replace("://", f"://{person}:{self.factory.token(person)}@")
        return f"{url}/{self.project.path_with_namespace}.git"

    def fetch(self) -> None:
        """Clone the repository."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        url = self.address(DEVELOPER[self.tenant])
        subprocess.run(["git", "clone", "--quiet", url, str(self.folder)], check=True, capture_output=True)
        self.git.run("remote", "set-url", "origin", self.factory.server.url)

    def commit(self, message: str, edit: Callable[[Path], object] | None = None) -> str:
        """Edit and commit; return the commit."""
        if edit is not None:
            edit(self.folder)
        self.git.run("add", "--all")
        self.git.run("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git.run("rev-parse", "HEAD").strip()

    def push(
        self, message: str, edit: Callable[[Path], object] | None = None, branch: str = "main", who: str = ""
    ) -> Pipeline:
        """Commit, push a branch, and return the pipeline that this started.

        A maintainer pushes to main, a developer to other branches, unless `who` names a person. A new branch starts at
        the commit of the clone.
        """
        if self.git.run("branch", "--show-current").strip() != branch:
            self.git.run("checkout", "--quiet", "-B", branch)
        sha = self.commit(message, edit)
        person = who or (MAINTAINER if branch == "main" else DEVELOPER)[self.tenant]
        self.git.run("push", "--quiet", "--force", self.address(person), f"HEAD:refs/heads/{branch}")
        return self.pipeline(sha)

    def tag(self, name: str, who: str = "") -> Pipeline:
        """Push a tag of the clone's commit, and return its pipeline."""
        self.git.run("tag", "--force", name)
        self.git.run("push", "--quiet", self.address(who or MAINTAINER[self.tenant]), f"refs/tags/{name}")
        return self.pipeline(self.git.run("rev-parse", "HEAD").strip(), ref=name)

    def pipeline(self, sha: str, **more: str) -> Pipeline:
        """Return the newest pipeline of a commit."""
        found = self.project.pipelines.list(sha=sha, order_by="id", sort="desc", get_all=True, **more)
        assert found, f"no pipeline for {sha} in {self.project.path_with_namespace}"
        made = Pipeline(self.factory, self.project, found[0].id)
        assert made.yaml_errors is None, made.yaml_errors
        return made

    def merge_request(self, branch: str, edit: Callable[[Path], object] | None = None, who: str = "") -> MergeRequest:
        """Push a new branch from main as a developer, and open its merge request."""
        person = who or DEVELOPER[self.tenant]
        self.git.run("checkout", "--quiet", "-B", branch)
        self.commit(f"Change of {branch}", edit)
        self.git.run("push", "--quiet", "--force", self.address(person), f"HEAD:refs/heads/{branch}")
        client = self.factory.server.client(self.factory.token(person)).projects.get(self.project.id)
        content = {"source_branch": branch, "target_branch": "main", "title": f"Change of {branch}"}
        made = client.mergerequests.create(content)
        return MergeRequest(self, int(made.iid), branch)

    def main(self) -> None:
        """Check out the present main, with the files of the server."""
        self.git.run("fetch", "--quiet", self.address(DEVELOPER[self.tenant]), "main")
        self.git.run("checkout", "--quiet", "--force", "-B", "main", "FETCH_HEAD")


@dataclass(frozen=True)
class MergeRequest:
    """An open merge request of a sample."""

    sample: Sample
    iid: int
    branch: str

    def seen_by(self, person: str = "") -> Any:
        """Return it as a person, by default the tenant's maintainer, sees it."""
        factory, sample = self.sample.factory, self.sample
        client = factory.server.client(factory.token(person or MAINTAINER[sample.tenant]))
        return client.projects.get(sample.project.id).mergerequests.get(self.iid)

    @property
    def pipeline(self) -> Pipeline:
        """Its newest pipeline."""
        found = max(one.id for one in self.seen_by().pipelines.list(get_all=True))
        made = Pipeline(self.sample.factory, self.sample.project, found)
        assert made.yaml_errors is None, made.yaml_errors
        return made

    def push(self, edit: Callable[[Path], object]) -> Pipeline:
        """Push another commit to its branch, and return the new pipeline."""
        self.sample.commit(f"Another change of {self.branch}", edit)
        address = self.sample.address(DEVELOPER[self.sample.tenant])
        self.sample.git.run("push", "--quiet", address, f"HEAD:refs/heads/{self.branch}")
        return self.pipeline

    def merge(self, person: str = "") -> Pipeline:
        """Merge it as the tenant's maintainer, and return the pipeline of main. Raises python-gitlab's refusal."""
        seen = self.seen_by(person)
        seen.merge()
        self.sample.main()
        return self.sample.pipeline(self.sample.git.run("rev-parse", "HEAD").strip(), ref="main")


class Jobs(dict[str, Done]):
    """Finished jobs by name. A job that did not run is an error that shows the pipeline."""

    def __init__(self, pipeline: Pipeline, done: dict[str, Done]) -> None:
        super().__init__(done)
        self._pipeline = pipeline

    def __missing__(self, name: str) -> Done:
        pipeline = self._pipeline
        raise AssertionError(f"{name} did not run in pipeline {pipeline.id}, {pipeline.status}: {pipeline.jobs()}")


@dataclass
class Pipeline:
    """A pipeline, whose jobs wait for a runner."""

    factory: Factory
    project: Any
    id: int
    done: dict[str, Done] = field(default_factory=dict)

    @property
    def _now(self) -> Any:
        return self.project.pipelines.get(self.id)

    @property
    def status(self) -> str:
        """Its state in GitLab."""
        return str(self._now.status)

    @property
    def yaml_errors(self) -> str | None:
        """The errors of its configuration."""
        found: str | None = self._now.yaml_errors
        return found

    def jobs(self) -> dict[str, str]:
        """Return the state of each of its jobs, in order."""
        found = self._now.jobs.list(get_all=True)
        return {job.name: job.status for job in sorted(found, key=lambda job: int(job.id))}

    def job(self, name: str) -> Any:
        """Return one of its jobs, as the administrator sees it."""
        (found,) = (job for job in self._now.jobs.list(get_all=True) if job.name == name)
        return self.project.jobs.get(found.id)

    def run(self, only: Iterable[str] | None = None) -> dict[str, Done]:
        """Run its jobs in their order; those that are not in `only` count as successful without a run.

        A runner takes the oldest job first, so the project's other pipelines are cancelled.
        """
        for other in self.project.pipelines.list(get_all=True):
            if other.id != self.id and other.status in _ACTIVE:
                other.cancel()
        with self.factory.runner(self.project) as runner:
            folder = self.factory.folder / "runner"
            done = JobRunner(runner, folder, folder / "home", self.factory.images).run(
                only=only,
                # The end of this pipeline may start another one: that of a merge.
                goes_on=lambda: self.status in _ACTIVE,
            )
        assert {job.pipeline_id for job in done.values()} <= {self.id}
        self.done |= done
        return Jobs(self, done)

    def play(self, name: str, person: str = "") -> Done:
        """Start a manual job as a person, by default the tenant's maintainer, and run it."""
        tenant = self.project.path_with_namespace.split("/")[1]
        client = self.factory.server.client(self.factory.token(person or MAINTAINER[tenant]))
        client.projects.get(self.project.id).jobs.get(self.job(name).id, lazy=True).play()
        return self.run()[name]
