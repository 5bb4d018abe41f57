"""Offline plans, each made once in a process, whatever asks for it. Where making one is what is tested: `make_plan`."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping, Sequence

from model.settings import Settings
from model.tenant import Tenant
from tests import factories
from usine.commands.common import DEFAULT_SETTINGS, read_platform
from usine.plan import Plan, make_plan

_made: dict[str, Plan] = {}


def plan_of(*tenants: Tenant, settings: Settings | None = None, catalogue: Mapping[str, str] | None = None) -> Plan:
    """Return the plan of these tenants, by what goes into it. Plans do not change: tests can share them."""
    key = repr((settings or factories.settings(), tenants, catalogue))
    if key not in _made:
        _made[key] = make_plan(settings or factories.settings(), tenants, catalogue)
    return _made[key]


def plan_of_slugs(slugs: Sequence[str], settings: Settings | None = None) -> Plan:
    """Return the plan of tenants that differ in their slugs only."""
    return plan_of(*(factories.tenant(slug) for slug in slugs), settings=settings)


@functools.cache
def plan_of_samples() -> Plan:
    """Return the plan of the sample tenants on the local platform."""
    platform = read_platform(argparse.Namespace(settings=DEFAULT_SETTINGS, projects=None))
    return make_plan(platform.settings, platform.tenants, platform.catalogue)
