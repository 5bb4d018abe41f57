"""The difference of plans: made from values, or by the program."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping

import pulumi
import pytest
from pulumi.runtime.stack import run_pulumi_func

from model.settings import Credential
from model.tenant import Role
from pulumi_facts.tokens import TENANT
from pulumi_facts.values import SECRET
from tests import factories
from tests.plans import plan_of, plan_of_slugs
from usine.diff.compare import compare
from usine.plan import Plan, PlannedResource
from usine.plan.model import Options
from usine.plan.monitor import RecordingMonitor
from usine.plan.reading import load_plan
from usine.plan.run import _own_event_loop
from usine.report.model import Action, Entry, PropertyChange

GROUP = "keycloak:index/group:Group"
MEMBERS = "keycloak:index/groupMemberships:GroupMemberships"


def resource(type_: str, name: str, inputs: Mapping[str, object], **changes: object) -> PlannedResource:
    made = PlannedResource(type_, name, f"{TENANT}::a", "a", type_.split(":", maxsplit=1)[0], inputs, protect=False)
    return dataclasses.replace(made, qualified_type=f"{TENANT}${type_}", **changes)  # type: ignore[arg-type]


def one(base: list[PlannedResource], head: list[PlannedResource]) -> Entry:
    entries = compare(Plan.of(base), Plan.of(head))
    assert len(entries) == 1, entries
    return entries[0]


def options(**changes: object) -> dict[str, Options]:
    return {"options": dataclasses.replace(Options(), **changes)}  # type: ignore[arg-type]


def test_unchanged_and_ignored_inputs_have_no_entry() -> None:
    old = resource(GROUP, "a/x", {"name": "x", "attributes": {"k": "1"}})
    assert compare(Plan.of([old]), Plan.of([old])) == ()
    new = resource(GROUP, "a/x", {"name": "x", "attributes": {"k": "2"}}, **options(ignore_changes=("attributes",)))
    assert compare(Plan.of([old]), Plan.of([new])) == ()


def test_a_replacement_has_its_reason_and_its_consequences() -> None:
    def tree(realm: str) -> list[PlannedResource]:
        leaf = {"realmId": "usine", "groupId": "[id of a/x]", "members": []}
        child = {"realmId": "usine", "parentId": "[id of a/x]", "name": "y"}
        return [
            resource(GROUP, "a/x", {"realmId": realm, "name": "x"}),
            resource(GROUP, "a/x/y", child, sources={"parentId": (f"{GROUP}::a/x",)}),
            resource(MEMBERS, "a/x/members", leaf, sources={"groupId": (f"{GROUP}::a/x",)}),
            resource(
                "vault:kv/secretV2:SecretV2", "a/s", {"dataJson": SECRET, "mount": "m", "name": "n"},
                sources={"dataJson": (f"{GROUP}::a/x",)}, fingerprints={"dataJson": "0000"},
            ),
        ]  # fmt: skip

    entries = {e.name: e for e in compare(Plan.of(tree("usine")), Plan.of(tree("autre")))}
    assert entries["a/x"].action is Action.REPLACED
    assert entries["a/x"].note == "a change of realmId replaces the object"
    assert entries["a/x/y"].action is Action.REPLACED  # its parent cannot change, and is a new object
    assert entries["a/x/y"].properties == (PropertyChange("parentId", "[id of a/x]", "[id of a/x, created again]"),)
    assert "follows from the replacement of a/x" in entries["a/x/y"].note
    assert entries["a/x/members"].action is Action.REPLACED
    assert entries["a/s"].action is Action.CHANGED
    assert entries["a/s"].properties == (PropertyChange("dataJson", SECRET, SECRET),)


def test_a_new_provider_replaces_the_object_and_its_data() -> None:
    namespace = "kubernetes:core/v1:Namespace"
    inputs: dict[str, object] = {"metadata": {"name": "a-dev"}}
    entry = one(
        [resource(namespace, "a/ns", inputs, **options(provider="kubernetes-one"))],
        [resource(namespace, "a/ns", inputs, protect=True, **options(provider="kubernetes-two"))],
    )
    assert (entry.action, entry.loses_data) == (Action.REPLACED, True)
    assert PropertyChange("(provider)", "kubernetes-one", "kubernetes-two") in entry.properties
    assert "protected: the engine refuses to replace it" in entry.note


def test_a_destroyed_object_may_be_protected_or_retained() -> None:
    mount = "vault:index/mount:Mount"
    protected = one([resource(mount, "a/m", {}, protect=True)], [])
    assert (protected.loses_data, protected.note) == (True, "protected: the engine refuses to destroy it")
    kept = one([resource(mount, "a/m", {}, **options(retain_on_delete=True))], [])
    assert (kept.action, kept.loses_data) == (Action.DESTROYED, False)
    assert "stays in its system" in kept.note


def test_removed_protection_is_a_change() -> None:
    mount = "vault:index/mount:Mount"
    entry = one([resource(mount, "a/m", {}, protect=True)], [resource(mount, "a/m", {})])
    assert (entry.action, entry.properties) == (Action.CHANGED, (PropertyChange("(protect)", True, False),))


def test_an_input_that_the_provider_does_not_compare_is_no_change() -> None:
    project = "pulumi-python:dynamic/sonarqube:Project"
    old = resource(project, "a/p", {"key": "a:p", "name": "One"})
    assert compare(Plan.of([old]), Plan.of([resource(project, "a/p", {"key": "a:p", "name": "Two"})])) == ()
    assert one([old], [resource(project, "a/p", {"key": "a:q", "name": "One"})]).action is Action.REPLACED


def recorded(*, renamed: bool) -> Plan:
    """Plan a component with children: with its old names, or with new names and aliases."""
    monitor = RecordingMonitor()
    prefix = "new" if renamed else "old"

    async def program() -> None:
        alias = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")] if renamed else None)
        component = pulumi.ComponentResource("usine:keycloak:Thing", prefix, None, alias)
        parent = pulumi.CustomResource(GROUP, f"{prefix}/x", {"name": "x"}, pulumi.ResourceOptions(parent=component))
        pulumi.CustomResource(MEMBERS, f"{prefix}/x/m", {"groupId": parent.id}, pulumi.ResourceOptions(parent=parent))
        moved = pulumi.ResourceOptions(
            parent=None if renamed else component,
            aliases=[pulumi.Alias(parent=component, name="y")] if renamed else None,
        )
        pulumi.CustomResource(GROUP, "z" if renamed else "y", {"name": "y"}, moved)

    with _own_event_loop() as loop:
        pulumi.runtime.set_mocks(monitor.mocks, project="usine", stack="t", preview=False, monitor=monitor)
        loop.run_until_complete(run_pulumi_func(program))
    return monitor.planned()


def test_a_renamed_resource_is_not_created_again() -> None:
    """Aliases work as in the engine: children of a renamed component have aliases with its former name."""
    old, new = recorded(renamed=False), recorded(renamed=True)
    assert {r.key for r in old.resources} & {r.key for r in new.resources} == set()
    actions = {(entry.action, entry.name) for entry in compare(old, new)}
    assert {action for action, _ in actions} <= {Action.CHANGED}, actions


def test_an_alias_that_is_still_in_use_belongs_to_another_resource() -> None:
    old = resource(GROUP, "a/x", {"name": "x"})
    new = resource(GROUP, "a/y", {"name": "y"}, **options(aliases=(old.key,)))
    assert one([old], [old, new]).action is Action.CREATED


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of_slugs("ab")


def test_a_written_plan_is_read_back_unchanged(plan: Plan) -> None:
    assert load_plan(plan.dumps()) == plan
    assert load_plan(plan.dumps()).dumps() == plan.dumps()


def test_a_plan_of_an_older_program_has_the_same_identities(plan: Plan) -> None:
    document = json.loads(plan.dumps())
    for entry in document["resources"]:
        for key in ("qualifiedType", "sources", "fingerprints", "options"):
            del entry[key]
    older = load_plan(json.dumps(document))
    assert [r.key for r in older.resources] == [r.key for r in plan.resources]
    assert compare(older, plan) == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"resources": [{}]}', '{"resources": 1}', "\x00"])
def test_a_text_that_is_not_a_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plan"):
        load_plan(text)


def test_a_new_credential_generation_changes_the_secrets_with_its_credentials(plan: Plan) -> None:
    settings = factories.settings(credentials=(Credential("1"), Credential("2")))
    entries = compare(plan, plan_of_slugs("ab", settings))
    changed = {entry.name for entry in entries if entry.action is Action.CHANGED}
    assert "a/vault/pipelines/secret/ci/registry/push" in changed
    assert {entry.action for entry in entries} == {Action.CHANGED, Action.CREATED}
    assert all(c.before == c.after == SECRET for e in entries if e.system == "vault" for c in e.properties)
    assert "2" in {entry.name.rpartition("/")[2].rpartition("-")[2] for entry in entries}


def test_a_new_expiry_date_replaces_the_credential() -> None:
    """The expiry date of a deploy token is an ignored input, since GitLab writes it in its own time zone; it is also a
    replacement trigger (issue 11.B3).
    """

    def until(day: int) -> Plan:
        credential = Credential("1", datetime.date(2027, 6, day))
        return plan_of(factories.tenant(), settings=factories.settings(credentials=(credential,)))

    (token,) = [e for e in compare(until(1), until(2)) if e.type.endswith(":ProjectDeployToken")]
    assert (token.action, [p.path for p in token.properties]) == (Action.REPLACED, ["expiresAt"])


def test_a_removed_member_is_one_line_per_group(plan: Plan) -> None:
    project = factories.tenant("a")
    members = {**project.members, Role.DEVOPS: ()}
    after = dataclasses.replace(project, members=members)
    entries = compare(plan, plan_of(after, factories.tenant("b")))
    lists = [e for e in entries if e.type == MEMBERS]
    assert lists
    assert all([(c.before, c.after is not None) for c in e.properties] == [("chloe.petit", True)] for e in lists)
    assert {e.tenant for e in entries} == {"a"}
