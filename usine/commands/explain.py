"""`usine explain`: shows who may do what in a tenant, and by which role."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator

from model.access import Answer, answers, roles_of
from model.problems import SpecError
from model.rights import MEANINGS
from model.settings import Settings
from model.tenant import State, Tenant
from model.texts import enumerate_words, suggest
from usine.commands.common import add_platform_arguments, find_tenant, read_platform, report_problems

_STATES = {
    State.ACTIVE: "active",
    State.SUSPENDED: "suspended: everybody may read, nobody may change anything",
    State.ARCHIVED: "archived: nobody has access",
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "explain",
        help="show who may do what in a tenant, and by which role",
        description="Show for each system what a person may do in a tenant, by which role, and who may do the rest. "
        "Without --as, list the tenant's roles with their people and rights. The answer comes from the files: "
        "`usine drift` shows where the systems differ. Exit code: 0 done, 1 a file is wrong or no such tenant.",
    )
    add_platform_arguments(parser)
    parser.add_argument("slug", metavar="SLUG", help="the tenant")
    parser.add_argument("--as", metavar="PERSON", dest="person", help="a user name")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the answers."""
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    tenant = find_tenant(platform.tenants, args.slug, "explain")
    if tenant is None:
        return 1
    person = None if args.person is None else str(args.person).casefold()
    if args.format == "json":
        print(json.dumps(_as_json(tenant, person, platform.settings), indent=2))
        return 0
    lines = _roles(tenant) if person is None else _answers(tenant, person, platform.settings)
    print("\n".join(lines))
    return 0


def _roles(tenant: Tenant) -> Iterator[str]:
    yield f"{tenant.slug}: {_STATES[tenant.state]}"
    for role in roles_of(tenant):
        yield ""
        yield f"{role.name}: {enumerate_words(role.members) or 'nobody'}"
        if role.description:
            yield f"  {' '.join(role.description.split())}"
        yield from (f"  {right:<26}{MEANINGS[right].english}" for right in sorted(role.rights))


def _asked(tenant: Tenant, person: str, settings: Settings) -> list[Answer]:
    on = {system.value for system in settings.systems}
    return [answer for answer in answers(tenant, person) if answer.right.system in on]


def _answers(tenant: Tenant, person: str, settings: Settings) -> Iterator[str]:
    held = [role.name for role in roles_of(tenant) if person in role.members]
    yield f"{person} in {tenant.slug} ({_STATES[tenant.state]}): {enumerate_words(held) or 'no role'}"
    if not held and person not in tenant.people and (close := suggest(person, tenant.people)):
        yield f"did you mean {close}?"
    for system, group in itertools.groupby(_asked(tenant, person, settings), key=lambda answer: answer.right.system):
        yield f"\n{system}"
        for answer in group:
            action = MEANINGS[answer.right].english
            if answer.environments:
                action += f" ({enumerate_words(answer.environments)})"
            if answer.allowed:
                yield f"  yes  {action}: by {enumerate_words(answer.through)}"
            else:
                yield f"  no   {action}: {_who_else(tenant, answer)}"


def _who_else(tenant: Tenant, answer: Answer) -> str:
    if tenant.state is State.ARCHIVED:
        return "nobody"
    return f"only {enumerate_words(answer.others)}" if answer.others else "no role"


def _as_json(tenant: Tenant, person: str | None, settings: Settings) -> dict[str, object]:
    """Return the answers as JSON values: `answers` of a person, or `roles` of the tenant."""
    found: dict[str, object] = {"tenant": tenant.slug, "state": tenant.state.value}
    if person is None:
        found["roles"] = [
            {"name": role.name, "members": role.members, "rights": sorted(role.rights)} for role in roles_of(tenant)
        ]
        return found
    found["person"] = person
    found["answers"] = [
        {
            "right": answer.right.value,
            "meaning": MEANINGS[answer.right].english,
            "environments": answer.environments,
            "allowed": answer.allowed,
            "through": answer.through,
            "roles": answer.others,
        }
        for answer in _asked(tenant, person, settings)
    ]
    return found
