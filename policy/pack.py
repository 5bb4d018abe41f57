"""The policies as a CrossGuard pack. The only module here that knows Pulumi."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence

import pulumi_policy as crossguard
from pulumi_policy import policy as library

from policy.model import Check, Hidden, Level, Limit, Policy, Resource, StackCheck
from policy.registry import POLICIES

PACK = "usine"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - how the engine's protocol marks one
#: What the engine's protocol writes for a value that is not known before the run, by its type.
_UNKNOWN = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        "e48ece36-62e2-4504-bad9-02848725956a",
    }
)
_LEVELS = {level: crossguard.EnforcementLevel(level.value) for level in Level}


def plain(value: object) -> object:
    """Turn a value of the engine's protocol into what policies see: `Hidden` for secrets and the unknown."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return Hidden.SECRET
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return Hidden.UNKNOWN if isinstance(value, str) and value in _UNKNOWN else value


def _masked(properties: Mapping[str, object], proxy_secrets: bool = False) -> Mapping[str, object]:  # noqa: ARG001
    # Read-only, so the library hands it on as it is.
    return types.MappingProxyType({key: plain(value) for key, value in properties.items()})


def mask_secrets() -> None:
    """Have the library give policies masks in place of secrets.

    By itself it takes the secret's mark away and hands the value over in clear: no policy could tell a secret from a
    plain text, and any message could hold one. Raises AttributeError with a release of it that works otherwise.
    """
    names = vars(library)
    if "deserialize_properties" not in names:
        raise AttributeError("this release of pulumi-policy reads properties in another way: see policy/pack.py")
    names["deserialize_properties"] = _masked


def to_crossguard(policy: Policy) -> crossguard.Policy:
    """Return one policy in the library's terms."""
    level = _LEVELS[policy.level]
    if policy.stack_check is not None:
        return crossguard.StackValidationPolicy(
            policy.id,
            policy.description,
            _stack_validation(policy, policy.stack_check),
            level,
            remediation_steps=policy.mend,
        )
    return crossguard.ResourceValidationPolicy(
        policy.id,
        policy.description,
        _validation(policy),
        level,
        config_schema=_schema(policy.limit) if policy.limit is not None else None,
        remediation_steps=policy.mend,
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
    """Return the sentence the engine shows below the policy's description."""
    return f"{text}. To mend: {policy.mend}"


def serve() -> None:
    """Serve the pack to the engine that started this process; returns when interrupted."""
    mask_secrets()
    crossguard.PolicyPack(PACK, [to_crossguard(policy) for policy in POLICIES], crossguard.EnforcementLevel.MANDATORY)
