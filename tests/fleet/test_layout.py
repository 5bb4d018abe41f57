"""The settings file of each stack, and the digests that it gives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import FoundationMode
from tests.guard.samples import program_files
from tests.spec.helpers import LAB, ROOT
from usine.fleet.inputs import read_inputs
from usine.fleet.layout import Layout
from usine.fleet.records import Inputs

PROJECTS = ROOT / "projects.d"
SLUGS = tuple(sorted(path.stem for path in PROJECTS.glob("[a-z]*.yaml")))
SHORT = {"name": "g2", "until": "2027-06-30"}


def layout(folder: Path, slugs: Sequence[str] | None = None, **keys: Any) -> Layout:
    document = yaml.safe_load(LAB.read_text(encoding="utf-8"))
    document["config"] |= {f"usine:{key}": value for key, value in keys.items()}
    path = folder / "Pulumi.prod.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return Layout.read("prod", path, PROJECTS, folder / "fleet", SLUGS if slugs is None else slugs)


def inputs(folder: Path, **keys: Any) -> dict[str | None, Inputs]:
    made = layout(folder, **keys)
    settings = load_settings(made.settings)
    program_files(folder)
    for path in settings.authorities:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("certificate", encoding="ascii")
    return read_inputs(folder, made, settings, load(PROJECTS, settings), None)


def changed(folder: Path, **keys: Any) -> set[str | None]:
    before, after = inputs(folder), inputs(folder, **keys)
    return {slug for slug in before if before[slug] != after[slug]}


def test_a_stack_has_the_foundation_or_one_tenant(tmp_path: Path) -> None:
    made = layout(tmp_path)
    foundation, tenant = (load_settings(made.write(slug)) for slug in (None, "petitions"))
    assert (foundation.foundation, foundation.tenants) == (FoundationMode.ONLY, None)
    assert (tenant.foundation, tenant.tenants) == (FoundationMode.SKIP, ("petitions",))
    assert tenant.projects == PROJECTS
    assert (made.stack(None), made.stack("petitions")) == ("prod", "prod.petitions")
    gone = load_settings(layout(tmp_path, ()).write("petitions"))
    assert (gone.foundation, gone.tenants) == (FoundationMode.SKIP, ())


def test_a_run_reads_the_file_of_its_tenant_alone(tmp_path: Path) -> None:
    made = layout(tmp_path, fleet={"waves": [{"tenants": ["teleservice"]}], "longestHold": "9d"})
    for _ in range(2):
        settings = load_settings(made.write("petitions", alone=True))
        assert [tenant.slug for tenant in load(settings.projects, settings)] == ["petitions"]
        assert (settings.fleet.waves, settings.fleet.longest_hold) == ((), 9)
    assert load_settings(made.write(None, alone=True)).projects == PROJECTS, "the foundation has the people of all"
    gone = load_settings(layout(tmp_path, ()).write("petitions", alone=True))
    assert load(gone.projects, gone) == ()
    scan = load_settings(made.write("petitions"))
    assert {tenant.slug for tenant in load(scan.projects, scan)} == set(SLUGS)


def test_settings_of_another_tenant_are_left_out(tmp_path: Path) -> None:
    credentials = {"petitions": [SHORT]}
    made = layout(tmp_path, tenantCredentials=json.dumps(credentials))
    assert load_settings(made.write("petitions")).tenant_credentials.keys() == {"petitions"}
    assert load_settings(made.write("teleservice")).tenant_credentials == {}
    assert load_settings(made.write(None)).tenant_credentials.keys() == {"petitions"}


def test_a_stack_has_a_salt_of_its_own(tmp_path: Path) -> None:
    made = layout(tmp_path)
    made = dataclasses.replace(made, document={**made.document, "encryptionsalt": "v1:base"})
    path = made.write("petitions")
    assert made.salt(path) == ""
    assert made.salt(made.write("petitions", "v1:own")) == "v1:own"
    assert made.salt(made.write("petitions")) == "", "what another platform left in the folder does not count"
    assert made.salt(made.write(None, "v1:own")) == "v1:base"


def test_waivers_are_beside_the_settings(tmp_path: Path) -> None:
    made = layout(tmp_path)
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("[]\n", encoding="utf-8")
    beside = made.write("petitions").with_name("waivers.yaml")
    assert beside.read_text(encoding="utf-8") == "[]\n"
    waivers.unlink()
    made.write("petitions")
    assert not beside.exists()


@pytest.mark.parametrize(
    ("keys", "stacks"),
    [
        ({}, set()),
        ({"projects": "elsewhere"}, set()),
        ({"tenantCredentials": {"petitions": [SHORT]}}, {None, "petitions"}),
        ({"catalogue": {"version": "v1-0123456789abcdef", "first": ["petitions"]}}, {None, *SLUGS}),
        ({"limits": {"members": 90}}, {None, *SLUGS}),
    ],
)
def test_a_change_of_settings_concerns_these_stacks(
    tmp_path: Path, keys: dict[str, Any], stacks: set[str | None]
) -> None:
    assert changed(tmp_path, **keys) == stacks


def test_first_tenants_of_a_catalogue_concern_themselves(tmp_path: Path) -> None:
    version = "v1-0123456789abcdef"
    before = inputs(tmp_path, catalogue={"version": version, "first": ["petitions"]})
    after = inputs(tmp_path, catalogue={"version": version, "first": ["teleservice"]})
    assert {slug for slug in before if before[slug] != after[slug]} == {None, "petitions", "teleservice"}


def test_files_that_the_settings_name_concern_all_stacks(tmp_path: Path) -> None:
    before = inputs(tmp_path)
    made = layout(tmp_path)
    settings = load_settings(made.settings)
    (tmp_path / settings.authorities[0]).write_text("renewed", encoding="ascii")
    after = read_inputs(tmp_path, made, settings, load(PROJECTS, settings), None)
    assert all(before[slug].settings != after[slug].settings for slug in before)
