"""Drift that the Kubernetes plugin does not see: fields and list elements that were added to an object.

The plugin compares only the fields that the program sets: a subject added to a role binding, a rule added to a network
policy or a label are no difference to it. The live object has the owner of each field (`metadata.managedFields`). A
field with another owner that the program does not set was added outside the program. A field without an owner is a
default of the server. Controllers are known by name, annotations and labels of tools by prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pulumi_facts import tokens
from pulumi_facts.paths import Path, lookup, parse, render, starts_with
from pulumi_facts.values import ABSENT, SECRET
from usine.drift.findings import DriftFinding, Means
from usine.drift.observe import Observation
from usine.report.model import Action

_MANAGER: Final = "__fieldManager"
#: Field managers of the control plane.
_CONTROLLERS: Final = frozenset(
    {"kube-apiserver", "kube-controller-manager", "cloud-controller-manager", "kube-scheduler", "kubelet"}
)
#: Fields that are never configuration: observed state, and Argo CD's request for a synchronisation.
_NOT_CONFIGURATION: Final = ("status", "operation")
#: Annotations and labels of tools and controllers, which configure nothing in our objects.
_NOTES: Final = (
    "kubernetes.io/metadata.name", "kubectl.kubernetes.io/", "deployment.kubernetes.io/", "pulumi.com/",
    "argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate", "argocd.argoproj.io/application-set-refresh",
)  # fmt: skip
#: Compared key by key, also if the program sets none.
_MAPS_OF_NOTES: Final = (("metadata", "annotations"), ("metadata", "labels"))
_SERVER_METADATA: Final = frozenset(
    {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "name",
     "namespace", "resourceVersion", "selfLink", "uid"}
)  # fmt: skip
#: Keys of Argo CD's settings that give rights or allow log-ins, add to AppProjects, or run programs of a repository, by
#: the name of the config map (https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-cm-yaml/ and
#: .../argocd-rbac-cm-yaml/). All keys `policy.*.csv` form one policy.
_OPENING: Final = {
    "argocd-cm": re.compile(
        r"accounts\..+|users\.anonymous\.enabled|dex\.config|oidc\.config|globalProjects|kustomize\.buildOptions(\..+)?"
    ),
    "argocd-rbac-cm": re.compile(r"policy\..+|scopes"),
}
_HOLDS_SECRETS: Final = frozenset({"dex.config", "oidc.config"})


@dataclass(frozen=True, slots=True)
class _Owner:
    """The entry of a field manager: the fields that it set, and when."""

    name: str
    time: str
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}, {self.time}" if self.time else self.name


def is_kubernetes(observation: Observation) -> bool:
    """Return whether the Kubernetes plugin manages the object."""
    return observation.address.type.startswith(tokens.KUBERNETES)


def unnoticed(observation: Observation) -> Iterator[DriftFinding]:
    """Yield the fields that were added to the live object, each path once.

    A Patch resource manages its own fields only. In Argo CD's settings, added keys that give access are findings too.
    """
    if observation.live is None:
        return
    if observation.address.type.endswith("Patch"):
        yield from _opened(observation, observation.live.outputs)
        return
    live = observation.live.outputs
    wanted = observation.known.inputs
    noticed = [parse(text) for text in observation.differs]
    mine, others = _owners(live)
    reported: list[Path] = []
    for owner in others:
        for path in _added(owner.fields, wanted, live, observation.known.outputs, mine):
            if not any(starts_with(path, other) for other in (*reported, *noticed)):
                reported.append(path)
                # If the whole mapping is secret, only keys that are not ours are reported.
                expected = ABSENT if (ours := lookup(wanted, path)) == SECRET else ours
                finding = _finding(observation, path, expected, lookup(live, path), str(owner))
                partly = any(starts_with(other, path) for other in noticed)
                yield replace(finding, means=Means.ENGINE) if partly else finding


def _opened(observation: Observation, live: Mapping[str, object]) -> Iterator[DriftFinding]:
    """Yield keys of Argo CD's config maps that the program does not set and that give rights or allow log-ins."""
    opening = _OPENING.get(str(lookup(observation.known.inputs, ("metadata", "name"))))
    declared, found = lookup(observation.known.inputs, ("data",)), lookup(live, ("data",))
    if opening is None or not isinstance(found, Mapping):
        return
    _, others = _owners(live)
    for key in sorted(found.keys() - (declared.keys() if isinstance(declared, Mapping) else set())):
        if opening.fullmatch(key):
            by = next(
                (str(owner) for owner in others if lookup(owner.fields, ("f:data", f"f:{key}")) is not ABSENT), ""
            )
            # The configuration of a log-in may contain its secret.
            shown = SECRET if key in _HOLDS_SECRETS else found[key]
            yield _finding(observation, ("data", key), ABSENT, shown, by)


def _finding(observation: Observation, path: Path, expected: object, found: object, by: str) -> DriftFinding:
    address = observation.address
    return DriftFinding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        render(path),
        expected,
        found,
        address.urn,
        provider=observation.provider,
        by=by,
        means=Means.PATCH if expected is ABSENT else Means.REVEAL,
    )


