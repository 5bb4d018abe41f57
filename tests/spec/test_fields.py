"""Single keys, and contradictions between keys: a table of wrong values with their place and message."""

from __future__ import annotations

import datetime

import pytest

from model.problems import SpecError
from model.reading.load import check_text
from model.repository import Mirror, Revision
from model.tenant import Egress, ImageSeverity, Quota, Role
from tests.spec.helpers import BODY, EXAMPLE, HEAD, NEXT, SETTINGS, one, problems
from tests.spec.wrong_fields import RIGHT, WRONG

GIB = 1024**3


@pytest.mark.parametrize(("old", "new", "column", "messages"), WRONG)
def test_one_wrong_field_gives_one_problem_at_its_place(
    old: str, new: str, column: int, messages: tuple[str, ...]
) -> None:
    assert not problems(RIGHT)
    text = RIGHT.replace(old, new, 1)
    assert text != RIGHT
    found = problems(text)
    (problem,) = [p for p in found if "the file's name" not in p.message or "file's name" in messages[0]]
    line = RIGHT[: RIGHT.index(old)].count("\n") + new.count("\n") + 1
    assert (problem.line, problem.column) == (line, column), str(problem)
    for message in messages:
        assert message in problem.message


def test_required_keys() -> None:
    found = [p.message for p in problems("slug: tenant\nenvironments: {dev: {}}\n")]
    assert found == [f"the key {key} is missing" for key in ("apiVersion", "contact", "kind", "name", "owner")]


@pytest.mark.parametrize("body", ["", "environments: {}\n", "environments: {}\nrepositories: {}\n"])
def test_a_tenant_has_an_environment_or_a_repository(body: str) -> None:
    (problem,) = problems(HEAD + body)
    assert "neither an environment nor a repository" in problem.message
    assert not problems(HEAD + "environments: {dev: {}}\n")
    assert not problems(HEAD + "repositories: {api: {}}\n")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("scan: api", "a scan of an API needs openapi, the path of its OpenAPI document"),
        ("scan: full, openapi: /openapi.json", "openapi is for scan api; this one is full"),
        ("scan: ful", "did you mean full?"),
        ("scan: api, openapi: 'https://other.example.fr/x'", "a path on the environment's url begins with /"),
        ("credentials: ci/registry/push", "not below ci, ci-env, env, operations, packages or review"),
        ("threshold: hihg", "did you mean high?"),
        ("exclusions: [logout]", "a pattern of paths begins with /"),
        ("exclusions: [/a, /a]", "/a"),
    ],
)
def test_what_a_dynamic_analysis_refuses(keys: str, message: str) -> None:
    body = BODY.replace("stage: dev", "stage: dev, url: https://dev.example.fr")
    dast = f"quality: {{dast: {{environments: [dev], schedule: '0 3 * * 1', {keys}}}}}\n"
    assert any(message in problem.message for problem in problems(HEAD + body + dast))


def test_dast_needs_a_url() -> None:
    text = HEAD + BODY + "quality: {dast: {environments: [dev], schedule: '0 3 * * 1'}}\n"
    (problem,) = problems(text)
    assert "environment dev has no url" in problem.message


@pytest.mark.parametrize(
    ("body", "message", "column"),
    [
        ("environments: {" + ", ".join(f"e{n}: {{stage: dev}}" for n in range(11)) + "}\n", "11 environments;", 1),
        ("repositories: {" + ", ".join(f"r{n}: {{}}" for n in range(51)) + "}\n", "51 repositories;", 1),
        ("members: {readonly: [" + ", ".join(f"p{n}" for n in range(200)) + "]}\n" + BODY, "201 people;", 1),
        (
            "environments:\n  dev: {egress: [" + ", ".join(f"{{host: h{n}.example.fr}}" for n in range(21)) + "]}\n",
            "21 openings;",
            9,
        ),
    ],
)
def test_limits_of_the_platform(body: str, message: str, column: int) -> None:
    archetype = "archetype: large\n"
    (problem,) = [p for p in problems(HEAD + archetype + body) if "the platform allows" in p.message]
    assert message in problem.message
    assert problem.column == column
    assert problem.line >= NEXT + 1


