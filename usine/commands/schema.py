"""`usine schema`: prints the JSON Schema of a tenant file, for editors and other tools."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from model.problems import SpecError
from model.reading.json_schema import json_schema
from model.reading.section import Words
from model.reading.settings_load import load_settings
from usine.commands.common import report_problems

_EPILOG = """\
Write it to a file, and refer to that file in the first line of a tenant file. Editors then complete and check it:
  # yaml-language-server: $schema=../usine.schema.json
The schema checks single fields; `usine check` also checks what involves several fields or files.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a tenant file",
        description="Print the JSON Schema (draft 2020-12) of a tenant file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        help="allow only the clusters, stages, presets, gates, packages and archetypes of this settings file",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    try:
        words = None if args.settings is None else Words.of(load_settings(args.settings))
    except SpecError as error:
        return report_problems(error)
    # ASCII only: other tools read the output, whatever the encoding of this terminal is.
    sys.stdout.write(json.dumps(json_schema(words), indent=2) + "\n")
    return 0
