"""The preset `infra` with the real helm and schemas: an empty repository, a chart, and each flaw of the example.

Its jobs need no Vault, so a stand-in GitLab in this process is enough: the project has the variables of the program.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gitlab
import pytest

from components.gitlab.repository import deployment_variables
from lab.parts import tools
from lab.testing.ci_client import project_runner
from lab.testing.git_client import Git, address
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.job_runner import Done, JobRunner
from lab.testing.names import name
from model.naming import names_of
from model.repository import Deployment, Deploys, Promotion, Revision
from tests import factories

# It needs parts of the lab, which take minutes to make.
pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "infra"
#: The jobs of this preset; those of `jobs/security.yml` have tests of their own.
JOBS = ("render", "schema", "policy", "difference")
REGISTRY = "registry.example.test"

_DEPLOYS = Deploys("deploy", {"dev": Promotion.DIRECT, "prod": Promotion.MERGE_REQUEST})
_DEPLOY = dataclasses.replace(
    factories.infra(), deployment=Deployment("charts/atelier", ("values.yaml", "values-<env>.yaml"), Revision("main"))
)
TENANT = factories.tenant(
    "atelier", repositories=(dataclasses.replace(factories.app("python"), deploys=_DEPLOYS), _DEPLOY)
)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    """A GitLab with the catalogue of this checkout."""
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        group = server.root.groups.create({"name": "platform", "path": "platform", "visibility": "internal"})
        content = {"name": "catalogue", "namespace_id": group.id, "visibility": "internal"}
        project = server.root.projects.create(content)
        actions = [
            {"action": "create", "file_path": file.relative_to(ROOT / "catalogue").as_posix(), "content": text}
            for file in sorted((ROOT / "catalogue").rglob("*.yml"))
            if (text := file.read_text(encoding="utf-8").replace("$USINE_TOOLS_IMAGE", "tools"))
        ]
        project.commits.create({"branch": "main", "commit_message": "Publish", "actions": actions})
        yield server


@dataclass(frozen=True)
class Repository:
    """An infra repository with the first file of the platform."""

    live: LiveGitLab
    project: Any
    folder: Path

    @property
    def git(self) -> Git:
        return Git(self.folder / "clone")

    def change(self, branch: str, edit: Callable[[Path], object]) -> tuple[Any, dict[str, Done]]:
        """Open a merge request with an edit, run its pipeline, and return both."""
        clone = self.folder / "clone"
        url = address(self.live, self.project, password=ROOT_TOKEN)
        if not clone.exists():
            clone.mkdir()
            self.git.run("clone", "--quiet", url, ".")
        self.git.run("fetch", "--quiet", url, "main")
        self.git.run("checkout", "--quiet", "--force", "-B", branch, "FETCH_HEAD")
        edit(clone)
        self.git.run("add", "--all")
        self.git.run("commit", "--quiet", "--message", branch)
        self.git.run("push", "--quiet", url, f"HEAD:refs/heads/{branch}", "--push-option=ci.skip")
        content = {"source_branch": branch, "target_branch": "main", "title": branch}
        request = self.project.mergerequests.create(content)
        runner = project_runner(self.live, self.project, tag_list=["unprotected"])
        image = tools.environment(self.folder / "home", ["helm", "kubernetes-validate"])
        done = JobRunner(runner, self.folder / "runner", self.folder / "home", image).run(only=JOBS)
        return self.project.mergerequests.get(request.iid), done


@pytest.fixture
def repository(live: LiveGitLab, tmp_path: Path) -> Repository:
    group = live.root.groups.create({"name": name("t"), "path": name("t")})
    content = {"name": "deploy", "namespace_id": group.id, "only_allow_merge_if_pipeline_succeeds": True}
    project = live.root.projects.create(content)
    include = "include: [{project: platform/catalogue, ref: main, file: /templates/infra.yml}]\n"
    first = [{"action": "create", "file_path": ".gitlab-ci.yml", "content": include}]
    project.commits.create({"branch": "main", "commit_message": "Start [skip ci]", "actions": first})
    variables = {"USINE_TENANT": names_of(TENANT).slug, "REGISTRY_HOST": REGISTRY}
    for key, value in {**variables, **deployment_variables(TENANT, _DEPLOY, "tenants")}.items():
        project.variables.create({"key": key, "value": value, "raw": True})
    return Repository(live, live.root.projects.get(project.id), tmp_path)


def chart(folder: Path, flaw: str | None = None) -> None:
    """Copy the example's chart, and one of its flaws over it."""
    shutil.copytree(EXAMPLE / "charts", folder / "charts", dirs_exist_ok=True)
    if flaw is not None:
        shutil.copytree(EXAMPLE / "flaws" / flaw, folder, dirs_exist_ok=True)


def note(folder: Path) -> None:
    (folder / "NOTES.md").write_text("Later.\n", encoding="utf-8")


def replicas(folder: Path) -> None:
    (folder / "charts/atelier/values-prod.yaml").write_text("replicas: 5\n", encoding="utf-8")


def test_a_repository_without_a_chart_is_green(repository: Repository) -> None:
    request, done = repository.change("note", note)
    assert set(done) == set(JOBS)
    for job in done.values():
        job.must()
    assert "charts/atelier has neither a chart nor manifests: nothing to deploy yet" in done["render"].log
    assert "0 environments checked, 0 problems" in done["policy"].log
    assert "nothing to deploy, before and after" in done["difference"].log
    request.merge()


def test_a_chart_is_rendered_checked_and_compared(repository: Repository) -> None:
    request, done = repository.change("chart", chart)
    for job in done.values():
        job.must()
    rendered = done["render"].read("paths/rendered/prod.yaml")
    assert "replicas: 3" in rendered
    assert f'"{REGISTRY}/atelier/python@sha256:{"0" * 64}"' in rendered, "it was never promoted"
    assert "2 environments checked, 0 problems" in done["policy"].log
    assert "INFO rendered/prod.yaml passed for resource deployment/parcel against version 1.36" in done["schema"].log
    assert "  added    Deployment parcel" in done["difference"].log
    request.merge()
    # What is promoted directly is in the branch of the environment.
    promoted = f"images: {{python: {{repository: {REGISTRY}/atelier/python, digest: 'sha256:{'d' * 64}'}}}}\n"
    action = {"action": "create", "file_path": "charts/atelier/images/dev/python.yaml", "content": promoted}
    repository.project.commits.create(
        {"branch": "deploy/dev", "start_branch": "main", "commit_message": "[skip ci]", "actions": [action]}
    )
    _, done = repository.change("replicas", replicas)
    assert f"python@sha256:{'d' * 64}" in done["render"].must().read("paths/rendered/dev.yaml")
    assert "dev: no object changes\nprod: 1 objects change\n  changed  Deployment parcel" in done["difference"].log
    assert "-  replicas: 3\n+  replicas: 5\n" in done["difference"].read("paths/difference/prod.diff")


@pytest.mark.parametrize(
    ("flaw", "job", "says"),
    [
        ("schema", "schema", "Additional properties are not allowed ('targetport' was unexpected)"),
        ("volume", "policy", "Deployment parcel: volume node: the type hostPath is not allowed"),
        ("tag", "policy", "atelier/python:latest has no digest; a tag can be moved"),
    ],
)
def test_a_flaw_is_found_by_its_job_only(repository: Repository, flaw: str, job: str, says: str) -> None:
    request, done = repository.change(flaw, lambda folder: chart(folder, flaw))
    done[job].fails(says)
    assert {one.name for one in done.values() if one.exit_code != 0} == {job}
    with pytest.raises(gitlab.GitlabMRClosedError):
        request.merge()
