"""A tenant's Git repositories, and what Argo CD deploys from them: frozen dataclasses of checked values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class RepositoryKind(enum.StrEnum):
    """``app`` holds sources; ``infra`` holds what Argo CD deploys."""

    APP = "app"
    INFRA = "infra"


class Promotion(enum.StrEnum):
    """How the digest of an image gets into an infra repository.

    ``direct``: the pipeline writes it into the branch that the environment follows. ``merge-request``: the pipeline
    opens a merge request, and people merge it.
    """

    DIRECT = "direct"
    MERGE_REQUEST = "merge-request"


@dataclass(frozen=True, slots=True)
class Mirror:
    """An external repository to mirror. `credentials` is a path among the tenant's secrets, never a value.

    `pipelines`: the source's own CI file runs, on refs that are not protected.
    """

    url: str
    schedule: str
    credentials: str | None = None
    pipelines: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """What Argo CD follows: `default`, unless `environments` names another revision for an environment."""

    default: str
    environments: Mapping[str, str] = field(default_factory=dict)

    def of(self, environment: str) -> str:
        """Return the revision of one environment."""
        return self.environments.get(environment, self.default)


#: The source of charts that is the tenant's own project in Harbor. Any other is a name in the settings.
OWN_REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart outside the tenant's Git repositories.

    `source` is `OWN_REGISTRY` or a repository of the settings, `name` the chart's path there. A version is exact: a
    semantic version, or the digest of a chart in a registry.
    """

    source: str
    name: str
    version: Revision


#: A value of a Helm parameter. A text stays a text for Helm, also if it looks like a number.
Parameter = str | int | bool


@dataclass(frozen=True, slots=True)
class Deployment:
    """What an ``infra`` repository deploys: a chart path, Helm value files (``<env>`` stands for the environment).

    With `chart`, the repository has only the value files of that chart, below `path`. With `each_folder`, every folder
    directly below `path` is an application of its own; such a repository has no `chart`, and nothing is promoted into
    it. No name of `parameters` begins with ``images``, where the promoted digests are.
    """

    path: str
    value_files: tuple[str, ...]
    revision: Revision
    chart: Chart | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    each_folder: bool = False


@dataclass(frozen=True, slots=True)
class Deploys:
    """Where the pipeline of an application writes the digest of its image.

    `repository` is an infra repository of the same tenant that is no mirror. A production environment is never
    promoted ``direct``.
    """

    repository: str
    environments: Mapping[str, Promotion]


@dataclass(frozen=True, slots=True)
class Repository:
    """One Git repository. `deployment` is set exactly for kind ``infra``; `deploys` is for kind ``app``.

    `preset` is what the first CI file includes; that of a mirror is its source's.

    `protected_branches` are patterns. The default branch is always one of them: GitLab protects it when it creates the
    repository, and without an object in the program nobody would notice that the protection is removed.
    """

    name: str
    kind: RepositoryKind
    preset: str
    default_branch: str
    protected_branches: tuple[str, ...]
    mirror: Mirror | None = None
    deployment: Deployment | None = None
    deploys: Deploys | None = None
