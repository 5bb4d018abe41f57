"""The CI variables of all tenants' pipelines, and those of one tenant's."""

from __future__ import annotations

import json

from model.lifecycle import pipelines_run
from model.naming import PIPELINE_AUTH_PATH, SIGNING_MOUNT, catalogue_path
from model.settings import ScanSettings, Settings, System
from model.tenant import Tenant


def pipeline_variables(settings: Settings) -> dict[str, str]:
    """Return the CI variables of all tenants' pipelines: addresses and paths of the systems, no secrets."""
    variables = {"USINE_CATALOGUE": catalogue_path(settings.gitlab)}
    if settings.on(System.VAULT):
        variables |= {"VAULT_ADDR": settings.endpoints[System.VAULT].url, "VAULT_AUTH_PATH": PIPELINE_AUTH_PATH}
    if settings.on(System.HARBOR):
        variables["REGISTRY_HOST"] = settings.registry_host
        if settings.on(System.VAULT):
            variables["SIGNING_MOUNT"] = SIGNING_MOUNT
    if settings.on(System.SONARQUBE):
        variables["SONAR_HOST_URL"] = settings.endpoints[System.SONARQUBE].url
    shared = {image for cluster in settings.clusters.values() for image in cluster.workloads.images}
    if shared:
        # Beside the tenant's own; the API server decides by the rules of the cluster.
        variables["USINE_SHARED_IMAGES"] = " ".join(sorted(shared))
    return variables | _scan_variables(settings.scans)


def _scan_variables(scans: ScanSettings) -> dict[str, str]:
    """Return what the scanners' jobs need; trivy itself reads the first two."""
    variables = {"USINE_DENIED_LICENSES": " ".join(scans.denied_licenses)} if scans.denied_licenses else {}
    if scans.vulnerability_database is not None:
        variables["TRIVY_DB_REPOSITORY"] = scans.vulnerability_database
    if scans.java_database is not None:
        variables["TRIVY_JAVA_DB_REPOSITORY"] = scans.java_database
    return variables


def tenant_variables(tenant: Tenant) -> dict[str, str]:
    """Return the CI variables of one tenant's pipelines: no secrets."""
    variables = {"USINE_TENANT": tenant.slug, "USINE_FINDINGS": tenant.quality.findings.value, **dast_variables(tenant)}
    if tenant.packages:
        variables["USINE_PACKAGES"] = " ".join(tenant.packages)
        if tenant.package_registry.keep_versions is not None:
            variables["USINE_PACKAGES_KEEP"] = str(tenant.package_registry.keep_versions)
    return variables


def dast_variables(tenant: Tenant) -> dict[str, str]:
    """Return what `usine-ci dast` reads: the tenant's own addresses, and how they are analysed.

    GitLab expands a `$` in the variable of a group, so there is none.
    """
    dast = tenant.quality.dast
    if dast is None or not pipelines_run(tenant):
        return {}
    content = {
        "targets": {e.name: e.url for e in tenant.environments if e.name in dast.environments and e.url},
        "scan": dast.scan.value,
        "openapi": dast.openapi or "",
        "threshold": dast.threshold.value,
        "exclusions": dast.exclusions,
    }
    return {"USINE_DAST": json.dumps(content, separators=(",", ":")).replace("$", "\\u0024")}
