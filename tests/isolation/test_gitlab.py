"""GitLab gives people the rights of the table: each person tries each action, with the plan's members and protections.

Runs on the stand-in GitLab. lab/tests/standins/gitlab compares its access rules with GitLab's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from model.tenant import Right
from tests.isolation.tenants import TENANTS, has, people, plan

R = Right
#: Names of GitLab's access levels -> the numbers in its API.
_LEVELS = {"reporter": 20, "developer": 30, "maintainer": 40}


def _commit(branch: str) -> dict[str, Any]:
    """Return an empty commit with a message."""
    return {"branch": branch, "commit_message": "try [skip ci]", "allow_empty": True, "actions": []}


#: The actions that a person tries in a project: method, path below the project, body, and the required right.
VERBS: dict[str, tuple[str, str, dict[str, Any] | None, Right | None]] = {
    "read the code": ("GET", "/repository/tree", None, R.GITLAB_REPORTER),
    "read the issues": ("GET", "/issues", None, R.GITLAB_REPORTER),
    "push to a branch of their own": ("POST", "/repository/commits", _commit("own"), R.GITLAB_DEVELOPER),
    "push to main": ("POST", "/repository/commits", _commit("main"), R.GITLAB_MAINTAINER),
    "tag a release": ("POST", "/repository/tags", {"tag_name": "v1", "ref": "main"}, R.GITLAB_MAINTAINER),
    "unprotect main": ("DELETE", "/protected_branches/none", None, R.GITLAB_MAINTAINER),
    "delete the project": ("DELETE", "", None, None),
    "make it public": ("PUT", "", {"visibility": "public"}, None),
}
#: The key of the catalogue in the projects of `site`.
CATALOGUE = "the platform's catalogue"
#: Actions that would change the pipelines of all tenants. A tag is moved by deleting it and creating it again; GitLab's
#: git server refuses a forced push of a tag to everybody.
CATALOGUE_VERBS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "push to main": ("POST", "/repository/commits", _commit("main")),
    "make a tag": ("POST", "/repository/tags", {"tag_name": "v1-ffffffffffffffff", "ref": "main"}),
    "make a tag of another name": ("POST", "/repository/tags", {"tag_name": "mine", "ref": "main"}),
    "delete a tag": ("DELETE", "/repository/tags/v1-0123456789abcdef", None),
    "delete a tag of another name": ("DELETE", "/repository/tags/other", None),
    "unprotect main": ("DELETE", "/protected_branches/main", None),
    "unprotect the tags": ("DELETE", "/protected_tags/%2A", None),
    "choose its pipelines": ("PUT", "", {"ci_config_path": "mine.yml"}),
}


@pytest.fixture(scope="module")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(Path(tmp_path_factory.mktemp("gitlab"))) as live:
        yield live


@pytest.fixture(scope="module")
def site(gitlab: LiveGitLab) -> tuple[Mapping[str, int], Mapping[str, str]]:
    """The id of each tenant's project `api` and of the catalogue, and a token of each person.

    The projects have the plan's members and protections.
    """
    root = gitlab.call("POST", "/groups", name="tenants", path="tenants", visibility="private")["id"]
    groups, projects, users, tokens = {}, {}, {}, {}
    for person in people():
        made = gitlab.call(
            "POST",
            "/users",
            username=person,
            name=person,
            email=f"{person}@example.org",
            force_random_password=True,
            skip_confirmation=True,
        )
        users[person] = made["id"]
        token = gitlab.call("POST", f"/users/{made['id']}/personal_access_tokens", name="t", scopes=["api"])
        tokens[person] = token["token"]
    for slug in TENANTS:
        groups[slug] = gitlab.call("POST", "/groups", name=slug, path=slug, parent_id=root, visibility="private")["id"]
        projects[slug] = gitlab.call(
            "POST",
            "/projects",
            name="api",
            namespace_id=groups[slug],
            initialize_with_readme=True,
            visibility="private",
        )["id"]
        api = f"/projects/{projects[slug]}"
        gitlab.call("POST", f"{api}/repository/commits", **_commit("own"), start_branch="main")
        gitlab.call("DELETE", f"{api}/protected_branches/main")
    projects[CATALOGUE] = _catalogue(gitlab)
    for resource in plan().resources:
        inputs: Any = resource.inputs
        if resource.tenant in TENANTS and resource.type.endswith("groupMembership:GroupMembership"):
            user, level = users[resource.name.rpartition("/")[2]], _LEVELS[inputs["accessLevel"]]
            gitlab.call("POST", f"/groups/{groups[resource.tenant]}/members", user_id=user, access_level=level)
        place = CATALOGUE if resource.name.startswith("foundation/gitlab/catalogue/") else str(resource.tenant)
        if place == CATALOGUE or f"{place}/gitlab/api/" in resource.name:
            api = f"/projects/{projects[place]}"
            if resource.type.endswith(":BranchProtection"):
                (push,), (merge,) = inputs["allowedToPushes"], inputs["allowedToMerges"]
                gitlab.call(
                    "POST",
                    f"{api}/protected_branches",
                    name=inputs["branch"],
                    push_access_level=_LEVELS[push["accessLevel"]],
                    merge_access_level=_LEVELS[merge["accessLevel"]],
                )
            if resource.type.endswith(":TagProtection"):
                level = _LEVELS[inputs["createAccessLevel"]]
                gitlab.call("POST", f"{api}/protected_tags", name=inputs["tag"], create_access_level=level)
    return projects, tokens


def _catalogue(gitlab: LiveGitLab) -> int:
    """Create the catalogue without GitLab's default protections, with one tag of each kind of name."""
    platform = gitlab.call("POST", "/groups", name="platform", path="platform", visibility="internal")["id"]
    made = {"name": "catalogue", "namespace_id": platform, "initialize_with_readme": True, "visibility": "internal"}
    project: int = gitlab.call("POST", "/projects", **made)["id"]
    gitlab.call("DELETE", f"/projects/{project}/protected_branches/main")
    for tag in ("v1-0123456789abcdef", "other"):
        gitlab.call("POST", f"/projects/{project}/repository/tags", tag_name=tag, ref="main")
    return project


