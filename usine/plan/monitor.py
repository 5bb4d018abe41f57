"""The engine's place in an offline plan: records what the program registers and answers what a server would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime import mocks, rpc

from usine.plan.model import SECRET, UNKNOWN, Options, Plan, PlannedResource

_STACK = "pulumi:pulumi:Stack"
_SIGNATURE = rpc._special_sig_key
_SECRET_SIGNATURE = rpc._special_secret_sig


class _Answers(mocks.Mocks):
    """What the servers would add to what was asked: ids, accessors, generated secrets. Never a real value."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        state = dict(args.inputs)
        match args.typ:
            case "vault:jwt/authBackend:AuthBackend":
                state["accessor"] = f"[accessor of {args.name}]"
            case "keycloak:openid/client:Client":
                state["clientSecret"] = SECRET
            case (
                "gitlab:index/projectDeployToken:ProjectDeployToken"
                | "gitlab:index/projectAccessToken:ProjectAccessToken"
            ):
                state |= {"token": SECRET, "username": f"[user name of {args.name}]"}
            case "harbor:index/robotAccount:RobotAccount":
                state |= {"secret": SECRET, "fullName": f"[full name of {args.name}]"}
            case "gitlab:index/pipelineSchedule:PipelineSchedule":
                state["pipelineScheduleId"] = f"[number of {args.name}]"
            case "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken":
                state["token"] = SECRET
            case "keycloak:index/group:Group":
                state["path"] = f"[path of {args.name}]"
        return f"[id of {args.name}]", state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        match args.token:
            case "vault:index/getAuthBackend:getAuthBackend":
                return {**args.args, "accessor": f"[accessor of {args.args['path']}]"}, []
            case "gitlab:index/getGroup:getGroup":
                return {**args.args, "id": f"[id of {args.args['fullPath']}]"}, []
            case "gitlab:index/getGroupMembership:getGroupMembership":
                return {**args.args, "members": []}, []
            case "gitlab:index/getGroupVariable:getGroupVariable":
                return {**args.args, "value": f"[value of {args.args['key']}]"}, []
            case "gitlab:index/getUser:getUser":
                return {**args.args, "id": f"[id of {args.args['username']}]"}, []
            case "keycloak:index/getUser:getUser":
                return {**args.args, "id": f"[id of {args.args['username']}]"}, []
            case "gitlab:index/getUsers:getUsers":
                return {**args.args, "users": [{"id": f"[id of {args.args['externUid']}]"}]}, []
        raise LookupError(f"the offline plan has no answer for the function {args.token}")


@dataclass(frozen=True, slots=True)
class _Node:
    """A registered resource as it names itself; `parent` is the URN of the monitor."""

    parent: str
    type: str
    name: str

    @property
    def label(self) -> str:
        return f"{self.type}::{self.name}"


