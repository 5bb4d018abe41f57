"""Write the plan of ZAP's automation framework for each target, without a scan and without a credential."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from usine_ci.dast import settings, zap


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    settings.add_environments(parser)
    parser.add_argument("--folder", type=Path, default=Path("dast"), help="default: dast")


def run(options: argparse.Namespace) -> int:
    """Write the plans."""
    dast = settings.read(os.environ.get(settings.VARIABLE, ""))
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    for target in dast.chosen(options.environments):
        file = folder / f"plan-{target.environment}.yaml"
        file.write_text(zap.plan(dast, target, folder.resolve()), encoding="utf-8")
        print(file)
    return 0
