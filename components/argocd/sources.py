"""What Argo CD deploys from an infra repository, as the values of its custom resources. This module creates no object.

A repository has a chart or manifests; or the value files of a chart that is elsewhere; or a folder per application, for
which an ApplicationSet has the template of an Application. The template's only variables are the name and the path of a
folder: nothing that a team writes can change the project, the destination or the repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.base import UserPassword
from model.naming import OCI
from model.promotion import followed, image_file, promotions_into
from model.repository import Deployment, Repository
from model.tenant import Environment, Tenant

#: The name by which value files refer to the tenant's Git repository beside a chart from elsewhere.
_VALUES = "values"
#: It changes nothing. Argo CD's controller writes it into each generator without one whenever it updates the set, as
#: after a refresh; stated, it is no drift.
_NO_TEMPLATE: Mapping[str, object] = {"metadata": {}, "spec": {"destination": {}, "project": ""}}
#: What the generator of an ApplicationSet knows about a folder. The name has lower-case letters, digits, dashes and
#: dots only (`SanitizeName` of Argo CD).
FOLDER_NAME = "{{ .path.basenameNormalized }}"
FOLDER_PATH = "{{ .path.path }}"


@dataclass(frozen=True, slots=True)
class DeployedChart:
    """The chart of an infra repository that is not in it.

    `url` is the address of the chart in a registry (``oci://``), or of its Helm repository. `puller` is the credential
    of the tenant's own registry; None for a repository of the platform.
    """

    url: str
    puller: UserPassword | None


@dataclass(frozen=True, slots=True)
class DeployedRepository:
    """An infra repository of a tenant.

    `url` is its address for `git clone`, `readers` the credentials by the name of the Argo CD that each is for (none:
    it needs none, or gets none). `chart` is set exactly if the repository's deployment has one.
    """

    url: str
    readers: Mapping[str, UserPassword]
    chart: DeployedChart | None = None


def deployment_of(repository: Repository) -> Deployment:
    """Return what an infra repository deploys."""
    if repository.deployment is None:
        raise ValueError(f"{repository.name} is an infra repository without a deployment")
    return repository.deployment


def sources(
    tenant: Tenant, environment: Environment, repository: Repository, deployed: DeployedRepository
) -> Mapping[str, object]:
    """Return the key ``source`` or ``sources`` of the spec of an Application, or of an ApplicationSet's template."""
    deployment = deployment_of(repository)
    git: dict[str, object] = {
        "repoURL": deployed.url,
        "targetRevision": followed(tenant, repository.name, environment.name)
        or deployment.revision.of(environment.name),
    }
    if deployment.chart is None or deployed.chart is None:
        path = FOLDER_PATH if deployment.each_folder else deployment.path
        helm = _helm(tenant, environment, repository, "")
        return {"source": git | {"path": path} | ({"helm": helm} if helm else {})}
    # Argo CD takes the value files from the repository, and deploys nothing else from there: this source has no path.
    folder = "" if deployment.path == "." else f"{deployment.path}/"
    chart: dict[str, object] = {
        "repoURL": deployed.chart.url,
        "targetRevision": deployment.chart.version.of(environment.name),
        **({"path": "."} if deployed.chart.url.startswith(OCI) else {"chart": deployment.chart.name}),
        "helm": _helm(tenant, environment, repository, f"${_VALUES}/{folder}") or {"releaseName": repository.name},
    }
    if not _value_files(tenant, environment, repository):
        return {"source": chart}
    return {"sources": [chart, git | {"ref": _VALUES}]}


def source_urls(spec: Mapping[str, object]) -> Iterator[str]:
    """Yield the address of every source of a spec."""
    listed = spec["sources"] if "sources" in spec else [spec["source"]]
    if not isinstance(listed, list):
        raise TypeError("sources are a list")
    for source in listed:
        yield source["repoURL"]


def registry_of(chart: DeployedChart, project: str) -> Mapping[str, str]:
    """Return the data of Argo CD's Secret for a chart in a registry, without the credential.

    Argo CD gives the credential to no other project, because the Secret names one.
    """
    return {"type": "oci", "url": chart.url, "project": project}


def folders(deployment: Deployment, url: str, revision: object) -> Mapping[str, object]:
    """Return the generator of an ApplicationSet that finds the folders directly below the deployment's path.

    Argo CD skips hidden folders, and takes the paths from the files of the revision.
    """
    pattern = "*" if deployment.path == "." else f"{deployment.path}/*"
    directories = [{"path": pattern}]
    return {"git": {"repoURL": url, "revision": revision, "directories": directories, "template": _NO_TEMPLATE}}


def _value_files(tenant: Tenant, environment: Environment, repository: Repository) -> list[str]:
    own = [name.replace("<env>", environment.name) for name in deployment_of(repository).value_files]
    promoted = promotions_into(tenant, repository.name).get(environment.name, {})
    # The last file wins: no value file of the team replaces a promoted digest.
    return [*own, *(image_file(application, environment.name) for application in promoted)]


def _helm(tenant: Tenant, environment: Environment, repository: Repository, prefix: str) -> dict[str, object]:
    """Return the Helm options of a source, empty if it has none; `prefix` is put before the value files.

    With any of them, Argo CD takes the source for a Helm chart.
    """
    deployment = deployment_of(repository)
    helm: dict[str, object] = {}
    if files := _value_files(tenant, environment, repository):
        helm["valueFiles"] = [f"{prefix}{name}" for name in files]
    if promotions_into(tenant, repository.name).get(environment.name):
        # Before its first promotion, an application has no file. The preset `infra` refuses missing files of the team
        # in the pipeline.
        helm["ignoreMissingValueFiles"] = True
    if deployment.parameters:
        helm["parameters"] = [
            _parameter(name, value.replace("<env>", environment.name) if isinstance(value, str) else value)
            for name, value in deployment.parameters.items()
        ]
    release = FOLDER_NAME if deployment.each_folder else repository.name
    return {"releaseName": release, **helm} if helm else {}


def _parameter(name: str, value: str | int | bool) -> Mapping[str, object]:
    if isinstance(value, str):
        return {"name": name, "value": value, "forceString": True}
    return {"name": name, "value": str(value).lower()}