class RecordingMonitor(mocks.MockMonitor):
    """A mock monitor that keeps every registration. `planned` gives them as plain values."""

    def __init__(self) -> None:
        """Start with nothing registered."""
        super().__init__(_Answers())
        self._nodes: dict[str, _Node] = {}
        self._requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802, ANN401 - the gRPC service's own shape
        """Record one registration and answer it."""
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        urn = response.urn
        if urn in self._nodes:
            raise ValueError(f"two resources are called {request.name!r} ({request.type})")
        self._nodes[urn] = _Node(request.parent, request.type, request.name)
        if request.type != _STACK:
            self._requests[urn] = request
        return response

    def planned(self) -> Plan:
        """Return what was registered."""
        return Plan.of(self._planned(urn, request) for urn, request in self._requests.items())

    def _planned(self, urn: str, request: Any) -> PlannedResource:  # noqa: ANN401 - the gRPC service's own shape
        lineage = self._lineage(urn)
        node = lineage[0]
        tenant = next((n.name for n in lineage if n.type == "usine:usine:TenantProject"), None)
        system = next((n.type.split(":")[1] for n in lineage if n.type.startswith("usine:")), None)
        if system is None:
            system = node.type.split(":")[2] if node.type.startswith("pulumi:providers:") else node.type.split(":")[0]
        wire = {k: v for k, v in json_format.MessageToDict(request.object).items() if k != PROVIDER_KEY}
        inputs = {key: _plain(value) for key, value in wire.items()}
        return PlannedResource(
            type=node.type,
            name=node.name,
            parent=lineage[1].label if len(lineage) > 1 else None,
            tenant=tenant,
            system=system,
            inputs=inputs,
            protect=bool(request.protect),
            qualified_type=_chain(lineage),
            sources=self._sources(request, inputs),
            fingerprints={key: _fingerprint(value) for key, value in wire.items() if _secret(inputs[key])},
            options=Options(
                provider=self._provider(request.provider),
                ignore_changes=tuple(request.ignoreChanges),
                replace_on_changes=tuple(request.replaceOnChanges),
                delete_before_replace=bool(request.deleteBeforeReplace),
                retain_on_delete=bool(request.retainOnDelete),
                deleted_with=self._label(request.deletedWith),
                replacement_trigger=request.replacement_trigger.string_value or None,
                aliases=tuple(sorted(self._aliases(urn) - {f"{_chain(lineage)}::{node.name}"})),
            ),
        )

    def _lineage(self, urn: str) -> list[_Node]:
        """Return a resource and those it hangs below, up to the stack."""
        lineage = [self._nodes[urn]]
        while (parent := self._nodes.get(lineage[-1].parent)) is not None and parent.type != _STACK:
            lineage.append(parent)
        return lineage

    def _label(self, urn: str) -> str | None:
        node = self._nodes.get(urn)
        return node.label if node is not None and node.type != _STACK else None

    def _provider(self, reference: str) -> str | None:
        """Return the logical name of an explicit provider; a reference is its URN, ``::`` and its id."""
        node = self._nodes.get(reference.rpartition("::")[0])
        return node.name if node is not None else None

    def _sources(self, request: Any, inputs: Mapping[str, object]) -> dict[str, tuple[str, ...]]:  # noqa: ANN401
        """Return where the inputs come from that a plan cannot know, or not show."""
        sources = {}
        for name, value in inputs.items():
            urns = request.propertyDependencies[name].urns if name in request.propertyDependencies else ()
            labels = {label for urn in urns if (label := self._label(urn)) is not None}
            if labels and _hidden(value):
                sources[name] = tuple(sorted(labels))
        return sources

    def _aliases(self, urn: str) -> set[str]:
        """Return the former identities of a resource: its own aliases, and those that its parents' make."""
        node, request = self._nodes[urn], self._requests.get(urn)
        if request is None:
            return set()
        found = {"::".join(old.split("::")[2:]) for old in request.aliasURNs}
        if node.parent in self._requests:
            above = self._lineage(node.parent)
            for former in self._aliases(node.parent) - {f"{_chain(above)}::{above[0].name}"}:
                chain, _, name = former.partition("::")
                # A child that is named after its parent was named after the former one.
                own = name + node.name[len(above[0].name) :] if node.name.startswith(above[0].name) else node.name
                found.add(f"{chain}${node.type}::{own}")
        for alias in request.aliases:
            if alias.urn:
                found.add("::".join(alias.urn.split("::")[2:]))
                continue
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or node.parent
            above = self._lineage(parent) if parent in self._requests else []
            chain = f"{_chain(above)}${spec.type or node.type}" if above else spec.type or node.type
            found.add(f"{chain}::{spec.name or node.name}")
        return found


def _chain(lineage: Iterable[_Node]) -> str:
    """Return the types of a lineage as a URN has them: the topmost first."""
    return "$".join(reversed([node.type for node in lineage]))


def _secret(value: object) -> bool:
    """Say whether a masked value holds a secret."""
    return any(text == SECRET for text in _texts(value))


def _hidden(value: object) -> bool:
    """Say whether a masked value holds a secret, or what only the server knows."""
    return any(text == SECRET or UNKNOWN.search(text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _fingerprint(value: object) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=2).hexdigest()


def _plain(value: object) -> object:
    """Turn a wire value into JSON values: secrets masked, integers as integers."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET_SIGNATURE:
            return SECRET
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
