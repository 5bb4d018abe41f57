"""Rules on amounts, references to other tenants, and access."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from model.repository import Mirror, Repository
from model.tenant import Egress, Envelope, ImageSeverity, OwnRole, Registry, Retention, Right, Role, State, Tenant
from tests.factories import GIB, app, environment, infra, quota
from tests.rules.changes import OWNER, PLATFORM, change, edit, found, plain
from usine.report.model import Severity
from usine.rules import Change

A, B = plain("teleservice"), plain("petitions", owner="helene.faure", members={})
STANDARD = Envelope(quota(cpu=16_000, pods=0), quota(cpu=32_000, pods=0))


def texts(of: Change, rule: str) -> list[str]:
    return [notice.text for notice in found(of, rule)]


# Amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "severity"), [(OWNER, Severity.ERROR), (PLATFORM, Severity.INFO), (None, Severity.WARNING)]
)
def test_only_the_platform_team_gives_more_than_the_archetype(author: str | None, severity: Severity) -> None:
    base = dataclasses.replace(A, envelope=STANDARD)
    envelope = dataclasses.replace(STANDARD, prod=quota(cpu=33_000, pods=0))
    (notice,) = found(edit(base, author, envelope=envelope), "quota-envelope")
    assert notice.severity is severity
    assert notice.text == "envelope.prod.cpu goes from 32 to 33; archetype standard gives 32"
    registry = Registry(51 * GIB, Retention(10, 90), ("v*",), ImageSeverity.CRITICAL)
    (notice,) = found(edit(base, author, registry=registry), "quota-envelope")
    assert notice.text == "registry.quota goes from 50Gi to 51Gi; archetype standard gives 50Gi"
    # The same for a new tenant.
    new = plain("cantine", envelope=envelope)
    (notice,) = found(change([A], [A, new], author=author), "quota-envelope")
    assert notice.text == "envelope.prod.cpu is 33; archetype standard gives 32"


def test_an_amount_above_the_archetype_may_stay_or_shrink() -> None:
    base = dataclasses.replace(A, envelope=dataclasses.replace(STANDARD, prod=quota(cpu=64_000, pods=0)))
    assert found(edit(base, description="x"), "quota-envelope") == []
    shrunk = dataclasses.replace(STANDARD, prod=quota(cpu=60_000, pods=0))
    assert found(edit(base, envelope=shrunk), "quota-envelope") == []


def test_a_sudden_increase_is_reported() -> None:
    (notice,) = found(edit(A, envelope=Envelope(quota(cpu=8000), quota())), "quota-envelope")
    assert (notice.severity, notice.text) == (Severity.WARNING, "envelope.nonprod.cpu goes from 4 to 8")
    assert found(edit(A, envelope=Envelope(quota(cpu=7000), quota())), "quota-envelope") == []
    bigger = edit(A, PLATFORM, archetype="large", envelope=Envelope(quota(cpu=64_000), quota()))
    (notice,) = found(bigger, "quota-envelope")
    assert (notice.severity, notice.text) == (
        Severity.WARNING,
        "envelope.nonprod.cpu goes from 4 to 64: archetype large",
    )
    taken = edit(A, archetype="large", envelope=Envelope(quota(cpu=5000), quota()))
    (notice,) = found(taken, "quota-envelope")
    assert (notice.severity, notice.text) == (Severity.ERROR, "envelope.nonprod.cpu goes from 4 to 5: archetype large")
    environments = (dataclasses.replace(A.environments[0], quota=quota(memory=16 * GIB, gpu=1)), A.environments[1])
    assert texts(edit(A, environments=environments), "quota-envelope") == [
        "environments.dev.quota.gpu goes from 0 to 1",
        "environments.dev.quota.memory goes from 8Gi to 16Gi",
    ]


# References to others ---------------------------------------------------------------------------------------------


def referring(**changes: Any) -> Change:
    return change([A, B], [dataclasses.replace(A, **changes), B])


def mirrored(url: str, credentials: str | None = None) -> tuple[Repository, ...]:
    return (dataclasses.replace(app(), mirror=Mirror(url, "0 3 * * 1", credentials)), infra())


def reaching(host: str) -> tuple[Any, ...]:
    return (environment("dev", url=A.environments[0].url, egress=(Egress(host, 443),)), A.environments[1])


REFERENCES = [
    (
        {"repositories": mirrored("https://gitlab.example.test/tenants/petitions/web.git")},
        "the mirror copies a repository of petitions, another tenant",
        Severity.ERROR,
    ),
    (
        {"repositories": mirrored("https://harbor.example.test/v2/petitions.git")},
        "the mirror copies a repository of petitions, another tenant",
        Severity.ERROR,
    ),
    (
        {"repositories": mirrored("https://git.example.fr/x.git", "petitions/mirror")},
        "the secret's path begins with petitions, another tenant; it is read in this tenant's own mount",
        Severity.WARNING,
    ),
    (
        {"environments": reaching("api.petitions-prod")},
        "api.petitions-prod is inside petitions-prod, a namespace of petitions",
        Severity.ERROR,
    ),
    (
        {"environments": reaching("prod.petitions.example.gouv.fr")},
        "prod.petitions.example.gouv.fr is a public address of petitions: inform its owner",
        Severity.WARNING,
    ),
    (
        {"environments": (environment("dev", url="https://x.prod.petitions.example.gouv.fr"), A.environments[1])},
        "x.prod.petitions.example.gouv.fr is an address of petitions",
        Severity.ERROR,
    ),
]


@pytest.mark.parametrize(("changes", "text", "severity"), REFERENCES)
def test_a_reference_to_another_tenant(changes: dict[str, Any], text: str, severity: Severity) -> None:
    (notice,) = found(referring(**changes), "cross-tenant")
    assert (notice.text, notice.severity) == (text, severity)
    # A reference that the base already has is not reported.
    there = dataclasses.replace(A, **changes)
    assert found(change([there, B], [dataclasses.replace(there, description="x"), B]), "cross-tenant") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"repositories": mirrored("https://git.example.fr/petitions/web.git", "mirror/petitions")},
        {"repositories": mirrored("https://gitlab.example.test/tenants/teleservice/other.git")},
        {"repositories": mirrored("https://gitlab.example.test/platform/catalogue.git", "mirror/api")},
        {"environments": reaching("api.teleservice-prod")},
        {"environments": reaching("api.insee.example.fr")},
        {"environments": reaching("petitions.example.org")},
    ],
)
def test_references_to_no_other_tenant_are_accepted(changes: dict[str, Any]) -> None:
    assert found(referring(**changes), "cross-tenant") == []


# Access ----------------------------------------------------------------------------------------------


def branches(*protected: str) -> tuple[Repository, ...]:
    return (dataclasses.replace(app(), protected_branches=protected), infra())


def registry(immutable: tuple[str, ...], gate: ImageSeverity) -> Registry:
    return dataclasses.replace(A.registry, immutable=immutable, block_severity=gate)


WIDENED: list[tuple[dict[str, Any], str, Severity]] = [
    (
        {"members": {**A.members, Role.ADMIN: ("bob.durand", "emma.leroy")}},
        "emma.leroy becomes admin beside developer, and may change production",
        Severity.WARNING,
    ),
    ({"members": {**A.members, Role.DEVELOPER: ("emma.leroy", "x.y")}}, "x.y becomes developer", Severity.INFO),
    (
        {"roles": (OwnRole("audit", "", frozenset({Right.KUBERNETES_VIEW_PROD}), ()),)},
        "the role audit may: kubernetes:view-prod",
        Severity.INFO,
    ),
    (
        {"roles": (OwnRole("release", "", frozenset({Right.ARGOCD_SYNC_PROD}), ()),)},
        "the role release may: argocd:sync-prod, argocd:view-prod",
        Severity.WARNING,
    ),
    ({"repositories": branches()}, "api: no longer protected: main", Severity.WARNING),
    ({"environments": reaching("api.insee.example.fr")}, "dev may reach api.insee.example.fr:443", Severity.WARNING),
    (
        {"environments": (A.environments[0], dataclasses.replace(A.environments[1], autosync=True))},
        "prod is production and deploys every merge automatically",
        Severity.WARNING,
    ),
    ({"registry": registry((), ImageSeverity.CRITICAL)}, "tags that can now be overwritten: v*", Severity.WARNING),
    (
        {"registry": registry(("v*",), ImageSeverity.NONE)},
        "vulnerable images are no longer blocked (before: from severity critical)",
        Severity.WARNING,
    ),
    (
        {"quality": dataclasses.replace(A.quality, findings=ImageSeverity.CRITICAL)},
        "findings make a job red from severity critical, before: high",
        Severity.WARNING,
    ),
    (
        {"quality": dataclasses.replace(A.quality, findings=ImageSeverity.NONE)},
        "findings no longer make a job red (before: from severity high)",
        Severity.WARNING,
    ),
]


@pytest.mark.parametrize(("changes", "text", "severity"), WIDENED)
def test_wider_access_is_reported(changes: dict[str, Any], text: str, severity: Severity) -> None:
    (notice,) = found(edit(A, **changes), "access-widened")
    assert (notice.text, notice.severity) == (text, severity)
    # The reverse change narrows access: no notice.
    wide = dataclasses.replace(A, **changes)
    back = [n for n in found(change([wide], [A]), "access-widened") if "may reach api.example.fr" not in n.text]
    assert back == []


def test_members_of_custom_roles_are_reported_like_members_of_platform_roles() -> None:
    def with_role(*people: str, right: Right = Right.ARGOCD_SYNC_PROD) -> Tenant:
        return dataclasses.replace(A, roles=(OwnRole("release", "", frozenset({right}), people),))

    (notice,) = found(change([with_role("a.b")], [with_role("a.b", "emma.leroy")]), "access-widened")
    assert notice.text == "emma.leroy becomes release beside developer, and may change production"
    assert notice.severity is Severity.WARNING
    looks = with_role("helene.faure", right=Right.ARGOCD_VIEW_PROD)
    (notice,) = found(change([A, B], [looks, B]), "guest-role")
    assert notice.text == "helene.faure of petitions gets the role release in teleservice"
    assert found(change([looks, B], [looks, B]), "guest-role") == []


def test_a_weaker_image_gate_and_restored_access_are_reported() -> None:
    base = dataclasses.replace(A, registry=registry(("v*",), ImageSeverity.LOW))
    assert texts(edit(base, registry=registry(("v*",), ImageSeverity.HIGH)), "access-widened") == [
        "vulnerable images are blocked from severity high, before: low"
    ]
    for before, after, author, severity in (
        (State.ARCHIVED, State.ACTIVE, PLATFORM, Severity.WARNING),
        (State.SUSPENDED, State.ACTIVE, PLATFORM, Severity.INFO),
        (State.SUSPENDED, State.ACTIVE, None, Severity.WARNING),
        (State.SUSPENDED, State.ACTIVE, "alice.martin", Severity.ERROR),
    ):
        (notice,) = found(edit(dataclasses.replace(A, state=before), author, state=after), "access-widened")
        assert notice.severity is severity
        assert found(edit(dataclasses.replace(A, state=after), state=before), "access-widened") == []


def test_a_new_tenant_is_no_wider_access() -> None:
    assert found(change([A], [A, B]), "access-widened") == []


def member(person: str, role: Role, base: Tenant = A) -> Change:
    members = {**base.members, role: (*base.members.get(role, ()), person)}
    return change([base, B], [dataclasses.replace(base, members=members), B])


def test_a_guest_is_a_member_of_another_tenant_with_a_reading_role() -> None:
    (notice,) = found(member("helene.faure", Role.READONLY), "guest-role")
    assert notice.severity is Severity.WARNING
    assert notice.text == "helene.faure of petitions gets the role readonly in teleservice"
    assert found(member("helene.faure", Role.SECURITY), "guest-role")
    assert found(member("helene.faure", Role.DEVELOPER), "guest-role") == []
    assert found(member("somebody.new", Role.READONLY), "guest-role") == []
    insider = dataclasses.replace(A, members={**A.members, Role.DEVOPS: ("helene.faure",)})
    assert found(member("helene.faure", Role.READONLY, insider), "guest-role") == []
