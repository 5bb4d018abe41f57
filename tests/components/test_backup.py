"""Backup schedules in the plan, and the restore that `usine restore` prints."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml

from components.kubernetes.backup_rules import EXCLUDED, backups_of, restore, schedule_spec
from components.kubernetes.cluster_roles import DENIED_KINDS, ClusterRoleName, cluster_roles
from model.clusters import ClusterBackup, Operator, VolumeBackup
from model.tenant import Backup, State
from tests import factories
from tests.plans import plan_of
from usine.cli import main

TOOL = ClusterBackup(namespace="coffre", storage_location="s3", volumes=VolumeBackup.MOVED)
BACKUP = Backup("0 2 * * *", 30)
TYPE = "kubernetes:velero.io/v1:Schedule"


def schedules(state: State = State.ACTIVE, tool: ClusterBackup | None = TOOL) -> list[Any]:
    clusters = {n: dataclasses.replace(c, backup=tool) for n, c in factories.settings().clusters.items()}
    environments = (factories.environment("dev"), factories.environment("prod", backup=BACKUP))
    tenant = factories.tenant(environments=environments, state=state)
    plan = plan_of(tenant, settings=factories.settings(clusters=clusters))
    return [resource for resource in plan.resources if resource.type == TYPE]


@pytest.mark.parametrize("state", State)
def test_production_has_a_schedule_in_the_namespace_of_velero_in_every_state(state: State) -> None:
    (schedule,) = schedules(state)
    metadata, spec = schedule.inputs["metadata"], schedule.inputs["spec"]
    assert (metadata["name"], metadata["namespace"]) == ("usine-teleservice-prod", "coffre")
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "usine"
    assert spec["schedule"] == "0 2 * * *"
    assert spec["template"]["ttl"] == "720h0m0s"
    assert spec["template"]["storageLocation"] == "s3"
    # Of one namespace, and never of all.
    assert spec["template"]["includedNamespaces"] == ["teleservice-prod"]
    # The backups outlive the schedule, and are none of the program's objects.
    assert spec["useOwnerReferencesInBackup"] is False
    assert "app.kubernetes.io/managed-by" not in spec["template"]["metadata"]["labels"]


def test_a_cluster_without_velero_has_no_schedule() -> None:
    assert schedules(tool=None) == []


def test_the_output_of_the_stack_says_what_is_backed_up() -> None:
    clusters = {name: dataclasses.replace(c, backup=TOOL) for name, c in factories.settings().clusters.items()}
    tenant = factories.tenant(environments=(factories.environment("dev"), factories.environment("prod", backup=BACKUP)))
    shown = {"keep": "30d", "schedule": "0 2 * * * UTC", "volumes": "moved", "backups": "usine-teleservice-prod-<time>"}
    assert backups_of(clusters, tenant) == {"prod": shown}
    assert backups_of(factories.settings().clusters, tenant) == {}


def test_volumes_are_backed_up_in_the_way_of_the_settings() -> None:
    keys = ("snapshotVolumes", "snapshotMoveData", "defaultVolumesToFsBackup")
    ways = {}
    for way in VolumeBackup:
        tool = dataclasses.replace(TOOL, volumes=way)
        template = schedule_spec(factories.tenant(), factories.environment("prod"), BACKUP, tool)["template"]
        assert isinstance(template, dict)
        ways[way.value] = tuple(template[key] for key in keys)
    assert ways == {"snapshots": (True, False, False), "moved": (True, True, False), "files": (False, False, True)}


def test_nothing_that_isolates_or_gives_rights_is_copied_or_comes_back() -> None:
    """Every kind that no member of a tenant may write is left out, and every object with the platform's label."""
    tenant, environment = factories.tenant(), factories.environment("prod")
    back = restore(tenant, environment, TOOL, backup=None, requested_by="x")["spec"]
    saved = schedule_spec(tenant, environment, BACKUP, TOOL)["template"]
    assert isinstance(back, dict)
    assert isinstance(saved, dict)
    grants = cluster_roles(tuple(Operator))[ClusterRoleName.DEPLOYER]

    def kinds(*, written: bool) -> set[str]:
        return {
            ".".join(filter(None, (resource, grant.groups[0])))
            for grant in grants
            for resource in grant.resources
            if ("create" in grant.verbs) == written and "/" not in resource
        }

    assert kinds(written=False) - kinds(written=True) <= set(EXCLUDED)
    singular = {name.partition(".")[0].removesuffix("s").replace("ie", "y") for name in EXCLUDED}
    assert {kind.lower().removesuffix("s") for _, kind in DENIED_KINDS} <= singular
    selector = {"matchExpressions": [{"key": "app.kubernetes.io/managed-by", "operator": "NotIn", "values": ["usine"]}]}
    assert saved["labelSelector"] == back["labelSelector"] == selector
    assert "secrets" in EXCLUDED
    assert saved["excludedNamespaceScopedResources"] == list(EXCLUDED)
    assert set(back["excludedResources"]) > set(EXCLUDED)
    for left in (saved["excludedClusterScopedResources"], back["excludedResources"]):
        assert "clusterrolebindings.rbac.authorization.k8s.io" in left


