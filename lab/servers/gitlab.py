"""GitLab: a stand-in (`lab.standins.gitlab`), for the real one cannot be had on a closed network; or that one."""

from __future__ import annotations

import sys

import httpx

from lab.files import write_private
from lab.home import CHECKOUT, LabHome
from lab.process import Command
from lab.servers import external
from lab.servers.base import Context, Server, probe
from lab.sockets import LOOPBACK
from lab.standins.serve import Configuration


def address(home: LabHome) -> str:
    """URL of the API, of the repositories, and issuer of the jobs' tokens."""
    return f"http://{LOOPBACK}:{home.ports.gitlab}"


class GitLab(Server):
    """A stand-in that speaks GitLab's API and git over HTTP; its data is in `data/gitlab`.

    The administrator is `root`, with the platform's `gitlab_token` as personal access token. With USINE_LAB_GITLAB_URL
    it is the real one there, and USINE_LAB_GITLAB_TOKEN an administrator's token (docs/stand-ins.md).
    """

    name = "gitlab"
    tools = ("git",)
    limit = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """One for everything."""
        return (home.ports.gitlab,)

    def where(self, home: LabHome) -> str:
        """URL of the API and the repositories."""
        real = external.address(self.name)
        return f"{address(home)} (is {real})" if real else address(home)

    def command(self, context: Context) -> Command:
        """Write the configuration; a change of the stand-in's own code restarts it too."""
        home = context.home
        folder = home.data / self.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if external.address(self.name):
            return external.command(self.name, home, home.ports.gitlab)
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
        # A real one tells its readiness to listed addresses only, and its version to who has a token.
        if external.address(self.name):
            return probe(home, address(home), "/api/v4/metadata") == httpx.codes.UNAUTHORIZED
        return probe(home, address(home), "/-/readiness") == httpx.codes.OK
