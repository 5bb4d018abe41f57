"""Tests on a real GitLab that is started here: `python -m lab.testing.real_gitlab COMMAND…` in GitLab's own image.

It starts GitLab, waits, makes an administrator's token, and runs the command with what makes the platform's GitLab that
one (docs/stand-ins.md). The token lives two days and is in no command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from lab.errors import LabError
from lab.home import LabHome
from lab.secrets import GITLAB_TOKEN
from lab.testing.platforms import PORT_BASE

#: What the image starts GitLab by, the newer name first (omnibus-gitlab, docker/Dockerfile).
_STARTS: Final = ("/assets/init-container", "/assets/wrapper")
#: Where it listens; the platform's port of GitLab passes on to it.
_PORT: Final = 8929
#: Seconds the first start may take: GitLab configures itself and fills its database.
_LIMIT: Final = 1200.0
#: https://docs.gitlab.com/user/profile/personal_access_tokens/#create-a-personal-access-token-programmatically
_TOKEN: Final = (
    "token = User.find_by_username('root').personal_access_tokens.create("
    "scopes: ['api', 'sudo'], name: 'usine tests', expires_at: 2.days.from_now); puts token.token"
)


def run(command: Sequence[str], start: Sequence[str], port: int = _PORT, limit: float = _LIMIT) -> int:
    """Start GitLab by `start`, run the command, stop GitLab; return the command's exit code. Raises LabError."""
    # GitLab names itself by the platform's port: the issuer of identities and the links in its answers.
    own = LabHome(Path(), PORT_BASE).ports.gitlab
    config = f"external_url 'http://127.0.0.1:{own}'; nginx['listen_port'] = {port}"
    with Path("real-gitlab.log").open("wb") as log:
        server = subprocess.Popen(
            start, stdout=log, stderr=log, env={**os.environ, "GITLAB_OMNIBUS_CONFIG": config}, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, server, limit)
        made = subprocess.run(["gitlab-rails", "runner", _TOKEN], capture_output=True, text=True, check=False)
        token = made.stdout.strip()
        if made.returncode != 0 or not token:
            raise LabError(f"GitLab makes no token: {made.stderr.strip()}")
        real = {"USINE_LAB_GITLAB_URL": url, GITLAB_TOKEN: token}
        return subprocess.run(command, env={**os.environ, **real}, check=False).returncode
    finally:
        server.terminate()
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes], limit: float) -> None:
    deadline = time.monotonic() + limit
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/-/readiness", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not yet
        time.sleep(1)
    raise LabError("GitLab does not come up: see real-gitlab.log")


def main(arguments: Sequence[str]) -> int:
    """Do it by what the image has."""
    start = next((path for path in _STARTS if Path(path).exists()), None)
    if start is None or not arguments:
        print("real-gitlab: runs a command in GitLab's own image, which this is not", file=sys.stderr)
        return 2
    try:
        return run(arguments, [start])
    except LabError as error:
        print(f"real-gitlab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
