"""The pack in the real engine: it finds the same as the functions, refuses before a creation, and shows no secret.

The resources are only registrations of the right types, without servers and plugins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from policy.model import Hidden, Resource
from policy.registry import violations
from pulumi_facts.tokens import TENANT
from tests.engine.tiny import Tiny, tiny_project
from tests.policy.bad import BAD
from tests.policy.good import GOOD
from tests.policy.shapes import HARD, kubernetes, resource
from usine.engine.events import Events, read_events
from usine.engine.redact import Redactor

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
SECRET = "marker-9b04d7"
#: Registers the resources of `resources.json`, and one object whose creation leaves a trace.
PROGRAM = """\
import json, pathlib, pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Trace(ResourceProvider):
    def create(self, props):
        pathlib.Path(props["file"]).write_text("made")
        return CreateResult("trace", props)

class Traced(Resource, module="sonarqube", name="Project"):
    def __init__(self, name, file, visibility):
        options = pulumi.ResourceOptions(protect=True)
        super().__init__(Trace(), name, {"file": file, "visibility": visibility}, options)

here = pathlib.Path(pulumi.get_root_directory())
visibility = pulumi.Config().get("visibility") or "private"
later = Traced("trace", str(here / "trace"), visibility).id.apply(lambda id: None)

def value(item):
    if isinstance(item, dict):
        if "secret" in item and len(item) == 1 and item["secret"].startswith("marker"):
            return pulumi.Output.secret(item["secret"])
        return later if item == {"unknown": True} else {key: value(inner) for key, inner in item.items()}
    return [value(inner) for inner in item] if isinstance(item, list) else item

class Bare(pulumi.ComponentResource):
    def __init__(self, type_, name, inputs, **options):
        super().__init__(type_, name, inputs, pulumi.ResourceOptions(**options))
        self.register_outputs(inputs)

known = {}
for item in json.loads((here / "resources.json").read_text()):
    *above, own = item["types"]
    parent = None
    for type_ in above:
        key = (type_, item["tenant"])
        parent = known.get(key) or Bare(type_, item["tenant"], {"state": item["state"]}, parent=parent)
        known[key] = parent
    Bare(own, item["name"], value(item["inputs"]), parent=parent, protect=item["protect"])
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    with tiny_project(tmp_path, PROGRAM) as project:
        yield project


