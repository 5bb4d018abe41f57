"""The tenants of the pipelines' tests: one with a repository for each preset, and another one."""

from __future__ import annotations

from typing import Final

PRESETS: Final = ("generic", "python", "node", "java", "go")
_APPS = "\n".join(f"      {preset}: {{kind: app, preset: {preset}}}" for preset in PRESETS)
ATELIER: Final = f"""
    owner: alice.martin
    contact: atelier@example.gouv.fr
    members:
      devops: [chloe.petit]
      developer: [emma.leroy]
    environments:
      dev: {{stage: dev, cluster: nonprod-1}}
      prod: {{stage: prod, cluster: prod-1}}
    packages: [maven, npm, pypi, generic]
    repositories:
{_APPS}
      deploy: {{kind: infra, path: charts/atelier}}
    """
VOISIN: Final = """
    owner: bob.durand
    contact: voisin@example.gouv.fr
    members:
      developer: [idris.diallo]
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    packages: [maven, npm, pypi, generic]
    repositories:
      generic: {kind: app, preset: generic}
      deploy: {kind: infra, path: charts/voisin}
    """
TENANTS: Final = {"atelier": ATELIER, "voisin": VOISIN}
#: A maintainer and a developer of each tenant.
MAINTAINER: Final = {"atelier": "chloe.petit", "voisin": "bob.durand"}
DEVELOPER: Final = {"atelier": "emma.leroy", "voisin": "idris.diallo"}
