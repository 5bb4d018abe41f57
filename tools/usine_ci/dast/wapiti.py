"""wapiti: its command for a target, and its report. It is the scanner where the image has no ZAP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast
from urllib.parse import urljoin

from usine_ci.dast.report import Alert
from usine_ci.dast.settings import Dast, Target, origin
from usine_ci.findings.model import Severity
from usine_ci.problems import RefusedError

PROGRAM: Final = "wapiti"
REPORT: Final = "wapiti.json"
#: Modules that send no attack.
_PASSIVE: Final = "cookieflags,csp,http_headers,https_redirect"
#: Modules of the full scan, without those that need a service on the Internet or guess passwords.
_ACTIVE: Final = f"{_PASSIVE},crlf,csrf,exec,file,methods,permanentxss,redirect,sql,timesql,xss"
_LEVELS: Final = {1: Severity.LOW, 2: Severity.MEDIUM, 3: Severity.HIGH, 4: Severity.CRITICAL}
#: Runs wapiti with arguments from standard input: a command line is seen by everything on the runner.
_START: Final = """
import json, sys
sys.argv = json.load(sys.stdin)
from wapitiCore.main.wapiti import wapiti_asyncio_wrapper
wapiti_asyncio_wrapper()
"""


def command() -> list[str]:
    """Return the command. Its arguments go to standard input as JSON. Raises RefusedError if there is no wapiti."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise RefusedError("this image has no scanner: neither zap.sh nor wapiti is on the PATH")
    folder = Path(found).resolve().parent
    for python in (folder / "python", folder.parent / "environment" / "bin" / "python"):
        if python.exists():
            return [str(python), "-P", "-c", _START]
    raise RefusedError(f"wapiti has no Python beside it: {found}")


def arguments(dast: Dast, target: Target, folder: Path, authorization: str) -> list[str]:
    """Return the arguments of wapiti."""
    given = [
        PROGRAM, "--url", target.url, "--scope", "folder",
        "--module", _PASSIVE if dast.scan == "baseline" else _ACTIVE,
        "--format", "json", "--output", str(folder / REPORT),
        "--store-session", str(folder / "session"), "--store-config", str(folder / "config"),
        "--flush-session", "--no-bugreport", "--max-scan-time", "3600",
    ]  # fmt: skip
    if dast.scan == "api":
        given += ["--swagger", origin(target.url) + dast.openapi]
    for path in dast.exclusions:
        given += ["--exclude", origin(target.url) + path]
    if authorization:
        given += ["--header", f"Authorization: {authorization}"]
    return given


def read(file: Path, target: Target) -> tuple[Alert, ...]:
    """Return the alerts in a report. Raises RefusedError, also if it saw no page."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        pages = int(found["infos"]["crawled_pages_nbr"])
        alerts = tuple(_alerts(found, target))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"wapiti's report of {target.environment} cannot be read: {error}") from None
    if not pages:
        raise RefusedError(f"wapiti saw no page of {target.environment}")
    return alerts


def _alerts(found: Mapping[str, object], target: Target) -> Iterator[Alert]:
    for kind in ("vulnerabilities", "anomalies"):
        for name, places in cast("Mapping[str, list[Mapping[str, object]]]", found[kind]).items():
            for place in places:
                severity = _LEVELS.get(int(str(place["level"])))
                if severity is not None:
                    yield Alert(
                        rule=str(place.get("module") or name),
                        severity=severity,
                        name=f"{name}: {place['info']}",
                        url=urljoin(origin(target.url), str(place["path"])),
                        method=str(place["method"]),
                        parameter=str(place.get("parameter") or ""),
                    )
