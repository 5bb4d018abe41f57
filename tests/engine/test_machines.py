"""What the platform declares for its own machines (runners, proxy caches), another catalogue, and a version for chosen
tenants first.

With one stack for the foundation and one per tenant: the tenants' stacks look up their version.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from lab.testing.platforms import TestLab
from model.reading.load import load
from model.reading.settings_load import load_settings
from tests.engine import live_forge
from tests.engine.harness import Stack
from tests.engine.tenants import ALPHA, BETA
from usine.drift.scan import scan_stack
from usine.report import as_json
from usine.report.model import Action

pytestmark = pytest.mark.servers

_TAG = "variables/USINE_CATALOGUE_TAG"
_TENANTS = {"alpha": ALPHA, "beta": BETA}
_IMAGE = f"registry.example.fr/tools@sha256:{'0' * 64}"


@pytest.fixture
def stacks(light_lab: TestLab, tmp_path: Path) -> Iterator[dict[str, Stack]]:
    made = {}
    for name in ("foundation", *_TENANTS):
        stack = made[name] = Stack(light_lab, name, tmp_path / name)
        for slug, text in _TENANTS.items():
            stack.tenant(slug, text)
        layout = {"foundation": "only"} if name == "foundation" else {"foundation": "skip", "tenants": [name]}
        stack.configure(systems=["vault", "gitlab", "harbor"], **layout)
    yield made
    for stack in reversed(made.values()):
        stack.close()


def secret(lab: TestLab, path: str) -> Mapping[str, Any]:
    found = lab.vault.secrets.kv.v2.read_secret_version(
        f"operations/{path}", mount_point="usine_platform", raise_on_deleted_version=True
    )
    values: Mapping[str, Any] = found["data"]["data"]
    return values


def check_runners(lab: TestLab) -> Iterator[str]:
    """Check each runner, and yield its token."""
    for name, group in (("protected", "tenants"), ("unprotected", "tenants"), ("operations", "platform%2Fjobs")):
        listed = live_forge.pages(lab.gitlab, f"groups/{group}/runners", type="group_type")
        (one,) = [runner for runner in listed if runner["description"] == f"usine {name} 1"]
        runner = live_forge.get(lab.gitlab, f"runners/{one['id']}")
        assert (runner["tag_list"], runner["run_untagged"], runner["maximum_timeout"]) == ([name], False, 3600)
        assert runner["access_level"] == ("not_protected" if name == "unprotected" else "ref_protected")
        token = str(secret(lab, f"runners/{name}")["token"])
        answer = lab.gitlab.post("runners/verify", json={"token": token})
        assert (answer.status_code, answer.json()["id"]) == (200, runner["id"])
        yield token


def check_proxy(lab: TestLab) -> str:
    """Check the proxy cache and its robot, and return the robot's password."""
    listed = live_forge.pages(lab.harbor, "projects", "page_size")
    (project,) = [one for one in listed if one["name"] == "proxy.docker"]
    assert project["metadata"]["public"] == "false"
    assert project["registry_id"]
    assert live_forge.get(lab.harbor, "system/scanAll/schedule")["schedule"]["cron"] == "0 0 1 * * *"
    robot = secret(lab, "registry/proxies")
    assert robot["username"] == "robot$proxies-1"
    return str(robot["password"])


def tags_of(stack: Stack) -> list[str]:
    """Return the catalogue's tags in the state."""
    type_ = "gitlab:index/projectTag:ProjectTag"
    return [str(r["inputs"]["name"]) for r in stack.state()["resources"] if r["type"] == type_]


def catalogue_file(lab: TestLab, path: str, ref: str) -> str:
    file = quote(path, safe="")
    found = live_forge.get(lab.gitlab, f"/projects/platform%2Fcatalogue/repository/files/{file}", ref=ref)
    return base64.b64decode(found["content"]).decode()


def push(lab: TestLab, path: str, text: str) -> None:
    action = {"action": "update", "file_path": path, "content": text}
    body = {"branch": "main", "commit_message": "By hand", "actions": [action]}
    assert lab.gitlab.post("/projects/platform%2Fcatalogue/repository/commits", json=body).is_success


