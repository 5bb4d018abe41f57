"""The key `argocd` of the settings: one Argo CD for all zones, or several instances that each deploy to some zones."""

from __future__ import annotations

from collections.abc import Mapping

from model.argocd import ONLY_INSTANCE, ArgoCDInstance, ArgoCDSettings
from model.problems import KeyPath, Note
from model.reading.settings_schema import ArgoCDInstanceSection, ArgoCDSection, SettingsSection
from model.settings import System
from model.texts import did_you_mean, show, show_path

_NAMESPACE = "argocd"


def to_argocd(file: SettingsSection) -> ArgoCDSettings:
    """Return the Argo CDs of the platform, in the order of their names: that of the keys differs between readers."""
    stated = file.argocd or ArgoCDSection()
    if stated.instances is not None:
        instances = tuple(
            ArgoCDInstance(name, one.cluster, one.namespace, one.url, tuple(one.zones))
            for name, one in sorted(stated.instances.items())
        )
    else:
        endpoint = file.endpoints.get(System.ARGOCD.value)
        url = endpoint.url if endpoint is not None else ""
        instances = (ArgoCDInstance(ONLY_INSTANCE, stated.cluster or "", stated.namespace or _NAMESPACE, url),)
    return ArgoCDSettings(instances, tuple(stated.admin_groups or ()), dict(stated.charts))


def argocd_namespaces(file: SettingsSection) -> frozenset[str]:
    """Return the namespaces that Argo CDs of the settings run in; none if the settings have no key `argocd`."""
    return frozenset() if file.argocd is None else to_argocd(file).namespaces


def check_argocd(file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    """Report an Argo CD without a place, a zone that none or several of them deploy to, and two at one place."""
    if System.ARGOCD in systems:
        if System.KUBERNETES not in systems:
            note(("systems",), "usine:systems: argocd is on and needs kubernetes, whose custom resources drive it")
        if file.argocd is None:
            note(("argocd",), "usine:argocd is missing; argocd is on and needs its cluster")
    stated = file.argocd or ArgoCDSection()
    instances = stated.instances
    _check_registrations(file, instances or {}, note)
    if instances is None:
        if stated.cluster is not None:
            _check_cluster(("argocd", "cluster"), stated.cluster, file, note)
        elif file.argocd is not None:
            note(("argocd",), "usine:argocd.cluster is missing: expected it, or `instances` with an Argo CD per zone")
        if System.ARGOCD in systems and System.ARGOCD.value not in file.endpoints:
            note(("endpoints",), "usine:endpoints: argocd is missing; argocd is on and needs its url")
        return
    for key in ("cluster", "namespace"):
        if getattr(stated, key) is not None:
            note(
                ("argocd", key),
                f"usine:argocd.{key}: `instances` say where each Argo CD runs: remove this key, or `instances`",
            )
    if System.ARGOCD.value in file.endpoints:
        note(
            ("endpoints", System.ARGOCD.value),
            "usine:endpoints.argocd: each of usine:argocd.instances has its own url: remove this key",
        )
    for name, one in instances.items():
        _check_cluster(("argocd", "instances", name, "cluster"), one.cluster, file, note)
    _check_places(instances, file, note)
    _check_zones(instances, file, note)


def _check_cluster(path: KeyPath, cluster: str, file: SettingsSection, note: Note) -> None:
    where = f"usine:{show_path(path)}"
    if cluster not in file.clusters:
        note(path, f"{where}: no such cluster: {show(cluster)}; {did_you_mean(cluster, file.clusters)}")
    elif System.ARGOCD.value in file.systems and file.clusters[cluster].pull is not None:
        note(
            path,
            f"{where}: {cluster} pulls its objects, and the platform's own Argo CD is on a cluster that the platform "
            "reaches",
        )


def _check_places(instances: Mapping[str, ArgoCDInstanceSection], file: SettingsSection, note: Note) -> None:
    """Refuse two instances in one namespace of an API server, and two with one address."""
    places: dict[tuple[str, str], str] = {}
    urls: dict[str, str] = {}
    for name, one in instances.items():
        path: KeyPath = ("argocd", "instances", name)
        where = f"usine:argocd.instances.{name}"
        if one.cluster in file.clusters:
            # Two clusters of the settings may be one API server.
            first = places.setdefault((file.clusters[one.cluster].server, one.namespace), name)
            if first != name:
                note(
                    (*path, "cluster"),
                    f"{where}: {first} is already in namespace {one.namespace} of the same API server; "
                    "each Argo CD has a namespace of its own",
                )
        first = urls.setdefault(one.url, name)
        if first != name:
            note((*path, "url"), f"{where}.url: {first} has this address already")


def _check_zones(instances: Mapping[str, ArgoCDInstanceSection], file: SettingsSection, note: Note) -> None:
    """Require that each zone with a cluster that the platform reaches is in exactly one instance."""
    reached = {cluster.zone: name for name, cluster in file.clusters.items() if cluster.pull is None}
    pulling = {cluster.zone: name for name, cluster in file.clusters.items() if cluster.pull is not None}
    of: dict[str, str] = {}
    for name, one in instances.items():
        where = f"usine:argocd.instances.{name}.zones"
        for index, zone in enumerate(one.zones):
            path: KeyPath = ("argocd", "instances", name, "zones", index)
            if zone not in file.zones:
                note(path, f"{where}: no such zone: {show(zone)}; {did_you_mean(zone, file.zones)}")
            elif zone in pulling and zone not in reached:
                note(path, f"{where}: the clusters of {zone} pull, and have an Argo CD of their own: remove the zone")
            if zone in of:
                twice = "is in this list twice" if of[zone] == name else f"is already in {of[zone]}"
                note(path, f"{where}: {show(zone)} {twice}; exactly one Argo CD deploys to a zone")
            of.setdefault(zone, name)
    for zone, cluster in reached.items():
        if zone in file.zones and zone not in of:
            note(
                ("argocd", "instances"),
                f"usine:argocd.instances: no instance has zone {zone}, where the platform reaches cluster {cluster}; "
                "add the zone to exactly one",
            )


def _check_registrations(file: SettingsSection, instances: Mapping[str, ArgoCDInstanceSection], note: Note) -> None:
    """Refuse two Secrets for one address in one Argo CD, which uses either of them."""
    of = {zone: name for name, one in instances.items() for zone in one.zones}
    registered: dict[tuple[str | None, str], str] = {}
    for name, cluster in file.clusters.items():
        if cluster.argocd_token is None:
            continue
        first = registered.setdefault((of.get(cluster.zone), cluster.server), name)
        if first != name:
            note(
                ("clusters", name, "argocdToken"),
                f"usine:clusters.{name}.argocdToken: Argo CD knows a cluster by its server, and {first} registers this "
                "one already; keep argocdToken in one of the two",
            )