def test_people_have_exactly_the_rights_of_the_table_in_every_project(
    gitlab: LiveGitLab, site: tuple[Mapping[str, int], Mapping[str, str]]
) -> None:
    projects, tokens = site
    wrong, done = [], 0
    for person, (slug, project) in itertools.product(people(), projects.items()):
        if slug == CATALOGUE:
            continue
        with gitlab.http(tokens[person]) as client:
            for verb, (method, path, body, right) in VERBS.items():
                answer = client.request(method, f"/projects/{project}{path}", json=body)
                wanted = right is not None and has(person, slug, right)
                done += wanted
                if verb == "tag a release" and answer.is_success:
                    gitlab.call("DELETE", f"/projects/{project}/repository/tags/v1")
                if _did(answer, verb) != wanted:
                    wrong.append(f"{person} in {slug}: {verb}: {answer.status_code} {answer.text[:80]}")
    assert not wrong, "\n".join(wrong)
    assert done > 50


@pytest.mark.parametrize("invited", [None, "developer"])
def test_no_member_of_a_tenant_can_change_the_catalogue(
    gitlab: LiveGitLab, site: tuple[Mapping[str, int], Mapping[str, str]], invited: str | None
) -> None:
    """Not with any role in their tenant, and not as a developer of the catalogue, which no tenant file can grant."""
    projects, tokens = site
    api = f"/projects/{projects[CATALOGUE]}"
    persons = [person for person in people() if person.startswith("live.")]
    members = [gitlab.root.users.list(username=person)[0].id for person in persons] if invited else []
    for user in members:
        gitlab.call("POST", f"{api}/members", user_id=user, access_level=_LEVELS["developer"])
    wrong = []
    for person, (verb, (method, path, body)) in itertools.product(persons, CATALOGUE_VERBS.items()):
        with gitlab.http(tokens[person]) as client:
            assert client.get(f"{api}/repository/tree").is_success, "a pipeline reads included files as its user"
            answer = client.request(method, f"{api}{path}", json=body)
            if answer.is_success:
                wrong.append(f"{person}: {verb}")
    for user in members:
        gitlab.call("DELETE", f"{api}/members/{user}")
    assert (wrong, len(persons) > 3) == ([], True)
    # The platform itself may, because it publishes the catalogue.
    gitlab.call("POST", f"{api}/repository/tags", tag_name="v1-ffffffffffffffff", ref="main")
    gitlab.call("DELETE", f"{api}/repository/tags/v1-ffffffffffffffff")


def _did(answer: httpx.Response, verb: str) -> bool:
    """Return whether the server allowed the request. 404 for a protection to remove counts as allowed."""
    if verb == "unprotect main" and answer.status_code == httpx.codes.NOT_FOUND:
        return "Project" not in answer.text
    return answer.is_success
