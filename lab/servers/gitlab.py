"""GitLab: a stand-in (`lab.standins.gitlab`), because the real one cannot be had on a closed network."""

from __future__ import annotations

import sys

from lab.files import write_private
from lab.home import CHECKOUT, LabHome
from lab.process import Command
from lab.servers.base import Context, Server, probe
from lab.sockets import LOOPBACK
from lab.standins.serve import Configuration


def address(home: LabHome) -> str:
    """URL of the API, of the repositories, and issuer of the jobs' tokens."""
    return f"http://{LOOPBACK}:{home.ports.gitlab}"


class GitLab(Server):
    """A stand-in that speaks GitLab's API and git over HTTP; its data is in `data/gitlab`.

    The administrator is `root`, with the platform's `gitlab_token` as personal access token.
    """

    name = "gitlab"
    tools = ("git",)
    limit = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """One for everything."""
        return (home.ports.gitlab,)

    def where(self, home: LabHome) -> str:
        """URL of the API and the repositories."""
        return address(home)

    def command(self, context: Context) -> Command:
        """Write the configuration; a change of the stand-in's own code restarts it too."""
        home = context.home
        folder = home.data / self.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = Configuration(
            port=home.ports.gitlab,
            url=address(home),
            data=folder / "site",
            token=context.secrets.gitlab_token,
            options={"edition": "community"},
        )
        file = folder / "config.json"
        write_private(file, configuration.text())
        standins = CHECKOUT / "lab" / "standins"
        code = sorted([*standins.glob("*.py"), *(standins / "gitlab").glob("*.py")])
        return Command(
            (sys.executable, "-m", "lab.standins.gitlab", str(file)),
            environment={"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
            folder=folder,
            watched=(file, *code),
        )

    def healthy(self, home: LabHome) -> bool:
        """It answers."""
        return probe(home, address(home), "/-/readiness") == 200  # noqa: PLR2004 - HTTP OK
