"""Judge what a scanner found: reports for GitLab, waivers of the repository, and the threshold of the tenant.

The exit code is 1 if a finding that no waiver covers is at the threshold or above, or if the file of waivers is wrong.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import Final

from usine_ci.findings import gitleaks, reports, semgrep, shape, summary, trivy
from usine_ci.findings.model import THRESHOLDS, Scan, Scanner, in_order, reaches
from usine_ci.findings.waivers import WAIVERS_FILE, judge, read
from usine_ci.problems import Problem, RefusedError, did_you_mean

#: What each tool looks for.
TOOLS: Final = ("gitleaks", "semgrep", "trivy")
#: The threshold where the tenant's group has no variable, which is stricter than most.
DEFAULT: Final = "high"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tool", required=True, choices=TOOLS)
    parser.add_argument(
        "--tool-version", default="", help="for the reports, where the tool does not write it into its own"
    )
    parser.add_argument("--input", required=True, type=Path, help="the tool's report in JSON")
    parser.add_argument(
        "--scanned",
        nargs="+",
        type=Scanner,
        choices=list(Scanner),
        required=True,
        metavar="WHAT",
        help=f"what the tool looked for: {', '.join(Scanner)}; waivers for other scanners are left alone",
    )
    for kind in reports.KINDS:
        parser.add_argument(f"--{kind.replace('_', '-')}", type=Path, metavar="FILE", help="GitLab's report to write")
    parser.add_argument("--code-quality", type=Path, metavar="FILE", help="GitLab's Code Quality report to write")
    parser.add_argument(
        "--threshold",
        default=os.environ.get("USINE_FINDINGS") or DEFAULT,
        help=f"{', '.join(THRESHOLDS)}; default: the variable USINE_FINDINGS of the tenant, or {DEFAULT}",
    )
    parser.add_argument(
        "--denied-licenses",
        default=os.environ.get("USINE_DENIED_LICENSES", ""),
        help="SPDX ids and categories, with spaces; default: the variable USINE_DENIED_LICENSES",
    )
    parser.add_argument(
        "--errors",
        type=Path,
        metavar="FILE",
        help="error output of a tool that ends with 0 when it fails: the job is red if the file is not empty",
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the repository; default: the current folder")


def run(options: argparse.Namespace) -> int:
    """Write the reports, show the findings, and say whether the job is red."""
    _refuse_errors(options)
    threshold: str = options.threshold
    if threshold not in THRESHOLDS:
        raise RefusedError(f"no such threshold: {threshold!r}; {did_you_mean(threshold, THRESHOLDS)}")
    now = datetime.datetime.now(datetime.UTC)
    scan = _scan(options)
    waivers, problems = read(options.root / WAIVERS_FILE, WAIVERS_FILE, now.date())
    judgement = judge(in_order(scan.findings), waivers, options.scanned, now.date(), WAIVERS_FILE)
    for kind in reports.KINDS:
        file: Path | None = getattr(options, kind)
        if file is not None:
            reports.write(file, reports.security(kind, scan, judgement.open, now))
    if options.code_quality is not None:
        notices = (*problems, *judgement.notices)
        reports.write(options.code_quality, reports.code_quality(judgement.open, notices))
    print(*summary.lines(scan, judgement, threshold), sep="\n", flush=True)
    for problem in problems:
        print(f"{problem} [error: no waiver of this file counts]", file=sys.stderr)
    return int(bool(problems) or any(reaches(each.severity, threshold) for each in judgement.open))


def _refuse_errors(options: argparse.Namespace) -> None:
    file: Path | None = options.errors
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file is not None else []
    if any(line.strip() for line in lines):
        raise RefusedError(Problem(options.tool, 0, 0, f"the scan failed: {line}") for line in lines if line.strip())


def _scan(options: argparse.Namespace) -> Scan:
    file: Path = options.input
    version: str = options.tool_version
    value = shape.read(file)
    if options.tool == "gitleaks":
        return gitleaks.scan(value, file, version)
    if options.tool == "semgrep":
        return semgrep.scan(value, file, version)
    return trivy.scan(value, file, version, options.denied_licenses.split())
