"""The semantic difference of two plans: what the engine would create, change, replace and destroy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from model.settings import System
from usine.data_bearing import holds_data
from usine.diff.properties import differences, places, substituted
from usine.diff.replacement import compared, covers, forcing
from usine.plan.model import SECRET, Plan, PlannedResource
from usine.report.model import ABSENT, Action, Entry, PropertyChange, by_risk

#: Paths of what is no input but an option of a resource.
PROVIDER_PATH = "(provider)"
PROTECT_PATH = "(protect)"
_SYSTEMS = frozenset(system.value for system in System)


def compare(base: Plan, head: Plan) -> tuple[Entry, ...]:
    """Return what becomes of every object, in the order of `by_risk`; what stays as it is has no entry.

    Resources are the same when their identity is (type chain and name), or when the head says under which identity it
    was known before. Components are left out, as they exist in no system; of providers, only changed settings are told.
    """
    olds = {resource.key: resource for resource in base.resources if not resource.is_component}
    news = {resource.key: resource for resource in head.resources if not resource.is_component}
    free = olds.keys() - news.keys()  # a former name that is still in use is somebody else's
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
    _settle(pairs, head)
    return by_risk([*map(_destroyed, gone), *map(_created, come), *(pair.entry() for pair in pairs if pair.changes)])


@dataclass(slots=True)
class _Pair:
    """One resource on both sides; `changes` by path, `forced` those of them that make a new object."""

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
        """Yield the secrets that are others: made of something else, or from somewhere else."""
        old, new = self.old, self.new
        for name in new.fingerprints.keys() & old.fingerprints.keys():
            if (old.fingerprints[name], old.sources.get(name)) != (new.fingerprints[name], new.sources.get(name)):
                for path, _ in places(new.inputs[name], {SECRET}, name):
                    yield PropertyChange(path, SECRET, SECRET)

    def refer_to(self, replaced: Set[str]) -> None:
        """Take note of inputs that are computed from replaced objects, by their labels."""
        for name, sources in self.new.sources.items():
            for label in replaced & set(sources):
                mark, anew = _mark(label), f"{_mark(label)[:-1]}, made anew]"
                for path, text in places(self.new.inputs[name], {SECRET, mark}, name):
                    self._add(PropertyChange(path, text, text.replace(mark, anew)))
                    self.follows.add(label.partition("::")[2])

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
            yield f"known as {old.name} before"
        if self.forced:
            order = ", the old one is deleted first" if new.options.delete_before_replace else ""
            yield f"a change of {_words(self.forced)} makes another object of it{order}"
            if new.protect:
                yield "protected: the engine refuses to replace it"
        if self.follows:
            yield f"follows from the replacement of {_words(sorted(self.follows))}"


def _settle(pairs: Sequence[_Pair], head: Plan) -> None:
    """Find what is replaced, and what follows: who refers to a replaced object changes, and may be replaced for it."""
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
    """Return what refers to objects by their former names with the names they have now: they are the same objects."""
    if not labels:
        return resource
    inputs, sources = dict(resource.inputs), dict(resource.sources)
    for name, found in resource.sources.items():
        for label in labels.keys() & set(found):
            inputs[name] = substituted(inputs[name], _mark(label), _mark(labels[label]))
        sources[name] = tuple(sorted(labels.get(label, label) for label in found))
    return replace(resource, inputs=inputs, sources=sources)


def _mark(label: str) -> str:
    """Return how a plan refers to what only the server knows of an object: ``[id of <name>]`` and the like."""
    return f" of {label.partition('::')[2]}]"


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
        note = "left where it is, and no longer managed"
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
    # The provider of dynamic resources is called by its language; its name says the system.
    return resource.system if resource.system in _SYSTEMS else resource.name


def _words(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
