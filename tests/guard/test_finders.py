"""The next run recovers an interrupted creation of every resource type of the plan.

A type has a finder, a remover, or a create that can be repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping

from model.settings import Edition, Endpoint, HarborSettings, ProxyCache, RunnerSettings, System
from tests.guard.repeatable import REPEATABLE, REPEATABLE_PACKAGES, is_repeatable
from tests.plans import plan_of, plan_of_samples
from usine.commands.common import DEFAULT_SETTINGS, read_platform
from usine.engine.lookup import Finder

FOUND = Finder({system: Endpoint("https://example.fr") for system in System}, {}).types


def types_of_plans() -> Mapping[str, str]:
    """The types of all objects of the sample tenants, also with every optional part; each with its system."""
    platform = read_platform(argparse.Namespace(settings=DEFAULT_SETTINGS, projects=None))
    premium = dataclasses.replace(platform.settings.gitlab, edition=Edition.PREMIUM, runners=RunnerSettings())
    proxy = ProxyCache("docker", "docker.io", "https://hub.docker.com", public=False, quota=2**30)
    settings = dataclasses.replace(platform.settings, gitlab=premium, harbor=HarborSettings(proxies=(proxy,)))
    plans = plan_of_samples(), plan_of(*platform.tenants, settings=settings, catalogue=platform.catalogue)
    return {r.type: r.system for plan in plans for r in plan.resources if not (r.is_component or r.is_provider)}


def unrecoverable(types: Mapping[str, str]) -> str:
    """Return for each type what is missing."""
    return "\n".join(
        f"{type_}: the next run cannot recover an interrupted creation. If create fails for an object that exists, or "
        f"makes a second one: add a finder to usine/engine/lookup/{system}.py. If create can be repeated: add a line "
        "with the reason to tests/guard/repeatable.py."
        for type_, system in sorted(types.items())
        if type_ not in FOUND and not is_repeatable(type_)
    )


def test_the_next_run_recovers_an_interrupted_creation_of_each_type() -> None:
    assert unrecoverable(types_of_plans()) == ""


def test_a_type_without_a_finder_is_reported_with_the_file_to_edit() -> None:
    message = unrecoverable({"gitlab:index/deployKey:DeployKey": "gitlab", "vault:index/policy:Policy": "vault"})
    assert message.startswith("gitlab:index/deployKey:DeployKey: ")
    assert "usine/engine/lookup/gitlab.py" in message
    assert "vault" not in message


def test_each_type_with_a_finder_or_a_reason_is_in_the_plan_once() -> None:
    types = types_of_plans().keys()
    assert not [type_ for type_ in FOUND if is_repeatable(type_)]
    assert types >= REPEATABLE.keys(), "tests/guard/repeatable.py has a type that the program does not create"
    assert types >= FOUND, "usine/engine/lookup finds a type that the program does not create"
    assert all(any(type_.startswith(package) for type_ in types) for package in REPEATABLE_PACKAGES)
