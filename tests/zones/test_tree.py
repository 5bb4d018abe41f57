"""The files of a zone's repository."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components.argocd.zone import PULLED_KINDS
from model.clusters import BackupTool, ClusterBackup, Operator
from model.settings import FoundationMode
from model.tenant import Alert, Backup, DeliveredSecret, State
from pulumi_facts.values import SECRET_SIGNATURE, SIGNATURE
from tests import factories
from tests.plans import plan_of
from tests.zones.values import ZONE, pulling, state_of
from usine.zones.tree import Manifest, Scope, ZoneError, kind_of, owner_of, trees

MARKER = "cipher-text-of-a-secret-91"


def tree_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Manifest]:
    return trees(pulling(), checkpoint)[ZONE]


def everything() -> Mapping[str, Any]:
    """The state of a tenant that uses all that a cluster can offer."""
    settings = pulling()
    cluster = dataclasses.replace(
        settings.clusters["prod-1"],
        operators=tuple(Operator),
        backup=ClusterBackup(BackupTool.VELERO),
    )
    settings = dataclasses.replace(settings, clusters={**settings.clusters, "prod-1": cluster})
    folders = dataclasses.replace(factories.infra("many"), name="many")
    assert folders.deployment is not None
    folders = dataclasses.replace(folders, deployment=dataclasses.replace(folders.deployment, each_folder=True))
    tenant = factories.tenant(
        environments=(factories.environment("prod", backup=Backup("0 2 * * *", 30)),),
        repositories=(factories.infra(), folders),
        delivered=(DeliveredSecret("database", ("prod",), "app/db", {}),),
        observability=dataclasses.replace(
            factories.tenant().observability, alerts=(Alert("warning", to="a@example.fr"),)
        ),
    )
    return state_of(tenant, settings=settings)


def test_one_file_per_object_at_a_path_that_says_what_it_is() -> None:
    tree = tree_of(state_of(factories.tenant()))
    assert list(tree) == sorted(tree)
    assert "prod-1/teleservice/namespace__teleservice-prod.yaml" in tree
    assert "prod-1/teleservice/externalsecret_teleservice-prod_usine-registry.yaml" in tree
    assert "prod-1/_platform/clusterrole__usine_prod-1_tenant-deployer.yaml" in tree
    assert "prod-1/teleservice/application_argocd_teleservice-prod--deploy.yaml" in tree
    assert {path.split("/")[0] for path in tree} == {"prod-1"}
    quota = yaml.safe_load(tree["prod-1/teleservice/resourcequota_teleservice-prod_usine.yaml"].text)
    assert quota["spec"]["hard"]["pods"] == "40"
    assert {quota["apiVersion"], quota["kind"], quota["metadata"]["namespace"]} == {
        "v1",
        "ResourceQuota",
        "teleservice-prod",
    }


def test_the_same_state_gives_the_same_bytes_and_git_s_own_ids() -> None:
    state = state_of(factories.tenant())
    turned = copy.deepcopy(state)
    turned["deployment"]["resources"].reverse()
    one, other = tree_of(state), tree_of(turned)
    assert {path: file.text for path, file in one.items()} == {path: file.text for path, file in other.items()}
    file = one["prod-1/teleservice/namespace__teleservice-prod.yaml"]
    data = file.text.encode()
    assert file.blob == hashlib.sha1(b"blob " + str(len(data)).encode() + b"\0" + data).hexdigest()  # noqa: S324 - Git's


def test_whole_numbers_stay_whole_and_equal_values_are_written_out() -> None:
    state = copy.deepcopy(state_of(factories.tenant()))
    same = {"port": 443.0}
    state["deployment"]["resources"][0]["inputs"] = {
        **state["deployment"]["resources"][0]["inputs"],
        "spec": {"one": same, "two": same, "__defaults": []},
        "__defaults": [],
    }
    texts = [file.text for file in tree_of(state).values() if "two:" in file.text]
    assert len(texts) == 1
    assert "&id" not in texts[0]
    assert "__defaults" not in texts[0]
    assert yaml.safe_load(texts[0])["spec"] == {"one": {"port": 443}, "two": {"port": 443}}


def test_argo_cd_prunes_no_namespace_that_the_state_protects() -> None:
    def options(tenant_state: State) -> object:
        tree = tree_of(state_of(factories.tenant(state=tenant_state)))
        namespace = yaml.safe_load(tree["prod-1/teleservice/namespace__teleservice-prod.yaml"].text)
        return namespace["metadata"]["annotations"].get("argocd.argoproj.io/sync-options")

    assert options(State.ACTIVE) == "Prune=false,Delete=false"
    assert options(State.ARCHIVED) is None


def test_no_object_of_a_cluster_that_pulls_has_a_secret() -> None:
    resources = everything()["deployment"]["resources"]
    assert resources
    assert not [r["urn"] for r in resources if r["inputs"]["kind"] == "Secret"]
    assert not [r.name for r in plan_of(factories.tenant(), settings=pulling()).resources if r.fingerprints
                and r.options.provider == "kubernetes-prod-1"]  # fmt: skip
    assert trees(pulling(), everything())[ZONE]


def test_the_limits_of_the_zone_s_argo_cd_are_the_kinds_that_the_program_renders() -> None:
    rendered = {(f["apiVersion"].rpartition("/")[0], f["kind"]) for f in map(_content, _all_files())}
    assert rendered == {(kind.group, kind.kind) for kind in PULLED_KINDS}
    cluster_wide = {f["kind"] for f in map(_content, _all_files()) if "namespace" not in f["metadata"]}
    assert cluster_wide == {kind.kind for kind in PULLED_KINDS if not kind.namespaced}


def _all_files() -> list[Manifest]:
    return list(trees(pulling(), everything())[ZONE].values())


def _content(file: Manifest) -> Any:
    return yaml.safe_load(file.text)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Secret"},
        {"data": {SIGNATURE: SECRET_SIGNATURE, "ciphertext": MARKER}},
        {"spec": {"list": [{"deep": {SIGNATURE: SECRET_SIGNATURE, "ciphertext": MARKER}}]}},
    ],
)
def test_an_object_with_a_secret_is_refused_and_its_value_is_not_shown(change: dict[str, Any]) -> None:
    state = copy.deepcopy(state_of(factories.tenant()))
    state["deployment"]["resources"][3]["inputs"] = {**state["deployment"]["resources"][3]["inputs"], **change}
    with pytest.raises(ZoneError, match="not in a manifest") as caught:
        tree_of(state)
    assert MARKER not in str(caught.value)


def test_two_objects_never_share_a_file() -> None:
    state = copy.deepcopy(state_of(factories.tenant()))
    resources = state["deployment"]["resources"]
    resources.append(resources[-1])
    with pytest.raises(ZoneError, match="two objects have the file"):
        tree_of(state)
    resources[-1] = {**resources[-1], "delete": True}  # the old one of a replacement
    assert tree_of(state)


def test_a_stack_owns_the_folders_of_its_tenants() -> None:
    settings = pulling()
    files = trees(settings, state_of(factories.tenant()))[ZONE].values()
    all_of_it = Scope.of(settings, ["teleservice", "other"], files)
    assert all_of_it.holds("prod-1/gone/x.yaml")
    assert all_of_it.holds(".gitlab-ci.yml")
    assert not all_of_it.holds("README.md")
    one = dataclasses.replace(settings, foundation=FoundationMode.SKIP, tenants=("teleservice",))
    scope = Scope.of(one, ["teleservice", "other"], files)
    assert scope.holds("prod-1/teleservice/x.yaml")
    assert not scope.holds("prod-1/other/x.yaml")
    assert not scope.holds("prod-1/_platform/x.yaml")
    foundation = dataclasses.replace(settings, foundation=FoundationMode.ONLY)
    scope = Scope.of(foundation, ["teleservice"], [])
    assert scope.holds("prod-1/_platform/x.yaml")
    assert not scope.holds("prod-1/teleservice/x.yaml")


def test_a_path_tells_owner_and_kind() -> None:
    assert owner_of("prod-1/alpha/namespace__alpha-prod.yaml") == "alpha"
    assert owner_of("prod-1/_platform/clusterrole__x.yaml") is None
    assert kind_of("prod-1/alpha/namespace__alpha-prod.yaml") == "namespace"
    assert kind_of("run me.sh") == "file"
