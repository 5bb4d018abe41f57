"""Sample reports of all three kinds as the tool makes them, for tests and screenshots."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_facts.values import ABSENT
from tests.report.entries import TYPES, entry
from usine.report.model import Action, Entry, Kind, Notice, PropertyChange, Report, Severity, StoredCredential, by_risk

_POLICY_BEFORE = """\
# Developers of teleservice
path "teleservice/data/dev/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "teleservice/metadata/dev/*" {
  capabilities = ["read", "list"]
}
"""
_POLICY_AFTER = """\
# Developers of teleservice
path "teleservice/data/dev/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "teleservice/data/integration/*" {
  capabilities = ["read", "list"]
}
path "teleservice/metadata/dev/*" {
  capabilities = ["read", "list"]
}
"""


def diff() -> Report:
    """Return the report of a refused merge request that changes, adds and removes a tenant."""
    entries = [
        entry(Action.DESTROYED, "annuaire-2019", "gitlab/project", "annuaire/project"),
        entry(Action.DESTROYED, "annuaire-2019", "vault/mount", "mount"),
        entry(Action.DESTROYED, "annuaire-2019", "sonarqube/project", "annuaire/project"),
        entry(Action.DESTROYED, "annuaire-2019", "keycloak/group", "group/developer"),
        entry(Action.DESTROYED, "annuaire-2019", "gitlab/variable", "annuaire/variable/SONAR_PROJECT_KEY"),
        entry(
            Action.REPLACED,
            "teleservice",
            "vault/role",
            "kubernetes-role/dev",
            ("roleName", "teleservice-dev", "teleservice-development"),
            ("tokenTtl", 3600, 1800),
            note="replaced because of roleName",
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "kubernetes/quota",
            "dev/quota",
            ('spec.hard["limits.cpu"]', "4", "8"),
            ('spec.hard["limits.memory"]', "8Gi", "16Gi"),
            ('spec.hard["requests.nvidia.com/gpu"]', ABSENT, "1"),
        ),
        entry(
            Action.CHANGED, "teleservice", "vault/policy", "policy/developer", ("policy", _POLICY_BEFORE, _POLICY_AFTER)
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "keycloak/members",
            "group/devops/members",
            ('members["lea.moreau"]', ABSENT, "lea.moreau"),
            ('members["chloe.petit"]', "chloe.petit", ABSENT),
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "vault/secret",
            "pipelines/secret/ci/registry/push",
            ("dataJson", "[secret]", "[secret]"),
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "kubernetes/network",
            "dev/network/allow-egress",
            (
                "spec.egress",
                [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}],
                [
                    {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]},
                    {"to": [{"ipBlock": {"cidr": "198.51.100.7/32"}}], "ports": [{"port": 5432, "protocol": "TCP"}]},
                ],
            ),
        ),
        entry(
            Action.CHANGED,
            None,
            "keycloak/client",
            "client/argocd",
            ("validRedirectUris[1]", ABSENT, "https://argocd.example/auth/callback"),
        ),
        *(
            entry(Action.CREATED, "guichet", kind, name)
            for kind, name in (
                ("keycloak/group", "group"),
                ("keycloak/group", "group/developer"),
                ("keycloak/members", "group/developer/members"),
                ("gitlab/project", "portail/project"),
                ("gitlab/branch", "portail/branch/main"),
                ("harbor/project", "project"),
                ("harbor/robot", "robot/pull-1"),
                ("vault/mount", "mount"),
                ("vault/policy", "policy/developer"),
                ("kubernetes/namespace", "dev/namespace"),
                ("kubernetes/quota", "dev/quota"),
                ("argocd/application", "dev/deploy"),
            )
        ),
    ]
    return Report(
        kind=Kind.DIFF,
        title="usine diff: main..retire-annuaire",
        verdict="Two rules refuse this change. 3 objects that hold data would be destroyed; 3 tenants and the "
        "foundation are touched.",
        facts=(
            ("base", "1f0c2ab, main"),
            ("head", "9d3e771, retire-annuaire"),
            ("settings", "Pulumi.prod.yaml"),
            ("planned again", "3 of 48 tenants"),
        ),
        entries=by_risk(entries),
        notices=(
            Notice(
                "data-destruction",
                Severity.ERROR,
                "annuaire-2019 is removed while it is active: 3 objects that hold data would be destroyed",
                "Set `state: archived` first, in a merge request of its own; remove the file in the next one.",
                "projects.d/annuaire-2019.yaml",
                tenant="annuaire-2019",
            ),
            Notice(
                "one-tenant",
                Severity.ERROR,
                "this merge request changes three tenants: annuaire-2019, guichet, teleservice",
                "Open one merge request for each tenant.",
                "projects.d/guichet.yaml",
            ),
            Notice(
                "access-widened",
                Severity.WARNING,
                "lea.moreau becomes devops of teleservice, which may deploy to prod",
                "If that is meant, an owner of the tenant approves this merge request.",
                "projects.d/teleservice.yaml",
                14,
                12,
                "teleservice",
            ),
            Notice(
                "quota-envelope",
                Severity.ERROR,
                "environments.dev: 8 cpu is twice what its size gives",
                "Ask the platform team, or choose a larger size.",
                "projects.d/teleservice.yaml",
                31,
                14,
                "teleservice",
                waived_by="alice.martin until 2027-01-31: load tests of the January release",
            ),
        ),
    )


def run() -> Report:
    """Return the report of a run in which one system failed for one tenant."""
    entries = [
        entry(
            Action.FAILED,
            "teleservice",
            "harbor/retention",
            "retention",
            seconds=30.2,
            note="the server answered 503 Service Unavailable three times in 30 s",
        ),
        entry(
            Action.FAILED,
            "teleservice",
            "argocd/application",
            "dev/deploy",
            seconds=0.4,
            note="admission refused it: the project has no destination teleservice-dev",
        ),
        entry(
            Action.REPLACED,
            "teleservice",
            "vault/role",
            "kubernetes-role/dev",
            ("roleName", "teleservice-dev", "teleservice-development"),
            seconds=0.6,
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "kubernetes/quota",
            "dev/quota",
            ('spec.hard["limits.cpu"]', "4", "8"),
            seconds=0.2,
        ),
        entry(
            Action.CHANGED,
            None,
            "keycloak/client",
            "client/argocd",
            ("validRedirectUris[1]", ABSENT, "https://argocd.example/auth/callback"),
            seconds=0.9,
        ),
        entry(Action.DESTROYED, "miroirs", "gitlab/member", "member/hugo.bernard", seconds=0.7),
        *(
            entry(Action.CREATED, "guichet", kind, name, seconds=seconds)
            for kind, name, seconds in (
                ("keycloak/group", "group", 0.3),
                ("keycloak/group", "group/developer", 0.3),
                ("gitlab/project", "portail/project", 4.8),
                ("gitlab/branch", "portail/branch/main", 0.5),
                ("harbor/project", "project", 1.2),
                ("vault/mount", "mount", 0.2),
                ("kubernetes/namespace", "dev/namespace", 0.1),
                ("kubernetes/quota", "dev/quota", 0.1),
            )
        ),
    ]
    return Report(
        kind=Kind.RUN,
        title="usine up: stack lab",
        verdict="2 of 14 objects failed, both of teleservice, in harbor and argocd. Everything else is applied.",
        facts=(
            ("commit", "9d3e771"),
            ("by", "alice.martin"),
            ("started", "2026-11-25 09:12:04 UTC"),
            ("took", "41 s"),
        ),
        entries=by_risk(entries),
        notices=(
            Notice(
                "lock-taken-over",
                Severity.INFO,
                "the lock of a job that ended without giving it back was taken over (job 4711 of bob.durand)",
            ),
        ),
    )


def _credential(tenant: str | None, system: str, kind: str, name: str, ends: str = "") -> StoredCredential:
    prefix = f"{tenant or 'foundation'}/{system}"
    return StoredCredential(tenant, system, TYPES[kind], f"{prefix}/{name}", "2026-2" if ends else "", ends)


def drift() -> Report:
    """Return the report of a drift scan with manual changes and with a system that did not answer."""
    entries = [
        entry(Action.MISSING, "miroirs", "harbor/project", "project", note="first seen 2026-11-24"),
        entry(Action.MISSING, "teleservice", "vault/policy", "policy/security", note="new"),
        entry(Action.UNMANAGED, "teleservice", "harbor/robot", "robot$teleservice+laptop", note="no end date; new"),
        entry(
            Action.UNMANAGED,
            "teleservice",
            "gitlab/member",
            "marc.leroux",
            note="Owner of the group; first seen 2026-11-20",
        ),
        entry(
            Action.CHANGED,
            "teleservice",
            "gitlab/branch",
            "api/branch/main",
            ("allowForcePush", False, True),
            ("pushAccessLevel", "no one", "maintainer"),
            note="first seen 2026-11-24",
        ),
        entry(
            Action.CHANGED,
            "guichet",
            "kubernetes/binding",
            "prod/binding/rw",
            (
                'subjects["User::marc.leroux"]',
                ABSENT,
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "marc.leroux"},
            ),
        ),
        entry(
            Action.CHANGED, "guichet", "kubernetes/quota", "prod/quota", ('spec.hard["limits.memory"]', "16Gi", "64Gi")
        ),
        entry(
            Action.CHANGED,
            None,
            "keycloak/client",
            "client/gitlab",
            ("clientSecret", "[secret]", "[secret]"),
            note="changed in the server's page",
        ),
    ]
    return Report(
        kind=Kind.DRIFT,
        title="usine drift: stack prod",
        credentials=(
            _credential("teleservice", "harbor", "harbor/robot", "robot/push-2026-2", "2026-11-30T08:12:44Z"),
            _credential(
                "teleservice", "gitlab", "gitlab/deploy-token", "infra/deploy-token/2026-2", "2026-12-31T23:59:59Z"
            ),
            _credential(None, "keycloak", "keycloak/client", "client/argocd"),
        ),
        verdict="8 objects of 3 tenants and the foundation are not what the files say; 1 of them held data and is "
        "gone. SonarQube did not answer: nothing is known about it.",
        facts=(("scanned", "2026-11-25 02:00 UTC"), ("objects", "5,204"), ("since the previous scan", "4 new, 1 gone")),
        entries=by_risk(entries),
        notices=(
            Notice(
                "could-not-look",
                Severity.WARNING,
                "sonarqube did not answer within 60 s: annuaire-2019, guichet, teleservice were not looked at there",
                "Look again when it is back: usine drift --stack prod",
            ),
            Notice(
                "ignore-expired",
                Severity.WARNING,
                "the rule that ignores replicas of */argocd/* expired on 2026-11-01 and ignores nothing",
                "Remove it, or give it a new date and a reason.",
                "drift-ignore.yaml",
                12,
                3,
            ),
        ),
    )


def nothing() -> Report:
    """Return a report without findings."""
    return Report(
        Kind.DIFF, "usine diff: main..docs", "Nothing in the tenants' files or the program changes an object."
    )


#: Texts in a tenant file or on a server that attack the reader of the report.
HOSTILE = (
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    '"><svg/onload=window.owned=1>',
    "</style></script></details></code>--><b>out</b>",
    "@all @root cc @alice.martin",
    "/close",
    "\n/close\n/assign @root\n",
    "![i](http://evil.example/x.png) [l](javascript:alert(1))",
    "`code` ``more`` ``` fence",
    "a | b \\| c \\\\| d",
    "#1 !2 $3 ~label %milestone &4 group/project#5",
    "user\u202egnp.exe \u2066hidden\u2069 \u200bzero \x1b[31mred\x07",
    "www.evil.example http://evil.example mail@evil.example deadbeef1",
    "half \ud800 a pair",
    "{{ 7 * 7 }} {% raw %} ${7*7} :smile: :+1: $`x`$ [[_TOC_]]",
    "# heading\n- item\n1. one\n> quote\n---",
    "",
    " ",
)


def hostile() -> Report:
    """Return a report in which every text is an attack."""

    def entries() -> Iterator[Entry]:
        for number, text in enumerate(HOSTILE):
            action = list(Action)[number % len(Action)]
            changes = (PropertyChange(text, text, f"{text}\n{text}"), PropertyChange(f"x{text}", {text: [text]}, None))
            yield Entry(action, text, text, text, text, changes, holds_data=number % 2 == 0, note=text)

    return Report(
        kind=Kind.DIFF,
        title=HOSTILE[0],
        verdict=" ".join(HOSTILE),
        facts=tuple((text, text) for text in HOSTILE),
        entries=by_risk(entries()),
        notices=tuple(
            Notice(text, severity, text, text, text, 1, 1, text, waived)
            for text in HOSTILE
            for severity, waived in ((Severity.ERROR, ""), (Severity.WARNING, text))
        ),
    )


def large(objects: int = 3_000) -> Report:
    """Return the report of a change of all tenants: so many objects, fifty per tenant."""
    kinds = tuple(TYPES)

    def one(number: int) -> Entry:
        kind, tenant = kinds[number % len(kinds)], f"team-{number // 50:03d}"
        if number % 500 == 7:
            return entry(Action.DESTROYED, tenant, kind, f"thing-{number}")
        if number % 3 == 0:
            return entry(Action.CREATED, tenant, kind, f"thing-{number}")
        changes = (
            ("spec.replicas", number, number + 1),
            ('labels["team"]', ABSENT, tenant),
            ("tier", "silver", "gold"),
        )
        return entry(Action.CHANGED, tenant, kind, f"thing-{number}", *changes)

    return Report(
        kind=Kind.DIFF,
        title="usine diff: main..new-labels",
        verdict=f"Every tenant is touched: {objects:,} objects.",
        facts=(("base", "1f0c2ab"), ("head", "9d3e771")),
        entries=by_risk(one(number) for number in range(objects)),
    )


def effects() -> Report:
    """A change of the program: the same for four tenants, and something else for one."""
    slugs = ("alpha", "beta", "delta", "gamma", "omega")
    entries = by_risk(
        Entry(
            Action.CHANGED,
            slug,
            "vault",
            "vault:index/policy:Policy",
            f"{slug}/vault/policy/{name}",
            (PropertyChange("policy", f"of {slug}", f"other of {slug}"),),
        )
        for slug in slugs
        for name in (("dev",) if slug == "omega" else ("dev", "prod"))
    )
    return Report(Kind.DIFF, "usine diff: main..limits", "9 changes.", (), entries, effects=(slugs[:-1],))
