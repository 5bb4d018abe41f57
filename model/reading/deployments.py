"""What a repository of kind infra deploys: its conversion, and the checks of the keys that belong together."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from model.problems import KeyPath
from model.reading.chart_fields import DIGEST
from model.reading.promotions import Note
from model.reading.schema import ChartSection, RepositorySection
from model.repository import OWN_REGISTRY, Chart, Deployment, Revision
from model.settings import Settings, System
from model.texts import did_you_mean, show

#: The keys for kind infra, as attributes of a section, and in files.
_INFRA_KEYS: Mapping[str, str] = {
    "path": "path",
    "value_files": "valueFiles",
    "revision": "revision",
    "chart": "chart",
    "parameters": "parameters",
    "each_folder": "eachFolder",
}

#: The default of a chart for which the file states none.
_NO_VERSION = f"sha256:{'0' * 64}"


def check_infra_keys(name: str, stated: RepositorySection, note: Note) -> None:
    """Report the keys of a repository of kind app that are for kind infra."""
    for field, key in _INFRA_KEYS.items():
        if getattr(stated, field) not in (None, False):
            note(
                ("repositories", name, key),
                f"repositories.{name}: {key} is for repositories of kind infra; this one has kind app",
                at_key=True,
            )


def to_deployment(
    name: str,
    stated: RepositorySection,
    branch: str,
    environments: Collection[str],
    wrong: Collection[KeyPath],
    settings: Settings,
    note: Note,
) -> Deployment:
    """Return what a repository deploys; report what is wrong to `note`.

    `branch` is its default branch, `environments` are all names in the file. `wrong` are the paths of values that are
    left out.
    """
    path: KeyPath = ("repositories", name)
    if stated.each_folder and stated.chart is not None:
        note(
            (*path, "eachFolder"),
            f"repositories.{name}: with chart, the repository has value files only; leave out eachFolder",
            at_key=True,
        )
    return Deployment(
        path=stated.path or ".",
        value_files=tuple(stated.value_files or ()),
        revision=_by_environment((*path, "revision"), stated.revision or {}, branch, environments, note),
        chart=None
        if stated.chart is None
        else _chart((*path, "chart"), stated.chart, environments, wrong, settings, note),
        parameters=dict(stated.parameters or {}),
        each_folder=stated.each_folder,
    )


def _by_environment(
    path: KeyPath, stated: Mapping[str, str], default: str, environments: Collection[str], note: Note
) -> Revision:
    """Return revisions or versions by environment; `default` is for environments that have none."""
    revisions = dict(stated)
    default = revisions.pop("default", default)
    for name in revisions:
        if name not in environments:
            note(
                (*path, name),
                f"no such environment in this file: {show(name)}; {did_you_mean(name, ('default', *environments))}",
                at_key=True,
            )
    return Revision(default, revisions)


def _chart(
    path: KeyPath,
    stated: ChartSection,
    environments: Collection[str],
    wrong: Collection[KeyPath],
    settings: Settings,
    note: Note,
) -> Chart:
    own = stated.source == OWN_REGISTRY
    if own and not settings.on(System.HARBOR):
        note((*path, "source"), f"{OWN_REGISTRY} is the tenant's project in Harbor, and this platform has no Harbor")
    if "default" not in stated.version and not any(place[: len(path)] == path for place in wrong):
        missing = [name for name in environments if name not in stated.version]
        if missing:
            note(
                (*path, "version"),
                f"environment {missing[0]} has no version of the chart: state it, or `default` for all others",
                at_key=True,
            )
    address = settings.argocd.charts.get(stated.source, "")
    for name, version in stated.version.items():
        if DIGEST.fullmatch(version) and address.startswith("https://"):
            note((*path, "version", name), f"{stated.source} is a Helm repository, which has versions and no digests")
    # Without a default, every environment has its version.
    default = stated.version.get("default", _NO_VERSION)
    return Chart(
        stated.source,
        stated.name,
        _by_environment((*path, "version"), stated.version, default, environments, note),
    )
