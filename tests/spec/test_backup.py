"""The key `backup` of an environment, and its defaults."""

from __future__ import annotations

import dataclasses

import pytest

from model.clusters import ClusterBackup
from model.tenant import Backup
from tests.spec.helpers import HEAD, SETTINGS, one, problems

FILE = HEAD + "environments:\n  dev: {}\n  prod: {KEYS}\n"
NONE = dataclasses.replace(
    SETTINGS, clusters={name: dataclasses.replace(c, backup=None) for name, c in SETTINGS.clusters.items()}
)


def backup(keys: str = "", head: str = "", settings: object = SETTINGS) -> Backup | None:
    assert isinstance(settings, type(SETTINGS))
    tenant = one(head + FILE.replace("KEYS", keys), settings)
    assert tenant.environments[0].backup is None
    return tenant.environments[1].backup


def test_the_archetype_says_when_and_for_how_long() -> None:
    assert backup() == Backup("0 2 * * *", 30)
    assert backup(head="archetype: small\n") == Backup("0 2 * * *", 14)
    assert backup(head="archetype: large\n") == Backup("0 1,13 * * *", 90)
    assert backup("backup: {}") == Backup("0 2 * * *", 30)
    assert backup("backup: {keep: 7d}") == Backup("0 2 * * *", 7)
    assert backup('backup: {schedule: "30 */6 * * mon"}') == Backup("30 */6 * * mon", 30)


def test_a_cluster_without_backups_has_none() -> None:
    assert backup(settings=NONE) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("backup: {keep: 91d}", "9:25: environments.prod.backup.keep: cluster prod-1 keeps backups for 90d at most"),
        ("backup: {keep: 30}", "such as 30d"),
        ("backup: {keep: 6d}", "at least 7d"),
        ('backup: {schedule: "0 2 1 * *"}', "at least once a week"),
        ('backup: {schedule: "0 2 * feb *"}', "at least once a week"),
        ('backup: {schedule: "* * * * *"}', "once an hour at most"),
        ('backup: {schedule: "0,30 2 * * *"}', "once an hour at most"),
        ('backup: {schedule: "*/5 2 * * *"}', "once an hour at most"),
        ('backup: {schedule: "0 25 * * *"}', "the hour: out of range"),
        ("backup: {kep: 7d}", "did you mean keep?"),
        ("backup: 7d", "environments.prod.backup"),
    ],
)
def test_wrong_values_are_reported_where_they_are(content: str, says: str) -> None:
    (problem,) = problems(FILE.replace("KEYS", content))
    assert says in f"{problem.line}:{problem.column}: {problem.message}"


def test_only_production_is_backed_up_and_only_where_the_cluster_can() -> None:
    (problem,) = problems(HEAD + "environments:\n  dev: {backup: {}}\n")
    assert (problem.line, problem.column) == (8, 9)
    assert "only environments of a production stage are backed up" in problem.message
    (problem,) = problems(FILE.replace("KEYS", "backup: {keep: 7d}"), settings=NONE)
    assert "cluster prod-1 has no backups" in problem.message


def test_the_namespace_of_velero_is_reserved() -> None:
    clusters = {
        name: dataclasses.replace(c, backup=ClusterBackup(namespace="tenant-dev"))
        for name, c in SETTINGS.clusters.items()
    }
    found = problems(FILE.replace("KEYS", ""), settings=dataclasses.replace(SETTINGS, clusters=clusters))
    assert any("tenant-dev" in problem.message for problem in found)
