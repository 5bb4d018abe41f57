"""The table of the rights of people: each right with its description, and the rights of each role.

Components derive every grant from it, `usine explain` its answers, docs/guide-equipes.md its table, and tests/isolation
what it asks the servers. A tenant's own roles (`roles` of the file) combine these rights.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from model.tenant import Right, Role


class Where(enum.Enum):
    """The environments of a tenant to which a right applies."""

    NONPROD = "nonprod"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a right allows, in English and in French; `includes` are the rights that come with it."""

    english: str
    french: str
    includes: tuple[Right, ...] = ()
    where: Where | None = None


MEANINGS: Final[Mapping[Right, Meaning]] = {
    Right.VAULT_NAMES: Meaning(
        "list secrets and their versions, no value", "lister les secrets et leurs versions, sans valeur"
    ),
    Right.VAULT_SECRETS_NONPROD: Meaning(
        "read and write secrets of environments outside production",
        "lire et écrire les secrets des environnements hors production",
        (Right.VAULT_NAMES,),
        Where.NONPROD,
    ),
    Right.VAULT_SECRETS_PROD: Meaning(
        "read and write secrets of production environments",
        "lire et écrire les secrets des environnements de production",
        (Right.VAULT_NAMES,),
        Where.PROD,
    ),
    Right.VAULT_SECRETS: Meaning(
        "read and write every secret, the pipelines' too",
        "lire et écrire tous les secrets, ceux des pipelines compris",
        (Right.VAULT_SECRETS_NONPROD, Right.VAULT_SECRETS_PROD),
    ),
    Right.VAULT_DESTROY: Meaning(
        "destroy secrets for good", "détruire des secrets pour toujours", (Right.VAULT_SECRETS,)
    ),
    Right.KUBERNETES_VIEW_NONPROD: Meaning(
        "see workloads outside production", "voir ce qui tourne hors production", (), Where.NONPROD
    ),
    Right.KUBERNETES_VIEW_PROD: Meaning(
        "see workloads in production", "voir ce qui tourne en production", (), Where.PROD
    ),
    Right.KUBERNETES_CHANGE_NONPROD: Meaning(
        "change workloads outside production",
        "modifier ce qui tourne hors production",
        (Right.KUBERNETES_VIEW_NONPROD,),
        Where.NONPROD,
    ),
    Right.KUBERNETES_CHANGE_PROD: Meaning(
        "change workloads in production",
        "modifier ce qui tourne en production",
        (Right.KUBERNETES_VIEW_PROD,),
        Where.PROD,
    ),
    Right.ARGOCD_VIEW_NONPROD: Meaning(
        "see deployments outside production", "voir les déploiements hors production", (), Where.NONPROD
    ),
    Right.ARGOCD_VIEW_PROD: Meaning(
        "see deployments in production", "voir les déploiements en production", (), Where.PROD
    ),
    Right.ARGOCD_SYNC_NONPROD: Meaning(
        "synchronise deployments outside production",
        "synchroniser hors production",
        (Right.ARGOCD_VIEW_NONPROD,),
        Where.NONPROD,
    ),
    Right.ARGOCD_SYNC_PROD: Meaning(
        "synchronise deployments in production",
        "synchroniser en production",
        (Right.ARGOCD_VIEW_PROD,),
        Where.PROD,
    ),
    Right.GITLAB_REPORTER: Meaning("read code, issues and pipelines", "lire le code, les tickets et les pipelines"),
    Right.GITLAB_DEVELOPER: Meaning(
        "push to branches that are not protected",
        "pousser sur les branches non protégées",
        (Right.GITLAB_REPORTER,),
    ),
    Right.GITLAB_MAINTAINER: Meaning(
        "push and merge into protected branches",
        "pousser et fusionner sur les branches protégées",
        (Right.GITLAB_DEVELOPER,),
    ),
    Right.HARBOR_PULL: Meaning("pull images", "tirer les images"),
    Right.HARBOR_SCANS: Meaning("see what scans of images found", "voir les analyses des images", (Right.HARBOR_PULL,)),
    Right.SONARQUBE_VIEW: Meaning("see analyses and their sources", "voir les analyses et leurs sources"),
    Right.SONARQUBE_ISSUES: Meaning("handle issues", "traiter les alertes", (Right.SONARQUBE_VIEW,)),
    Right.SONARQUBE_HOTSPOTS: Meaning(
        "review security hotspots", "traiter les points sensibles", (Right.SONARQUBE_VIEW,)
    ),
}


def with_included(rights: Collection[Right]) -> frozenset[Right]:
    """Return rights with all that come with them."""
    found: set[Right] = set()
    left = list(rights)
    while left:
        right = left.pop()
        if right not in found:
            found.add(right)
            left.extend(MEANINGS[right].includes)
    return frozenset(found)


_LOOK = (
    Right.VAULT_NAMES,
    Right.KUBERNETES_VIEW_NONPROD,
    Right.KUBERNETES_VIEW_PROD,
    Right.ARGOCD_VIEW_NONPROD,
    Right.ARGOCD_VIEW_PROD,
    Right.GITLAB_REPORTER,
    Right.HARBOR_PULL,
    Right.SONARQUBE_VIEW,
)
_CHANGE_NONPROD = (Right.KUBERNETES_CHANGE_NONPROD, Right.ARGOCD_SYNC_NONPROD)
_CHANGE_PROD = (Right.KUBERNETES_CHANGE_PROD, Right.ARGOCD_SYNC_PROD)
_DEVELOP = (*_LOOK, *_CHANGE_NONPROD, Right.HARBOR_SCANS, Right.SONARQUBE_ISSUES)
_OPERATE = (*_DEVELOP, *_CHANGE_PROD, Right.VAULT_SECRETS, Right.GITLAB_MAINTAINER)
_ADMINISTER = (*_OPERATE, Right.VAULT_DESTROY, Right.SONARQUBE_HOTSPOTS)

#: The rights of each role of the platform. No role has more than `admin`: only the file changes the tenant itself.
RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    role: with_included(rights)
    for role, rights in {
        Role.OWNER: _ADMINISTER,
        Role.ADMIN: _ADMINISTER,
        Role.DEVOPS: _OPERATE,
        Role.DEVELOPER: (*_DEVELOP, Right.VAULT_SECRETS_NONPROD, Right.GITLAB_DEVELOPER),
        Role.SECURITY: (*_LOOK, Right.HARBOR_SCANS, Right.SONARQUBE_ISSUES, Right.SONARQUBE_HOTSPOTS),
        Role.READONLY: _LOOK,
    }.items()
}
#: Rights by which a person changes what runs in production, or what it reads.
CHANGES_PRODUCTION: Final = frozenset(
    {
        Right.VAULT_SECRETS_PROD,
        Right.KUBERNETES_CHANGE_PROD,
        Right.ARGOCD_SYNC_PROD,
        # What production follows is a protected branch or tag.
        Right.GITLAB_MAINTAINER,
    }
)
