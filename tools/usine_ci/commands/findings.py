"""Judge what a scanner found: reports for GitLab, waivers, threshold."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--input", required=True)


def run(options: argparse.Namespace) -> int:
    """Judge."""
    return int(options.input == "")
