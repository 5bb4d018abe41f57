"""Changed properties: those that the plugins see, and those that the Kubernetes plugin does not see."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pulumi_facts.paths import render
from pulumi_facts.values import ABSENT, SECRET
from tests.drift.values import observed
from usine.drift.changed import compare
from usine.drift.findings import DriftFinding, Means
from usine.drift.observe import Observation
from usine.report.model import Action

_OURS = "pulumi-kubernetes-1234"
_HAND = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-25T20:00:00Z"}


def told(*observations: Observation) -> dict[str, tuple[object, object]]:
    return {finding.path: (finding.expected, finding.found) for finding in compare(observations)}


def only(*observations: Observation) -> DriftFinding:
    (finding,) = compare(observations)
    return finding


def test_a_changed_property_has_its_expected_and_found_value() -> None:
    seen = observed(
        "alpha/vault/policy/env/dev", "vault:index/policy:Policy", {"policy": "a"}, {"policy": "b"}, "policy",
        system="vault",
    )  # fmt: skip
    finding = only(seen)
    assert (finding.kind, finding.tenant, finding.system) == (Action.CHANGED, "alpha", "vault")
    assert (finding.path, finding.expected, finding.found, finding.means) == ("policy", "a", "b", Means.ENGINE)


def test_a_missing_object_tells_whether_it_held_data() -> None:
    gone = only(observed("alpha/vault/mount", "vault:index/mount:Mount", {"path": "alpha"}, None, system="vault"))
    assert (gone.kind, gone.path, gone.holds_data) == (Action.MISSING, "", True)


def test_a_list_of_plain_values_is_one_property() -> None:
    type_ = "keycloak:index/groupMemberships:GroupMemberships"
    seen = observed(
        "alpha/keycloak/group/admin/members", type_, {"members": ["a", "b"]}, {"members": ["b", "c", "d"]},
        "members[0]", "members[1]", "members[2]", system="keycloak",
    )  # fmt: skip
    assert told(seen) == {"members": (["a", "b"], ["b", "c", "d"])}


def test_a_path_without_values_is_reported_for_the_whole_property() -> None:
    inputs, outputs = {"rules": [{"a": 1}]}, {"rules": [{"a": 2}]}
    seen = observed("alpha/x", "harbor:index/retentionPolicy:RetentionPolicy", inputs, outputs, "rules[7].a")
    assert told(seen) == {"rules": ([{"a": 1}], [{"a": 2}])}


def test_one_time_in_two_time_zones_is_no_difference() -> None:
    type_ = "gitlab:index/projectDeployToken:ProjectDeployToken"

    def ends(at: str) -> dict[str, tuple[object, object]]:
        return told(observed("alpha/x", type_, {"expiresAt": "2027-06-30T23:59:59Z"}, {"expiresAt": at}, "expiresAt"))

    assert ends("2027-07-01T01:59:59+02:00") == {}
    assert ends("2027-07-01T02:59:59+02:00") == {"expiresAt": ("2027-06-30T23:59:59Z", "2027-07-01T02:59:59+02:00")}


def test_an_added_property_is_absent_on_the_expected_side() -> None:
    seen = observed("alpha/x", "vault:jwt/authBackendRole:AuthBackendRole", {}, {"boundSubject": "x"}, "boundSubject")
    assert told(seen) == {"boundSubject": (ABSENT, "x")}


def test_a_property_that_is_empty_on_both_sides_is_not_reported() -> None:
    type_ = "gitlab:index/groupMembership:GroupMembership"
    inputs, outputs = {"accessLevel": "developer"}, {"accessLevel": "maintainer", "expiresAt": None}
    assert list(told(observed("alpha/x", type_, inputs, outputs, "accessLevel", "expiresAt"))) == ["accessLevel"]
    assert list(told(observed("alpha/x", type_, inputs, outputs, "expiresAt"))) == ["expiresAt"], "an update is due"


def test_a_secret_is_never_shown() -> None:
    seen = observed("alpha/x", "kubernetes:core/v1:Secret", {"data": SECRET}, {"data": SECRET}, 'data[".config"]')
    assert told(seen) == {'data[".config"]': (SECRET, SECRET)}


# Kubernetes ------------------------------------------------------------------------------------------------------

BINDING = {
    "metadata": {"name": "usine-rw", "namespace": "alpha-prod", "labels": {"a": "b"}},
    "roleRef": {"kind": "ClusterRole", "name": "r"},
    "subjects": [{"kind": "Group", "name": "/alpha/prod/rw"}],
}
_BINDING_FIELDS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:a": {}}},
    "f:roleRef": {},
    "f:subjects": {},
}


def live(base: dict[str, Any], *entries: dict[str, Any], ours: dict[str, Any] | None = None) -> dict[str, Any]:
    """The live object: the program's values, the server's metadata, and the owners of fields."""
    found = copy.deepcopy(base)
    own = {"manager": _OURS, "operation": "Apply", "fieldsV1": ours if ours is not None else _BINDING_FIELDS}
    found["__fieldManager"] = _OURS
    found["__inputs"] = copy.deepcopy(base)
    found["metadata"] |= {
        "uid": "1", "resourceVersion": "7", "creationTimestamp": "x", "managedFields": [own, *entries],
    }  # fmt: skip
    return found


def by_hand(fields: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {**_HAND, "fieldsV1": fields, **other}


def binding(found: dict[str, Any], *differs: str, known: dict[str, Any] | None = None) -> Observation:
    type_ = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
    return observed("alpha/kubernetes/prod/binding/rw", type_, BINDING, found, *differs, known=known)


def test_an_unchanged_object_is_no_finding() -> None:
    assert told(binding(live(BINDING))) == {}


def test_an_added_subject_is_found_with_its_author() -> None:
    found = live(BINDING, by_hand({"f:subjects": {}}))
    found["subjects"].append({"kind": "User", "name": "mallory"})
    finding = only(binding(found))
    assert (finding.path, finding.means) == ("subjects", Means.REVEAL)
    assert (finding.expected, finding.found) == (BINDING["subjects"], found["subjects"])
    assert finding.by == "kubectl-edit, 2026-11-25T20:00:00Z"
    assert finding.provider == "kubernetes-prod-1"


def test_a_difference_inside_an_added_list_is_reported_once() -> None:
    found = live(BINDING, by_hand({"f:subjects": {}}))
    found["subjects"].insert(0, {"kind": "User", "name": "mallory"})
    finding = only(binding(found, "subjects[0].kind", "subjects[0].name"))
    assert (finding.path, finding.means) == ("subjects", Means.ENGINE)


def test_an_added_label_is_found() -> None:
    found = live(BINDING, by_hand({"f:metadata": {"f:labels": {"f:evil.example/x": {}}}}))
    found["metadata"]["labels"]["evil.example/x"] = "1"
    finding = only(binding(found))
    assert (finding.path, finding.expected, finding.found) == ('metadata.labels["evil.example/x"]', ABSENT, "1")
    assert finding.means is Means.PATCH


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}}},
         {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}),
        ({"f:metadata": {"f:annotations": {".": {}, "f:argocd.argoproj.io/application-set-refresh": {}}}},
         {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}),
        ({"f:metadata": {"f:labels": {"f:kubernetes.io/metadata.name": {}}}},
         {"labels": {"a": "b", "kubernetes.io/metadata.name": "x"}}),
        ({"f:metadata": {"f:labels": {"f:a": {}}}}, {}),
    ],
)  # fmt: skip
def test_annotations_of_tools_and_equal_values_are_no_findings(fields: dict[str, Any], change: dict[str, Any]) -> None:
    found = live(BINDING, by_hand(fields))
    found["metadata"] |= change
    assert told(binding(found)) == {}


def test_fields_of_controllers_and_of_the_server_are_no_findings() -> None:
    found = live(
        BINDING,
        by_hand({"f:extra": {}}, manager="kube-controller-manager"),
        by_hand({"f:status": {"f:used": {}}}),
        by_hand({"f:other": {}}, subresource="status"),
    )
    found |= {"extra": 1, "status": {"used": 2}, "other": 3, "defaulted": True}
    assert told(binding(found)) == {}


def test_defaults_in_a_rewritten_list_are_no_findings() -> None:
    known = live(BINDING)
    known["subjects"][0]["apiGroup"] = "rbac.authorization.k8s.io"
    found = copy.deepcopy(known)
    found["metadata"]["managedFields"].append(by_hand({"f:subjects": {}}))
    assert told(binding(found, known=known)) == {}
    found["subjects"][0]["namespace"] = "kube-system"
    assert list(told(binding(found, known=known))) == ["subjects"]


def test_a_rule_added_to_a_network_policy_is_found() -> None:
    policy = {"metadata": {"name": "default-deny"}, "spec": {"policyTypes": ["Ingress", "Egress"], "egress": []}}
    ours: dict[str, Any] = {"f:spec": {"f:policyTypes": {}, "f:egress": {}}}
    found = live(policy, by_hand({"f:spec": {"f:ingress": {}, "f:egress": {}}}), ours=ours)
    found["spec"] |= {"ingress": [{}], "egress": [{}], "podSelector": {}}
    type_ = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    seen = observed("alpha/kubernetes/prod/network/default-deny", type_, policy, found)
    assert told(seen) == {"spec.ingress": (ABSENT, [{}]), "spec.egress": ([], [{}])}


def test_a_key_added_to_a_secret_is_found_without_its_value() -> None:
    inputs = {"metadata": {"name": "s"}, "data": SECRET}
    ours: dict[str, Any] = {"f:data": {"f:url": {}}}
    found = live(inputs, by_hand({"f:data": {"f:insecure": {}, "f:url": {}}}), ours=ours)
    seen = observed("alpha/argocd/s", "kubernetes:core/v1:Secret", inputs, found)
    assert told(seen) == {"data.insecure": (ABSENT, SECRET)}


def test_a_list_merged_by_key_shows_the_added_element() -> None:
    account = {"metadata": {"name": "vault"}, "imagePullSecrets": [{"name": "registry"}]}
    added: dict[str, Any] = {"f:imagePullSecrets": {".": {}, 'k:{"name":"other"}': {".": {}, "f:name": {}}}}
    found = live(account, by_hand(added), ours={"f:imagePullSecrets": {'k:{"name":"registry"}': {"f:name": {}}}})
    found["imagePullSecrets"].append({"name": "other"})
    seen = observed("alpha/kubernetes/dev/account/vault", "kubernetes:core/v1:ServiceAccount", account, found)
    assert told(seen) == {"imagePullSecrets": (account["imagePullSecrets"], found["imagePullSecrets"])}


def test_without_field_owners_the_object_is_compared_with_the_last_run() -> None:
    known = live(BINDING)
    known["immutable"] = False
    found = copy.deepcopy(known)
    found["metadata"]["managedFields"] = []
    assert told(binding(found, known=known)) == {}
    found["metadata"]["annotations"] = {"x": "y"}
    found["subjects"].append({"kind": "User", "name": "mallory"})
    assert set(told(binding(found, known=known))) == {"metadata.annotations.x", "subjects"}


def test_a_patch_resource_reports_its_own_fields_only() -> None:
    wanted = {"metadata": {"name": "argocd-cm"}, "data": {"url": "x"}}
    found = live(wanted, by_hand({"f:data": {"f:other": {}}}), ours={"f:data": {"f:url": {}}})
    found["data"] = {"url": "x", "other": "y"}
    assert told(observed("foundation/argocd/settings", "kubernetes:core/v1:ConfigMapPatch", wanted, found)) == {}


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [
        ("argocd-rbac-cm", "policy.extra.csv", "g, /alpha/developer, role:admin"),
        ("argocd-cm", "accounts.mallory", "apiKey, login"),
        ("argocd-cm", "users.anonymous.enabled", "true"),
        ("argocd-cm", "dex.config", SECRET),
        ("argocd-cm", "globalProjects", "- {labelSelector: {}, projectName: open}"),
        ("argocd-cm", "kustomize.buildOptions", "--enable-alpha-plugins --enable-exec"),
        ("argocd-cm", "kustomize.buildOptions.v5.0.0", "--enable-exec"),
    ],
)
def test_added_keys_of_argo_cd_settings_are_found_if_they_give_access(name: str, key: str, shown: str) -> None:
    wanted = {"metadata": {"name": name}, "data": {"url": "x"}}
    # Besides the owner of the key there is another one, of labels only.
    found = live(wanted, by_hand({"f:metadata": {}}), ours={"f:data": {"f:url": {}}})
    found["metadata"]["managedFields"].append({**_HAND, "fieldsV1": {"f:data": {f"f:{key}": {}}}})
    found["data"] = {"url": "x", "helm.enable": "false", key: "client_secret: y" if shown == SECRET else shown}
    finding = only(observed("foundation/argocd/settings", "kubernetes:core/v1:ConfigMapPatch", wanted, found))
    assert (finding.path, finding.found, finding.means) == (render(("data", key)), shown, Means.PATCH)
    assert finding.by.startswith("kubectl-edit")


@pytest.mark.parametrize(("there", "count"), [("3", 0), ("4", 1)])
def test_a_rewritten_secret_is_found_by_its_version(there: str, count: int) -> None:
    def side(version: str) -> dict[str, Any]:
        return {"name": "ci/x", "dataJson": SECRET, "metadata": {"version": version}}

    seen = observed(
        "alpha/vault/pipelines/secret/ci/x", "vault:kv/secretV2:SecretV2", {"name": "ci/x", "dataJson": SECRET},
        side(there), known=side("3"), system="vault",
    )  # fmt: skip
    findings = list(compare([seen]))
    assert [(f.path, f.expected, f.found, f.means) for f in findings] == count * [
        ("dataJson", SECRET, SECRET, Means.REVEAL)
    ]


@pytest.mark.parametrize(("there", "count"), [("aaa", 0), ("bbb", 1)])
def test_a_tag_created_at_another_commit_is_found_by_its_target(there: str, count: int) -> None:
    def side(target: str) -> dict[str, Any]:
        return {"project": "7", "name": "v1-ab", "ref": "main", "target": target}

    inputs = {"project": "7", "name": "v1-ab", "ref": "main"}
    type_ = "gitlab:index/projectTag:ProjectTag"
    seen = observed("foundation/gitlab/catalogue/version/v1-ab", type_, inputs, side(there), known=side("aaa"))
    findings = list(compare([seen]))
    call = "DELETE /api/v4/projects/7/repository/tags/v1-ab, then POST /api/v4/projects/7/repository/tags"
    assert [(f.path, f.expected, f.found, f.means, f.call) for f in findings] == count * [
        ("ref", "aaa", "bbb", Means.HAND, f"{call}?tag_name=v1-ab&ref=aaa")
    ]


# Settings that the program does not set ------------------------------------------------------------------------------

_REALM = "keycloak:index/realm:Realm"


def realm(before: dict[str, Any], now: dict[str, Any], *differs: str, type_: str = _REALM) -> Observation:
    inputs = {"realm": "usine", "registrationAllowed": False}
    return observed(
        "foundation/keycloak/realm", type_, inputs, {**inputs, **now}, *differs, known={**inputs, **before},
        system="keycloak",
    )  # fmt: skip


def test_a_changed_setting_that_the_program_does_not_set_is_found() -> None:
    finding = only(realm({"resetPasswordAllowed": False}, {"resetPasswordAllowed": True}))
    assert (finding.path, finding.expected, finding.found) == ("resetPasswordAllowed", False, True)
    assert finding.means is Means.HAND, "no run would set it back"


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"attributes": None}, {"attributes": {}}),
        ({"loginTheme": ""}, {}),
        ({"supportedLocales": ["fr", "en"]}, {"supportedLocales": ["en", "fr"]}),
        ({"computedByTheServer": 1}, {"computedByTheServer": 2}),
        ({}, {"loginTheme": "new in this version of the plugin"}),
        ({"smtpServer": SECRET}, {"smtpServer": "x"}),
    ],
)
def test_a_value_that_changes_by_itself_is_no_finding(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert told(realm(before, now)) == {}


@pytest.mark.parametrize(("kind", "count"), [("external", 0), ("internal", 1)])
def test_members_that_a_log_in_adds_to_an_external_group_are_no_finding(kind: str, count: int) -> None:
    """Seen 2026-11-29: OpenBao lists the people who have logged in there. Members of other groups are drift."""
    inputs = {"name": "alpha.owner", "type": kind}
    seen = observed(
        "alpha/vault/group/owner", "vault:identity/group:Group", inputs, {**inputs, "memberEntityIds": ["694b"]},
        known={**inputs, "memberEntityIds": []}, system="vault",
    )  # fmt: skip
    assert len(list(compare([seen]))) == count


def test_a_setting_of_the_program_is_reported_once() -> None:
    assert told(realm({}, {"registrationAllowed": True}, "registrationAllowed")) == {
        "registrationAllowed": (False, True)
    }


def test_settings_that_tenants_manage_themselves_are_no_findings() -> None:
    project = "gitlab:index/project:Project"
    assert told(realm({"buildTimeout": 3600}, {"buildTimeout": 7200}, type_=project)) == {}
    group = "gitlab:index/group:Group"
    assert told(realm({"lfsEnabled": True}, {"lfsEnabled": False}, type_=group)) == {"lfsEnabled": (True, False)}
