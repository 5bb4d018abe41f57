"""Projects and settings as plain values, for tests that need no file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from model.archetypes import BUILT_IN
from model.argocd import ONLY_INSTANCE, ArgoCDInstance, ArgoCDSettings
from model.clusters import Cluster
from model.reading.archetypes_load import ArchetypeSection, to_archetype
from model.repository import Deployment, Repository, RepositoryKind, Revision
from model.settings import (
    CLEAN_CODE,
    BoundBy,
    DataStore,
    Endpoint,
    GitLabSettings,
    GrafanaSettings,
    KeycloakSettings,
    ObservabilitySettings,
    PeopleSource,
    Settings,
    SonarQubeSettings,
    Stage,
    SyncWindow,
    System,
)
from model.tenant import (
    Egress,
    Envelope,
    Environment,
    ImageSeverity,
    Observability,
    Quality,
    Quota,
    Registry,
    Retention,
    Role,
    State,
    Tenant,
)

GIB = 1024**3
CA = Path("pki/ca.pem")
TOOLS_IMAGE = f"harbor.example.test/platform/tools@sha256:{'3f1c' * 16}"


GRAFANA = GrafanaSettings(
    cluster="nonprod-1",
    namespace="grafana",
    domain="grafana.example.test",
    image=f"harbor.example.test/platform/grafana@sha256:{'7d1c' * 16}",
    metrics=DataStore("http://proxy.monitoring.svc:8080", "X-Usine-Namespaces", BoundBy.NAMESPACES),
    logs=DataStore("http://loki.logs.svc"),
)


def quota(**changes: int) -> Quota:
    return dataclasses.replace(Quota(cpu=4000, memory=8 * GIB, storage=50 * GIB, gpu=0, pods=40), **changes)


def environment(name: str = "dev", **changes: Any) -> Environment:
    production = name == "prod"
    base = Environment(
        name=name,
        stage="prod" if production else "dev",
        production=production,
        cluster="prod-1" if production else "nonprod-1",
        quota=quota(),
        autosync=not production,
        url=f"https://{name}.example.gouv.fr",
        egress=(Egress("api.example.fr", 443),),
    )
    return dataclasses.replace(base, **changes)


def infra(name: str = "deploy") -> Repository:
    return Repository(
        name=name,
        kind=RepositoryKind.INFRA,
        preset="generic",
        default_branch="main",
        protected_branches=("main",),
        deployment=Deployment(
            "charts/app", ("values.yaml", "values-<env>.yaml"), Revision("main", {"prod": "refs/tags/v1.4.2"})
        ),
    )


def app(name: str = "api") -> Repository:
    return Repository(
        name=name, kind=RepositoryKind.APP, preset="python", default_branch="main", protected_branches=("main",)
    )


def tenant(slug: str = "teleservice", **changes: Any) -> Tenant:
    base = Tenant(
        slug=slug,
        name=f"Projet {slug}",
        description="",
        archetype="standard",
        state=State.ACTIVE,
        owner="alice.martin",
        contact="equipe@example.gouv.fr",
        review_after=None,
        labels={"direction": "dnum"},
        members={
            Role.ADMIN: ("bob.durand",),
            Role.DEVOPS: ("chloe.petit",),
            Role.DEVELOPER: ("emma.leroy",),
            Role.SECURITY: ("farid.benali",),
            Role.READONLY: ("gaelle.morin",),
        },
        envelope=Envelope(quota(), quota()),
        environments=(environment("dev"), environment("prod")),
        repositories=(app(), infra()),
        registry=Registry(50 * GIB, Retention(10, 90), ("v*",), ImageSeverity.CRITICAL),
        quality=Quality("platform", 30, ImageSeverity.HIGH),
        packages=(),
        observability=Observability(30),
    )
    return dataclasses.replace(base, **changes)


def settings(**changes: Any) -> Settings:
    base = Settings(
        stack="test",
        source="Pulumi.test.yaml",
        systems=frozenset(System),
        endpoints={
            System.KEYCLOAK: Endpoint("https://keycloak.example.test", CA),
            System.VAULT: Endpoint("https://vault.example.test"),
            System.ARGOCD: Endpoint("https://argocd.example.test"),
            System.GITLAB: Endpoint("https://gitlab.example.test"),
            System.HARBOR: Endpoint("https://harbor.example.test"),
            System.SONARQUBE: Endpoint("https://sonarqube.example.test"),
        },
        keycloak=KeycloakSettings("usine", PeopleSource.MANAGED, "example.gouv.fr"),
        argocd=ArgoCDSettings((ArgoCDInstance(ONLY_INSTANCE, "nonprod-1", "argocd", "https://argocd.example.test"),)),
        clusters={
            "nonprod-1": Cluster("nonprod-1", "lab", "https://nonprod.example.test", "nonprod-1", ("dev",), ca=CA),
            "prod-1": Cluster("prod-1", "lab", "https://prod.example.test", "prod-1", ("prod",), ca=CA),
        },
        stages={
            "dev": Stage("dev", production=False),
            "prod": Stage("prod", production=True, sync_windows=(SyncWindow("deny", "0 18 * * 5", "62h"),)),
        },
        zones=("lab",),
        presets=("generic", "python"),
        gates=("platform",),
        packages=("maven", "npm"),
        reserved=frozenset(),
        archetypes={
            name: to_archetype(name, ArchetypeSection.model_validate(keys), keys) for name, keys in BUILT_IN.items()
        },
        gitlab=GitLabSettings(email_domain="example.gouv.fr", tools_image=TOOLS_IMAGE),
        observability=ObservabilitySettings(
            "https://guide.example.test/alertes", (14, 30, 90), ("hooks.example.test",), GRAFANA
        ),
        sonarqube=SonarQubeSettings({"platform": CLEAN_CODE}, "https://hooks.example.test/sonarqube"),
    )
    return dataclasses.replace(base, **changes)
