"""The engine's place in an offline plan: records what the program registers and answers what a server would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime import mocks, rpc

from usine.plan.model import SECRET, PlannedResource

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
            case "gitlab:index/getUser:getUser":
                return {**args.args, "id": f"[id of {args.args['username']}]"}, []
        raise LookupError(f"the offline plan has no answer for the function {args.token}")


@dataclass(frozen=True, slots=True)
class _Node:
    parent: str
    type: str
    name: str


class RecordingMonitor(mocks.MockMonitor):
    """A mock monitor that keeps every registration. `planned` gives them as plain values."""

    def __init__(self) -> None:
        """Start with nothing registered."""
        super().__init__(_Answers())
        self._nodes: dict[str, _Node] = {}
        self._inputs: dict[str, dict[str, object]] = {}
        self._protected: dict[str, bool] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802, ANN401 - the gRPC service's own shape
        """Record one registration and answer it."""
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        urn = response.urn
        if urn in self._nodes:
            raise ValueError(f"two resources are called {request.name!r} ({request.type})")
        self._nodes[urn] = _Node(request.parent, request.type, request.name)
        if request.type != _STACK:
            self._inputs[urn] = {
                k: _plain(v) for k, v in json_format.MessageToDict(request.object).items() if k != PROVIDER_KEY
            }
            self._protected[urn] = bool(request.protect)
        return response

    def planned(self) -> tuple[PlannedResource, ...]:
        """Return what was registered, sorted: foundation first, then by tenant, type and name."""
        resources = [self._planned(urn) for urn in self._inputs]
        return tuple(sorted(resources, key=lambda r: (r.tenant or "", r.type, r.name)))

    def _planned(self, urn: str) -> PlannedResource:
        node = self._nodes[urn]
        lineage = [node]
        while (parent := self._nodes.get(lineage[-1].parent)) is not None and parent.type != _STACK:
            lineage.append(parent)
        tenant = next((n.name for n in lineage if n.type == "usine:usine:TenantProject"), None)
        system = next((n.type.split(":")[1] for n in lineage if n.type.startswith("usine:")), None)
        if system is None:
            system = node.type.split(":")[2] if node.type.startswith("pulumi:providers:") else node.type.split(":")[0]
        return PlannedResource(
            type=node.type,
            name=node.name,
            parent=f"{lineage[1].type}::{lineage[1].name}" if len(lineage) > 1 else None,
            tenant=tenant,
            system=system,
            inputs=self._inputs[urn],
            protect=self._protected[urn],
        )


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
