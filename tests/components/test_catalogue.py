"""The CI catalogue: pipelines include it by a tag that only the program creates."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from components.gitlab.variables import pipeline_variables
from model.naming import CATALOGUE_TAG_VARIABLE
from model.reading.catalogue import FOLDER, read_catalogue
from model.repository import Mirror
from model.settings import CatalogueSettings, FoundationMode, Settings
from model.tenant import State
from tests import factories
from tests.plans import plan_of
from tests.spec.helpers import ROOT
from usine.plan import Plan, PlannedResource, make_plan
from usine.plan.monitor import RecordingMonitor, _Answers

TEXTS: dict[str, str] = read_catalogue(ROOT / FOLDER, factories.settings())
MIRROR = Mirror("https://git.example.fr/x.git", "0 4 * * *")
#: A tenant with every way to include the catalogue, and a suspended one.
TENANTS = (
    factories.tenant(
        repositories=(
            factories.app(),
            factories.infra(),
            dataclasses.replace(factories.app("miroir"), mirror=MIRROR),
            dataclasses.replace(factories.app("amont"), mirror=dataclasses.replace(MIRROR, pipelines=True)),
        )
    ),
    factories.tenant("guichet", state=State.SUSPENDED),
)


def of(plan: Plan, type_: str) -> list[PlannedResource]:
    return [r for r in plan.resources if r.type == f"gitlab:index/{type_[0].lower()}{type_[1:]}:{type_}"]


def published_tag(plan: Plan) -> str:
    (tag,) = of(plan, "ProjectTag")
    assert tag.inputs["project"] == "[id of foundation/gitlab/catalogue]"
    return str(tag.inputs["name"])


def includes(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each included file of the catalogue, with its ref."""
    for project in of(plan, "Project"):
        file, _, place = str(project.inputs.get("ciConfigPath") or "").partition("@")
        if place:
            path, _, ref = place.partition(":")
            assert path == "platform/catalogue"
            yield file, ref
    for made in of(plan, "RepositoryFile"):
        if not made.name.startswith("foundation/"):
            content = yaml.safe_load(str(made.inputs["content"]))
            for entry in content["include"]:
                if "component" in entry:
                    path, _, ref = entry["component"].partition("@")
                    place, _, preset = path.rpartition("/")
                    assert place == "$CI_SERVER_FQDN/platform/catalogue"
                    yield f"templates/{preset}.yml", ref
                else:
                    assert entry["project"] == "platform/catalogue"
                    yield entry["file"].removeprefix("/"), entry.get("ref", "")


def test_every_include_names_the_published_tag() -> None:
    plan = plan_of(*TENANTS, catalogue=TEXTS)
    tag = published_tag(plan)
    named = set(includes(plan))
    assert {file for file, _ in named} == {
        "templates/generic.yml",
        "templates/python.yml",
        "mirror.yml",
        "off.yml",
        "operations.yml",
    }
    # Later runs change the variable and never the team's file.
    assert {ref for _, ref in named} == {tag, f"${CATALOGUE_TAG_VARIABLE}"}
    (variable,) = [r for r in of(plan, "GroupVariable") if r.inputs["key"] == CATALOGUE_TAG_VARIABLE]
    assert (variable.inputs["group"], variable.inputs["value"]) == ("[id of foundation/gitlab/root]", tag)
    assert {file for file, _ in named} <= TEXTS.keys()


def tag_of(texts: dict[str, str], settings: Settings | None = None) -> str:
    return published_tag(plan_of(settings=settings, catalogue=texts))


def test_equal_files_give_the_same_tag_and_different_files_another() -> None:
    tag = tag_of(TEXTS)
    assert re.fullmatch(r"v1-[0-9a-f]{16}", tag)
    assert tag_of(dict(reversed(TEXTS.items()))) == tag
    image = dataclasses.replace(factories.settings().gitlab, tools_image=f"tools@sha256:{'0' * 64}")
    other_tools = read_catalogue(ROOT / FOLDER, factories.settings(gitlab=image))
    others = [
        tag_of({**TEXTS, "jobs/base.yml": TEXTS["jobs/base.yml"] + "\n"}),
        tag_of({path: text for path, text in TEXTS.items() if path != "templates/go.yml"}),
        tag_of({path.replace("go.yml", "golang.yml"): text for path, text in TEXTS.items()}),
        tag_of(other_tools),
    ]
    assert len({tag, *others}) == 5


def test_the_tag_is_created_after_its_files_and_kept_when_a_new_one_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    after: dict[str, frozenset[str]] = {}
    register = RecordingMonitor.RegisterResource

    def noting(monitor: RecordingMonitor, request: Any) -> Any:
        after[request.name] = frozenset(urn.rpartition("::")[2] for urn in request.dependencies)
        return register(monitor, request)

    monkeypatch.setattr(RecordingMonitor, "RegisterResource", noting)
    plan = make_plan(factories.settings(), [], TEXTS)
    (tag,) = of(plan, "ProjectTag")
    catalogue = "foundation/gitlab/catalogue"
    assert after[tag.name] >= {f"{catalogue}/{path}" for path in TEXTS} | {f"{catalogue}/tag/*"}
    assert (tag.options.retain_on_delete, tag.protect) == (True, False)
    # Each file is written again for each tag, whatever the content of the branch.
    messages = {str(r.inputs["commitMessage"]) for r in of(plan, "RepositoryFile")}
    assert messages == {f"Publish {path} for {tag.inputs['name']}" for path in TEXTS}
    # A new version is a new object: references to the old tag change before it is removed from the state.
    assert tag.name.endswith(str(tag.inputs["name"]))


