"""The published JSON Schema and the loader accept the same files, and the sample tenants use every key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from model.reading.hold import OF_THE_FLEET
from model.reading.json_schema import json_schema
from model.reading.load import load
from model.reading.section import Words
from model.reading.yaml_reader import read
from model.reading.yaml_scalars import FRACTION, Ambiguous
from tests.spec.helpers import BODY, HEAD, ROOT, SETTINGS, load_texts
from tests.spec.wrong_fields import RIGHT, WRONG

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(json_schema(Words.of(SETTINGS)))
SAMPLES = sorted((ROOT / "projects.d").glob("*.yaml"))

#: Rules that no JSON Schema can express: across keys or files, details of Git and cron, days that do not exist.
BEYOND_A_SCHEMA = (
    *("a role of the platform", "an environment has that name"),
    *("the file's name", "reserved by", "one line of text", "the value is empty", "in this list twice"),
    *(
        "no such day",
        "holds no tenants",
        "pins no tenants",
        "add up to",
        "the name of a role",
        "the key of `revision`",
        "does not offer stage",
    ),
    *("the key stage is missing", "inside the platform", "the port", "port", "(..)", "GitLab reserves that path"),
    *("for repositories of kind infra", "not a legal name", "the short name", "out of range", "never run"),
    *("day of the week", "ends before it starts", "a step goes from", "no ..", "relative to the repository"),
    *(
        "the only placeholder",
        "no such environment",
        "no such repository",
        "not an address",
        "is this a typing error?",
        "ten years",
    ),
    *("leave out preset", "packages lists no format", "twice", "measured at the ingress", "either to"),
    *("put a secret into Vault", "leave out eachFolder"),
    *("does not allow webhooks", "credentials are for a webhook"),
    *("the host", "is missing", "such as 2027-06-30", "such as api.example.fr", "a year between"),
)


def as_others_read(value: object) -> object:
    """Return the value that a YAML 1.2 reader, such as an editor, gives to its JSON Schema validator."""
    if isinstance(value, Ambiguous):
        return float(value.text) if value.meaning == FRACTION else value.text
    if isinstance(value, dict):
        return {key: as_others_read(child) for key, child in value.items()}
    if isinstance(value, list):
        return [as_others_read(child) for child in value]
    return value


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(as_others_read(read(text.encode())))]


def test_it_is_a_schema_of_its_draft() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


def test_every_key_is_described() -> None:
    for path, node in keys(SCHEMA):
        described = node.get("description") or resolve(node).get("description")
        assert described or path[-1] in {"*"}, path


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_are_right_for_both(path: Any) -> None:
    assert errors(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("old", "new", "column", "messages"), WRONG)
def test_what_the_loader_refuses_the_schema_refuses(old: str, new: str, column: int, messages: tuple[str, ...]) -> None:
    refused = errors(RIGHT.replace(old, new, 1))
    if any(number in new for number in ("0.0001", "1e3")):
        return  # as numbers, these are as good as any other
    if not any(part in message for part in BEYOND_A_SCHEMA for message in messages):
        assert refused, (column, messages)


EXAMPLES = [
    HEAD + BODY,
    HEAD + "environments: {dev: {quota: {cpu: 0.5, memory: 0, storage: 1Gi, gpu: 0}}}\n",
    HEAD + "environments: {dev: {quota: {cpu: '0.250', memory: 300Mi}, egress: [{host: a-b.c.fr, port: 1}]}}\n",
    HEAD + "repositories: {r0: {mirror: {url: 'https://a.fr:8443/x.git', schedule: '0,30 8-18/2 * jan-mar mon'}}}\n",
    HEAD + BODY + "labels: {a: '', B_c.d-e: x}\nreviewAfter: '2027-06-30'\ndescription: |\n  two\n  lines\n",
    HEAD
    + "repositories: {r0: {kind: infra, eachFolder: true, parameters: {a.b-c: 1, 'd[0].e': 'x-<env>', f: true}}}\n",
    HEAD
    + "repositories: {r0: {kind: infra, chart: {source: registry, name: a/b.c, version: {default: 1.0.0-rc.1}}}}\n",
    HEAD + "repositories: {r0: {kind: infra, parameters: {db.existingSecret: db, db.secretName: db, a: ''}}}\n",
    HEAD + BODY + "registry: {immutable: ['v*', '{a,b}?'], blockSeverity: none, keep: {}}\n",
    HEAD + BODY + "envelope: {prod: {cpu: 100}}\n",
    HEAD + BODY + "packages: []\nmembers: {admin: [a.b-c_d, 0x]}\nstate: archived\narchetype: large\n",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_the_loader_accepts_the_schema_accepts(text: str) -> None:
    assert load_texts({"tenant.yaml": text})
    assert errors(text) == []


@pytest.mark.parametrize("key", ["slug", "name", "owner", "contact", "apiVersion", "kind"])
def test_both_require_the_same_keys(key: str) -> None:
    lines = [line for line in (HEAD + BODY).splitlines() if not line.startswith(f"{key}:")]
    assert errors("\n".join(lines))


def test_both_want_an_environment_or_a_repository() -> None:
    assert errors(HEAD)
    assert errors(HEAD + "environments: {}\n")


def test_words_of_the_platform_are_in_the_schema_only_where_asked_for() -> None:
    text = (HEAD + BODY).replace("dev: {}", "dev: {cluster: elsewhere}")
    assert any("elsewhere" in message for message in errors(text))
    assert not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(as_others_read(read(text.encode()))))


def resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def keys(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield every key of a schema by path; names that the file chooses are ``*``, list items ``[]``."""
    node = resolve(node)
    for key, child in node.get("properties", {}).items():
        yield (*path, key), child
        yield from keys(child, (*path, key))
    for child in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(child, dict):
            yield from keys(child, (*path, "*"))
    if "items" in node:
        yield from keys(node["items"], (*path, "[]"))


def used(value: object, known: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, child in value.items():
            below = (*path, key) if (*path, key) in known else (*path, "*")
            yield below
            yield from used(child, known, below)
    elif isinstance(value, list):
        for child in value:
            yield from used(child, known, (*path, "[]"))


def test_the_samples_use_every_key() -> None:
    known = {path for path, _ in keys(SCHEMA)}
    assert ("environments", "*", "egress", "[]", "host") in known
    assert ("repositories", "*", "mirror", "credentials") in known
    seen = {path for sample in SAMPLES for path in used(read(sample.read_bytes()), known)}
    # The samples run as one stack, and only a platform with a stack per tenant holds and pins tenants.
    assert {path[0] for path in known - seen} == OF_THE_FLEET


def test_the_samples_are_varied() -> None:
    tenants = load(ROOT / "projects.d", SETTINGS)
    assert len(tenants) >= 6
    assert {p.state.value for p in tenants} == {"active", "suspended", "archived"}
    assert {p.archetype for p in tenants} == {"small", "standard", "large"}
    assert any(not p.environments for p in tenants)
    assert any(p.repositories and all(r.deployment for r in p.repositories) for p in tenants)
    assert {e.stage for p in tenants for e in p.environments} == set(SETTINGS.stages)
