"""`Stack` resources of the Pulumi Kubernetes Operator 2.x that run the stacks of a fleet (docs/fleet-operator.md).

The operator makes a pod for each `Stack`: an init container clones a commit, and an agent runs `pulumi` there. The
resources put `bin/operator` in the place of `pulumi`, so that each run is a guarded one. What the operator does with a
field was read in its source at 2.9.0; the path is beside the field that relies on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from model.naming import DOMAIN, MANAGED_BY_LABEL
from usine.engine.cli import EngineError
from usine.fleet.layout import Layout
from usine.fleet.planning import FleetPlan
from usine.fleet.records import Inputs, RunRecord

#: The definition of `Stack` refuses longer names (operator/api/pulumi/v1/stack_types.go).
LONGEST_NAME: Final = 42
#: The name of a workspace's service: a label that starts with a letter, which a dot would end.
_LABEL: Final = re.compile(r"[a-z](?:-?[a-z0-9])*")
_DIGITS: Final = 16

#: Objects of the namespace that the resources use, made by the platform team.
VARIABLES: Final = "usine-variables"
FILES: Final = "usine-files"
#: The service account, the role in Vault, and the secret of its mount, by whether the stack is applied.
_IDENTITIES: Final = {False: ("usine-look", "look"), True: ("usine-pipeline", "pipeline")}

#: The agent's container has this folder, with the checkout in `workspace` (workspace_controller.go).
_SHARE: Final = "/share"
_BIN: Final = f"{_SHARE}/workspace/bin/operator"
_CREDENTIALS: Final = "/credentials"
_IDENTITY: Final = "/identity"
_TOKENS: Final = "/tokens"
_TOKEN_SECONDS: Final = 3600


def resource_name(base: str, unit: str | None) -> str:
    """Return the name of a stack's resource, different for each stack of a fleet.

    A unit has no double dash, so the first form splits in one way only. The second one has no double dash.
    """
    plain = base if unit is None else f"{base}--{unit}"
    if _LABEL.fullmatch(base) and len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(f"{base}\0{unit or ''}".encode()).hexdigest()[:_DIGITS]
    start = re.sub(r"[^a-z0-9]+", "-", (unit or base).lower())[: LONGEST_NAME - _DIGITS - 1].strip("-")
    return f"{start}-{digest}" if start[:1].isalpha() else f"s-{digest}"


@dataclass(frozen=True, slots=True)
class StackRun:
    """The commit that a stack's resource has, and the id of the run of the fleet that this is. None: the foundation."""

    unit: str | None
    commit: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The stacks that get a resource, and the tenants that get none with the reason."""

    runs: tuple[StackRun, ...]
    left_out: Mapping[str, str]


def choose(
    plan: FleetPlan,
    inputs: Mapping[str | None, Inputs],
    runs: Mapping[str | None, RunRecord],
    commit: str,
    run: str,
    limit: int | None = None,
) -> Chosen:
    """Return the commit of each stack: the operator runs a stack whose resource changes, and no other.

    A stack that needs a run gets `commit`. All others keep that of their last run, so that a tenant that is held, whose
    wave has not begun, or that is unchanged costs nothing. A tenant that must wait and has no commit gets no resource.
    """
    tenants = [task.unit for task in plan.tasks if task.unit is not None]
    begun = {*(task.unit for task in plan.tasks if task.unit is None), *tenants[:limit]}
    why: dict[str | None, str] = {one.task.unit: one.why for one in plan.waiting}
    why |= dict.fromkeys(set(tenants) - begun, "left out by --limit")
    made: list[StackRun] = []
    left_out: dict[str, str] = {}
    every = {*inputs, *(task.unit for task in plan.tasks)}
    for unit in sorted(every, key=lambda unit: (unit is not None, unit or "")):
        last = runs.get(unit)
        if unit in begun:
            made.append(StackRun(unit, commit, run))
        elif last is not None and last.commit is not None:
            made.append(StackRun(unit, last.commit, last.run))
        elif unit is not None and unit in why:
            left_out[unit] = why[unit]
        else:
            made.append(StackRun(unit, commit))  # unchanged, so that a run does nothing
    return Chosen(tuple(made), left_out)


@dataclass(frozen=True, slots=True)
class OperatorStacks:
    """The resources of a fleet.

    `settings` is the path of the settings file in the checkout, `repository` its address, `git_secret` the Secret with
    a token for it. `image` has what the jobs of the pipeline have. `path` is the PATH of that image. `audience` is the
    one of the tokens for Vault, `state_audience` that of tokens for the storage of the state. Without `applies`, the
    stacks are only previewed, with an identity that only reads.
    """

    layout: Layout
    settings: str
    repository: str
    image: str
    namespace: str
    audience: str
    path: str
    applies: bool = False
    git_secret: str | None = None
    state_audience: str | None = None

    def render(self, runs: Iterable[StackRun]) -> str:
        """Return the text of the file, a document per stack. Raises EngineError if two would have the same name."""
        documents = [self._document(one) for one in runs]
        names: dict[str, str] = {}
        for document in documents:
            name, stack = document["metadata"]["name"], document["spec"]["stack"]
            if names.setdefault(name, stack) != stack:
                raise EngineError(f"the stacks {names[name]} and {stack} would have the same resource, {name}")
        return yaml.safe_dump_all(documents, sort_keys=False, width=2**20)

    def _document(self, one: StackRun) -> dict[str, Any]:
        base = self.layout.base
        account, _ = _IDENTITIES[self.applies]
        spec: dict[str, Any] = {
            "stack": self.layout.stack(one.unit),
            "projectRepo": self.repository,
            # Not `branch`: the operator asks for its head every minute, so that a push would start all stacks at once.
            "commit": one.commit,
        }
        if self.git_secret is not None:
            reference = {"name": self.git_secret, "key": "accessToken"}
            spec["gitAuth"] = {"accessToken": {"type": "Secret", "secret": reference}}
        spec |= {
            "preview": not self.applies,
            # Deleting the resource then ends only the resource (stack_controller.go, before step 1).
            "destroyOnFinalize": False,
            "serviceAccountName": account,
            # The pod, with its log-in, ends with the run, unless that failed.
            "workspaceReclaimPolicy": "Delete",
        }
        if one.unit is not None:
            spec["prerequisites"] = [{"name": resource_name(base, None)}]
        spec["workspaceTemplate"] = {"spec": self._workspace(one)}
        return {
            "apiVersion": "pulumi.com/v1",
            "kind": "Stack",
            "metadata": {
                "name": resource_name(base, one.unit),
                "namespace": self.namespace,
                "labels": {MANAGED_BY_LABEL: "usine", f"{DOMAIN}/fleet": resource_name(base, None)},
            },
            "spec": spec,
        }

    def _workspace(self, one: StackRun) -> dict[str, Any]:
        """Return what is merged into the workspace: `env` and containers by name (strategic merge patch)."""
        variables = {
            # Nothing else: a commit without the guards has no `pulumi`, and its run fails.
            "PATH": _BIN,
            "USINE_PATH": self.path,
            "USINE_FLEET_STACK": self.layout.base,
            "USINE_FLEET_SETTINGS": self.settings,
            "USINE_FLEET_TENANT": one.unit or "",
            "USINE_FLEET_RUN": one.run,
            "USINE_FLEET_MODE": "up" if self.applies else "preview",
        }
        return {
            "image": self.image,
            "securityProfile": "restricted",
            "env": _env(variables),
            "envFrom": [{"configMapRef": {"name": VARIABLES}}],
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
            "podTemplate": {"spec": self._pod()},
        }

    def _pod(self) -> dict[str, Any]:
        role, secret = _IDENTITIES[self.applies]
        tokens = [_token("kubernetes", "kubernetes")]
        if self.state_audience is not None:
            tokens.append(_token("state", self.state_audience))
        return {
            # After the operator's own ones, which clone the repository (workspace_controller.go, mergePodTemplateSpec).
            "initContainers": [
                {
                    "name": "log-in",
                    "image": self.image,
                    "command": [f"{_BIN}/log-in"],
                    "env": _env({"VAULT_ROLE": role, "VAULT_SECRET": secret}),
                    "envFrom": [{"configMapRef": {"name": VARIABLES}}],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [
                        {"name": "share", "mountPath": _SHARE},
                        {"name": "usine-credentials", "mountPath": _CREDENTIALS},
                        {"name": "usine-identity", "mountPath": _IDENTITY, "readOnly": True},
                    ],
                }
            ],
            "containers": [
                {
                    "name": "pulumi",
                    "volumeMounts": [
                        {"name": "usine-credentials", "mountPath": _CREDENTIALS, "readOnly": True},
                        {"name": "usine-tokens", "mountPath": _TOKENS, "readOnly": True},
                        {"name": "usine-files", "mountPath": "/etc/usine", "readOnly": True},
                    ],
                }
            ],
            "volumes": [
                # In memory: what is logged in with is on no disk of the node.
                {"name": "usine-credentials", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                # Only the log-in sees the token for Vault.
                {"name": "usine-identity", "projected": {"sources": [_token("vault", self.audience, 600)]}},
                {"name": "usine-tokens", "projected": {"sources": tokens}},
                {"name": "usine-files", "configMap": {"name": FILES, "optional": True}},
            ],
        }


def _env(variables: Mapping[str, str]) -> list[dict[str, str]]:
    # Kubernetes replaces $(NAME) in a value.
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]


def _token(path: str, audience: str, seconds: int = _TOKEN_SECONDS) -> dict[str, Any]:
    return {"serviceAccountToken": {"path": path, "audience": audience, "expirationSeconds": seconds}}
