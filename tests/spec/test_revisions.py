"""The revisions that production may use."""

from __future__ import annotations

import dataclasses

import pytest

from model.problems import KeyPath, SpecError
from model.reading.load import check_text
from model.repository import Deployment, Mirror, Repository, Revision
from model.revisions import check_revisions
from model.tenant import Tenant
from tests import factories
from tests.spec.helpers import HEAD, SETTINGS

SHA = "4f2c9ab07d15e3c8a6b94f20d8e1c7503ab6f9d2"
TEXT = (
    HEAD
    + """\
environments:
  dev: {stage: dev, cluster: nonprod-1}
  prod: {stage: prod, cluster: prod-1}
repositories:
  deploy: {kind: infra, REST}
"""
)


def said(rest: str) -> list[str]:
    try:
        check_text(TEXT.replace("REST", rest).encode(), "tenant.yaml", SETTINGS)
    except SpecError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "rest",
    [
        "path: .",  # the default branch, which is protected
        f"revision: {{prod: {SHA}}}",
        "revision: {prod: refs/tags/v1.4.2, dev: anything}",
        "protectedBranches: ['release/*'], revision: {prod: release/12}",
        "protectedBranches: []",  # the default branch is protected all the same
    ],
)
def test_revisions_that_only_maintainers_create_are_accepted(rest: str) -> None:
    assert said(rest) == []


@pytest.mark.parametrize(
    ("rest", "column", "revision"),
    [
        ("revision: {prod: v1.4.2}", 42, "v1.4.2"),
        ("revision: {prod: 4f2c9ab}", 42, "4f2c9ab"),
        (f"revision: {{prod: {SHA[:39]}}}", 42, "(not shown)"),
        (f"revision: {{prod: {SHA.upper()}}}", 42, "(not shown)"),
        ("revision: {prod: '1.x'}", 42, "1.x"),
        ("revision: {prod: HEAD}", 42, "HEAD"),
        ("revision: {prod: refs/tags/nightly}", 42, "refs/tags/nightly"),
        ("revision: {prod: develop}", 42, "develop"),
        ("revision: {default: develop}", 45, "develop"),
    ],
)
def test_a_revision_that_a_developer_could_create_is_reported_at_its_place(
    rest: str, column: int, revision: str
) -> None:
    (problem,) = said(rest)
    assert problem.startswith(f"tenant.yaml:11:{column}: "), problem
    assert f"environment prod is production and follows {revision}," in problem.replace('"', "")
    assert "a whole commit SHA of 40 digits" in problem
    assert "a protected branch (" in problem


def test_a_mirror_has_no_protected_tag() -> None:
    def notes(repository: Repository) -> list[str]:
        found: list[str] = []
        tenant: Tenant = factories.tenant(repositories=(repository,))
        place: KeyPath = ("x",)
        check_revisions(tenant, lambda _repository, _environment: place, lambda _path, text: found.append(text))
        return found

    tagged = factories.infra()
    mirror = Mirror("https://git.example.fr/x.git", "0 4 * * *")
    (note,) = notes(dataclasses.replace(tagged, mirror=mirror))
    assert "refs/tags/NAME" not in note
    assert notes(tagged) == []
    deployment = Deployment(".", (), Revision("main"))
    assert notes(dataclasses.replace(tagged, mirror=mirror, deployment=deployment)) == []
