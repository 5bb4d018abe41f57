"""Print the folder of the files by which the scanners work: rules for Semgrep, settings for Gitleaks and Trivy."""

from __future__ import annotations

import argparse
from pathlib import Path

from usine_ci import rules


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Print the folder."""
    del options
    print(Path(rules.__path__[0]).resolve())
    return 0
