"""The checks across tenants."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.naming import all_names
from model.problems import SpecError
from model.reading import fleet
from model.reading.settings_load import load_settings
from model.reserved import platform_names
from model.settings import Endpoint, Settings, System
from model.tenant import Quota, State
from tests import factories
from tests.spec.helpers import BODY, HEAD, LAB, SETTINGS, file, load_texts, problems_of

GIB = 1024**3


def with_capacity(cluster: str, capacity: Quota) -> Settings:
    changed = dataclasses.replace(SETTINGS.clusters[cluster], capacity=capacity)
    return dataclasses.replace(SETTINGS, clusters={**SETTINGS.clusters, cluster: changed})


PLENTY = Quota(10**9, 10**18, 10**18, 10**6, 10**6)


def test_slugs_that_a_tool_folds_together_are_the_same() -> None:
    assert fleet.fold("Équipe_A.b") == fleet.fold("équipe-a-b") == fleet.fold("E\u0301quipe-A_B")
    one, other = factories.tenant("aa", source="one.yaml"), factories.tenant("aa", source="two.yaml")
    (finding,) = fleet.check_slugs([one, other])
    assert (finding.source, finding.path) == ("two.yaml", ("slug",))
    assert "one.yaml" in finding.message
    assert not list(fleet.check_slugs([factories.tenant("a-b"), factories.tenant("ab")]))


def test_every_name_claimed_twice_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two legal files collide (tests/naming proves it), so a derivation that truncates is put in its place."""

    def truncated(tenant: object, _settings: Settings) -> dict[str, tuple[str, ...]]:
        return {"Harbor project": (tenant.slug[:2],)}  # type: ignore[attr-defined]

    monkeypatch.setattr(fleet, "all_names", truncated)
    first, second = file("abc"), file("abd")
    (problem,) = problems_of({"abc.yaml": first, "abd.yaml": second})
    assert (problem.file, problem.line, problem.column) == ("abd.yaml", 3, 7)
    assert "Harbor project ab is claimed by abc.yaml too" in problem.message


def test_names_of_the_platform_are_taken() -> None:
    instances = (dataclasses.replace(SETTINGS.argocd.instances[0], namespace="tools-dev"),)
    settings = dataclasses.replace(SETTINGS, argocd=dataclasses.replace(SETTINGS.argocd, instances=instances))
    (problem,) = problems_of({"tools.yaml": file("tools")}, settings)
    assert "Kubernetes namespace tools-dev is reserved" in problem.message


@pytest.mark.parametrize("kind", list(platform_names(SETTINGS)))
def test_a_tenant_that_would_take_a_reserved_name_is_refused(kind: str) -> None:
    for name in platform_names(SETTINGS)[kind]:
        slug, environment, body = name, "", BODY
        if kind in {"Kubernetes namespace", "Argo CD project"}:
            slug, _, environment = name.rpartition("-")
            body = f"environments: {{{environment}: {{stage: dev}}}}\n"
        if not slug or (kind == "Kubernetes namespace" and not 2 <= len(environment) <= 11):
            continue  # no tenant can have such a namespace
        assert problems_of({f"{slug}.yaml": file(slug, body)}), name


@pytest.mark.parametrize(
    ("slug", "environment", "said"),
    [
        ("cert", "manager", "cert-manager is the namespace of cert-manager"),
        ("external", "secrets", "external-secrets is the namespace of External Secrets"),
        ("outils", "interne", "outils-interne is reserved by the platform on cluster nonprod-1"),
    ],
)
def test_the_namespace_of_a_service_of_the_cluster_is_refused_where_it_stands(
    slug: str, environment: str, said: str
) -> None:
    changed = dataclasses.replace(SETTINGS.clusters["nonprod-1"], reserved_namespaces=("outils-interne",))
    settings = dataclasses.replace(SETTINGS, clusters={**SETTINGS.clusters, "nonprod-1": changed})
    body = f"environments:\n  dev: {{}}\n  {environment}: {{stage: dev}}\n"
    (problem,) = problems_of({f"{slug}.yaml": file(slug, body)}, settings)
    assert (problem.line, problem.column, said in problem.message) == (9, 3, True), problem.message
    # The other cluster does not reserve it.
    if slug == "outils":
        assert load_texts({"outils.yaml": file(slug, body.replace("stage: dev", "stage: prod"))}, settings)


