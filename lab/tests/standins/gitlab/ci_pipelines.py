"""Pipelines of a project, for the tests of pipelines."""

from __future__ import annotations

from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import commit


def pipelines(project: Any, **filters: Any) -> list[Any]:
    return list(project.pipelines.list(get_all=True, **filters))


def job_names(project: Any, pipeline: Any) -> list[str]:
    found = project.pipelines.get(pipeline.id).jobs.list(get_all=True)
    return [job.name for job in reversed(found)]


def run(project: Any, text: str, **variables_: str) -> Any:
    """Commit a configuration without a pipeline, then run it with variables."""
    commit(project, {".gitlab-ci.yml": text}, message="[skip ci]")
    given = [{"key": key, "value": value} for key, value in variables_.items()]
    return project.pipelines.create({"ref": "main", "variables": given})


def refusal(call: Any, *arguments: Any) -> str:
    with pytest.raises(gitlab.GitlabError) as caught:
        call(*arguments)
    assert caught.value.response_code == 400, caught.value
    return str(caught.value.error_message)
