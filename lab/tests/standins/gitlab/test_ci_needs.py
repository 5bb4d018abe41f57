"""The order of jobs by `needs`, and what they hand on: files, reports, variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import branch, commit, project_runner, variables
from lab.testing.gitlab_server import LiveGitLab
from lab.testing.job_runner import Done, JobRunner
from lab.testing.names import name


@pytest.fixture
def project(live: LiveGitLab, group: Any) -> Any:
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True})


def started(project: Any, text: str) -> Any:
    commit(project, {".gitlab-ci.yml": text}, message="[skip ci]")
    return project.pipelines.create({"ref": "main"})


def done(live: LiveGitLab, project: Any, folder: Path, text: str) -> dict[str, Done]:
    started(project, text)
    return JobRunner(project_runner(live, project), folder, folder / "home").run()


def test_a_job_starts_when_its_needs_have_ended(live: LiveGitLab, project: Any) -> None:
    runner = project_runner(live, project)
    text = """
stages: [build, test, deploy]
slow: {stage: build, script: [ok]}
quick: {stage: build, script: [ok]}
check: {stage: test, script: [ok], needs: [quick]}
scan: {stage: test, script: [ok], needs: []}
ship: {stage: deploy, script: [ok], needs: [check, {job: absent, optional: true}]}
end: {stage: deploy, script: [ok]}
"""
    pipeline = started(project, text)
    first = {job["job_info"]["name"]: job for job in (runner.must_take() for _ in range(3))}
    assert set(first) == {"slow", "quick", "scan"}
    assert runner.take() is None
    runner.finish(first["quick"])
    check = runner.must_take()
    assert check["job_info"]["name"] == "check"
    runner.finish(check)
    assert runner.must_take()["job_info"]["name"] == "ship", "`slow` of an earlier stage still runs"
    assert runner.take() is None
    runner.finish(first["scan"], "failed")
    runner.finish(first["slow"])
    states = {job.name: job.status for job in project.pipelines.get(pipeline.id).jobs.list(get_all=True)}
    assert (states["end"], states["ship"]) == ("skipped", "running")


def test_a_job_is_skipped_with_what_it_needs(live: LiveGitLab, project: Any) -> None:
    runner = project_runner(live, project)
    text = """
stages: [build, test]
fails: {stage: build, script: [ko]}
may: {stage: build, script: [ko], allow_failure: true}
by_hand: {stage: build, script: [ok], when: manual}
after_failure: {stage: test, script: [ok], needs: [fails]}
after_warning: {stage: test, script: [ok], needs: [may]}
after_hand: {stage: test, script: [ok], needs: [by_hand]}
cleaning: {stage: test, script: [ok], needs: [fails], when: always}
"""
    pipeline = project.pipelines.get(started(project, text).id)
    for _ in range(2):
        runner.finish(runner.must_take(), "failed")
    states = {job.name: job.status for job in pipeline.jobs.list(get_all=True)}
    assert (states["after_failure"], states["after_warning"], states["after_hand"], states["cleaning"]) == (
        *("skipped", "pending", "skipped", "pending"),
    )
    (by_hand,) = (job for job in pipeline.jobs.list(get_all=True) if job.name == "by_hand")
    project.jobs.get(by_hand.id, lazy=True).play()
    taken = [runner.must_take() for _ in range(3)]
    for job in taken:
        runner.finish(job)
    assert runner.must_take()["job_info"]["name"] == "after_hand", "a job that somebody plays wakes those that need it"


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ("a: {script: [ok], needs: [none]}", "a job: undefined need: none"),
        (
            "a: {script: [ok], stage: build, needs: [b]}\nb: {script: [ok]}",
            "a job: need b is not defined in current or prior stages",
        ),
        ("a: {script: [ok], dependencies: [none]}", "a job: undefined dependency: none"),
        (
            "b: {script: [ok]}\nc: {script: [ok], needs: [b], dependencies: [a]}\na: {script: [ok]}",
            "jobs:c dependencies the a should be part of needs",
        ),
        ("a: {script: [ok], needs: [b]}\nb: {script: [ok], needs: [a]}", "circular dependencies"),
        (
            "a: {script: [ok], needs: [b]}\nb: {script: [ok], rules: [{if: $NONE}]}",
            "'a' job needs 'b' job, but 'b' does not exist in the pipeline",
        ),
        ("a: {script: [ok], artifacts: {access: public}}", "artifacts access should be one of: none, developer"),
        (
            "a: {script: [ok], artifacts: {reports: {none: a}}}",
            "jobs:a:artifacts:reports config contains unknown keys: none",
        ),
        (
            "a: {script: [ok], artifacts: {reports: {coverage_report: {coverage_format: lcov, path: a}}}}",
            "coverage format must be one of supported formats: cobertura, jacoco",
        ),
        ("a: {script: [ok], coverage: '12%'}", "jobs:a:coverage config must be a regular expression"),
        ("a: {script: [ok], environment: {name: x, on_stop: b}}", "on_stop job b is not defined"),
    ],
)  # fmt: skip
def test_refused_configurations(project: Any, jobs: str, message: str) -> None:
    with pytest.raises(gitlab.GitlabError) as caught:
        started(project, jobs + "\nalways: {script: [ok]}\n")
    assert message in str(caught.value.error_message)


def test_files_and_variables_go_to_the_jobs_that_ask_for_them(
    live: LiveGitLab, project: Any, group: Any, tmp_path: Path
) -> None:
    group.variables.create({"key": "FIXED", "value": "of the group"})
    text = """
