"""Test files for `promtool test rules`, and the configuration that the operator generates for Alertmanager."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab import parts
from usine.plan import PlannedResource


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `promtool` or `amtool`."""
    program = parts.ensure(["prometheus-tools"])["prometheus-tools"] / name
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)


def must(name: str, *arguments: str | Path) -> str:
    done = run(name, *arguments)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def write(folder: Path, name: str, content: object) -> Path:
    """Write a file as JSON, which is YAML."""
    path = folder / name
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def expected(rule: dict[str, Any], **labels: str) -> dict[str, Any]:
    """Return the alert of a rule, with the labels that its expression gives, as a test file has it."""

    def text(template: str) -> str:
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: {**labels, **rule["labels"]}[found[1]], template)

    annotations = {name: text(template) for name, template in rule["annotations"].items()}
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": annotations}


def alertmanager_configuration(objects: Iterable[PlannedResource], base: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the operator makes of AlertmanagerConfigs with the strategy OnNamespace.

    As prometheus-operator v0.85 does it (pkg/alertmanager/amcfg.go, `AddAlertmanagerConfigs`): the routes of all
    objects in the order of their names, each with a matcher of its namespace and `continue: true`, then `base`, the
    platform's.
    """
    routes: list[dict[str, Any]] = []
    receivers: list[dict[str, Any]] = [{"name": "root"}, {"name": "platform"}]
    found: dict[tuple[str, str], Any] = {}
    for one in objects:
        if one.type.endswith(":AlertmanagerConfig"):
            metadata, spec = one.inputs["metadata"], one.inputs["spec"]
            assert isinstance(metadata, dict)
            found[metadata["namespace"], metadata["name"]] = spec
    for (namespace, name), spec in sorted(found.items()):
        prefix = f"{namespace}/{name}/"
        route = _route(spec["route"], prefix)
        route["matchers"] = [m for m in route["matchers"] if not m.startswith("namespace")]
        route["matchers"].append(f'namespace="{namespace}"')
        routes.append({**route, "continue": True})
        receivers += [{"name": prefix + receiver["name"]} for receiver in spec["receivers"]]
    return {"route": {"receiver": "root", "routes": [*routes, *base]}, "receivers": receivers}


def _route(route: dict[str, Any], prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "receiver": prefix + route["receiver"],
        "matchers": [f'{m["name"]}{m["matchType"]}"{m["value"]}"' for m in route.get("matchers", [])],
        "routes": [_route(child, prefix) for child in route.get("routes", [])],
    }
    if "groupBy" in route:
        made |= {"group_by": route["groupBy"], "group_wait": route["groupWait"]}
        made |= {"group_interval": route["groupInterval"], "repeat_interval": route["repeatInterval"]}
    if route.get("continue"):
        made["continue"] = True
    return made
