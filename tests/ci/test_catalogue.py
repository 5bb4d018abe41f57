"""Checks the catalogue's files as a pipeline of a tenant gets them: resolved with their includes and default inputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab.standins.gitlab import ci_config, ci_yaml
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.ci_config import CiConfiguration
from lab.standins.gitlab.ci_yaml import FileLocation
from lab.testing.ci_client import commit
from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name

CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue"
PRESETS = sorted(path.stem for path in (CATALOGUE / "templates").glob("*.yml"))


@pytest.fixture(scope="module")
def place(live: LiveGitLab) -> FileLocation:
    """A commit with the catalogue's files, and its address in a variable."""
    group = live.root.groups.create({"name": name("platform"), "path": name("platform")})
    content = {"name": "catalogue", "namespace_id": group.id, "initialize_with_readme": True}
    project = live.root.projects.create(content)
    files = {str(path.relative_to(CATALOGUE)): path.read_text(encoding="utf-8") for path in CATALOGUE.rglob("*.yml")}
    sha = commit(project, files, message="[skip ci]")
    document, user = live.site.store.get("project", project.id), live.site.store.first("user", username_key="root")
    assert document is not None
    address = f"{live.url.partition('://')[2]}/{project.path_with_namespace}"
    variables = {"CATALOGUE": address, "CI_PROJECT_PATH": project.path_with_namespace, "CI_COMMIT_REF_NAME": "main"}
    return FileLocation(live.site, Actor("personal", frozenset({"api"}), user), document, sha, variables)


def resolved(place: FileLocation, text: str) -> CiConfiguration:
    return ci_config.load(place, text)


def of_preset(place: FileLocation, preset: str) -> CiConfiguration:
    return resolved(place, f"include:\n  - component: $CATALOGUE/{preset}@{place.sha}\n")


def written(configuration: CiConfiguration, file: Path) -> Path:
    """Write a resolved configuration as one file without hidden jobs."""
    stages = [stage for stage in configuration.stages if not stage.startswith(".")]
    content = {"stages": stages, "variables": configuration.variables, "workflow": configuration.workflow}
    file.write_text(yaml.safe_dump({**content, **configuration.jobs}), encoding="utf-8")
    return file


def validate(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


def scheduled(place: FileLocation) -> CiConfiguration:
    """Return the file of scheduled work, with a job for each of its hidden ones."""
    own = yaml.safe_load((CATALOGUE / "operations.yml").read_text(encoding="utf-8"))
    hidden = [key for key, job in own.items() if key.startswith(".") and "script" in job]
    assert hidden
    jobs = "".join(f"{key.removeprefix('.')}: {{extends: {key}}}\n" for key in hidden)
    return resolved(place, f"include: [{{local: /operations.yml}}]\n{jobs}")


def test_the_published_schema_accepts_every_file(place: FileLocation, tmp_path: Path) -> None:
    files = [written(of_preset(place, preset), tmp_path / f"{preset}.yml") for preset in PRESETS]
    files.append(written(scheduled(place), tmp_path / "operations.yml"))
    files.append(written(resolved(place, "include: [{local: /off.yml}]\n"), tmp_path / "off.yml"))
    done = validate(*files)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "broken.yml"
    text = files[0].read_text(encoding="utf-8")
    broken.write_text(text.replace("stage: quality", "stage: quality\n  when: sometimes", 1), encoding="utf-8")
    assert broken.read_text(encoding="utf-8") != text
    assert validate(broken).returncode != 0, "the schema does check jobs"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_input_has_a_description(preset: str) -> None:
    text = (CATALOGUE / "templates" / f"{preset}.yml").read_text(encoding="utf-8")
    inputs = yaml.safe_load(text.partition("\n---\n")[0])["spec"]["inputs"]
    assert [key for key, one in inputs.items() if not (one or {}).get("description")] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_the_older_path_of_a_preset_is_the_same(place: FileLocation, preset: str) -> None:
    older = resolved(place, f"include: [{{local: /presets/{preset}.yml}}]\n")
    assert older.jobs == of_preset(place, preset).jobs


def test_a_wrong_input_is_refused(place: FileLocation) -> None:
    text = f"include:\n  - component: $CATALOGUE/python@{place.sha}\n    inputs: {{none: 1}}\n"
    with pytest.raises(ci_yaml.ConfigError, match="unknown input arguments: none"):
        resolved(place, text)


def test_a_merge_request_from_main_does_not_keep_main_from_its_pipelines(live: LiveGitLab, place: FileLocation) -> None:
    project = live.root.projects.create({"name": name("p"), "initialize_with_readme": True})
    text = f"include:\n  - component: {place.variables['CATALOGUE']}/generic@{place.sha}\n"
    commit(project, {".gitlab-ci.yml": text}, message="[skip ci]")
    for branch, target in (("side", "main"), ("main", "side")):
        if branch == "side":
            commit(project, {"side.txt": "x"}, branch="side", message="[skip ci]", start_branch="main")
        project.mergerequests.create({"source_branch": branch, "target_branch": target, "title": branch})
    for branch, sources in (("main", {"push", "merge_request_event"}), ("side", {"merge_request_event"})):
        sha = commit(project, {f"on-{branch}.txt": "x"}, branch=branch, message="more")
        found = {one.source for one in project.pipelines.list(sha=sha, get_all=True)}
        assert found == sources, branch


def test_only_trusted_pipelines_of_the_default_branch_are_analysed(live: LiveGitLab, place: FileLocation) -> None:
    """The Community edition has one branch: another one would replace its measures. Vault gives others no token."""
    project = live.root.projects.create({"name": name("p"), "initialize_with_readme": True})
    project.protectedbranches.create({"name": "release/*"})
    text = f"include:\n  - component: {place.variables['CATALOGUE']}/generic@{place.sha}\n"
    commit(project, {".gitlab-ci.yml": text}, message="first")
    commit(project, {"a.txt": "x"}, branch="release/1", message="release", start_branch="main")
    commit(project, {"b.txt": "x"}, branch="side", message="side", start_branch="main")
    project.mergerequests.create({"source_branch": "side", "target_branch": "main", "title": "side"})
    project.pipelines.create({"ref": "main"})
    project.trigger_pipeline("main", project.triggers.create({"description": "t"}).token)
    analysed = {
        (one.ref, one.source): "quality" in {job.name for job in one.jobs.list(get_all=True)}
        for one in project.pipelines.list(get_all=True)
    }
    assert analysed == {
        ("main", "push"): True,
        ("main", "api"): True,
        ("main", "trigger"): False,
        ("release/1", "push"): False,
        ("side", "push"): False,
        ("refs/merge-requests/1/head", "merge_request_event"): False,
    }
