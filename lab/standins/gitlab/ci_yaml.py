# ruff: noqa: ANN401 - YAML has any type
"""Reads CI configurations: YAML with `!reference`, `include` and `spec:inputs`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from lab.standins.gitlab import access, ci_artifacts, ci_inputs, ci_rules
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.git import RepositoryError
from lab.standins.gitlab.repositories import repositories, repository
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

DEFAULT_PATH: Final = ".gitlab-ci.yml"
_MOST_INCLUDES: Final = 150
_MOST_NODES: Final = 50_000
_DEEPEST: Final = 100
_LONGEST: Final = 2**20
#: Of a job whose artifact is a configuration (ApplicationSetting `max_artifacts_content_include_size`).
_LARGEST_ARCHIVE: Final = 5 * 2**20
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class ConfigError(Exception):
    """An invalid configuration; each argument is a message of GitLab."""

    @property
    def messages(self) -> list[str]:
        """The messages."""
        return [str(one) for one in self.args]


class NoConfig(Exception):  # noqa: N818 - a project without CI
    """There is no configuration."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`!reference [job, key, …]`, which is resolved after all files are merged."""

    path: tuple[str, ...]


@dataclass(slots=True)
class FileLocation:
    """Location of a file: its project, its commit, and the user who reads it.

    `changed` are the paths that the pipeline's commits change, None if GitLab does not compare. `parent` is the
    pipeline whose child is created.
    """

    site: GitLabSite
    actor: Actor | None
    project: Document
    sha: str
    variables: Mapping[str, str]
    changed: list[str] | None = None
    count: list[int] = field(default_factory=lambda: [0])
    parent: Document | None = None

    def at(self, project: Document, sha: str) -> FileLocation:
        """Return the same for another project."""
        return FileLocation(self.site, self.actor, project, sha, self.variables, self.changed, self.count)

    @property
    def files(self) -> ci_rules.Files:
        """What `exists` and `changes` of rules of this file look at."""
        return ci_rules.Files(lambda: repository(self.site, self.project).files(self.sha), self.changed)


class _Loader(yaml.CSafeLoader):
    """Safe YAML with `!reference`; dates and similar values stay text."""


