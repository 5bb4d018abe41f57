"""`usine-ci promote` and `follow` against the stand-in GitLab, with the bot's token and no other.

The stand-in applies GitLab's rules to the bot: a developer does not push to a protected branch, and a token without the
scope `api` merges and approves nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gitlab
import pytest
from usine_ci import infra
from usine_ci.cli import main

from lab.testing.ci_client import branch, commit
from lab.testing.git_client import Git, address, clone
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.names import name

PROMOTIONS = "api/dev=direct web/dev=direct web/qualif=merge-request api/prod=merge-request web/prod=merge-request"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
REVISION = "c" * 40


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab"), edition="premium") as server:
        yield server


@dataclass(frozen=True)
class Infra:
    """An infra repository with a chart, as the platform creates it, and the bot's token."""

    live: LiveGitLab
    project: Any
    token: str
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    def run(self, *arguments: str, **changes: str) -> int:
        """Run the command with the variables of a job."""
        variables = {
            "CI_SERVER_URL": self.live.url,
            "USINE_DEPLOY_REPOSITORY": self.project.path_with_namespace,
            "USINE_DEPLOY_PATH": "chart",
            "USINE_PROMOTIONS": PROMOTIONS,
            "DEPLOY_TOKEN": self.token,
            "no_proxy": "*",
            **changes,
        }
        for key, value in variables.items():
            self.monkeypatch.setenv(key, value)
        return main(arguments)

    def promote(self, app: str, digest: str, *more: str, **changes: str) -> int:
        image = f"registry.example.test/tenant/{app}"
        given = ("--app", app, "--image", image, "--digest", digest, "--revision", REVISION)
        return self.run("promote", *given, *more, **changes)

    def text(self, path: str, ref: str) -> str | None:
        """Return a file of a branch."""
        try:
            content: bytes = self.project.files.get(path, ref=ref).decode()
        except gitlab.GitlabGetError:
            return None
        return content.decode()

    def digest(self, app: str, environment: str, ref: str) -> str:
        """Return the digest in an application's value file; empty if there is none."""
        text = self.text(f"chart/images/{environment}/{app}.yaml", ref) or ""
        return next((d for d in (OLD, NEW) if d in text), "")

    def requests(self, **given: Any) -> list[Any]:
        return list(self.project.mergerequests.list(get_all=True, **given))

    def branches(self) -> Mapping[str, str]:
        listed = Git(self.folder).run(
            "ls-remote", address(self.live, self.project, password=ROOT_TOKEN), "refs/heads/*"
        )
        pairs = (line.split("\t") for line in listed.splitlines())
        return {ref.removeprefix("refs/heads/"): sha for sha, ref in pairs}


