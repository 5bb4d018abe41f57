"""Typical changes of tenant files; docs/examples shows their reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.diff.scratch import Scratch

_NEW = """\
apiVersion: usine/v1
kind: Project
slug: guichet
name: Guichet unique
archetype: small
owner: jeanne.moulin
contact: guichet@example.gouv.fr
members: {devops: [chloe.petit]}
environments:
  dev: {stage: dev, cluster: nonprod-1, quota: {cpu: 1, memory: 2Gi, storage: 10Gi, pods: 20}}
repositories:
  app: {preset: python}
  deploy: {kind: infra, path: charts/guichet}
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`change` edits a clean scratch repository; `author` is the author of the merge request."""

    name: str
    title: str
    author: str
    change: Callable[[Scratch], None]


def add_tenant(scratch: Scratch) -> None:
    scratch.tenant("guichet").write_text(_NEW, encoding="utf-8")


def change_quota(scratch: Scratch) -> None:
    scratch.edit("projects.d/teleservice.yaml", ("cpu: 4, memory: 8Gi", "cpu: 6, memory: 12Gi"))


def remove_member(scratch: Scratch) -> None:
    scratch.edit("projects.d/teleservice.yaml", ("devops: [chloe.petit, david.roux]", "devops: [chloe.petit]"))


def delete_tenant(scratch: Scratch) -> None:
    scratch.tenant("petitions").unlink()


def rename_tenant(scratch: Scratch) -> None:
    scratch.edit("projects.d/petitions.yaml", ("slug: petitions", "slug: petition-en-ligne"))
    scratch.tenant("petitions").rename(scratch.tenant("petition-en-ligne"))


def change_component(scratch: Scratch) -> None:
    scratch.edit(
        "components/harbor.py", ('_RETENTION_SCHEDULE = "0 30 2 * * *"', '_RETENTION_SCHEDULE = "0 0 1 * * *"')
    )


SCENARIOS = (
    Scenario("add-tenant", "A team adds its file", "jeanne.moulin", add_tenant),
    Scenario("change-quota", "A team asks for more in an environment", "alice.martin", change_quota),
    Scenario("remove-member", "Somebody leaves a team", "alice.martin", remove_member),
    Scenario("delete-tenant", "A file is removed while its tenant is active", "helene.faure", delete_tenant),
    Scenario("rename-tenant", "A team renames its file", "helene.faure", rename_tenant),
    Scenario("change-component", "The platform's team changes a component", "agnes.platel", change_component),
)