MARKER = "hunter2hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"repositories: {{api: {{mirror: {{url: 'https://u:{MARKER}@git.example.fr/x.git', schedule: '0 0 * * *'}}}}}}",
        f"repositories: {{api: {{mirror: {{url: 'https://{MARKER}@git.example.fr/x.git', schedule: '0 0 * * *'}}}}}}",
        f"environments: {{dev: {{url: 'https://u:{MARKER}@a.example.fr'}}}}",
        f"environments: {{dev: {{url: 'http://u:{MARKER}@a.example.fr'}}}}",
        f"environments: {{dev: {{egress: [{{host: 'https://u:{MARKER}@a.example.fr'}}]}}}}",
        f"repositories: {{api: {{mirror: {{credentials: '{MARKER}!'}}}}}}",
        f"password: {MARKER}",
        f"registry: {{token: {MARKER}}}",
        f"labels: {{password: {MARKER}}}",
        f"labels: {{api-key: {MARKER}}}",
        f"state: 'https://u:{MARKER}@x.fr'",
        f"packages: ['password={MARKER}']",
        f"description: glpat-{MARKER}",
        f"description: |\n  see\n  hvs.{MARKER}",
        f"owner: hvs.{MARKER}",
        f"# AKIA{'Q' * 16}{MARKER}\ndescription: x",
        f"description: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {MARKER}\n  -----END RSA PRIVATE KEY-----",
        f"state: Aa0{MARKER}{'Zz9' * 5}",
        f"{'Aa0' * 9}{MARKER}: x",
        f"glpat-{MARKER}: x",
        f"labels: {{a: x, a: {MARKER}}}",
        f'description: "{MARKER}',
        f"description: [{MARKER}",
        f"owner: Aa0{MARKER}{'Zz9' * 5}",
        f"slug: Aa0{MARKER}aZ9",
        f"members: {{admin: glpat-{MARKER}}}",
        f"environments: {{dev: {{egress: [{{host: Aa0{MARKER}{'Zz9' * 5}.example.fr}}]}}}}",
    ],
)
def test_secrets_are_refused_and_never_repeated(line: str) -> None:
    # The rest of the file is right: what is refused is the secret, or the place where it stands.
    body = "\n".join(kept for kept in RIGHT.splitlines() if kept.split(":")[0] != line.split(":", maxsplit=1)[0]) + "\n"
    assert not problems(RIGHT)
    found = problems(body + line + "\n")
    assert found
    assert MARKER not in "\n".join(str(p) for p in found).lower()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"description: see glpat-{MARKER}", "looks like a GitLab access token (not shown)"),
        (f"# was AKIA{'Q' * 16}", "looks like a cloud access key (not shown)"),
        ("description: '-----BEGIN EC PRIVATE KEY-----'", "looks like a private key (not shown)"),
        (f"labels: {{password: {MARKER}}}", "do not write a secret here"),
        (f"registry: {{password: {MARKER}}}", "do not write secrets into this file"),
    ],
)
def test_the_message_about_a_secret_names_it(line: str, message: str) -> None:
    (problem,) = problems(RIGHT + line + "\n")
    assert message in problem.message
    assert problem.line == RIGHT.count("\n") + 1


def test_the_message_about_credentials_in_a_url_names_them() -> None:
    for url in (f"https://u:{MARKER}@a.example.fr", f"http://{MARKER}@a.example.fr/x"):
        (problem,) = problems(RIGHT.replace("https://a.example.fr", url))
        assert "holds a user or a password (not shown)" in problem.message


def test_long_values_are_cut() -> None:
    (problem,) = problems(RIGHT.replace("kind: app", f"kind: {'x-' * 2000}"))
    assert len(problem.message) < 200


