"""Objects of projects: variables, protections, environments, schedules, hooks; features of the paid edition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gitlab.exceptions import GitlabCreateError, GitlabDeleteError, GitlabError, GitlabGetError, GitlabUpdateError

from lab.standins.gitlab.cron import CronError, next_run
from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from lab.testing.names import name


def test_life_of_variables(project: Any, group: Any) -> None:
    for source in (project, group):
        made = source.variables.create({"key": "TOKEN", "value": "plain", "description": "d"})
        shown = {"variable_type": "env_var", "protected": False, "masked": False, "hidden": False, "raw": False}
        expected = {**shown, "key": "TOKEN", "value": "plain", "environment_scope": "*", "description": "d"}
        assert made.attributes.items() >= expected.items()
        with pytest.raises(GitlabCreateError, match=r"\(TOKEN\) has already been taken"):
            source.variables.create({"key": "TOKEN", "value": "again"})
        made.value, made.protected, made.variable_type = "changed", True, "file"
        made.save()
        read = source.variables.get("TOKEN")
        assert (read.value, read.protected, read.variable_type) == ("changed", True, "file")
        source.variables.delete("TOKEN")
        with pytest.raises(GitlabGetError, match="404 Variable Not Found"):
            source.variables.get("TOKEN")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"key": "a b", "value": "x"}, {"key": ["can contain only letters, digits and '_'."]}),
        ({"key": "A", "value": "short", "masked": True}, {"value": ["is invalid"]}),
        ({"key": "A", "value": "with space", "masked": True}, {"value": ["is invalid"]}),
        ({"key": "A", "value": "dollar$sign", "masked": True}, {"value": ["is invalid"]}),
        ({"key": "A", "value": "x" * 10001}, {"value": ["is too long (maximum is 10000 characters)"]}),
    ],
)
def test_invalid_variables_are_refused(project: Any, content: Any, expected: Any) -> None:
    with pytest.raises(GitlabCreateError) as refused:
        project.variables.create(content)
    assert (refused.value.response_code, refused.value.error_message) == (400, expected)


def test_a_hidden_variable_is_never_shown(project: Any) -> None:
    made = project.variables.create({"key": "HIDDEN", "value": "value-to-hide", "masked_and_hidden": True})
    assert (made.value, made.masked, made.hidden) == (None, True, True)
    with pytest.raises(GitlabUpdateError, match="visibility setting cannot be changed"):
        project.variables.update("HIDDEN", {"masked": False})
    project.variables.update("HIDDEN", {"value": "another-value"})
    assert project.variables.get("HIDDEN").value is None
    assert [one.value for one in project.variables.list()] == [None]
    raw = project.variables.create({"key": "RAW", "value": "dollar$sign", "masked": True, "raw": True})
    assert raw.value == "dollar$sign"


def test_variables_with_one_key_differ_by_scope(project: Any) -> None:
    for scope in ("dev", "prod/*"):
        project.variables.create({"key": "K", "value": scope, "environment_scope": scope})
    with pytest.raises(GitlabGetError, match="multiple variables with provided parameters") as conflict:
        project.variables.get("K")
    assert conflict.value.response_code == 409
    assert project.variables.get("K", filter={"environment_scope": "prod/*"}).value == "prod/*"
    project.variables.delete("K", filter={"environment_scope": "dev"})
    assert project.variables.get("K").environment_scope == "prod/*"


def levels(lines: list[dict[str, Any]]) -> list[int]:
    return [line["access_level"] for line in lines]


def test_branch_protections(live: LiveGitLab, group: Any, project: Any) -> None:
    made = project.protectedbranches.create(
        {"name": "release/*", "push_access_level": 0, "merge_access_level": 30, "allow_force_push": True}
    )
    assert (levels(made.push_access_levels), levels(made.merge_access_levels)) == ([0], [30])
    assert made.push_access_levels[0]["access_level_description"] == "No one"
    with pytest.raises(GitlabCreateError, match=r"Protected branch 'release/\*' already exists") as conflict:
        project.protectedbranches.create({"name": "release/*"})
    assert conflict.value.response_code == 409
    with pytest.raises(GitlabCreateError, match="push_access_level does not have a valid value"):
        project.protectedbranches.create({"name": "x", "push_access_level": 35})
    with live.http() as http:
        path = f"/projects/{project.id}/protected_branches/release%2F*"
        assert http.patch(path, json={"allow_force_push": False}).json()["allow_force_push"] is False
    plain = project.protectedbranches.create({"name": "main"})
    assert (levels(plain.push_access_levels), levels(plain.merge_access_levels)) == ([40], [40])
    project.protectedbranches.delete("release/*")
    with pytest.raises(GitlabGetError, match="404 Not found"):
        project.protectedbranches.get("release/*")
    begun = live.root.projects.create({"name": "r", "namespace_id": group.id, "initialize_with_readme": True})
    if live.root.projects.get(begun.id).empty_repo is False:
        assert [one.name for one in begun.protectedbranches.list()] == ["main"]


def test_each_edition_accepts_its_own_parameters_for_push_access(
    live: LiveGitLab, project: Any, tmp_path: Path
) -> None:
    no_access = {"name": "x", "allowed_to_push": [{"access_level": 0}]}
    with live.http() as http:
        made = http.post(f"/projects/{project.id}/protected_branches", json=no_access).json()
    assert (levels(made["push_access_levels"]), made["unprotect_access_levels"]) == ([0], [])
    with live_gitlab(tmp_path, edition="community") as community, community.http() as http:
        other = http.post("/projects", json={"name": "p"}).json()
        made = http.post(f"/projects/{other['id']}/protected_branches", json=no_access).json()
        assert (levels(made["push_access_levels"]), "unprotect_access_levels" in made) == ([40], False)
        assert http.get("/metadata").json()["enterprise"] is False


def test_tag_protections(project: Any) -> None:
    made = project.protectedtags.create({"name": "v*", "create_access_level": 30})
    assert levels(made.create_access_levels) == [30]
    with pytest.raises(GitlabCreateError, match=r"Protected tag 'v\*' already exists"):
        project.protectedtags.create({"name": "v*"})
    project.protectedtags.delete("v*")
    assert project.protectedtags.list() == []


def test_life_of_environments(project: Any) -> None:
    made = project.environments.create({"name": "Prod/EU", "external_url": "https://x.example.com"})
    assert (made.tier, made.state, made.slug[:8], len(made.slug) <= 24) == ("production", "available", "prod-eu-", True)
    with pytest.raises(GitlabCreateError, match="has already been taken"):
        project.environments.create({"name": "Prod/EU"})
    made.tier, made.external_url = "staging", "https://y.example.com"
    made.save()
    read = project.environments.get(made.id)
    assert (read.tier, read.external_url) == ("staging", "https://y.example.com")
    with pytest.raises(GitlabDeleteError) as running:
        read.delete()
    assert running.value.response_code == 403
    read.stop()
    assert [one.state for one in project.environments.list(states="stopped")] == ["stopped"]
    read.delete()
    assert project.environments.list() == []


def test_life_of_schedules(project: Any) -> None:
    content = {"description": "nightly", "ref": "main", "cron": "30 2 * * 1-5", "cron_timezone": "Europe/Paris"}
    made = project.pipelineschedules.create(content)
    assert (made.ref, made.active, made.owner["username"]) == ("refs/heads/main", True, "root")
    assert datetime.fromisoformat(made.next_run_at) > datetime.now(UTC)
    made.variables.create({"key": "MODE", "value": "dast"})
    assert [one["key"] for one in project.pipelineschedules.get(made.id).attributes["variables"]] == ["MODE"]
    made.variables.update("MODE", {"value": "mirror"})
    assert project.pipelineschedules.get(made.id).attributes["variables"][0]["value"] == "mirror"
    made.variables.delete("MODE")
    made.cron, made.active = "0 4 1 * *", False
    made.save()
    read = project.pipelineschedules.get(made.id)
    assert (read.cron, read.active, read.attributes["variables"]) == ("0 4 1 * *", False, [])
    read.take_ownership()
    for wrong, expected in ({"cron": "x"}, "cron"), ({"cron_timezone": "Mars/Base"}, "cron_timezone"):
        with pytest.raises(GitlabCreateError) as refused:
            project.pipelineschedules.create({**content, **wrong})
        assert str(refused.value.error_message) == str({expected: ["syntax is invalid"]})
    made.delete()
    assert project.pipelineschedules.list() == []


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("0 1 * * *", "UTC", "2026-03-28T01:00"),
        ("*/15 9-17 * * mon", "UTC", "2026-03-30T09:00"),
        ("0 12 29 2 *", "UTC", "2028-02-29T12:00"),
        ("0 12 1 * fri", "UTC", "2026-04-01T12:00"),
        ("0 12 * * 7", "Europe/Paris", "2026-03-29T10:00"),  # summer time started in the night
    ],
)
def test_the_next_run_of_a_schedule(text: str, zone: str, expected: str) -> None:
    after = datetime(2026, 3, 27, 18, 30, tzinfo=UTC)
    assert next_run(text, zone, after).strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "0 0 31 2 *", "a * * * *"])
def test_invalid_schedules_are_refused(text: str) -> None:
    with pytest.raises(CronError):
        next_run(text, "UTC", datetime(2026, 3, 27, tzinfo=UTC))


def _ssh_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_life_of_deploy_keys(live: LiveGitLab, project: Any, group: Any, someone: Any) -> None:
    key = _ssh_key()
    made = project.keys.create({"title": "laptop", "key": f"  {key}\n", "can_push": True, "expires_at": "2030-01-02"})
    read = project.keys.list()[0].attributes
    assert (read["id"], read["title"], read["key"], read["can_push"]) == (made.id, "laptop", key, True)
    assert read["expires_at"] == "2030-01-02T00:00:00.000Z"
    assert read["fingerprint_sha256"].startswith("SHA256:")
    # The same key in the same project is the existing one; in another project, only its maintainers can add it.
    assert project.keys.create({"title": "again", "key": key}).attributes == made.attributes
    other = live.root.projects.create({"name": name("other"), "namespace_id": group.id})
    with pytest.raises(GitlabCreateError, match="has already been taken"):
        someone()[1].projects.create({"name": name("own")}).keys.create({"title": "x", "key": key})
    shared = other.keys.create({"title": "x", "key": key})
    assert (shared.id, shared.can_push) == (made.id, False)
    project.keys.delete(made.id)
    assert (project.keys.list(), [one.id for one in other.keys.list()]) == ([], [made.id])
    with pytest.raises(GitlabDeleteError, match="404 Deploy key Not Found"):
        project.keys.delete(made.id)
    with live.http() as http:
        assert http.delete(f"/projects/{other.id}").status_code == 202
        path = live.root.projects.get(other.id).path_with_namespace
        gone = http.delete(f"/projects/{other.id}", params={"permanently_remove": "true", "full_path": path})
        assert gone.status_code == 202
    assert someone()[1].projects.create({"name": name("own")}).keys.create({"title": "x", "key": key}).title == "x"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"key": " ", "title": ""},
            {
                "deploy_key.title": ["can't be blank"],
                "deploy_key.key": ["is invalid"],
                "deploy_key.fingerprint_sha256": ["cannot be generated"],
            },
        ),
        (
            {"title": "x", "key": "no key"},
            {"deploy_key.key": ["is invalid"], "deploy_key.fingerprint_sha256": ["cannot be generated"]},
        ),
        ({"title": "x", "key": "ssh-ed25519 AAAA"}, {"deploy_key.fingerprint_sha256": ["cannot be generated"]}),
    ],
)
def test_invalid_deploy_keys_are_refused(project: Any, content: Any, expected: Any) -> None:
    with pytest.raises(GitlabCreateError) as refused:
        project.keys.create(content)
    assert (refused.value.response_code, refused.value.error_message) == (400, expected)


def test_only_maintainers_see_deploy_keys(project: Any, someone: Any) -> None:
    person, client = someone()
    project.members.create({"user_id": person.id, "access_level": 30})
    with pytest.raises(GitlabError, match="403"):
        client.projects.get(project.id).keys.list()


def test_hooks_do_not_show_their_secrets(project: Any) -> None:
    made = project.hooks.create(
        {
            "url": "https://hooks.example.com/{place}",
            "token": "hook-secret",
            "pipeline_events": True,
            "push_events": False,
            "url_variables": [{"key": "place", "value": "secret-place"}],
            "custom_headers": [{"key": "X-Key", "value": "secret-header"}],
        }
    )
    read = project.hooks.get(made.id)
    assert (read.push_events, read.pipeline_events, read.enable_ssl_verification) == (False, True, True)
    assert (read.url_variables, read.custom_headers) == ([{"key": "place"}], [{"key": "X-Key"}])
    assert not {"token", "signing_token"} & set(read.attributes)
    assert read.token_present is True
    assert "secret" not in str(read.attributes)
    project.hooks.update(made.id, {"push_events": True, "url": "https://hooks.example.com/other/{place}"})
    assert project.hooks.get(made.id).push_events is True
    with pytest.raises(GitlabCreateError, match="Invalid url given") as refused:
        project.hooks.create({"url": "ftp://x"})
    assert refused.value.response_code == 422
    made.delete()
    assert project.hooks.list() == []


def test_the_free_edition_has_no_paid_features(live: LiveGitLab, project: Any, group: Any) -> None:
    with live.http() as http:
        for path in ("push_rule", "approvals", "approval_rules", "protected_environments"):
            assert http.get(f"/projects/{project.id}/{path}").status_code == 404
        assert http.get(f"/groups/{group.id}/hooks").status_code == 404


def test_the_premium_edition_has_paid_features(premium: LiveGitLab) -> None:
    group = premium.root.groups.create({"name": "g", "path": name("g")})
    project: Any = premium.root.projects.create({"name": "p", "namespace_id": group.id})
    with premium.http() as http:
        assert http.get(f"/projects/{project.id}/push_rule").text == "null"
        assert http.delete(f"/projects/{project.id}/push_rule").json() == {"message": "404 Push rule Not Found"}
        nothing = http.post(f"/projects/{project.id}/push_rule", json={}).json()["error"]
        assert "deny_delete_tag, member_check" in nothing
        assert nothing.endswith("are missing, at least one parameter must be provided")
    rule = project.pushrules.create({"branch_name_regex": "^(main|feat/.*)$", "max_file_size": 5})
    rule.prevent_secrets = True
    rule.save()
    read = project.pushrules.get()
    assert (read.prevent_secrets, read.max_file_size, read.deny_delete_tag) == (True, 5, False)
    with pytest.raises(GitlabCreateError, match="Project push rule exists"):
        project.pushrules.create({"member_check": True})
    project.pushrules.delete()
    approvals = project.approvals.get()
    approvals.reset_approvals_on_push = False
    approvals.save()
    assert project.approvals.get().reset_approvals_on_push is False
    report = {"rule_type": "report_approver", "report_type": "code_coverage"}
    coverage = project.approvalrules.create({"name": "Coverage-Check", "approvals_required": 1, **report})
    approval = project.approvalrules.create({"name": "two", "approvals_required": 2, "user_ids": [1]})
    approval.approvals_required = 3
    approval.save()
    listed = [(one.name, one.approvals_required) for one in project.approvalrules.list()]
    assert listed == [("two", 3), ("Coverage-Check", 1)]  # rules of reports are last
    coverage.delete()
    approval.delete()
    protected = project.protectedbranches.create({"name": "main", "allowed_to_push": [{"group_id": group.id}]})
    assert [line["group_id"] for line in protected.push_access_levels] == [group.id]
    line = protected.push_access_levels[0]["id"]
    with premium.http() as http:
        path = f"/projects/{project.id}/protected_branches/main"
        change = {"allowed_to_push": [{"id": line, "_destroy": True}, {"access_level": 30}]}
        assert levels(http.patch(path, json=change).json()["push_access_levels"]) == [30]
        path = f"/projects/{project.id}/protected_environments"
        made = http.post(path, json={"name": "prod", "deploy_access_levels": [{"access_level": 40}]}).json()
        assert (levels(made["deploy_access_levels"]), made["required_approval_count"]) == ([40], 0)
        rules = {"approval_rules": [{"group_id": group.id, "required_approvals": 2}]}
        changed = http.put(f"{path}/prod", json=rules).json()
        assert [(one["group_id"], one["required_approvals"]) for one in changed["approval_rules"]] == [(group.id, 2)]
        assert http.post(path, json={"name": "prod", "deploy_access_levels": []}).status_code == 409
        assert http.delete(f"{path}/prod").status_code == 204
    assert "member_role" not in group.members.get(1).attributes
    hook = group.hooks.create({"url": "https://x.example.com", "subgroup_events": True})
    assert group.hooks.get(hook.id).subgroup_events is True


def test_the_instance(live: LiveGitLab, someone: Any) -> None:
    assert live.root.settings.get().default_branch_protection == 2
    assert live.root.http_get("/metadata")["version"].endswith("-ee")  # type: ignore[index]  # an object
    _, client = someone()
    with pytest.raises(GitlabGetError) as refused:
        client.settings.get()
    assert refused.value.response_code == 403


def test_a_project_without_ci_refuses_ci_objects_also_for_administrators(project: Any) -> None:
    """ProjectPolicy: `rule { builds_disabled | repository_disabled }`."""
    schedule = {"description": "nightly", "ref": "main", "cron": "0 1 * * *"}
    calls: tuple[Callable[[], Any], ...] = (
        lambda: project.environments.create({"name": "prod"}),
        project.environments.list,
        lambda: project.pipelineschedules.create(schedule),
        project.pipelineschedules.list,
        lambda: project.variables.create({"key": "A", "value": "b"}),
        project.variables.list,
        lambda: project.triggers.create({"description": "t"}),
    )
    for call in calls:
        call()
    project.builds_access_level = "disabled"
    project.save()
    for call in calls:
        with pytest.raises(GitlabError) as refused:
            call()
        assert refused.value.response_code == 403
    project.builds_access_level = "private"
    project.save()
    assert len(project.environments.list()) == 1