@pytest.fixture
def made(live: LiveGitLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Infra:
    group = live.root.groups.create({"name": name("t"), "path": name("t")})
    project = live.root.projects.create({"name": "deploy", "namespace_id": group.id, "initialize_with_readme": True})
    commit(project, {"chart/Chart.yaml": "name: chart\n", "chart/values.yaml": "replicas: 1\n"})
    bot = {"name": "usine-deploy", "scopes": ["write_repository"], "access_level": 30, "expires_at": "2027-01-31"}
    token = project.access_tokens.create(bot).token
    return Infra(live, live.root.projects.get(project.id), token, monkeypatch, tmp_path)


def test_direct_writes_the_branch_of_the_environment(made: Infra, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.promote("api", OLD, "--environment", "dev") == 0
    assert made.digest("api", "dev", "deploy/dev") == OLD
    assert made.text("chart/values.yaml", "deploy/dev") == "replicas: 1\n", "the chart comes along"
    assert made.digest("api", "dev", "main") == ""
    assert "dev (direct): deploy/dev is at" in capsys.readouterr().out
    before = made.branches()
    assert made.promote("api", OLD, "--environment", "dev") == 0
    assert made.branches() == before, "the same image changes nothing"
    assert "it has this image already" in capsys.readouterr().out
    assert {p.status for p in made.project.pipelines.list(ref="deploy/dev")} <= {"skipped"}, "nothing to build"


def test_the_branch_keeps_other_applications_and_its_history(made: Infra) -> None:
    made.promote("api", OLD, "--environment", "dev")
    first = made.branches()["deploy/dev"]
    made.promote("web", OLD, "--environment", "dev")
    commit(made.project, {"chart/values.yaml": "replicas: 2\n"})
    made.promote("api", NEW, "--environment", "dev")
    assert (made.digest("api", "dev", "deploy/dev"), made.digest("web", "dev", "deploy/dev")) == (NEW, OLD)
    assert made.text("chart/values.yaml", "deploy/dev") == "replicas: 2\n"
    git = clone(made.live, made.project, made.folder / "clone", ROOT_TOKEN)
    journal = git.run("log", "--first-parent", "--format=%H %s", "origin/deploy/dev").splitlines()
    assert f"{first} Deploy api to dev: {OLD[:19]}" in journal, "the branch is never rewritten"
    assert journal[0].endswith(f"Deploy api to dev: {NEW[:19]}")


def test_back_is_the_same_job_with_an_older_digest(made: Infra) -> None:
    for digest in (OLD, NEW, OLD):
        assert made.promote("api", digest) == 0
        assert made.digest("api", "dev", "deploy/dev") == digest
        assert made.digest("api", "prod", "promote/api/prod") == digest
    assert len(made.requests()) == 1


def test_production_gets_one_merge_request_which_people_merge(made: Infra, capsys: pytest.CaptureFixture[str]) -> None:
    main_before = made.branches()["main"]
    made.promote("api", OLD)
    assert f"prod (merge-request): {made.live.url}/{made.project.path_with_namespace}/-/merge_requests/1" in (
        capsys.readouterr().out
    )
    made.promote("api", NEW)
    (request,) = made.requests()
    assert (request.state, request.target_branch, request.source_branch) == ("opened", "main", "promote/api/prod")
    assert (request.title, request.sha) == (
        f"Promote api to prod: {NEW[:19]}",
        made.branches()["promote/api/prod"],
    )
    assert made.branches()["main"] == main_before
    whole = made.project.mergerequests.get(request.iid)
    assert whole.changes_count == "1"
    assert f"registry.example.test/tenant/api@{NEW}" in whole.description.splitlines()[0]
    whole.merge()
    assert made.digest("api", "prod", "main") == NEW
    capsys.readouterr()
    assert made.promote("api", NEW, "--environment", "prod") == 0
    assert "the default branch has this image already" in capsys.readouterr().out
    assert "promote/api/prod" not in made.branches(), "nothing is left to merge"
    assert len(made.requests()) == 1


def test_two_applications_do_not_conflict_in_production(made: Infra) -> None:
    made.promote("api", OLD, "--environment", "prod")
    made.promote("web", NEW, "--environment", "prod")
    for request in made.requests():
        made.project.mergerequests.get(request.iid).merge()
    assert (made.digest("api", "prod", "main"), made.digest("web", "prod", "main")) == (OLD, NEW)


def test_promotions_at_the_same_time_lose_nothing(made: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another promotion is faster, between the fetch of this one and its push."""
    pushed = threading.Event()
    true = infra.InfraRepository.push

    def late(self: Any, *given: Any, **more: Any) -> Any:
        if not pushed.is_set():
            pushed.set()
            assert made.promote("web", OLD, "--environment", "dev") == 0
        return true(self, *given, **more)

    monkeypatch.setattr(infra.InfraRepository, "push", late)
    assert made.promote("api", NEW, "--environment", "dev") == 0
    assert (made.digest("api", "dev", "deploy/dev"), made.digest("web", "dev", "deploy/dev")) == (NEW, OLD)


def test_follow_brings_the_default_branch_and_removes_what_is_over(
    made: Infra, capsys: pytest.CaptureFixture[str]
) -> None:
    made.promote("api", OLD)
    made.promote("web", OLD)
    commit(made.project, {"chart/values.yaml": "replicas: 3\n"})
    branch(made.project, "promote/web/other")  # made by a person
    assert made.run("follow") == 0
    assert made.text("chart/values.yaml", "deploy/dev") == "replicas: 3\n"
    assert (made.digest("api", "dev", "deploy/dev"), made.digest("web", "dev", "deploy/dev")) == (OLD, OLD)
    assert len(made.requests(state="opened")) == 3, "open promotions stay"
    merged = next(one for one in made.requests() if one.source_branch == "promote/api/prod")
    made.project.mergerequests.get(merged.iid).merge()
    assert made.run("follow", USINE_PROMOTIONS=PROMOTIONS.replace("web/qualif=merge-request ", "")) == 0
    assert {b for b in made.branches() if b.startswith("promote/")} == {"promote/web/prod", "promote/web/other"}
    states = {one.source_branch: one.state for one in made.requests()}
    assert states == {"promote/api/prod": "merged", "promote/web/qualif": "closed", "promote/web/prod": "opened"}
    capsys.readouterr()
    before = made.branches()
    assert made.run("follow") == 0
    assert made.branches() == before
    assert "dev: up to date" in capsys.readouterr().out


def test_the_first_run_creates_the_branch(made: Infra) -> None:
    assert made.run("follow") == 0
    assert made.branches()["deploy/dev"] != made.branches()["main"]
    assert made.text("chart/values.yaml", "deploy/dev") == "replicas: 1\n"


def test_the_token_reaches_no_protected_branch_and_approves_nothing(made: Infra, tmp_path: Path) -> None:
    """What a malicious dependency of a build could do with it."""
    made.promote("api", OLD)
    git = clone(made.live, made.project, tmp_path / "thief", made.token)
    git.write("evil", evil="x")
    assert "not allowed to push code to protected branches" in git.run("push", "origin", "HEAD:main", fails=True)
    made.project.protectedtags.create({"name": "v*", "create_access_level": 40})
    assert "not allowed to create this tag" in git.run("push", "origin", "HEAD:refs/tags/v9", fails=True)
    option = "merge_request.merge_when_pipeline_succeeds"
    git.run("push", "-o", "merge_request.create", "-o", option, "origin", "HEAD:refs/heads/promote/api/prod", "--force")
    assert "evil" not in [one["name"] for one in made.project.repository_tree(ref="main")]
    with made.live.http(made.token) as http:
        base = f"/projects/{made.project.id}"
        for method, path in (
            ("PUT", f"{base}/merge_requests/1/merge"),
            ("POST", f"{base}/merge_requests/1/approve"),
            ("GET", f"{base}/variables"),
            ("POST", f"{base}/pipeline?ref=main"),
            ("DELETE", f"{base}/protected_branches/main"),
        ):
            answer = http.request(method, path)
            assert answer.status_code == 403, (method, path, answer.text)
            assert "insufficient_scope" in answer.text
    other = made.live.root.projects.create({"name": name("other")})
    git.run("push", address(made.live, other, password=made.token), "HEAD:refs/heads/x", fails=True)


def test_a_protected_branch_of_the_environment_is_refused_with_the_reason(
    made: Infra, capsys: pytest.CaptureFixture[str]
) -> None:
    made.project.protectedbranches.create({"name": "deploy/*", "push_access_level": 40, "merge_access_level": 40})
    assert made.promote("api", OLD, "--environment", "dev") == 2
    said = capsys.readouterr().err
    assert said.startswith("deploy/dev: the push was refused: ")
    assert "You are not allowed to create protected branches" in said


@pytest.mark.parametrize(
    ("changes", "more", "says"),
    [
        ({"DEPLOY_TOKEN": ""}, (), "the job has no DEPLOY_TOKEN"),
        ({"DEPLOY_TOKEN": "glpat-unknown-marker-0123456789"}, (), "git fetch: "),
        ({"USINE_PROMOTIONS": "api/dev"}, (), "USINE_PROMOTIONS: api/dev: expected"),
        ({"USINE_PROMOTIONS": "web/dev=direct"}, (), "no promotion of api is declared"),
        ({}, ("--environment", "prood"), "api is not promoted to prood: did you mean prod?"),
        ({}, ("--digest", "latest"), "the image's digest is expected"),
        ({}, ("--image", "UPPER/x"), "the image's repository is expected"),
        ({}, ("--revision", "x\n/merge"), "the commit is expected"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_pushed(
    made: Infra,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    more: tuple[str, ...],
    says: str,
) -> None:
    before = made.branches()
    assert made.promote("api", OLD, *more, **changes) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert "marker" not in said
    assert made.branches() == before