def test_the_example_gives_its_values() -> None:
    tenant = check_text(EXAMPLE.read_bytes(), "teleservice.yaml", SETTINGS)
    assert tenant.name == "Téléservice d'inscription"
    assert tenant.review_after == datetime.date(2027, 6, 30)
    assert tenant.people_of(Role.DEVOPS) == ("chloe.petit", "david.roux")
    assert tenant.envelope.prod == Quota(32_000, 64 * GIB, 500 * GIB)
    dev, prod = tenant.environments
    assert (dev.quota, dev.production, dev.autosync) == (Quota(4000, 8 * GIB, 50 * GIB, 0, 40), False, True)
    assert dev.egress == (Egress("api.insee.example.fr", 443),)
    assert (prod.production, prod.autosync, prod.cluster) == (True, False, "prod-1")
    api, front, deploy = tenant.repositories
    assert api.mirror == Mirror("https://git.example.fr/teleservice/api.git", "*/30 * * * *", "mirror/api")
    assert api.protected_branches == ("main", "release/*")
    assert (front.preset, front.mirror, front.deployment) == ("node", None, None)
    assert deploy.deployment is not None
    assert deploy.deployment.revision == Revision("main", {"prod": "refs/tags/v1.4.2"})
    assert deploy.deployment.revision.of("dev") == "main"
    assert (tenant.registry.quota, tenant.registry.block_severity) == (50 * GIB, ImageSeverity.CRITICAL)
    assert (tenant.quality.gate, tenant.quality.new_code_days) == ("platform", 30)
    assert tenant.observability.log_retention_days == 30


def test_amounts() -> None:
    dev_quota, test_quota = "{cpu: 500m, memory: 512Mi, storage: 0}", "{cpu: 1.5}"
    text = f"environments:\n  dev: {{quota: {dev_quota}}}\n  test: {{stage: dev, quota: {test_quota}}}\n"
    dev, test = one(HEAD + text).environments
    assert (dev.quota.cpu, dev.quota.memory, dev.quota.storage, dev.quota.pods) == (500, 512 * 1024**2, 0, 40)
    assert (test.quota.cpu, test.quota.memory) == (1500, 8 * GIB)


def test_dates_may_be_quoted() -> None:
    for written in ("2027-06-30", '"2027-06-30"'):
        assert one(HEAD + BODY + f"reviewAfter: {written}\n").review_after == datetime.date(2027, 6, 30)


def test_the_default_branch_is_protected_whatever_its_name() -> None:
    trunk, other = one(HEAD + "repositories: {r1: {defaultBranch: trunk}, r2: {protectedBranches: []}}\n").repositories
    assert trunk.protected_branches == ("trunk",)
    assert other.protected_branches == ("main",)


def test_follow_on_errors_are_suppressed() -> None:
    body = (
        "environments: {dev: {cluster: nonprd-1, quota: {cpu: 99}, url: https://a.example.fr}, test: {stage: tst}}\n"
        "repositories: {api: {kind: ap, path: x}}\n"
        "quality: {dast: {environments: [dev], schedule: '0 3 * * 1'}}\n"
    )
    assert [p.message.split(":")[0] for p in problems(HEAD + body)] == [
        "environments.dev.cluster",
        "environments.test.stage",
        "repositories.api.kind",
    ]


def test_one_run_reports_single_keys_and_contradictions_between_keys() -> None:
    body = "environments: {dev: {cluster: prod-1}}\nrepositories: {api: {path: x}}\nstat: active\n"
    messages = [p.message for p in problems(HEAD + body)]
    assert any("does not offer stage dev" in m for m in messages)
    assert any("path is for repositories of kind infra" in m for m in messages)
    assert any("unknown key stat; did you mean state?" in m for m in messages)


def test_check_text_refuses_what_load_refuses() -> None:
    with pytest.raises(SpecError, match="unknown key nonsense"):
        check_text((HEAD + BODY + "nonsense: 1\n").encode(), "tenant.yaml", SETTINGS)
