"""The table of rights itself, the grants of the plan in every system, and the texts about them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from model.access import answers, rights_of, roles_of
from model.rights import MEANINGS, RIGHTS, with_included
from model.tenant import Right, Role, State
from tests.isolation import guide
from tests.isolation.tenants import BOTH, TENANTS, groups_of, has, people, plan

R = Right
_ALL = set(Right)
#: The rights that each role lacks, from the requirements (shared/design.md, section 4).
WITHOUT: dict[Role, set[Right]] = {
    Role.OWNER: set(),
    Role.ADMIN: set(),
    Role.DEVOPS: {R.VAULT_DESTROY, R.SONARQUBE_HOTSPOTS},
    Role.DEVELOPER: {
        *(R.VAULT_SECRETS_PROD, R.VAULT_SECRETS, R.VAULT_DESTROY, R.KUBERNETES_CHANGE_PROD, R.ARGOCD_SYNC_PROD),
        *(R.GITLAB_MAINTAINER, R.SONARQUBE_HOTSPOTS),
    },
    Role.SECURITY: {
        *(R.VAULT_SECRETS_NONPROD, R.VAULT_SECRETS_PROD, R.VAULT_SECRETS, R.VAULT_DESTROY),
        *(R.KUBERNETES_CHANGE_NONPROD, R.KUBERNETES_CHANGE_PROD, R.ARGOCD_SYNC_NONPROD, R.ARGOCD_SYNC_PROD),
        *(R.GITLAB_DEVELOPER, R.GITLAB_MAINTAINER),
    },
    Role.READONLY: {
        *(R.VAULT_SECRETS_NONPROD, R.VAULT_SECRETS_PROD, R.VAULT_SECRETS, R.VAULT_DESTROY),
        *(R.KUBERNETES_CHANGE_NONPROD, R.KUBERNETES_CHANGE_PROD, R.ARGOCD_SYNC_NONPROD, R.ARGOCD_SYNC_PROD),
        *(R.GITLAB_DEVELOPER, R.GITLAB_MAINTAINER, R.HARBOR_SCANS, R.SONARQUBE_ISSUES, R.SONARQUBE_HOTSPOTS),
    },
}


@pytest.mark.parametrize("role", Role)
def test_rights_of_each_role(role: Role) -> None:
    assert RIGHTS[role] == _ALL - WITHOUT[role]


def test_no_role_exceeds_admin_and_roles_have_all_included_rights() -> None:
    for role in Role:
        assert RIGHTS[role] <= RIGHTS[Role.ADMIN]
        assert with_included(RIGHTS[role]) == RIGHTS[role]
    for right in Right:
        assert with_included({right}) <= RIGHTS[Role.ADMIN]
        assert right.system == next(iter({included.system for included in with_included({right})}))


def test_a_state_only_removes_rights() -> None:
    for slug, tenant in TENANTS.items():
        for person in people():
            now = rights_of(tenant, person)
            if tenant.state is State.SUSPENDED:
                assert now <= RIGHTS[Role.READONLY], (slug, person)
            if tenant.state is State.ARCHIVED or person not in tenant.people:
                assert now == frozenset(), (slug, person)
    # People who have only own roles get no additional rights to see.
    assert rights_of(TENANTS["ownpaused"], "ownpaused.audit") == {R.KUBERNETES_VIEW_PROD, R.ARGOCD_VIEW_PROD}
    assert rights_of(TENANTS["ownpaused"], "ownpaused.release") == {R.ARGOCD_VIEW_PROD, R.GITLAB_REPORTER}
    assert rights_of(TENANTS["live"], BOTH) == RIGHTS[Role.DEVOPS]
    assert rights_of(TENANTS["own"], BOTH) == RIGHTS[Role.READONLY]


def test_answers_name_the_roles_that_have_a_right() -> None:
    found = {answer.right: answer for answer in answers(TENANTS["own"], "own.keeper")}
    secrets = found[R.VAULT_SECRETS_PROD]
    assert (secrets.through, secrets.environments) == (("keeper",), ("prod",))
    assert secrets.others == ("owner", "admin", "devops", "keeper")
    assert not found[R.VAULT_SECRETS_NONPROD].allowed
    for tenant, person in itertools.product(TENANTS.values(), people()):
        allowed = {answer.right for answer in answers(tenant, person) if answer.allowed}
        assert allowed == rights_of(tenant, person)


# What the plan grants -------------------------------------------------------------------------------------------------


def inputs(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and inputs of the plan's resources whose type ends with `kind`."""
    return [(r.name, dict(r.inputs)) for r in plan().resources if r.type.endswith(kind)]


#: GitLab's levels, the strongest first, with the right that each stands for.
LEVELS = {"maintainer": R.GITLAB_MAINTAINER, "developer": R.GITLAB_DEVELOPER, "reporter": R.GITLAB_REPORTER}


