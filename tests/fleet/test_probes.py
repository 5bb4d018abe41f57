"""Pipelines that a wave waits for: what counts, answers that cannot be trusted, and the commands with a GitLab."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.testing.ci_client import Runner, commit, project_runner
from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from tests.fleet.fake import Fake
from usine.clients.base import ApiClient, Json
from usine.clients.gitlab import GitLabClient
from usine.fleet.probes import read_probe
from usine.fleet.records import ProbeRecord, ProbeResult
from usine.fleet.waves import Probe

AFTER = datetime.datetime(2026, 11, 30, 9, tzinfo=datetime.UTC)
PROBE = Probe("chain", AFTER)
GOOD: Mapping[str, Any] = {
    "id": 7, "status": "success", "ref": "main", "source": "schedule", "tag": False,
    "created_at": "2026-11-30T10:00:01.250+01:00",
}  # fmt: skip
CREATED = datetime.datetime(2026, 11, 30, 9, 0, 1, 250000, datetime.UTC)


@dataclass
class Answers(GitLabClient):
    """A GitLab that answers with these pipelines, whatever is asked for."""

    found: list[Any]
    paths: list[str] = field(default_factory=list)
    instead: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        ApiClient.__init__(self, "GitLab")

    def pages(self, path: str, *, of: str | None = None, **query: str) -> Iterator[Json]:
        self.paths.append(path)
        assert (of, query["scope"], query["updated_after"]) == (None, "finished", "2026-11-30T09:00:00+00:00")
        yield from self.found

    def get(self, path: str, **query: str) -> Json:
        self.paths.append(path)
        assert not query
        number = path.rpartition("/")[2]
        asked = (one for one in self.found if isinstance(one, Mapping) and str(one.get("id")) == number)
        return self.instead or next(asked, None)


def read(*found: Any) -> ProbeRecord | None:
    return read_probe(Answers(list(found)), "tenants/gamma/chain", "main", PROBE)


def test_the_newest_finished_pipeline_is_the_result() -> None:
    client = Answers([{**GOOD, "id": 9, "status": "failed"}, GOOD])
    found = read_probe(client, "tenants/gamma/chain", "main", PROBE)
    assert found == ProbeRecord("chain", 9, CREATED, ProbeResult.FAILED)
    assert client.paths == [f"projects/tenants%2Fgamma%2Fchain/pipelines{end}" for end in ("", "/9")]
    assert read(GOOD) == ProbeRecord("chain", 7, CREATED, ProbeResult.SUCCESS)


@pytest.mark.parametrize("status", ["canceled", "skipped", "running", "SUCCESS", "", None, 3, ["success"]])
def test_any_other_status_is_no_success(status: object) -> None:
    found = read({**GOOD, "status": status})
    assert found is not None
    assert found.result is (ProbeResult.CANCELED if status == "canceled" else ProbeResult.UNKNOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": "2026-11-30T09:00:00.000Z"},
        {"created_at": "2026-11-30T10:00:00"},
        {"created_at": None},
        {"created_at": ["2026-12-01"]},
        {"tag": True},
        {"tag": None},
        {"ref": "refs/merge-requests/1/head"},
        {"ref": None},
        *(
            {"source": source}
            for source in ("external", "trigger", "pipeline", "merge_request_event", "new", None, 1, ["push"])
        ),
        *({"id": number} for number in (0, -7, True, "7", "7/../8", 7.0, None)),
    ],
    ids=str,
)
def test_what_a_developer_can_start_or_a_server_invent_does_not_count(change: Mapping[str, object]) -> None:
    assert read({**GOOD, **change}) is None
    assert read("x", None, [GOOD], {**GOOD, **change}, {**GOOD, "id": 6}) == ProbeRecord(
        "chain", 6, CREATED, ProbeResult.SUCCESS
    )


def test_the_answer_about_one_pipeline_decides() -> None:
    client = Answers([GOOD], instead={**GOOD, "id": 8})
    assert read_probe(client, "tenants/gamma/chain", "main", PROBE) is None


def test_pipelines_of_a_developer_cannot_make_a_scan_endless() -> None:
    client = Answers([{**GOOD, "id": number, "tag": True} for number in range(900, 600, -1)] + [GOOD])
    assert read_probe(client, "tenants/gamma/chain", "main", PROBE) is None
    assert len(client.paths) == 51


# With a GitLab -------------------------------------------------------------------------------------------------------


@dataclass
class Canary:
    """The repository `api` of the tenant gamma in a GitLab, with a runner, and the fleet that waits for it."""

    fleet: Fake
    project: Any
    runner: Runner

    def pipeline(self, state: str) -> int:
        """Run a pipeline of the default branch as the platform, and return its id."""
        made = self.project.pipelines.create({"ref": "main"})
        self.runner.finish(self.runner.must_take(), state)
        return int(made.id)


@pytest.fixture
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture
def canary(fleet: Fake, live: LiveGitLab, monkeypatch: pytest.MonkeyPatch) -> Canary:
    root = live.root.groups.create({"name": "tenants", "path": "tenants"})
    group = live.root.groups.create({"name": "gamma", "path": "gamma", "parent_id": root.id})
    project = live.root.projects.create({"name": "api", "namespace_id": group.id, "initialize_with_readme": True})
    commit(project, {".gitlab-ci.yml": "chain: {script: [x]}\n"}, message="[skip ci]")
    endpoints = yaml.safe_load(fleet.settings.read_text(encoding="utf-8"))["config"]["usine:endpoints"]
    waves = {"waves": [{"tenants": ["gamma"], "probe": "api"}], "scanned": False}
    fleet.settle(**{"usine:endpoints": {**endpoints, "gitlab": {"url": live.url}}, "usine:fleet": waves})
    monkeypatch.setenv("GITLAB_TOKEN", live.token)
    return Canary(fleet, project, project_runner(live, project))


def test_a_wave_waits_for_the_pipeline_of_the_one_before(
    canary: Canary, live: LiveGitLab, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = canary.fleet

    def drift() -> str:
        capsys.readouterr()
        assert fleet.run("drift", "--share", "0.1") == 0
        return capsys.readouterr().out

    def planned() -> str:
        assert fleet.run("plan") == 0
        return capsys.readouterr().out

    assert fleet.run("up") == 0
    canary.pipeline("success")  # before the change reaches the tenant
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    assert fleet.run("up") == 0
    fleet.calls()
    assert "gamma: no finished pipeline of tenants/gamma/api since its run" in drift()
    assert "3 stacks waiting, wave 1 comes first: no finished pipeline since its run: gamma/api: " in planned()
    # A tag with the name of the branch, from the time when another one was the default branch: GitLab refuses it now.
    commit(canary.project, {"a": "a", ".gitlab-ci.yml": "none: {script: [x]}\n"}, branch="side", start_branch="main")
    canary.runner.finish(canary.runner.must_take())
    for default in ("side", "main"):
        canary.project.default_branch = default
        canary.project.save()
        if default == "side":
            canary.project.tags.create({"tag_name": "main", "ref": "side"})
    canary.runner.finish(canary.runner.must_take())
    newest = canary.project.pipelines.list(ref="main")[0]
    assert (newest.ref, newest.source, newest.status) == ("main", "push", "success")
    assert "no finished pipeline of tenants/gamma/api" in drift()
    canary.project.tags.delete("main")
    failed = canary.pipeline("failed")
    assert f"gamma: pipeline {failed} of tenants/gamma/api failed" in drift()
    assert f"wave 1 comes first: pipeline {failed} of gamma/api failed: " in planned()
    fleet.calls()
    assert fleet.run("up") == 0
    assert fleet.calls() == []
    passed = canary.pipeline("success")
    shown = drift()
    assert f"gamma: pipeline {passed} of tenants/gamma/api succeeded" in shown
    fleet.calls()
    assert fleet.run("up") == 0
    assert sorted(fleet.calls()) == ["prod.alpha up", "prod.beta up", "prod.delta up"]
    assert "api" not in drift(), "no wave waits any more"
    assert live.token not in shown + "".join(_records(fleet.root))


def test_a_gitlab_that_refuses_leaves_the_wave_waiting(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = canary.fleet
    assert fleet.run("up") == 0
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    assert fleet.run("up") == 0
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-of-somebody-else")
    code, report = fleet.report("drift")
    (notice,) = (notice for notice in report.notices if notice.rule == "could-not-look")
    assert (code, notice.tenant) == (1, "gamma")
    assert notice.text == (
        "the pipelines of tenants/gamma/api could not be read: "
        "GitLab refused GET projects/tenants%2Fgamma%2Fapi/pipelines: HTTP 401"
    )
    path = fleet.root / "status.json"
    assert fleet.run("status", "--json", str(path)) == 0
    pending = {row["tenant"]: row["pending"] for row in json.loads(path.read_text(encoding="utf-8"))}
    why = "wave 1 comes first: no finished pipeline since its run: gamma/api"
    assert pending["beta"] == f"the program changed; {why}"


def _records(root: Path) -> Iterator[str]:
    for path in (root / ".usine").rglob("*.json"):
        yield path.read_text(encoding="utf-8")
