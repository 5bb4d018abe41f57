"""What the Kubernetes plugin does not notice: fields and list elements added to an object beside the program's own.

The plugin compares only the part of the live object that has the shape of the program's inputs: a subject added to a
role binding, a rule that opens a network policy, a label are no difference to it. The live object says itself, field by
field, who set what (`metadata.managedFields`): what somebody else set and the program does not have was added by hand.
What nobody owns is the server's default; controllers are known by name, and what tools leave in notes by prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from usine.drift.findings import Finding, Means
from usine.drift.observe import Observation
from usine.drift.paths import Path, lookup, parse, render, starts_with
from usine.plan.model import SECRET
from usine.report.model import ABSENT, Action

_MANAGER: Final = "__fieldManager"
#: The control plane's own writers.
_CONTROLLERS: Final = frozenset(
    {"kube-apiserver", "kube-controller-manager", "cloud-controller-manager", "kube-scheduler", "kubelet"}
)
#: Fields of their owners, whoever they are: observed state, and Argo CD's request for a synchronisation.
_NOT_CONFIGURATION: Final = ("status", "operation")
#: Notes that tools and controllers leave; they configure nothing of what we make.
_NOTES: Final = (
    "kubernetes.io/metadata.name", "kubectl.kubernetes.io/", "deployment.kubernetes.io/", "pulumi.com/",
    "argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate",
)  # fmt: skip
#: Told key by key, also where the program has none.
_MAPS_OF_NOTES: Final = (("metadata", "annotations"), ("metadata", "labels"))
_SERVER_METADATA: Final = frozenset(
    {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "name",
     "namespace", "resourceVersion", "selfLink", "uid"}
)  # fmt: skip
#: Keys of Argo CD's own settings that give rights or let people in, by the config map's name
#: (https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-cm-yaml/ and .../argocd-rbac-cm-yaml/). All keys
#: `policy.*.csv` are one policy.
_OPENING: Final = {
    "argocd-cm": re.compile(r"accounts\..+|users\.anonymous\.enabled|dex\.config|oidc\.config"),
    "argocd-rbac-cm": re.compile(r"policy\..+|scopes"),
}
_HOLDS_SECRETS: Final = frozenset({"dex.config", "oidc.config"})


@dataclass(frozen=True, slots=True)
class _Owner:
    """A manager's entry: what it set, and when."""

    name: str
    time: str
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}, {self.time}" if self.time else self.name


def is_kubernetes(observation: Observation) -> bool:
    """Say whether the Kubernetes plugin manages the object."""
    return observation.address.type.startswith("kubernetes:")


def unnoticed(observation: Observation) -> Iterator[Finding]:
    """Yield what was added to the live object; each path once.

    A Patch resource is about its own fields only; of Argo CD's settings, what opens a way in is told besides.
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
    told: list[Path] = []
    for owner in others:
        for path in _added(owner.fields, wanted, live, observation.known.outputs, mine):
            if not any(starts_with(path, other) for other in (*told, *noticed)):
                told.append(path)
                # In what is secret as a whole, only a key that is not ours is told of.
                expected = ABSENT if (ours := lookup(wanted, path)) == SECRET else ours
                finding = _finding(observation, path, expected, lookup(live, path), str(owner))
                partly = any(starts_with(other, path) for other in noticed)
                yield replace(finding, means=Means.ENGINE) if partly else finding


def _opened(observation: Observation, live: Mapping[str, object]) -> Iterator[Finding]:
    """Yield keys of Argo CD's config maps that are not declared, and that give rights or another log-in."""
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
            # A log-in's configuration may hold its secret.
            shown = SECRET if key in _HOLDS_SECRETS else found[key]
            yield _finding(observation, ("data", key), ABSENT, shown, by)


def _finding(observation: Observation, path: Path, expected: object, found: object, by: str) -> Finding:
    address = observation.address
    return Finding(
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
    """Our own entry (None: not there, so nobody can tell who set what), and those of everybody else.

    Without ours, everything in the object counts as set by somebody unknown.
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
        # Nobody's fields are known: what was there when we last wrote the object is no addition.
        yield from _strangers(wanted, live, known, ())
    else:
        yield from _walk(fields, wanted, live, known, mine.fields, ())


def _walk(
    fields: Mapping[str, Any], wanted: object, live: object, known: object, mine: Mapping[str, Any], path: Path
) -> Iterator[Path]:
    """Follow an owner's fields down to what the program does not have."""
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
    """Say whether the program does not have a field."""
    if wanted == SECRET:
        return key not in mine  # secret as a whole, keys and all: but what we set ourselves, we know
    return not isinstance(wanted, Mapping) or name not in wanted


def _longer(wanted: object, live: list[object], known: object, *, keys: list[str]) -> bool:
    """Say whether a list has something that the program's does not, out of the plugin's sight.

    `keys` name the elements an owner set in a list that is merged by key; without them the list is one value.
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
        for _ in _strangers(ours, theirs, lookup(known, (index,)), ())
    )


def _element(items: list[object], key: str) -> object:
    """Find the element of a list that a managed-fields key names: ``k:{...}`` by its keys, ``v:...`` by its value."""
    kind, _, text = key.partition(":")
    try:
        sought = json.loads(text)
    except ValueError:
        return ABSENT
    if kind == "v":
        return next((item for item in items if item == sought), ABSENT)
    if kind == "k" and isinstance(sought, dict):
        # Keys that are the server's default may be missing in what the program says.
        return next(
            (
                item
                for item in items
                if isinstance(item, Mapping) and all(item.get(name, value) == value for name, value in sought.items())
            ),
            ABSENT,
        )
    return ABSENT


def _strangers(wanted: object, live: object, known: object, path: Path) -> Iterator[Path]:
    """Yield what a live value has, and neither the program nor the object as we last wrote it."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for name, value in live.items():
            here = (*path, str(name))
            before = lookup(known, (str(name),))
            if _passed_over(here) or value == before:
                continue
            if name in wanted or here in _MAPS_OF_NOTES:
                yield from _strangers(wanted.get(name, {}), value, before, here)
            else:
                yield here
    elif isinstance(wanted, list) and isinstance(live, list) and _longer(wanted, live, known, keys=[]):
        yield path


def _passed_over(path: Path) -> bool:
    """Say whether a path is nothing that anyone configures."""
    if path[0] != "metadata":
        return path[0] in _NOT_CONFIGURATION or str(path[0]).startswith("__")
    if len(path) == 2:  # noqa: PLR2004 - a field of the metadata
        return path[1] in _SERVER_METADATA
    return len(path) == 3 and path[:2] in _MAPS_OF_NOTES and str(path[2]).startswith(_NOTES)  # noqa: PLR2004
