"""The command `usine lab chain`: runs a tenant's whole delivery chain on the local platform."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lab.chain import ChainStep, WalkedTenant, walk
from lab.home import LabHome
from model.naming import names_of
from model.problems import SpecError
from model.repository import RepositoryKind
from model.tenant import Role, State, Tenant
from usine.commands.common import add_platform_arguments, read_platform, report_problems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_platform_arguments(parser)
    parser.add_argument("--tenant", default="teleservice", help="tenant whose chain is run (default: %(default)s)")
    parser.add_argument("--other", default="petitions", help="tenant whose users try to get in (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the transcript to this file")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="also write it to this file, as a table")


def run(args: argparse.Namespace, home: LabHome) -> int:
    """Run the chain and print each step. The exit code is 1 if a step has an unexpected outcome."""

    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    projects = {project.slug: project for project in platform.tenants}
    tenants = []
    for slug in (args.tenant, args.other):
        tenant = walked_tenant(projects[slug]) if slug in projects else None
        if tenant is None:
            print(
                f"usine lab: {slug} is not an active tenant with an app, an infra repository, an environment, "
                "a maintainer and a developer",
                file=sys.stderr,
            )
            return 1
        tenants.append(tenant)
    console = Console()

    def show(step: ChainStep) -> None:
        mark = "[green]as it must[/]" if step.right else "[bold red]WRONG[/]"
        console.print(f"{step.happened:<8} {mark}  {step.who}: {step.what}", highlight=False, soft_wrap=True)
        if step.detail:
            console.print(f"{'':<20}{step.detail}", style="dim", markup=False, highlight=False, soft_wrap=True)

    transcript = walk(home, platform.settings.gitlab.root, tenants[0], tenants[1], show)
    if args.json is not None:
        text = json.dumps([asdict(step) for step in transcript.steps], indent=2, ensure_ascii=False)
        args.json.write_text(text + "\n", encoding="utf-8")
    if args.markdown is not None:
        args.markdown.write_text(markdown(args.tenant, args.other, transcript.steps), encoding="utf-8")
    wrong = len(transcript.wrong)
    console.print(f"{len(transcript.steps)} steps, {wrong or 'none'} with an unexpected outcome", highlight=False)
    return 1 if wrong else 0


_WRONG = ("", " (WRONG)")


def markdown(tenant: str, other: str, steps: Sequence[ChainStep]) -> str:
    """Return the transcript as a page."""
    rows = [
        f"| {number} | {step.who} | {step.what} | {step.happened}{_WRONG[not step.right]} | {_cell(step.detail)} |"
        for number, step in enumerate(steps, 1)
    ]
    head = (
        f"# The chain of {tenant}, and what {other} must not do\n\n"
        f"Written by `usine lab chain --tenant {tenant} --other {other} --markdown FILE` on the local platform. Every\n"
        "refusal is quoted from the system that refused.\n\n"
        "| step | who | what | outcome | message |\n| --- | --- | --- | --- | --- |"
    )
    return "\n".join([head, *rows]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def walked_tenant(project: Tenant) -> WalkedTenant | None:
    """Return what the scenario needs of the tenant, or None when the tenant lacks a part of it."""

    names = names_of(project)
    apps = [r.name for r in project.repositories if r.kind is RepositoryKind.APP and r.mirror is None]
    infra = [r.name for r in project.repositories if r.kind is RepositoryKind.INFRA]
    strong = {*project.people_of(Role.OWNER), *project.people_of(Role.ADMIN), *project.people_of(Role.DEVOPS)}
    developers = [person for person in project.people_of(Role.DEVELOPER) if person not in strong]
    if project.state is not State.ACTIVE or not (apps and infra and project.environments and developers):
        return None
    return WalkedTenant(
        slug=project.slug,
        app=apps[0],
        infra=infra[0],
        namespace=names.namespace(project.environments[0].name),
        repository_secret=names.repository_secret(infra[0]),
        maintainer=project.owner,
        developer=developers[0],
    )
