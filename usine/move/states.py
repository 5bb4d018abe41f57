"""Splits the state of one stack into one per unit of a fleet, and joins them again. Pure functions of checkpoints.

No secret is decrypted: a state that is split gives its encryption to its parts, and states are joined only when they
have the same encryption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from model.settings import FoundationMode
from pulumi_facts import tokens
from pulumi_facts.checkpoint import deployment_of, pending_of, resources_of
from pulumi_facts.urns import address_of, in_stack, name_of, provider_reference, provider_urn
from pulumi_facts.values import RESOURCE_SIGNATURE, SIGNATURE
from usine.engine.cli import short_name
from usine.fleet.layout import stack_of

#: A checkpoint, as `pulumi stack export` writes it.
Checkpoint = Mapping[str, Any]
#: A resource of a checkpoint.
Resource = Mapping[str, Any]

#: Fields with values of the program and of the systems. All other fields with a URN have references.
_VALUES: Final = frozenset({"inputs", "outputs"})
_PROVIDERS_OF_SECRETS: Final = "secrets_providers"


class MoveError(Exception):
    """A state that cannot be moved as it is; the message is for the user."""


def split(
    checkpoint: Checkpoint,
    base: str,
    units: Mapping[str, Collection[str]],
    providers: Mapping[str | None, Collection[str]],
) -> dict[str | None, dict[str, Any]]:
    """Return the state of the foundation (None) and of each unit, from that of one stack.

    Args:
        checkpoint: the state of the stack.
        base: its name; a unit's stack is ``<base>.<unit>``.
        units: all tenants in the state, by unit.
        providers: the names of the providers that the program makes in each stack.

    Raises MoveError if a resource belongs to none of them.
    """
    refuse_unfinished(checkpoint, base)
    owned: dict[str | None, list[Resource]] = {None: [], **{unit: [] for unit in units}}
    owners: dict[str | None, str | None] = {None: None, **{slug: unit for unit in units for slug in units[unit]}}
    shared: list[Resource] = []
    for resource in resources_of(checkpoint):
        if tokens.is_provider(resource["type"]) or resource["type"] == tokens.STACK:
            shared.append(resource)
            continue
        slug = address_of(resource["urn"]).tenant
        if slug not in owners:
            raise MoveError(f"{name_of(resource['urn'])} in the stack {base} is of no tenant that is moved")
        owned[owners[slug]].append(resource)
    return {
        unit: _part(
            checkpoint,
            stack_of(short_name(base), unit),
            [*_shared(shared, own, providers[unit]), *own],
            None if unit is None else units[unit],
        )
        for unit, own in owned.items()
    }


def join(
    foundation: Checkpoint, states: Mapping[str, Checkpoint], base: str, units: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """Return the state of one stack, from that of the foundation and of each unit; `units` are their tenants.

    Raises MoveError if they are encrypted in different ways, or a resource is in two of them.
    """
    refuse_unfinished(foundation, base)
    joined: dict[str, dict[str, Any]] = {r["urn"]: _moved(r, short_name(base)) for r in resources_of(foundation)}
    #: The providers of the stack; those of other stacks have other ids.
    references = {r["urn"]: _reference(r) for r in resources_of(foundation) if tokens.is_provider(r["type"])}
    summaries: dict[str, Any] = {}
    for unit, checkpoint in states.items():
        stack = stack_of(base, unit)
        refuse_unfinished(checkpoint, stack)
        if secrets_of(checkpoint) != secrets_of(foundation):
            raise MoveError(f"the secrets of {stack} are encrypted in another way than those of {base}")
        for resource in resources_of(checkpoint):
            moved = _moved(resource, short_name(base))
            urn = moved["urn"]
            if resource["type"] == tokens.STACK:
                summaries |= _tenants_in(resource)
                continue
            if tokens.is_provider(resource["type"]):
                if urn not in joined:
                    joined[urn] = moved
                    references[urn] = _reference(moved)
                continue
            if address_of(urn).tenant not in units[unit] or urn in joined:
                raise MoveError(f"{name_of(urn)} in the stack {stack} is of no tenant of this stack, or in two stacks")
            if moved.get("provider"):
                moved["provider"] = references[provider_urn(moved["provider"])]
            joined[urn] = moved
    for resource in joined.values():
        if resource["type"] == tokens.STACK:
            _set_outputs(resource, FoundationMode.INCLUDE, {**_tenants_in(resource), **summaries})
    return _checkpoint(foundation, _pruned(joined.values()))


def emptied(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a state without resources, for the same stack."""
    return _checkpoint(checkpoint, [])


def secrets_of(checkpoint: Checkpoint) -> object:
    """Return how the secrets of a state are encrypted; None for a state without."""
    found: object = deployment_of(checkpoint).get(_PROVIDERS_OF_SECRETS)
    return found


def salt_of(checkpoint: Checkpoint) -> str:
    """Return the salt of a state that is encrypted with a passphrase; empty for other states."""
    match secrets_of(checkpoint):
        case {"type": "passphrase", "state": {"salt": str(salt)}}:
            return salt
    return ""


def print_of(checkpoint: Checkpoint) -> frozenset[tuple[str, str, str]]:
    """Return what tells whether somebody has changed a state: URN, id and time of the last change of each resource."""
    return frozenset((r["urn"], str(r.get("id", "")), str(r.get("modified", ""))) for r in resources_of(checkpoint))


