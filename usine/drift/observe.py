"""What the engine sees: every resource of the state beside its live object. Nothing is written.

`pulumi refresh --preview-only` asks each plugin to read each object, and to compare what it read with the inputs in the
state; all of it is in the event log. The program does not run, so what the tenant files ask and no run has applied yet
is no drift, and a failing look-up of the program spoils nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usine.drift.findings import Unseen
from usine.drift.paths import render
from usine.drift.values import properties
from usine.engine.cli import Engine, EngineError
from usine.engine.events import only_counts
from usine.engine.redact import Redactor
from usine.engine.urns import Address, address_of
from usine.report.model import ABSENT

_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
#: What the engine says before it says why.
_LEAD = re.compile(r"(?:error: )?(?:preview failed: )?refreshing urn:pulumi:\S+: ", re.I)
_LONGEST_REASON = 300
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a resource: JSON values, secrets masked."""

    inputs: Mapping[str, object]
    outputs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Observation:
    """One object of the state: what the state knows, what is there (None: nothing), where the plugin sees them differ.

    `differs` are property paths, as Pulumi writes them. `provider` is the logical name of the explicit provider.
    """

    address: Address
    known: Side
    live: Side | None
    differs: tuple[str, ...] = ()
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """All that could be looked at, and what could not."""

    observations: tuple[Observation, ...]
    unseen: tuple[Unseen, ...] = ()


@dataclass(slots=True)
class _Pass:
    """What one run of the engine said: by URN, observations and the first line of what failed."""

    seen: dict[str, Observation] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)


def observe(engine: Engine, resources: Sequence[Resource]) -> Observed:
    """Look at everything in the state (`resources` are those of its checkpoint).

    The engine goes on when an object cannot be read, but not when a plugin cannot be configured, which is how a system
    that does not answer shows in some plugins, nor when a plugin dies: everything of that plugin is then left out, and
    the rest looked at again. Raises EngineError when the engine fails for a reason that is no object's.
    """
    by_provider: dict[str, list[str]] = {}
    for resource in resources:
        if resource.get("custom") and resource.get("provider"):
            by_provider.setdefault(str(resource["provider"]), []).append(str(resource["urn"]))
    seen: dict[str, Observation] = {}
    failed: dict[str, str] = {}
    for _ in range(len(by_provider) + 1):
        done = _refresh(engine, sorted(failed))
        seen |= done.seen
        failed |= done.failed
        blamed = {
            provider: _short(message)
            for message in done.general
            for provider, urns in by_provider.items()
            if not set(urns) <= failed.keys() and any(word in message for word in (_plugin(provider), provider, *urns))
        }
        if not blamed:
            if done.general and not done.failed:
                raise EngineError(f"pulumi refresh failed: {_short(done.general[0])}")
            break
        failed |= {urn: why for provider, why in blamed.items() for urn in by_provider[provider]}
    return Observed(
        tuple(observation for urn, observation in sorted(seen.items()) if urn not in failed), _unseen(failed)
    )


def _plugin(provider: str) -> str:
    """Return what stands in the path of a provider's plugin, and in nothing else the engine says."""
    return f"resource-{provider.rpartition('pulumi:providers:')[2].partition('::')[0]}-v"


def _unseen(failed: Mapping[str, str]) -> tuple[Unseen, ...]:
    """One line for each tenant and system; the first reason stands for the others."""
    parts: dict[tuple[str, str], Unseen] = {}
    for urn, why in sorted(failed.items()):
        address = address_of(urn)
        parts.setdefault((address.tenant or "", address.system), Unseen(address.tenant, address.system, why))
    return tuple(parts[key] for key in sorted(parts))


def _refresh(engine: Engine, without: Iterable[str]) -> _Pass:
    redactor = Redactor.of(engine.environment)
    with tempfile.TemporaryDirectory(prefix="usine-") as folder:
        log = Path(folder) / "events.json"
        excluded = [argument for urn in without for argument in ("--exclude", urn)]
        done = subprocess.run(
            engine.command(
                "refresh", "--preview-only", "--suppress-outputs", "--color=never", "--event-log", str(log), *excluded
            ),
            cwd=engine.root,
            env=engine.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        found = read_events(_lines(log), redactor) if log.exists() else _Pass()
    if done.returncode != 0 and not (found.failed or found.general):
        found.general.append(redactor.text((done.stderr or done.stdout).strip() or "pulumi said nothing"))
    return found


def _lines(log: Path) -> Iterator[Mapping[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def read_events(events: Iterable[Mapping[str, Any]], redactor: Redactor) -> _Pass:
    """Read the events of a refresh; nothing of what comes out is secret."""
    found = _Pass()
    for event in events:
        match event:
            case {"resOutputsEvent": {"metadata": {"urn": str(urn), "old": dict(old)} as metadata}}:
                if (address := address_of(urn)).is_object:
                    found.seen[urn] = _observation(address, old, metadata, redactor)
            case {"diagnosticEvent": {"severity": "error", "message": str(message), **rest}}:
                text = redactor.text(_COLOUR.sub("", message).strip())
                urn = str(rest.get("urn") or "")
                if urn and address_of(urn).is_object:
                    found.failed.setdefault(urn, _short(text))
                else:
                    found.general.append(f"{urn} {text}".strip())
            case _:
                pass
    return found


def _observation(
    address: Address, old: Mapping[str, Any], metadata: Mapping[str, Any], redactor: Redactor
) -> Observation:
    new = metadata.get("new")
    known, live = _side(old, redactor), _side(new, redactor) if isinstance(new, dict) else None
    differs = tuple(sorted(metadata.get("detailedDiff") or metadata.get("diffs") or ()))
    if live is not None and metadata["op"] == "update" and not differs:
        # A dynamic provider only says that something differs.
        differs = _unequal(known.inputs, live.inputs) or _unequal(known.outputs, live.outputs)
    return Observation(
        address,
        known,
        live,
        differs,
        str(metadata.get("provider") or "").rpartition("::")[0].rpartition("::")[2],
    )


def _unequal(left: Mapping[str, object], right: Mapping[str, object]) -> tuple[str, ...]:
    names = sorted(name for name in left.keys() | right.keys() if not name.startswith("__"))
    return tuple(render((name,)) for name in names if left.get(name, ABSENT) != right.get(name, ABSENT))


def _side(state: Mapping[str, Any], redactor: Redactor) -> Side:
    return Side(properties(state.get("inputs") or {}, redactor), properties(state.get("outputs") or {}, redactor))


def _short(message: str) -> str:
    """The line of an engine's message that says most."""
    lines = [line.strip(" *\t") for line in _LEAD.sub("", message).splitlines() if line.strip(" *\t")]
    telling = [
        line
        for line in lines
        if not (line.lower().startswith(("urn:", "preview failed", "error: preview failed")) or only_counts(line))
    ]
    text = (telling or lines or ["no reason given"])[0]
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
