"""The key `deploys`: what it names is in the file, and production is promoted by merge requests only."""

from __future__ import annotations

import dataclasses

import pytest

from model.promotion import described, followed
from model.repository import Deploys, Promotion
from tests.spec.helpers import HEAD, SETTINGS, one, problems

FILE = (
    HEAD
    + """\
environments:
  dev: {}
  prod: {}
repositories:
  api: {deploys: {repository: REPOSITORY, environments: {ENVIRONMENTS}}}
  deploy: {kind: infra, MORE}
  copy: {kind: infra, mirror: {url: "https://git.example.fr/x.git", schedule: "0 3 * * *"}}
"""
)


def text(repository: str = "deploy", environments: str = "dev: direct, prod: merge-request", more: str = "") -> str:
    return FILE.replace("REPOSITORY", repository).replace("ENVIRONMENTS", environments).replace("MORE", more)


def test_a_legal_file() -> None:
    tenant = one(text())
    api = tenant.repositories[0]
    assert api.deploys == Deploys("deploy", {"dev": Promotion.DIRECT, "prod": Promotion.MERGE_REQUEST})
    assert described(tenant, "deploy") == "api/dev=direct api/prod=merge-request"
    assert (followed(tenant, "deploy", "dev"), followed(tenant, "deploy", "prod")) == ("deploy/dev", None)
    assert followed(tenant, "copy", "dev") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            text(environments="prod: direct"),
            "11:60: environment prod is production: only people deploy there, so no pipeline writes to it directly; "
            "allowed: merge-request",
        ),
        (
            text(environments="prod: merge_request"),
            '11:60: repositories.api.deploys.environments.prod: no such way of promotion: "merge_request"; did you '
            "mean merge-request? Allowed: direct, merge-request",
        ),
        (text(environments="dve: direct"), '11:54: no such environment in this file: "dve"; did you mean dev?'),
        (text(environments=""), "11:53: repositories.api.deploys.environments: the list is empty"),
        (text("deplooy"), '11:31: no such repository in this file: "deplooy"; did you mean deploy?'),
        (text("api"), "11:31: api is of kind app; a repository of kind infra is expected, allowed here: deploy"),
        (
            text(more="eachFolder: true"),
            "11:31: deploy is a repository with an application in each folder (eachFolder); a repository of kind infra",
        ),
        (
            text("copy"),
            "11:31: copy is a mirror, which only its source changes; a repository of kind infra is",
        ),
        (
            text(more='protectedBranches: [main, "deploy/*"]'),
            '12:44: "deploy/*" protects deploy/dev, which the promotion of api writes; only maintainers push',
        ),
        (
            text(more='protectedBranches: [main, "promote/*"]'),
            '12:44: "promote/*" protects promote/api/prod, which the promotion of api writes',
        ),
        (
            text(more="revision: {dev: next}"),
            "12:36: api is promoted directly to dev, which therefore follows deploy/dev: leave out this revision",
        ),
        (text(more="defaultBranch: deploy"), "12:40: promotions of api write branches below deploy/"),
        (
            text(more="deploys: {repository: deploy, environments: {dev: direct}}"),
            "12:25: repositories.deploy: deploys is for repositories of kind app; this one has kind infra",
        ),
        (
            text().replace("api: {", 'api: {mirror: {url: "https://git.example.fr/y.git", schedule: "0 3 * * *"}, '),
            "11:79: repositories.api: a mirror has no pipeline that publishes, so it deploys nothing",
        ),
    ],
)
def test_what_is_wrong_has_its_place(content: str, says: str) -> None:
    found = [f"{p.line}:{p.column}: {p.message}" for p in problems(content)]
    assert any(line.startswith(says) for line in found), found


def test_an_infra_repository_has_the_preset_infra_unless_the_file_says_otherwise() -> None:
    settings = dataclasses.replace(SETTINGS, presets=(*SETTINGS.presets, "infra"))
    presets = {r.name: r.preset for r in one(text(more="preset: generic"), settings).repositories}
    assert presets == {"api": "generic", "deploy": "generic", "copy": "infra"}