def tenants_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the tenants with a resource in a state, sorted."""
    owners = {address_of(resource["urn"]).tenant for resource in resources_of(checkpoint)}
    return tuple(sorted(owner for owner in owners if owner is not None))


def objects_of(checkpoint: Checkpoint) -> Counter[str]:
    """Count the objects of a state by tenant; the foundation's have an empty name."""
    addresses = (address_of(resource["urn"]) for resource in resources_of(checkpoint))
    return Counter(address.tenant or "" for address in addresses if address.is_object)


def refuse_unfinished(checkpoint: Checkpoint, stack: str) -> None:
    """Raise MoveError for a state with operations that a run has not finished."""
    pending = len(pending_of(checkpoint))
    left = [
        r for r in resources_of(checkpoint) if r.get("delete") or r.get("pendingReplacement") or r.get("initErrors")
    ]
    if pending or left:
        raise MoveError(
            f"a run of the stack {stack} left {pending + len(left)} unfinished operations: run it to its end first"
        )


def _reference(provider: Resource) -> str:
    return provider_reference(provider["urn"], str(provider.get("id")))


def _shared(shared: Iterable[Resource], own: Iterable[Resource], names: Collection[str]) -> Iterator[Resource]:
    """Yield the stack, and the providers that the program makes or a resource has."""
    used = {provider_urn(str(resource.get("provider") or "")) for resource in own}
    for resource in shared:
        if resource["type"] == tokens.STACK or resource["urn"] in used or name_of(resource["urn"]) in names:
            yield resource


def _part(
    checkpoint: Checkpoint, stack: str, resources: Iterable[Resource], slugs: Collection[str] | None
) -> dict[str, Any]:
    """Return the state of a stack with these tenants; None: the foundation."""
    moved = [_moved(resource, stack) for resource in resources]
    for resource in moved:
        if resource["type"] == tokens.STACK:
            tenants = {slug: what for slug, what in _tenants_in(resource).items() if slug in (slugs or ())}
            mode = FoundationMode.ONLY if slugs is None else FoundationMode.SKIP
            _set_outputs(resource, mode, tenants)
    made = _checkpoint(checkpoint, _pruned(moved))
    if slugs is not None:
        kept = {"manifest", _PROVIDERS_OF_SECRETS, "resources"}
        made["deployment"] = {key: value for key, value in made["deployment"].items() if key in kept}
    return made


def _checkpoint(like: Checkpoint, resources: Iterable[Resource]) -> dict[str, Any]:
    return {**like, "deployment": {**deployment_of(like), "resources": list(resources)}}


def _moved(resource: Resource, stack: str) -> dict[str, Any]:
    """Return a resource with all its references to resources in another stack."""
    prefix = f"{resource['urn'].split('::', 1)[0]}::"

    def reference(value: Any) -> Any:  # noqa: ANN401 - JSON
        match value:
            case str() if value.startswith(prefix):
                return in_stack(value, stack)
            case list():
                return [reference(item) for item in value]
            case dict():
                return {key: reference(item) for key, item in value.items()}
        return value

    def within(value: Any) -> Any:  # noqa: ANN401 - JSON
        match value:
            case {**marked} if marked.get(SIGNATURE) == RESOURCE_SIGNATURE:
                return reference(marked)
            case list():
                return [within(item) for item in value]
            case dict():
                return {key: within(item) for key, item in value.items()}
        return value

    return {key: within(value) if key in _VALUES else reference(value) for key, value in resource.items()}


def _pruned(resources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return resources without dependencies on those of other stacks. Raises MoveError for a parent that is missing."""
    listed = list(resources)
    there = {resource["urn"] for resource in listed}
    for resource in listed:
        if resource.get("parent") and resource["parent"] not in there:
            raise MoveError(f"the parent of {name_of(resource['urn'])} is in another stack")
        if resource.get("provider") and provider_urn(resource["provider"]) not in there:
            raise MoveError(f"the provider of {name_of(resource['urn'])} is in no stack")
        if resource.get("deletedWith") and resource["deletedWith"] not in there:
            del resource["deletedWith"]
        for key in ("dependencies", "replaceWith"):
            if resource.get(key):
                resource[key] = [urn for urn in resource[key] if urn in there]
        if by_property := resource.get("propertyDependencies"):
            resource["propertyDependencies"] = {
                key: [urn for urn in urns or () if urn in there] for key, urns in by_property.items()
            }
    return listed


def _tenants_in(stack: Resource) -> Mapping[str, Any]:
    """Return the output `tenants` of a stack."""
    found = (stack.get("outputs") or {}).get("tenants")
    return found if isinstance(found, Mapping) and SIGNATURE not in found else {}


def _set_outputs(stack: dict[str, Any], mode: FoundationMode, tenants: Mapping[str, Any]) -> None:
    """Set the outputs of a stack to those that the program gives in this layout."""
    outputs = stack.get("outputs") or {}
    platform = outputs.get("platform")
    if isinstance(platform, Mapping) and SIGNATURE not in platform:
        outputs = {**outputs, "platform": {**platform, "foundation": mode.value}}
    stack["outputs"] = {**outputs, "tenants": dict(tenants)}