def wire(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [wire(item) for item in value]
    if value is Hidden.SECRET:
        return {"secret": SECRET}
    return {"unknown": True} if value is Hidden.UNKNOWN else value


def write(tiny: Tiny, resources: Sequence[Resource], state: str = "active") -> None:
    items = [
        {
            "types": each.lineage,
            "tenant": each.name.split("/")[0],
            "name": each.name,
            "inputs": wire(each.inputs),
            "protect": each.protect,
            "state": state,
        }
        for each in resources
    ]
    (tiny.folder / "resources.json").write_text(json.dumps(items), encoding="utf-8")


def run(tiny: Tiny, command: str, *arguments: str, pack: Path = ROOT / "policy") -> tuple[int, str, Events]:
    """Run the engine with the pack. Returns its exit code, output and events."""
    log = tiny.folder / "events.json"
    log.unlink(missing_ok=True)
    tiny.environment["PULUMI_DEBUG_COMMANDS"] = "true"
    done = tiny.pulumi(command, "--policy-pack", str(pack), "--event-log", str(log), *arguments, timeout=120)
    # The engine's event log also has debug messages of the SDK with complete requests, which are not the pack's.
    of_policies = [line for line in log.read_text(encoding="utf-8").splitlines() if '"policyEvent"' in line]
    assert SECRET not in done.stdout + done.stderr + "".join(of_policies)
    return done.returncode, done.stdout + done.stderr, read_events(log, Redactor())


def found(events: Events) -> set[tuple[str, str]]:
    return {(v.policy, v.address.name if v.address else "") for v in events.violations}


def numbered(resources: Sequence[Resource]) -> list[Resource]:
    """Give each a unique name, below its tenant."""
    return [
        resource(
            each.type,
            each.inputs,
            tenant=each.tenant,
            within=next((t for t in each.lineage[:-1] if t != TENANT), ""),
            name=f"{number}",
            protect=True,
        )
        for number, each in enumerate(resources)
        if not each.type.startswith("pulumi:")  # the engine needs a real one
    ]


def test_the_engine_finds_what_the_functions_find(tiny: Tiny) -> None:
    examples = numbered([each for group in (GOOD, BAD) for resources in group.values() for each in resources])
    write(tiny, examples)
    code, said, events = run(tiny, "preview")
    expected = {(v.policy.id, v.resource.name) for v in violations(examples)}
    assert len(expected) > 150
    assert found(events) == expected
    assert code != 0
    assert "can't run policy" not in said
    assert "To fix: set visibilityLevel to private" in said
    levels = {v.policy: v.mandatory for v in events.violations}
    assert levels["gitlab-private"] is True
    assert levels["generation-token-expires"] is False


def guarded_namespace() -> list[Resource]:
    def of(kind: str, spec: Mapping[str, object]) -> Resource:
        return kubernetes(kind, {"spec": spec}, name=kind)

    return [
        kubernetes(
            "Namespace",
            {"metadata": {"name": "a-b-dev", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
            name="namespace",
            protect=True,
        ),
        of("ResourceQuota", {"hard": HARD}),
        of("LimitRange", {"limits": [{"type": "Container"}]}),
        of("NetworkPolicy", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    ]


def test_a_violation_is_refused_before_any_object_is_created(tiny: Tiny) -> None:
    clean, trace = guarded_namespace(), tiny.folder / "trace"
    write(tiny, clean[:-1])  # a namespace without its network policy: a policy of the whole stack finds it
    code, said, events = run(tiny, "up", "--yes")
    assert code != 0
    assert found(events) == {("namespace-guarded", "a-b/namespace")}
    assert "no default-deny NetworkPolicy for Ingress and Egress" in said
    assert not trace.exists()
    # Without a preview, the run is refused at the resource itself.
    write(tiny, clean)
    tiny.must("config", "set", "visibility", "public")
    code, _, events = run(tiny, "up", "--yes", "--skip-preview")
    assert code != 0
    assert found(events) == {("sonarqube-private", "trace")}
    assert not trace.exists()

    tiny.must("config", "set", "visibility", "private")
    code, said, events = run(tiny, "up", "--yes")
    assert (code, found(events)) == (0, set()), said
    assert trace.exists()
    code, said, events = run(tiny, "preview", "--expect-no-changes")
    assert (code, found(events)) == (0, set()), said


def test_data_of_an_archived_tenant_may_lose_its_protection(tiny: Tiny) -> None:
    mount = resource("vault:index/mount:Mount", {"path": "a-b"})
    write(tiny, [mount])
    code, _, events = run(tiny, "preview")
    assert code != 0
    assert found(events) == {("data-protected", "a-b/thing")}
    write(tiny, [mount], state="archived")
    code, said, events = run(tiny, "preview")
    assert (code, found(events)) == (0, set()), said


def test_a_platform_sets_levels_and_limits(tiny: Tiny) -> None:
    config = tiny.folder / "policies.json"
    robot = BAD["robot-life-finite"][2]
    write(tiny, [robot, resource("harbor:index/project:Project", {"public": True}, name="public", protect=True)])

    def outcome(settings: Mapping[str, object]) -> tuple[bool, set[tuple[str, str]]]:
        config.write_text(json.dumps(settings), encoding="utf-8")
        code, _, events = run(tiny, "preview", "--policy-pack-config", str(config))
        return code == 0, {(v.policy, "mandatory" if v.mandatory else "advisory") for v in events.violations}

    both = {("robot-life-finite", "mandatory"), ("harbor-private", "mandatory")}
    assert outcome({"robot-life-finite": {"maxDays": 30}}) == (False, both)
    assert outcome({"harbor-private": "disabled", "robot-life-finite": {"maxDays": 20_000}}) == (True, set())
    lenient = {("robot-life-finite", "advisory"), ("harbor-private", "advisory")}
    assert outcome({"all": "advisory"}) == (True, lenient)
