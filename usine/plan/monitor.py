"""Stands in for the engine in an offline plan: records what the program registers and answers for the servers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime import mocks

from pulumi_facts import tokens, urns
from pulumi_facts.values import SECRET, plain
from usine.plan.model import UNKNOWN, Options, Plan, PlannedResource


class _Answers(mocks.Mocks):
    """Placeholders for the outputs that a server adds: ids, accessors, generated secrets."""

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
            case "harbor:index/registry:Registry":
                state["registryId"] = f"[number of {args.name}]"
            case "gitlab:index/userRunner:UserRunner":
                state["token"] = SECRET
            case "gitlab:index/pipelineSchedule:PipelineSchedule":
                state["pipelineScheduleId"] = f"[number of {args.name}]"
            case "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken":
                state["token"] = SECRET
            case "vault:transit/secretBackendKey:SecretBackendKey":
                state["keys"] = [{"creation_time": "", "public_key": f"[public key of {args.name}]"}]
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
    """A registered resource by its own names; `parent` is the parent's URN in the monitor."""

    parent: str
    type: str
    name: str

    @property
    def label(self) -> str:
        return urns.identity([self.type], self.name)


class RecordingMonitor(mocks.MockMonitor):
    """A mock monitor that keeps every registration. `planned` returns them as plain values."""

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
            raise ValueError(f"two resources have the name {request.name!r} ({request.type})")
        self._nodes[urn] = _Node(request.parent, request.type, request.name)
        if request.type != tokens.STACK:
            self._requests[urn] = request
        return response

    def planned(self) -> Plan:
        """Return the registered resources."""
        return Plan.of(self._planned(urn, request) for urn, request in self._requests.items())

    def _planned(self, urn: str, request: Any) -> PlannedResource:  # noqa: ANN401 - the gRPC service's own shape
        lineage = self._lineage(urn)
        node = lineage[0]
        tenant = next((n.name for n in lineage if n.type == tokens.TENANT), None)
        wire = {k: v for k, v in json_format.MessageToDict(request.object).items() if k != PROVIDER_KEY}
        inputs = {key: plain(value) for key, value in wire.items()}
        return PlannedResource(
            type=node.type,
            name=node.name,
            parent=lineage[1].label if len(lineage) > 1 else None,
            tenant=tenant,
            system=tokens.system_of(_types(lineage)),
            inputs=inputs,
            protect=bool(request.protect),
            qualified_type=urns.chain(_types(lineage)),
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
                aliases=tuple(sorted(self._aliases(urn) - {_identity(lineage)})),
            ),
        )

    def _lineage(self, urn: str) -> list[_Node]:
        """Return a resource and its parents, up to the stack."""
        lineage = [self._nodes[urn]]
        while (parent := self._nodes.get(lineage[-1].parent)) is not None and parent.type != tokens.STACK:
            lineage.append(parent)
        return lineage

    def _label(self, urn: str) -> str | None:
        node = self._nodes.get(urn)
        return node.label if node is not None and node.type != tokens.STACK else None

    def _provider(self, reference: str) -> str | None:
        """Return the logical name of an explicit provider."""
        node = self._nodes.get(urns.provider_urn(reference))
        return node.name if node is not None else None

    def _sources(self, request: Any, inputs: Mapping[str, object]) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - a message of the engine
        """Return the sources of the inputs with secrets or values from the server."""
        sources = {}
        for name, value in inputs.items():
            used = request.propertyDependencies[name].urns if name in request.propertyDependencies else ()
            labels = {label for urn in used if (label := self._label(urn)) is not None}
            if labels and _hidden(value):
                sources[name] = tuple(sorted(labels))
        return sources

    def _aliases(self, urn: str) -> set[str]:
        """Return the former identities of a resource: from its own aliases and those of its parents."""
        node, request = self._nodes[urn], self._requests.get(urn)
        if request is None:
            return set()
        found = {urns.identity_of(old) for old in request.aliasURNs}
        if node.parent in self._requests:
            above = self._lineage(node.parent)
            for former in self._aliases(node.parent) - {_identity(above)}:
                types, name = urns.split(former)
                # The name of a child that begins with its parent's name began with the parent's former name.
                own = name + node.name[len(above[0].name) :] if node.name.startswith(above[0].name) else node.name
                found.add(urns.identity([*types, node.type], own))
        for alias in request.aliases:
            if alias.urn:
                found.add(urns.identity_of(alias.urn))
                continue
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or node.parent
            above = self._lineage(parent) if parent in self._requests else []
            found.add(urns.identity([*_types(above), spec.type or node.type], spec.name or node.name))
        return found


def _types(lineage: Sequence[_Node]) -> list[str]:
    """Return the types of a lineage, the topmost first."""
    return [node.type for node in reversed(lineage)]


def _identity(lineage: Sequence[_Node]) -> str:
    return urns.identity(_types(lineage), lineage[0].name)


def _secret(value: object) -> bool:
    """Return whether a masked value contains a secret."""
    return any(text == SECRET for text in _texts(value))


def _hidden(value: object) -> bool:
    """Return whether a masked value contains a secret or a value from the server."""
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
