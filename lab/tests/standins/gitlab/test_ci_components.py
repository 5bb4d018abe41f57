"""Components of another project, with inputs, and conditions on files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import branch, commit
from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name

TEMPLATE = """spec:
  inputs:
    word: {default: hello, regex: '^[a-z]+$'}
    tags: {type: array, default: []}
---
include: [{local: /jobs/base.yml}]
say:
  extends: .base
  variables: {WORD: $[[ inputs.word ]]}
  tags: $[[ inputs.tags ]]
"""
BASE = ".base: {script: [echo $WORD]}\n"


@pytest.fixture
def catalogue(live: LiveGitLab, group: Any) -> Any:
    """A project with two components, a tag, and a group variable that names the tag."""
    content = {"name": "catalogue", "path": "catalogue", "namespace_id": group.id, "initialize_with_readme": True}
    project = live.root.projects.create(content)
    files = {
        "templates/say.yml": TEMPLATE,
        "templates/other/template.yml": "other: {script: [ok]}\n",
        "jobs/base.yml": BASE,
    }
    commit(project, files)
    project.tags.create({"tag_name": "v1-a", "ref": "main"})
    commit(project, {"templates/say.yml": "say: {script: [changed]}\n"})
    group.variables.create({"key": "CATALOGUE_TAG", "value": "v1-a"})
    return project


@pytest.fixture
def project(live: LiveGitLab, group: Any) -> Any:
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True})


def started(project: Any, text: str, client: Any = None) -> Any:
    commit(project, {".gitlab-ci.yml": text}, message="[skip ci]")
    return (client or project).pipelines.create({"ref": "main"})


def error_of(project: Any, text: str, client: Any = None) -> str:
    with pytest.raises(gitlab.GitlabError) as caught:
        started(project, text, client)
    return str(caught.value.error_message)


def include(catalogue: Any, rest: str = "", component: str = "say", ref: str = "$CATALOGUE_TAG") -> str:
    address = f"$CI_SERVER_FQDN/{catalogue.path_with_namespace}/{component}@{ref}"
    return f"include:\n  - component: {address}\n{rest}"


def test_a_component_of_a_group_variable_s_tag(live: LiveGitLab, project: Any, catalogue: Any) -> None:
    """Its own `include: local` is a file of the component's project, at the same commit."""
    made = started(project, include(catalogue, "    inputs: {word: salut, tags: [big]}\n"))
    (job,) = made.jobs.list()
    assert (job.name, project.jobs.get(job.id).tag_list) == ("say", ["big"])
    stored = live.site.store.get("job", job.id)
    assert stored is not None
    assert (stored["variables"]["WORD"], stored["config"]["script"]) == ("salut", ["echo $WORD"])
    (changed,) = started(project, include(catalogue, ref="main")).jobs.list()
    config = (live.site.store.get("job", changed.id) or {})["config"]
    assert config["script"] == ["changed"]
    assert [job.name for job in started(project, include(catalogue, component="other")).jobs.list()] == ["other"]


def test_refused_components(project: Any, catalogue: Any, someone: Callable[[], Any]) -> None:
    for text, message in (
        (include(catalogue, component="none"), "content not found"),
        (include(catalogue, component="deep/say"), "content not found"),
        (include(catalogue, ref="none"), "content not found"),
        (include(catalogue, ref="$UNKNOWN"), "content not found"),
        (include(catalogue, ref="~latest"), "The ~latest version reference is not supported"),
        (include(catalogue, ref="1.0"), "The partial semantic version reference is not supported"),
        ("include: [{component: elsewhere.example.fr/a/b@v1}]\n", "the component path is not supported"),
        (include(catalogue, "    inputs: {word: UPPER}\n"), "does not match required RegEx pattern"),
        (include(catalogue, "    inputs: {none: a}\n"), "unknown input arguments: none"),
        (include(catalogue, "    inputs: {a: b}\n", component="other"), "Given inputs not defined in the `spec`"),
    ):
        assert message in error_of(project, text), text
    user, client = someone()
    project.members.create({"user_id": user.id, "access_level": 40})
    mine = client.projects.get(project.id)
    assert "sufficient permissions" in error_of(project, include(catalogue), mine)
    catalogue.members.create({"user_id": user.id, "access_level": 20})
    assert started(project, include(catalogue), mine).status == "pending"


def names(pipeline: Any) -> set[str]:
    return {job.name for job in pipeline.jobs.list(get_all=True)}


def test_jobs_depend_on_the_files_of_the_commit(project: Any) -> None:
    text = """
always: {script: [ok]}
container: {script: [ok], rules: [{exists: [Containerfile, 'docker/*/Containerfile']}]}
python: {script: [ok], rules: [{exists: {paths: ['**/*.py']}}]}
none: {script: [ok], rules: [{exists: [README.md], when: never}, {when: on_success}]}
"""
    assert names(started(project, text)) == {"always"}
    commit(project, {"docker/a/Containerfile": "", "src/a.py": ""}, message="[skip ci]")
    assert names(started(project, text)) == {"always", "container", "python"}


def test_jobs_depend_on_what_a_push_or_a_merge_request_changes(project: Any) -> None:
    text = """
workflow: {rules: [{if: $CI_MERGE_REQUEST_IID}, {if: $CI_COMMIT_BRANCH}]}
always: {script: [ok], rules: [{when: on_success}]}
docs: {script: [ok], rules: [{changes: ['docs/**/*']}]}
code: {script: [ok], rules: [{changes: {paths: [src/*]}}]}
"""
    made = started(project, text)
    assert names(made) == {"always", "docs", "code"}, "an API call compares with nothing"
    sha = commit(project, {"docs/a/b.md": "x"})
    (pushed,) = project.pipelines.list(sha=sha)
    assert names(pushed) == {"always", "docs"}
    branch(project, "change")
    commit(project, {"src/a.py": "x"}, branch="change", message="[skip ci]")
    content = {"source_branch": "change", "target_branch": "main", "title": "Change"}
    request = project.mergerequests.create(content)
    again = commit(project, {"c.txt": "x"}, branch="change")
    found = [one for one in request.pipelines.list() if one.sha == again and one.source == "merge_request_event"]
    assert names(project.pipelines.get(found[0].id)) == {"always", "code"}, "all commits of the merge request count"
