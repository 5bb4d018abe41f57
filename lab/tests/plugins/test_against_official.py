"""Compares stand-ins with official plugins: the same program, server and steps must give the same states and plans.

It is collected only if `USINE_OFFICIAL_PLUGINS` is a folder with official `pulumi-resource-*`. The official `pulumi`
must be on the PATH. Select providers with `-k`.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pulumi import automation

from lab.plugins.needed import UNSUPPORTED
from lab.plugins.schema import trimmed
from lab.tests.plugins import programs, programs_forge_harbor, servers
from lab.tests.standins.harbor.conftest import live_harbor

ROOT = Path(__file__).resolve().parents[3]
OFFICIAL = Path(os.environ["USINE_OFFICIAL_PLUGINS"])
PROVIDERS = ("vault", "keycloak", "kubernetes")
SECRET = "4dabf18193072939515e22adb298388d"
UNSTABLE = {
    "__fieldManager", "accessor", "clientSecret", "created_time", "uid",
    "resourceVersion", "creationTimestamp", "time",
    "lastTransitionTime", "lastUpdateTime", "internalId", "serviceAccountUserId", "creationTime", "updateTime",
    "projectId", "registryId", "robotId",
}  # fmt: skip
IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBERS = re.compile(r"(/(?:projects|members|policies|registries|retentions|robots|labels|immutabletagrules))/\d+")
GENERATED = re.compile(r"[0-9A-Za-z]{32}")
SUFFIXES = re.compile(r"(pulumi-kubernetes|auth_jwt|[a-z]+)[-_][0-9a-f]{7,8}\b")


@pytest.fixture(scope="session")
def pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
    ).sign(key, hashes.SHA256())
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(pem, spki).decode().strip(), made.public_bytes(pem).decode()


@pytest.fixture
def program(request: pytest.FixtureRequest, provider: str) -> Callable[[int], None]:
    if provider == "vault":
        key, certificate = request.getfixturevalue("pair")
        address = request.getfixturevalue("vault_address")
        return functools.partial(programs.vault_program, address, servers.TOKEN, key, certificate)
    platform: Mapping[str, str] = request.getfixturevalue("platform")
    if provider == "keycloak":
        return functools.partial(programs.keycloak_program, servers.keycloak_settings(platform))
    return functools.partial(programs.kubernetes_program, platform["KUBECONFIG"])


class StackRuns:
    """One stack with one set of plugins."""

    def __init__(self, folder: Path, plugins: Path, program: Callable[[int], None]) -> None:
        self._program = program
        state = folder / "state"
        state.mkdir(parents=True)
        environment = {
            "PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_HOME": str(folder / "home"),
            "PATH": f"{plugins}{os.pathsep}{os.environ['PATH']}", "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }  # fmt: skip
        options = automation.LocalWorkspaceOptions(env_vars=environment, pulumi_home=str(folder / "home"))
        self.stack = automation.create_or_select_stack("dev", "compared", program=lambda: program(0), opts=options)

    def at(self, step: int) -> None:
        self.stack.workspace.program = lambda: self._program(step)

    def state(self) -> dict[str, Any]:
        exported = self.stack.export_stack().deployment
        assert exported is not None
        found = {r["urn"].split("::", 2)[2]: r for r in exported.get("resources", []) if r.get("custom")}
        # The engine's own data and the provider's id are not compared.
        parts = ("id", "inputs", "outputs", "protect", "initErrors")
        return {
            urn: {part: stable(supported(r["type"], r.get(part))) for part in parts}
            for urn, r in found.items()
            if not urn.startswith("pulumi:")
        }

    def plan(self, *, refresh: bool = False) -> dict[str, Any]:
        steps: dict[str, Any] = {}

        def note(event: automation.EngineEvent) -> None:
            pre = event.resource_pre_event
            if pre is not None and str(pre.metadata.op) != "OpType.SAME":
                detailed = pre.metadata.detailed_diff or {}
                paths = {path: str(change.diff_kind) for path, change in detailed.items()}
                steps.setdefault(pre.metadata.urn.split("::", 2)[2], []).append((str(pre.metadata.op), stable(paths)))

        self.stack.preview(on_event=note, refresh=refresh)
        return steps


def supported(type_: str, value: Any) -> Any:
    """Return a resource's properties and lists of defaults, without those that the stand-in does not support."""
    provider = type_.partition(":")[0]
    if provider not in UNSUPPORTED:
        return value
    document = trimmed(provider)
    inner = {name for spec in document["types"].values() for name in spec.get("unsupported", ())}

    def without(item: Any, refused: set[str]) -> Any:
        if isinstance(item, list):
            return [without(one, refused) for one in item if not (isinstance(one, str) and one in refused)]
        if isinstance(item, dict):
            names = {k: refused if k == "__defaults" else inner for k in item if k not in refused}
            return {k: without(item[k], left) for k, left in names.items()}
        return item

    return without(value, inner | set(document["resources"][type_].get("unsupported", ())))


