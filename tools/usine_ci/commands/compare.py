"""Compare rendered manifests before and after a change: a summary in the log, a file of differences each."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from pathlib import Path

import yaml

from usine_ci.text import clean


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--before", required=True, type=Path, help="folder with the <environment>.yaml of before")
    parser.add_argument("--after", required=True, type=Path, help="folder with those of after")
    parser.add_argument("--output", required=True, type=Path, help="folder for <environment>.diff")


def run(options: argparse.Namespace) -> int:
    """Write the differences and print which objects change."""
    options.output.mkdir(parents=True, exist_ok=True)
    names = sorted({file.stem for folder in (options.before, options.after) for file in folder.glob("*.yaml")})
    if not names:
        print("nothing to deploy, before and after")
    for name in names:
        before, after = (_text(folder / f"{name}.yaml") for folder in (options.before, options.after))
        lines = difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"before/{name}", f"after/{name}"
        )
        (options.output / f"{name}.diff").write_text("".join(lines), encoding="utf-8")
        old, new = _objects(before), _objects(after)
        changes = [f"  added    {key}" for key in new if key not in old]
        changes += [f"  removed  {key}" for key in old if key not in new]
        changes += [f"  changed  {key}" for key in new if key in old and new[key] != old[key]]
        print(f"{name}: {len(changes)} objects change" if changes else f"{name}: no object changes")
        print(*sorted(changes), sep="\n", end="\n" if changes else "")
    return 0


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _objects(text: str) -> Mapping[str, object]:
    """Return the objects by kind and name. What is no YAML is one object: another job reports it."""
    try:
        found = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    except yaml.YAMLError:
        return {"what is no YAML": text}
    return {clean(f"{one.get('kind')} {(one.get('metadata') or {}).get('name')}"): one for one in found}
