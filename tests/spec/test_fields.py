"""Single keys, and contradictions between keys: a table of wrong values with their place and message."""

from __future__ import annotations

import datetime

import pytest

from model.problems import SpecError
from model.reading.load import check_text
from model.repository import Mirror, Revision
from model.tenant import Egress, ImageSeverity, Quota, Role
from tests.spec.helpers import BODY, EXAMPLE, HEAD, NEXT, SETTINGS, one, problems

GIB = 1024**3
#: A file where every line can be replaced: (what is replaced, by what) -> column, message.
RIGHT = """\
apiVersion: usine/v1
kind: Project
slug: tenant
name: Tenant
owner: alice.martin
contact: team@example.fr
environments:
  dev: {stage: dev, cluster: nonprod-1, url: https://a.example.fr}
repositories:
  api: {kind: app}
  deploy: {kind: infra}
"""


def wrong(old: str, new: str, column: int, *messages: str) -> object:
    return pytest.param(old, new, column, messages, id=new[:70])


@pytest.mark.parametrize(
    ("old", "new", "column", "messages"),
    [
        wrong("apiVersion: usine/v1", "apiVersion: usine/v2", 13, 'no such version: "usine/v2"', "usine/v1"),
        wrong("kind: Project", "kind: project", 7, "did you mean Project?"),
        # slug
        wrong("slug: tenant", "slug: Tenant", 7, "2 to 20 characters", "did you mean tenant?"),
        wrong("slug: tenant", "slug: te", 7, "the file's name"),
        wrong("slug: tenant", "slug: t", 7, "2 to 20 characters"),
        wrong("slug: tenant", "slug: a--b", 7, "single dashes", "did you mean a-b?"),
        wrong("slug: tenant", "slug: a-", 7, "not ending with a dash"),
        wrong("slug: tenant", "slug: 1ab", 7, "starting with a letter"),
        wrong("slug: tenant", "slug: a_b", 7, "did you mean a-b?"),
        wrong("slug: tenant", "slug: été", 7, "lower-case letters"),
        wrong("slug: tenant", "slug: abcdefghijklmnopqrstuvwxyz", 7, "2 to 20 characters"),
        wrong("slug: tenant", "slug: infra", 7, "reserved by the platform"),
        wrong("slug: tenant", "slug: sys", 7, "reserved by Vault"),
        wrong("slug: tenant", "slug: library", 7, "reserved by Harbor"),
        wrong("slug: tenant", "slug: api", 7, "reserved by GitLab"),
        wrong("slug: tenant", "slug: kube-x", 7, "reserved by Kubernetes"),
        wrong("slug: tenant", "slug: default", 7, "reserved by"),
        # who and what
        wrong("name: Tenant", "nam: Tenant", 1, "unknown key nam; did you mean name?", "Allowed: apiVersion"),
        wrong("name: Tenant", "name: ''", 7, "the value is empty"),
        wrong("name: Tenant", f"name: {'x' * 81}", 7, "81 characters; at most 80"),
        wrong("name: Tenant", 'name: "a\\nb"', 7, "one line of text"),
        wrong("name: Tenant", f"name: T\ndescription: {'x' * 281}", 14, "281 characters; at most 280"),
        wrong(
            "name: Tenant",
            f"name: T\nroles: {{audit: {{rights: ['vault:names'], description: {'x' * 256}}}}}",
            55,
            "256 characters; at most 255",
        ),
        wrong("owner: alice.martin", "owner: Alice.Martin", 8, "did you mean alice.martin?"),
        wrong("owner: alice.martin", "owner: alice@example.fr", 8, "not an e-mail address"),
        wrong("owner: alice.martin", "owner: [alice.martin]", 8, "expected a text, found a list"),
        wrong("contact: team@example.fr", "contact: team", 10, "expected an e-mail address"),
        wrong("contact: team@example.fr", "contact: Team <team@example.fr>", 10, "expected an e-mail address"),
        wrong("name: Tenant", "name: T\narchetype: standart", 12, "did you mean standard?", "small, standard, large"),
        wrong("name: Tenant", "name: T\nstate: archive", 8, "did you mean archived?", "active, suspended, archived"),
        wrong("name: Tenant", "name: T\nreviewAfter: 2027-02-30", 14, "no such day"),
        wrong("name: Tenant", "name: T\nreviewAfter: 30/06/2027", 14, "such as 2027-06-30"),
        wrong("name: Tenant", "name: T\nreviewAfter: 2027-6-3", 14, "such as 2027-06-30"),
        wrong("name: Tenant", "name: T\nreviewAfter: 9027-06-30", 14, "a year between"),
        wrong("name: Tenant", "name: T\nlabels: {-a: b}", 10, "1 to 63 letters"),
        wrong("name: Tenant", "name: T\nlabels: {a/b: c}", 10, "no prefix"),
        wrong("name: Tenant", "name: T\nlabels: {a: 'b c'}", 13, "1 to 63 letters"),
        wrong("name: Tenant", "name: T\nlabels: {a: 1.10}", 13, "number with a fraction", "in quotes"),
        # members
        wrong("name: Tenant", "name: T\nmembers: {develloper: [a]}", 11, "did you mean developer?"),
        wrong("name: Tenant", "name: T\nmembers: {owner: [a]}", 11, "written at the top"),
        wrong("name: Tenant", "name: T\nmembers: {admin: bob}", 18, 'expected a list: write ["bob"]'),
        wrong("name: Tenant", "name: T\nmembers: {admin: [bob, Bob]}", 24, "did you mean bob?"),
        wrong("name: Tenant", "name: T\nmembers: {admin: [bob, bob]}", 24, '"bob" is in this list twice'),
        # roles of the tenant's own
        wrong("name: Tenant", "name: T\nroles: {Audit: {rights: ['vault:names']}}", 9, "2 to 20 lower-case letters"),
        wrong("name: Tenant", "name: T\nroles: {audit: {}}", 9, "the key rights is missing in roles.audit"),
        wrong("name: Tenant", "name: T\nroles: {audit: {rights: []}}", 25, "the list is empty"),
        wrong(
            "name: Tenant",
            "name: T\nroles: {audit: {rights: ['vault:name']}}",
            26,
            "no such right",
            "mean vault:names?",
        ),
        wrong(
            "name: Tenant",
            "name: T\nroles: {audit: {rights: ['vault:names', 'vault:names']}}",
            41,
            "in this list twice",
        ),
        wrong("name: Tenant", "name: T\nroles: {admin: {rights: ['vault:names']}}", 9, "a role of the platform"),
        wrong("name: Tenant", "name: T\nroles: {dev: {rights: ['vault:names']}}", 9, "an environment has that name"),
        wrong("name: Tenant", "name: T\nroles: {au: {rights: ['vault:names'], member: [b]}}", 39, "mean members?"),
        # amounts
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: 32GB}}", 30, "did you mean 32Gi?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: 32G}}", 30, "did you mean 32Gi?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: 32}}", 30, "32 bytes", "did you mean 32Gi?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: -1Gi}}", 30, "must not be negative"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: 900Pi}}", 30, "is this a typing error?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {memory: 1.5Gi}}", 30, "a whole number and a unit"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: -1}}", 27, "must not be negative"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: 4 cores}}", 27, "cores such as 4 or 0.5"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: 0.0001}}", 27, "cores such as 4 or 0.5"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: 1e3}}", 27, "cores such as 4 or 0.5"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: 9000000}}", 27, "is this a typing error?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {gpu: 0.5}}", 27, "a whole number"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {gpu: true}}", 27, "a whole number"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {pods: 5}}", 22, "counted per environment"),
        wrong("name: Tenant", "name: T\nenvelope: {production: {}}", 12, "did you mean prod?"),
        wrong("name: Tenant", "name: T\nenvelope: {nonprod: {cpu: 1}}", 27, "add up to 4, the envelope allows 1"),
        # environments
        wrong("  dev: {", "  Dev: {", 3, "2 to 11 lower-case"),
        wrong("  dev: {", "  my-env: {", 3, "no dash"),
        wrong("  dev: {", "  admin: {", 3, "the name of a role"),
        wrong("  dev: {", "  default: {", 3, "the key of `revision`"),
        wrong("stage: dev", "stage: develop", 16, 'no such stage: "develop"', "did you mean dev?"),
        wrong("stage: dev", "stage: prod", 31, "cluster nonprod-1 does not offer stage prod", "that do: prod-1"),
        wrong("nonprod-1", "nonprod1", 30, "did you mean nonprod-1?"),
        wrong("  dev: {stage: dev, ", "  test: {", 3, "the key stage is missing", "dev, integration, staging, prod"),
        wrong("url: https", "autosync: 1, url: https", 51, "expected true or false"),
        wrong("https://a.example.fr}", "http://a.example.fr}", 46, "starts with https://"),
        wrong("https://a.example.fr}", "https://10.0.0.1/}", 46, "not an address"),
        wrong("https://a.example.fr}", "'https://[::1]/'}", 46, "the host"),
        wrong("https://a.example.fr}", "https://localhost/}", 46, "a full host name"),
        wrong("https://a.example.fr}", '"https://a.example.fr/?x=1"}', 46, "no ? and no #"),
        wrong("https://a.example.fr}", "https://a.example.fr:99999/}", 46, "port"),
        wrong("https://a.example.fr}", "https://a.example.fr/../x}", 46, "(..)"),
        wrong("url: https", "egress: [{host: x.svc.cluster.local}], url: https", 57, "inside the platform"),
        wrong("url: https", "egress: [{host: 10.1.2.3}], url: https", 57, "not an address"),
        wrong("url: https", "egress: [{host: 2130706433}], url: https", 57, "expected a text"),
        wrong("url: https", "egress: [{host: '*.example.fr'}], url: https", 57, "a wildcard"),
        wrong("url: https", "egress: [{host: A.example.fr}], url: https", 57, "lower case: a.example.fr"),
        wrong("url: https", "egress: [{host: https://a.fr}], url: https", 57, "no https://"),
        wrong("url: https", "egress: [{host: a.fr, port: 70000}], url: https", 69, "allowed: 1 to 65535"),
        wrong("url: https", "egress: [{port: 1}], url: https", 50, "key host is missing in environments.dev.egress[0]"),
        wrong("url: https", "egress: [{host: a.fr}, {host: a.fr}], url: https", 64, "a.fr:443 is in this list twice"),
        # repositories
        wrong("  api: {", "  API: {", 3, "2 to 20 characters"),
        wrong("  api: {", "  a--b: {", 3, "single dashes"),
        wrong("  api: {", "  tree: {", 3, "GitLab reserves that path"),
        wrong("kind: app", "kind: application", 15, "did you mean app?"),
        wrong("kind: app", "preset: pyton", 17, "did you mean python?", "generic, python, node, java"),
        wrong("kind: app", "path: charts", 9, "path is for repositories of kind infra"),
        wrong("kind: app", "valueFiles: [a.yaml]", 9, "valueFiles is for repositories of kind infra"),
        wrong("kind: app", "defaultBranch: 'a b'", 24, "not a legal name of a branch"),
        wrong("kind: app", "defaultBranch: refs/heads/main", 24, "the short name"),
        wrong("kind: app", "defaultBranch: a..b", 24, "not a legal name"),
        wrong("kind: app", "defaultBranch: x.lock", 24, "not a legal name"),
        wrong("kind: app", "protectedBranches: ['release/*', 'rel**']", 42, "not a legal name"),
        wrong(
            "kind: app",
            "preset: python, mirror: {url: https://a.example.fr/x.git, schedule: '0 * * * *', pipelines: true}",
            9,
            "with mirror.pipelines the CI file of the source runs; leave out preset",
        ),
        wrong("kind: app", "mirror: {url: 'git@host:x.git', schedule: '0 * * * *'}", 23, "starts with https://"),
        wrong("kind: app", "mirror: {url: https://a.example.fr/x.git}", 9, "the key schedule is missing"),
        wrong("kind: app", "mirror: {url: https://a.example.fr/x.git, schedule: hourly}", 61, "five fields"),
        wrong("kind: app", "mirror: {url: https://a.fr/x.git, schedule: '60 * * * *'}", 53, "the minute: out of range"),
        wrong("kind: app", "mirror: {url: https://a.fr/x.git, schedule: '0 0 31 2 *'}", 53, "never run"),
        wrong("kind: app", "mirror: {url: https://a.fr/x.git, schedule: '0 0 * * fry'}", 53, "day of the week"),
        wrong("kind: app", "mirror: {url: https://a.fr/x.git, schedule: '0 5-3 * * *'}", 53, "ends before it starts"),
        wrong("kind: app", "mirror: {url: https://a.fr/x.git, schedule: '*/0 * * * *'}", 53, "a step goes from 1"),
        wrong(
            "kind: app",
            "mirror: {url: https://a.fr/x.git, schedule: '0 * * * *', credentials: env/prod/db}",
            79,
            "not below ci, ci-env, env, operations, packages or review",
        ),
        wrong("kind: infra", "kind: infra, path: /etc", 31, "relative to the repository"),
        wrong("kind: infra", "kind: infra, path: a/../b", 31, "no .."),
        wrong("kind: infra", "kind: infra, valueFiles: [../x.yaml]", 38, "no .."),
        wrong("kind: infra", "kind: infra, valueFiles: ['v-<name>.yaml']", 38, "the only placeholder"),
        wrong("kind: infra", "kind: infra, valueFiles: [values.txt]", 38, "ends with .yaml"),
        wrong("kind: infra", "kind: infra, revision: {prd: main}", 36, 'no such environment in this file: "prd"'),
        wrong("kind: infra", "kind: infra, revision: {dev: 1.10}", 41, "in quotes"),
        wrong("kind: infra", "kind: infra, revision: main", 35, "expected a mapping"),
        wrong("kind: app", "eachFolder: true", 9, "eachFolder is for repositories of kind infra"),
        wrong("kind: app", "parameters: {a: 1}", 9, "parameters is for repositories of kind infra"),
        wrong(
            "kind: app",
            "chart: {source: registry, name: a, version: {default: 1.0.0}}",
            9,
            "chart is for repositories of kind infra",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: regsitry, name: web, version: {default: 1.0.0}}",
            41,
            "no such source of charts",
            "did you mean registry?",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: ../web, version: {default: 1.0.0}}",
            57,
            "the name of a chart has up to 100",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: Web, version: {default: 1.0.0}}",
            57,
            "the name of a chart has up to 100",
        ),
        wrong("kind: infra", "kind: infra, chart: {source: registry, name: web, version: {}}", 71, "the list is empty"),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: 1.x}}",
            81,
            "an exact version",
            "no range",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: '>=1.0.0'}}",
            81,
            "an exact version",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: 1.0.0+build}}",
            81,
            "no +",
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: latest}}",
            81,
            "an exact version",
        ),
        wrong(
            "kind: infra", "kind: infra, chart: {source: registry, name: web, version: {default: 1.4}}", 81, "in quotes"
        ),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: 1.0.0, prd: 1.0.0}}",
            88,
            "no such environment in this file",
        ),
        wrong(
            "kind: infra", "kind: infra, chart: {source: registry, name: web, version: 1.0.0}", 71, "expected a mapping"
        ),
        wrong("kind: infra", "kind: infra, chart: {source: registry, name: web}", 25, "the key version is missing"),
        wrong("kind: infra", "kind: infra, chart: {name: web, version: {dev: 1.0.0}}", 25, "the key source is missing"),
        wrong(
            "kind: infra",
            "kind: infra, chart: {source: registry, name: web, version: {default: 1.0.0}}, eachFolder: true",
            90,
            "leave out eachFolder",
        ),
        wrong("kind: infra", "kind: infra, parameters: {a..b: 1}", 38, "a path such as ingress.host"),
        wrong("kind: infra", "kind: infra, parameters: {'a,b': 1}", 38, "a path such as ingress.host"),
        wrong("kind: infra", "kind: infra, parameters: {images.api.digest: x}", 38, "the promoted digests"),
        wrong("kind: infra", "kind: infra, parameters: {'images[0]': x}", 38, "the promoted digests"),
        wrong("kind: infra", "kind: infra, parameters: {db.password: x}", 38, "put a secret into Vault"),
        wrong("kind: infra", "kind: infra, parameters: {apiKey: x}", 38, "put a secret into Vault"),
        wrong("kind: infra", "kind: infra, parameters: {a: '{{ .x }}'}", 41, "the value of a Helm parameter"),
        wrong("kind: infra", "kind: infra, parameters: {a: 'x,b=y'}", 41, "the value of a Helm parameter"),
        wrong("kind: infra", "kind: infra, parameters: {a: '<name>'}", 41, "the value of a Helm parameter"),
        wrong("kind: infra", "kind: infra, parameters: {a: [x]}", 41, "the value of a Helm parameter"),
        wrong("kind: infra", "kind: infra, parameters: {a: 1.10}", 41, "in quotes"),
        wrong("kind: infra", "kind: infra, eachFolder: yes", 37, "did you mean true?"),
        # the rest
        wrong("name: Tenant", "name: T\nregistry: {quota: 8}", 19, "did you mean 8Gi?"),
        wrong("name: Tenant", "name: T\nregistry: {keep: {tags: 0}}", 25, "allowed: 1 to 1000"),
        wrong("name: Tenant", "name: T\nregistry: {blockSeverity: hi}", 27, "none, low, medium, high, critical"),
        wrong("name: Tenant", "name: T\nregistry: {immutable: ['v *']}", 24, "a pattern of tags"),
        wrong("name: Tenant", "name: T\nquality: {gate: platfrom}", 17, "did you mean platform?"),
        wrong("name: Tenant", "name: T\nquality: {newCode: {days: 91}}", 27, "allowed: 1 to 90"),
        wrong(
            "name: Tenant",
            "name: T\nquality: {dast: {environments: [prod], schedule: '0 3 * * 1'}}",
            33,
            "no such environment in this file",
        ),
        wrong("name: Tenant", "name: T\npackages: [mavn]", 12, "did you mean maven?"),
        wrong("name: Tenant", "name: T\npackages: [npm, npm]", 17, "in this list twice"),
        wrong("name: Tenant", "name: T\npackages: [nexus]", 12, "no such package", "maven, npm, pypi, generic"),
        wrong("name: Tenant", "name: T\npackageRegistry: {keepVersions: 5}", 1, "packages lists no format"),
        wrong("name: Tenant", "name: T\npackages: [npm]\npackageRegistry: {keepVersions: 0}", 33, "allowed: 1 to 1000"),
        wrong(
            "name: Tenant", "name: T\npackages: [npm]\npackageRegistry: {readers: [a--b]}", 29, "the name of a reader"
        ),
        wrong("name: Tenant", "name: T\npackages: [npm]\npackageRegistry: {readers: [a, a]}", 32, "twice"),
        wrong("name: Tenant", "name: T\nobservability: {logRetention: 30}", 31, "did you mean 30d?"),
        wrong("name: Tenant", "name: T\nobservability: {logRetention: 1y}", 31, "such as 30d"),
        wrong("name: Tenant", "name: T\nobservability: {logRetention: 9999d}", 31, "ten years"),
        wrong("name: Tenant", "name: T\nobservability: {alerts: [{to: a@b.fr, severity: warn}]}", 49, "warning"),
        wrong("name: Tenant", "name: T\nobservability: {dashboards: deploy/x}", 29, "dashboards"),
        wrong("name: Tenant", "name: T\nobservability: {alerts: [{severity: info}]}", 26, "either to", "or webhook"),
        wrong(
            "name: Tenant",
            "name: T\nobservability: {alerts: [{to: a@b.fr, webhook: https://hooks.example.gouv.fr/a}]}",
            26,
            "either to",
        ),
        wrong(
            "name: Tenant",
            "name: T\nobservability: {alerts: [{webhook: https://hook.example.gouv.fr/a}]}",
            36,
            "does not allow webhooks on",
            "did you mean hooks.example.gouv.fr?",
        ),
        wrong(
            "name: Tenant",
            "name: T\nobservability: {alerts: [{to: a@b.fr, credentials: hook}]}",
            39,
            "credentials are for a webhook",
        ),
        wrong(
            "name: Tenant",
            "name: T\nobservability: {alerts: [{webhook: https://hooks.example.gouv.fr/a, credentials: usine-a}]}",
            82,
            "does not begin with usine-",
        ),
        wrong("name: Tenant", "name: T\nobservability: {alerts: [{to: a@b.fr}, {to: a@b.fr}]}", 40, "twice"),
        wrong("url: https://a.example.fr", "objectives: {availability: 99.9}", 41, "measured at the ingress"),
        wrong("fr}", "fr, objectives: {availability: 100}}", 95, "less than 100"),
        wrong("fr}", "fr, objectives: {availability: 99.9%}}", 95, "less than 100", "did you mean 99.9?"),
        wrong("fr}", "fr, objectives: {latency: {within: 300ms, percent: 95}}}", 99, "no such duration", "250ms"),
    ],
)
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
