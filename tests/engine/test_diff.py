"""`usine diff` reports what the real engine would do on real servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.load import load
from model.reading.settings_load import load_settings
from tests.engine.fleet import Fleet
from tests.engine.harness import Run, Stack
from tests.engine.tenants import BETA, GAMMA
from usine.diff.compare import PROTECT_PATH, compare
from usine.plan import Plan, make_plan
from usine.report.model import Action, Entry

pytestmark = pytest.mark.servers

#: The edited tenant alpha: members, a quota, an exposed service, a branch and rules of the registry change.
ALPHA = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    members:
      devops: [david.roux]
      developer: [emma.leroy]
    environments:
      dev:
        stage: dev
        cluster: nonprod-1
        quota: {cpu: 3, memory: 4Gi, storage: 10Gi, pods: 20}
        egress: [{host: api.example.fr, port: 443}]
      prod: {stage: prod, cluster: prod-1, quota: {cpu: 2, memory: 4Gi, storage: 10Gi, pods: 20}}
    repositories:
      api: {kind: app, protectedBranches: [main, next]}
      deploy: {kind: infra, path: charts/other}
    registry: {keep: {tags: 20, days: 90}, immutable: ["release-*"]}
    """
#: Our actions for the engine's operations. The engine reports a replacement in up to three steps.
WORDS = {Action.CREATED: "create", Action.CHANGED: "update", Action.DESTROYED: "delete", Action.REPLACED: "replace"}


def planned(stack: Stack) -> Plan:
    settings = load_settings(stack.settings_file)
    return make_plan(settings, load(stack.projects, settings), read_catalogue(Path(FOLDER), settings))


def said(entries: tuple[Entry, ...]) -> dict[str, str]:
    """Return our entries as the engine's steps; a change of only a resource option has none."""
    return {e.name: WORDS[e.action] for e in entries if {c.path for c in e.properties} != {PROTECT_PATH}}


def done(run: Run) -> dict[str, str]:
    return {step.name: "replace" if "replace" in step.op else step.op for step in run.steps}


def test_the_engine_would_do_what_the_diff_reports(fleet: Fleet) -> None:
    stack, base = fleet.stack, planned(fleet.stack)
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA + "state: suspended\n")
    stack.tenant("gamma", GAMMA)
    # A deploy token with another expiry date is a new token, so the objects that contain it change too.
    stack.configure(credentials=[{"name": "1", "until": "2027-06-30"}])
    entries = compare(base, planned(stack))
    assert {entry.action for entry in entries} >= {Action.CREATED, Action.CHANGED, Action.DESTROYED}
    assert len({entry.system for entry in entries}) >= 6
    replaced = {entry.name for entry in entries if entry.action is Action.REPLACED}
    assert "alpha/gitlab/deploy/deploy-token/1" in replaced
    assert {entry.name for entry in entries if "follows from the replacement" in entry.note} - replaced
    assert said(entries) == done(stack.preview().must())

    fleet.restore()
    stack.tenant("beta", BETA + "state: archived\n")
    stack.configure(credentials=[{"name": "1"}, {"name": "2"}], **second_argocd(stack.settings()))
    run = stack.preview().must()
    assert said(compare(base, planned(stack))) == done(run)
    # Two Argo CDs never have the same application: alpha's production moves to the second one.
    for part in ("project", "deploy"):
        ops = [step.op for step in run.steps if step.name == f"alpha/argocd/prod/{part}"]
        assert (ops[0], ops[-1]) == ("delete-replaced", "create-replacement"), ops
    fleet.restore()


def second_argocd(settings: Mapping[str, Any]) -> dict[str, object]:
    """The settings with an Argo CD of its own for the cluster prod-1, in another namespace of the same API server."""
    clusters, endpoints = dict(settings["usine:clusters"]), dict(settings["usine:endpoints"])
    clusters["prod-1"] = {**clusters["prod-1"], "zone": "far"}
    one, two = ({"url": f"https://argocd-{zone}.example.fr", "zones": [zone]} for zone in ("lab", "far"))
    one["url"] = endpoints.pop("argocd")["url"]
    instances = {
        "argocd": {**one, "cluster": "nonprod-1"},
        "two": {**two, "cluster": "prod-1", "namespace": "argocd-two"},
    }
    return {"zones": ["lab", "far"], "clusters": clusters, "endpoints": endpoints, "argocd": {"instances": instances}}
