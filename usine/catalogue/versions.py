"""Which version of the CI catalogue each repository of the tenants includes, read from GitLab."""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import yaml

from model.lifecycle import pipelines_run
from model.naming import CATALOGUE_TAG_VARIABLE, catalogue_path, names_of
from model.settings import GitLabSettings
from model.tenant import Tenant
from model.texts import show
from usine.clients import ClientError
from usine.clients.gitlab import GitLabClient
from usine.clients.session import CONCURRENCY

_CI_FILE: Final = ".gitlab-ci.yml"
_LARGEST: Final = 512 * 1024
_DEEPEST: Final = 100
_VARIABLE: Final = re.compile(rf"\$(?:\{{{CATALOGUE_TAG_VARIABLE}\}}|{CATALOGUE_TAG_VARIABLE}(?!\w))")
_DATE: Final = len("2026-11-29")


class Use(enum.StrEnum):
    """How a repository uses the catalogue."""

    CURRENT = "current"
    BEHIND = "behind"
    BRANCH = "branch"
    UNKNOWN = "unknown tag"
    OWN = "own pipeline"
    UNREADABLE = "unreadable"


#: The uses that somebody has to change.
OUTDATED: Final = frozenset({Use.BEHIND, Use.BRANCH, Use.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Included:
    """A repository and its use of the catalogue.

    `ref` is what its CI file names, with the platform's variable replaced; `expected` is the platform's tag for the
    tenant. `since` is the date of the tag, if `ref` is one. `files` are the included files.
    """

    tenant: str
    repository: str
    use: Use
    ref: str = ""
    expected: str = ""
    since: str = ""
    files: tuple[str, ...] = ()
    detail: str = ""


def look(tenants: Iterable[Tenant], settings: GitLabSettings, client: GitLabClient) -> tuple[Included, ...]:
    """Read every repository that may include the catalogue, sorted by tenant. Raises ClientError without a catalogue.

    Mirrors and repositories of tenants that are not active have the platform's own CI file, which the platform keeps.
    """
    reader = _CatalogueReader(settings, client)
    pairs = [
        (tenant, repository.name)
        for tenant in sorted(tenants, key=lambda t: t.slug)
        if pipelines_run(tenant)
        for repository in tenant.repositories
        if repository.mirror is None
    ]
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        return tuple(pool.map(lambda pair: reader.read(*pair), pairs))


class _CatalogueReader:
    def __init__(self, settings: GitLabSettings, client: GitLabClient) -> None:
        self._settings, self._client = settings, client
        self._repository = f"projects/{_segment(catalogue_path(settings))}/repository"
        tags = client.pages(f"{self._repository}/tags")
        self._tags = {str(tag["name"]): str(tag["commit"]["created_at"])[:_DATE] for tag in tags}
        self._everybody = self._variable(f"groups/{_segment(settings.root)}")

    def _variable(self, owner: str) -> str | None:
        found = self._client.get(f"{owner}/variables/{CATALOGUE_TAG_VARIABLE}")
        return None if found is None else str(found["value"])

    def read(self, tenant: Tenant, name: str) -> Included:
        answer = partial(Included, tenant.slug, name)
        try:
            return self._read(tenant, name, answer)
        except ClientError as error:
            return answer(Use.UNREADABLE, detail=str(error))

    def _read(self, tenant: Tenant, name: str, answer: Callable[..., Included]) -> Included:
        names, root = names_of(tenant), self._settings.root
        path = f"projects/{_segment(names.repository_path(root, name))}"
        project = self._client.get(path)
        if project is None:
            return answer(Use.UNREADABLE, detail="the project does not exist yet")
        other = project.get("ci_config_path")
        if other not in {None, "", _CI_FILE}:
            return answer(Use.OWN, detail=f"its CI file is {show(other)}")
        branch = project.get("default_branch")
        found = branch and self._client.get(f"{path}/repository/files/{_segment(_CI_FILE)}", ref=branch)
        if not found:
            return answer(Use.OWN, detail="it has no CI file")
        assigned = self._variable(f"groups/{_segment(names.forge_group(root))}") or self._everybody or ""
        try:
            included = tuple(_includes(_content(found), catalogue_path(self._settings)))
        except ValueError as error:
            return answer(Use.UNREADABLE, expected=assigned, detail=str(error))
        if not included:
            return answer(Use.OWN, expected=assigned, detail="it includes no file of the catalogue")
        # A variable of the project overrides those of its groups.
        value = self._variable(path) or assigned
        uses = [self._use(_VARIABLE.sub(value, ref), assigned) for ref, _ in included]
        use, ref = max(uses, key=lambda one: list(Use).index(one[0]))
        return answer(
            use,
            show(ref) if use in {Use.BRANCH, Use.UNKNOWN} else ref,
            assigned,
            self._tags.get(ref, ""),
            tuple(file for _, file in included),
        )

    def _use(self, ref: str, assigned: str) -> tuple[Use, str]:
        """Return the use of a ref. GitLab takes a tag before a branch of the same name."""
        if ref in self._tags:
            return (Use.CURRENT if ref == assigned else Use.BEHIND), ref
        known = ref in {"", "HEAD"} or self._client.get(f"{self._repository}/branches/{_segment(ref)}") is not None
        return (Use.BRANCH if known else Use.UNKNOWN), ref or "HEAD"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _content(found: Mapping[str, Any]) -> yaml.Node:
    """Return the last document of a CI file, unread. Raises ValueError, with a text that quotes nothing of it.

    The team writes the file. It is not constructed, because merge keys can expand a small file to one without end, and
    its depth is checked before it is composed, because libyaml's recursion ends the process (seen with PyYAML 6.0.3).
    """
    try:
        raw = base64.b64decode(found["content"])
    except (binascii.Error, ValueError):
        raise ValueError("GitLab's answer is not a file") from None
    if len(raw) > _LARGEST:
        raise ValueError("its CI file is too large")
    depth = 0
    try:
        for event in yaml.parse(raw, yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError("its CI file is nested too deeply")
        return list(yaml.compose_all(raw, yaml.CSafeLoader))[-1]
    except (yaml.YAMLError, IndexError, UnicodeDecodeError):
        raise ValueError("its CI file is not YAML") from None


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return {key.value: value for key, value in pairs if isinstance(key, yaml.ScalarNode)}


def _items(node: yaml.Node | None) -> list[yaml.Node | None]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _includes(content: yaml.Node, catalogue: str) -> Iterator[tuple[str, str]]:
    """Yield the ref and the file of each include of the catalogue; the ref is empty where none is stated."""
    for item in _items(_mapping(content).get("include")):
        entry = _mapping(item)
        # GitLab's paths ignore case, and a component's address may begin with a variable.
        if _text(entry.get("project")).strip("/").lower() == catalogue.lower():
            for file in _items(entry.get("file")):
                yield _text(entry.get("ref")), _text(file).lstrip("/")
        address, _, ref = _text(entry.get("component")).partition("@")
        where, _, name = address.rpartition("/")
        if where.lower().endswith(f"/{catalogue.lower()}"):
            yield ref, name