def test_runners_proxies_and_a_wave_come_settle_and_go(stacks: dict[str, Stack], tmp_path: Path) -> None:
    foundation, lab = stacks["foundation"], stacks["foundation"].lab
    foundation.up().must()
    first = live_forge.get(lab.gitlab, f"groups/tenants/{_TAG}")["value"]
    assert tags_of(foundation) == [first]
    # A file that somebody changes on the branch is in no tag, not even in the next one.
    push(lab, "off.yml", "robbed: {script: [env]}\n")

    declared = foundation.settings()
    wave = {"version": first, "first": ["alpha"]}
    proxies = {"docker": {"registry": "docker.io"}}
    for stack in stacks.values():
        stack.configure(
            gitlab={**declared["usine:gitlab"], "runners": {"timeout": 3600}, "toolsImage": _IMAGE},
            harbor={**declared["usine:harbor"], "proxies": proxies},
            catalogue=wave,
        )
    # A version that does not exist is refused before anything changes.
    foundation.configure(catalogue={"version": "v1-00000000000000ff"})
    refused = foundation.usine("up")
    assert (refused.exit_code, "has no tag v1-00000000000000ff" in refused.output) == (1, True), refused.output
    foundation.configure(catalogue=wave)
    done = foundation.usine("up", "--json", str(tmp_path / "up.json")).must()
    for slug in _TENANTS:
        stacks[slug].up().must()

    # The catalogue is another one, because its jobs have tags and another image now, and only alpha uses it.
    second = live_forge.get(lab.gitlab, f"groups/platform/{_TAG}")["value"]
    assert second != first
    assert tags_of(foundation) == [second]
    report = as_json.load((tmp_path / "up.json").read_text(encoding="utf-8"))
    place = "foundation/gitlab/catalogue"
    catalogue = {entry.name: entry.action for entry in report.entries if entry.name.startswith(place)}
    assert catalogue.pop(f"{place}/version/{second}") is Action.CREATED
    assert catalogue.pop(f"{place}/version/{first}") is Action.DESTROYED
    assert f"{place}/jobs/base.yml" in catalogue
    assert set(catalogue.values()) == {Action.CHANGED}
    # Each tag keeps its files: a pipeline that names the old tag runs the old files.
    images = {tag: _IMAGE in catalogue_file(lab, "jobs/base.yml", tag) for tag in (first, second)}
    assert images == {first: False, second: True}
    assert catalogue_file(lab, "off.yml", second) == catalogue_file(lab, "off.yml", first)
    assert live_forge.get(lab.gitlab, f"groups/tenants/{_TAG}")["value"] == first
    assert live_forge.get(lab.gitlab, f"groups/tenants%2Falpha/{_TAG}")["value"] == second
    assert lab.gitlab.get(f"groups/tenants%2Fbeta/{_TAG}").status_code == httpx.codes.NOT_FOUND

    # No credential is in clear anywhere, and nothing is left to do or to report.
    secrets = [check_proxy(lab), *check_runners(lab)]
    files = [path.read_text(encoding="utf-8") for path in foundation.folder.rglob("*.json")]
    shown = [done.output, json.dumps(foundation.state()), *files]
    assert [text for text in shown if any(one in text for one in secrets)] == []
    for stack in stacks.values():
        assert stack.preview().must().steps == ()
        settings = load_settings(stack.settings_file)
        scan = scan_stack(stack.engine, settings, load(stack.projects, settings))
        assert ([finding.name for finding in scan.findings], scan.unseen) == ([], ())

    # Without the settings everything goes, and all tenants use the version of the checkout again.
    for stack in stacks.values():
        for key in ("gitlab", "harbor", "catalogue"):
            stack.configure(**{key: None})
    # The first tag exists already: GitLab does not create it again.
    done = foundation.usine("up").must()
    assert f"adopted an object that an earlier run left in its system: {place}/version/{first}" in done.output
    assert tags_of(foundation) == [first]
    assert foundation.drift().must().steps == ()
    stacks["alpha"].up().must()
    assert live_forge.pages(lab.gitlab, "groups/tenants/runners", type="group_type") == []
    assert "usine_platform/" not in lab.vault.sys.list_mounted_secrets_engines()["data"]
    assert lab.gitlab.get(f"groups/tenants%2Falpha/{_TAG}").status_code == httpx.codes.NOT_FOUND
    assert live_forge.get(lab.gitlab, f"groups/tenants/{_TAG}")["value"] == first
