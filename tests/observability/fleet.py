"""Two tenants with everything that has rules, and the objects that the program creates for them."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from model.settings import Credential
from model.tenant import Alert, LatencyObjective, Objectives, Observability, Tenant
from tests import factories
from tests.plans import plan_of
from usine.plan import PlannedResource

OBJECTIVES = Objectives(99.9, LatencyObjective("500ms", 95.0))
MAIL, PAGER = Alert("info", to="equipe@example.gouv.fr"), Alert("critical", to="astreinte@example.gouv.fr")
OPEN_HOOK = Alert("warning", webhook="https://hooks.example.test/a")
HOOK = Alert("critical", webhook="https://hooks.example.test/b", credentials="hook")
UNTIL = datetime.date(2027, 3, 31)


def tenant(slug: str = "alpha", alerts: tuple[Alert, ...] = (MAIL, PAGER, OPEN_HOOK, HOOK), **changes: Any) -> Tenant:
    environments = tuple(factories.environment(name, objectives=OBJECTIVES) for name in ("dev", "prod"))
    return factories.tenant(
        slug, **{"environments": environments, "observability": Observability(30, alerts), **changes}
    )


def objects(*tenants: Tenant, until: datetime.date = UNTIL, **changes: Any) -> list[PlannedResource]:
    """Return the monitoring objects that the program creates."""
    settings = dataclasses.replace(factories.settings(credentials=(Credential("2", until),)), **changes)
    plan = plan_of(*tenants, settings=settings)
    return [r for r in plan.resources if r.system == "observability" and not r.is_component]


def namespace_of(one: PlannedResource) -> str:
    metadata: Any = one.inputs["metadata"]
    return str(metadata["namespace"])


def spec(objects: list[PlannedResource], name: str) -> Any:
    """Return the specification of the object with this logical name."""
    (found,) = (r for r in objects if r.name == name)
    return found.inputs["spec"]


def rules(objects: list[PlannedResource]) -> list[tuple[PlannedResource, dict[str, Any]]]:
    """Return every rule with its object."""
    return [
        (one, rule)
        for one in objects
        if one.type.endswith(":PrometheusRule")
        for group in spec([one], one.name)["groups"]
        for rule in group["rules"]
    ]
