"""Scan the tenant's own environments, write GitLab's DAST report, and judge by the tenant's threshold.

The addresses come from the variable USINE_DAST, which the platform writes from the tenant file. The scanner is ZAP if
`zap.sh` is on the PATH, else wapiti. DAST_USERNAME and DAST_PASSWORD are sent to the targets by HTTP authentication.
The exit code is 1 if a flaw is at the threshold or above; a target that cannot be scanned is an error.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from usine_ci.dast import settings, wapiti, zap
from usine_ci.dast.report import Alert, gitlab, in_order
from usine_ci.dast.settings import Dast, Target
from usine_ci.findings.model import reaches
from usine_ci.problems import RefusedError
from usine_ci.text import clean

_ANSWER: Final = 30
#: Alerts in the log; the report has all.
_SHOWN: Final = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    settings.add_environments(parser)
    parser.add_argument("--report", type=Path, default=Path("gl-dast-report.json"), help="default: gl-dast-report.json")


def run(options: argparse.Namespace) -> int:
    """Scan the targets one after the other."""
    dast = settings.read(os.environ.get(settings.VARIABLE, ""))
    targets = dast.chosen(options.environments)
    scanner = "zap" if shutil.which(zap.PROGRAM) else "wapiti"
    authorization = _authorization()
    alerts: list[Alert] = []
    for target in targets:
        print(f"{target.environment}: {target.url}: {dast.scan} scan by {scanner}", flush=True)
        _answers(target)
        with tempfile.TemporaryDirectory() as folder:
            alerts += (_zap if scanner == "zap" else _wapiti)(dast, target, Path(folder), authorization)
    report = gitlab(scanner, alerts, [target.url for target in targets], datetime.datetime.now(datetime.UTC))
    report_file: Path = options.report
    report_file.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return _judge(in_order(alerts), dast.threshold)


def _judge(alerts: list[Alert], threshold: str) -> int:
    for alert in alerts[:_SHOWN]:
        print(f"  {alert.severity.word}: {clean(alert.place, 200)}: {clean(alert.name, 200)}")
    if len(alerts) > _SHOWN:
        print(f"  and {len(alerts) - _SHOWN} more in the report")
    red = sum(reaches(alert.severity, threshold) for alert in alerts)
    print(f"{len(alerts)} flaws, {red} at the threshold ({threshold}) or above")
    return 1 if red else 0


def _authorization() -> str:
    """Return the header's value for the credential in the environment, and remove the credential from there."""
    user, password = os.environ.pop("DAST_USERNAME", ""), os.environ.pop("DAST_PASSWORD", "")
    if bool(user) != bool(password):
        raise RefusedError("the secret for the analysis needs both fields, username and password")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""


def _answers(target: Target) -> None:
    """Refuse a target that does not answer: a scan of nothing finds nothing."""
    try:
        with urllib.request.urlopen(target.url, timeout=_ANSWER):  # noqa: S310 - the scheme is checked in settings
            return
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise RefusedError(f"{target.environment}: {target.url} does not answer: {error}") from None


def _zap(dast: Dast, target: Target, folder: Path, authorization: str) -> tuple[Alert, ...]:
    plan = folder / "plan.yaml"
    plan.write_text(zap.plan(dast, target, folder), encoding="utf-8")
    done = subprocess.run(zap.command(plan, folder / "home"), env=zap.environment(target, authorization), check=False)
    if done.returncode not in zap.DONE:
        raise RefusedError(f"{target.environment}: ZAP ended with exit code {done.returncode}")
    return zap.read(folder / zap.REPORT, target)


def _wapiti(dast: Dast, target: Target, folder: Path, authorization: str) -> tuple[Alert, ...]:
    given = json.dumps(wapiti.arguments(dast, target, folder, authorization))
    done = subprocess.run(wapiti.command(), input=given, text=True, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RefusedError(f"{target.environment}: wapiti ended with exit code {done.returncode}")
    return wapiti.read(folder / wapiti.REPORT, target)
