"""What the platform says about dynamic analysis: the variable USINE_DAST, which is written from the tenant file.

A job names an environment, never an address: the only addresses are those of the variable.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from usine_ci.findings.model import THRESHOLDS
from usine_ci.problems import Problem, RefusedError, did_you_mean

VARIABLE: Final = "USINE_DAST"
#: baseline sends no attack; full attacks what a spider finds; api attacks the operations of an OpenAPI document.
SCANS: Final = ("baseline", "full", "api")
_KEYS: Final = ("targets", "scan", "openapi", "threshold", "exclusions")


@dataclass(frozen=True, slots=True)
class Target:
    """An environment and its address."""

    environment: str
    url: str

    @property
    def host(self) -> str:
        """The host, with its port if the address names one."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Dast:
    """`openapi` is a path on each target; `exclusions` are patterns of paths that no request goes to."""

    targets: tuple[Target, ...]
    scan: str
    openapi: str
    threshold: str
    exclusions: tuple[str, ...]

    def chosen(self, environments: str) -> tuple[Target, ...]:
        """Return the targets with these names (with spaces between them), or all. Raises RefusedError."""
        names = environments.split()
        known = [target.environment for target in self.targets]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise RefusedError(
                Problem("DAST_ENVIRONMENTS", 0, 0, f"{name} is not analysed; {did_you_mean(name, known)}")
                for name in unknown
            )
        return tuple(target for target in self.targets if not names or target.environment in names)


def origin(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def read(text: str) -> Dast:
    """Return the settings in the variable. Raises RefusedError with everything that is wrong with it."""
    if not text:
        raise RefusedError(
            f"{VARIABLE} is not set: the tenant file has no quality.dast, or this is no pipeline of a tenant"
        )
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise RefusedError(f"{VARIABLE} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise RefusedError(f"{VARIABLE} is no JSON object")
    values = cast("Mapping[str, object]", found)
    wrong = [f"no such key: {key}; {did_you_mean(key, _KEYS)}" for key in values if key not in _KEYS]
    targets = _targets(values.get("targets"), wrong)
    scan = _one_of(values, "scan", SCANS, wrong)
    threshold = _one_of(values, "threshold", THRESHOLDS, wrong)
    openapi = values.get("openapi", "")
    if not isinstance(openapi, str) or bool(openapi) != (scan == "api") or (openapi and not openapi.startswith("/")):
        wrong.append("openapi: a path such as /openapi.json, with scan api and only with it")
    exclusions = values.get("exclusions", [])
    if not isinstance(exclusions, list) or not all(_pattern(each) for each in exclusions):
        wrong.append("exclusions: a list of paths that begin with /; * stands for anything")
    if wrong:
        raise RefusedError(Problem(VARIABLE, 0, 0, each) for each in wrong)
    return Dast(targets, scan, str(openapi), threshold, tuple(cast("list[str]", exclusions)))


def _targets(found: object, wrong: list[str]) -> tuple[Target, ...]:
    if not isinstance(found, dict) or not found:
        wrong.append("targets: addresses by environment")
        return ()
    targets = tuple(Target(str(name), str(url)) for name, url in cast("Mapping[object, object]", found).items())
    for target in targets:
        parts = urlsplit(target.url)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            wrong.append(f"targets: {target.environment}: no http or https address")
    return targets


def _one_of(values: Mapping[str, object], key: str, allowed: tuple[str, ...], wrong: list[str]) -> str:
    given = values.get(key)
    if given not in allowed:
        wrong.append(f"{key}: {did_you_mean(str(given), allowed)}")
        return allowed[0]
    return str(given)


def _pattern(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"/[A-Za-z0-9._~/*%=&-]*", text) is not None


def add_environments(parser: argparse.ArgumentParser) -> None:
    """Declare the option that chooses environments; `Dast.chosen` reads its value."""
    parser.add_argument(
        "--environments",
        default=os.environ.get("DAST_ENVIRONMENTS", ""),
        help="with spaces; default: the variable DAST_ENVIRONMENTS, or all of the tenant file's quality.dast",
    )
