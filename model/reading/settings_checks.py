"""Converts a validated settings file to `Settings`, and checks everything that involves several keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic.alias_generators import to_camel

from model.archetypes import Archetype
from model.clusters import Cluster, ImageVerifier, Operator, SecretDelivery, Verifier, WorkloadRules
from model.images import DOCKER_HUB
from model.naming import proxy_project
from model.problems import KeyPath, Note
from model.reading.archetypes_load import misfits, undeclared_words
from model.reading.argocd import check_argocd, to_argocd
from model.reading.cluster_backup import check_cluster_backup, to_cluster_backup
from model.reading.cluster_pull import check_cluster_pull, to_cluster_pull
from model.reading.fields import check_slug
from model.reading.grafana import check_grafana, to_grafana
from model.reading.settings_schema import (
    ClusterSection,
    CredentialSection,
    ObservabilitySettingsSection,
    ScansSection,
    SettingsSection,
    StageSection,
    WorkloadRulesSection,
)
from model.reading.waves import to_fleet
from model.settings import (
    CLEAN_CODE,
    CatalogueSettings,
    ChangeSettings,
    Credential,
    Edition,
    Endpoint,
    FoundationMode,
    GateCondition,
    GitLabSettings,
    HarborSettings,
    KeycloakSettings,
    Limits,
    MassRemoval,
    ObservabilitySettings,
    PeopleSource,
    ProxyCache,
    RunnerSettings,
    ScanSettings,
    Settings,
    SonarQubeSettings,
    Stage,
    SyncWindow,
    System,
)
from model.tenant import Quota
from model.texts import did_you_mean, show, show_path

#: The endpoints that each system needs; an Argo CD of several has its own address.
_NEEDS: dict[System, tuple[System, ...]] = {
    System.KEYCLOAK: (System.KEYCLOAK,),
    System.VAULT: (System.VAULT,),
    System.KUBERNETES: (),
    System.ARGOCD: (System.GITLAB,),
    System.GITLAB: (System.GITLAB,),
    System.HARBOR: (System.HARBOR,),
    System.SONARQUBE: (System.SONARQUBE,),
    System.OBSERVABILITY: (),
}


def build_settings(
    file: SettingsSection, archetypes: Mapping[str, Archetype], *, stack: str, source: str, note: Note
) -> Settings:
    """Return the settings; report contradictions to `note`, with the path below the name space."""
    systems = frozenset(System(name) for name in file.systems)
    _check_systems(file, systems, note)
    _check_observability(file, systems, note)
    for key in ("systems", "zones", "presets", "gates", "packages", "tenants"):
        _once((key,), getattr(file, key) or (), note)
    for name, cluster in file.clusters.items():
        _check_cluster(name, cluster, file, note)
    for index, slug in enumerate(file.tenants or ()):
        try:
            check_slug(slug)
        except ValueError as error:
            note(("tenants", index), f"usine:tenants[{index}]: {error}")
    presets, gates, packages = tuple(file.presets), tuple(file.gates), tuple(file.packages)
    for name, archetype in file.archetypes.items():
        for message in (*undeclared_words(name, archetype, presets, gates, packages), *misfits(name, archetype)):
            note(("archetypes", name), f"usine:archetypes: {message}")
    _check_forge(file, systems, note)
    _check_proxies(file, systems, note)
    _once(("catalogue", "first"), file.catalogue.first, note)
    if file.catalogue.first and file.catalogue.version is None:
        note(
            ("catalogue", "first"),
            "usine:catalogue.first: without usine:catalogue.version all tenants use the version of this checkout",
        )
    _once(("changes", "platformTeam"), file.changes.platform_team, note)
    limits = {key: value for key, value in file.limits.model_dump().items() if value is not None}
    return Settings(
        stack=stack,
        source=source,
        systems=systems,
        endpoints={
            System(name): Endpoint(endpoint.url, None if endpoint.ca is None else Path(endpoint.ca))
            for name, endpoint in file.endpoints.items()
        },
        keycloak=KeycloakSettings(file.keycloak.realm, PeopleSource(file.keycloak.people), file.keycloak.email_domain),
        argocd=to_argocd(file),
        clusters={name: _cluster(name, cluster) for name, cluster in file.clusters.items()},
        stages={name: _stage(name, stage) for name, stage in file.stages.items()},
        zones=tuple(file.zones),
        presets=presets,
        gates=gates,
        packages=packages,
        reserved=frozenset(file.reserved),
        gitlab=GitLabSettings(
            root=file.gitlab.root,
            platform=file.gitlab.platform,
            edition=Edition(file.gitlab.edition),
            people=PeopleSource(file.gitlab.people),
            email_domain=file.gitlab.email_domain or file.keycloak.email_domain,
            tools_image=file.gitlab.tools_image,
            second_factor=file.gitlab.second_factor,
            runners=None if file.gitlab.runners is None else RunnerSettings(file.gitlab.runners.timeout),
        ),
        catalogue=CatalogueSettings(file.catalogue.version, tuple(file.catalogue.first)),
        harbor=HarborSettings(file.harbor.robot_days, file.harbor.admin_group, _proxies(file)),
        sonarqube=_sonarqube(file, gates),
        scans=_scans(file.scans, note),
        observability=_observability(file.observability),
        credentials=_generations(file.credentials) if file.credentials else (Credential("1"),),
        tenant_credentials={slug: _generations(listed) for slug, listed in file.tenant_credentials.items()},
        limits=Limits(**limits),
        changes=_changes(file),
        fleet=to_fleet(file.fleet, systems, note),
        tenants=None if file.tenants is None else tuple(file.tenants),
        foundation=FoundationMode(file.foundation),
        projects=Path(file.projects),
        archetypes=archetypes,
    )


def _generations(listed: Iterable[CredentialSection]) -> tuple[Credential, ...]:
    return tuple(Credential(one.name, one.until) for one in listed)


def _once(path: KeyPath, items: Iterable[str], note: Note) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item in seen:
            note((*path, index), f"usine:{show_path(path)}: {show(item)} is in this list twice")
        seen.add(item)


def _check_systems(file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    for system in sorted(systems):
        for needed in _NEEDS[system]:
            if needed.value not in file.endpoints:
                note(("endpoints",), f"usine:endpoints: {needed} is missing; {system} is on and needs its url")
    if System.KUBERNETES in systems and not file.clusters:
        note(("clusters",), "usine:clusters: kubernetes is on and needs at least one cluster")
    check_argocd(file, systems, note)


def _check_observability(file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    stated = file.observability
    if System.OBSERVABILITY in systems:
        if System.KUBERNETES not in systems:
            note(("systems",), "usine:systems: observability is on and needs kubernetes, whose operators act for it")
        if stated is None:
            note(("observability",), "usine:observability is missing; observability is on and needs its runbooks")
    if stated is None:
        return
    if stated.grafana is not None:
        check_grafana(stated.grafana, file, systems, note)
    _once(("observability", "webhookHosts"), stated.webhook_hosts, note)
    _once(("observability", "logRetentions"), [f"{days}d" for days in stated.log_retentions], note)
    for name, archetype in file.archetypes.items():
        days = archetype.observability.log_retention
        if days not in stated.log_retentions:
            note(
                ("observability", "logRetentions"),
                f"usine:observability.logRetentions: {days}d is missing, the default of archetype {name}",
            )


def _observability(stated: ObservabilitySettingsSection | None) -> ObservabilitySettings:
    if stated is None:
        return ObservabilitySettings()
    return ObservabilitySettings(
        stated.runbooks, tuple(stated.log_retentions), tuple(stated.webhook_hosts), to_grafana(stated.grafana)
    )


def _check_forge(file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    managed = file.gitlab.people == PeopleSource.MANAGED
    if System.GITLAB in systems and managed and not (file.gitlab.email_domain or file.keycloak.email_domain):
        note(
            ("gitlab",),
            "usine:gitlab.emailDomain is missing: usine creates the accounts (people: managed), and GitLab wants an "
            "e-mail address for each",
        )
    if systems >= {System.GITLAB, System.HARBOR} and not file.gitlab.tools_image:
        note(
            ("gitlab",),
            "usine:gitlab.toolsImage is missing: the jobs of the catalogue run in it; "
            "name it by its digest, such as harbor.example.fr/platform/tools@sha256:3f1c...",
        )
    for key, used in (("gitlab.runners", file.gitlab.runners), ("harbor.proxies", file.harbor.proxies)):
        if used and System.VAULT not in systems:
            note(tuple(key.split(".")), f"usine:{key}: vault is off, where their credentials are kept")
    if file.gitlab.root == file.gitlab.platform:
        note(("gitlab", "platform"), "usine:gitlab.platform: tenants and platform need different groups")
    for gate in file.sonarqube.gates:
        if gate not in file.gates:
            note(
                ("sonarqube", "gates", gate),
                f"usine:sonarqube.gates: no such gate: {show(gate)}; {did_you_mean(gate, file.gates)}",
            )
    _once(("credentials",), [credential.name for credential in file.credentials or ()], note)
    for slug, listed in file.tenant_credentials.items():
        _once(("tenantCredentials", slug), [credential.name for credential in listed], note)


#: What Harbor asks for the images of a registry, where it is not the host of the images' names.
_ADDRESSES = {DOCKER_HUB: "https://hub.docker.com"}


def _proxies(file: SettingsSection) -> tuple[ProxyCache, ...]:
    return tuple(
        ProxyCache(
            name,
            proxy.registry,
            proxy.url or _ADDRESSES.get(proxy.registry, f"https://{proxy.registry}"),
            proxy.public,
            proxy.quota,
        )
        for name, proxy in file.harbor.proxies.items()
    )


def _check_proxies(file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    """Check that each registry has one proxy, and that pods can pull from the proxies that clusters allow."""
    of: dict[str, str] = {}
    for name, proxy in file.harbor.proxies.items():
        path: KeyPath = ("harbor", "proxies", name)
        if System.HARBOR not in systems:
            note(path, f"usine:harbor.proxies.{name}: harbor is not in usine:systems")
        first = of.setdefault(proxy.registry, name)
        if first != name:
            note((*path, "registry"), f"usine:harbor.proxies.{name}: {first} is already the proxy of {proxy.registry}")
    harbor = file.endpoints.get(System.HARBOR.value)
    if harbor is None:
        return
    projects = {f"{urlsplit(harbor.url).netloc}/{proxy_project(name)}": name for name in file.harbor.proxies}
    prefix = f"{urlsplit(harbor.url).netloc}/{proxy_project('')}"
    for cluster, section in file.clusters.items():
        for index, image in enumerate(section.workloads.images or ()):
            if not image.startswith(prefix):
                continue
            path = ("clusters", cluster, "workloads", "images", index)
            where = f"usine:{show_path(path)}"
            project = "/".join(image.split("/")[:2])
            if project not in projects:
                note(path, f"{where}: no such proxy: {show(project)}; {did_you_mean(project, projects)}")
            elif not file.harbor.proxies[projects[project]].public:
                note(
                    path,
                    f"{where}: pods have no credential for this proxy: "
                    f"set usine:harbor.proxies.{projects[project]}.public to true",
                )


def _sonarqube(file: SettingsSection, gates: tuple[str, ...]) -> SonarQubeSettings:
    stated = {
        gate: tuple(GateCondition(c.metric, c.op, str(c.error)) for c in conditions)
        for gate, conditions in file.sonarqube.gates.items()
    }
    conditions = {gate: stated.get(gate, CLEAN_CODE) for gate in gates}
    return SonarQubeSettings(conditions, file.sonarqube.webhook, file.sonarqube.token_name)


def _scans(stated: ScansSection, note: Note) -> ScanSettings:
    _once(("scans", "deniedLicenses"), stated.denied_licenses or (), note)
    default = ScanSettings()
    return ScanSettings(
        stated.vulnerability_database,
        stated.java_database,
        default.denied_licenses if stated.denied_licenses is None else tuple(stated.denied_licenses),
    )


def _changes(file: SettingsSection) -> ChangeSettings:
    stated = file.changes
    removal = {key: value for key, value in stated.mass_removal.model_dump().items() if value is not None}
    owners = stated.platform_owners or f"@{file.gitlab.platform}"
    return ChangeSettings(frozenset(stated.platform_team), owners, MassRemoval(**removal))


def _check_cluster(name: str, cluster: ClusterSection, file: SettingsSection, note: Note) -> None:
    path: KeyPath = ("clusters", name)
    if cluster.zone not in file.zones:
        note(
            (*path, "zone"),
            f"usine:clusters.{name}.zone: no such zone: {show(cluster.zone)}; {did_you_mean(cluster.zone, file.zones)}",
        )
    for index, stage in enumerate(cluster.stages):
        if stage not in file.stages:
            note(
                (*path, "stages", index),
                f"usine:clusters.{name}.stages: no such stage: {show(stage)}; {did_you_mean(stage, file.stages)}",
            )
        if stage in cluster.stages[:index]:
            note((*path, "stages", index), f"usine:clusters.{name}.stages: {show(stage)} is in this list twice")
    _once((*path, "operators"), cluster.operators, note)
    _once((*path, "reservedNamespaces"), cluster.reserved_namespaces, note)
    absent = [system for system in (System.VAULT, System.GITLAB, System.HARBOR) if system.value not in file.systems]
    if cluster.image_verifier is not None and System.KUBERNETES.value in file.systems and absent:
        note(
            (*path, "imageVerifier"),
            f"usine:clusters.{name}.imageVerifier: no image is signed: {', '.join(absent)} not in usine:systems",
        )
    check_cluster_backup(name, cluster, file, note)
    check_cluster_pull(name, cluster, file, note)
    for key in WorkloadRulesSection.model_fields:
        alias = to_camel(key)
        _once((*path, "workloads", alias), getattr(cluster.workloads, key) or (), note)


def _stage(name: str, stage: StageSection) -> Stage:
    windows = tuple(SyncWindow(w.kind, w.schedule, w.duration, w.manual_sync, w.time_zone) for w in stage.sync_windows)
    return Stage(name, production=stage.production, sync_windows=windows)


def _cluster(name: str, cluster: ClusterSection) -> Cluster:
    stated = {
        key: value
        for key in ("oidc_prefix", "token_audience", "ingress_namespace", "monitoring_namespace")
        if (value := getattr(cluster, key)) is not None
    }
    stated |= {
        key: tuple(value)
        for key in ("internal_networks", "platform_networks", "platform_ports")
        if (value := getattr(cluster, key)) is not None
    }
    capacity = cluster.capacity
    return Cluster(
        name=name,
        zone=cluster.zone,
        server=cluster.server,
        context=cluster.context or "",
        stages=tuple(cluster.stages),
        ca=None if cluster.ca is None else Path(cluster.ca),
        capacity=None
        if capacity is None
        else Quota(capacity.cpu, capacity.memory, capacity.storage, capacity.gpu, capacity.pods),
        workloads=WorkloadRules(
            **{key: tuple(value) for key, value in cluster.workloads.model_dump().items() if value is not None}
        ),
        operators=tuple(map(Operator, cluster.operators)),
        reserved_namespaces=tuple(cluster.reserved_namespaces),
        secret_delivery=None
        if cluster.secret_delivery is None
        else SecretDelivery(Operator(cluster.secret_delivery.operator), cluster.secret_delivery.refresh_interval),
        image_verifier=None
        if cluster.image_verifier is None
        else ImageVerifier(Verifier(cluster.image_verifier.kind), cluster.image_verifier.namespace or "kyverno"),
        backup=to_cluster_backup(cluster.backup),
        argocd_token=cluster.argocd_token,
        pull=to_cluster_pull(cluster.pull),
        **stated,
    )