def test_a_host_belongs_to_one_environment_and_is_no_host_of_the_platform() -> None:
    endpoints = {System.VAULT: Endpoint("https://vault.example.fr")}
    settings = dataclasses.replace(SETTINGS, endpoints={**SETTINGS.endpoints, **endpoints})
    first = "environments:\n  dev: {url: 'https://one.example.fr/a', hosts: [two.example.fr, three.example.fr]}\n"
    other = (
        "environments:\n  dev:\n    url: https://two.example.fr/b\n    hosts: [one.example.fr, vault.example.fr]\n"
        "  prod: {url: 'https://two.example.fr/c'}\n"
    )
    found = problems_of({"aa.yaml": file("aa", first), "bb.yaml": file("bb", other)}, settings)
    assert {(p.file, p.line, p.column, p.message) for p in found} == {
        ("bb.yaml", line, column, f"environments.{message}")
        for line, column, message in (
            (9, 10, "dev.url: environment dev of aa.yaml already has the host two.example.fr"),
            (10, 13, "dev.hosts: environment dev of aa.yaml already has the host one.example.fr"),
            (10, 29, "dev.hosts: vault.example.fr is the host of vault on the platform"),
            (11, 15, "prod.url: environment dev of aa.yaml already has the host two.example.fr"),
        )
    }


def test_two_environments_answer_at_one_url_only() -> None:
    body = "environments:\n  dev: {url: https://one.example.fr/}\n"
    (problem,) = problems_of({"aa.yaml": file("aa", body), "bb.yaml": file("bb", body.replace("fr/", "fr"))})
    assert (problem.file, problem.line, problem.column) == ("bb.yaml", 8, 14)
    assert "environment dev of aa.yaml already has the host" in problem.message


def test_the_sum_of_environments_fits_into_the_envelope() -> None:
    envelope = "envelope:\n  nonprod: {cpu: 6, memory: 12Gi}\n  prod: {storage: 10Gi}\n"
    found = problems_of(
        {
            "tenant.yaml": HEAD
            + envelope
            + "environments:\n  dev: {quota: {cpu: 3500m}}\n  test: {stage: dev}\n  prod: {quota: {storage: 20Gi}}\n"
        }
    )
    assert [(p.line, p.column) for p in found] == [(8, 18), (8, 29), (9, 19)]
    cpu, memory, storage = (p.message for p in found)
    assert cpu == "envelope.nonprod.cpu: the environments dev, test add up to 7500m, the envelope allows 6"
    assert "add up to 16Gi, the envelope allows 12Gi" in memory
    assert "the environments prod add up to 20Gi, the envelope allows 10Gi" in storage


def test_the_message_names_the_archetype_of_an_envelope() -> None:
    (problem,) = problems_of({"tenant.yaml": HEAD + "environments:\n  dev: {quota: {cpu: 17}}\n"})
    assert (problem.line, problem.column) == (7, 1)
    assert "add up to 17, the envelope of archetype standard allows 16" in problem.message


def test_the_environments_of_a_cluster_fit_into_its_capacity() -> None:
    settings = with_capacity("nonprod-1", Quota(7000, 10**15, 10**15, 0, 1000))
    files = {
        "aa.yaml": file("aa", "environments:\n  dev: {quota: {cpu: 5}}\n"),
        "bb.yaml": file("bb", "environments:\n  dev: {quota: {cpu: 3}}\n  prod: {}\n"),
    }
    (problem,) = problems_of(files, settings)
    assert (problem.file, problem.line, problem.column) == ("aa.yaml", 8, 22)
    assert (
        "cluster nonprod-1 has 7 as its capacity for cpu; the 2 environments of 2 tenants on it add up to 8"
        in problem.message
    )
    assert load_texts(files, with_capacity("nonprod-1", Quota(8000, 10**15, 10**15, 0, 1000)))