stages: [build, test]
one:
  stage: build
  script:
    - mkdir -p out/deep && echo 1 > out/deep/one.txt && echo x > out/left
    - printf 'VERSION=1.2\\nFIXED=changed\\n' > build.env
  artifacts: {paths: [out/], exclude: [out/left], reports: {dotenv: build.env}}
two: {stage: build, script: [echo 2 > two.txt], artifacts: {paths: [two.txt]}}
all: {stage: test, script: ['cat out/deep/one.txt two.txt', '! test -e out/left', 'echo "$VERSION $FIXED"']}
chosen: {stage: test, script: ['! test -e two.txt', 'echo "$VERSION"'], dependencies: [one]}
empty: {stage: test, script: ['! ls out two.txt', 'test -z "$VERSION"'], dependencies: []}
needs: {stage: test, script: ['! ls out two.txt', 'test -z "$VERSION"'], needs: [{job: one, artifacts: false}, two],
        dependencies: [one]}
"""
    found = done(live, project, tmp_path, text)
    for job in found.values():
        job.must()
    assert "1\n2\n1.2 of the group" in found["all"].log, "the group's variable wins"
    assert "1.2" in found["chosen"].log


def test_reports_and_coverage(live: LiveGitLab, project: Any, tmp_path: Path) -> None:
    text = """
unit:
  script:
    - mkdir r && echo '<testsuite/>' > r/TEST-a.xml && echo '<testsuite/>' > r/TEST-b.xml && echo '{}' > s.json
    - echo "TOTAL 10 2 55.5%"; echo "TOTAL 10 2 80%"
  coverage: '/TOTAL.*? (\\d+(?:\\.\\d+)?)%/'
  artifacts: {reports: {junit: 'r/TEST-*.xml', sast: s.json, secret_detection: none.json}}