def _reference(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(problem="!reference wants a list", problem_mark=node.start_mark)
    return Reference(tuple(str(one) for one in loader.construct_sequence(node)))


_Loader.add_constructor("!reference", _reference)


def _as_written(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)
_Loader.add_constructor("tag:yaml.org,2002:binary", _as_written)


def parse(text: str, inputs: Mapping[str, Any] | None = None, known: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the hash in a file, with `spec:inputs` replaced; `known` are the variables. Raises ConfigError."""
    if len(text) > _LONGEST:
        raise ConfigError("The parsed YAML is too big")
    header, body = _documents(text)
    if header is None and inputs:
        raise ConfigError("Given inputs not defined in the `spec` section of the included configuration file")
    if header is not None:
        try:
            body = ci_inputs.filled(body, header, inputs or {}, known or {})
        except ci_inputs.InputError as error:
            raise ConfigError(str(error)) from None
    content = _load(body)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError("Invalid configuration format")
    return {str(name): value for name, value in content.items()}


def _documents(text: str) -> tuple[dict[str, Any] | None, str]:
    """Return the header with `spec`, None without one, and the rest."""
    parts = re.split(r"(?m)^---[ \t]*$", text)
    if len(parts) > 1 and not parts[0].strip():
        parts = parts[1:]
    if len(parts) > 1 and re.search(r"(?m)^spec:", parts[0]):
        header = _load(parts[0])
        if isinstance(header, dict):
            return header, "---".join(parts[1:])
    return None, text


def _load(text: str) -> Any:
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader's subclass
        return _plain(content, [0], 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ConfigError(f"(<unknown>): {error.problem or 'not YAML'}{where}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise ConfigError("Invalid configuration format") from None


def _plain(value: Any, count: list[int], depth: int) -> Any:
    """Return the value without aliases and with text keys. Raises ConfigError if aliases make it too big."""
    count[0] += 1
    if count[0] > _MOST_NODES or depth > _DEEPEST:
        raise ConfigError("The parsed YAML is too big")
    if isinstance(value, dict):
        return {_key(name): _plain(item, count, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, count, depth + 1) for item in value]
    return value


def _key(name: Any) -> str:
    return {True: "true", False: "false", None: ""}.get(name, str(name)) if not isinstance(name, str) else name


# A project's configuration -------------------------------------------------------------------------------------------


def content(place: FileLocation, given: str | None = None) -> tuple[dict[str, Any], str]:
    """Return the merged configuration, and the path of its main file for JWTs (the caller adds `path@ref`).

    `given` replaces the file in the repository. Raises NoConfig or ConfigError.
    """
    path = place.project.get("ci_config_path") or DEFAULT_PATH
    if given is not None:
        return _joined(place, parse(given)), path
    file, _, other = path.partition("@")
    if other:
        name, _, ref = other.partition(":")
        entry = {"project": name, "file": file, **({"ref": ref} if ref else {})}
        return _joined(place, {"include": [entry]}), path
    if path.startswith(("http://", "https://")):
        raise ConfigError(f"Remote file `{path}` could not be fetched because of HTTP code `404` error!")
    text = _read(place, path)
    if text is None:
        raise NoConfig
    if not text.strip():
        raise ConfigError(f"Please provide content of {path}")
    return _joined(place, parse(text)), path


def _read(place: FileLocation, path: str) -> str | None:
    try:
        found = repository(place.site, place.project).read(place.sha, path.lstrip("/"))
    except RepositoryError:
        return None
    return None if found is None else found.decode("utf-8", "replace")


def _joined(place: FileLocation, main: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    includes = main.pop("include", None)
    result: dict[str, Any] = {}
    for entry in includes if isinstance(includes, list) else [] if includes is None else [includes]:
        for inner, text, inputs in _included(place, entry):
            place.count[0] += 1
            if place.count[0] > _MOST_INCLUDES or depth > _DEEPEST:
                raise ConfigError(f"Maximum of {_MOST_INCLUDES} nested includes are allowed!")
            result = merge(result, _joined(inner, parse(text, inputs, place.variables), depth + 1))
    return merge(result, main)


def _included(place: FileLocation, entry: Any) -> list[tuple[FileLocation, str, Any]]:
    entry = {"local": entry} if isinstance(entry, str) and not entry.startswith("http") else entry
    if isinstance(entry, str):
        entry = {"remote": entry}
    if not isinstance(entry, dict):
        raise ConfigError("Each include must be a hash or a string")
    rules = entry.get("rules")
    if rules is not None and (
        not isinstance(rules, list) or ci_rules.first(_hashes(rules), place.variables, place.files) is None
    ):
        return []
    inputs = entry.get("inputs")
    inputs = inputs if isinstance(inputs, dict) else None
    if "project" in entry:
        return [(inner, text, inputs) for inner, text in _of_project(place, entry)]
    if "local" in entry:
        path = str(_named(entry["local"], place.variables))
        text = _read(place, path)
        if text is None:
            raise ConfigError(f"Local file `{path.lstrip('/')}` does not exist!")
        return [(place, text, inputs)]
    if "artifact" in entry:
        return [(place, _of_artifact(place, entry), inputs)]
    if "template" in entry:
        raise ConfigError(f"Template file `{entry['template']}` does not exist!")
    if "remote" in entry:
        raise ConfigError(f"Remote file `{entry['remote']}` could not be fetched because of a socket error!")
    if "component" in entry:
        inner, text = _component(place, entry["component"])
        return [(inner, text, inputs)]
    raise ConfigError(
        f"`{json.dumps(entry, default=str)}` does not have a valid subkey for include. "
        "Valid subkeys are: `local`, `project`, `remote`, `template`, `component`, `artifact`"
    )


def _hashes(rules: list[Any]) -> list[dict[str, Any]]:
    return [rule for rule in rules if isinstance(rule, dict)]


def _of_project(place: FileLocation, entry: dict[str, Any]) -> list[tuple[FileLocation, str]]:
    """Return files of another project, which the user of the pipeline must be able to read."""
    site = place.site
    entry = {key: _named(value, place.variables) for key, value in entry.items()}
    name = str(entry["project"]).strip("/")
    project = site.store.first("project", route=name.lower())
    if project is None or not _may_read(site, place.actor, project):
        raise ConfigError(
            f"Project `{name}` not found or access denied! "
            "Make sure any includes in the pipeline configuration are correctly defined."
        )
    ref = str(entry.get("ref") or repositories(site).default_branch(project) or "HEAD")
    sha = repository(site, project).resolve(ref)
    if sha is None:
        raise ConfigError(f"Project `{name}` reference `{ref}` does not exist!")
    files = entry.get("file")
    inner, found = place.at(project, sha), []
    for path in files if isinstance(files, list) else [files]:
        if not isinstance(path, str) or not path.strip("/"):
            raise ConfigError(f"Project `{name}`: file is missing")
        text = _read(inner, path)
        if text is None:
            raise ConfigError(f"Project `{name}` file `{path.lstrip('/')}` does not exist!")
        found.append((inner, text))
    return found


def _of_artifact(place: FileLocation, entry: Mapping[str, Any]) -> str:
    """Return a file in the archive of a job of the parent pipeline (Config::External::File::Artifact)."""
    path, name = str(entry["artifact"]), entry.get("job")
    if place.parent is None:
        raise ConfigError("Including configs from artifacts is only allowed when triggering child pipelines")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError("Job must be provided when including configs from artifacts")
    jobs = place.site.store.find("job", pipeline_id=place.parent["id"], name=name, retried=False)
    archive = ci_artifacts.archive_of(place.site, jobs[0]) if jobs else None
    if archive is None:
        raise ConfigError(f"Job `{name}` not found in parent pipeline or does not have artifacts!")
    if archive["size"] > _LARGEST_ARCHIVE:
        raise ConfigError(f"Artifacts archive for job `{name}` is too large: max 5 MiB")
    with zipfile.ZipFile(ci_artifacts.path_of(place.site, archive)) as files:
        try:
            text = files.read(path).decode("utf-8", "replace")
        except KeyError:
            raise ConfigError(f"Path `{path}` does not exist inside the `{name}` artifacts archive!") from None
    if not text.strip():
        raise ConfigError(f"File `{path}` is empty!")
    return text


def _component(place: FileLocation, address: Any) -> tuple[FileLocation, str]:
    """Return the template of a component, `<host>/<project>/<name>@<ref>`, and the place of its own includes."""
    if not isinstance(address, str):
        raise ConfigError(f"Included file `{address}` needs to be a string")
    address, site = _named(address, place.variables), place.site
    wrong = f"Component '{address}' -"
    path, at, version = address.partition("@")
    host = urlsplit(site.url).netloc + "/"
    if not at or not address.startswith(host):
        raise ConfigError(f"{wrong} the component path is not supported")
    route, _, name = path.removeprefix(host).rpartition("/")
    project = site.store.first("project", route=route.lower()) if route else None
    sha = repository(site, project).resolve(version) if project is not None and version else None
    if project is None or sha is None:
        if project is not None and (version == "~latest" or re.fullmatch(r"\d+(\.\d+)?", version)):
            kind = "~latest version" if version == "~latest" else "partial semantic version"
            raise ConfigError(
                f"{wrong} The {kind} reference is not supported for non-catalog resources. "
                "Use a tag, branch, or commit SHA instead."
            )
        raise ConfigError(f"{wrong} content not found")
    if not _may_read(site, place.actor, project):
        raise ConfigError(f"{wrong} project does not exist or you don't have sufficient permissions")
    inner = place.at(project, sha)
    for file in (f"templates/{name}.yml", f"templates/{name}/template.yml"):
        text = _read(inner, file)
        if text is not None:
            return inner, text
    raise ConfigError(f"{wrong} content not found")


def _named(value: Any, known: Mapping[str, str]) -> Any:
    """Replace variables in a text; those that GitLab does not know here become empty (ExpandVariables.expand)."""
    if isinstance(value, list):
        return [_named(str(one), known) for one in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], ""), value)


def _may_read(site: GitLabSite, actor: Actor | None, project: Document) -> bool:
    if not access.sees_project(site, actor, project):
        return False
    return project["visibility"] != "private" or access.project_level(site, actor, project) >= access.REPORTER


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge hashes deeply; other values of `above` take precedence."""
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        result[name] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def resolve(value: Any, root: Mapping[str, Any], depth: int = 0) -> Any:
    """Replace each `!reference`. Raises ConfigError if it cannot be resolved or is circular."""
    if depth > _DEEPEST:
        raise ConfigError("!reference is nested too deep or part of a circular chain")
    if isinstance(value, Reference):
        found: Any = root
        for part in value.path:
            if not isinstance(found, dict) or part not in found:
                raise ConfigError(f"!reference {json.dumps(list(value.path))} could not be found")
            found = found[part]
        return resolve(found, root, depth + 10)
    if isinstance(value, dict):
        return {name: resolve(item, root, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, root, depth + 1) for item in value]
    return value
