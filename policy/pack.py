"""The policies as a CrossGuard pack. No other module of this package imports Pulumi's SDK."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import pulumi_policy as crossguard
from google.protobuf import json_format
from pulumi_policy import policy as library

from policy.model import Check, Hidden, Level, Limit, Policy, Resource, StackCheck
from policy.registry import POLICIES
from pulumi_facts.values import plain

PACK = "usine"
_LEVELS = {level: crossguard.EnforcementLevel(level.value) for level in Level}


def _masked(properties: Mapping[str, object], proxy_secrets: bool = False) -> Mapping[str, object]:  # noqa: ARG001 - the library's own signature
    # Read-only, so that the library passes it on unchanged.
    return types.MappingProxyType(
        {key: plain(value, secret=Hidden.SECRET, unknown=Hidden.UNKNOWN) for key, value in properties.items()}
    )


Read = TypeVar("Read")


class Once(Generic[Read]):
    """A function that the library calls for each policy with the same object: the last results are kept.

    The kept objects live as long as their results, so another object is never taken for one of them.
    """

    _KEPT = 8  # a request has the properties of a resource and of its provider; some requests come at once

    def __init__(self, function: Callable[..., Read]) -> None:
        """Take the function."""
        self._function = function
        self._kept: tuple[tuple[object, Read], ...] = ()

    def __call__(self, one: Any, *more: Any) -> Read:  # noqa: ANN401 - passed on unchanged
        """Return the function's result for the object."""
        for known, result in self._kept:
            if known is one:
                return result
        result = self._function(one, *more)
        self._kept = ((one, result), *self._kept[: self._KEPT - 1])
        return result


def mask_secrets() -> None:
    """Make the library pass placeholders instead of secrets to the policies, and read each resource once.

    By default it removes the mark of a secret and passes the value in clear: a policy could not recognise a secret, and
    a message could show one. It also reads a resource again for each policy, which was most of the pack's processor
    time. Raises AttributeError if a release of the library works differently.
    """
    names = vars(library)
    if not {"deserialize_properties", "json_format"} <= names.keys():
        raise AttributeError("this release of pulumi-policy reads properties differently: see policy/pack.py")
    names["deserialize_properties"] = Once(_masked)
    names["json_format"] = types.SimpleNamespace(MessageToDict=Once(json_format.MessageToDict))


def to_crossguard(policy: Policy) -> crossguard.Policy:
    """Return one policy as a policy of the library."""
    level = _LEVELS[policy.level]
    if policy.stack_check is not None:
        return crossguard.StackValidationPolicy(
            policy.id,
            policy.description,
            _stack_validation(policy, policy.stack_check),
            level,
            remediation_steps=policy.remedy,
        )
    return crossguard.ResourceValidationPolicy(
        policy.id,
        policy.description,
        _validation(policy),
        level,
        config_schema=_schema(policy.limit) if policy.limit is not None else None,
        remediation_steps=policy.remedy,
    )


def _schema(limit: Limit) -> crossguard.PolicyConfigSchema:
    return crossguard.PolicyConfigSchema(
        {
            limit.name: {
                "type": "integer",
                "minimum": limit.minimum,
                "default": limit.default,
                "description": limit.description,
            }
        }
    )


def _validation(policy: Policy) -> crossguard.ResourceValidation:
    def validate(args: crossguard.ResourceValidationArgs, report: crossguard.ReportViolation) -> None:
        configured = args.get_config().get(policy.limit.name) if policy.limit is not None else None
        check: Check | None = policy.check_for(None if configured is None else int(configured))
        if check is None:
            raise ValueError(f"the policy {policy.id} checks nothing")
        resource = Resource(args.resource_type, args.name, args.urn, args.props, args.opts.protect)
        for text in check(resource):
            report(message(policy, text), None)

    return validate


def _stack_validation(policy: Policy, check: StackCheck) -> crossguard.StackValidation:
    def validate(args: crossguard.StackValidationArgs, report: crossguard.ReportViolation) -> None:
        for resource, text in check(_resources(args.resources)):
            report(message(policy, text), resource.urn)

    return validate


def _resources(resources: Sequence[crossguard.PolicyResource]) -> tuple[Resource, ...]:
    return tuple(
        Resource(
            r.resource_type,
            r.name,
            r.urn,
            r.props,
            r.opts.protect,
            r.parent.urn if r.parent is not None else "",
            tuple(dependency.urn for dependency in r.dependencies),
        )
        for r in resources
    )


def message(policy: Policy, text: str) -> str:
    """Return the sentence that the engine shows below the description of the policy."""
    return f"{text}. To fix: {policy.remedy}"


def serve() -> None:
    """Serve the pack to the engine that started this process, until it is interrupted."""
    mask_secrets()
    crossguard.PolicyPack(PACK, [to_crossguard(policy) for policy in POLICIES], crossguard.EnforcementLevel.MANDATORY)
