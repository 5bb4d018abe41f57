"""The kubernetes plugin's rules, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.plugins.kubernetes import changes, kubeconfig, managed, objects, provider, rules
from lab.plugins.kubernetes.settings import replacing
from lab.plugins.server import Host, PluginError
from lab.plugins.wire import UNKNOWN, Secret
from lab.tests.plugins.rpc import Plugin, PluginFailure


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("4000m", "4"), ("0.1", "100m"), ("1500m", "1500m"), (4, "4"), ("8192Mi", "8Gi"), ("1536Mi", "1536Mi"),
        ("1e3", "1k"),        ("0.5Gi", "512Mi"), ("1000Mi", "1000Mi"), ("1024", "1024"), ("2000k", "2M"), ("0", "0"),
        ("abc", "abc"), ("100n", "100n"),
    ],
)  # fmt: skip
def test_quantities_have_the_servers_form(written: Any, canonical: str) -> None:
    assert objects.quantity(written) == canonical


def test_only_inputs_of_built_in_kinds_are_normalised() -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "labels": {}, "uid": "1"},
             "spec": {"hard": {"requests.cpu": "4000m"}, "scopes": []}}  # fmt: skip
    assert objects.normalise(quota) == {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": "4"}},
    }  # fmt: skip
    custom = {"apiVersion": "argoproj.io/v1alpha1", "kind": "X", "spec": {"limits": {"cpu": "4000m"}, "l": []}}
    assert objects.normalise(custom) == custom


def test_string_data_is_moved_to_data_and_both_are_secret() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"k": "v"}, "data": {"z": "eg=="}}
    normal = objects.normalise(secret)
    assert normal["data"] == {"k": "dg==", "z": "eg=="}
    assert "stringData" not in normal
    assert objects.mark(normal, {})["data"] == Secret({"k": "dg==", "z": "eg=="})


def test_secret_inputs_of_any_kind_stay_secret() -> None:
    state = objects.checkpoint(
        {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}}, {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}},
        {"data": {"a": Secret("1"), "b": "2"}}, "v1", "m",
    )  # fmt: skip
    assert state["data"] == {"a": Secret("1"), "b": "2"}
    assert state["__inputs"]["data"] == {"a": Secret("1"), "b": "2"}


def paths(old: Any, new: Any, kind: tuple[str, str] = ("v1", "Service"), **options: bool) -> dict[str, int]:
    base = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "n", "namespace": "x"}}
    fixed = changes.immutable(
        base, secrets_mutable=options.get("secrets", False), config_maps_mutable=options.get("maps", False)
    )
    found = changes.detailed({**base, **old}, {**base, **new}, fixed)
    return {path: change.kind for path, change in found.items()}


ADD, ADD_REPLACE, DELETE, DELETE_REPLACE, UPDATE, UPDATE_REPLACE = range(6)


@pytest.mark.parametrize(
    ("kind", "old", "new", "found"),
    [
        (("v1", "ConfigMap"), {"data": {"a": "1"}}, {"data": {"a": "2"}}, {"data.a": UPDATE_REPLACE}),
        (("v1", "Secret"), {"data": {"a": "1"}}, {"data": {}}, {"data.a": DELETE_REPLACE}),
        (("v1", "Service"), {"spec": {"clusterIP": "a", "x": 1}}, {"spec": {"clusterIP": "b", "x": 2}},
         {"spec.clusterIP": UPDATE_REPLACE, "spec.x": UPDATE}),
        (("apps/v1", "Deployment"), {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
         {"spec": {"selector": {"matchLabels": {"a": "2"}}}}, {"spec.selector.matchLabels.a": UPDATE_REPLACE}),
        (("apps/v1", "Deployment"), {"spec": {"l": [{"n": 1, "i": "x"}]}},
         {"spec": {"l": [{"n": 1, "i": "y"}, {"n": 2}]}}, {"spec.l[0].i": UPDATE, "spec.l[1]": ADD}),
        (("rbac.authorization.k8s.io/v1", "RoleBinding"), {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}},
         {"roleRef.name": UPDATE_REPLACE}),
        (("v1", "Pod"), {"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}},
         {"spec.containers[0].image": UPDATE_REPLACE}),
        (("networking.k8s.io/v1", "NetworkPolicy"), {"spec": {"podSelector": {}}},
         {"spec": {"podSelector": {}, "ingress": []}}, {}),
        (("argoproj.io/v1alpha1", "AppProject"), {"spec": {}}, {"spec": {"roles": []}}, {"spec.roles": ADD}),
        (("v1", "Service"), {"a": {"k.v/x": "1"}}, {"a": {"k.v/x": "2"}}, {'a["k.v/x"]': UPDATE}),
        (("v1", "Service"), {"spec": {"a": "1"}}, {"spec": {"a": UNKNOWN, "b": UNKNOWN}},
         {"spec.a": UPDATE, "spec.b": ADD}),
        (("v1", "Service"), {"spec": {"n": 1}}, {"spec": {"n": 1.0}}, {}),
        (("v1", "Service"), {"spec": {"n": True}}, {"spec": {"n": 1}}, {"spec.n": UPDATE}),
    ],
)  # fmt: skip
def test_changes_are_reported_by_path(kind: tuple[str, str], old: Any, new: Any, found: dict[str, int]) -> None:
    assert paths(old, new, kind) == found


def test_secrets_and_config_maps_are_mutable_only_on_request() -> None:
    assert paths({"data": {"a": "1"}}, {"data": {"a": "2"}}, ("v1", "Secret"), secrets=True) == {"data.a": UPDATE}
    assert paths({"data": {"a": "1"}}, {"data": {"a": "2"}}, ("v1", "ConfigMap"), maps=True) == {"data.a": UPDATE}


def test_a_change_of_the_namespace_requires_a_replacement() -> None:
    found = paths({}, {"metadata": {"name": "n", "namespace": "y"}})
    assert found == {"metadata.namespace": UPDATE_REPLACE}


def entry(manager: str, operation: str, **fields: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def test_an_update_takes_over_fields_of_the_creation_and_of_kubectl() -> None:
    live = {"metadata": {"managedFields": [
        entry("pulumi-kubernetes", "Update", **{"f:data": {"f:a": {}}}),
        entry("kubectl-label", "Update", **{"f:metadata": {"f:labels": {"f:x": {}}}}),
        entry("controller", "Update", **{"f:status": {}}),
    ]}}  # fmt: skip
    patch = managed.takeover(live, "pulumi-kubernetes-1234")
    assert patch is not None
    kept, merged = patch[0]["value"]
    assert kept["manager"] == "controller"
    assert (merged["manager"], merged["operation"]) == ("pulumi-kubernetes-1234", "Apply")
    assert merged["fieldsV1"] == {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}
    assert managed.takeover({"metadata": {"managedFields": [merged, kept]}}, "pulumi-kubernetes-1234") is None


def test_an_ignored_field_of_another_manager_is_omitted() -> None:
    live = {"spec": {"replicas": 3, "mine": 1}, "metadata": {"managedFields": [
        entry("hpa", "Update", **{"f:spec": {"f:replicas": {}}}), entry("me", "Apply", **{"f:spec": {"f:mine": {}}}),
    ]}}  # fmt: skip
    wanted: dict[str, Any] = {"spec": {"replicas": 1, "mine": 2}}
    managed.apply_ignored(wanted, live, ["spec.replicas", "spec.mine"], "me")
    assert wanted == {"spec": {"mine": 1}}


CONFIG = """
apiVersion: v1
kind: Config
current-context: a
clusters:
- {name: c, cluster: {server: "https://one:6443/"}}
- {name: d, cluster: {server: "https://two:6443", insecure-skip-tls-verify: true}}
users:
- {name: u, user: {token: token-marker}}
- {name: e, user: {exec: {command: x}}}
contexts:
- {name: a, context: {cluster: c, user: u, namespace: ns}}
- {name: b, context: {cluster: d, user: e}}
"""


def test_a_kubeconfig_is_read_by_path_and_by_content(tmp_path: Any) -> None:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    for value in (str(path), CONFIG):
        found = kubeconfig.access(value)
        assert (found.server, found.namespace, found.token) == ("https://one:6443", "ns", "token-marker")
    assert "token-marker" not in repr(found)
    other = CONFIG.replace("user: e}", "user: u}")
    assert kubeconfig.access(other, "b").server == "https://two:6443"


@pytest.mark.parametrize(
    ("text", "context", "reason"),
    [
        (CONFIG, "z", 'context "z" does not exist'),
        (CONFIG, "b", "logs in with `exec`, which this stand-in does not support"),
        (CONFIG.replace("exec: {command: x}", "tokenFile: t"), "b", "logs in with `tokenFile`, which"),
        (
            CONFIG.replace("insecure-skip-tls-verify: true", "tls-server-name: x"),
            "b",
            "does not support tls-server-name",
        ),
        ("{", "", "failed to parse kubeconfig"),
        ("/no/such/file", "", "neither a file nor a kubeconfig"),
        ("clusters: []\ncurrent-context: ''", "", "no context is chosen"),
    ],
)
def test_an_unusable_kubeconfig_is_reported_in_one_line(text: str, context: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason) as caught:
        kubeconfig.access(text, context)
    assert "\n" not in str(caught.value)


def test_another_cluster_replaces_the_provider() -> None:
    old = {"kubeconfig": CONFIG, "context": "a"}
    assert replacing(old, {**old, "enablePatchForce": "x"}, ["enablePatchForce"]) == []
    assert replacing(old, {**old, "context": "b"}, ["context"]) == ["context"]
    assert (
        replacing({**old, "clusterIdentifier": "1"}, {**old, "context": "b", "clusterIdentifier": "1"}, ["context"])
        == []
    )


def test_the_kind_comes_from_the_token() -> None:
    urn = Plugin.urn
    assert rules.kind_of(urn("kubernetes:core/v1:Namespace", "n")) == ("v1", "Namespace")
    assert rules.kind_of(urn("kubernetes:argoproj.io/v1alpha1:AppProject", "n")) == (
        "argoproj.io/v1alpha1",
        "AppProject",
    )
    assert rules.is_patch(urn("kubernetes:core/v1:ConfigMapPatch", "n"), {"kind": "ConfigMap"})
    assert not rules.is_patch(urn("kubernetes:core/v1:ConfigMap", "n"), {"kind": "ConfigMap"})


def test_an_unreachable_cluster_fails_only_operations_that_need_it(tmp_path: Any) -> None:
    path = tmp_path / "config"
    path.write_text(CONFIG.replace("https://one:6443/", "https://127.0.0.1:1"))
    plugin = Plugin(provider.make(Host(None)))
    token = "kubernetes:core/v1:ConfigMap"
    plugin.configure(kubeconfig=str(path))
    news, _ = plugin.check(token, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}})
    assert plugin.create(token, news, preview=True)[0] == ""
    for attempt in (lambda: plugin.create(token, news), lambda: plugin.read(token, "default/n", news, news)):
        with pytest.raises(PluginFailure, match="unreachable") as caught:
            attempt()
        assert "token-marker" not in str(caught.value)
    with pytest.raises(PluginFailure, match="`kubernetes:kubconfig` is not a setting"):
        plugin.configure(kubconfig="x")
    plugin.close()


def test_unsupported_settings_and_objects_are_refused_with_their_name() -> None:
    plugin = Plugin(provider.make(Host(None)))
    for setting, value in (("namespace", "x"), ("enableServerSideApply", "false"), ("deleteUnreachable", "true")):
        with pytest.raises(PluginFailure, match=f"the local platform's plugin does not support kubernetes:{setting}"):
            plugin.configure(**{setting: value})
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "n"},
    }
    with pytest.raises(PluginFailure, match="does not support custom resource definitions"):
        plugin.check("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", definition)
    noted = {"name": "n", "annotations": {"pulumi.com/timeoutSeconds": "1"}}
    with pytest.raises(PluginFailure, match=r"does not support the annotation pulumi\.com/timeoutSeconds"):
        plugin.check("kubernetes:core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": noted})
    plugin.close()


NAMESPACE = "kubernetes:core/v1:Namespace"


def test_a_provider_that_renders_writes_manifests_and_contacts_no_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "rendered"
    file = folder / "1-manifest" / "v1-namespace-default-team-prod.yaml"
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-prod", "labels": {"a": "1"}}}
    plugin = Plugin(provider.make(Host(None)))
    plugin.configure(renderYamlToDirectory=str(folder), skipUpdateUnreachable="true", kubeconfig="")
    checked, _ = plugin.check(NAMESPACE, inputs)
    plugin.create(NAMESPACE, checked, preview=True)
    assert not folder.exists()
    id_, state = plugin.create(NAMESPACE, checked)
    assert id_ == "team-prod"
    assert yaml.safe_load(file.read_text()) == inputs
    assert file.stat().st_mode & 0o777 == 0o600
    assert plugin.read(NAMESPACE, id_, state, checked) == (id_, state, checked), "nothing is read"
    assert plugin.diff(NAMESPACE, state, checked).none
    changed = {**inputs, "metadata": {"name": "team-prod", "labels": {"a": "2"}}}
    assert plugin.diff(NAMESPACE, state, changed).paths.keys() == {"metadata.labels.a"}
    state = plugin.update(NAMESPACE, id_, state, changed)
    assert yaml.safe_load(file.read_text()) == changed
    file.unlink()
    plugin.delete(NAMESPACE, id_, state)
    plugin.close()


@pytest.mark.parametrize("name", ["context", "kubeconfig"])
def test_a_folder_excludes_a_cluster(name: str) -> None:
    plugin = Plugin(provider.make(Host(None)))
    with pytest.raises(PluginFailure, match=f'"{name}" arg is not compatible with "renderYamlToDirectory" arg'):
        plugin.configure(renderYamlToDirectory="out", **{name: "x"})
    plugin.close()
