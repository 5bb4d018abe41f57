"""What the engine sees: every resource of the state with its live object. Nothing is written.

`pulumi refresh --preview-only` makes each plugin read each object and compare it with the inputs in the state; the
results are in the event log. The program does not run: changes of tenant files that are not applied yet are no drift,
and a failing lookup of the program has no effect.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_facts import tokens, urns
from pulumi_facts.log import message_text, only_counts, read_log
from pulumi_facts.paths import render
from pulumi_facts.urns import Address, address_of
from pulumi_facts.values import ABSENT
from usine.drift.findings import Unseen
from usine.drift.values import properties
from usine.engine.cli import Engine, EngineError
from usine.engine.redact import Redactor

#: The words of the engine before the reason.
_LEAD = re.compile(r"(?:error: )?(?:preview failed: )?refreshing urn:pulumi:\S+: ", re.I)
_LONGEST_REASON = 300
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectValues:
    """Inputs and outputs of a resource: JSON values, secrets masked."""

    inputs: Mapping[str, object]
    outputs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Observation:
    """One object of the state: its values in the state (`known`) and in the system (`live`, None if it is missing).

    `differs` are the property paths where the plugin sees a difference. `provider` is the logical name of the explicit
    provider.
    """

    address: Address
    known: ObjectValues
    live: ObjectValues | None
    differs: tuple[str, ...] = ()
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The objects that could be read, and the parts that could not."""

    observations: tuple[Observation, ...]
    unseen: tuple[Unseen, ...] = ()


@dataclass(slots=True)
class _Pass:
    """The result of one run of the engine: observations and first lines of errors, both by URN, and general errors."""

    seen: dict[str, Observation] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)


def observe(engine: Engine, resources: Sequence[Resource]) -> Observed:
    """Read every object of the state; `resources` are those of the checkpoint.

    The engine continues if an object cannot be read. It stops if a plugin cannot be configured (some plugins do this
    when their system does not answer) or exits. The objects of that plugin are then left out, and the engine runs
    again. Raises EngineError if the engine fails for another reason.
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
    """Return a part of the path of a provider's plugin, which is in no other message of the engine."""
    return f"resource-{tokens.package_of(urns.types_of(urns.provider_urn(provider))[-1])}-v"


def _unseen(failed: Mapping[str, str]) -> tuple[Unseen, ...]:
    """Return one part for each tenant and system, with the first reason."""
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
        found = read_events(read_log(log), redactor)
    if done.returncode != 0 and not (found.failed or found.general):
        found.general.append(redactor.text((done.stderr or done.stdout).strip() or "pulumi reported nothing"))
    return found


def read_events(events: Iterable[Mapping[str, Any]], redactor: Redactor) -> _Pass:
    """Read the events of a refresh. The result has no secrets."""
    found = _Pass()
    for event in events:
        match event:
            case {"resOutputsEvent": {"metadata": {"urn": str(urn), "old": dict(old)} as metadata}}:
                if (address := address_of(urn)).is_object:
                    found.seen[urn] = _observation(address, old, metadata, redactor)
            case {"diagnosticEvent": {"severity": "error", "message": str(message), **rest}}:
                text = redactor.text(message_text(message))
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
        # A dynamic provider only reports that there is a difference.
        differs = _unequal(known.inputs, live.inputs) or _unequal(known.outputs, live.outputs)
    return Observation(
        address,
        known,
        live,
        differs,
        urns.provider_name(str(metadata.get("provider") or "")),
    )


def _unequal(left: Mapping[str, object], right: Mapping[str, object]) -> tuple[str, ...]:
    names = sorted(name for name in left.keys() | right.keys() if not name.startswith("__"))
    return tuple(render((name,)) for name in names if left.get(name, ABSENT) != right.get(name, ABSENT))


def _side(state: Mapping[str, Any], redactor: Redactor) -> ObjectValues:
    return ObjectValues(
        properties(state.get("inputs") or {}, redactor), properties(state.get("outputs") or {}, redactor)
    )


def _short(message: str) -> str:
    """Return the most useful line of a message of the engine."""
    lines = [line.strip(" *\t") for line in _LEAD.sub("", message).splitlines() if line.strip(" *\t")]
    telling = [
        line
        for line in lines
        if not (line.lower().startswith(("urn:", "preview failed", "error: preview failed")) or only_counts(line))
    ]
    text = (telling or lines or ["no reason given"])[0]
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
