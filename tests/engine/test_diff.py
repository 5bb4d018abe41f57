"""What `usine diff` says of a change, against what the real engine would do about it on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.harness import Run, Stack
from tests.lab_fixture import TestLab
from usine.diff.compare import PROTECT_PATH, compare
from usine.plan import Plan, make_plan
from usine.report.model import Action, Entry
from usine.spec.catalogue import FOLDER, read_catalogue
from usine.spec.load import load
from usine.spec.settings_load import load_settings

pytestmark = pytest.mark.servers

ALPHA = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    members: {{devops: [{devops}], developer: [emma.leroy]}}
    environments:
      dev: {{stage: dev, cluster: nonprod-1, quota: {{cpu: {cpu}, memory: 4Gi, storage: 10Gi, pods: 20}}, {extra}}}
    repositories:
      api: {{kind: app, protectedBranches: [{branches}]}}
      deploy: {{kind: infra, path: {path}}}
    registry: {{keep: {{tags: {tags}, days: 90}}, immutable: [{immutable}]}}
    """
BETA = """
    owner: bob.durand
    contact: beta@example.gouv.fr
    {state}
    repositories:
      app: {{kind: app}}
    """
GAMMA = """
    owner: jeanne.moulin
    contact: gamma@example.gouv.fr
    {state}
    repositories:
      app: {{kind: app}}
    """
#: The engine's words, by ours. A replacement is told in up to three steps.
WORDS = {Action.CREATED: "create", Action.CHANGED: "update", Action.DESTROYED: "delete", Action.REPLACED: "replace"}


@pytest.fixture(scope="module")
def stack(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(lab, "diff", tmp_path_factory.mktemp("diff"))
    before(stack)
    stack.up().must()
    yield stack
    stack.close()


def before(stack: Stack) -> None:
    stack.tenant("alpha", ALPHA.format(
        devops="chloe.petit, david.roux", cpu=2, extra="autosync: true", branches="main, next", path="charts/alpha",
        tags=10, immutable='"v*"',
    ))  # fmt: skip
    stack.tenant("beta", BETA.format(state=""))


def after(stack: Stack) -> None:
    stack.tenant("alpha", ALPHA.format(
        devops="chloe.petit", cpu=3, extra="egress: [{host: api.example.fr, port: 443}]", branches="main",
        path="charts/other", tags=20, immutable='"v*", "release-*"',
    ))  # fmt: skip
    stack.tenant("beta", BETA.format(state="state: suspended"))
    stack.tenant("gamma", GAMMA.format(state=""))
    stack.configure(credentials=[{"name": "1"}, {"name": "2"}])


def planned(stack: Stack) -> Plan:
    settings = load_settings(stack.settings_file)
    return make_plan(settings, load(stack.projects, settings), read_catalogue(Path(FOLDER), settings))


def said(entries: tuple[Entry, ...]) -> dict[str, str]:
    """Our words in the engine's; what only changes an option of ours is no step of it."""
    return {e.name: WORDS[e.action] for e in entries if {c.path for c in e.properties} != {PROTECT_PATH}}


def done(run: Run) -> dict[str, str]:
    return {step.name: "replace" if "replace" in step.op else step.op for step in run.steps}


def test_the_engine_would_do_what_the_diff_says(stack: Stack) -> None:
    base = planned(stack)
    after(stack)
    entries = compare(base, planned(stack))
    assert {entry.action for entry in entries} >= {Action.CREATED, Action.CHANGED, Action.DESTROYED}
    assert len({entry.system for entry in entries}) >= 6
    assert said(entries) == done(stack.preview().must())


def test_what_is_replaced_and_who_follows_are_said_too(stack: Stack) -> None:
    """A deploy token with another last day is another token: who hands it out changes with it."""
    made = planned(stack)
    stack.up().must()
    stack.tenant("gamma", GAMMA.format(state="state: archived"))
    stack.configure(credentials=[{"name": "1"}, {"name": "2", "until": "2027-06-30"}])
    entries = compare(made, planned(stack))
    assert said(entries) == done(stack.preview().must())
    replaced = {entry.name for entry in entries if entry.action is Action.REPLACED}
    assert "alpha/gitlab/deploy/deploy-token/2" in replaced
    followers = {entry.name for entry in entries if "follows from the replacement" in entry.note} - replaced
    assert followers
