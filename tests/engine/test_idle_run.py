"""A run with nothing to do, on the real engine, and a run that writes what no preview shows to the state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.engine.tiny import PROJECT, Tiny, tiny_project
from tests.guard.samples import program_files
from usine.engine.cli import Engine
from usine.engine.guarded import Guardrails, Outcome, Status, guarded_up
from usine.engine.lock import unlocked

pytestmark = pytest.mark.servers

PROGRAM = """\
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Files(ResourceProvider):
    def create(self, props):
        return CreateResult("id", {**props, "made": "again"})

class File(Resource):
    made: pulumi.Output[str]
    def __init__(self, name, opts):
        super().__init__(Files(), name, {"value": "one", "hidden": pulumi.Output.secret("two"), "made": None}, opts)

class Folder(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("tiny:tiny:Folder", name)
        options = pulumi.ResourceOptions(parent=self OPTIONS)
        self.register_outputs({"made": File("file", options).made})

Folder("folder")
pulumi.export("word", "first")
pulumi.export("secret", pulumi.Output.secret("three"))
"""


def program(tiny: Tiny, options: str = "") -> None:
    path = tiny.folder / "stacks" / "tiny" / "__main__.py"
    path.write_text(PROGRAM.replace(" OPTIONS", options), encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    with tiny_project(tmp_path, "") as project:
        # Below `stacks`, which is in the digest of the program.
        (project.folder / "app").rename(project.folder / "stacks")
        (project.folder / "Pulumi.yaml").write_text(PROJECT.replace("app/", "stacks/"), encoding="utf-8")
        (project.folder / "projects.d").mkdir()
        program_files(project.folder)
        program(project)
        yield project


def up(tiny: Tiny) -> tuple[Outcome, int]:
    """Run, and return how often the engine ran: once for the preview, once more if it applied."""
    engine = Engine(tiny.folder, "test", tiny.environment)
    outcome = guarded_up(engine, unlocked(engine), Guardrails(factories.settings(), tiny.folder / "out" / "log"))
    assert outcome.status is Status.APPLIED, outcome
    return outcome, len(re.findall(r"^(?:Previewing update|Updating) \(test\)", outcome.log.read_text("utf-8"), re.M))


def file(tiny: Tiny) -> dict[str, Any]:
    resources = json.loads(tiny.must("stack", "export"))["deployment"]["resources"]
    (found,) = (resource for resource in resources if resource["urn"].endswith("::file"))
    return dict(found)


def test_the_engine_runs_once_when_there_is_nothing_to_do_and_writes_what_no_preview_shows(tiny: Tiny) -> None:
    assert up(tiny)[1] == 2
    outcome, runs = up(tiny)
    assert (runs, outcome.events.steps, outcome.events.idle) == (1, (), True)

    program(tiny, options=", custom_timeouts=pulumi.CustomTimeouts(create='5m')")
    outcome, runs = up(tiny)
    assert (runs, outcome.events.steps, outcome.events.idle) == (2, (), True), "no event shows it"
    assert file(tiny)["customTimeouts"]["create"] == 300