def test_a_restore_goes_into_its_own_namespace_and_changes_nothing_that_exists() -> None:
    made = restore(factories.tenant(), factories.environment("prod"), TOOL, backup="b", requested_by="alice.martin")
    spec, metadata = made["spec"], made["metadata"]
    assert isinstance(spec, dict)
    assert isinstance(metadata, dict)
    assert spec["includedNamespaces"] == ["teleservice-prod"]
    assert spec["existingResourcePolicy"] == "none"
    assert not {"namespaceMapping", "hooks", "resourceModifier", "resourcePolicy", "includeClusterResources"} & set(
        spec
    )
    assert metadata["annotations"] == {"usine.dev/requested-by": "alice.martin"}
    # A drift scan must find it until it is deleted.
    assert "app.kubernetes.io/managed-by" not in metadata["labels"]


# The command ---------------------------------------------------------------------------------------------------------

OWNER = ("--requested-by", "Alice.Martin")
NEWEST = "usine-teleservice-prod-20261130020000"


def test_the_command_prints_the_restore_that_the_owner_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "teleservice", "prod", *OWNER, "--backup", NEWEST]) == 0
    captured = capsys.readouterr()
    made = yaml.safe_load(captured.out)
    assert (made["kind"], made["metadata"]["namespace"], made["spec"]["backupName"]) == ("Restore", "velero", NEWEST)
    assert made["metadata"]["annotations"] == {"usine.dev/requested-by": "alice.martin"}
    assert "kubectl --context prod-1 create -f -" in captured.err
    assert main(["restore", "teleservice", "prod", *OWNER]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    assert made["spec"]["scheduleName"] == "usine-teleservice-prod"
    assert "backupName" not in made["spec"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("teleservise", "prod", *OWNER), "no such tenant: 'teleservise'; did you mean teleservice?"),
        (("teleservice", "prd", *OWNER), "no such environment: 'prd'; did you mean prod?"),
        (("teleservice", "dev", *OWNER), "dev has no backups; environments with backups: prod"),
        (("teleservice", "prod", "--requested-by", "emma.leroy"), "emma.leroy may not ask for it: only alice.martin"),
        (("teleservice", "prod", *OWNER, "--backup", "usine-petitions-prod-20261130020000"), "is no backup of this"),
        (
            ("teleservice", "prod", *OWNER, "--backup", "usine-teleservice-prod-x-20261130020000"),
            "is no backup of this",
        ),
        (("annuaire-2019", "prod", *OWNER), "annuaire-2019 is archived: set `state: active` in its file first"),
    ],
)
def test_the_command_refuses(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", *words]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
