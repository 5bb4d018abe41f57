"""The catalogue of CI presets: files of the platform's own repository that GitLab's tenants include."""

from __future__ import annotations

from pathlib import Path

import yaml

from model.problems import START, Problem, SpecError
from model.settings import Settings

#: The folder, beside `Pulumi.yaml`.
FOLDER = "catalogue"


def read_catalogue(folder: Path, settings: Settings) -> dict[str, str]:
    """Return the text of every ``*.yml`` below a folder, by its path there, sorted.

    Raises SpecError for a file that is no YAML, and for a declared preset without a file ``templates/<name>.yml``.
    """
    texts, problems = {}, []
    for path in sorted(folder.rglob("*.yml")):
        try:
            text = path.read_text(encoding="utf-8")
            list(yaml.compose_all(text, yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else START
            problems.append(Problem(str(path), line, column, f"not a CI file: {error.problem}"))
            continue
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text in YAML"
            problems.append(Problem(str(path), *START, f"CI catalogue: {reason}"))
            continue
        texts[path.relative_to(folder).as_posix()] = text
    known = {Path(problem.file).stem for problem in problems}
    for preset in settings.presets:
        if f"templates/{preset}.yml" not in texts and preset not in known:
            message = f"usine:presets: {preset} has no file {folder.name}/templates/{preset}.yml"
            problems.append(Problem(settings.source, *START, message))
    if problems:
        raise SpecError(problems)
    return texts