def _owners(live: Mapping[str, object]) -> tuple[_Owner | None, list[_Owner]]:
    """Return the program's own entry (None if there is none), and the entries of other managers.

    Without the program's entry, the owner of a field is unknown, and there is one entry without a name.
    """
    entries = lookup(live, ("metadata", "managedFields"))
    manager = live.get(_MANAGER)
    mine: dict[str, Any] = {}
    others: list[_Owner] = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping) or entry.get("subresource"):
            continue
        fields = entry.get("fieldsV1")
        name, fields = str(entry.get("manager", "")), fields if isinstance(fields, Mapping) else {}
        if name == manager:
            mine = _merged(mine, fields)
        elif name not in _CONTROLLERS:
            others.append(_Owner(name, str(entry.get("time", "")), fields))
    if not mine:
        return None, [_Owner("", "", {})]
    return _Owner(str(manager), "", mine), others


def _merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(left)
    for key, value in right.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _added(
    fields: Mapping[str, Any],
    wanted: Mapping[str, object],
    live: Mapping[str, object],
    known: Mapping[str, object],
    mine: _Owner | None,
) -> Iterator[Path]:
    """Yield the topmost paths that one owner added."""
    if mine is None:
        # The owners are unknown: a field that the last run read in the object is no addition.
        yield from _unknown(wanted, live, known, ())
    else:
        yield from _walk(fields, wanted, live, known, mine.fields, ())


def _walk(
    fields: Mapping[str, Any], wanted: object, live: object, known: object, mine: Mapping[str, Any], path: Path
) -> Iterator[Path]:
    """Follow the fields of an owner down to those that the program does not set."""
    for key, below in fields.items():
        kind, _, name = key.partition(":")
        here = (*path, name)
        there = lookup(live, (name,))
        if kind != "f" or there is ABSENT or _passed_over(here):
            continue
        if _lacks(wanted, name, key, mine) and here not in _MAPS_OF_NOTES:
            yield here
            continue
        ours, before, own = lookup(wanted, (name,)), lookup(known, (name,)), mine.get(key)
        if isinstance(there, list):
            if _longer(ours, there, before, keys=[k for k in below if k != "."]):
                yield here
        else:
            yield from _walk(below, ours, there, before, own if isinstance(own, Mapping) else {}, here)


def _lacks(wanted: object, name: str, key: str, mine: Mapping[str, Any]) -> bool:
    """Return whether the program does not set a field."""
    if wanted == SECRET:
        return key not in mine  # the keys are secret too, but the program's own entry has them
    return not isinstance(wanted, Mapping) or name not in wanted


def _longer(wanted: object, live: list[object], known: object, *, keys: list[str]) -> bool:
    """Return whether a list has an element that the program's list does not have and that the plugin does not see.

    `keys` name the elements that an owner set in a list that is merged by key; without them the list is one value.
    """
    if wanted == SECRET:
        return False
    if not isinstance(wanted, list):
        return True
    if keys:
        return any(_element(wanted, key) is ABSENT and _element(live, key) is not ABSENT for key in keys)
    if len(live) > len(wanted):
        return True
    return any(
        True
        for index, (ours, theirs) in enumerate(zip(wanted, live, strict=False))
        for _ in _unknown(ours, theirs, lookup(known, (index,)), ())
    )


def _element(items: list[object], key: str) -> object:
    """Return the element of a list for a key of managedFields: ``k:{...}`` by its keys, ``v:...`` by its value."""
    kind, _, text = key.partition(":")
    try:
        sought = json.loads(text)
    except ValueError:
        return ABSENT
    if kind == "v":
        return next((item for item in items if item == sought), ABSENT)
    if kind == "k" and isinstance(sought, dict):
        # The program may leave out keys with the server's default.
        return next(
            (
                item
                for item in items
                if isinstance(item, Mapping) and all(item.get(name, value) == value for name, value in sought.items())
            ),
            ABSENT,
        )
    return ABSENT


def _unknown(wanted: object, live: object, known: object, path: Path) -> Iterator[Path]:
    """Yield the paths that the live value has, but neither the program nor the object after the last run."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for name, value in live.items():
            here = (*path, str(name))
            before = lookup(known, (str(name),))
            if _passed_over(here) or value == before:
                continue
            if name in wanted or here in _MAPS_OF_NOTES:
                yield from _unknown(wanted.get(name, {}), value, before, here)
            else:
                yield here
    elif isinstance(wanted, list) and isinstance(live, list) and _longer(wanted, live, known, keys=[]):
        yield path


def _passed_over(path: Path) -> bool:
    """Return whether a path is not configuration."""
    if path[0] != "metadata":
        return path[0] in _NOT_CONFIGURATION or str(path[0]).startswith("__")
    if len(path) == 2:  # noqa: PLR2004 - a field of the metadata
        return path[1] in _SERVER_METADATA
    return len(path) == 3 and path[:2] in _MAPS_OF_NOTES and str(path[2]).startswith(_NOTES)  # noqa: PLR2004 - metadata, the map, the key
