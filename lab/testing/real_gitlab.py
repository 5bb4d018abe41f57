"""Runs tests on a real GitLab: `python -m lab.testing.real_gitlab COMMAND…`, in a container of GitLab's image.

It starts GitLab, waits for it, creates an administrator's token, and runs the command with the variables that select
this GitLab for the platform (docs/stand-ins.md). The token expires after two days and is in no command line.
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

#: Commands with which the image starts GitLab, the newer name first (omnibus-gitlab, docker/Dockerfile).
_STARTS: Final = ("/assets/init-container", "/assets/wrapper")
#: Where it listens; the platform's GitLab port forwards to it.
_PORT: Final = 8929
#: Limit of the first start, in seconds: GitLab configures itself and fills its database.
_LIMIT: Final = 1200.0
#: https://docs.gitlab.com/user/profile/personal_access_tokens/#create-a-personal-access-token-programmatically
_TOKEN: Final = (
    "token = User.find_by_username('root').personal_access_tokens.create("
    "scopes: ['api', 'sudo'], name: 'usine tests', expires_at: 2.days.from_now); puts token.token"
)


def run(command: Sequence[str], start: Sequence[str], port: int = _PORT, limit: float = _LIMIT) -> int:
    """Start GitLab by `start`, run the command, stop GitLab; return the command's exit code. Raises LabError."""
    # GitLab uses the platform's port in the issuer of ID tokens and in the links of its answers.
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
            raise LabError(f"GitLab creates no token: {made.stderr.strip()}")
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
    raise LabError("GitLab does not start: see real-gitlab.log")


def main(arguments: Sequence[str]) -> int:
    """Start GitLab with the image's command and run the arguments."""
    start = next((path for path in _STARTS if Path(path).exists()), None)
    if start is None or not arguments:
        print("real-gitlab: this must run in GitLab's own image", file=sys.stderr)
        return 2
    try:
        return run(arguments, [start])
    except LabError as error:
        print(f"real-gitlab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