def test_only_the_platform_creates_tags_of_the_catalogue_and_pushes_to_its_branch() -> None:
    plan = plan_of(*TENANTS, catalogue=TEXTS)
    catalogue, platform = "[id of foundation/gitlab/catalogue]", "[id of foundation/gitlab/platform]"
    (tags,) = [r.inputs for r in of(plan, "TagProtection") if r.inputs["project"] == catalogue]
    assert (tags["tag"], tags["createAccessLevel"]) == ("*", "maintainer")
    (branch,) = [r.inputs for r in of(plan, "BranchProtection") if r.inputs["project"] == catalogue]
    assert branch["branch"] == "main"
    for who in ("allowedToPushes", "allowedToMerges"):
        assert branch[who] == [{"accessLevel": "maintainer"}]
    given = [r for r in plan.resources if r.inputs.get("groupId") == platform or r.inputs.get("group") == platform]
    shared = [r for r in of(plan, "ProjectShareGroup") if r.inputs["project"] == catalogue]
    assert (given, shared) == ([], [])


def test_a_stack_without_the_foundation_looks_up_the_published_tag() -> None:
    """Its own files may be newer, so that their tag does not exist yet."""
    settings = factories.settings(foundation=FoundationMode.SKIP)
    plan = plan_of(*TENANTS, settings=settings, catalogue=TEXTS)
    assert of(plan, "ProjectTag") == []
    assert {ref for _, ref in includes(plan)} == {f"[value of {CATALOGUE_TAG_VARIABLE}]", f"${CATALOGUE_TAG_VARIABLE}"}


def test_published_files_name_images_by_digest() -> None:
    lines = [line.strip() for text in TEXTS.values() for line in text.splitlines()]
    images = [line for line in lines if line.startswith("image: ")]
    chosen = "image: $[[ inputs.image ]]"  # by the team; the default is the image of tools
    assert chosen in images
    images = [line for line in images if line != chosen]
    assert len(images) >= 6
    assert [line for line in images if not re.fullmatch(r"image: [a-z][\w.:/-]+@sha256:[0-9a-f]{64}", line)] == []
    assert not [name for name in pipeline_variables(factories.settings()) if name.endswith("_IMAGE")]


OTHERS = CatalogueSettings("v1-00000000000000ff", ("teleservice",))


def variables(plan: Plan) -> dict[str, object]:
    """Return the values of the tag's variable, by group."""
    made = [r.inputs for r in of(plan, "GroupVariable") if r.inputs["key"] == CATALOGUE_TAG_VARIABLE]
    return {str(inputs["group"]): inputs["value"] for inputs in made}


def test_a_new_version_is_used_by_chosen_tenants_first() -> None:
    plan = plan_of(*TENANTS, settings=factories.settings(catalogue=OTHERS), catalogue=TEXTS)
    new = published_tag(plan)
    assert new == published_tag(plan_of(*TENANTS, catalogue=TEXTS))
    assert variables(plan) == {
        "[id of foundation/gitlab/root]": OTHERS.version,
        "[id of foundation/gitlab/platform]": new,
        "[id of teleservice/gitlab/group]": new,
    }
    paths = {(r.tenant, str(r.inputs.get("ciConfigPath"))) for r in of(plan, "Project") if r.tenant}
    named = {(tenant, path.rpartition(":")[2]) for tenant, path in paths if "@platform/catalogue:" in path}
    assert named == {("teleservice", new), ("guichet", OTHERS.version)}
    (work,) = [r for r in of(plan, "RepositoryFile") if "usine_jobs" in r.name and r.tenant == "teleservice"]
    assert yaml.safe_load(str(work.inputs["content"]))["include"][0]["ref"] == new


def test_a_pinned_version_is_used_by_everybody_without_a_wave() -> None:
    pinned = CatalogueSettings(OTHERS.version)
    plan = plan_of(*TENANTS, settings=factories.settings(catalogue=pinned), catalogue=TEXTS)
    assert variables(plan) == {"[id of foundation/gitlab/root]": OTHERS.version}
    assert {ref for _, ref in includes(plan)} == {OTHERS.version, f"${CATALOGUE_TAG_VARIABLE}"}


def test_a_stack_without_the_foundation_looks_up_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, object]] = []
    answer = _Answers.call

    def noting(self: _Answers, args: Any) -> Any:
        if args.token.endswith(":getGroupVariable"):
            asked.append((args.args["group"], args.args["key"]))
            return {**args.args, "value": f"[tag of {args.args['group']}]"}, []
        return answer(self, args)

    monkeypatch.setattr(_Answers, "call", noting)
    settings = factories.settings(foundation=FoundationMode.SKIP, catalogue=OTHERS)
    plan = make_plan(settings, TENANTS, TEXTS)
    assert sorted(set(asked)) == [("platform", CATALOGUE_TAG_VARIABLE), ("tenants", CATALOGUE_TAG_VARIABLE)]
    assert variables(plan) == {"[id of teleservice/gitlab/group]": "[tag of platform]"}
    assert {ref for _, ref in includes(plan)} == {"[tag of platform]", "[tag of tenants]", f"${CATALOGUE_TAG_VARIABLE}"}
