"""Objects the state knows: which of their properties somebody changed, and which objects are gone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from usine.data_bearing import holds_data
from usine.drift import kubernetes, left_open, unread
from usine.drift.findings import Finding
from usine.drift.observe import Observation
from usine.drift.paths import Path, lookup, parse, render, starts_with
from usine.report.model import ABSENT, Action


def compare(observations: Iterable[Observation]) -> Iterator[Finding]:
    """Yield what differs, object by object, property by property."""
    for observation in observations:
        if observation.live is None:
            yield _missing(observation)
            continue
        yield from left_open.moved(observation)
        yield from unread.rewritten(observation)
        added = list(kubernetes.unnoticed(observation)) if kubernetes.is_kubernetes(observation) else []
        lists = [parse(finding.path) for finding in added]
        seen = list(differences(observation))
        # What is empty on both sides, whatever it is called there, comes along with a difference; it is none.
        telling = [one for one in seen if not (_is_empty(one[1]) and _is_empty(one[2]))]
        for path, expected, found in telling or seen:
            if not any(starts_with(path, above) for above in lists):
                yield _changed(observation, render(path), expected, found)
        yield from added


def _missing(observation: Observation) -> Finding:
    address = observation.address
    return Finding(
        Action.MISSING,
        address.tenant,
        address.system,
        address.type,
        address.name,
        urn=address.urn,
        holds_data=holds_data(address.type, address.name),
    )


def _changed(observation: Observation, path: str, expected: object, found: object) -> Finding:
    address = observation.address
    return Finding(
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
    """Yield path, expected and found value of what the plugin sees, each path once.

    A list of plain values is one property: which of its places differ says nothing to anyone. What neither side has
    under the plugin's path (a set's elements have no fixed places) is told of the whole set.
    """
    live = observation.live
    if live is None:
        return
    told: set[Path] = set()
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
        if path not in told and not _is_one_moment(expected, found):
            told.add(path)
            yield path, expected, found


def _is_one_moment(expected: object, found: object) -> bool:
    """Say whether two texts are one time, at two offsets: a server writes it at its own."""
    try:
        one, other = (datetime.datetime.fromisoformat(str(text)) for text in (expected, found))
    except ValueError:
        return False
    return one == other and one.tzinfo is not None


def _is_empty(value: object) -> bool:
    return value is ABSENT or value is None or value in ("", [], {})


def _is_plain(*items: object) -> bool:
    return not any(isinstance(item, (dict, list)) for item in items)
