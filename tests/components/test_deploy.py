"""Conditions on what the key `deploys` creates: Argo CD's sources, the bot and its token, the variables of jobs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import pytest
from usine_ci.promotions import Promotion as JobPromotion
from usine_ci.promotions import Target, target_of

from components.gitlab.repository import deployment_variables
from components.gitlab.variables import pipeline_variables
from components.vault.policies import pipeline_rules, review_rules
from model.promotion import deploy_branch, image_file, promotion_branch
from model.repository import Deploys, Promotion
from model.settings import Edition, GitLabSettings
from model.tenant import State, Tenant
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan, PlannedResource

DEPLOYS = Deploys("deploy", {"dev": Promotion.DIRECT, "prod": Promotion.MERGE_REQUEST})
API = dataclasses.replace(factories.app("api"), deploys=DEPLOYS)
WEB = dataclasses.replace(factories.app("web"), deploys=Deploys("deploy", {"prod": Promotion.MERGE_REQUEST}))
SOCLE = dataclasses.replace(factories.infra("socle"))


def tenant(**changes: Any) -> Tenant:
    return factories.tenant(**{"repositories": (API, WEB, factories.infra(), SOCLE), **changes})


def of(plan: Plan, type_: str, name: str = "") -> list[PlannedResource]:
    return [r for r in plan.resources if r.type.endswith(f":{type_}") and name in r.name]


def source(plan: Plan, application: str) -> Any:
    (found,) = [r for r in plan.resources if r.inputs.get("kind") == "Application" and r.name.endswith(application)]
    return cast("dict[str, Any]", found.inputs["spec"])["source"]


def test_an_environment_that_is_promoted_directly_follows_its_branch() -> None:
    plan = plan_of(tenant())
    dev, prod = source(plan, "argocd/dev/deploy"), source(plan, "argocd/prod/deploy")
    assert dev["targetRevision"] == deploy_branch("dev") == "deploy/dev"
    assert dev["helm"]["valueFiles"] == ["values.yaml", "values-dev.yaml", "images/dev/api.yaml"]
    assert prod["targetRevision"] == "refs/tags/v1.4.2", "production follows what the file says"
    assert prod["helm"]["valueFiles"] == [
        "values.yaml",
        "values-prod.yaml",
        image_file("api", "prod"),
        image_file("web", "prod"),
    ]
    assert dev["helm"]["ignoreMissingValueFiles"] is prod["helm"]["ignoreMissingValueFiles"] is True


def test_a_repository_without_promotions_is_deployed_as_before() -> None:
    of_socle = source(plan_of(tenant()), "argocd/dev/socle")
    assert of_socle["targetRevision"] == "main"
    assert of_socle["helm"] == {"releaseName": "socle", "valueFiles": ["values.yaml", "values-dev.yaml"]}


@pytest.mark.parametrize("edition", [Edition.COMMUNITY, Edition.PREMIUM])
def test_the_bot_is_a_developer_that_may_only_push(edition: Edition) -> None:
    """Below maintainer, it pushes to no protected branch; without the scope `api`, it approves and merges nothing."""
    settings = factories.settings(gitlab=dataclasses.replace(GitLabSettings(), edition=edition))
    plan = plan_of(tenant(), settings=settings)
    (token,) = of(plan, "ProjectAccessToken")
    assert token.name == "teleservice/gitlab/deploy/deploy-token"
    assert (token.inputs["accessLevel"], token.inputs["scopes"]) == ("developer", ["write_repository"])
    levels = [
        (r.inputs["branch"], json.dumps([r.inputs.get(key) for key in ("pushAccessLevel", "allowedToPushes")]))
        for r in of(plan, "BranchProtection", "gitlab/deploy/")
    ]
    assert {branch for branch, _ in levels} == {"main", "refs/*"}, "no branch that promotions write"
    assert not any("developer" in level for _, level in levels)


def test_only_protected_pipelines_of_the_tenant_read_the_token() -> None:
    plan = plan_of(tenant())
    (secret,) = of(plan, "SecretV2", "secret/ci/deploy")
    assert (secret.inputs["name"], secret.inputs["mount"]) == ("ci/deploy/deploy", "teleservice")
    assert secret.inputs["dataJson"] == "[secret]"
    assert "teleservice/data/ci/*" in {rule.path for rule in pipeline_rules(tenant())}
    assert not any("/ci/" in rule.path for rule in review_rules(tenant()))


def test_the_variables_say_what_the_jobs_of_both_sides_do() -> None:
    file = tenant()
    app, infra = deployment_variables(file, API, "tenants"), deployment_variables(file, file.repositories[2], "tenants")
    assert app == {
        "USINE_DEPLOY_PATH": "charts/app",
        "USINE_DEPLOY_REPOSITORY": "tenants/teleservice/deploy",
        "USINE_PROMOTIONS": "api/dev=direct api/prod=merge-request web/prod=merge-request",
    }
    assert infra == {
        **app,
        "USINE_ENVIRONMENTS": "dev prod",
        "USINE_VALUE_FILES": "values.yaml values-<env>.yaml",
    }
    socle = deployment_variables(file, SOCLE, "tenants")
    assert set(socle) == {"USINE_DEPLOY_PATH", "USINE_ENVIRONMENTS", "USINE_VALUE_FILES"}
    assert deployment_variables(file, factories.app("other"), "tenants") == {}
    planned = {r.inputs["key"]: r.inputs for r in of(plan_of(file), "ProjectVariable", "gitlab/api/")}
    assert {key: planned[key]["value"] for key in app} == app
    assert all(planned[key]["raw"] for key in app)


def test_the_jobs_use_the_names_of_the_model() -> None:
    """The command of the tools image has no access to the model: both must derive the same names."""
    variables = deployment_variables(tenant(), API, "tenants")
    target = target_of({**variables, "CI_SERVER_URL": "https://gitlab.example.test", "DEPLOY_TOKEN": "x"})
    assert [(p.app, p.environment, p.way, p.branch, target.file(p)) for p in target.promotions] == [
        ("api", "dev", Promotion.DIRECT, deploy_branch("dev"), f"charts/app/{image_file('api', 'dev')}"),
        (
            *("api", "prod", Promotion.MERGE_REQUEST),
            promotion_branch("api", "prod"),
            f"charts/app/{image_file('api', 'prod')}",
        ),
        (
            *("web", "prod", Promotion.MERGE_REQUEST),
            promotion_branch("web", "prod"),
            f"charts/app/{image_file('web', 'prod')}",
        ),
    ]
    at_the_top = Target("", "", ".", (), "").file(JobPromotion("api", "dev", "direct"))
    assert at_the_top == image_file("api", "dev")


def test_jobs_know_the_images_that_all_tenants_may_use() -> None:
    settings = factories.settings()
    assert "USINE_SHARED_IMAGES" not in pipeline_variables(settings)
    cluster = settings.clusters["prod-1"]
    workloads = dataclasses.replace(cluster.workloads, images=("registry.example.test/tools/",))
    clusters = {**settings.clusters, "prod-1": dataclasses.replace(cluster, workloads=workloads)}
    variables = pipeline_variables(dataclasses.replace(settings, clusters=clusters))
    assert variables["USINE_SHARED_IMAGES"] == "registry.example.test/tools/"


def test_a_tenant_without_pipelines_has_no_bot() -> None:
    plan = plan_of(tenant(state=State.SUSPENDED))
    assert of(plan, "ProjectAccessToken") == []
    assert of(plan, "SecretV2", "ci/deploy") == []


def test_merge_requests_of_infra_repositories_need_a_pipeline() -> None:
    (project,) = of(plan_of(tenant()), "Project", "gitlab/deploy/project")
    assert project.inputs["onlyAllowMergeIfPipelineSucceeds"] is True
