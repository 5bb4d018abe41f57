"""`usine restore`: prints the Velero Restore of an environment that its owner asks for."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Final

import yaml

from components.kubernetes.backup_rules import restore
from model.naming import names_of
from model.problems import SpecError
from model.tenant import Environment, Role, State, Tenant
from model.texts import did_you_mean, enumerate_words
from usine.commands.common import add_platform_arguments, find_tenant, read_platform, report_problems

#: What Velero appends to the name of a schedule.
_TIME: Final = re.compile(r"-[0-9]{14}")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "restore",
        help="print the Velero Restore of an environment",
        description="Print the Velero Restore that brings back what is missing in the namespace of an environment, for "
        "`kubectl create`. It restores from backups of this environment, into its own namespace, and changes nothing "
        "that exists. It contacts no cluster. Exit code: 0 done, 1 a file is wrong or the restore is refused.",
    )
    add_platform_arguments(parser)
    parser.add_argument("slug", metavar="SLUG", help="the tenant")
    parser.add_argument("environment", metavar="ENVIRONMENT", help="an environment of the tenant")
    parser.add_argument("--backup", metavar="NAME", help="the name of a backup; default: the newest one")
    parser.add_argument(
        "--requested-by", metavar="PERSON", required=True, help="the owner or an administrator of the tenant, who asks"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the object."""
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    tenant = find_tenant(platform.tenants, args.slug, "restore")
    if tenant is None:
        return 1
    environments = {environment.name: environment for environment in tenant.environments}
    environment = environments.get(args.environment)
    if environment is None:
        return _refuse(f"no such environment: {args.environment!r}; {did_you_mean(args.environment, environments)}")
    person = str(args.requested_by).casefold()
    cluster = platform.settings.clusters[environment.cluster]
    reason = _reason(tenant, environment, person, args.backup)
    if reason is not None or cluster.backup is None:
        return _refuse(reason or f"cluster {cluster.name} has no backups")
    wanted = restore(tenant, environment, cluster.backup, backup=args.backup, requested_by=person)
    print(yaml.safe_dump(wanted, sort_keys=False), end="")
    where = f"kubectl --context {cluster.context} create -f -"
    if cluster.pull is not None:
        where = f"the administrators of zone {cluster.zone} create it on {cluster.name}: kubectl create -f -"
    print(f"to create it: {where}", file=sys.stderr)
    return 0


def _reason(tenant: Tenant, environment: Environment, person: str, backup: str | None) -> str | None:
    """Return why the restore is refused; None if it is not."""
    may = {*tenant.people_of(Role.OWNER), *tenant.people_of(Role.ADMIN)}
    schedule = names_of(tenant).backup_schedule(environment.name)
    if environment.backup is None:
        backed_up = [e.name for e in tenant.environments if e.backup is not None]
        return f"{environment.name} has no backups; environments with backups: {enumerate_words(backed_up) or 'none'}"
    if tenant.state is not State.ACTIVE:
        return f"{tenant.slug} is {tenant.state.value}: set `state: active` in its file first"
    if person not in may:
        return f"{person} may not ask for it: only {enumerate_words(sorted(may))}"
    if backup is not None and not (backup.startswith(schedule) and _TIME.fullmatch(backup.removeprefix(schedule))):
        return f"{backup} is no backup of this environment: their names are {schedule}-<time>, of 14 digits"
    return None


def _refuse(message: str) -> int:
    print(f"usine restore: {message}", file=sys.stderr)
    return 1
