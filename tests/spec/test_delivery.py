"""The key `secrets.deliver`: its values, and the environments that it names."""

from __future__ import annotations

import dataclasses

import pytest

from model.tenant import DeliveredSecret
from tests.spec.helpers import HEAD, SETTINGS, one, problems

FILE = HEAD + "environments:\n  dev: {}\n  prod: {}\nsecrets: {deliver: {NAME: {KEYS}}}\n"
#: Only the cluster of `dev` delivers.
HALF = dataclasses.replace(
    SETTINGS,
    clusters={
        **SETTINGS.clusters,
        "prod-1": dataclasses.replace(SETTINGS.clusters["prod-1"], secret_delivery=None),
    },
)
NONE = dataclasses.replace(
    SETTINGS,
    clusters={name: dataclasses.replace(c, secret_delivery=None) for name, c in SETTINGS.clusters.items()},
)


def text(keys: str = "", name: str = "database") -> str:
    return FILE.replace("NAME", name).replace("KEYS", keys)


def test_a_secret_has_defaults() -> None:
    assert one(text()).delivered == (DeliveredSecret("database", ("dev", "prod"), "database"),)
    stated = one(text("environments: [prod], path: app/Db_1, keys: {DB.user: user-name}"))
    assert stated.delivered == (DeliveredSecret("database", ("prod",), "app/Db_1", {"DB.user": "user-name"}),)
    assert one(text("environments: [dev]"), HALF).delivered == (DeliveredSecret("database", ("dev",), "database"),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (text("environments: [dve]"), '10:47: no such environment in this file: "dve"; did you mean dev?'),
        (text("environments: [dev, dev]"), '10:52: "dev" is in this list twice'),
        (text("environments: []"), "10:46: secrets.deliver.database.environments: the list is empty"),
        (text("path: ../prod/db"), "no part begins with a dot"),
        (text("path: a//b"), "expected a path below env/<environment>/"),
        (text("path: /a"), "expected a path below env/<environment>/"),
        (text("path: 'a/{{ b }}'"), "expected a path below env/<environment>/"),
        (text("keys: {}"), "keys"),
        (text("keys: {'a b': c}"), "a key of a Secret has letters"),
        (text("keys: {..a: c}"), "a key of a Secret has letters"),
        (text("keys: {.: c}"), "a key of a Secret has letters"),
        (text("keys: {a: b.c}"), "the name of a field in Vault"),
        (text("kyes: {a: b}"), "unknown key kyes; did you mean keys?"),
        (text(name="usine-registry"), "does not begin with usine-"),
        (text(name="Database"), "the name of a Secret"),
        (text(name="a" * 64), "up to 63"),
    ],
)
def test_wrong_values_are_reported_where_they_are(content: str, says: str) -> None:
    (problem,) = problems(content)
    assert says in f"{problem.line}:{problem.column}: {problem.message}"
    assert problem.line == 10


@pytest.mark.parametrize(
    ("keys", "column", "says"),
    [
        ("environments: [dev, prod]", 52, "cluster prod-1 of environment prod delivers no secrets; environments of "),
        ("", 21, "secrets.deliver.database: without `environments`, it is for all of them; cluster prod-1 of"),
    ],
)
def test_an_environment_on_a_cluster_that_delivers_nothing_is_refused(keys: str, column: int, says: str) -> None:
    (problem,) = problems(text(keys), settings=HALF)
    assert (problem.line, problem.column) == (10, column)
    assert says in problem.message
    assert problem.message.endswith("that can have it: dev")


def test_the_key_is_refused_where_no_cluster_delivers() -> None:
    (problem,) = problems(text("environments: [dev]"), settings=NONE)
    assert problem.message.endswith("delivers no secrets; environments of this file that can have it: none")
