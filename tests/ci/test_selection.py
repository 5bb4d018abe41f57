"""Which jobs run when: no event has two pipelines, and only the default branch runs jobs of the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ci.conftest import Repository

ON_CHANGES = {"check", "rules", "diff", "comment"}
OF_THE_PROGRAM = {"lint", "type-check", "tests", "lab-tests"}


def pipelines(project: Any) -> list[tuple[str, set[str]]]:
    """Return the source and the jobs of every pipeline, oldest first."""
    found = project.pipelines.list(get_all=True, sort="asc", order_by="id")
    return [(one.source, {job.name for job in one.jobs.list(get_all=True)}) for one in found]


def touch(folder: Path, file: str = "petitions.yaml") -> None:
    with (folder / "projects.d" / file).open("a", encoding="utf-8") as stream:
        stream.write("# more\n")


def test_each_event_has_its_jobs(repository: Repository) -> None:
    project = repository.project
    repository.change("side", touch)
    assert pipelines(project) == [], "a branch alone has no pipeline"
    request = repository.open("side")
    # A job of the program runs only if one of its files changes.
    assert pipelines(project) == [("merge_request_event", ON_CHANGES)]
    repository.change("side", touch)
    assert [source for source, _ in pipelines(project)] == ["merge_request_event"] * 2, "one pipeline for each push"

    request.merge()
    assert pipelines(project)[-1] == ("push", {"check"}), "without a stack, nothing is applied"

    project.variables.create({"key": "USINE_STACK", "value": "prod"})
    repository.change("more", lambda folder: touch(folder, "../usine/cli.py"))
    repository.open("more").merge()
    program = OF_THE_PROGRAM - {"lab-tests"}
    assert pipelines(project)[-2][1] == ON_CHANGES | program, "a merge request runs no job of the stack"
    assert pipelines(project)[-1] == ("push", {"check", "preview", "up"} | program)
    schedule = project.pipelineschedules.create({"ref": "main", "description": "drift", "cron": "0 3 * * *"})
    schedule.play()
    assert pipelines(project)[-1] == ("schedule", {"drift"})

    project.variables.create({"key": "USINE_LAYOUT", "value": "fleet"})
    (schedule,) = project.pipelineschedules.list(get_all=True)
    schedule.play()
    assert pipelines(project)[-1] == ("schedule", {"fleet-drift"})
    often = project.pipelineschedules.create({"ref": "main", "description": "run", "cron": "0 * * * *"})
    often.variables.create({"key": "USINE_FLEET_RUN", "value": "yes"})
    project.pipelineschedules.get(often.id).play()
    assert (pipelines(project)[-1], bridges(project)) == (("schedule", {"fleet-plan"}), {"fleet-up"})
    project.pipelines.create({"ref": "main"})
    assert bridges(project) == {"fleet-up"}
    jobs = pipelines(project)[-1][1]
    assert {"check", "fleet-plan"} <= jobs
    assert not jobs & {"preview", "up"}
    # A child pipeline has the file that a job of this branch wrote: only a protected one starts it.
    for protected in project.protectedbranches.list():
        protected.delete()
    project.pipelines.create({"ref": "main"})
    assert bridges(project) == set()
    assert not pipelines(project)[-1][1] & {"fleet-plan", "preview", "up"}


def bridges(project: Any) -> set[str]:
    """Return the jobs of the newest pipeline that start another one."""
    newest = project.pipelines.list(order_by="id", sort="desc")[0]
    return {job.name for job in project.pipelines.get(newest.id).bridges.list(get_all=True)}
