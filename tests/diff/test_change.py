"""The comparison of two revisions: what is planned, what is found, and which side an error belongs to."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.problems import SpecError
from tests.diff import scenarios
from tests.diff.scratch import ROOT, SETTINGS, TENANTS, Scratch, snapshot
from usine.diff import change, planning
from usine.diff.cache import PlanCache
from usine.diff.change import Comparison, DiffError, find
from usine.diff.planning import Task
from usine.diff.repository import GitClone, GitError
from usine.plan import Plan
from usine.report import as_json
from usine.report.model import Action, Entry


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Planned and cached plans."""
    seen: list[Task] = []

    def plan(tasks: Sequence[Task], cache: PlanCache, workspace: Path) -> tuple[Plan, ...]:
        seen.extend(tasks)
        return planning.plan(tasks, cache, workspace)

    monkeypatch.setattr(change, "plan", plan)
    return seen


def names(entries: Sequence[Entry], action: Action) -> set[str]:
    return {entry.name for entry in entries if entry.action is action}


def fact(comparison: Comparison, label: str) -> str:
    return dict(comparison.report.facts)[label]


def test_a_partial_plan_finds_the_same_differences_as_a_full_one(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People who are added, removed, or kept by another tenant; an added, a removed and a changed tenant."""
    scenarios.add_tenant(scratch)  # names jeanne.moulin, a new person, and chloe.petit, whom teleservice also names
    scenarios.delete_tenant(scratch)
    scratch.edit(
        "projects.d/teleservice.yaml",
        ("devops: [chloe.petit, david.roux]", "devops: [david.roux, idris.diallo]"),
        ("owner: alice.martin", "owner: bob.durand"),  # alice.martin owns annuaire-2019 too
    )
    part = scratch.compare()
    assert fact(part, "planned").startswith("3 of 4 tenants")
    monkeypatch.setattr(change, "same_platform", lambda *_: False)
    monkeypatch.setattr("usine.diff.reach.same_platform", lambda *_: False)
    whole = scratch.compare()
    assert fact(whole, "planned").startswith("everything")
    assert part.entries == whole.entries
    assert names(part.entries, Action.CREATED) >= {
        "foundation/keycloak/account/jeanne.moulin",
        "guichet/harbor/project",
    }
    assert "foundation/keycloak/account/helene.faure" in names(part.entries, Action.DESTROYED)
    assert not any("account/alice.martin" in entry.name for entry in part.entries)
    assert {entry.tenant for entry in part.entries} == {None, "guichet", "petitions", "teleservice"}
    assert part.head.keys() == {"guichet", "teleservice", "annuaire-2019"}
    assert part.base is not None
    assert set(part.base) == set(TENANTS)
    assert {project.source for project in part.head.values()} == {f"projects.d/{slug}.yaml" for slug in part.head}


def test_changed_settings_affect_every_tenant_and_secrets_have_no_value(scratch: Scratch) -> None:
    scratch.edit(
        "Pulumi.lab.yaml", ('usine:credentials: [{name: "1"}]', 'usine:credentials: [{name: "1"}, {name: "2"}]')
    )
    found = scratch.compare()
    assert fact(found, "planned").startswith("everything, 3 tenants")
    assert {"teleservice/harbor/robot/push-2", "petitions/harbor/robot/pull-2"} <= names(found.entries, Action.CREATED)
    secrets = {entry.name for entry in found.entries if entry.action is Action.CHANGED and entry.system == "vault"}
    assert "teleservice/vault/pipelines/secret/ci/registry/push" in secrets
    assert "annuaire-2019" not in {entry.tenant for entry in found.entries}  # archived, so that it has no robots


def test_the_catalogue_affects_users_of_its_tag_and_documents_affect_nothing(
    scratch: Scratch, planned: list[Task]
) -> None:
    scratch.edit("catalogue/templates/generic.yml", ("# Any project", "# Changed. Any project"))
    found = scratch.compare()
    changed = names(found.entries, Action.CHANGED)
    # A mirror and all projects of the archived `annuaire-2019` run a file of the catalogue. A team's own file is
    # unchanged.
    assert changed == {
        # All of them are updated for the new tag.
        *(
            f"foundation/gitlab/{path.relative_to(ROOT)}"
            for path in (ROOT / "catalogue").rglob("*.yml")
            if path.name != "images.yml"
        ),
        "foundation/gitlab/variable/USINE_CATALOGUE_TAG",
        "teleservice/gitlab/api/project",
        "teleservice/gitlab/usine_jobs/pipeline",
        *(name for name in changed if name.startswith("annuaire-2019/") and name.endswith("/project")),
    }
    assert any(name.startswith("annuaire-2019/") for name in changed)
    versions = {entry.action: entry for entry in found.entries if "/catalogue/version/" in entry.name}
    assert versions.keys() == {Action.CREATED, Action.DESTROYED}
    assert versions[Action.DESTROYED].note == "stays in its system and is no longer managed"
    assert fact(found, "planned").startswith("everything, 3 tenants")
    planned.clear()
    scratch.clean()
    (scratch.root / "docs.md").write_text("hello", encoding="utf-8")
    found = scratch.compare()
    assert found.files == {"docs.md"}
    assert not found.entries
    assert not planned


def test_a_namespace_that_moves_to_another_cluster_loses_its_data(scratch: Scratch) -> None:
    scratch.edit("Pulumi.lab.yaml", ("stages: [prod]", "stages: [prod, dev]"))
    scratch.edit("projects.d/petitions.yaml", ("dev: {}", "dev: {cluster: nonprod-1}"))
    scratch.commit("Let prod-1 take dev")
    try:
        scratch.edit("projects.d/petitions.yaml", ("cluster: nonprod-1", "cluster: prod-1"))
        found = scratch.compare("HEAD")
    finally:
        scratch.git("reset", "--quiet", "--hard", "HEAD~1")
    moved = next(entry for entry in found.entries if entry.name == "petitions/kubernetes/dev/namespace")
    assert (moved.action, moved.loses_data) == (Action.REPLACED, True)
    assert found.entries[0].loses_data
    assert "will be destroyed" in found.report.verdict


def test_wrong_files_are_reported_with_their_side(scratch: Scratch) -> None:
    scratch.edit("projects.d/petitions.yaml", ("dev: {}", "dev: {stage: devel}"))
    with pytest.raises(SpecError) as wrong:
        scratch.compare()
    assert [p.file for p in wrong.value.problems] == ["projects.d/petitions.yaml"]
    assert wrong.value.problems[0].line > 1
    scratch.commit("Break it")
    try:
        scratch.edit("projects.d/petitions.yaml", ("dev: {stage: devel}", "dev: {}"))
        with pytest.raises(DiffError) as base:
            scratch.compare("HEAD")
    finally:
        scratch.git("reset", "--quiet", "--hard", "HEAD~1")
    lines = str(base.value).splitlines()
    assert lines[0].startswith("the base, HEAD ")
    assert lines[0].endswith("has wrong files; those of the head are right:")
    assert lines[1].startswith("projects.d/petitions.yaml:")
    assert str(scratch.root.parent) not in str(base.value)


def test_a_failing_program_is_reported_with_its_side_and_no_traceback(scratch: Scratch) -> None:
    scratch.edit("stacks/platform/program.py", ("    selected = [", "    raise ValueError('broken')\n    selected = ["))
    with pytest.raises(DiffError) as error:
        scratch.compare()
    assert str(error.value).splitlines() == ["the head, the work tree, cannot be planned:", "ValueError: broken"]


def test_a_new_stack_is_created_completely(scratch: Scratch) -> None:
    text = (
        (scratch.root / "Pulumi.lab.yaml")
        .read_text("utf-8")
        .replace("usine:projects: projects.d", "usine:projects: one")
    )
    (scratch.root / "Pulumi.one.yaml").write_text(text, encoding="utf-8")
    (scratch.root / "one").mkdir()
    scratch.tenant("annuaire-2019").rename(scratch.root / "one" / "annuaire-2019.yaml")
    found = find(scratch.root, "main", "worktree", SETTINGS.with_name("Pulumi.one.yaml"), scratch.cache)
    assert {entry.action for entry in found.entries} == {Action.CREATED}
    assert {entry.tenant for entry in found.entries} == {None, "annuaire-2019"}
    with pytest.raises(SpecError, match="no such file in the head"):
        find(scratch.root, "main", "worktree", SETTINGS.with_name("Pulumi.two.yaml"), scratch.cache)


def test_a_cached_plan_gives_the_same_result(scratch: Scratch, tmp_path: Path) -> None:
    scenarios.change_quota(scratch)
    scratch.git("checkout", "--quiet", "-b", "quota")
    scratch.commit("Ask for more")
    scratch.git("checkout", "--quiet", "main")

    def rendered(cache: PlanCache) -> str:
        return as_json.render(find(scratch.root, "main", "quota", SETTINGS, cache).report)

    folder = tmp_path / "plans"
    fresh = rendered(PlanCache(folder))
    files = sorted(folder.iterdir())
    assert len(files) == 2
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    before = dict(snapshot(folder))
    assert rendered(PlanCache(folder)) == fresh
    assert dict(snapshot(folder)) == before
    files[0].write_bytes(files[0].read_bytes()[:-9])
    files[1].write_bytes(b"not a plan")
    assert rendered(PlanCache(folder)) == fresh
    assert dict(snapshot(folder)) == before


def test_a_diff_does_not_change_the_clone(scratch: Scratch, tmp_path: Path) -> None:
    (scratch.root / "new.txt").write_text("new", encoding="utf-8")
    (scratch.root / ".venv").mkdir()
    (scratch.root / ".venv" / "ignored").write_text("ignored", encoding="utf-8")
    before = dict(snapshot(scratch.root / ".git"))
    repository = GitClone(scratch.root, tmp_path / "git")
    tree = repository.tree("worktree")
    assert {"new.txt", "Pulumi.yaml"} <= repository.objects(tree).keys()
    assert not any(path.startswith(".venv") for path in repository.objects(tree))
    assert repository.tree("main") != tree
    assert dict(snapshot(scratch.root / ".git")) == before


def test_a_shallow_clone_is_reported_with_the_remedy(scratch: Scratch, tmp_path: Path) -> None:
    old = scratch.git("rev-parse", "main")
    scratch.git("checkout", "--quiet", "-B", "later")
    scratch.commit("Later")
    shallow = tmp_path / "shallow"
    options = ["--quiet", "--depth", "1", "--branch", "later"]
    subprocess.run(["git", "clone", *options, f"file://{scratch.root}", str(shallow)], check=True, capture_output=True)
    with pytest.raises(GitError, match=r"no revision .* GIT_DEPTH: 0"):
        GitClone(shallow, tmp_path / "git").commit(old)
    with pytest.raises(GitError, match="not the top of a git clone"):
        GitClone(ROOT / "usine", tmp_path / "other")
