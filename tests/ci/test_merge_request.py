"""Runs the script of every merge request job as written, on the stand-in GitLab: members, forks, errors."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.ci.conftest import Repository, no_secret_in, person

JOBS = ("check", "rules", "diff", "comment")


def dev(settings: str) -> Callable[[Path], None]:
    """Return an edit of the environment dev of petitions."""

    def edit(folder: Path) -> None:
        file = folder / "projects.d" / "petitions.yaml"
        text, count = re.subn(r"(?m)^  dev: \{[^\n]*$", f"  dev: {settings}", file.read_text(encoding="utf-8"))
        assert count == 1
        file.write_text(text, encoding="utf-8")

    return edit


def quota(cpu: int) -> Callable[[Path], None]:
    """Change a quota."""
    return dev(f"{{quota: {{cpu: {cpu}}}}}")


def notes(request: Any) -> list[str]:
    return [one.body for one in request.notes.list(get_all=True) if not one.system]


def test_a_member_gets_a_comment_with_the_changes(repository: Repository, tmp_path: Path) -> None:
    repository.change("quota", quota(3))
    request = repository.open("quota")
    done = repository.run(tmp_path / "first", only=JOBS)
    assert set(done) == set(JOBS)
    for job in done.values():
        job.must()
    assert "comment posted" in done["comment"].log
    (body,) = notes(request)
    assert body.startswith("<!-- usine:diff -->\n")
    assert "petitions" in body

    diff = done["diff"]
    numbers = json.loads(diff.read("reports/out/diff-terraform.json"))
    assert numbers["update"] >= 1
    assert (numbers["create"], numbers["delete"]) == (0, 0)
    assert {entry["tenant"] for entry in json.loads(diff.read("paths/out/diff.json"))["entries"]} == {"petitions"}
    assert diff.read("paths/out/diff.md").startswith("<!-- usine:diff -->")
    assert "petitions" in diff.read("paths/out/diff.html")
    assert isinstance(json.loads(done["rules"].read("reports/out/rules-quality.json")), list)
    assert json.loads(done["check"].read("reports/out/check-quality.json")) == []
    assert ElementTree.fromstring(done["rules"].read("reports/out/rules.xml")).tag == "testsuites"  # noqa: S314 - ours

    # Only the job that needs the token gets it, and no output shows it.
    assert [job.name for job in done.values() if repository.bot in job.secrets] == ["comment"]
    no_secret_in(done)

    repository.change("quota", quota(2))
    again = repository.run(tmp_path / "second", only=JOBS)
    assert "comment updated" in again["comment"].must().log
    (other,) = notes(request)
    assert other != body
    no_secret_in(again)


def test_a_pipeline_of_a_fork_succeeds_without_secrets(repository: Repository, tmp_path: Path) -> None:
    """The pipeline runs in the fork. A member who has reviewed the change then runs one here, which comments."""
    member = person(repository.live, "idris.diallo")
    repository.project.members.create({"user_id": member.id, "access_level": 20})
    fork = member.client.projects.get(member.client.projects.get(repository.project.id).forks.create({}).id)
    repository.change("theirs", quota(2), fork, member)
    request = repository.open("theirs", fork, member)

    done = repository.run(tmp_path / "fork", fork, only=JOBS)
    assert set(done) == set(JOBS)
    for job in done.values():
        job.must()
        assert repository.bot not in job.secrets
    assert (
        done["comment"].log.splitlines()[-1].startswith("usine comment: nothing posted: USINE_GITLAB_TOKEN is not set")
    )
    assert notes(request) == []
    assert "petitions" in done["diff"].read("paths/out/diff.md")

    repository.owner.client.projects.get(repository.project.id).mergerequests.get(request.iid).pipelines.create()
    here = repository.run(tmp_path / "here", only=JOBS)
    assert "comment posted" in here["comment"].must().log
    assert len(notes(request)) == 1
    no_secret_in(here)


def test_an_error_is_shown_at_its_line(repository: Repository, tmp_path: Path) -> None:
    repository.change("mistake", dev("{stage: devel}"))
    request = repository.open("mistake")
    done = repository.run(tmp_path / "run", only=JOBS)
    assert (done["check"].exit_code, done["diff"].exit_code, done["rules"].exit_code) == (1, 1, 1)
    (line,) = [one for one in done["check"].log.splitlines() if one.startswith("projects.d/")]
    assert "did you mean dev?" in line
    (finding,) = json.loads(done["check"].read("reports/out/check-quality.json"))
    assert line.startswith(f"{finding['location']['path']}:{finding['location']['lines']['begin']}:")
    assert done["comment"].exit_code == 0, done["comment"].log
    (body,) = notes(request)
    assert "did you mean dev?" in body.replace("`", "")
    assert request.pipelines.list()[0].status == "failed"
    no_secret_in(done)


def test_a_refused_change_fails_one_job(repository: Repository, tmp_path: Path) -> None:
    def edit(folder: Path) -> None:
        (folder / "projects.d" / "petitions.yaml").unlink()

    repository.change("gone", edit)
    request = repository.open("gone")
    done = repository.run(tmp_path / "run", only=JOBS)
    assert (done["rules"].exit_code, done["diff"].exit_code) == (3, 3)
    pipeline = repository.project.pipelines.get(request.pipelines.list()[0].id)
    states = {job.name: (job.status, job.allow_failure) for job in pipeline.jobs.list(get_all=True)}
    assert states["rules"] == ("failed", False)
    assert states["diff"] == ("failed", True), "its exit code is allowed"
    assert "comment posted" in done["comment"].must().log
    assert done["diff"].missing == ()
    (body,) = notes(request)
    assert "Refused by the rules" in body
    assert "data-destruction" in body
    no_secret_in(done)


def test_jobs_for_the_program_run_as_written(repository: Repository, tmp_path: Path) -> None:
    """Uses a small program: linting, checking and testing the whole one here would take too long."""
    repository.change("program", small)
    repository.open("program")
    jobs = ("lint", "type-check", "tests", "lab-tests")
    done = repository.run(tmp_path / "run", only=jobs)
    assert set(done) == set(jobs)
    for job in done.values():
        job.must()
    assert "All checks passed!" in done["lint"].log
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done["lint"].log)
    assert "Success: no issues found in" in done["type-check"].log
    for name in ("tests", "lab-tests"):
        assert re.search(r"^=+ [1-9]\d* passed in ", done[name].log, re.MULTILINE)
    no_secret_in(done)


def small(folder: Path) -> None:
    """Keep one module and one test module of the program, and one test module of the lab."""
    for found in (folder / "lab" / "tests").iterdir():
        if found.is_dir() and found.name != "platform":
            shutil.rmtree(found)
    for found in (folder / "lab" / "tests" / "platform").glob("test_*.py"):
        if found.name != "test_settings.py":
            found.unlink()
    for found in (folder / "tests").iterdir():
        if found.is_dir() and found.name != "cli":
            shutil.rmtree(found)
    for path in ("cli/test_plan.py", "test_run.py"):
        (folder / "tests" / path).unlink()
    settings = folder / "pyproject.toml"
    checked = 'files = ["pulumi_facts/data_bearing.py"]'
    text, count = re.subn(r"(?m)^files = \[[^\n]*$", checked, settings.read_text("utf-8"))
    assert count == 1
    settings.write_text(text, encoding="utf-8")
