"""The difference of two plans: what the engine would create, change, replace and destroy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from model.settings import System
from pulumi_facts import urns
from pulumi_facts.data_bearing import holds_data
from pulumi_facts.paths import covers
from pulumi_facts.values import ABSENT, SECRET
from usine.diff.properties import differences, places, substituted
from usine.diff.replacement import compared, forcing
from usine.plan.model import Plan, PlannedResource
from usine.report.model import Action, Entry, PropertyChange, by_risk

#: Paths of resource options, which are not inputs.
PROVIDER_PATH = "(provider)"
PROTECT_PATH = "(protect)"
_SYSTEMS = frozenset(system.value for system in System)


def compare(base: Plan, head: Plan) -> tuple[Entry, ...]:
    """Return an entry for each object that changes, in the order of `by_risk`.

    Two resources are the same object if they have the same identity (types and name), or if the head's has the base's
    as an alias. Components are left out, since they exist in no system. Providers appear with changed settings only.
    """
    olds = {resource.key: resource for resource in base.resources if not resource.is_component}
    news = {resource.key: resource for resource in head.resources if not resource.is_component}
    free = olds.keys() - news.keys()  # an alias that is still in use belongs to another resource
    former = {
        alias: key for key, new in news.items() if key not in olds for alias in new.options.aliases if alias in free
    }
    same, gone = [], []
    for key, old in olds.items():
        new = news.get(key) or (news.get(former[key]) if key in former else None)
        if new is not None:
            same.append((old, new))
        elif not old.is_provider:
            gone.append(old)
    known = olds.keys() | former.values()
    come = [new for key, new in news.items() if key not in known and not new.is_provider]
    names = {old.label: new.label for old, new in same if old.label != new.label}
    pairs = [_Pair(_renamed(old, names), new) for old, new in same]
    _propagate(pairs, head)
    return by_risk([*map(_destroyed, gone), *map(_created, come), *(pair.entry() for pair in pairs if pair.changes)])


@dataclass(slots=True)
class _Pair:
    """One resource on both sides. `changes` are by path; `forced` are those that force a replacement.

    `follows` are the names of replaced objects that inputs are computed from.
    """

    old: PlannedResource
    new: PlannedResource
    changes: dict[str, PropertyChange] = field(default_factory=dict)
    forced: tuple[str, ...] = ()
    follows: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        old, new = self.old, self.new
        for change in (*differences(_known(old), _known(new)), *self._secrets()):
            self._add(change)
        if old.options.provider and new.options.provider and old.options.provider != new.options.provider:
            self._add(PropertyChange(PROVIDER_PATH, old.options.provider, new.options.provider))
        if old.protect != new.protect:
            self._add(PropertyChange(PROTECT_PATH, old.protect, new.protect))

    def _add(self, change: PropertyChange) -> None:
        triggers = {self.old.options.replacement_trigger, self.new.options.replacement_trigger}
        triggered = len(triggers) > 1 and None not in triggers
        if triggered or not any(covers(pattern, change.path) for pattern in self.new.options.ignore_changes):
            self.changes.setdefault(change.path, change)

    def _secrets(self) -> Iterable[PropertyChange]:
        """Yield the secrets that differ: in their value, or in the objects that they come from."""
        old, new = self.old, self.new
        for name in new.fingerprints.keys() & old.fingerprints.keys():
            if (old.fingerprints[name], old.sources.get(name)) != (new.fingerprints[name], new.sources.get(name)):
                for path, _ in places(new.inputs[name], {SECRET}, name):
                    yield PropertyChange(path, SECRET, SECRET)

    def refer_to(self, replaced: Set[str]) -> None:
        """Add the inputs that are computed from replaced objects; `replaced` has their labels."""
        for name, sources in self.new.sources.items():
            for label in replaced & set(sources):
                mark, again = _mark(label), f"{_mark(label)[:-1]}, created again]"
                for path, text in places(self.new.inputs[name], {SECRET, mark}, name):
                    self._add(PropertyChange(path, text, text.replace(mark, again)))
                    self.follows.add(urns.split(label)[1])

    def entry(self) -> Entry:
        old, new = self.old, self.new
        return Entry(
            action=Action.REPLACED if self.forced else Action.CHANGED,
            tenant=new.tenant,
            system=_system(new),
            type=new.type,
            name=new.name,
            properties=tuple(self.changes[path] for path in sorted(self.changes)),
            holds_data=holds_data(new.type, new.name),
            note="; ".join(self._notes(old, new)),
        )

    def _notes(self, old: PlannedResource, new: PlannedResource) -> Iterable[str]:
        if old.key != new.key:
            yield f"was named {old.name} before"
        if self.forced:
            order = ", which is deleted first" if new.options.delete_before_replace else ""
            yield f"a change of {_words(self.forced)} replaces the object{order}"
            if new.protect:
                yield "protected: the engine refuses to replace it"
        if self.follows:
            yield f"follows from the replacement of {_words(sorted(self.follows))}"


def _propagate(pairs: Sequence[_Pair], head: Plan) -> None:
    """Find replacements and their consequences: an object that refers to a replaced one changes, or is replaced too."""
    providers = {r.name: r for r in head.resources if r.is_provider}
    while True:
        replaced: set[str] = set()
        for pair in pairs:
            if not pair.changes or pair.forced:
                continue
            provider = providers.get(pair.new.options.provider or "")
            paths = sorted(pair.changes)
            pair.forced = (*(p for p in paths if p == PROVIDER_PATH), *forcing(paths, pair.new, provider))
            if pair.forced:
                replaced.add(pair.new.label)
        if not replaced:
            return
        for pair in pairs:
            pair.refer_to(replaced)


def _renamed(resource: PlannedResource, labels: Mapping[str, str]) -> PlannedResource:
    """Return a resource with the new names of the objects that it refers to, where these were renamed."""
    if not labels:
        return resource
    inputs, sources = dict(resource.inputs), dict(resource.sources)
    for name, found in resource.sources.items():
        for label in labels.keys() & set(found):
            inputs[name] = substituted(inputs[name], _mark(label), _mark(labels[label]))
        sources[name] = tuple(sorted(labels.get(label, label) for label in found))
    return replace(resource, inputs=inputs, sources=sources)


def _mark(label: str) -> str:
    """Return the end of the text that stands for a value from the server, such as ``[id of <name>]``."""
    return f" of {urns.split(label)[1]}]"


def _known(resource: PlannedResource) -> dict[str, object]:
    """Return the inputs that the provider compares."""
    return {name: value for name, value in resource.inputs.items() if compared(resource.type, name)}


def _created(new: PlannedResource) -> Entry:
    properties = tuple(PropertyChange(name, ABSENT, new.inputs[name]) for name in sorted(new.inputs))
    return Entry(
        Action.CREATED,
        new.tenant,
        _system(new),
        new.type,
        new.name,
        properties,
        holds_data=holds_data(new.type, new.name),
    )


def _destroyed(old: PlannedResource) -> Entry:
    kept = old.options.retain_on_delete
    note = ""
    if kept:
        note = "stays in its system and is no longer managed"
    elif old.protect:
        note = "protected: the engine refuses to destroy it"
    return Entry(
        Action.DESTROYED,
        old.tenant,
        _system(old),
        old.type,
        old.name,
        holds_data=holds_data(old.type, old.name) and not kept,
        note=note,
    )


def _system(resource: PlannedResource) -> str:
    # The provider of dynamic resources is named after its language; the resource's name is the system.
    return resource.system if resource.system in _SYSTEMS else resource.name


def _words(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
