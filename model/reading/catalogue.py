"""The catalogue of CI presets: files of the platform's own repository that GitLab's tenants include."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from model.images import Image, parse_image
from model.problems import START, Place, Problem, SpecError
from model.reading.yaml_reader import examine
from model.settings import Settings
from model.texts import did_you_mean, show

#: The folder, beside `Pulumi.yaml`.
FOLDER = "catalogue"
#: The file of third-party images, in that folder. It is not published.
IMAGES_FILE = "images.yml"
#: The name of the platform's own image of tools, which the settings declare.
TOOLS = "tools"

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\$\{?USINE_(\w+)_IMAGE\b\}?", re.ASCII)


def read_catalogue(folder: Path, settings: Settings) -> dict[str, str]:
    """Return the text of every CI file (``*.yml``) below a folder as it is published, by its path there, sorted.

    Placeholders are replaced by the images of the settings and of ``images.yml``. Raises SpecError for a file that is
    no YAML, for an unknown or misplaced placeholder, and for a declared preset without a file ``templates/<name>.yml``.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    images: dict[str, str] = {}
    try:
        images = {name: str(image) for name, (image, _) in read_images(folder / IMAGES_FILE).items()}
    except SpecError as error:
        problems += error.problems
    broken = bool(problems)
    # Without registry the settings need no image of tools. Its placeholder then stays, and the jobs that need it fail.
    images[TOOLS] = settings.gitlab.tools_image or placeholder(TOOLS)
    for path in sorted(folder.rglob("*.yml")):
        if path == folder / IMAGES_FILE:
            continue
        try:
            text = path.read_text(encoding="utf-8")
            nodes = list(yaml.compose_all(text, yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else START
            problems.append(Problem(str(path), line, column, f"not a CI file: {error.problem}"))
            continue
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text in YAML"
            problems.append(Problem(str(path), *START, f"CI catalogue: {reason}"))
            continue
        text, misused = _with_images(text, nodes, images, str(path))
        problems += [] if broken else misused
        texts[path.relative_to(folder).as_posix()] = text
    known = {Path(problem.file).stem for problem in problems}
    for preset in settings.presets:
        if f"templates/{preset}.yml" not in texts and preset not in known:
            message = f"usine:presets: {preset} has no file {folder.name}/templates/{preset}.yml"
            problems.append(Problem(settings.source, *START, message))
    if problems:
        raise SpecError(problems)
    return texts


def read_images(path: Path) -> dict[str, tuple[Image, Place]]:
    """Return the images of a file by name, each with its place, in the order of the file. Raises SpecError.

    Without the file there are none.
    """
    source = str(path)
    try:
        examined = examine(path.read_bytes(), source)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SpecError([Problem(source, *START, f"images: cannot be read: {error.strerror}")]) from None
    problems, images = list(examined.problems), {}
    if not isinstance(examined.value, dict) and not problems:
        problems.append(Problem(source, *START, "expected a mapping from names to images"))
    for name, reference in (examined.value if isinstance(examined.value, dict) else {}).items():
        place = examined.places[(name,)]
        if name == TOOLS:
            problems.append(Problem(source, *place.key, "tools is usine:gitlab.toolsImage of the settings, not here"))
        elif not _NAME.fullmatch(name):
            problems.append(
                Problem(source, *place.key, f"{show(name)}: a name has lower-case letters, digits and single dashes")
            )
        try:
            images[name] = (parse_image(reference if isinstance(reference, str) else ""), place)
        except ValueError as error:
            problems.append(Problem(source, *place.value, f"{show(name)}: {error}"))
    if problems:
        raise SpecError(problems)
    return images


def placeholder(name: str) -> str:
    """Return the placeholder of an image."""
    return f"$USINE_{name.upper().replace('-', '_')}_IMAGE"


def _with_images(
    text: str, nodes: list[yaml.Node], images: Mapping[str, str], source: str
) -> tuple[str, list[Problem]]:
    """Return a CI file with the images in place of their placeholders, and the problems of these."""
    by_placeholder = {placeholder(name): image for name, image in images.items()}
    lines, problems = text.split("\n"), []
    # From the end, so that the columns of earlier values stay.
    for node in sorted(_scalars(nodes), key=lambda n: (n.start_mark.line, n.start_mark.column), reverse=True):
        found = _PLACEHOLDER.search(node.value)
        if found is None:
            continue
        line, column = node.start_mark.line, node.start_mark.column
        written = found[0].replace("{", "").replace("}", "")
        image = by_placeholder.get(written)
        if image is None:
            message = f"no such image: {found[0]}; {did_you_mean(written, by_placeholder)}"
        elif node.value != found[0] or node.start_mark.line != node.end_mark.line:
            message = f"{found[0]} is replaced only where it is a whole value: put it into a variable of the job"
        else:
            row = lines[line]
            lines[line] = f"{row[:column]}{image}{row[node.end_mark.column :]}"
            continue
        problems.append(Problem(source, line + 1, column + 1, message))
    return "\n".join(lines), problems


def _scalars(nodes: list[yaml.Node]) -> Iterator[yaml.ScalarNode]:
    """Yield each scalar once: an alias is its anchor's node."""
    seen: set[int] = set()
    rest = list(nodes)
    while rest:
        node = rest.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.MappingNode):
            rest += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            rest += node.value
