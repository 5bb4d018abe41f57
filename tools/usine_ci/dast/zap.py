"""ZAP: the plan of its automation framework for a target, its command, and its report."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import yaml

from usine_ci.dast.report import Alert
from usine_ci.dast.settings import Dast, Target, origin
from usine_ci.findings.model import Severity
from usine_ci.problems import RefusedError

PROGRAM: Final = "zap.sh"
REPORT: Final = "zap.json"
_CONTEXT: Final = "target"
#: ZAP's `riskcode`. 0 is information: no finding.
_RISKS: Final = {"1": Severity.LOW, "2": Severity.MEDIUM, "3": Severity.HIGH}
#: The exit codes of a plan: 2 is done with warnings.
DONE: Final = (0, 2)


def plan(dast: Dast, target: Target, folder: Path) -> str:
    """Return the plan as YAML. It has no credential: ZAP takes the header from its environment (`environment`)."""
    inside = f"{re.escape(target.url.rstrip('/'))}(?:/.*)?"
    jobs: list[dict[str, object]] = []
    if dast.scan == "api":
        api = origin(target.url) + dast.openapi
        jobs.append(_job("openapi", apiUrl=api, targetUrl=target.url, context=_CONTEXT))
    else:
        jobs.append(_job("spider", context=_CONTEXT, url=target.url, maxDuration=5))
    jobs.append(_job("passiveScan-wait", maxDuration=10))
    if dast.scan != "baseline":
        jobs.append(_job("activeScan", context=_CONTEXT, maxScanDurationInMins=60))
        jobs.append(_job("passiveScan-wait", maxDuration=10))
    jobs.append(_job("report", template="traditional-json", reportDir=str(folder), reportFile=REPORT))
    content = {
        "env": {
            "contexts": [
                {
                    "name": _CONTEXT,
                    "urls": [target.url],
                    "includePaths": [inside],
                    "excludePaths": [_expression(target, path) for path in dast.exclusions],
                }
            ],
            "parameters": {"failOnError": True, "failOnWarning": False, "progressToStdout": True},
        },
        "jobs": jobs,
    }
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def _expression(target: Target, path: str) -> str:
    """Return a pattern of paths as a regular expression of addresses."""
    return re.escape(origin(target.url)) + ".*".join(map(re.escape, path.split("*")))


def _job(kind: str, **parameters: object) -> dict[str, object]:
    return {"type": kind, "parameters": parameters}


def command(plan_file: Path, home: Path) -> list[str]:
    """Return the command that runs a plan."""
    return [PROGRAM, "-cmd", "-dir", str(home), "-autorun", str(plan_file)]


def environment(target: Target, authorization: str) -> Mapping[str, str]:
    """Return the environment of ZAP. It sends the header to this host only."""
    if not authorization:
        return dict(os.environ)
    return {
        **os.environ,
        "ZAP_AUTH_HEADER": "Authorization",
        "ZAP_AUTH_HEADER_VALUE": authorization,
        "ZAP_AUTH_HEADER_SITE": target.host.partition(":")[0],
    }


def read(file: Path, target: Target) -> tuple[Alert, ...]:
    """Return the alerts about a target in a report of the template `traditional-json`. Raises RefusedError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return tuple(_alerts(found, target))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"ZAP's report of {target.environment} cannot be read: {error}") from None


def _alerts(found: Mapping[str, object], target: Target) -> Iterator[Alert]:
    for site in cast("list[Mapping[str, object]]", found["site"]):
        for alert in cast("list[Mapping[str, object]]", site["alerts"]):
            severity = _RISKS.get(str(alert["riskcode"]))
            if severity is None:
                continue
            for place in cast("list[Mapping[str, object]]", alert["instances"]):
                url = str(place["uri"])
                if origin(url) == origin(target.url):
                    yield Alert(
                        rule=str(alert["pluginid"]),
                        severity=severity,
                        name=str(alert["name"]),
                        url=url,
                        method=str(place.get("method", "GET")),
                        parameter=str(place.get("param", "")),
                        cwe=int(str(alert.get("cweid") or 0)),
                        fix=str(alert.get("solution", "")),
                    )
