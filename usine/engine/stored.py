"""The credentials that a state stores: when each of them ends, and a warning before that."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from model.settings import CREDENTIAL_NOTICE
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.expiry import RENEWED, end_of, is_credential
from pulumi_facts.generations import generation_of
from pulumi_facts.urns import address_of
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Notice, Severity, StoredCredential
from usine.report.words import plural

_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"


def stored_credentials(checkpoint: Mapping[str, Any]) -> tuple[StoredCredential, ...]:
    """Return the credentials of a checkpoint, the first to end first. Their values are not read."""
    found = [_credential(r) for r in resources_of(checkpoint) if not r.get("delete") and is_credential(r)]
    return tuple(sorted(found, key=lambda one: (not one.ends, one.ends, one.tenant or "", one.name)))


def _credential(resource: Mapping[str, Any]) -> StoredCredential:
    address, end = address_of(resource["urn"]), end_of(resource)
    own_name = (resource.get("inputs") or {}).get("name")
    return StoredCredential(
        tenant=address.tenant,
        system=address.system,
        type=address.type,
        name=address.name,
        generation=generation_of(address.type, address.name, own_name) or "",
        ends="" if end is None else end.strftime(_WRITTEN),
    )


def ends_soon(credential: StoredCredential, now: datetime.datetime) -> bool:
    """Return whether a credential ends within the time of notice, or has ended."""
    return bool(credential.ends) and _end(credential) <= now + CREDENTIAL_NOTICE


def expiry_notices(
    credentials: Iterable[StoredCredential], now: datetime.datetime, changing: frozenset[tuple[str, str]] = frozenset()
) -> tuple[Notice, ...]:
    """Return a warning for each owner and generation whose credentials end soon or have ended.

    `changing` are type and name of the resources that the run renews or removes: they need no warning.
    """
    grouped: dict[tuple[str, str, bool], list[StoredCredential]] = {}
    for one in credentials:
        if ends_soon(one, now) and (one.type, one.name) not in changing:
            grouped.setdefault((one.tenant or "", one.generation, one.type in RENEWED), []).append(one)
    return tuple(
        _notice(sorted(found, key=lambda one: one.ends), now)
        for _, found in sorted(grouped.items(), key=lambda item: item[0])
    )


def _notice(found: list[StoredCredential], now: datetime.datetime) -> Notice:
    first = found[0]
    end = _end(first)
    when = "has ended, on" if end <= now else "ends on"
    others = f", and {plural(len(found) - 1, 'other')} of {first.tenant or FOUNDATION} soon" if found[1:] else ""
    generation = f" (generation {first.generation})" if first.generation else ""
    renewed = first.type in RENEWED
    rotation = f"usine rotate {first.tenant}" if first.tenant else "usine rotate --all"
    return Notice(
        NoticeId.CREDENTIAL_ENDS,
        Severity.WARNING,
        f"{first.name}{generation} {when} {end:%Y-%m-%d %H:%M} UTC{others}",
        remedy="run `usine up`, which renews it" if renewed else f"renew it: `{rotation}`",
        tenant=first.tenant,
    )


def credential_facts(credentials: Iterable[StoredCredential]) -> tuple[tuple[str, str], ...]:
    """Return the fact of a report about stored credentials: how many there are, and the first that ends."""
    listed = list(credentials)
    if not listed:
        return ()
    first = next((one for one in listed if one.ends), None)
    ends = f"; the first ends on {first.ends[:10]}: {first.name}" if first else "; none of them ends"
    return (("stored credentials", f"{len(listed)}{ends}"),)


def _end(credential: StoredCredential) -> datetime.datetime:
    return datetime.datetime.strptime(credential.ends, _WRITTEN).replace(tzinfo=datetime.UTC)