def test_pods_of_the_archetype_count_too() -> None:
    settings = with_capacity("nonprod-1", dataclasses.replace(PLENTY, pods=39))
    (problem,) = problems_of({"aa.yaml": file("aa")}, settings)
    assert "has 39 as its capacity for pods" in problem.message


def test_a_suspended_tenant_keeps_its_place_and_an_archived_one_only_its_data() -> None:
    settings = with_capacity("nonprod-1", Quota(4000, 8 * GIB, 100 * GIB, 0, 40))
    right = {"aa.yaml": file("aa"), "bb.yaml": file("bb", "state: archived\n" + BODY)}
    assert load_texts(right, settings)
    assert problems_of({**right, "bb.yaml": file("bb", "state: suspended\n" + BODY)}, settings)
    less = with_capacity("nonprod-1", Quota(4000, 8 * GIB, 99 * GIB, 0, 40))
    (problem,) = problems_of(right, less)
    assert "has 99Gi as its capacity for storage" in problem.message


def test_selected_tenants_exist() -> None:
    settings = dataclasses.replace(SETTINGS, tenants=("teleservic", "aa"))
    files = {"aa.yaml": file("aa"), "teleservice.yaml": file("teleservice")}
    (problem,) = problems_of(files, settings)
    assert problem.file == SETTINGS.source
    assert "usine:tenants" in problem.message
    assert "did you mean teleservice?" in problem.message
    assert len(load_texts(files, dataclasses.replace(SETTINGS, tenants=("aa",)))) == 2


def test_what_the_settings_say_of_tenants_is_reported_at_its_place(tmp_path: Path) -> None:
    text = """\
  usine:tenants:
    - aa
    - ab
  usine:fleet:
    waves:
      - {tenants: [aa, bb], probe: ap}
      - {tenants: [old], probe: api}
      - tenants: [mirror, gone]
        probe: api
"""
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(LAB.read_text(encoding="utf-8").replace("config:\n", "config:\n" + text), encoding="utf-8")
    mirror = "repositories:\n  api: {mirror: {url: https://forge.example.fr/a.git, schedule: 0 3 * * *}}\n"
    files = {
        "aa.yaml": file("aa"),
        "bb.yaml": file("bb", "repositories:\n  ap: {}\n"),
        "mirror.yaml": file("mirror", mirror),
        "old.yaml": file("old", "state: suspended\n" + BODY),
    }
    assert [str(problem).removeprefix(f"{path}:") for problem in problems_of(files, load_settings(path))] == [
        '5:7: usine:tenants: no such tenant: "ab"; allowed: aa, bb, mirror, old',
        '8:36: usine:fleet.waves[0].probe: aa has no repository "ap"; did you mean api? Allowed: api, deploy',
        "9:33: usine:fleet.waves[1].probe: old is suspended: it has no pipelines",
        '10:27: usine:fleet.waves: no such tenant: "gone"; allowed: aa, bb, mirror, old',
        "11:16: usine:fleet.waves[2].probe: api of mirror is a mirror: "
        "people outside the platform decide what its pipelines do",
    ]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[7][35:].startswith("ap}")


def test_order_of_files_changes_nothing() -> None:
    files = {f"{slug}.yaml": file(slug) for slug in ("zz", "aa", "mm")}
    assert load_texts(files) == load_texts(dict(reversed(files.items())))


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{1,8}", fullmatch=True), min_size=2, max_size=6, unique=True))
def test_tenants_that_load_together_share_no_name(slugs: list[str]) -> None:
    try:
        tenants = load_texts({f"{slug}.yaml": file(slug) for slug in slugs})
    except SpecError:
        return
    for kind in all_names(tenants[0], SETTINGS):
        names = [name for tenant in tenants for name in all_names(tenant, SETTINGS)[kind]]
        assert len(names) == len(set(names))


def test_demand_of_an_archived_environment_is_its_storage() -> None:
    tenant = factories.tenant(state=State.ARCHIVED)
    assert fleet.demand(tenant, tenant.environments[0]) == Quota(storage=50 * GIB)