def test_gitlab_levels_match_the_table() -> None:
    granted = {
        (name.split("/")[0], name.rpartition("/")[2]): found["accessLevel"]
        for name, found in inputs("groupMembership:GroupMembership")
        if "/member/" in name and not name.startswith("foundation")
    }
    for slug, person in itertools.product(TENANTS, people()):
        level = next((level for level, right in LEVELS.items() if has(person, slug, right)), None)
        assert granted.get((slug, person)) == level


def test_keycloak_groups_match_the_table() -> None:
    for person in people():
        groups = groups_of(person)
        for slug, tenant in TENANTS.items():
            expected = {f"/{slug}/{role.name}" for role in roles_of(tenant) if person in role.members}
            for environment in tenant.environments:
                prod = environment.production
                change = R.KUBERNETES_CHANGE_PROD if prod else R.KUBERNETES_CHANGE_NONPROD
                view = R.KUBERNETES_VIEW_PROD if prod else R.KUBERNETES_VIEW_NONPROD
                access = "rw" if has(person, slug, change) else "ro" if has(person, slug, view) else None
                expected |= {f"/{slug}/{environment.name}/{access}"} if access else set()
            assert {group for group in groups if group.startswith(f"/{slug}/")} == expected


def test_argocd_roles_match_the_table() -> None:
    seen, with_logs = set(), set()
    for _, found in inputs("argoproj.io/v1alpha1:AppProject"):
        slug, _, environment = found["metadata"]["name"].rpartition("-")
        tenant = TENANTS[slug]
        view, sync = (
            (R.ARGOCD_VIEW_PROD, R.ARGOCD_SYNC_PROD)
            if environment == "prod"
            else (R.ARGOCD_VIEW_NONPROD, R.ARGOCD_SYNC_NONPROD)
        )
        look = R.KUBERNETES_VIEW_PROD if environment == "prod" else R.KUBERNETES_VIEW_NONPROD
        roles = {role["name"]: role for role in found["spec"]["roles"]}
        for role in roles_of(tenant):
            if view not in role.rights:
                assert role.name not in roles
                continue
            made = roles[role.name]
            assert made["groups"] == [f"/{slug}/{role.name}"]
            actions = {tuple(policy.split(", ")[2:4]) for policy in made["policies"]}
            changes = sync in role.rights
            wanted = {"get", "sync", "override", "action/*"} if changes else {"get"}
            # Version 3 asks for the logs apart: who may read them in Kubernetes may read them in Argo CD.
            logs = {("logs", "get")} if look in role.rights else set()
            assert actions == {("applications", action) for action in wanted} | logs
            with_logs |= {bool(logs)}
            assert {policy.split(", ")[4] for policy in made["policies"]} == {f"{slug}-{environment}/*"}
            seen.add((slug, role.name, changes))
    assert with_logs == {True, False}
    assert ("own", "audit", False) in seen
    assert ("own", "release", True) in seen
    assert ("ownpaused", "release", False) in seen


def test_harbor_members_match_the_table() -> None:
    granted = {found["groupName"]: found["role"] for _, found in inputs("projectMemberGroup:ProjectMemberGroup")}
    expected = {}
    for slug, tenant in TENANTS.items():
        for role in roles_of(tenant):
            if R.HARBOR_PULL in role.rights:
                expected[f"/{slug}/{role.name}"] = "guest" if R.HARBOR_SCANS in role.rights else "limitedguest"
    assert granted == expected


def test_sonarqube_permissions_match_the_table() -> None:
    words = {
        "user": R.SONARQUBE_VIEW,
        "codeviewer": R.SONARQUBE_VIEW,
        "issueadmin": R.SONARQUBE_ISSUES,
        "securityhotspotadmin": R.SONARQUBE_HOTSPOTS,
    }
    for _, found in inputs("sonarqube:ProjectPermissions"):
        slug = found["project"].split(":")[0]
        granted = {group: set(given) for group, given in found["groups"].items() if group != "sonar-administrators"}
        expected = {
            f"/{slug}/{role.name}": {word for word, right in words.items() if right in role.rights}
            for role in roles_of(TENANTS[slug])
            if R.SONARQUBE_VIEW in role.rights and TENANTS[slug].state is not State.ARCHIVED
        }
        assert granted == expected


def test_each_right_has_a_meaning_in_both_languages() -> None:
    assert set(MEANINGS) == _ALL
    assert len({meaning.english for meaning in MEANINGS.values()}) == len(_ALL)
    assert len({meaning.french for meaning in MEANINGS.values()}) == len(_ALL)


def test_the_guide_has_the_current_table() -> None:
    """If it does not, run `python -m tests.isolation.guide`."""
    text = guide.PAGE.read_text(encoding="utf-8")
    assert guide.page(text) == text
