"""The CI variables of all tenants' pipelines."""

from __future__ import annotations

from model.naming import PIPELINE_AUTH_PATH, catalogue_path
from model.settings import Settings, System


def pipeline_variables(settings: Settings) -> dict[str, str]:
    """Return the CI variables of all tenants' pipelines: addresses and paths of the systems, no secrets."""
    variables = {"USINE_CATALOGUE": catalogue_path(settings.gitlab)}
    if settings.on(System.VAULT):
        variables |= {"VAULT_ADDR": settings.endpoints[System.VAULT].url, "VAULT_AUTH_PATH": PIPELINE_AUTH_PATH}
    if settings.on(System.HARBOR):
        variables["REGISTRY_HOST"] = settings.registry_host
    if settings.on(System.SONARQUBE):
        variables["SONAR_HOST_URL"] = settings.endpoints[System.SONARQUBE].url
    shared = {image for cluster in settings.clusters.values() for image in cluster.workloads.images}
    if shared:
        # Beside the tenant's own; the API server decides by the rules of the cluster.
        variables["USINE_SHARED_IMAGES"] = " ".join(sorted(shared))
    return variables
