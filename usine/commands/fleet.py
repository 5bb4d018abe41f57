"""`usine fleet`: one stack for the foundation and one per tenant, run by one command."""

from __future__ import annotations

import argparse

from usine.commands import (
    fleet_agent,
    fleet_drift,
    fleet_operator,
    fleet_pipeline,
    fleet_plan,
    fleet_report,
    fleet_status,
    fleet_up,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command, and its actions."""
    parser = subparsers.add_parser(
        "fleet",
        help="run a stack per tenant: which need a run, run them, scan them, show them",
        description="The same program with a stack for the foundation, STACK, and one per tenant, STACK.SLUG. A tenant "
        "that does not change costs no run of the engine.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    of_gitlab, of_operator = (fleet_pipeline, fleet_report), (fleet_operator, fleet_agent)
    for action in (fleet_plan, fleet_up, fleet_drift, fleet_status, *of_gitlab, *of_operator):
        action.register(actions)
