"""A first tenant file, with comments that teach the format."""

from __future__ import annotations

from dataclasses import dataclass

from model.reading.fields import LONGEST_DESCRIPTION
from model.settings import Settings
from model.texts import enumerate_words


@dataclass(frozen=True, slots=True)
class Start:
    """The values of a new file. The caller has checked `slug`, `owner` and `archetype`."""

    slug: str
    owner: str
    archetype: str


def new_file(start: Start, settings: Settings) -> str:
    """Return the text of a tenant file that the loader accepts under these settings."""
    stage = next((s.name for s in settings.stages.values() if not s.production), next(iter(settings.stages)))
    cluster = next((c.name for c in settings.clusters.values() if stage in c.stages), None)
    preset = settings.archetypes[start.archetype].preset
    domain = settings.keycloak.email_domain or "example.org"
    # A stage without a cluster cannot have an environment.
    environments = (
        f"""environments:                   # name: 2 to 11 lower-case letters and digits
  {stage}:
    stage: {stage:<21}# {enumerate_words(settings.stages)}
    cluster: {cluster:<19}# {enumerate_words(c.name for c in settings.clusters.values() if c.stages)}
    # quota: {{cpu: 2, memory: 4Gi, storage: 20Gi, pods: 40}}
    # url: https://{stage}.{start.slug}.{domain}
    # egress: [{{host: api.example.org, port: 443}}]
"""
        if cluster is not None
        else ""
    )
    return f"""\
# One tenant. `usine schema` explains every key; check your changes with `usine check`.
apiVersion: usine/v1
kind: Project

slug: {_quoted(start.slug):<26}# the identifier in every tool, and the name of this file; it never changes
name: {_quoted(start.slug):<26}# the name that people see
# description: The purpose, in {LONGEST_DESCRIPTION} characters at most.
archetype: {start.archetype:<21}# where defaults come from: {enumerate_words(settings.archetypes)}
# state: active                 # active, suspended, or archived (before you remove the file)
owner: {_quoted(start.owner):<25}# one person; every right of the tenant
contact: {start.slug}@{domain}
# reviewAfter: 2027-06-30
# labels: {{direction: dnum}}

# members:                      # role -> people; a person may have several roles
#   admin: []
#   devops: []
#   developer: []
#   security: []
#   readonly: []
# roles:                        # roles of your own: rights that `usine explain` lists
#   audit: {{rights: ["kubernetes:view-prod"], members: []}}

{environments}
repositories:                   # name: 2 to 20 lower-case letters, digits and single dashes
  app:
    kind: app                   # app holds sources, infra what Argo CD deploys
    preset: {preset:<20}# {enumerate_words(settings.presets)}
  # deploy:
  #   kind: infra
  #   path: charts/{start.slug}
  #   valueFiles: [values.yaml, "values-<env>.yaml"]
  #   revision: {{default: main}}
"""


def _quoted(text: str) -> str:
    """Quote text that some programs do not read as text: a person called ``no`` or ``0123``."""
    risky = text.isdigit() or text[:1].isdigit() or text.lower() in {"y", "n", "no", "yes", "on", "off", "null", "true"}
    return f'"{text}"' if risky or text.lower() == "false" else text
