"""Drift of a cluster that pulls: files that somebody pushed, and what its Argo CD reports."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from tests import factories
from tests.zones.conftest import Zone
from tests.zones.test_publish import publish
from tests.zones.values import ZONE, state_of
from usine.drift.severity import severity
from usine.drift.zones import CLUSTER, FILE, ZonesScan, scan_zones
from usine.report.model import Action, EntrySeverity, Severity

NOW = datetime.datetime.now(datetime.UTC)
LATER = NOW + datetime.timedelta(hours=2)


def look(zone: Zone, now: datetime.datetime = NOW) -> ZonesScan:
    return scan_zones(zone.settings, ["teleservice"], state_of(factories.tenant()), zone.connections, now)


def said(seen: ZonesScan) -> str:
    (notice,) = seen.notices
    return notice.text


def test_a_published_and_synchronized_zone_has_no_drift(zone: Zone) -> None:
    publish(zone, factories.tenant())
    zone.report("success")
    seen = look(zone, LATER)
    assert (seen.findings, seen.unseen) == ((), ())
    assert said(seen).startswith(f"prod-1 is in sync at {zone.head[:12]}, reported ")


def test_a_cluster_that_never_reported_has_an_hour(zone: Zone) -> None:
    publish(zone, factories.tenant())
    assert look(zone).findings == ()
    assert look(zone).notices[0].severity is Severity.INFO
    seen = look(zone, LATER)
    assert said(seen) == "prod-1 has never reported a commit of zone lab"
    (finding,) = seen.findings
    assert (finding.type, finding.name, finding.found) == (CLUSTER, "prod-1", "never reported")
    assert severity(finding) is EntrySeverity.HIGH


def test_a_cluster_that_stopped_is_behind_since_the_commit_that_it_missed(zone: Zone) -> None:
    publish(zone, factories.tenant())
    zone.report("success")
    synced = zone.head
    zone.project.files.create(
        {"file_path": "README.more", "branch": "main", "content": "x", "commit_message": "by hand"}
    )
    publish(zone, factories.tenant())
    missed = zone.project.commits.list(ref_name="main", per_page=3, get_all=False)[1]
    seen = look(zone, LATER)
    assert said(seen) == f"prod-1 is behind since {missed.committed_date}: it last synchronized {synced[:12]}"
    assert [finding.found for finding in seen.findings] == ["behind"]


@pytest.mark.parametrize(
    ("state", "found", "text"),
    [("canceled", "out of sync", "prod-1 is out of sync at"), ("failed", "failed", "prod-1 failed to synchronize")],
)
def test_what_the_cluster_reports_is_drift_at_once(zone: Zone, state: str, found: str, text: str) -> None:
    publish(zone, factories.tenant())
    zone.report("success")
    zone.report(state)
    seen = look(zone)
    assert said(seen).startswith(text)
    assert [(f.found, severity(f)) for f in seen.findings] == [(found, EntrySeverity.HIGH)]
    zone.report("success")
    assert look(zone).findings == ()


def test_a_status_that_somebody_else_sets_does_not_count(zone: Zone) -> None:
    """A maintainer of the platform's group, and an administrator, may set any status."""
    publish(zone, factories.tenant())
    zone.report("failed")
    zone.report("success", token=zone.live.token)
    assert [finding.found for finding in look(zone).findings] == ["failed"]


def test_files_that_somebody_pushed_are_named_with_their_author(zone: Zone) -> None:
    publish(zone, factories.tenant())
    policy = "prod-1/teleservice/networkpolicy_teleservice-prod_default-deny.yaml"
    quota = "prod-1/teleservice/resourcequota_teleservice-prod_usine.yaml"
    zone.project.commits.create(
        {
            "branch": "main",
            "commit_message": "by hand",
            "author_name": "Mallory",
            "author_email": "mallory@example.com",
            "actions": [
                {"action": "create", "file_path": "prod-1/_platform/clusterrolebinding__x.yaml", "content": "kind: X"},
                {"action": "update", "file_path": quota, "content": "kind: Y"},
                {
                    "action": "delete",
                    "file_path": policy,
                },
            ],
        }
    )
    zone.report("success")
    found = {(f.kind, f.name.partition(": ")[2]): f for f in look(zone).findings}
    assert {(kind, name.rpartition("/")[2].partition("_")[0]) for kind, name in found} == {
        (Action.UNMANAGED, "clusterrolebinding"),
        (Action.CHANGED, "resourcequota"),
        (Action.MISSING, "networkpolicy"),
    }
    changed = found[Action.CHANGED, quota]
    assert (changed.type, changed.tenant, changed.call) == (FILE, "teleservice", "usine zones publish")
    assert changed.by.startswith("Mallory, ")
    severities = {kind: severity(f) for (kind, _), f in found.items()}
    assert severities == {
        Action.UNMANAGED: EntrySeverity.CRITICAL,
        Action.CHANGED: EntrySeverity.CRITICAL,
        Action.MISSING: EntrySeverity.HIGH,
    }
    publish(zone, factories.tenant())
    zone.report("success")
    assert look(zone).findings == ()


def test_a_zone_that_cannot_be_read_is_not_clean(zone: Zone) -> None:
    elsewhere = dataclasses.replace(zone.settings.gitlab, platform="elsewhere")
    zone.settings = dataclasses.replace(zone.settings, gitlab=elsewhere)
    seen = look(zone)
    assert [(part.tenant, part.system) for part in seen.unseen] == [(None, "kubernetes")]
    assert f"zone {ZONE}" in seen.unseen[0].why