raw: {script: ['echo 1 > a.json; echo 2 > b.json'], artifacts: {reports: {sast: '*.json'}}}
bad: {script: ['echo nothing > a.env'], artifacts: {reports: {dotenv: a.env}}}
"""
    found = done(live, project, tmp_path, text)
    assert found["unit"].missing == ("none.json",)
    found["raw"].fails("sast: only one file")
    found["bad"].fails("dotenv", "Invalid Format")
    pipeline = project.pipelines.get(project.pipelines.list()[0].id)
    (unit,) = (job for job in pipeline.jobs.list() if job.name == "unit")
    shown = project.jobs.get(unit.id)
    assert (shown.coverage, pipeline.coverage) == (80.0, "80.00")
    assert {one["file_type"] for one in shown.attributes["artifacts"]} == {"junit", "sast"}


def test_access_to_artifacts(live: LiveGitLab, project: Any, someone: Callable[[], Any], tmp_path: Path) -> None:
    text = "".join(
        f"{access}: {{script: [echo 1 > a.txt], artifacts: {{access: {access}, paths: [a.txt]}}}}\n"
        for access in ("all", "developer", "maintainer", "none")
    )
    done(live, project, tmp_path, text)
    pipeline = project.pipelines.get(project.pipelines.list()[0].id)
    jobs = {job.name: job.id for job in pipeline.jobs.list()}
    for level, expected in ((20, {"all"}), (30, {"all", "developer"}), (40, {"all", "developer", "maintainer"})):
        user, client = someone()
        project.members.create({"user_id": user.id, "access_level": level})
        mine = client.projects.get(project.id, lazy=True)
        for one in expected:
            assert mine.jobs.get(jobs[one], lazy=True).artifacts()[:2] == b"PK"
        for one in jobs.keys() - expected:
            with pytest.raises(gitlab.GitlabError) as caught:
                mine.jobs.get(jobs[one], lazy=True).artifacts()
            assert caught.value.response_code == 403, (level, one)


def test_an_upload_needs_the_job_s_token_while_it_runs(live: LiveGitLab, project: Any) -> None:
    runner = project_runner(live, project)
    started(project, "a: {script: [ok], artifacts: {paths: [a]}}\nb: {script: [ok]}\n")
    job, other = runner.must_take(), runner.must_take()
    artifact = job["artifacts"][0]
    assert runner.upload({**job, "token": other["token"]}, artifact, b"x").status_code == 403
    assert runner.upload(job, {**artifact, "artifact_format": "raw"}, b"x").status_code == 400
    assert runner.upload(job, artifact, b"x").status_code == 201
    assert runner.upload(job, artifact, b"y").status_code == 400
    assert runner.download({**job, "name": "a", "token": other["token"]}) == b"x"
    runner.finish(other)
    with pytest.raises(AssertionError, match="403"):
        runner.download({**job, "name": "a", "token": other["token"]})
    runner.finish(job)
    assert runner.upload(job, {**artifact, "artifact_type": "sast", "artifact_format": "raw"}, b"x").status_code == 403


def test_caches_of_protected_refs_and_of_maintainers_are_apart(live: LiveGitLab, project: Any, someone: Any) -> None:
    """A developer's branch fills no cache that a protected one reads; a maintainer's pipelines of any branch do."""
    runner = project_runner(live, project)
    user, developer = someone()
    project.members.create({"user_id": user.id, "access_level": 30})
    text = """
a:
  script: [ok]
  cache:
    - {key: $CI_COMMIT_REF_SLUG, paths: [x], fallback_keys: [main]}
    - {key: {files: [README.md]}, paths: [y]}
    - {key: main-protected, paths: [z], unprotect: true}
"""

    def caches(ref: str, client: Any) -> list[dict[str, Any]]:
        made = client.projects.get(project.id).pipelines.create({"ref": ref})
        job = runner.must_take()
        while variables(job)["CI_PIPELINE_ID"] != str(made.id):
            job = runner.must_take()
        found: list[dict[str, Any]] = job["cache"]
        return found

    started(project, text)
    protected = caches("main", live.root)
    branch(project, "change")
    other = caches("change", developer)
    assert (protected[0]["key"], other[0]["key"]) == ("main-protected", "change-non_protected")
    assert other[0]["fallback_keys"] == ["main-non_protected"]
    assert protected[1]["key"].replace("-protected", "") == other[1]["key"].replace("-non_protected", "")
    assert (protected[2]["key"], other[2]["key"]) == ("main-protected-non_protected",) * 2
    assert caches("change", live.root)[0]["key"] == "change-protected"
    project.ci_separated_caches = False
    project.save()
    assert caches("change", developer)[0]["key"] == "change"