def stable(value: Any) -> Any:
    """Replace values that differ between runs by their kind."""
    if isinstance(value, dict):
        if SECRET in value:
            text = value.get("plaintext")
            return ("secret", hidden(json.loads(text)) if text else None)
        if "managedFields" in value:
            value = {
                **value,
                "managedFields": sorted(json.dumps(stable(v), sort_keys=True) for v in value["managedFields"]),
            }
        # Programs do not see the bridge's internal data, whose versions differ in empty lists.
        books = ("__meta", "__pulumi_raw_state_delta")
        kept = {k: v for k, v in value.items() if k not in books and not (k == "__defaults" and not v)}
        return {k: "*" if k in UNSTABLE and v else stable(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [stable(item) for item in value]
    if isinstance(value, str):
        return NUMBERS.sub(r"\1/#", SUFFIXES.sub(r"\1-*", IDS.sub("<id>", value)))
    return value


def hidden(value: Any) -> Any:
    """Replace a generated secret by its kind."""
    return "<generated>" if isinstance(value, str) and GENERATED.fullmatch(value) else stable(value)


def different(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Return the differences of two states, one line each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for key in sorted(ours.keys() | theirs.keys())
            for line in different(ours.get(key, "<absent>"), theirs.get(key, "<absent>"), f"{path}/{key}")
        ]
    return [] if ours == theirs else [f"{path}: ours {ours!r}, official {theirs!r}"]


def wrappers(folder: Path) -> Path:
    folder.mkdir()
    for name in (*PROVIDERS, *FORGE):
        script = folder / f"pulumi-resource-{name}"
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m lab.plugins.{name} "$@"\n')
        script.chmod(0o755)
    return folder


def life(runs: StackRuns) -> dict[str, Any]:
    """Create, refresh, change, refresh and destroy; return all states and plans."""
    seen: dict[str, Any] = {}
    runs.at(0)
    seen["plan to create"] = {urn: [step[0] for step in steps] for urn, steps in runs.plan().items()}
    seen["outputs"] = {name: output.value for name, output in runs.stack.up().outputs.items()}
    seen["created"] = runs.state()
    seen["plan after creation"] = runs.plan()
    runs.stack.refresh()
    seen["refreshed"] = runs.state()
    seen["plan after refresh"] = runs.plan(refresh=True)
    runs.at(1)
    seen["plan to change"] = runs.plan()
    runs.stack.up()
    seen["changed"] = runs.state()
    seen["plan after change"] = runs.plan(refresh=True)
    text = json.dumps(runs.stack.export_stack().deployment)
    seen["marker in clear"] = programs.MARKER in re.sub(r'"plaintext": "(?:[^"\\]|\\.)*"', "", text)
    runs.stack.destroy()
    seen["left"] = runs.state()
    return seen


@contextmanager
def harbor(folder: Path) -> Iterator[Callable[[int], None]]:
    """Return the program of one run, on a separate server, so that objects have the same numbers."""
    with live_harbor(folder) as live:
        settings = {"url": live.url, "username": "admin", "password": live.password}
        yield functools.partial(programs_forge_harbor.harbor_program, settings)


FORGE = {"harbor": harbor}
#: A known difference in the state without effect on plans or the server: in the stand-in, an effect that the program
#: does not set is null, not empty.
KNOWN = {"harbor": re.compile(r".*RobotAccount::push/outputs/permissions: ")}


@pytest.mark.parametrize("provider", FORGE)
def test_harbor_states_and_plans_are_the_same(provider: str, tmp_path: Path) -> None:
    assert (OFFICIAL / f"pulumi-resource-{provider}").is_file()
    seen = []
    for name, plugins in (("ours", wrappers(tmp_path / "plugins")), ("theirs", OFFICIAL)):
        with FORGE[provider](tmp_path / f"{name}-server") as program:
            seen.append(life(StackRuns(tmp_path / name, plugins, program)))
    ours, theirs = seen
    assert ours["left"] == {}
    lines = [line for line in different(ours, theirs) if not KNOWN[provider].match(line)]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_states_and_plans_are_the_same(provider: str, program: Callable[[int], None], tmp_path: Path) -> None:
    assert (OFFICIAL / f"pulumi-resource-{provider}").is_file()
    ours = life(StackRuns(tmp_path / "ours", wrappers(tmp_path / "plugins"), program))
    theirs = life(StackRuns(tmp_path / "theirs", OFFICIAL, program))
    assert ours["plan after creation"].keys() <= theirs["plan after creation"].keys()
    assert ours["left"] == {}
    lines = different(ours, theirs)
    assert not lines, "\n".join(lines)
