"""Tenant files of the tests: together they create every kind of object at least once."""

from __future__ import annotations

_CHART = "        chart: {source: registry, name: charts/alpha, version: {default: v1.0.0}}\n"
ALPHA = f"""
    owner: alice.martin
    contact: alpha@example.gouv.fr
    members:
      devops: [chloe.petit]
      developer: [emma.leroy]
    roles: {{audit: {{description: Sees deployments., rights: ["argocd:view-prod"], members: [chloe.petit]}}}}
    environments:
      dev:
        stage: dev
        cluster: nonprod-1
        quota: {{cpu: 2, memory: 4Gi, storage: 10Gi, pods: 20}}
        hosts: [app.alpha.example.fr]
        objectives: {{availability: 99.9, latency: {{within: 1s, percent: 95}}}}
      prod: {{stage: prod, cluster: prod-1, quota: {{cpu: 2, memory: 4Gi, storage: 10Gi, pods: 20}}}}
    secrets:
      deliver:
        db: {{}}
        mail: {{environments: [dev], path: app/smtp, keys: {{SMTP_PASSWORD: password}}}}
    observability:
      alerts:
        - {{to: alpha@example.gouv.fr}}
        - {{webhook: "https://hooks.example.gouv.fr/alpha", credentials: hook}}
      dashboards: {{orders: {{title: Orders, panels: [{{title: Orders, query: "sum(rate(orders_total[5m]))"}}]}}}}
    repositories:  # last, because tests add repositories
      api: {{kind: app}}
      deploy:
        kind: infra
        path: charts/alpha
        valueFiles: [values.yaml]
        parameters: {{replicas: 2}}
{_CHART}    """
#: Alpha on a platform without Harbor: its chart is in its own repository.
ALPHA_WITHOUT_HARBOR = ALPHA.replace(_CHART, "")
BETA = """
    owner: bob.durand
    contact: beta@example.gouv.fr
    members:
      developer: [idris.diallo]
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    observability: {alerts: [{to: beta@example.gouv.fr}]}
    repositories:
      api: {kind: app}
      deploy: {kind: infra, path: charts/beta, eachFolder: true}
    """
#: The smallest tenant with an object in every system but SonarQube.
GAMMA = """
    owner: jeanne.moulin
    contact: gamma@example.gouv.fr
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    repositories:
      deploy: {kind: infra, path: .}
    """


def like(text: str, slug: str, of: str = "alpha") -> str:
    """The tenant file of `of`, for another slug."""
    return text.replace(of, slug)
