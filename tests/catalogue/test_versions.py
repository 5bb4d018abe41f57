"""`usine catalogue`: which tenants are behind, from what GitLab answers."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model.repository import Mirror
from model.tenant import State, Tenant
from tests import factories
from tests.drift.inventory.api_server import Refused, serving
from usine.catalogue.versions import Included, Use, look
from usine.cli import main
from usine.clients.gitlab import GitLabClient
from usine.commands import catalogue_versions
from usine.commands.common import Platform

OLD, NEW = "v1-0000000000000001", "v1-0000000000000002"
VARIABLE = "variables/USINE_CATALOGUE_TAG"
INCLUDE = "include:\n  - project: platform/catalogue\n    ref: {ref}\n    file: /templates/python.yml\n"
BOMB = "a: &a [x]\n" + "".join(f"{c}: &{c} [*{b}, *{b}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True))

#: A CI file, the use of the catalogue in it, and the ref.
FILES: Mapping[str, tuple[str, Use, str]] = {
    "variable": (INCLUDE.format(ref="$USINE_CATALOGUE_TAG"), Use.CURRENT, NEW),
    "braces": (INCLUDE.format(ref="${USINE_CATALOGUE_TAG}"), Use.CURRENT, NEW),
    "other-variable": (INCLUDE.format(ref="$USINE_CATALOGUE_TAGS"), Use.UNKNOWN, '"$USINE_CATALOGUE_TAGS"'),
    "pinned": (INCLUDE.format(ref=OLD), Use.BEHIND, OLD),
    "branch": (INCLUDE.format(ref="main"), Use.BRANCH, '"main"'),
    "no-ref": ("include: {project: /Platform/Catalogue, file: [/a.yml, b.yml]}", Use.BRANCH, '"HEAD"'),
    "gone": (INCLUDE.format(ref="v1-00000000000000ff"), Use.UNKNOWN, '"v1-00000000000000ff"'),
    "component": (f"include:\n  - component: $CI_SERVER_FQDN/platform/catalogue/java@{OLD}\n", Use.BEHIND, OLD),
    "worst": (INCLUDE.format(ref=NEW) + INCLUDE.format(ref=OLD).removeprefix("include:\n"), Use.BEHIND, OLD),
    "inputs": (f"spec: {{inputs: {{}}}}\n---\n{INCLUDE.format(ref=NEW)}", Use.CURRENT, NEW),
    "tags": (INCLUDE.format(ref=NEW) + "a:\n  script: !reference [.x, script]\n", Use.CURRENT, NEW),
    "own": ("include: [{local: /ci.yml}, {project: platform/catalogue2, file: x}]\ntest: {script: [a]}", Use.OWN, ""),
    "text": ("just a text", Use.OWN, ""),
    "broken": ("a: [\n", Use.UNREADABLE, ""),
    "bomb": (f"{BOMB}include: {{project: *h, ref: *h, component: *h}}", Use.OWN, ""),
    "deep": ("- " * 100_000 + "x", Use.UNREADABLE, ""),
    "empty": ("", Use.UNREADABLE, ""),
}


def file_of(text: str) -> dict[str, str]:
    return {"content": base64.b64encode(text.encode()).decode()}


def answers(files: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """GitLab's answers about the catalogue and about repositories of the tenant `teleservice`."""
    tags = [{"name": tag, "commit": {"created_at": "2026-11-02T10:00:00.000+01:00"}} for tag in (OLD, NEW)]
    listed: dict[str, Any] = {
        "/projects/platform/catalogue/repository/tags": tags,
        "/projects/platform/catalogue/repository/branches/main": {"name": "main"},
        f"/groups/tenants/{VARIABLE}": {"value": NEW},
    }
    for name, file in files.items():
        project = f"/projects/tenants/teleservice/{name}"
        listed[project] = {"default_branch": "main"}
        listed[f"{project}/repository/files/.gitlab-ci.yml"] = file
    return {f"/api/v4{path}": answer for path, answer in {**listed, **(more or {})}.items()}


