"""SonarQube's scanner, as a pipeline runs it with the token of one project."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.chain.transcript import SystemRefusal
from lab.errors import LabError

_SYSTEM: Final = "sonarqube"
_REFUSAL: Final = re.compile(
    r"not authorized|HTTP (?:401|403|404)|Error 40[134]|Insufficient privileges", re.IGNORECASE
)
_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Analysis:
    """`scanner` is the scanner's folder, `url` the server's URL, `cache` the scanner's cache folder."""

    scanner: Path
    url: str
    cache: Path

    def run(self, project: str, token: str, sources: Path) -> str:
        """Analyse a folder as a project; return the scanner's output.

        Raises `SystemRefusal`, or LabError if it fails.
        """
        properties = {
            "sonar.projectKey": project,
            "sonar.projectBaseDir": str(sources),
            "sonar.userHome": str(self.cache),
            "sonar.working.directory": str(sources.parent / f".scanner-{sources.name}"),
            # Use the machine's Java instead of one from the server.
            "sonar.scanner.skipJreProvisioning": "true",
        }
        done = subprocess.run(
            ["bash", str(self.scanner / "bin" / "sonar-scanner"), *(f"-D{k}={v}" for k, v in properties.items())],
            env={**os.environ, "SONAR_HOST_URL": self.url, "SONAR_TOKEN": token, "NO_PROXY": "127.0.0.1,localhost"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )
        output = done.stdout + done.stderr
        if done.returncode == 0:
            return output
        errors = [line for line in output.splitlines() if "ERROR" in line] or output.splitlines()[-1:]
        if any(_REFUSAL.search(line) for line in errors):
            raise SystemRefusal(_SYSTEM, next(line for line in errors if _REFUSAL.search(line)).split("ERROR", 1)[-1])
        raise LabError(f"sonar-scanner: {' '.join(errors)[:400]}")
