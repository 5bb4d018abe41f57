"""Promotion: how the digests of an application's images get into the infra repository that deploys it.

Each application has a value file of its own per environment, ``images/<environment>/<application>.yaml`` beside the
chart. So a promotion writes one whole file: nothing is parsed, and two applications never change the same lines.

- ``direct``: the environment follows the branch ``deploy/<environment>``, which is the default branch and the files of
  the applications that are promoted directly.
- ``merge-request``: the branch ``promote/<application>/<environment>`` has the new file, and a merge request into the
  default branch.

Neither branch is protected. Vault gives the credentials of publishing pipelines to every protected branch, and a
developer may push to these.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.repository import Promotion
from model.tenant import Tenant

#: The first parts of the branches that promotions write.
DEPLOY_BRANCHES = "deploy"
PROMOTION_BRANCHES = "promote"
#: The folder of the value files with digests, beside the chart.
IMAGES_FOLDER = "images"


def deploy_branch(environment: str) -> str:
    """Return the branch that an environment follows if an application is promoted directly to it."""
    return f"{DEPLOY_BRANCHES}/{environment}"


def promotion_branch(application: str, environment: str) -> str:
    """Return the source branch of the merge request that promotes an application to an environment."""
    return f"{PROMOTION_BRANCHES}/{application}/{environment}"


def image_file(application: str, environment: str) -> str:
    """Return the value file with the digest of an application's image, relative to the chart."""
    return f"{IMAGES_FOLDER}/{environment}/{application}.yaml"


def promotions_into(tenant: Tenant, infra: str) -> Mapping[str, Mapping[str, Promotion]]:
    """Return the applications that are promoted into an infra repository, by environment; in the file's order."""
    found: dict[str, dict[str, Promotion]] = {}
    for environment in tenant.environments:
        for repository in tenant.repositories:
            deploys = repository.deploys
            if deploys is not None and deploys.repository == infra and environment.name in deploys.environments:
                found.setdefault(environment.name, {})[repository.name] = deploys.environments[environment.name]
    return found


def followed(tenant: Tenant, infra: str, environment: str) -> str | None:
    """Return the branch that promotions write for an environment; None if it follows the revision of the file."""
    ways = promotions_into(tenant, infra).get(environment, {}).values()
    return deploy_branch(environment) if Promotion.DIRECT in ways else None


def described(tenant: Tenant, infra: str) -> str:
    """Return all promotions into an infra repository for its jobs: ``<application>/<environment>=<way>``, spaces."""
    into = promotions_into(tenant, infra)
    return " ".join(f"{app}/{environment}={way}" for environment, apps in into.items() for app, way in apps.items())
