"""Managed objects: changed properties, and objects that are missing."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from pulumi_facts.data_bearing import holds_data
from pulumi_facts.paths import Path, lookup, parse, render, starts_with
from pulumi_facts.values import ABSENT
from usine.drift import kubernetes, left_open, unread
from usine.drift.findings import DriftFinding
from usine.drift.observe import Observation
from usine.report.model import Action


def compare(observations: Iterable[Observation]) -> Iterator[DriftFinding]:
    """Yield the findings, object by object, property by property."""
    for observation in observations:
        if observation.live is None:
            yield _missing(observation)
            continue
        yield from left_open.moved(observation)
        yield from unread.rewritten(observation)
        added = list(kubernetes.unnoticed(observation)) if kubernetes.is_kubernetes(observation) else []
        lists = [parse(finding.path) for finding in added]
        seen = list(differences(observation))
        # A plugin may also name properties that are empty on both sides: they are no difference.
        telling = [one for one in seen if not (_is_empty(one[1]) and _is_empty(one[2]))]
        for path, expected, found in telling or seen:
            if not any(starts_with(path, above) for above in lists):
                yield _changed(observation, render(path), expected, found)
        yield from added


def _missing(observation: Observation) -> DriftFinding:
    address = observation.address
    return DriftFinding(
        Action.MISSING,
        address.tenant,
        address.system,
        address.type,
        address.name,
        urn=address.urn,
        holds_data=holds_data(address.type, address.name),
    )


def _changed(observation: Observation, path: str, expected: object, found: object) -> DriftFinding:
    address = observation.address
    return DriftFinding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        path,
        expected,
        found,
        address.urn,
        holds_data=holds_data(address.type, address.name),
    )


def differences(observation: Observation) -> Iterator[tuple[Path, object, object]]:
    """Yield path, expected and found value of the differences that the plugin sees, each path once.

    A list of plain values is one property, since the index that differs tells nothing. If no side has a value at the
    plugin's path, as in a set, whose elements have no fixed index, the difference is that of the whole set.
    """
    live = observation.live
    if live is None:
        return
    seen: set[Path] = set()
    for text in observation.differs:
        path = parse(text)
        while True:
            expected = lookup(observation.known.inputs, path)
            found = lookup(live.outputs, path)
            if found is ABSENT:
                found = lookup(live.inputs, path)
            place = path[-1] if path else ""
            if path[1:] and ((isinstance(place, int) and _is_plain(expected, found)) or expected is found is ABSENT):
                path = path[:-1]
                continue
            break
        if path not in seen and not _is_one_moment(expected, found):
            seen.add(path)
            yield path, expected, found


def _is_one_moment(expected: object, found: object) -> bool:
    """Return whether two texts are the same time in two time zones: a server may use its own."""
    try:
        one, other = (datetime.datetime.fromisoformat(str(text)) for text in (expected, found))
    except ValueError:
        return False
    return one == other and one.tzinfo is not None


def _is_empty(value: object) -> bool:
    return value is ABSENT or value is None or value in ("", [], {})


def _is_plain(*items: object) -> bool:
    return not any(isinstance(item, (dict, list)) for item in items)