def read(
    files: Mapping[str, Any], tenant: Tenant | None = None, more: Mapping[str, Any] | None = None
) -> dict[str, Included]:
    if tenant is None:
        tenant = factories.tenant(repositories=tuple(factories.app(name) for name in files))
    with serving(answers(files, more)) as api:
        found = look([tenant], factories.settings().gitlab, GitLabClient(api.url, "glpat-marker"))
    return {one.repository: one for one in found}


def test_each_way_to_include_the_catalogue() -> None:
    found = read({name: file_of(text) for name, (text, _, _) in FILES.items()})
    assert {name: (one.use, one.ref) for name, one in found.items()} == {
        name: (use, ref) for name, (_, use, ref) in FILES.items()
    }
    assert (found["pinned"].since, found["pinned"].expected) == ("2026-11-02", NEW)
    assert found["no-ref"].files == ("a.yml", "b.yml")
    assert found["component"].files == ("java",)


def test_a_tenant_in_the_first_wave_is_compared_with_its_own_version() -> None:
    group = f"/groups/tenants/teleservice/{VARIABLE}"
    texts = {"variable": FILES["variable"][0], "pinned": FILES["pinned"][0]}
    found = read({name: file_of(text) for name, text in texts.items()}, more={group: {"value": OLD}})
    assert {name: (one.use, one.ref, one.expected) for name, one in found.items()} == {
        "variable": (Use.CURRENT, OLD, OLD),
        "pinned": (Use.CURRENT, OLD, OLD),
    }
    # Somebody set the variable of the project: it overrides those of the groups.
    project = f"/projects/tenants/teleservice/variable/{VARIABLE}"
    found = read({"variable": file_of(texts["variable"])}, more={project: {"value": OLD}})
    assert (found["variable"].use, found["variable"].ref) == (Use.BEHIND, OLD)


def test_what_cannot_be_read_and_what_needs_no_reading() -> None:
    project = "/projects/tenants/teleservice/elsewhere"
    files = {"refused": Refused(403), "elsewhere": file_of("a: b"), "absent": file_of("a: b"), "odd": {"content": "%"}}
    tenant = factories.tenant(
        repositories=(
            *(factories.app(name) for name in files),
            dataclasses.replace(factories.app("mirror"), mirror=Mirror("https://git.example.fr/x.git", "0 4 * * *")),
        )
    )
    more = {
        project: {"default_branch": "main", "ci_config_path": "ci/own.yml"},
        "/projects/tenants/teleservice/absent": Refused(404),
    }
    found = read(files, tenant, more)
    assert {name: one.use for name, one in found.items()} == {
        "refused": Use.UNREADABLE,
        "elsewhere": Use.OWN,
        "absent": Use.UNREADABLE,
        "odd": Use.UNREADABLE,
    }
    assert found["elsewhere"].detail == 'its CI file is "ci/own.yml"'
    assert "HTTP 403" in found["refused"].detail
    assert "marker" not in repr(found)
    assert read(files, dataclasses.replace(tenant, state=State.SUSPENDED)) == {}


@pytest.mark.parametrize(("names", "code"), [(("variable", "own"), 0), (("variable", "pinned"), 2), (("broken",), 1)])
def test_the_exit_code_and_the_forms(
    names: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = factories.tenant(repositories=tuple(factories.app(name) for name in names))
    with serving(answers({name: file_of(FILES[name][0]) for name in names})) as api:
        settings = factories.settings()
        endpoints = {system: dataclasses.replace(e, url=api.url, ca=None) for system, e in settings.endpoints.items()}
        platform = Platform(dataclasses.replace(settings, endpoints=endpoints), (tenant,), {})
        monkeypatch.setattr(catalogue_versions, "read_platform", lambda _: platform)
        assert main(["catalogue"]) == code
        shown = capsys.readouterr().out
        assert all(name in shown for name in names)
        assert main(["catalogue", "--json"]) == code
        rows = json.loads(capsys.readouterr().out)["repositories"]
    assert [(row["repository"], row["use"]) for row in rows] == [(name, FILES[name][1]) for name in names]


def test_the_sample_of_the_page_names_the_command() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "catalogue.md"
    assert "usine catalogue update" in page.read_text(encoding="utf-8")
