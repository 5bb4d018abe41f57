"""Publication: one commit for all changes of a zone, refused if somebody else changed a file, or too much would go."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import gitlab
import pytest

from model.settings import FoundationMode, MassRemoval
from model.tenant import State, Tenant
from tests import factories
from tests.zones.conftest import Zone
from tests.zones.values import ZONE, state_of
from usine.clients import ClientError
from usine.engine.sources import Sources
from usine.report.model import Severity
from usine.zones.publish import Publication, Publisher, changes_of, notices_of
from usine.zones.repository import Head, ZoneRepository
from usine.zones.tree import Scope, trees

SOURCES = Sources("c0ffee", "program-digest", "tenants-digest", "settings-digest", "state-digest")


def publish(zone: Zone, *tenants: Tenant, allowed: Mapping[str, int] | None = None, **more: Any) -> Publication:
    settings = more.pop("settings", zone.settings)
    slugs = [tenant.slug for tenant in tenants]
    publisher = Publisher(settings, "test", slugs, zone.connections, allowed or {}, **more)
    (done,) = publisher.publish(state_of(*tenants), SOURCES)
    return done


def commits(zone: Zone) -> list[Any]:
    return list(zone.project.commits.list(get_all=True))


def test_all_changes_of_a_zone_are_one_commit_and_none_without_a_change(zone: Zone) -> None:
    tenant = factories.tenant()
    first = publish(zone, tenant)
    assert (first.problem, first.commit) == ("", zone.head)
    assert zone.paths() == {"README.md", *trees(zone.settings, state_of(tenant))[ZONE]}
    assert publish(zone, tenant) == Publication(ZONE, 0)
    bigger = dataclasses.replace(tenant, environments=(factories.environment("prod", quota=factories.quota(pods=50)),))
    second = publish(zone, bigger)
    assert second.changes == 1
    assert len(commits(zone)) == 3, "GitLab's README, and two"
    quota = zone.project.files.get("prod-1/teleservice/resourcequota_teleservice-prod_usine.yaml", ref="main")
    assert "pods: '50'" in quota.decode().decode()
    message = commits(zone)[0].message
    assert message.startswith("Publish zone lab: 1 updated\n\nUsine-Stack: test\n")
    for digest in dataclasses.astuple(SOURCES):
        assert digest in message
    assert re.search(r"Usine-Manifests: [0-9a-f]{64}\n", message)


def test_what_somebody_pushed_is_undone(zone: Zone) -> None:
    publish(zone, factories.tenant())
    wanted = zone.paths()
    path = "prod-1/teleservice/namespace__teleservice-prod.yaml"
    zone.project.commits.create(
        {
            "branch": "main",
            "commit_message": "by hand",
            "actions": [
                {
                    "action": "create",
                    "file_path": "prod-1/_platform/clusterrolebinding__mine.yaml",
                    "content": "kind: X",
                },
                {"action": "create", "file_path": ".gitlab-ci.yml", "content": "job: {script: [id]}"},
                {"action": "update", "file_path": path, "content": "kind: Namespace"},
            ],
        }
    )
    assert publish(zone, factories.tenant()).changes == 3
    assert zone.paths() == wanted
    assert "Namespace" in zone.project.files.get(path, ref="main").decode().decode()


def test_a_commit_on_files_that_somebody_changed_meanwhile_is_refused(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = factories.tenant()
    publish(zone, tenant)
    before = ZoneRepository.head
    path = "prod-1/teleservice/resourcequota_teleservice-prod_usine.yaml"

    def then_somebody_pushes(repository: ZoneRepository) -> Head:
        head = before(repository)
        zone.project.files.update(path, {"branch": "main", "content": "kind: Other", "commit_message": "by hand"})
        return head

    monkeypatch.setattr(ZoneRepository, "head", then_somebody_pushes)
    bigger = dataclasses.replace(tenant, environments=(factories.environment("prod", quota=factories.quota(pods=50)),))
    done = publish(zone, bigger)
    assert "HTTP 400" in done.problem
    assert zone.project.files.get(path, ref="main").decode() == b"kind: Other"
    monkeypatch.setattr(ZoneRepository, "head", before)
    assert publish(zone, bigger).commit == zone.head


def test_a_mass_removal_is_refused_until_it_is_allowed(zone: Zone) -> None:
    few = dataclasses.replace(
        zone.settings, changes=dataclasses.replace(zone.settings.changes, mass_removal=MassRemoval(count=2))
    )
    wide = factories.tenant(environments=(factories.environment("prod"),))
    publish(zone, wide)
    narrow = dataclasses.replace(wide, environments=(factories.environment("prod", egress=()),), repositories=())
    head = zone.head
    tight = dataclasses.replace(few, changes=dataclasses.replace(few.changes, mass_removal=MassRemoval(0)))
    refused = publish(zone, narrow, settings=tight)
    assert "objects of type networkpolicy would be removed" in refused.problem
    assert zone.head == head
    kinds = dict(re.findall(r"--allow-removals (\S+)=(\d+)", refused.problem))
    assert kinds
    allowed = {f"kubernetes:some/v1:{kind.capitalize()}": int(number) for kind, number in kinds.items()}
    assert publish(zone, narrow, settings=tight, allowed=allowed).commit == zone.head


def test_the_files_of_a_tenant_that_is_gone_or_archived_count_as_one(zone: Zone) -> None:
    alpha, beta = factories.tenant("alpha"), factories.tenant("beta")
    publish(zone, alpha, beta)
    tight = dataclasses.replace(
        zone.settings, changes=dataclasses.replace(zone.settings.changes, mass_removal=MassRemoval(count=1))
    )
    archived = dataclasses.replace(beta, state=State.ARCHIVED)
    assert "removed" in publish(zone, alpha, archived, settings=tight).problem
    assert publish(zone, alpha, archived, settings=tight, archived=frozenset({"beta"})).commit
    assert publish(zone, alpha, settings=tight).commit
    assert not [path for path in zone.paths() if "/beta/" in path]


def test_a_stack_of_one_tenant_leaves_the_others_files(zone: Zone) -> None:
    alpha, beta = factories.tenant("alpha"), factories.tenant("beta")
    publish(zone, alpha, beta)
    own = dataclasses.replace(zone.settings, foundation=FoundationMode.SKIP, tenants=("beta",))
    tree = trees(own, {"deployment": {"resources": []}})[ZONE]
    changes = changes_of(tree, zone.repository.head(), Scope.of(own, ["alpha", "beta"], []))
    assert {path.split("/")[1] for path in changes.deleted} == {"beta"}


def test_a_state_without_an_object_removes_nothing(zone: Zone) -> None:
    publish(zone, factories.tenant())
    head = zone.head
    publisher = Publisher(zone.settings, "other", ["teleservice"], zone.connections, {})
    (done,) = publisher.publish({"deployment": {"resources": []}}, SOURCES)
    assert done.problem == "the state has no object of its clusters"
    assert zone.head == head


def test_nothing_is_committed_in_a_dry_run(zone: Zone) -> None:
    done = publish(zone, factories.tenant(), dry_run=True)
    assert (done.commit, done.changes > 20) == (None, True)
    assert zone.paths() == {"README.md"}


def test_a_secret_in_the_state_stops_the_publication_before_the_first_request(zone: Zone) -> None:
    resources = list(state_of(factories.tenant())["deployment"]["resources"])
    resources[0] = {**resources[0], "inputs": {**resources[0]["inputs"], "kind": "Secret", "data": {"a": "bWFya2Vy"}}}
    publisher = Publisher(zone.settings, "test", ["teleservice"], zone.connections, {})
    (done,) = publisher.publish({"deployment": {"resources": resources}}, SOURCES)
    assert "not in a manifest" in done.problem
    assert "bWFya2Vy" not in done.problem
    assert zone.paths() == {"README.md"}
    (notice,) = notices_of([done])
    assert (notice.severity, notice.rule) == (Severity.WARNING, "zone")


def test_a_missing_repository_says_who_makes_it(zone: Zone) -> None:
    elsewhere = dataclasses.replace(zone.settings, gitlab=dataclasses.replace(zone.settings.gitlab, platform="other"))
    assert "run `usine up` of the foundation" in publish(zone, factories.tenant(), settings=elsewhere).problem


def test_nobody_but_an_administrator_changes_the_branch(zone: Zone) -> None:
    """The token that reports, which the zone has, and maintainers of the platform's group."""
    user = zone.live.root.users.create(
        {"username": "maintainer", "name": "M", "email": "m@example.com", "force_random_password": True}
    )
    zone.live.root.groups.get("platform").members.create({"user_id": user.id, "access_level": 50})
    person = user.personal_access_tokens.create({"name": "t", "scopes": ["api"]})
    change = {"branch": "main", "content": "x", "commit_message": "m"}
    for token in (zone.token, person.token):
        project = zone.live.client(token).projects.get(zone.project.id)
        with pytest.raises(gitlab.GitlabError):
            project.files.create({**change, "file_path": "prod-1/_platform/mine.yaml"})
        with pytest.raises(gitlab.GitlabError):
            project.commits.create({"branch": "main", "commit_message": "m", "actions": [
                {"action": "create", "file_path": "prod-1/_platform/mine.yaml", "content": "x"}]})  # fmt: skip
    user.delete(hard_delete=True)
    assert zone.paths() == {"README.md"}


def test_an_unreachable_gitlab_is_a_problem_and_no_traceback(zone: Zone) -> None:
    with pytest.raises(ClientError):
        zone.repository.report("0" * 40, "x")
