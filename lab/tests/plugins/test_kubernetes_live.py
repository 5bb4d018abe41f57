"""The kubernetes plugin on a real API server and its controllers."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lab.plugins.kubernetes import kubeconfig, provider
from lab.plugins.kubernetes.client import Kube, Object
from lab.plugins.server import Host
from lab.plugins.wire import UNKNOWN, Secret
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure

NAMESPACE = "kubernetes:core/v1:Namespace"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"


def obj(version: str, kind: str, name: Any, namespace: str | None = None, /, **body: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = body.pop("metadata", {})
    if name:
        metadata["name"] = name
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def manual_request(kube: Kube, made: Made, body: Object, manager: str = "somebody") -> Object:
    path = f"{kube.collection(made.inputs)}/{made.id.rpartition('/')[2]}"
    return kube.request("PATCH", path, body, kind="application/merge-patch+json", params={"fieldManager": manager})


@pytest.fixture(scope="module")
def kube(platform: Mapping[str, str]) -> Kube:
    return Kube(kubeconfig.access(platform["KUBECONFIG"]), qps=500, burst=1000, timeout=None)


@pytest.fixture
def plugin(kubernetes_plugin: Plugin) -> Plugin:
    return kubernetes_plugin


@pytest.fixture
def namespace(plugin: Plugin, kube: Kube, unique: str) -> Iterator[Made]:
    made = plugin.made(NAMESPACE, obj("v1", "Namespace", unique, metadata={"labels": {"tenant": unique}}))
    yield made
    kube.delete(made.inputs, unique, "Background")  # only one test waits for its end, which takes seconds


def test_the_end_of_a_deletion_is_awaited(plugin: Plugin, unique: str) -> None:
    made = plugin.made(NAMESPACE, obj("v1", "Namespace", unique))
    plugin.made(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique))
    made.remove()


def configured(platform: Mapping[str, str], **settings: str) -> Plugin:
    made = Plugin(provider.make(Host(None)))
    made.configure(kubeconfig=platform["KUBECONFIG"], **settings)
    return made


def test_namespace(namespace: Made, plugin: Plugin, kube: Kube, unique: str) -> None:
    assert namespace.id == unique
    assert namespace.state["__initialApiVersion"] == "v1"
    assert namespace.state["__fieldManager"].startswith("pulumi-kubernetes-")
    assert namespace.state["__inputs"] == namespace.inputs
    namespace.assert_no_drift()
    label = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": unique, "labels": {"tenant": "other"}}}
    namespace.change(**label)
    assert namespace.diff(**{**label, "metadata": {"name": "x"}}).replaces == ("metadata.name",)
    manual_request(kube, namespace, {"metadata": {"labels": {"tenant": "hand", "not": "ours"}}})
    namespace.assert_drift("metadata.labels.tenant")
    # As in upstream, a label that another manager changed needs force.
    with pytest.raises(PluginFailure, match='conflict with "somebody"') as caught:
        plugin.update(NAMESPACE, namespace.id, namespace.state, namespace.inputs)
    assert caught.value.id == namespace.id
    assert caught.value.state is not None
    assert caught.value.state["__inputs"] == namespace.inputs


@pytest.mark.usefixtures("namespace")
def test_force_takes_a_field_back(platform: Mapping[str, str], kube: Kube, unique: str) -> None:
    plugin = configured(platform, enablePatchForce="true")
    made = plugin.made(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique, metadata={"labels": {"a": "1"}}))
    made.change(metadata={"name": "c", "namespace": unique, "labels": {"a": "2"}})
    manual_request(kube, made, {"metadata": {"labels": {"a": "hand"}}})
    made.assert_drift("metadata.labels.a")
    made.repair()
    plugin.close()


def test_the_creating_manager_owns_the_fields_until_the_first_update(namespace: Made, kube: Kube) -> None:
    """The official plugin creates with one manager; at the first update, another one takes over its fields."""
    assert kube.get(namespace.inputs, namespace.id)["metadata"]["managedFields"][0]["manager"] == "pulumi-kubernetes"
    manual_request(kube, namespace, {"metadata": {"labels": {"tenant": "hand"}}}, manager="kubectl-edit")
    namespace.assert_drift("metadata.labels.tenant")
    namespace.repair()
    managers = {e["manager"] for e in kube.get(namespace.inputs, namespace.id)["metadata"]["managedFields"]}
    assert namespace.state["__fieldManager"] in managers
    assert not managers & {"pulumi-kubernetes", "kubectl-edit"}


OBJECTS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "core/v1:ResourceQuota",
        obj("v1", "ResourceQuota", "q", spec={"hard": {"requests.cpu": "4000m", "requests.memory": "8192Mi"}}),
        {"spec": {"hard": {"requests.cpu": "2", "requests.memory": "8Gi", "pods": 40}}},
        {"spec": {"hard": {"pods": "1"}}},
    ),
    (
        "core/v1:LimitRange",
        obj("v1", "LimitRange", "l", spec={"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}),
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": "9"}, "defaultRequest": {"cpu": "1"}}]}},
    ),
    (
        "networking.k8s.io/v1:NetworkPolicy",
        obj(
            "networking.k8s.io/v1", "NetworkPolicy", "n",
            spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []},
        ),
        {"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]}},
        {"spec": {"policyTypes": ["Ingress"]}},
    ),
    (
        "rbac.authorization.k8s.io/v1:Role",
        obj(
            "rbac.authorization.k8s.io/v1", "Role", "r",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        ),
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]},
        {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
    ),
    (
        "rbac.authorization.k8s.io/v1:RoleBinding",
        obj(
            "rbac.authorization.k8s.io/v1", "RoleBinding", "b",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            subjects=[{"kind": "Group", "name": "/a/dev", "apiGroup": "rbac.authorization.k8s.io"}],
        ),
        {"subjects": [{"kind": "Group", "name": "/a/ops", "apiGroup": "rbac.authorization.k8s.io"}]},
        {"subjects": [{"kind": "User", "name": "evil", "apiGroup": "rbac.authorization.k8s.io"}]},
    ),
    (
        "core/v1:ServiceAccount",
        obj("v1", "ServiceAccount", "s", automountServiceAccountToken=False),
        {"automountServiceAccountToken": True},
        {"automountServiceAccountToken": False},
    ),
    (
        "apps/v1:Deployment",
        obj(
            "apps/v1", "Deployment", "d", metadata={"annotations": {"pulumi.com/skipAwait": "true"}},
            spec={
                "replicas": 0, "selector": {"matchLabels": {"app": "w"}},
                "template": {
                    "metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]},
                },
            },
        ),
        {"spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "w"}},
            "template": {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": "x:2"}]}},
        }},
        {"spec": {"replicas": 3}},
    ),
]  # fmt: skip


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(("kind", "given", "change", "hand"), OBJECTS, ids=[item[0] for item in OBJECTS])
def test_the_life_of_an_object(
    plugin: Plugin, kube: Kube, unique: str, kind: str, given: Object, change: Object, hand: Object
) -> None:
    token = f"kubernetes:{kind}"
    made = plugin.made(token, {**given, "metadata": {**given["metadata"], "namespace": unique}})
    assert made.id == f"{unique}/{given['metadata']['name']}"
    made.assert_no_drift()
    made.change(**change)
    assert made.diff(metadata={**made.given["metadata"], "namespace": "other"}).replaces == ("metadata.namespace",)
    manual_request(kube, made, hand, manager="kubectl-edit")
    assert made.refresh()
    assert not made.diff().none
    made.repair()
    # An import has the whole object: only values that the server added may differ.
    assert set(made.imported().paths.values()) <= {"delete"}
    plugin.delete(token, made.id, made.state)
    # As in upstream, `skipAwait` also skips waiting for the deletion of a workload.
    assert made.gone(30 if kind.endswith("Deployment") else 0)
    plugin.delete(token, made.id, made.state)


@pytest.mark.usefixtures("namespace")
def test_a_change_of_an_immutable_field_requires_a_replacement(plugin: Plugin, unique: str) -> None:
    binding = next(item for item in OBJECTS if item[0].endswith("RoleBinding"))
    made = plugin.made(f"kubernetes:{binding[0]}", {**binding[1], "metadata": {"name": "b", "namespace": unique}})
    ref = {**binding[1]["roleRef"], "name": "other"}
    found = made.diff(roleRef=ref)
    assert found.replaces == ("roleRef.name",)
    assert found.delete_first


@pytest.mark.usefixtures("namespace")
def test_secret(plugin: Plugin, kube: Kube, unique: str) -> None:
    made = plugin.made(SECRET, obj("v1", "Secret", "s", unique, stringData={"k": "marker"}))
    encoded = base64.b64encode(b"marker").decode()
    assert made.inputs["data"] == Secret({"k": encoded})
    assert made.state["data"] == Secret({"k": encoded})
    assert made.state["__inputs"]["data"] == Secret({"k": encoded})
    made.assert_no_drift()
    assert made.diff(stringData={"k": "other"}).replaces == ("data.k",)
    manual_request(kube, made, {"stringData": {"k": "hand"}})
    made.assert_drift("data.k")
    _, state, inputs = plugin.read(SECRET, made.id)
    assert isinstance(state["data"], Secret)
    assert isinstance(inputs["data"], Secret)
    made.remove()


@pytest.mark.usefixtures("namespace")
def test_an_object_without_a_name_gets_one_and_keeps_it(plugin: Plugin, unique: str) -> None:
    nameless = obj("v1", "ConfigMap", None, unique, data={"a": "1"})
    made = plugin.made(CONFIG_MAP, nameless)
    assert made.id.startswith(f"{unique}/res-")
    assert made.state["metadata"]["annotations"]["pulumi.com/autonamed"] == "true"
    found = made.diff(data={"a": "2"})
    assert found.replaces == ("data.a",)
    assert not found.delete_first
    made.remove()


def test_the_default_namespace_is_added_to_namespaced_objects(plugin: Plugin) -> None:
    checked, _ = plugin.check(CONFIG_MAP, obj("v1", "ConfigMap", "n"))
    assert checked["metadata"]["namespace"] == "default"
    checked, _ = plugin.check(NAMESPACE, obj("v1", "Namespace", "n"))
    assert "namespace" not in checked["metadata"]


@pytest.mark.usefixtures("namespace")
def test_an_existing_object_is_adopted_only_on_request(
    platform: Mapping[str, str], plugin: Plugin, unique: str
) -> None:
    first = plugin.made(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique, data={"a": "1"}))
    news, _ = plugin.check(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique, data={"a": "1"}))
    plugin.create(CONFIG_MAP, news, preview=True)  # a preview does not check it
    with pytest.raises(
        PluginFailure, match=r"was not successfully created by the Kubernetes API server.*already exists"
    ):
        plugin.create(CONFIG_MAP, news)
    generous = configured(platform, upsertExistingObjects="true")
    assert generous.create(CONFIG_MAP, news)[0] == first.id
    generous.close()


@pytest.mark.usefixtures("namespace")
def test_a_patch_resource_manages_and_releases_fields(plugin: Plugin, kube: Kube, unique: str) -> None:
    base = plugin.made(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique, data={"a": "1"}))
    token = "kubernetes:core/v1:ConfigMapPatch"
    with pytest.raises(PluginFailure, match=r"require the `\.metadata\.name` field"):
        plugin.check(token, obj("v1", "ConfigMap", None, unique))
    patch = plugin.made(token, obj("v1", "ConfigMap", "c", unique, data={"b": "2"}))
    assert patch.id == f"{unique}/c"
    patch.assert_no_drift()
    base.assert_no_drift()
    patch.change(data={"b": "3"})
    assert kube.get(base.inputs, "c")["data"] == {"a": "1", "b": "3"}
    plugin.delete(token, patch.id, patch.state)
    assert kube.get(base.inputs, "c")["data"] == {"a": "1"}
    base.remove()


def definition(unique: str) -> Object:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    names = {"plural": f"{unique}s", "singular": unique, "kind": unique.capitalize()}
    return obj(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{unique}s.example.dev",
        spec={"group": "example.dev", "scope": "Namespaced", "names": names, "versions": [version]},
    )  # fmt: skip


@pytest.mark.usefixtures("namespace")
def test_custom_resources_need_their_definition(plugin: Plugin, kube: Kube, unique: str) -> None:
    kind = unique.capitalize()
    token = f"kubernetes:example.dev/v1:{kind}"
    thing = obj("example.dev/v1", kind, "w", unique, spec={"a": 1, "l": [], "f": 1.5})
    checked, _ = plugin.check(token, thing)
    assert (
        plugin.create(token, checked, preview=True)[0] == ""
    )  # its definition does not exist yet, so a dry run is not possible
    crd = definition(unique)
    kube.create(crd, dry_run=False)
    while kube.served("example.dev/v1", kind) is None:
        time.sleep(0.1)
    made = plugin.made(token, thing)
    made.assert_no_drift()
    made.change(spec={"a": 2})
    manual_request(kube, made, {"spec": {"a": 3}}, manager="kubectl-edit")
    made.assert_drift("spec.a")
    made.repair()
    kube.delete(crd, crd["metadata"]["name"], "Foreground")
    assert made.gone(30)
    plugin.delete(token, made.id, made.state)


def test_previews_with_unknown_values(plugin: Plugin) -> None:
    news, _ = plugin.check(CONFIG_MAP, obj("v1", "ConfigMap", UNKNOWN, "default", data={"a": UNKNOWN}))
    assert news["metadata"]["name"] is UNKNOWN
    _, state = plugin.create(CONFIG_MAP, news, preview=True)
    assert state["data"]["a"] is UNKNOWN


@pytest.mark.usefixtures("namespace")
def test_a_refusal_has_the_servers_message(plugin: Plugin, unique: str) -> None:
    news, _ = plugin.check(CONFIG_MAP, obj("v1", "ConfigMap", "Not-A-Name", unique))
    with pytest.raises(PluginFailure, match="Invalid value"):
        plugin.create(CONFIG_MAP, news, preview=True)
    with pytest.raises(PluginFailure, match="Invalid value") as caught:
        plugin.create(CONFIG_MAP, news)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("namespace")
def test_ignored_fields_do_not_change(plugin: Plugin, kube: Kube, unique: str) -> None:
    given = obj("v1", "ConfigMap", "c", unique, metadata={"labels": {"a": "1", "b": "1"}})
    made = plugin.made(CONFIG_MAP, given)
    made.change(metadata={**given["metadata"], "labels": {"a": "2", "b": "1"}})
    manual_request(kube, made, {"metadata": {"labels": {"b": "hand"}}}, manager="hpa")
    assert made.refresh()
    assert plugin.diff(CONFIG_MAP, made.state, made.inputs, ignore=["metadata.labels.b"]).none
    news = made.checked(metadata={**given["metadata"], "labels": {"a": "3", "b": "1"}})
    plugin.update(CONFIG_MAP, made.id, made.state, news, ignore=["metadata.labels.b"])
    assert kube.get(made.inputs, "c")["metadata"]["labels"] == {"a": "3", "b": "hand"}


@pytest.mark.usefixtures("namespace")
def test_a_missing_object_is_created_again(plugin: Plugin, kube: Kube, unique: str) -> None:
    made = plugin.made(CONFIG_MAP, obj("v1", "ConfigMap", "c", unique))
    kube.delete(made.inputs, "c", "Background")
    assert not made.refresh()


def test_a_namespace_can_be_read_by_name(plugin: Plugin) -> None:
    id_, state, inputs = plugin.read(NAMESPACE, "kube-system")
    assert id_ == "kube-system"
    assert state["metadata"]["name"] == "kube-system"
    assert "uid" not in json.dumps(inputs)
    assert plugin.read(NAMESPACE, "no-such-namespace")[0] == ""
