"""A fleet whose tenants are divided among shards: a stack with several tenants runs, waits and ends as one."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model.reading.settings_load import load_settings
from model.units import is_shard, of_another_layout, tenant_of, unit_of, units_of
from tests.fleet import operated
from tests.fleet.fake import SLUGS, Fake, destroyed
from usine.engine.storage import state_storage
from usine.fleet.records import Records, Result

SHARDS: dict[str | None, tuple[str, ...]] = {"1-of-4": ("beta",), "2-of-4": ("gamma",), "3-of-4": ("alpha", "delta")}
EVERYTHING = ["prod up", "prod.1-of-4 up", "prod.2-of-4 up", "prod.3-of-4 up"]


@pytest.fixture
def shards(fleet: Fake) -> Fake:
    fleet.settle(**{"usine:fleet": {"shards": 4, "scanned": False}})
    return fleet


def settings_of(fleet: Fake, unit: str) -> Path:
    return fleet.root / "out" / "fleet" / f"prod.{unit}" / "settings.yaml"


def records(fleet: Fake) -> Records:
    return Records(state_storage({"PULUMI_BACKEND_URL": f"file://{fleet.root}"}), "prod")


SLUG = st.from_regex(r"[a-z](?:-?[a-z0-9]){1,8}", fullmatch=True)


@given(st.lists(SLUG, unique=True), st.one_of(st.none(), st.integers(2, 1000)))
def test_each_tenant_is_in_one_unit_which_does_not_depend_on_others(slugs: list[str], shards: int | None) -> None:
    units = units_of(slugs, shards)
    assert sorted(slug for members in units.values() for slug in members) == sorted(slugs)
    assert units == {unit: tuple(sorted(s for s in slugs if unit_of(s, shards) == unit)) for unit in units}
    assert all(is_shard(unit) == (shards is not None) for unit in units), "no slug is the name of a shard"
    assert all(unit_of(unit, shards) == unit for unit in units)
    assert {tenant_of(unit) for unit in units} <= ({None} if shards else set(slugs))
    assert of_another_layout({None, *units}, shards) == []
    assert of_another_layout({None, *units}, None if shards else 4) == sorted(units)
    assert of_another_layout({None, *units}, 1001) == sorted(units)


def test_the_tenants_are_spread_over_the_shards() -> None:
    sizes = [len(members) for members in units_of([f"tenant-{number}" for number in range(1000)], 10).values()]
    assert (len(sizes), sum(sizes)) == (10, 1000)
    assert min(sizes) > 60


def test_a_shard_has_one_stack_with_the_files_of_its_tenants(shards: Fake) -> None:
    assert shards.run("up") == 0
    calls = shards.calls()
    assert (calls[0], sorted(calls)) == ("prod up", EVERYTHING)
    made = load_settings(settings_of(shards, "3-of-4"))
    assert (made.foundation, made.tenants) == ("skip", ("alpha", "delta"))
    assert sorted(path.name for path in made.projects.iterdir()) == ["alpha.yaml", "delta.yaml"]
    assert {unit: run.tenants for unit, run in records(shards).runs().items()} == {None: (), **SHARDS}
    assert shards.run("up") == 0
    assert shards.calls() == []


def test_a_changed_tenant_runs_its_shard(shards: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert shards.run("up") == 0
    shards.calls()
    shards.tenant("delta", "labels: {a: b}\n")
    capsys.readouterr()
    assert shards.run("plan") == 0
    assert capsys.readouterr().out == "1 stack, files of its tenants changed: 3-of-4\n1 stack to run, 3 unchanged\n"
    assert shards.run("up") == 0
    assert shards.calls() == ["prod.3-of-4 up"]
    assert shards.run("up", "--all", "--tenant", "alpha") == 0
    assert shards.calls() == ["prod up", "prod.3-of-4 up"]
    assert shards.run("up", "--all", "--first", "gamma", "--workers", "1") == 0
    assert shards.calls() == [EVERYTHING[0], EVERYTHING[2], EVERYTHING[1], EVERYTHING[3]]
    assert shards.run("up", "--all", "--only", "tenants", "--among", "2-of-4", "--among", "4-of-4") == 0
    assert shards.calls() == ["prod.2-of-4 up"]


def test_a_tenant_leaves_its_shard_and_the_last_one_ends_it(shards: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    shards.settle(**{"usine:changes": {"massRemoval": {"fraction": 0.01, "count": 1}}})
    assert shards.run("up") == 0
    shards.calls()
    (shards.root / "projects.d" / "delta.yaml").unlink()
    capsys.readouterr()
    assert shards.run("plan") == 0
    assert capsys.readouterr().out.startswith("1 stack, files of its tenants changed: 3-of-4\n"), (
        "waves begin no new wait"
    )
    gone = [destroyed("delta", str(number)) for number in range(3)]
    shards.answers(**{"3-of-4": {"entries": gone, "exit": 1, "kind": "run"}})
    assert shards.run("up") == 1, "three objects of a tenant that leaves are no mass removal, but the run failed"
    assert records(shards).runs()["3-of-4"].tenants == ("alpha", "delta"), "it still leaves"
    shards.answers(**{"3-of-4": {"entries": gone}})
    code, report = shards.report("up")
    assert (code, shards.calls()) == (0, ["prod.3-of-4 up", "prod.3-of-4 up"])
    assert [notice.text for notice in report.notices] == []
    assert records(shards).runs()["3-of-4"].tenants == ("alpha",)
    assert load_settings(settings_of(shards, "3-of-4")).tenants == ("alpha",)
    shards.answers()
    (shards.root / "projects.d" / "alpha.yaml").unlink()
    assert shards.run("up") == 0
    assert "pulumi stack rm --force --yes --non-interactive --stack prod.3-of-4" in shards.calls()
    assert load_settings(settings_of(shards, "3-of-4")).tenants == ()
    assert "3-of-4" not in records(shards).runs()


def test_tenants_that_leave_one_shard_count_each(shards: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    shards.settle(**{"usine:changes": {"massRemoval": {"fraction": 0.01, "count": 1}}})
    assert shards.run("up") == 0
    shards.calls()
    for slug in ("alpha", "delta"):
        (shards.root / "projects.d" / f"{slug}.yaml").unlink()
    capsys.readouterr()
    assert shards.run("up") == 1
    assert shards.calls() == []
    assert "--allow-removals tenant=2" in capsys.readouterr().out


def test_the_wave_of_a_shard_is_the_first_that_names_one_of_its_tenants(shards: Fake) -> None:
    waves = [{"tenants": ["delta"]}, {"tenants": ["gamma", "alpha"]}]
    shards.settle(**{"usine:fleet": {"shards": 4, "soak": "8h", "waves": waves, "scanned": False}})
    assert shards.run("up", "--now") == 0
    shards.calls()
    shards.settle(**{"usine:limits": {"members": 90}})
    assert shards.run("up") == 0
    assert shards.calls() == ["prod up", "prod.3-of-4 up"]
    runs = records(shards).runs()
    began = runs["3-of-4"].ended - datetime.timedelta(hours=9)
    records(shards).write_run("3-of-4", dataclasses.replace(runs["3-of-4"], ended=began, since=began))
    assert shards.run("up") == 0
    assert shards.calls() == ["prod.2-of-4 up"]


def test_the_status_of_a_shard_names_its_tenants(shards: Fake) -> None:
    assert shards.run("up") == 0
    path = shards.root / "status.json"
    assert shards.run("status", "--json", str(path)) == 0
    rows = [row["tenant"] for row in json.loads(path.read_text(encoding="utf-8"))]
    assert sorted(rows) == ["(foundation)", "1-of-4 (beta)", "2-of-4 (gamma)", "3-of-4 (alpha, delta)"]


def test_a_drift_scan_of_a_shard_knows_all_tenants(shards: Fake) -> None:
    assert shards.run("up") == 0
    shards.calls()
    shards.answers(**{"3-of-4": {"entries": [{**destroyed("delta"), "action": "changed"}]}})
    code, report = shards.report("drift")
    assert (code, sorted(shards.calls())) == (2, ["prod drift", *(f"prod.{unit} drift" for unit in SHARDS)])
    assert report.verdict == "1 object of 1 stack differ."
    made = load_settings(settings_of(shards, "3-of-4"))
    assert (made.tenants, sorted(path.stem for path in made.projects.iterdir())) == (("alpha", "delta"), list(SLUGS))


@pytest.mark.parametrize("number", [5, None])
def test_another_number_of_shards_creates_nothing_again(
    shards: Fake, capsys: pytest.CaptureFixture[str], number: int | None
) -> None:
    assert shards.run("up") == 0
    operated.commit(shards)
    shards.calls()
    shards.settle(**{"usine:fleet": {} if number is None else {"shards": number}})
    actions: dict[str, Sequence[str]] = {
        **dict.fromkeys(["plan", "up", "drift", "status"], ()),
        "pipeline": ["--run", "1", "--out", str(shards.root / "out.yaml")],
        "operator": operated.arguments(shards),
        "report": ["--run", "1"],
        "agent": ["--tenant", "1-of-4", "--mode", "up", "--", "up"],
    }
    capsys.readouterr()
    for action, words in (*actions.items(), ("agent", ["--tenant", "1-of-4", "--mode", "preview", "--", "preview"])):
        assert (shards.run(action, *words), shards.calls()) == (1, []), action
        said = capsys.readouterr().err
        assert "but there are the stacks 1-of-4" in said, action
        assert "give usine:fleet.shards its earlier value" in said, action


def test_a_fleet_of_stacks_per_tenant_does_not_become_one_of_shards(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet.run("up") == 0
    fleet.calls()
    fleet.settle(**{"usine:fleet": {"shards": 4}})
    assert (fleet.run("up"), fleet.calls()) == (1, [])
    assert "the settings have 4 shards, but there are the stacks alpha, beta, delta" in capsys.readouterr().err


def test_the_jobs_and_resources_of_shards(shards: Fake) -> None:
    path = shards.root / "child.yaml"
    assert shards.run("pipeline", "--run", "7", "--out", str(path), "--first", "delta") == 0
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"shard 1-of-4", "shard 2-of-4", "shard 3-of-4"} <= set(jobs)
    assert (jobs["shard 3-of-4"]["stage"], jobs["shard 3-of-4"]["resource_group"]) == ("first", "prod.3-of-4")
    assert "--among 3-of-4" in jobs["shard 3-of-4"]["script"][0]
    operated.commit(shards)
    stacks = operated.write(shards)
    assert {name: stack["metadata"]["name"] for name, stack in stacks.items()} == {
        "prod": "prod",
        **{f"prod.{unit}": f"prod--{unit}" for unit in SHARDS},
    }
    assert operated.variables(stacks["prod.3-of-4"])["USINE_FLEET_TENANT"] == "3-of-4"


def test_records_of_an_older_version_have_one_tenant(fleet: Fake) -> None:
    assert fleet.run("up") == 0
    known = records(fleet)
    record = known.runs()["beta"]
    known.write_run("beta", dataclasses.replace(record, tenants=None))
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    assert record.result is Result.APPLIED
    fleet.settle(**{"usine:changes": {"massRemoval": {"fraction": 0.01, "count": 0}}})
    fleet.calls()
    assert (fleet.run("up"), fleet.calls()) == (1, [])
