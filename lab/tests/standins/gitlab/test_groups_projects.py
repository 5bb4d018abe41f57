"""Groups, projects and users: life cycles, refusals, pages, delayed deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gitlab
import pytest
from gitlab.exceptions import GitlabCreateError, GitlabDeleteError, GitlabGetError, GitlabUpdateError

from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name

Someone = Callable[[], tuple[Any, gitlab.Gitlab]]


def test_life_of_a_group(live: LiveGitLab) -> None:
    path = name("g")
    made = live.root.groups.create({"name": "One", "path": path, "description": "d", "project_creation_level": "noone"})
    assert (made.visibility, made.project_creation_level, made.parent_id) == ("private", "noone", None)
    child = live.root.groups.create({"name": "Two", "path": "two", "parent_id": made.id})
    assert (child.full_path, child.full_name) == (f"{path}/two", "One / Two")
    assert live.root.groups.get(f"{path}/two").id == child.id
    child.path = "three"
    child.save()
    assert live.root.groups.get(f"{path}/three").id == child.id
    with pytest.raises(GitlabGetError, match="404 Group Not Found"):
        live.root.groups.get(f"{path}/two")
    assert [one.id for one in made.subgroups.list()] == [child.id]
    assert made.id in [one.id for one in live.root.groups.list(top_level_only=True, iterator=True)]
    assert child.id not in [one.id for one in live.root.groups.list(top_level_only=True, iterator=True)]


def test_renaming_a_group_changes_the_paths_of_its_content(live: LiveGitLab, group: Any) -> None:
    child = live.root.groups.create({"name": "c", "path": "c", "parent_id": group.id})
    made = live.root.projects.create({"name": "p", "namespace_id": child.id})
    group.path = name("moved")
    group.save()
    assert live.root.projects.get(f"{group.path}/c/p").id == made.id


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, {"error": "name is missing, path is missing"}),
        ({"name": "x", "path": "x", "visibility": "secret"}, {"error": "visibility does not have a valid value"}),
        ({"name": "x", "path": "api"}, {"message": 'Failed to save group {:path=>["is a reserved name"]}'}),
        ({"name": "x", "path": "y", "parent_id": "nine"}, {"error": "parent_id is invalid"}),
    ],
)
def test_invalid_groups_are_refused_with_gitlabs_message(live: LiveGitLab, content: Any, expected: Any) -> None:
    with live.http() as http:
        answer = http.post("/groups", json=content)
    assert (answer.status_code, answer.json()) == (400, expected)


def test_a_used_path_and_a_higher_visibility_are_refused(live: LiveGitLab, group: Any) -> None:
    with pytest.raises(GitlabCreateError, match="has already been taken") as taken:
        live.root.groups.create({"name": "again", "path": group.path.upper()})
    assert taken.value.response_code == 400
    with pytest.raises(GitlabCreateError, match="public is not allowed since the parent group has a private"):
        live.root.groups.create({"name": "o", "path": "o", "parent_id": group.id, "visibility": "public"})
    with pytest.raises(GitlabCreateError, match="public is not allowed in a private group"):
        live.root.projects.create({"name": "o", "namespace_id": group.id, "visibility": "public"})


def test_a_project_returns_the_values_that_were_set(live: LiveGitLab, group: Any) -> None:
    settings = {
        "description": "d",
        "topics": ["b", "a"],
        "merge_method": "ff",
        "squash_option": "always",
        "only_allow_merge_if_pipeline_succeeds": True,
        "remove_source_branch_after_merge": False,
        "ci_config_path": "operations.yml@platform/catalogue",
        "ci_forward_deployment_enabled": False,
        "ci_push_repository_for_job_token_allowed": True,
        "auto_devops_enabled": False,
        "shared_runners_enabled": False,
        "build_timeout": 7200,
        "wiki_access_level": "disabled",
        "container_registry_access_level": "private",
        "keep_latest_artifact": False,
        "container_expiration_policy_attributes": {"enabled": True, "keep_n": 25, "name_regex_delete": "x.*"},
    }
    made = live.root.projects.create({"name": "My Project", "namespace_id": group.id, **settings})
    read = live.root.projects.get(made.id).attributes
    expected = {**settings, "topics": ["a", "b"]}
    policy = expected.pop("container_expiration_policy_attributes")
    assert {key: read[key] for key in expected} == expected
    assert read["path"] == "my-project"
    assert read["wiki_enabled"] is False
    assert read["container_registry_enabled"] is True
    assert (read["container_expiration_policy"]["keep_n"], read["container_expiration_policy"]["cadence"]) == (25, "1d")
    assert read["container_expiration_policy"]["name_regex"] == policy["name_regex_delete"]  # type: ignore[index]
    made.build_timeout = 3600
    made.issues_enabled = False
    made.save()
    read = live.root.projects.get(made.id).attributes
    assert (read["build_timeout"], read["issues_access_level"], read["merge_method"]) == (3600, "disabled", "ff")


def test_invalid_projects_are_refused_with_gitlabs_message(live: LiveGitLab, project: Any, group: Any) -> None:
    with live.http() as http:
        answer = http.post("/projects", json={"name": project.name, "namespace_id": group.id})
        taken = ["has already been taken"]
        assert answer.status_code == 400
        assert answer.json() == {"message": {"project_namespace.name": taken, "name": taken, "path": taken}}
        assert http.post("/projects", json={}).json() == {
            "error": "name, path are missing, at least one parameter must be provided"
        }
        assert http.put(f"/projects/{project.id}", json={"build_timeout": 5}).json() == {
            "message": {"build_timeout": ["needs to be between 10 minutes and 1 month"]}
        }
    with pytest.raises(GitlabUpdateError, match="merge_method does not have a valid value"):
        live.root.projects.update(project.id, {"merge_method": "octopus"})


def test_parameters_are_accepted_in_every_form(live: LiveGitLab, group: Any) -> None:
    path = f"/projects/{group.path}%2Fformed"
    with live.http() as http:
        form = {"name": "formed", "namespace_id": str(group.id), "topics[]": ["x", "y"], "lfs_enabled": "false"}
        assert http.post("/projects", data=form).status_code == 201
        read = http.get(path).json()
        assert (read["topics"], read["lfs_enabled"]) == (["x", "y"], False)
        assert http.put(path, files={"description": (None, "multi")}).json()["description"] == "multi"
        nested = {"container_expiration_policy_attributes[cadence]": "7d"}
        assert http.put(path, data=nested).json()["container_expiration_policy"]["cadence"] == "7d"
        assert http.put(f"{path}?topics=p,q&unknown=1").json()["topics"] == ["p", "q"]
        broken = http.put(path, content=b"{", headers={"Content-Type": "application/json"})
        assert broken.status_code == 400


def test_projects_are_deleted_after_a_delay(live: LiveGitLab, group: Any) -> None:
    made = live.root.projects.create({"name": "late", "path": "late", "namespace_id": group.id})
    with live.http() as http:
        first = http.delete(f"/projects/{made.id}")
        assert (first.status_code, first.json()) == (202, {"message": "202 Accepted"})
        marked = http.get(f"/projects/{made.id}").json()
        assert marked["marked_for_deletion_on"]
        assert marked["path_with_namespace"] == f"{group.path}/late-deletion_scheduled-{made.id}"
        assert http.get(f"/projects/{group.path}%2Flate").status_code == 404
        assert "already marked" in http.delete(f"/projects/{made.id}").json()["message"]
    successor = live.root.projects.create({"name": "late", "path": "late", "namespace_id": group.id})
    with live.http() as http:
        now = {"permanently_remove": "true", "full_path": f"{group.path}/late"}
        assert http.delete(f"/projects/{successor.id}", params=now).status_code == 400, "it must be marked first"
        assert "full_path" in http.delete(f"/projects/{made.id}", params=now).json()["message"]
        now["full_path"] = f"{group.path}/late-deletion_scheduled-{made.id}"
        assert http.delete(f"/projects/{made.id}", params=now).status_code == 202
        assert http.get(f"/projects/{made.id}").json() == {"message": "404 Project Not Found"}


def test_groups_are_deleted_after_a_delay_with_their_content(live: LiveGitLab, group: Any) -> None:
    child = live.root.groups.create({"name": "c", "path": "c", "parent_id": group.id})
    made = live.root.projects.create({"name": "p", "namespace_id": child.id})
    live.root.groups.delete(child.id)
    marked = live.root.groups.get(child.id)
    assert marked.full_path == f"{group.path}/c-deletion_scheduled-{child.id}"
    live.root.groups.delete(child.id, permanently_remove=True, full_path=marked.full_path)
    for get in (lambda: live.root.groups.get(child.id), lambda: live.root.projects.get(made.id)):
        with pytest.raises(GitlabGetError):
            get()
    live.root.groups.delete(group.id)
    with pytest.raises(GitlabDeleteError, match="only available for subgroups"):
        live.root.groups.delete(group.id, permanently_remove=True, full_path=group.full_path)


def test_archive_transfer_and_shares(live: LiveGitLab, project: Any, group: Any) -> None:
    other = live.root.groups.create({"name": "o", "path": name("o")})
    project.archive()
    assert live.root.projects.get(project.id).archived is True
    project.unarchive()
    assert live.root.projects.get(project.id).archived is False
    project.transfer(other.full_path)
    assert live.root.projects.get(project.id).path_with_namespace == f"{other.full_path}/{project.path}"
    live.root.projects.get(project.id).share(group.id, 30, "2999-01-31")
    shared = live.root.projects.get(project.id).shared_with_groups
    assert [(one["group_id"], one["group_access_level"], one["expires_at"]) for one in shared] == [
        (group.id, 30, "2999-01-31")
    ]
    with pytest.raises(GitlabCreateError) as twice:
        live.root.projects.get(project.id).share(group.id, 30)
    assert twice.value.response_code == 409
    live.root.projects.get(project.id).unshare(group.id)
    assert live.root.projects.get(project.id).shared_with_groups == []


def test_pages_by_number_and_by_key(live: LiveGitLab, group: Any) -> None:
    made = [live.root.projects.create({"name": f"p{number}", "namespace_id": group.id}).id for number in range(5)]
    with live.http() as http:
        path = f"/groups/{group.id}/projects"
        second = http.get(path, params={"per_page": 2, "page": 2, "order_by": "id", "sort": "asc"})
        assert [one["id"] for one in second.json()] == made[2:4]
        wanted = {"X-Page": "2", "X-Per-Page": "2", "X-Prev-Page": "1", "X-Next-Page": "3", "X-Total": "5"}
        assert {header: second.headers[header] for header in wanted} == wanted
        assert second.headers["X-Total-Pages"] == "3"
        assert {link["rel"] for link in second.links.values()} == {"prev", "next", "first", "last"}
        assert http.get(path, params={"page": 9}).json() == []
        assert http.get(path, params={"page": 0}).json() == {"error": "page does not have a valid value"}
        seen, url = [], f"{path}?pagination=keyset&order_by=id&sort=asc&per_page=2"
        while url:
            answer = http.get(url)
            assert "X-Total" not in answer.headers
            seen += [one["id"] for one in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        assert seen == made
        named, url = [], "/groups?pagination=keyset&order_by=name&per_page=1"
        while url:
            answer = http.get(url)
            named += [one["id"] for one in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        assert sorted(named) == sorted(one.id for one in live.root.groups.list(iterator=True))
    keyed = live.root.projects.list(pagination="keyset", order_by="id", per_page=2, iterator=True)
    assert set(made) <= {one.id for one in keyed}


def test_life_of_a_user(live: LiveGitLab, someone: Someone) -> None:
    user, client = someone()
    client.auth()
    assert client.user is not None
    assert client.user.username == user.username
    assert [one.id for one in live.root.users.list(username=user.username.upper())] == [user.id]
    for content, expected in (
        ({"email": user.email, "username": name()}, "Email has already been taken"),
        ({"email": "new@example.com", "username": user.username}, "Username has already been taken"),
    ):
        with pytest.raises(GitlabCreateError, match=expected) as conflict:
            live.root.users.create({"name": "n", "reset_password": True, **content})
        assert conflict.value.response_code == 409
    user.block()
    with pytest.raises(gitlab.exceptions.GitlabError, match="Your account has been blocked"):
        client.projects.list()
    user.unblock()
    assert client.projects.list(membership=True) == []
    with pytest.raises(GitlabCreateError) as forbidden:
        client.users.create({"name": "n", "email": "z@example.com", "username": "z", "reset_password": True})
    assert forbidden.value.response_code == 403
    user.provider, user.extern_uid = "openid_connect", "42"
    user.save()
    found = live.root.users.list(provider="openid_connect", extern_uid="42")
    assert [one.id for one in found] == [user.id]
    user.delete()
    with pytest.raises(GitlabGetError, match="404 User Not Found"):
        live.root.users.get(user.id)


def test_locks_of_groups_also_apply_to_administrators(premium: LiveGitLab) -> None:
    root = premium.root
    top = root.groups.create({"name": name("g"), "path": name("g")})
    below = root.groups.create({"name": name("g"), "path": name("g"), "parent_id": top.id})
    outside = root.groups.create({"name": name("g"), "path": name("g")})
    inside = root.projects.create({"name": name("p"), "namespace_id": below.id, "initialize_with_readme": True})
    user = root.users.create(
        {"username": name("u"), "name": "u", "email": f"{name('u')}@example.com", "force_random_password": True}
    )

    def code(call: Callable[[], Any]) -> int:
        try:
            call()
        except gitlab.GitlabError as error:
            return error.response_code or 0
        return 200

    root.groups.update(
        top.id, {"prevent_sharing_groups_outside_hierarchy": True, "prevent_forking_outside_group": True}
    )
    below.membership_lock = True
    below.save()
    assert code(lambda: below.share(outside.id, 30)) == 404
    assert code(lambda: inside.share(outside.id, 30)) == 404
    assert code(lambda: inside.share(top.id, 30)) == 200
    assert code(lambda: inside.forks.create({"namespace_id": outside.id})) == 404
    assert code(lambda: inside.members.create({"user_id": user.id, "access_level": 30})) == 403
    assert code(lambda: below.members.create({"user_id": user.id, "access_level": 30})) == 200
    top.share_with_group_lock = True
    top.save()
    assert code(lambda: inside.share(below.id, 30)) == 400
