"""Members, access levels, and tokens with their scopes and expiry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import gitlab
import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabDeleteError, GitlabError

from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.site import GitLabSite
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.names import name

Someone = Callable[[], tuple[Any, gitlab.Gitlab]]


def day(ahead: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=ahead)).isoformat()


def status(call: Callable[[], Any]) -> int:
    """Return the status of a refusal, 200 for a success."""
    try:
        call()
    except GitlabError as error:
        return error.response_code or 0
    return 200


def test_life_of_a_member(group: Any, project: Any, someone: Someone) -> None:
    user, _ = someone()
    member = group.members.create({"user_id": user.id, "access_level": 30, "expires_at": day(10)})
    assert (member.id, member.username, member.access_level, member.expires_at) == (user.id, user.username, 30, day(10))
    with pytest.raises(GitlabCreateError, match="Member already exists") as conflict:
        group.members.create({"user_id": user.id, "access_level": 40})
    assert conflict.value.response_code == 409
    member.access_level = 20
    member.expires_at = ""
    member.save()
    assert (group.members.get(user.id).access_level, group.members.get(user.id).expires_at) == (20, None)
    assert user.id not in [one.id for one in project.members.list()]
    inherited = project.members_all.get(user.id)
    assert inherited.access_level == 20
    with pytest.raises(GitlabCreateError, match="greater than or equal to Reporter inherited membership"):
        project.members.create({"user_id": user.id, "access_level": 10})
    project.members.create({"user_id": user.id, "access_level": 40})
    assert project.members_all.get(user.id).access_level == 40
    group.members.delete(user.id)
    assert user.id not in [one.id for one in project.members.list()], (
        "a member of a group loses access to its projects, too"
    )
    assert status(lambda: group.members.get(user.id)) == 404
    for wrong, message in (
        ({"user_id": 10**6, "access_level": 30}, "404 User Not Found"),
        ({"user_id": user.id, "access_level": 35}, "access_level does not have a valid value"),
        ({"user_id": user.id, "access_level": 30, "expires_at": day(-1)}, "cannot be a date in the past"),
    ):
        with pytest.raises(GitlabCreateError, match=message):
            group.members.create(wrong)


def test_the_last_owner_cannot_be_removed(group: Any) -> None:
    with pytest.raises(GitlabDeleteError) as refused:
        group.members.delete(1)
    assert refused.value.response_code == 403


@pytest.mark.parametrize(
    ("level", "answers"),
    [  # read, list branch protections, create a variable, delete
        (None, (404, 404, 404, 404)),
        (10, (200, 403, 403, 403)),
        (20, (200, 403, 403, 403)),
        (30, (200, 200, 403, 403)),
        (40, (200, 200, 200, 403)),
        (50, (200, 200, 200, 200)),
    ],
)
def test_each_level_has_its_permissions(
    group: Any, project: Any, someone: Someone, level: int | None, answers: tuple[int, ...]
) -> None:
    user, client = someone()
    if level is not None:
        group.members.create({"user_id": user.id, "access_level": level})
    mine = client.projects.get(project.id, lazy=True)
    assert (
        status(lambda: client.projects.get(project.id)),
        status(mine.protectedbranches.list),
        status(lambda: mine.variables.create({"key": "K", "value": "v"})),
        status(lambda: client.projects.delete(project.id)),
    ) == answers


def test_a_share_gives_the_lower_of_two_levels(live: LiveGitLab, group: Any, project: Any, someone: Someone) -> None:
    user, client = someone()
    other = live.root.groups.create({"name": "o", "path": name("o")})
    other.members.create({"user_id": user.id, "access_level": 50})
    assert status(lambda: client.projects.get(project.id)) == 404
    group.share(other.id, 20)
    assert project.members_all.get(user.id).access_level == 20
    assert status(lambda: client.projects.get(project.id)) == 200
    assert status(client.projects.get(project.id, lazy=True).protectedbranches.list) == 403
    group.unshare(other.id)
    assert status(lambda: client.projects.get(project.id)) == 404


def test_anonymous_callers_see_only_public_projects(live: LiveGitLab, someone: Someone) -> None:
    group = live.root.groups.create({"name": "open", "path": name("g"), "visibility": "public"})
    made = {
        visibility: live.root.projects.create({"name": visibility, "namespace_id": group.id, "visibility": visibility})
        for visibility in ("private", "internal", "public")
    }
    _, client = someone()
    with live.http(None) as anonymous:
        seen = {visibility: anonymous.get(f"/projects/{one.id}").status_code for visibility, one in made.items()}
        assert seen == {"private": 404, "internal": 404, "public": 200}
        assert anonymous.get("/user").json() == {"message": "401 Unauthorized"}
        assert anonymous.get("/users").status_code == 401
        assert anonymous.get("/projects", headers={"PRIVATE-TOKEN": "none"}).status_code == 401
    answers = {visibility: status(partial(client.projects.get, one.id)) for visibility, one in made.items()}
    assert answers == {"private": 404, "internal": 200, "public": 200}


def test_reuse_of_a_revoked_token_revokes_its_successors(live: LiveGitLab, project: Any) -> None:
    content = {"name": "deploy", "scopes": ["api"], "access_level": 30, "expires_at": day(30)}
    made = project.access_tokens.create(content)
    assert made.token.startswith("glpat-")
    assert (made.expires_at, made.access_level, made.active) == (day(30), 30, True)
    read = project.access_tokens.get(made.id)
    assert "token" not in read.attributes
    bot = live.root.users.get(made.user_id)
    assert bot.bot is True
    assert bot.username.startswith(f"project_{project.id}_bot_")
    assert project.members.get(bot.id).access_level == 30
    client = live.client(made.token)
    assert client.projects.get(project.id).id == project.id
    successor = project.access_tokens.rotate(made.id, expires_at=day(5))
    assert successor["token"] != made.token
    assert (successor["id"] != made.id, successor["expires_at"], successor["user_id"]) == (True, day(5), bot.id)
    with pytest.raises(GitlabAuthenticationError, match="invalid_token"):
        client.projects.get(project.id)
    fresh = live.client(successor["token"])
    assert fresh.projects.get(project.id).id == project.id
    first = project.access_tokens.create(content)
    second = project.access_tokens.rotate(first.id)
    with pytest.raises(GitlabError, match="token already revoked"):
        project.access_tokens.rotate(first.id)
    assert project.access_tokens.get(second["id"]).revoked is True
    again = project.access_tokens.create({"name": "short", "scopes": ["read_api"]})
    assert again.expires_at == day(365)
    project.access_tokens.delete(again.id)
    assert project.access_tokens.get(again.id).revoked is True
    assert status(lambda: project.members.get(again.user_id)) == 404, "the bot's membership ends with its last token"
    for wrong, message in (
        ({"name": "x", "scopes": ["all"]}, "scopes does not have a valid value"),
        ({"name": "x", "scopes": ["api"], "expires_at": day(400)}, f"Expires at must be before {day(365)}"),
    ):
        with pytest.raises(GitlabCreateError, match=message):
            project.access_tokens.create(wrong)
    over = project.access_tokens.create({"name": "x", "scopes": ["api"], "expires_at": day(-1)})
    assert (over.active, status(live.client(over.token).auth)) == (False, 401)


def test_scopes_limit_a_token(live: LiveGitLab, someone: Someone) -> None:
    user, _ = someone()
    clients = {
        scope: live.client(user.personal_access_tokens.create({"name": scope, "scopes": [scope]}).token)
        for scope in ("read_user", "read_api", "read_repository")
    }
    assert status(clients["read_user"].auth) == 200
    assert status(clients["read_user"].groups.list) == 403
    assert status(clients["read_api"].groups.list) == 200
    assert status(lambda: clients["read_api"].groups.create({"name": "n", "path": name()})) == 403
    assert status(clients["read_repository"].projects.list) == 403
    token = user.personal_access_tokens.create({"name": "x", "scopes": ["read_api"]}).token
    with live.http(token) as http:
        body = http.post("/groups", json={"name": "n", "path": name()}).json()
    assert (body["error"], body["scope"]) == ("insufficient_scope", "api")


def test_tokens_expire(live: LiveGitLab, someone: Someone, monkeypatch: pytest.MonkeyPatch) -> None:
    user, _ = someone()
    token = user.personal_access_tokens.create({"name": "t", "scopes": ["api"], "expires_at": day(1)}).token
    client = live.client(token)
    assert status(client.auth) == 200
    monkeypatch.setattr("lab.standins.gitlab.actors.today", lambda: day(1))
    with pytest.raises(GitlabAuthenticationError, match="invalid_token"):
        client.auth()
    with live.http(token) as http:
        assert "Token is expired" in http.get("/user").json()["error_description"]


def test_a_token_is_accepted_in_three_places_and_sudo_selects_a_user(live: LiveGitLab, someone: Someone) -> None:
    user, mine = someone()
    with live.http(None) as http:
        assert http.get("/user", headers={"Authorization": f"Bearer {ROOT_TOKEN}"}).json()["username"] == "root"
        assert http.get("/user", params={"private_token": ROOT_TOKEN}).json()["username"] == "root"
        as_other = {"PRIVATE-TOKEN": ROOT_TOKEN, "Sudo": user.username}
        assert http.get("/user", headers=as_other).json()["id"] == user.id
        assert http.get("/user", headers={"PRIVATE-TOKEN": ROOT_TOKEN, "Sudo": "nobody-is"}).status_code == 404
    with pytest.raises(GitlabError, match="Must be admin to use sudo"):
        mine.http_get("/user", sudo="root")


def test_deploy_tokens_have_no_access_to_the_api(live: LiveGitLab, project: Any, group: Any) -> None:
    for source in (project, group):
        made = source.deploytokens.create({"name": "argo", "scopes": ["read_repository"], "expires_at": day(9)})
        assert made.username == f"gitlab+deploy-token-{made.id}"
        assert made.expires_at == f"{day(9)}T00:00:00.000Z"
        read = source.deploytokens.get(made.id)
        assert "token" not in read.attributes
        assert (read.revoked, read.expired, read.scopes) == (False, False, ["read_repository"])
        assert status(live.client(made.token).projects.list) == 401
        source.deploytokens.delete(made.id)
        assert status(partial(source.deploytokens.get, made.id)) == 404
    with pytest.raises(GitlabCreateError, match="scopes does not have a valid value"):
        project.deploytokens.create({"name": "x", "scopes": ["api"]})
    over = project.deploytokens.create({"name": "x", "scopes": ["read_repository"], "expires_at": day(-1)})
    assert (over.expired, [one.id for one in project.deploytokens.list(active=True)]) == (True, [])


def test_the_allow_list_of_job_tokens(live: LiveGitLab, project: Any, group: Any) -> None:
    scope = project.job_token_scope.get()
    assert scope.inbound_enabled is True
    assert [one.id for one in scope.allowlist.list()] == [project.id]
    other = live.root.projects.create({"name": "other", "namespace_id": group.id})
    scope.allowlist.create({"target_project_id": other.id})
    scope.groups_allowlist.create({"target_group_id": group.id})
    assert [one.id for one in scope.allowlist.list()] == [project.id, other.id]
    with pytest.raises(GitlabCreateError, match="already in the job token allowlist"):
        scope.allowlist.create({"target_project_id": other.id})
    scope.allowlist.delete(other.id)
    scope.groups_allowlist.delete(group.id)
    assert scope.groups_allowlist.list() == []
    scope.enabled = False
    scope.save()
    assert project.job_token_scope.get().inbound_enabled is False


def test_the_instance_can_enforce_the_allow_list(tmp_path: Path) -> None:
    with live_gitlab(tmp_path, enforce_job_token_scope=True) as live:
        project = live.root.projects.create({"name": "p"})
        scope = project.job_token_scope.get()
        scope.enabled = False
        scope.save()
        assert project.job_token_scope.get().inbound_enabled is True
        assert live.root.settings.get().enforce_ci_inbound_job_token_scope_enabled is True


def test_a_job_has_access_to_projects_that_list_its_project(live: LiveGitLab, project: Any, group: Any) -> None:
    other = live.root.projects.create({"name": "other", "namespace_id": group.id})
    root = live.site.store.get("user", 1)
    job = Actor("job", frozenset(), root, project_id=other.id)

    def kind(_: GitLabSite, secret: str) -> Actor | None:
        return job if secret == "job-secret" else None

    live.site.token_kinds.append(kind)
    with live.http(None) as http:

        def seen() -> int:
            return http.get(f"/projects/{project.id}", headers={"JOB-TOKEN": "job-secret"}).status_code

        assert http.get(f"/projects/{other.id}", headers={"JOB-TOKEN": "job-secret"}).status_code == 200
        assert seen() == 404, "its user is an owner, but its project is not listed"
        project.job_token_scope.get().allowlist.create({"target_project_id": other.id})
        assert seen() == 200
        assert http.delete(f"/projects/{project.id}", headers={"JOB-TOKEN": "job-secret"}).status_code == 401
