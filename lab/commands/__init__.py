"""The command `usine lab`: the local platform. lab/pyproject.toml registers it in the group `usine.commands`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import platform
from lab.commands import chain
from lab.engine.plugins import PluginChoice
from lab.environment import shell_environment
from lab.errors import LabError
from lab.home import LabHome
from lab.parts.official import force_build
from lab.people import set_password
from lab.platform import PlatformStatus
from lab.reporter import duration, for_terminal

_PLUGINS = ("auto", "official", "stand-in")
_WHERE = argparse.ArgumentParser(add_help=False)
_WHERE.add_argument("--home", metavar="DIR", type=Path, help="folder of the platform (default: .lab of the checkout)")
_WHERE.add_argument("--port-base", metavar="N", type=int, help="first of the platform's 1000 ports (default: 18000)")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its own."""
    parser = subparsers.add_parser("lab", help="the local platform: real servers on this machine")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    action = _add(actions, "up", "start everything; existing data is kept", _up)
    action.add_argument("--plugins", choices=_PLUGINS, default="auto", help="provider plugins (default: %(default)s)")
    action.add_argument("--plugin-dir", metavar="DIR", type=Path, help="folder with official plugin executables")
    action.add_argument(
        "--build", action="store_true", help="build every part here, use no official program (as USINE_LAB_PARTS=build)"
    )
    _add(actions, "down", "stop everything, keep the data", _down)
    action = _add(actions, "reset", "stop everything and delete data, secrets and state", _reset)
    action.add_argument("--yes", action="store_true", help="don't ask")
    _add(actions, "status", "state and address of each server; exit code 1 unless all are up", _status)
    action = _add(actions, "logs", "print the servers' logs", _logs)
    action.add_argument("server", nargs="?", metavar="SERVER", help="only this one")
    action.add_argument("-f", "--follow", action="store_true", help="keep printing new lines")
    action.add_argument("-n", "--lines", type=int, default=50, help="lines to print of each log (default: %(default)s)")
    _add(actions, "env", 'variables for a shell, with secrets: eval "$(usine lab env)"', _env)
    action = _add(actions, "exec", "run a command in the platform's environment: usine lab exec -- pulumi stack", _exec)
    action.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    action = _add(
        actions, "chain", "run a tenant's whole delivery chain and try actions that must be refused", chain.run
    )
    chain.add_arguments(action)
    action = _add(actions, "password", "set and print a new password for a user of the realm", _password)
    action.add_argument("user", metavar="USER")


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    function: Callable[[argparse.Namespace, LabHome], int],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", parents=[_WHERE])
    parser.set_defaults(run=_run, function=function)
    return parser


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.function(args, LabHome.open(args.home, args.port_base)))
    except LabError as error:
        print(f"usine lab: {error}", file=sys.stderr)
        return 1


def _up(args: argparse.Namespace, home: LabHome) -> int:

    if args.build:
        force_build()
    with for_terminal() as reporter:
        found = platform.up(home, plugins=PluginChoice(args.plugins), plugin_dir=args.plugin_dir, reporter=reporter)
    _show(found, home)
    return 0 if found.is_up else 1


def _down(_args: argparse.Namespace, home: LabHome) -> int:

    with for_terminal() as reporter:
        platform.down(home, reporter)
    return 0


def _reset(args: argparse.Namespace, home: LabHome) -> int:

    if not args.yes:
        if not sys.stdin.isatty():
            print("usine lab: reset asks for confirmation, and this is no terminal: add --yes", file=sys.stderr)
            return 2
        answer = input(f"Delete all data, secrets and state of the platform in {home.root}? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            print("nothing deleted")
            return 1
    with for_terminal() as reporter:
        platform.reset(home, reporter)
    return 0


def _status(_args: argparse.Namespace, home: LabHome) -> int:

    found = platform.status(home)
    _show(found, home)
    return 0 if found.is_up else 1


def _show(found: PlatformStatus, home: LabHome) -> None:

    table = Table(title=f"Local platform in {home.root}", title_justify="left", box=None, header_style="dim")
    for column in ("server", "state", "pid", "for", "where"):
        table.add_column(column, overflow="fold")
    styles = {"up": "green", "unhealthy": "yellow", "down": "red"}
    for server in found.servers:
        pid, age = (str(server.pid), duration(server.age)) if server.pid else ("", "")
        table.add_row(server.name, f"[{styles[server.state]}]{server.state}[/]", pid, age, server.where)
    console = Console()
    console.print(table)
    for plugin in found.plugins:
        console.print(f"plugin {plugin.name} {plugin.version}: {plugin.kind}, {plugin.origin}", highlight=False)
    if found.is_up:
        console.print(f"kubectl: KUBECONFIG={home.kubeconfig}, contexts nonprod-1 and prod-1", highlight=False)
        console.print(f"CA to trust: {home.ca}", highlight=False)
        console.print(
            f"passwords and tokens: {home.secrets}; a user's password: usine lab password USER", highlight=False
        )


def _logs(args: argparse.Namespace, home: LabHome) -> int:
    files = sorted(home.log.glob("*.log"))
    if args.server:
        files = [path for path in files if path.stem == args.server]
    if not files:
        known = ", ".join(path.stem for path in sorted(home.log.glob("*.log"))) or "none yet"
        print(f"usine lab: no log of {args.server or 'any server'} (known logs: {known})", file=sys.stderr)
        return 1
    sys.stdout.flush()
    follow = ["-F"] if args.follow else []
    try:
        os.execvp("tail", ["tail", "-n", str(max(0, args.lines)), *follow, "--", *map(str, files)])  # noqa: S606 - a fixed program, without a shell
    except OSError as error:
        print(f"usine lab: tail: {error.strerror}", file=sys.stderr)
        return 1


def _env(_args: argparse.Namespace, home: LabHome) -> int:

    wanted = shell_environment(home)
    for name in sorted(os.environ.keys() - wanted.keys()):
        print(f"unset {name}")
    for name, value in sorted(wanted.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    return 0


def _exec(args: argparse.Namespace, home: LabHome) -> int:

    command = args.arguments[1:] if args.arguments[:1] == ["--"] else args.arguments
    if not command:
        print("usine lab: exec needs a command: usine lab exec -- COMMAND ...", file=sys.stderr)
        return 2
    wanted = shell_environment(home)
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, wanted)  # noqa: S606 - the caller's command, in place of this one
    except OSError as error:
        print(f"usine lab: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127


def _password(args: argparse.Namespace, home: LabHome) -> int:

    print(set_password(home, args.user))
    return 0
