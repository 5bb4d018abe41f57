"""Runs Sonar's own scanner as a pipeline does. The scanner downloads its engine and the analysers from the server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import parts
from lab.servers.sonarqube import JVM

#: Variables of the scanner: options of its own Java process, and of the one that analyses. Both are short-lived.
QUICK = {"SONAR_SCANNER_OPTS": JVM, "SONAR_SCANNER_JAVA_OPTS": JVM}


def analyse(url: str, token: str, project: str, sources: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Analyse the folder `sources` as `project`, wait for the quality gate, and return the finished process.

    `cache` is a folder that keeps the downloads from the server (90 MB) for the next analysis.
    """
    scanner = parts.ensure(["sonar-scanner"])["sonar-scanner"] / "bin" / "sonar-scanner"
    settings = {
        "sonar.host.url": url,
        "sonar.projectKey": project,
        "sonar.sources": ".",
        "sonar.qualitygate.wait": "true",
        "sonar.scm.disabled": "true",
        "sonar.scanner.skipJreProvisioning": "true",  # use the runtime that runs SonarQube
    }
    environment = {
        **os.environ,
        **QUICK,
        "SONAR_TOKEN": token,  # not an argument, because every user of the machine can read arguments
        "SONAR_USER_HOME": str(cache),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    return subprocess.run(
        [scanner, *(f"-D{key}={value}" for key, value in settings.items())],
        cwd=sources,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
